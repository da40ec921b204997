"""Which engine a propagation takes."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from drumhead.engine.operator import transformed
from drumhead.errors import DrumheadError, choose

NO_NVRTC = "there is no NVRTC to compile it"
ALONE = 8  # threads that the loop needs to be as fast as the C engine with one (it gains less than their number)
BACKENDS = ("auto", "eager", "native", "cuda")
_preferred: ContextVar[str] = ContextVar("preferred", default="auto")


@contextmanager
def using(backend: str) -> Iterator[None]:
    """Let backend="auto" mean one engine for a while, in this thread or task; torch.compile takes it as it traces.

    Args:
        backend: "auto", "eager", "native" or "cuda".

    Example:
        >>> with dh.engine.using("eager"):
        ...     logits = dh.build("tetrominoes/nwm-last")(torch.rand(1, 3, 8, 8))
    """
    choose("backend", backend, BACKENDS)
    token = _preferred.set(backend)
    try:
        yield
    finally:
        _preferred.reset(token)


def available() -> dict[str, str]:
    """Return each engine with "yes" or the reason why it cannot run here.

    Example:
        >>> sorted(dh.engine.available())
        ['cuda', 'eager', 'native']
    """
    from drumhead.engine.cpu import build

    found = build.search()
    cpu = "yes" if found.path else f"it could not be compiled: {found.note}"
    gpu = "yes" if torch.cuda.is_available() else "torch sees no CUDA device"
    if gpu == "yes" and not _compiles():
        gpu = NO_NVRTC
    return {"eager": "yes", "native": cpu, "cuda": gpu}


def multiplies_bfloat16() -> bool:
    """Say whether this processor has products of bfloat16 numbers; elsewhere they take torch many times as long."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported()  # all with matrix units have these too
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def pick(backend: str, y0: Tensor, tensors: tuple[Tensor | None, ...], streams: bool, parts: int | None = None) -> str:
    """Return the engine that a propagation takes: "eager", "native" or "cuda".

    "auto" takes an engine where it has been measured to be faster and can do all that is asked, else the loop.

    Args:
        backend: what the caller asked for.
        y0: initial state.
        tensors: all tensors of the propagation, or None.
        streams: whether the record tells engines what to keep.
        parts: of the work that threads of the C engine can take, one each; its images by default.

    Raises:
        DrumheadError: an engine was asked for by name and cannot do it.
    """
    wanted = _meant() if backend == "auto" else backend
    automatic = wanted == "auto"
    if wanted == "eager":
        return wanted
    if automatic:
        wanted = "cuda" if y0.is_cuda else "native"
    reason = _obstacle(wanted, y0, tensors, streams, automatic, y0.shape[0] if parts is None else parts)
    if reason is None:
        return wanted
    if automatic:
        return "eager"
    raise DrumheadError(f"backend={wanted!r}: {reason}; use backend='auto' or 'eager'")


def _obstacle(
    wanted: str, y0: Tensor, tensors: tuple[Tensor | None, ...], streams: bool, automatic: bool, parts: int
) -> str | None:
    if not streams:
        return "this record collects states one by one"
    if y0.device.type != ("cuda" if wanted == "cuda" else "cpu"):
        return f"the tensors are on {y0.device}"
    if y0.dtype not in (torch.float32, torch.float64):
        return f"it does not compute in {y0.dtype}"
    if automatic and y0.dtype == torch.float64:
        return "not known to be faster"  # the loop's tanh is
    if automatic and y0.is_cuda and not _compiles():
        return NO_NVRTC
    if transformed(tensors):
        return "torch.func transforms and forward-mode derivatives need the loop"
    if wanted == "native" and not _built():
        from drumhead.engine.cpu import build

        return f"it could not be compiled ({build.search().note})"
    # Compiled, the loop is one node a step and operation; the number of threads may differ where the graph will run.
    if automatic and wanted == "native" and _crowded(parts):
        return f"it keeps {parts} of {torch.get_num_threads()} threads busy, the loop all of them"
    return None


def _crowded(parts: int) -> bool:
    return not torch.compiler.is_compiling() and torch.get_num_threads() > ALONE * parts


@torch.compiler.assume_constant_result  # torch.compile knows no context variables
def _meant() -> str:
    return _preferred.get()


@torch.compiler.assume_constant_result  # as `_built`
def _compiles() -> bool:
    from drumhead.engine.gpu import driver

    return driver.compiles()


@torch.compiler.assume_constant_result  # torch.compile asks once, while it traces
def _built() -> bool:
    from drumhead.engine.cpu import library

    return library.load() is not None
