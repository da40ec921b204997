"""What the numbers were measured on."""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import torch

from drumhead.learn.run import environment

ISA = (
    "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_bf16", "asimd", "asimdhp", "bf16", "sve", "sve2",
)  # fmt: skip
SAME = ("processor", "isa", "cores", "threads", "memory_gb", "system", "python", "torch", "numpy")


def facts() -> dict[str, Any]:
    """Return processor, instruction sets, cores, threads, memory and versions."""
    flags = set()
    with contextlib.suppress(OSError):
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        flags = set(found[1].split()) if found else flags
    about = environment()
    return {
        "processor": about.pop("processor"),
        "isa": [flag for flag in ISA if flag in flags] or [torch.backends.cpu.get_cpu_capability()],
        "cores": about.pop("cores"),
        "threads": about.pop("threads"),
        "memory_gb": round(_memory() / 1e9, 1),
        **{name: about[name] for name in ("system", "python", "torch", "numpy", "drumhead", "commit")},
    }


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what differs between two machines and could by itself change a time."""
    return [f"{name}: {old.get(name)} before, {new.get(name)} now" for name in SAME if old.get(name) != new.get(name)]


def free_memory() -> float:
    """Return the bytes that can still be used: what the system says is available, less where a limit is set."""
    available = _memory() / 2
    with contextlib.suppress(OSError, TypeError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        available = 1024 * int(found[1])  # type: ignore[index]
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            available = min(available, int(Path(place).read_text()))
    return float(available)


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0
