"""The engines as operators of torch: one rollout, one adjoint, known to autograd, torch.compile and torch.export.

    drumhead::rollout           what the plan keeps, checkpoints, steps of the maxima, velocities of forgetful cells
    drumhead::rollout_backward  gradients in the order of the inputs, reconstruction errors

Both take the numbers of a `Rollout` one by one, because an operator's schema knows no dataclass.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from drumhead.engine import watch
from drumhead.engine.plan import Rollout
from drumhead.errors import DrumheadError


def _module(y0: Tensor) -> Any:
    if y0.device.type == "cuda":
        from drumhead.engine.gpu import cuda

        return cuda
    from drumhead.engine.cpu import native

    return native


def _contiguous(*tensors: Tensor | None) -> list[Tensor | None]:
    return [None if tensor is None else tensor.contiguous() for tensor in tensors]


@torch.library.custom_op("drumhead::rollout", mutates_args=())
def rollout(
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    at: Tensor | None,
    steps: int,
    dt: float,
    offset: float,
    slope: float,
    first_offset: float,
    tanh: bool,
    boundary: str,
    keep: str,
    every: int,
    segment: int,
    reduced: bool,
    forgetful: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run a rollout on the device of its tensors; `at` (b, n), in rising order: keep only these pixels."""
    plan = Rollout(steps, dt, offset, slope, first_offset, tanh, boundary, keep, every, segment, reduced, forgetful)
    check(plan, y0, z0, omega, decay, first_decay, kernel, basis, at)
    if forgetful and (cells := plan.count(decay)) > forgetful:
        raise DrumheadError(f"forgetful={forgetful}: {cells} cells of an image damp too strongly to be walked back")
    extra = [] if y0.is_cuda else _contiguous(at)  # only the C engine has it
    results = _module(y0).forward(plan, *_contiguous(y0, z0, omega, decay, first_decay, kernel, basis), *extra)
    return (*results, y0.new_empty(plan.velocities(y0))) if y0.is_cuda else results


@rollout.register_fake
def _(y0, z0, omega, decay, first_decay, kernel, basis, at, *numbers):  # type: ignore[no-untyped-def]
    plan = Rollout(*numbers)
    out = y0.new_empty(plan.kept(y0, basis, at))
    argmax = y0.new_empty(y0.shape if plan.keep == "max" else (0,), dtype=torch.int32)
    return out, y0.new_empty((plan.segments(), 2, *y0.shape)), argmax, y0.new_empty(plan.velocities(y0))


@torch.library.custom_op("drumhead::rollout_backward", mutates_args=())
def rollout_backward(
    grad_out: Tensor,
    saved: Tensor,
    argmax: Tensor,
    velocities: Tensor,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    at: Tensor | None,
    steps: int,
    dt: float,
    offset: float,
    slope: float,
    first_offset: float,
    tanh: bool,
    boundary: str,
    keep: str,
    every: int,
    segment: int,
    reduced: bool,
    forgetful: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Run the adjoint of a rollout; gradients of absent inputs are empty."""
    plan = Rollout(steps, dt, offset, slope, first_offset, tanh, boundary, keep, every, segment, reduced, forgetful)
    check(plan, y0, z0, omega, decay, first_decay, kernel, basis, at)
    if not segment:
        raise DrumheadError("drumhead::rollout was called without checkpoints (segment=0), so it has no gradient")
    for name, tensor, dtype, shape in (
        ("grad_out", grad_out, y0.dtype, plan.kept(y0, basis, at)),
        ("saved", saved, y0.dtype, (plan.segments(), 2, *y0.shape)),
        ("argmax", argmax, torch.int32, tuple(y0.shape) if keep == "max" else (0,)),
        ("velocities", velocities, y0.dtype, plan.velocities(y0)),
    ):
        if tuple(tensor.shape) != shape or tensor.dtype != dtype or tensor.device != y0.device:
            raise DrumheadError(
                f"{name}: got {tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}; "
                f"{dtype} of shape {shape} on {y0.device} is needed"
            )
    # A CUDA graph cannot ask for a value; storing segments is right whatever it is.
    capturing = y0.is_cuda and torch.cuda.is_current_stream_capturing()
    plan = replace(plan, stored=capturing or not plan.reversible(decay))
    inputs = _contiguous(grad_out, y0, z0, omega, decay, first_decay, kernel, basis, saved, argmax)
    extra = [] if y0.is_cuda else _contiguous(velocities, at)
    *grads, error = _module(y0).backward(plan, *inputs, *extra)
    if not capturing:
        watch.report(error, plan, y0)
    return (*(y0.new_empty(0) if grad is None else grad for grad in grads), error)  # type: ignore[return-value]


@rollout_backward.register_fake
def _(grad_out, saved, argmax, velocities, y0, z0, omega, decay, first_decay, kernel, basis, at, *numbers):  # type: ignore[no-untyped-def]
    def like(tensor: Tensor | None) -> Tensor:
        return y0.new_empty(0) if tensor is None else tensor.new_empty(tensor.shape)

    fields = (like(t) for t in (y0, z0, omega, decay, first_decay, kernel, basis))
    return (*fields, y0.new_empty(y0.shape[0], dtype=torch.float64))


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.numbers = inputs[8:]
    ctx.save_for_backward(*inputs[:8], *output[1:])
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, grad_out: Tensor | None, *_: Any) -> tuple[Any, ...]:
    *inputs, saved, argmax, velocities = ctx.saved_tensors
    if grad_out is None:
        return (None,) * (8 + len(ctx.numbers))
    *grads, _ = rollout_backward(grad_out, saved, argmax, velocities, *inputs, *ctx.numbers)
    given = (None if tensor is None else grad for tensor, grad in zip(inputs[:7], grads, strict=True))
    return (*given, None, *(None for _ in ctx.numbers))


rollout.register_autograd(_gradients, setup_context=_setup)


def _no_second(ctx: Any, *grads: Any) -> Any:
    raise DrumheadError("the engines have no second derivatives; use propagate(..., backend='eager') for them")


rollout_backward.register_autograd(_no_second)


def check(
    plan: Rollout,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    at: Tensor | None,
) -> None:
    """Refuse whatever would make a kernel read or write where it must not."""
    if y0.ndim != 4 or not y0.numel():
        raise DrumheadError(f"y0: got the shape {tuple(y0.shape)}; a non-empty tensor (b, c, y, x) is needed")
    channels = y0.shape[1]
    if plan.steps < 1 or plan.segment < 0 or plan.forgetful < 0 or not 1 <= plan.every <= plan.steps:
        raise DrumheadError(
            f"steps={plan.steps}, every={plan.every}, segment={plan.segment}, forgetful={plan.forgetful}: "
            "steps >= 1, 1 <= every <= steps, segment >= 0 and forgetful >= 0 are needed"
        )
    if plan.boundary not in ("periodic", "fixed", "reflecting"):
        raise DrumheadError(f"boundary={plan.boundary!r}: an engine knows 'periodic', 'fixed' and 'reflecting'")
    if plan.keep not in ("series", "project", "mix", "max"):
        raise DrumheadError(f"keep={plan.keep!r}: an engine knows 'series', 'project', 'mix' and 'max'")
    for name, field in (("z0", z0), ("omega", omega), ("decay", decay), ("first_decay", first_decay)):
        if field is not None and field.shape != y0.shape:
            raise DrumheadError(f"{name}: got the shape {tuple(field.shape)}; y0's {tuple(y0.shape)} is needed")
    if kernel.ndim != 4 or kernel.shape[:2] not in ((channels, channels), (channels, 1)) or kernel.numel() == 0:
        raise DrumheadError(f"kernel: got the shape {tuple(kernel.shape)}; (c, c, ky, kx) or (c, 1, ky, kx) is needed")
    if kernel.shape[2] % 2 == 0 or kernel.shape[3] % 2 == 0:
        raise DrumheadError(f"kernel: got the sides {tuple(kernel.shape[2:])}; odd sides are needed")
    columns = {"project": (plan.steps,), "mix": (plan.steps, channels)}.get(plan.keep)
    if (basis is None) != (columns is None):
        raise DrumheadError(f"keep={plan.keep!r} {'needs a' if columns else 'has no'} basis")
    if basis is not None and (tuple(basis.shape[1:]) != columns or not basis.shape[0]):
        raise DrumheadError(f"basis: got the shape {tuple(basis.shape)}; (k >= 1, *{columns}) is needed")
    if plan.forgetful and y0.is_cuda:
        raise DrumheadError(
            f"forgetful={plan.forgetful}: only the C engine keeps velocities; 0 is needed on {y0.device}"
        )
    if at is not None:
        _check_places(plan, y0, at)
    for name, tensor in (
        ("y0", y0), ("z0", z0), ("omega", omega), ("decay", decay), ("first_decay", first_decay),
        ("kernel", kernel), ("basis", basis),
    ):  # fmt: skip
        if tensor is not None and (tensor.dtype != y0.dtype or tensor.device != y0.device):
            raise DrumheadError(f"{name} is {tensor.dtype} on {tensor.device}, y0 is {y0.dtype} on {y0.device}")
    if y0.dtype not in (torch.float32, torch.float64) or y0.device.type not in ("cpu", "cuda"):
        raise DrumheadError(
            f"y0 is {y0.dtype} on {y0.device}: the engines compute in float32 or float64 on CPU or CUDA"
        )


def _check_places(plan: Rollout, y0: Tensor, at: Tensor) -> None:
    pixels = y0.shape[2] * y0.shape[3]
    if y0.is_cuda or plan.keep not in ("project", "mix"):
        raise DrumheadError(f"at: only the C engine's projections keep some pixels, not {plan.keep!r} on {y0.device}")
    if (
        at.ndim != 2
        or at.shape[0] != y0.shape[0]
        or not at.shape[1]
        or at.dtype != torch.int64
        or at.device != y0.device
    ):
        raise DrumheadError(
            f"at: got {at.dtype} of shape {tuple(at.shape)} on {at.device}; "
            f"int64 of shape (b={y0.shape[0]}, n >= 1) on {y0.device} is needed"
        )
    if at.min() < 0 or at.max() >= pixels or (at.diff() < 0).any():
        raise DrumheadError(f"at: pixels from 0 to {pixels - 1} in rising order are needed")
