"""Find the C engine, or compile it once.

A wheel built where there was a compiler carries the library. Elsewhere (a source checkout, a wheel without it, sources
that changed since) it is compiled at first use into the user's cache. `csrc/variants.txt` says how, here and in
CMakeLists.txt. A library in the cache is named after what it was made of and after its own content: it is whole and
the right one, or it is not taken. Processes that compile at once each put a whole file in place. An instruction set
that the compiler cannot make is left out, and a compilation that failed is remembered beside the libraries.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from drumhead import files

SOURCES = Path(__file__).parent / "csrc"
SHIPPED = Path(__file__).parent / "libdrumhead_waves.so"
COMPILERS = ("cc", "gcc", "clang")
ENDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL}  # by somebody; a compiler's own crash is another
SCRATCH = ".compiling-"
PATIENCE = 600.0  # seconds for one file: a compiler that takes longer hangs
HELP = "install gcc or clang, or set CC to a C compiler that works, and start again"


class Found(NamedTuple):
    """The library and where it comes from, or None and what stood in the way."""

    path: Path | None
    note: str


_lock = threading.Lock()
_found: list[Found] = []
_warned: list[bool] = []


def find() -> Path | None:
    """Return the library's path, compiling it if need be; where that is impossible None, with one warning a process."""
    found = search()
    if found.path is None and not _warned:
        _warned.append(True)
        warnings.warn(
            f"the fast engine is missing, so waves run in plain torch, several times slower: {found.note}. "
            f"To have it, {HELP}.",
            RuntimeWarning,
            stacklevel=2,
        )
    return found.path


def search() -> Found:
    """Look for the library, and compile it if there is none; the answer is kept for the rest of the process."""
    with _lock:
        if not _found:
            try:
                _found.append(_search())
            except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
                _found.append(Found(None, str(error)))
        return _found[0]


def common() -> list[str]:
    """Return the flags that every file is compiled with."""
    return next(words[1:] for words in _lines() if words[0] == "all")


def variants(machine: str | None = None) -> dict[str, list[str]]:
    """Return the names and flags under which `kernels.c` is compiled: a type of number with an instruction set each."""
    machine = (machine or platform.machine()).lower().replace("amd64", "x86_64")
    return {words[1]: [f"-DNAME={words[1]}", *words[2:]] for words in _lines() if words[0] in ("any", machine)}


def digest() -> str:
    """Return what the library says it was made of: a hash of all C sources and of their flags."""
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in (".c", ".h", ".txt"))
    hashes = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in sources)
    return hashlib.sha256(hashes.encode()).hexdigest()


def _lines() -> list[list[str]]:
    text = (SOURCES / "variants.txt").read_text()
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def _search() -> Found:
    extra = os.environ.get("DRUMHEAD_CFLAGS", "")
    with suppress(OSError):
        if not extra and digest().encode() in SHIPPED.read_bytes():
            return Found(_loaded(SHIPPED), "built into this installation")
    made_of = (os.environ.get("CC"), extra, sys.platform, platform.machine(), digest())
    name = f"libdrumhead_waves-{_hash(repr(made_of).encode())}"
    path = _cached(name)
    if path is None:
        compiler = _compiler()
        with _turn() as alone:
            path = _cached(name) or _make(name, compiler, extra, alone)
    return Found(path, "compiled on this machine")


def _make(name: str, compiler: list[str], extra: str, alone: bool) -> Path:
    """Compile the library and keep it, or remember that this compiler cannot."""
    place = next(filter(_writable, _places()), None)
    if place is None:
        raise OSError("it cannot be kept, for there is no directory that can be written; set XDG_CACHE_HOME to one")
    program = os.stat(shutil.which(compiler[0]) or compiler[0])
    failed = place / f"{name}-{_hash(repr((program.st_size, program.st_mtime_ns)).encode())}.failed"
    if failed.exists():
        raise OSError(f"{failed.read_text()} (remembered in {failed}: delete it to try again)")
    for left in place.glob(f"{SCRATCH}*") if alone else ():  # of a process that was killed while it compiled
        shutil.rmtree(left, ignore_errors=True)
    try:
        return _keep(name, _compile(compiler, extra, place))
    except Killed:  # which says nothing about the compiler
        raise
    except (OSError, subprocess.SubprocessError) as error:
        files.write_atomic(failed, str(error))
        raise


class Killed(OSError):
    """A compiler that somebody ended, as a batch system does with all processes of a job."""


def _cached(name: str) -> Path | None:
    for place in _places():
        for path in sorted(place.glob(f"{name}-*.so")):
            with suppress(OSError):
                if path.stem == f"{name}-{_hash(path.read_bytes())}":
                    return _loaded(path)
    return None


def _keep(name: str, library: bytes) -> Path:
    obstacles = []
    for place in _places():
        path = place / f"{name}-{_hash(library)}.so"
        try:
            files.write_atomic(path, library)
            _loaded(path)
        except OSError as error:
            obstacles.append(str(error))
            continue
        if obstacles:
            print(
                f"drumhead: the engine went to {place}, because of this: {obstacles[0]}; "
                "set XDG_CACHE_HOME to a directory that lasts",
                file=sys.stderr,
            )
        return path
    raise OSError(f"it was compiled, but cannot be kept or loaded: {'; '.join(obstacles)}")


@contextmanager
def _turn() -> Iterator[bool]:
    """Let one process compile at a time, where files can be locked: the others then find its work. Yield if so."""
    alone = False
    with ExitStack() as stack:
        with suppress(ImportError, OSError, StopIteration):
            import fcntl

            place = next(_places())
            place.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(open(place / "lock", "w")), fcntl.LOCK_EX)
            alone = True
        yield alone


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _writable(place: Path) -> bool:
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
        return True
    return False


def _loaded(path: Path) -> Path:
    """Return the path if the library loads: it may be for another machine or C library, or files here may not run."""
    ctypes.CDLL(str(path))
    return path


def _places() -> Iterator[Path]:
    """Yield where compiled libraries may be: the user's cache, else a temporary directory that is theirs alone."""
    yield files.cache_dir() / "engine"
    with suppress(AttributeError, OSError):  # no users, or no directory for them
        private = Path(tempfile.gettempdir()) / f"drumhead-{os.getuid()}"
        private.mkdir(mode=0o700, exist_ok=True)
        found = private.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            yield private


def _split(name: str, words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError as error:
        raise ValueError(f"{name}={words!r}: {error}") from None


def _compiler() -> list[str]:
    """Return the command of a compiler that exists."""
    chosen = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    if chosen is None:
        raise FileNotFoundError(f"no C compiler was found ({', '.join(COMPILERS)})")
    compiler = _split("CC", chosen)
    if not (compiler and shutil.which(compiler[0])):
        raise FileNotFoundError(f"CC={chosen!r}: there is no such program")
    return compiler


def _compile(compiler: list[str], extra: str, place: Path) -> bytes:
    """Return the library, compiled anew in a hidden folder of `place`, where the compiler has its scratch files too."""
    print("drumhead: compiling the engine, once", file=sys.stderr)
    command = [*compiler, *common(), *_split("DRUMHEAD_CFLAGS", extra)]
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=place) as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        left_out: list[str] = []

        def run(*arguments: str) -> None:
            done = subprocess.run(
                [*command, *arguments], cwd=scratch, env=os.environ | {"TMPDIR": scratch}, timeout=PATIENCE,
                capture_output=True, text=True, errors="replace",
            )  # fmt: skip
            if -done.returncode in ENDED:
                raise Killed(f"{shlex.join(compiler)} was ended by signal {-done.returncode}")
            if done.returncode:
                said = done.stderr.strip()[-500:] or "nothing"
                raise OSError(f"{shlex.join(compiler)} failed with exit code {done.returncode} and said: {said}")

        def make(name: str, source: str, *flags: str) -> str | None:
            try:
                run(*flags, "-c", str(SOURCES / source), "-o", f"{name}.o")
            except (OSError, subprocess.SubprocessError) as error:
                if isinstance(error, Killed) or name == "engine" or name.endswith("_base"):
                    raise
                left_out.append(f"drumhead: the engine goes without {name}: {error}")
                return None
            return f"{name}.o"

        jobs = [("engine", "engine.c", f'-DSOURCES="{digest()}"')]
        jobs += [(name, "kernels.c", *flags) for name, flags in variants().items()]
        objects = filter(None, pool.map(lambda job: make(*job), jobs))
        run("-shared", *objects, "-o", "waves.so", "-lm")
        for line in left_out:
            print(line, file=sys.stderr)
        return (Path(scratch) / "waves.so").read_bytes()
