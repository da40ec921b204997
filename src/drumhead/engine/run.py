"""One call of an engine."""

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn

from drumhead.engine.choose import pick
from drumhead.engine.plan import Fields, Rollout, planned, planning


def exactly_local() -> AbstractContextManager[None]:
    """Let a step depend on the kernel's window alone, to the bit, in this thread or task.

    The C engine couples four rows of dense kernels at once and faster, which leaves rounding errors (1e-7 of the
    largest value nearby) one to two rows beyond the window. Use this where zero has to be zero, as in a receptive
    field; the backward pass does as its forward pass did.

    Example:
        >>> with dh.engine.exactly_local():
        ...     logits = dh.build("multi-mnist/nwm-last")(torch.rand(1, 1, 8, 8))
    """
    return planning(quad_channels=sys.maxsize)


def run(plan: Rollout, fields: Fields) -> tuple[Tensor, Tensor]:
    """Return what the plan keeps of a rollout and its end, differentiable in every tensor; fields broadcast to y0."""
    from drumhead.engine import ops

    if changes := planned():
        plan = replace(plan, **dict(changes))
    y0 = fields.y0
    wide = (None if field is None else field.expand(y0.shape) for field in fields[1:5])
    fields = Fields._make((y0, *wide, *fields[5:]))
    if plan.segment and y0.is_cpu and not _tracing(fields.decay):  # a GPU would wait, a graph cannot ask
        plan = plan.remembering(fields.decay)
    return ops.rollout(*fields, *plan.numbers())[:2]


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
    from drumhead.engine.cpu import pointwise as compiled

    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    dtype = convolutions[0].weight.dtype
    if len(convolutions) <= compiled.MOST_LAYERS and x.is_cpu and pick("auto", x.to(dtype), (x,), True) == "native":
        weights = [layer.weight.flatten(1) for layer in convolutions]
        biases = [layer.bias for layer in convolutions]
        return compiled.pointwise(x.to(dtype), weights, biases, reduced(x.device))
    for layer in layers:
        x = layer(x)
    return x
