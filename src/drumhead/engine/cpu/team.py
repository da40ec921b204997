"""Share a call of the C engine out over torch's number of threads; who computes which part changes no number.

Where torch computes with OpenMP, the parts are OpenMP's too: its threads wait for the next call by spinning for some
milliseconds, and threads of our own would have to share the processor with them. Elsewhere, and in a child that was
forked, whose OpenMP threads stayed behind, there is a pool.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache

import torch
from torch import Tensor

from drumhead import forks
from drumhead.engine.cpu import library

LINE = 128  # bytes; what two threads write lies in different lines of their caches
_local = threading.local()


class _Share(ctypes.Structure):
    """`share` of csrc/engine.c."""

    _fields_ = (
        ("call", ctypes.c_void_p), ("given", ctypes.c_void_p), ("scratch", ctypes.c_void_p),
        ("size", ctypes.c_int64), ("workers", ctypes.c_int64), ("next", ctypes.c_int64),
    )  # fmt: skip


def run(what: str, direction: str, struct: ctypes.Structure, parts: int) -> None:
    """Compute all parts of a call.

    Args:
        what: "", "network_" or "normal_", as the library names its entry points.
        direction: "forward" or "backward".
        struct: what it takes; its workers count in it which parts are taken.
        parts: how many there are.
    """
    lib = library.load()
    assert lib is not None
    call = getattr(lib, f"drumhead_{what}{direction}")
    size = getattr(lib, f"drumhead_{what}workspace")(ctypes.byref(struct), direction == "backward")
    threads = torch.get_num_threads()
    workers = max(1, min(threads, parts))

    def alone() -> None:
        block = _scratch(size)  # held here: what a signal's handler calls may ask for a larger one
        call(ctypes.byref(struct), block.data_ptr())

    if workers == 1:
        alone()
    elif team := _team():
        library.check_layout("share", _Share)
        each = -(-size // LINE) * LINE
        block = _scratch(workers * each)
        address = ctypes.cast(call, ctypes.c_void_p), ctypes.addressof(struct), block.data_ptr()
        # A team of another size than torch's own would have OpenMP end threads and start them again.
        team(lib.drumhead_share, ctypes.byref(_Share(*address, each, workers, 0)), threads, 0)
    else:
        _by_pool(alone, workers, threads)


def _scratch(size: int) -> Tensor:
    """Return a block of memory that this thread keeps between calls: fresh pages cost more than the arithmetic."""
    block = getattr(_local, "block", None)
    if block is None or block.numel() < size:
        block = _local.block = torch.empty(size, dtype=torch.uint8, device="cpu")
    return block


def _team() -> Callable[..., None] | None:
    """Return what runs a function on a team of OpenMP's threads, or None if this process has none that it can use."""
    return None if forks.forked else _openmp()


@lru_cache
def _openmp() -> Callable[..., None] | None:
    """Return the entry point of the OpenMP library that torch has loaded, if it is one that GCC's programs can use."""
    try:
        parallel = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):  # another OpenMP or none; TypeError: Windows has no such handle
        return None
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return parallel


@lru_cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="drumhead")


if hasattr(os, "register_at_fork"):  # a child inherits the pool but none of its threads, and would wait forever
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _by_pool(work: Callable[[], None], workers: int, threads: int) -> None:
    """Let this thread and others of the pool work until all parts are taken."""
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
