"""The engines as operators of torch: one propagation, one adjoint, known to autograd, torch.compile and torch.export.

    drumhead::propagate           the `Results` of a propagation
    drumhead::propagate_backward  gradients in the order of the inputs, reconstruction errors

Both take `Fields`, then the numbers of a `Plan`, because an operator's schema knows no dataclass.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from drumhead.engine import watch
from drumhead.engine.operator import operator
from drumhead.engine.plan import GIVEN, Fields, Plan, Results
from drumhead.errors import DrumheadError, at_least, choose

_INPUTS = ", ".join(
    [f"Tensor{'' if kind is Tensor else '?'} {name}" for name, kind in Fields.__annotations__.items()]
    + ["SymInt[] integers", "float[] reals", "bool[] choices", "str[] words"]
)
_GIVEN = ", ".join(f"Tensor {name}" for name in GIVEN)


def _tensors(count: int) -> str:
    return f"({', '.join(['Tensor'] * count)})"


def _parts(inputs: tuple[Any, ...]) -> tuple[Plan, Fields]:
    """Return the plan and the fields that an operator's arguments stand for."""
    count = len(Fields._fields)
    return Plan.of(*inputs[count:]), Fields(*inputs[:count])


def _contiguous(fields: Fields) -> Fields:
    return Fields._make(None if field is None else field.contiguous() for field in fields)


def _module(y0: Tensor) -> Any:
    if y0.device.type == "cuda":
        from drumhead.engine.gpu import cuda

        return cuda
    from drumhead.engine.cpu import native

    return native


@operator("drumhead::propagate", f"({_INPUTS}) -> {_tensors(len(Results._fields))}")
def propagate(*inputs: Any) -> tuple[Tensor, ...]:
    """Run a propagation on the device of its tensors."""
    plan, fields = _parts(inputs)
    check(plan, fields)
    if plan.forgetful and (count := plan.count(fields.decay)) > plan.forgetful:
        raise DrumheadError(
            f"forgetful={plan.forgetful}: {count} oscillators of an image damp too strongly to be walked back"
        )
    fields = _contiguous(fields)
    return tuple(_module(fields.y0).forward(plan, fields))


@propagate.register_fake
def _(*inputs):  # type: ignore[no-untyped-def]
    plan, fields = _parts(inputs)
    return tuple(plan.results(fields))


@operator("drumhead::propagate_backward", f"({_GIVEN}, {_INPUTS}) -> {_tensors(len(Fields._fields))}")
def propagate_backward(*inputs: Any) -> tuple[Tensor, ...]:
    """Run the adjoint of a propagation; gradients of absent inputs are empty."""
    given, (plan, fields) = Results(*inputs[: len(GIVEN)]), _parts(inputs[len(GIVEN) :])
    check(plan, fields)
    y0 = fields.y0
    if not plan.segment:
        raise DrumheadError("drumhead::propagate was called without checkpoints (segment=0), so it has no gradient")
    for name, tensor, shape in zip(GIVEN, given, plan.shapes(fields), strict=True):
        if tensor is given.end and not tensor.numel():
            continue
        dtype = torch.int32 if name == "argmax" else y0.dtype
        if tuple(tensor.shape) != shape or tensor.dtype != dtype or tensor.device != y0.device:
            raise DrumheadError(
                f"{name}: got {tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}; "
                f"{dtype} of shape {shape} on {y0.device} is needed"
            )
    # A CUDA graph cannot ask for a value; storing segments is right whatever it is.
    capturing = y0.is_cuda and torch.cuda.is_current_stream_capturing()
    stored = plan.by_sheets(fields) or capturing or not plan.reversible(fields.decay)
    plan = replace(plan, stored=stored)
    *grads, error = _module(y0).backward(plan, _contiguous(fields), Results._make(map(Tensor.contiguous, given)))
    if not capturing:
        watch.report(error, plan, y0)
    return (*(y0.new_empty(0) if grad is None else grad for grad in grads), error)


@propagate_backward.register_fake
def _(*inputs):  # type: ignore[no-untyped-def]
    _, fields = _parts(inputs[len(GIVEN) :])
    y0 = fields.y0
    grads = (y0.new_empty(0) if field is None else field.new_empty(field.shape) for field in fields[:-1])
    return (*grads, y0.new_empty(y0.shape[0], dtype=torch.float64))


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    count = len(Fields._fields)
    ctx.numbers, ctx.kept = inputs[count:], output[0].shape
    ctx.save_for_backward(*inputs[:count], *output[2:])
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, grad_out: Tensor | None, grad_end: Tensor | None, *_: Any) -> tuple[Any, ...]:
    kept, count = ctx.saved_tensors, len(Fields._fields)
    fields, saved = kept[:count], kept[count:]
    if grad_out is None and grad_end is None:
        return (None,) * (len(fields) + len(ctx.numbers))
    if grad_out is None:
        grad_out = saved[0].new_zeros(ctx.kept)
    if grad_end is None:
        grad_end = saved[0].new_empty(0)
    *grads, _ = propagate_backward(grad_out, grad_end, *saved, *fields, *ctx.numbers)
    given = (None if field is None else grad for field, grad in zip(fields[:-1], grads, strict=True))
    return (*given, None, *(None for _ in ctx.numbers))


propagate.register_autograd(_gradients, setup_context=_setup)


def _no_second(ctx: Any, *grads: Any) -> Any:
    raise DrumheadError("the engines have no second derivatives; use propagate(..., backend='eager') for them")


propagate_backward.register_autograd(_no_second)


def check(plan: Plan, fields: Fields) -> None:
    """Refuse whatever would make a kernel read or write where it must not."""
    y0, z0, omega, decay, first_decay, kernel, basis, at = fields
    if y0.ndim != 4 or not y0.numel():
        raise DrumheadError(f"y0: got the shape {tuple(y0.shape)}; a non-empty tensor (b, c, y, x) is needed")
    channels = y0.shape[1]
    least = {"steps": 1, "every": 1, "segment": 0, "forgetful": 0, "block": 1}
    for name, value in least.items():
        at_least(value, getattr(plan, name), f"{name}=")
    if plan.every > plan.steps:
        raise DrumheadError(f"every={plan.every}: at most steps={plan.steps} is possible")
    if plan.boundary not in ("periodic", "fixed", "reflecting"):
        raise DrumheadError(f"boundary={plan.boundary!r}: an engine knows 'periodic', 'fixed' and 'reflecting'")
    choose("keep", plan.keep, ("series", "project", "mix", "max"))
    for name, field in (("z0", z0), ("omega", omega), ("decay", decay), ("first_decay", first_decay)):
        if field is not None and field.shape != y0.shape:
            raise DrumheadError(f"{name}: got the shape {tuple(field.shape)}; y0's {tuple(y0.shape)} is needed")
    mixing, sides = kernel.shape[:2], kernel.shape[2:]
    if kernel.ndim != 4 or mixing not in ((channels, channels), (channels, 1)) or any(side % 2 == 0 for side in sides):
        raise DrumheadError(
            f"kernel: got the shape {tuple(kernel.shape)}; (c, c, ky, kx) or (c, 1, ky, kx) with odd sides is needed"
        )
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
    for name, tensor in fields._replace(at=None)._asdict().items():
        if tensor is not None and (tensor.dtype != y0.dtype or tensor.device != y0.device):
            raise DrumheadError(f"{name} is {tensor.dtype} on {tensor.device}, y0 is {y0.dtype} on {y0.device}")
    if y0.dtype not in (torch.float32, torch.float64) or y0.device.type not in ("cpu", "cuda"):
        raise DrumheadError(
            f"y0 is {y0.dtype} on {y0.device}: the engines compute in float32 or float64 on CPU or CUDA"
        )


def _check_places(plan: Plan, y0: Tensor, at: Tensor) -> None:
    pixels = y0.shape[2] * y0.shape[3]
    if y0.is_cuda or plan.keep not in ("project", "mix"):
        raise DrumheadError(f"at: only the C engine's projections keep some pixels, not {plan.keep!r} on {y0.device}")
    if at.ndim != 2 or len(at) != len(y0) or not at.numel() or at.dtype != torch.int64 or not at.is_cpu:
        raise DrumheadError(
            f"at: got {at.dtype} of shape {tuple(at.shape)} on {at.device}; "
            f"int64 of shape (b={y0.shape[0]}, n >= 1) on {y0.device} is needed"
        )
    if at.min() < 0 or at.max() >= pixels or (at.diff() < 0).any():
        raise DrumheadError(f"at: pixels from 0 to {pixels - 1} in rising order are needed")
