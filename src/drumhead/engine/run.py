"""One call of an engine."""

import sys
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor

from drumhead.engine.operator import call, readable
from drumhead.engine.plan import Fields, Plan, planned, planning


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


def run(plan: Plan, fields: Fields) -> tuple[Tensor, Tensor]:
    """Return what the plan keeps of a propagation and its end, differentiable in all tensors, which broadcast to y0."""
    from drumhead.engine import ops

    if changes := planned():
        plan = replace(plan, **dict(changes))
    y0, *others = fields  # torch 2.6 compiles no slice of a named tuple
    wide = [None if field is None else field.expand(y0.shape) for field in others[:4]]
    fields = Fields._make((y0, *wide, *others[4:]))
    if plan.segment and readable(fields.decay) and not plan.by_sheets(fields):
        plan = plan.remembering(fields.decay)
    return call(ops.propagate, *fields, *plan.numbers())[:2]


def reduced(device: torch.device) -> bool:
    """Say whether the caller asked for products in bfloat16, as torch.autocast does."""
    kind = device.type
    return torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16
