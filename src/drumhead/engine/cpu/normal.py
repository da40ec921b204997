"""The normalisation over the maps of each pixel, in one pass over memory in each direction.

    y_k = g_k (x_k - m) / sqrt(v + eps) + s_k,   m, v: mean and variance of the pixel's maps,   or relu(y_k)

The backward pass computes m and v again, so memory holds x and nothing else.
"""

import ctypes
from typing import Any

import torch
from torch import Tensor

from drumhead.engine.cpu import library, team
from drumhead.engine.operator import operator
from drumhead.errors import DrumheadError

STRIP = 64  # pixels of a strip of float32 with the widest vectors: parts that threads can take
GROUPS = 8  # partial sums of gradients: as many threads can work, and their number changes no result


class _Struct(ctypes.Structure):
    """`pixelnorm` of csrc/pixelnorm.h, field by field."""

    _fields_ = (
        [(name, ctypes.c_int64) for name in (
            "bytes", "next", "is_double", "isa", "batch", "maps", "pixels", "groups", "rectify",
        )]
        + [("eps", ctypes.c_double)]
        + [(name, ctypes.c_void_p) for name in (
            "input", "gain", "shift", "grad_output", "output", "grad_input", "grad_gain", "grad_shift",
        )]
    )  # fmt: skip


@operator("drumhead::normal")
def normal(x: Tensor, gain: Tensor, shift: Tensor, eps: float, rectify: bool) -> Tensor:
    """Return y, or relu(y) to `rectify`, of x (b, k, y, x); gain and shift have k numbers each, in any shape."""
    _check(x, gain, shift)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    struct = _struct(x, gain, shift, eps, rectify, output=out)
    team.run("normal_", "forward", struct, parts(x))
    return out


@normal.register_fake
def _(x: Tensor, gain: Tensor, shift: Tensor, eps: float, rectify: bool) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@operator("drumhead::normal_backward")
def normal_backward(
    grad: Tensor, x: Tensor, gain: Tensor, shift: Tensor, eps: float, rectify: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, gain and shift."""
    _check(x, gain, shift)
    groups = min(GROUPS, parts(x))
    gx = torch.empty_like(x, memory_format=torch.contiguous_format)
    sums = x.new_empty(2, groups, x.shape[1])
    struct = _struct(
        x, gain, shift, eps, rectify,
        grad_output=grad.contiguous(), grad_input=gx, grad_gain=sums[0], grad_shift=sums[1],
    )  # fmt: skip
    struct.groups = groups
    team.run("normal_", "backward", struct, groups)
    of_gain, of_shift = sums.sum(1)
    return gx, of_gain.view(gain.shape).clone(), of_shift.view(shift.shape).clone()


@normal_backward.register_fake
def _(grad: Tensor, x: Tensor, gain: Tensor, shift: Tensor, eps: float, rectify: bool) -> tuple[Tensor, Tensor, Tensor]:
    like = (x, gain, shift)
    gx, of_gain, of_shift = (torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in like)
    return gx, of_gain, of_shift


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, gain, shift, ctx.eps, ctx.rectify = inputs
    ctx.save_for_backward(x, gain, shift)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    return *normal_backward(grad, *ctx.saved_tensors, ctx.eps, ctx.rectify), None, None


def _no_second(ctx: Any, *grads: Any) -> Any:
    raise DrumheadError("the engines have no second derivatives; use drumhead.engine.using('eager') for them")


normal.register_autograd(_gradients, setup_context=_setup)
normal_backward.register_autograd(_no_second)


def parts(x: Tensor) -> int:
    """Return the parts of features (b, k, y, x) that threads can take, one each."""
    return x.shape[0] * -(-(x.shape[2] * x.shape[3]) // STRIP)


def _check(x: Tensor, gain: Tensor, shift: Tensor) -> None:
    known = (torch.float32, torch.float64)
    if x.ndim != 4 or x.dtype not in known or x.device.type != "cpu":
        raise DrumheadError(
            f"x: got {x.dtype} of shape {tuple(x.shape)} on {x.device}; "
            "(b, c, y, x) of float32 or float64 on the CPU is needed"
        )
    for name, tensor in (("gain", gain), ("shift", shift)):
        if tensor.numel() != x.shape[1] or tensor.dtype != x.dtype or tensor.device != x.device:
            raise DrumheadError(
                f"{name}: got {tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}; "
                f"{x.shape[1]} numbers of {x.dtype} on {x.device} are needed"
            )


def _struct(x: Tensor, gain: Tensor, shift: Tensor, eps: float, rectify: bool, **tensors: Tensor) -> _Struct:
    library.check_layout("pixelnorm", _Struct)
    tensors |= {"input": x.contiguous(), "gain": gain.contiguous(), "shift": shift.contiguous()}
    struct = _Struct(
        bytes=ctypes.sizeof(_Struct), is_double=x.dtype == torch.float64, isa=library.isa_index(), batch=x.shape[0],
        maps=x.shape[1], pixels=x.shape[2] * x.shape[3], groups=1, rectify=rectify, eps=eps,
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
    )  # fmt: skip
    struct.keep_alive = tensors  # the struct itself holds bare addresses
    return struct
