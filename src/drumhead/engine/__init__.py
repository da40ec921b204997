"""Engines: the recursion of `drumhead.propagate` in one call, with its exact adjoint, checked against the loop.

native  C on the processor (csrc/, native.py); cuda  one kernel on the GPU (cuda.py); eager is the loop itself.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from drumhead.engine.plan import SEGMENT, Rollout
from drumhead.engine.watch import checking
from drumhead.errors import DrumheadError, choose

__all__ = [
    "BACKENDS", "SEGMENT", "Rollout", "available", "checking", "exactly_local", "pick", "pointwise", "reduced", "run",
    "using",
]  # fmt: skip

NO_NVRTC = "there is no NVRTC to compile it"
ALONE = 8  # threads that the loop needs to be as fast as the C engine with one (it gains less than their number)
BACKENDS = ("auto", "eager", "native", "cuda")
_preferred = ["auto"]


@contextmanager
def using(backend: str) -> Iterator[None]:
    """Let backend="auto" mean one engine for a while, in every thread.

    Args:
        backend: "auto", "eager", "native" or "cuda".

    Example:
        >>> with dh.engine.using("eager"):
        ...     logits = dh.build("tetrominoes/nwm-last")(torch.rand(1, 3, 8, 8))
    """
    choose("backend", backend, BACKENDS)
    _preferred.append(backend)
    try:
        yield
    finally:
        _preferred.pop()


@contextmanager
def exactly_local() -> Iterator[None]:
    """Let a step depend on the kernel's window alone, to the bit, in every thread.

    The C engine couples four rows of dense kernels at once and faster, which leaves rounding errors (1e-7 of the
    largest value nearby) one to two rows beyond the window. Use this where zero has to be zero, as in a receptive
    field, around the backward pass as well.

    Example:
        >>> with dh.engine.exactly_local():
        ...     logits = dh.build("multi-mnist/nwm-last")(torch.rand(1, 1, 8, 8))
    """
    from drumhead.engine import native

    native.row_by_row.append(True)
    try:
        yield
    finally:
        native.row_by_row.pop()


def available() -> dict[str, str]:
    """Return each engine with "yes" or the reason why it cannot run here."""
    from drumhead.engine import build

    found = build.search()
    cpu = "yes" if found.path else f"it could not be compiled: {found.note}"
    gpu = "yes" if torch.cuda.is_available() else "torch sees no CUDA device"
    if gpu == "yes" and not _compiles():
        gpu = NO_NVRTC
    return {"eager": "yes", "native": cpu, "cuda": gpu}


def pick(backend: str, y0: Tensor, tensors: tuple[Tensor, ...], streams: bool) -> str:
    """Return the engine that a propagation takes: "eager", "native" or "cuda".

    "auto" takes an engine where it has been measured to be faster and can do all that is asked, else the loop.

    Args:
        backend: what the caller asked for.
        y0: initial state.
        tensors: all tensors of the propagation.
        streams: whether the record tells engines what to keep.

    Raises:
        DrumheadError: an engine was asked for by name and cannot do it.
    """
    automatic = backend == "auto" and _preferred[-1] == "auto"
    wanted = _preferred[-1] if backend == "auto" else backend
    if wanted == "eager":
        return wanted
    if automatic:
        wanted = "cuda" if y0.is_cuda else "native"
    reason = _obstacle(wanted, y0, tensors, streams, automatic)
    if reason is None:
        return wanted
    if automatic:
        return "eager"
    raise DrumheadError(f"backend={wanted!r}: {reason}; use backend='auto' or 'eager'")


def _obstacle(wanted: str, y0: Tensor, tensors: tuple[Tensor, ...], streams: bool, automatic: bool) -> str | None:
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
    if _transformed(tensors):
        return "torch.func transforms and forward-mode derivatives need the loop"
    if wanted == "native" and not _built():
        from drumhead.engine import build

        return f"it could not be compiled ({build.search().note})"
    # Compiled, the loop is one node a step and operation; the number of threads may differ where the graph will run.
    if automatic and wanted == "native" and _crowded(y0.shape[0]):
        return "an image keeps one thread busy, the loop all of them"
    return None


def _crowded(batch: int) -> bool:
    return not torch.compiler.is_compiling() and torch.get_num_threads() > ALONE * batch


@torch.compiler.assume_constant_result  # as `_built`
def _compiles() -> bool:
    from drumhead.engine import driver

    return driver.compiles()


@torch.compiler.assume_constant_result  # torch.compile asks once, while it traces
def _built() -> bool:
    from drumhead.engine import library

    return library.load() is not None


def _transformed(tensors: tuple[Tensor, ...]) -> bool:
    if torch.compiler.is_dynamo_compiling():
        return False  # neither question can be traced; inside a transform the operator itself refuses
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore[reportAttributeAccessIssue]
    return any(map(wrapped, tensors)) or torch.autograd.forward_ad._current_level >= 0


def run(
    plan: Rollout,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    at: Tensor | None = None,
) -> Tensor:
    """Return what the plan keeps of a rollout, differentiable in every tensor; fields broadcast to y0.

    `at`, pixels (b, n) in rising order, keeps only those of a projection: (.., n, 1) instead of (.., y, x). Only the C
    engine can.
    """
    from drumhead.engine import ops

    z0 = None if z0 is None else z0.expand(y0.shape)
    first_decay = None if first_decay is None else first_decay.expand(y0.shape)
    decay = decay.expand(y0.shape)
    if plan.segment and y0.is_cpu and not _tracing(decay):  # a GPU would wait, a graph cannot ask
        plan = plan.remembering(decay)
    numbers = (
        plan.steps, plan.dt, plan.offset, plan.slope, plan.first_offset, plan.tanh, plan.boundary, plan.keep,
        plan.every, plan.segment, plan.reduced, plan.forgetful,
    )  # fmt: skip
    return ops.rollout(
        y0, z0, omega.expand(y0.shape), decay, first_decay, kernel, basis, at, *numbers
    )[0]  # fmt: skip


def _tracing(tensor: Tensor) -> bool:
    """Say whether values may be unknown or other ones later; under torch's other modes it is merely not needed."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return True
    from torch._subclasses.fake_tensor import is_fake
    from torch.utils._python_dispatch import is_in_torch_dispatch_mode

    return is_in_torch_dispatch_mode() or is_fake(tensor)


def reduced(device: torch.device) -> bool:
    """Say whether the caller asked for products in bfloat16, as torch.autocast does."""
    kind = device.type
    return torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16


def pointwise(x: Tensor, layers: Iterable[nn.Module]) -> Tensor:
    """Apply 1x1 convolutions with ReLU between them; in the C engine where it can, else layer by layer.

    Args:
        x: features (b, k, y, x).
        layers: `nn.Conv2d` of size 1 and `nn.ReLU` in turn. Under torch.autocast in bfloat16, products are rounded.

    Returns:
        (b, n, y, x) in float32 or float64 from the engine, in the layers' own type otherwise.
    """
    from drumhead.engine import network

    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    dtype = convolutions[0].weight.dtype
    if len(convolutions) <= network.MOST_LAYERS and x.is_cpu and pick("auto", x.to(dtype), (x,), True) == "native":
        weights = [layer.weight.flatten(1) for layer in convolutions]
        biases = [layer.bias for layer in convolutions]
        return network.pointwise(x.to(dtype), weights, biases, reduced(x.device))
    for layer in layers:
        x = layer(x)
    return x
