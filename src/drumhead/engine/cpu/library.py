"""The C library behind ctypes: it knows neither Python nor torch, so one build serves every version of both."""

import ctypes
import os
from functools import lru_cache

from drumhead.engine.cpu import build
from drumhead.errors import DrumheadError

ISAS = ("base", "avx2", "avx512", "avx512-bf16")


@lru_cache
def load() -> ctypes.CDLL | None:
    """Return the loaded library, compiled if need be; None where that is impossible."""
    path = build.find()
    if path is None:
        return None
    lib = ctypes.CDLL(str(path))
    lib.drumhead_best_isa.restype = ctypes.c_int64
    for what in ("", "network_", "normal_"):
        size = getattr(lib, f"drumhead_{what}workspace")
        size.restype, size.argtypes = ctypes.c_int64, [ctypes.c_void_p, ctypes.c_int64]
        for direction in ("forward", "backward"):
            call = getattr(lib, f"drumhead_{what}{direction}")
            call.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
            call.restype = None
    return lib


@lru_cache
def check_layout(name: str, struct: type[ctypes.Structure]) -> None:
    """Refuse a library whose struct is not the one that Python fills in."""
    lib = load()
    assert lib is not None
    size = getattr(lib, f"drumhead_{name}_bytes")
    size.restype = ctypes.c_int64
    if size() != ctypes.sizeof(struct):
        raise DrumheadError(f"{build.find()} was built from other sources; remove it, and it is built again")


def isa() -> str:
    """Return the instruction set in use; $DRUMHEAD_ISA can ask for a lesser one."""
    return ISAS[isa_index()]


@lru_cache
def isa_index() -> int:
    """Return the instruction set in use, as the library numbers it."""
    lib = load()
    assert lib is not None
    best, wanted = int(lib.drumhead_best_isa()), os.environ.get("DRUMHEAD_ISA", "").lower()
    if not wanted:
        return best
    if wanted not in ISAS[: best + 1]:
        raise DrumheadError(f"DRUMHEAD_ISA={wanted!r}: choose one of {', '.join(ISAS[: best + 1])}, or unset it")
    return ISAS.index(wanted)
