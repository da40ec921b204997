"""Find the C engine, or compile it once.

A wheel built where there was a compiler carries the library. Elsewhere (a source checkout, a wheel without it) it is
compiled at first use into the user's cache, under a name that depends on the sources, the compiler and the machine.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

from drumhead.files import cache_dir

SOURCES = Path(__file__).parent / "csrc"
NAME = "libdrumhead_waves" + (".dylib" if sys.platform == "darwin" else ".so")
# No errno and no traps let square roots and selections become vector instructions; no reordering of sums.
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-fno-math-errno", "-fno-trapping-math")
_AVX512 = (
    "-DVECTOR_BYTES=64", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma",
    "-mprefer-vector-width=512",
)  # fmt: skip
_X86 = {
    "base": ("-DVECTOR_BYTES=16",),
    "avx2": ("-DVECTOR_BYTES=32", "-mavx2", "-mfma"),
    "avx512": _AVX512,
    "bf16": (*_AVX512, "-mavx512bf16"),
}


@lru_cache
def find() -> Path | None:
    """Return the library's path, compiling it if need be; None, with one warning, where that is impossible."""
    shipped = Path(__file__).parent / NAME
    if shipped.exists() and not os.environ.get("DRUMHEAD_CFLAGS"):
        return shipped
    try:
        return _compile()
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or str(error)
        warnings.warn(
            f"the fast engine could not be built, so waves run in plain torch, which is 10 to 50 times slower. "
            f"A C compiler (gcc or clang) is needed; set CC to choose one. What went wrong: {detail.strip()[-500:]}",
            stacklevel=2,
        )
        return None


def objects() -> list[tuple[str, tuple[str, ...]]]:
    """Return (name, flags) of each object file: every type of number with every instruction set."""
    sets = _X86 if platform.machine().lower() in ("x86_64", "amd64") else {"base": _X86["base"]}
    return [
        (
            f"{real}_{isa}",
            (f"-DREAL={real}", f"-DREAL_IS_DOUBLE={int(real == 'double')}", f"-DNAME={real}_{isa}", *flags),
        )
        for real in ("float", "double")
        for isa, flags in sets.items()
        if (real, isa) != ("double", "bf16")  # bfloat16 stands in for float32 only
    ]


def _compile() -> Path:
    compiler = os.environ.get("CC") or next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        raise FileNotFoundError("no cc, gcc or clang was found")
    command = [*compiler.split(), *FLAGS, *os.environ.get("DRUMHEAD_CFLAGS", "").split()]
    version = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256(repr((command, version, platform.machine(), objects())).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.read_bytes())
    target = cache_dir() / "engine" / digest.hexdigest()[:16] / NAME
    if target.exists():
        return target
    print("drumhead: compiling the engine, once", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        jobs = [(SOURCES / "kernels.c", name, flags) for name, flags in objects()]
        jobs.append((SOURCES / "engine.c", "engine", ()))
        files = [f"{scratch}/{name}.o" for _, name, _ in jobs]
        running = [
            subprocess.Popen([*command, *flags, "-c", str(source), "-o", file], stderr=subprocess.PIPE, text=True)
            for (source, _, flags), file in zip(jobs, files, strict=True)
        ]
        for process in running:
            _, errors = process.communicate()
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
        link = [*command, "-shared", *files, "-o", f"{scratch}/{NAME}", "-lm"]
        subprocess.run(link, capture_output=True, text=True, check=True)
        os.replace(f"{scratch}/{NAME}", target)
    return target
