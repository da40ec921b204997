"""The C engine: one call for a whole rollout or its adjoint."""

import ctypes
from collections.abc import Mapping

import torch
from torch import Tensor

from drumhead.engine.cpu import library
from drumhead.engine.plan import Rollout

BOUNDARIES = ("periodic", "fixed", "reflecting")
KEEPS = ("series", "project", "mix", "max")
QUAD_CHANNELS: float = 8  # from which half the multiplications pay for the additions around them
BLOCK = 20  # states per matrix product of a projection

_INTEGERS = (
    "bytes", "next", "is_double", "isa", "batch", "channels", "height", "width", "kernel_height", "kernel_width",
    "depthwise", "steps", "boundary", "tanh", "keep", "every", "features", "some", "segment", "forgetful",
    "stored", "block", "quads", "reduced",
)  # fmt: skip
_NUMBERS = (
    "dt", "offset", "slope", "first_offset", "forgets",
)  # fmt: skip
_POINTERS = (
    "y0", "z0", "omega", "decay", "first_decay", "kernel", "basis", "out", "saved", "argmax", "velocities", "at",
    "grad_out", "grad_y0", "grad_z0", "grad_omega", "grad_decay", "grad_first_decay", "grad_kernel", "grad_basis",
    "error",
)  # fmt: skip


row_by_row: list[bool] = []  # not empty inside `engine.exactly_local`


class _Struct(ctypes.Structure):
    """`rollout` of csrc/rollout.h, field by field."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in _INTEGERS]
        + [(name, ctypes.c_double) for name in _NUMBERS]
        + [(name, ctypes.c_void_p) for name in _POINTERS]
    )


def forward(
    plan: Rollout,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    at: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what the plan keeps, the checkpoints (n, 2, b, c, y, x), steps of maxima and velocities."""
    inputs = dict(y0=y0, z0=z0, omega=omega, decay=decay, first_decay=first_decay, kernel=kernel, basis=basis, at=at)
    out = y0.new_empty(plan.kept(y0, basis, at))
    saved = y0.new_empty((plan.segments(), 2, *y0.shape))
    argmax = y0.new_empty(y0.shape if plan.keep == "max" else (0,), dtype=torch.int32)
    velocities = y0.new_empty(plan.velocities(y0))
    struct = _struct(plan, inputs | {"out": out, "saved": saved, "argmax": argmax, "velocities": velocities})
    library.run("", "forward", struct, y0.shape[0])
    return out, saved, argmax, velocities


def backward(
    plan: Rollout,
    grad_out: Tensor,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    saved: Tensor,
    argmax: Tensor,
    velocities: Tensor,
    at: Tensor | None = None,
) -> tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor | None, Tensor, Tensor | None, Tensor]:
    """Return the gradients in the order of the inputs, then the largest reconstruction error of each image."""
    inputs = dict(
        y0=y0, z0=z0, omega=omega, decay=decay, first_decay=first_decay, kernel=kernel, basis=basis, at=at,
        saved=saved, argmax=argmax, velocities=velocities, grad_out=grad_out,
    )  # fmt: skip
    batch = y0.shape[0]
    grads = {
        "grad_y0": torch.empty_like(y0),
        "grad_z0": None if z0 is None else torch.empty_like(y0),
        "grad_omega": torch.empty_like(y0),
        "grad_decay": torch.empty_like(y0),
        "grad_first_decay": None if first_decay is None else torch.empty_like(y0),
        "grad_kernel": kernel.new_empty((batch, *kernel.shape)),
        "grad_basis": None if basis is None else basis.new_empty((batch, *basis.shape)),
        "error": y0.new_empty(batch, dtype=torch.float64),
    }
    struct = _struct(plan, inputs | grads)
    library.run("", "backward", struct, batch)
    grads["grad_kernel"] = grads["grad_kernel"].sum(0)
    if basis is not None:
        grads["grad_basis"] = grads["grad_basis"].sum(0)
    return tuple(grads.values())  # type: ignore[return-value]


def _struct(plan: Rollout, tensors: Mapping[str, Tensor | None]) -> _Struct:
    library.check_layout("rollout", _Struct)
    y0, kernel, basis, at = tensors["y0"], tensors["kernel"], tensors.get("basis"), tensors.get("at")
    assert y0 is not None
    assert kernel is not None
    batch, channels, height, width = y0.shape
    quads = kernel.shape[1] >= QUAD_CHANNELS and kernel.shape[2] == 3 and not row_by_row
    struct = _Struct(
        bytes=ctypes.sizeof(_Struct), is_double=y0.dtype == torch.float64, isa=library.isa_index(),
        batch=batch, channels=channels, height=height, width=width,
        kernel_height=kernel.shape[2], kernel_width=kernel.shape[3],
        depthwise=kernel.shape[1] == 1,
        steps=plan.steps, boundary=BOUNDARIES.index(plan.boundary), tanh=plan.tanh, keep=KEEPS.index(plan.keep),
        every=plan.every, features=0 if basis is None else basis.shape[0], segment=plan.segment,
        some=0 if at is None else at.shape[1],
        block=BLOCK, quads=quads,
        reduced=plan.reduced, stored=plan.stored, dt=plan.dt, offset=plan.offset, slope=plan.slope,
        first_offset=plan.first_offset, forgets=plan.forgets(y0.dtype), forgetful=plan.forgetful,
    )  # fmt: skip
    for name, tensor in tensors.items():
        setattr(struct, name, None if tensor is None else tensor.data_ptr())
    struct.keep_alive = tensors  # the struct itself holds bare addresses
    return struct
