"""A small network applied at every pixel, with its hidden activations kept in cache: logits = head(features).

    h_0 = x,   h_{l+1} = relu(W_l h_l + b_l),   logits = W_n h_n + b_n

The wide readout, not the wave, is most of the arithmetic of the paper's model. Tiles of pixels run through all layers
at once; the backward pass computes the hidden layers again, so memory holds the features and nothing else. In bfloat16
(`reduced`) products are rounded and sums are float32, where the processor can; elsewhere nothing is rounded.
"""

import ctypes
from typing import Any

import torch
from torch import Tensor

from drumhead.engine.cpu import library
from drumhead.errors import DrumheadError

MOST_LAYERS = 16
TILE = 256  # pixels, as in csrc/kernels.c: parts that threads can take
GROUPS = 8  # partial sums of the weights' gradients: as many threads can work, and their number changes no result


class _Struct(ctypes.Structure):
    """`pointwise` of csrc/pointwise.h, field by field."""

    _fields_ = (
        [
            (name, ctypes.c_int64)
            for name in ("bytes", "next", "is_double", "isa", "batch", "pixels", "layers", "groups", "reduced")
        ]
        + [("widths", ctypes.c_int64 * (MOST_LAYERS + 1))]
        + [("weights", ctypes.c_void_p * MOST_LAYERS), ("biases", ctypes.c_void_p * MOST_LAYERS)]
        + [(name, ctypes.c_void_p) for name in ("input", "output", "grad_output", "grad_input")]
        + [("grad_weights", ctypes.c_void_p * MOST_LAYERS), ("grad_biases", ctypes.c_void_p * MOST_LAYERS)]
    )


@torch.library.custom_op("drumhead::pointwise", mutates_args=())
def pointwise(x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool) -> Tensor:
    """Return the network's output (b, out, y, x) for features (b, in, y, x); weights (out, in), biases (out)."""
    _check(x, weights, biases)
    x = x.contiguous()
    out = x.new_empty((x.shape[0], weights[-1].shape[0], *x.shape[2:]))
    struct = _struct(x, weights, biases, reduced, output=out)
    library.run("network_", "forward", struct, _tiles(x))
    return out


@pointwise.register_fake
def _(x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool) -> Tensor:
    return x.new_empty((x.shape[0], weights[-1].shape[0], *x.shape[2:]))


@torch.library.custom_op("drumhead::pointwise_backward", mutates_args=())
def pointwise_backward(
    grad: Tensor, x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool
) -> list[Tensor]:
    """Return the gradients of x, of each weight and of each bias."""
    _check(x, weights, biases)
    x = x.contiguous()
    gx, groups = torch.empty_like(x), min(GROUPS, _tiles(x))
    gw = [weight.new_empty((groups, *weight.shape)) for weight in weights]
    gb = [bias.new_empty((groups, *bias.shape)) for bias in biases]
    struct = _struct(x, weights, biases, reduced, grad_output=grad.contiguous(), grad_input=gx)
    struct.groups, struct.partial_sums = groups, (gw, gb)  # kept alive like the rest
    for layer, (w, b) in enumerate(zip(gw, gb, strict=True)):
        struct.grad_weights[layer], struct.grad_biases[layer] = w.data_ptr(), b.data_ptr()
    library.run("network_", "backward", struct, groups)
    return [gx, *(w.sum(0) for w in gw), *(b.sum(0) for b in gb)]


@pointwise_backward.register_fake
def _(grad: Tensor, x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool) -> list[Tensor]:
    return [torch.empty_like(x, memory_format=torch.contiguous_format), *map(torch.empty_like, (*weights, *biases))]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weights, biases, ctx.reduced = inputs
    ctx.layers = len(weights)
    ctx.save_for_backward(x, *weights, *biases)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    x, *rest = ctx.saved_tensors
    gx, *others = pointwise_backward(grad, x, rest[: ctx.layers], rest[ctx.layers :], ctx.reduced)
    return gx, others[: ctx.layers], others[ctx.layers :], None


pointwise.register_autograd(_gradients, setup_context=_setup)


def _no_second(ctx: Any, *grads: Any) -> Any:
    raise DrumheadError("the engines have no second derivatives; use drumhead.engine.using('eager') for them")


pointwise_backward.register_autograd(_no_second)


def _check(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> None:
    if x.ndim != 4 or not x.numel() or x.dtype not in (torch.float32, torch.float64) or x.device.type != "cpu":
        raise DrumheadError(
            f"x: got {x.dtype} of shape {tuple(x.shape)} on {x.device}; "
            "a non-empty (b, c, y, x) of float32 or float64 on the CPU is needed"
        )
    if not 1 <= len(weights) == len(biases) <= MOST_LAYERS:
        raise DrumheadError(f"{len(weights)} weights and {len(biases)} biases: as many of both, 1 to {MOST_LAYERS}")
    width = x.shape[1]
    for weight, bias in zip(weights, biases, strict=True):
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1] or not weight.numel():
            raise DrumheadError(
                f"a layer has the weight {tuple(weight.shape)} and the bias {tuple(bias.shape)}; "
                f"(out, {width}) and (out,) are needed"
            )
        width = weight.shape[0]
    for tensor in (*weights, *biases):
        if tensor.dtype != x.dtype or tensor.device != x.device:
            raise DrumheadError(f"a weight or bias is {tensor.dtype} on {tensor.device}, x is {x.dtype} on {x.device}")


def _tiles(x: Tensor) -> int:
    return x.shape[0] * -(-x[0, 0].numel() // TILE)


def _struct(x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool, **tensors: Tensor) -> _Struct:
    library.check_layout("pointwise", _Struct)
    weights, biases = [w.contiguous() for w in weights], [b.contiguous() for b in biases]
    struct = _Struct(
        bytes=ctypes.sizeof(_Struct), is_double=x.dtype == torch.float64, isa=library.isa_index(),
        batch=x.shape[0], pixels=x.shape[2] * x.shape[3], layers=len(weights), groups=1, reduced=reduced,
        input=x.data_ptr(),
    )  # fmt: skip
    struct.widths[0] = x.shape[1]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        struct.widths[layer + 1] = weight.shape[0]
        struct.weights[layer], struct.biases[layer] = weight.data_ptr(), bias.data_ptr()
    for name, tensor in tensors.items():
        setattr(struct, name, tensor.data_ptr())
    struct.keep_alive = (x, weights, biases, tensors)  # the struct itself holds bare addresses
    return struct
