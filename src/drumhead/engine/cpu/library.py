"""The C library behind ctypes: it knows neither Python nor torch, so one build serves every version of both."""

import ctypes
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache

import torch
from torch import Tensor

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
    for what in ("", "network_"):
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


_local = threading.local()


def _scratch(size: int) -> Tensor:
    """Return a block of memory that this thread keeps between calls: fresh pages cost more than the arithmetic."""
    block = getattr(_local, "block", None)
    if block is None or block.numel() < size:
        block = _local.block = torch.empty(size, dtype=torch.uint8)
    return block


@lru_cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="drumhead")


if hasattr(os, "register_at_fork"):  # a forked child inherits the pool but none of its threads, and would wait forever
    os.register_at_fork(after_in_child=_pool.cache_clear)


def run(what: str, direction: str, struct: ctypes.Structure, parts: int) -> None:
    """Share a call out over torch's number of threads; which thread computes which part changes no number."""
    lib = load()
    assert lib is not None
    call = getattr(lib, f"drumhead_{what}{direction}")
    size = getattr(lib, f"drumhead_{what}workspace")(ctypes.byref(struct), direction == "backward")
    threads = torch.get_num_threads()
    workers = max(1, min(threads, parts))

    def work() -> None:
        call(ctypes.byref(struct), _scratch(size).data_ptr())

    if workers == 1:
        return work()
    others: list[Future[None]] = []
    try:
        for _ in range(workers - 1):
            try:  # one pool whatever the number of parts: threads start when they are first needed
                others.append(_pool(threads - 1).submit(work))
            except RuntimeError:  # the interpreter is shutting down and starts no threads any more
                break
        work()
    finally:
        for other in others:
            other.cancel()  # all parts are taken: who has not begun need not begin
        wait(others)  # whatever happened here: they still write into the caller's memory
    for other in others:
        if not other.cancelled():
            other.result()
