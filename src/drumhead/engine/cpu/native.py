"""The C engine: one call for a whole propagation or its adjoint."""

import ctypes
import dataclasses

import torch
from torch import Tensor

from drumhead.engine.cpu import library, team
from drumhead.engine.plan import GIVEN, Fields, Plan, Results

BOUNDARIES = ("periodic", "fixed", "reflecting")
KEEPS = ("series", "project", "mix", "max")

_INTEGERS = (
    "bytes", "next", "is_double", "isa", "batch", "channels", "height", "width", "kernel_height", "kernel_width",
    "depthwise", "steps", "boundary", "tanh", "keep", "every", "features", "some", "segment", "forgetful",
    "stored", "begun", "block", "quads", "reduced", "sheets",
)  # fmt: skip
_NUMBERS = ("dt", "offset", "slope", "first_offset", "forgets")
_POINTERS = (
    *Fields._fields, *Results._fields, "grad_out", "grad_end", "grad_y0", "grad_z0", "grad_omega", "grad_decay",
    "grad_first_decay", "grad_kernel", "grad_basis", "error",
)  # fmt: skip
_PLANNED = {field.name for field in dataclasses.fields(Plan)} & {*_INTEGERS, *_NUMBERS} - {"boundary", "keep"}


class _Struct(ctypes.Structure):
    """`plan` of csrc/plan.h, field by field."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in _INTEGERS]
        + [(name, ctypes.c_double) for name in _NUMBERS]
        + [(name, ctypes.c_void_p) for name in _POINTERS]
    )


def forward(plan: Plan, fields: Fields) -> Results:
    """Run all steps."""
    results = plan.results(fields)
    struct = _struct(plan, fields, **results._asdict())
    team.run("", "forward", struct, struct.batch)
    return results


def backward(plan: Plan, fields: Fields, given: Results) -> tuple[Tensor | None, ...]:
    """Return the gradients in the order of the fields, then the largest reconstruction error of each image."""
    batch = fields.y0.shape[0]
    shared = ("kernel", "basis")  # one gradient an image
    grads = {
        f"grad_{name}": None if field is None else field.new_empty(((batch,) if name in shared else ()) + field.shape)
        for name, field in zip(Fields._fields, fields[:-1], strict=False)
    }
    grads["error"] = fields.y0.new_empty(batch, dtype=torch.float64)
    team.run("", "backward", _struct(plan, fields, **dict(zip(GIVEN, given, strict=True)), **grads), batch)
    for name in shared:
        grad = grads[f"grad_{name}"]
        grads[f"grad_{name}"] = None if grad is None else grad.sum(0)
    return tuple(grads.values())


def _struct(plan: Plan, fields: Fields, **others: Tensor | None) -> _Struct:
    library.check_layout("plan", _Struct)
    y0, kernel, basis, at = fields.y0, fields.kernel, fields.basis, fields.at
    batch, channels, height, width = y0.shape
    quads = kernel.shape[1] >= plan.quad_channels and kernel.shape[2] == 3
    struct = _Struct(
        bytes=ctypes.sizeof(_Struct), is_double=y0.dtype == torch.float64, isa=library.isa_index(),
        batch=batch, channels=channels, height=height, width=width,
        kernel_height=kernel.shape[2], kernel_width=kernel.shape[3],
        depthwise=kernel.shape[1] == 1,
        boundary=BOUNDARIES.index(plan.boundary), keep=KEEPS.index(plan.keep),
        features=0 if basis is None else basis.shape[0], some=0 if at is None else at.shape[1],
        quads=quads, sheets=plan.by_sheets(fields), forgets=plan.forgets(),
    )  # fmt: skip
    for name in _PLANNED:
        setattr(struct, name, getattr(plan, name))
    tensors = fields._asdict() | others
    for name, tensor in tensors.items():
        setattr(struct, name, None if tensor is None else tensor.data_ptr())
    struct.keep_alive = tensors  # the struct itself holds bare addresses
    return struct
