"""A small network applied at every pixel, with its hidden activations kept in cache: logits = head(features).

    h_0 = x,   h_{l+1} = relu(W_l h_l + b_l),   logits = W_n h_n + b_n

The wide readout, not the wave, is most of the arithmetic of the paper's model. Tiles of pixels run through all layers
at once; the backward pass computes the hidden layers again, so memory holds the features and nothing else. In bfloat16
(`reduced`) products are rounded and sums are float32, where the processor can; elsewhere nothing is rounded.

Some of the features may come from a grid g times as coarse, where a point answers for g x g pixels:
    h_0 = [x, shuffle(W c + b)],   map m at pixel (y, x) of a point is output (m g + y) g + x
W and b are then the first of weights and biases, and neither W c + b nor h_0 is ever in memory.
"""

import ctypes
import math
from typing import Any

import torch
from torch import Tensor

from drumhead.engine.cpu import library, team
from drumhead.engine.operator import operator
from drumhead.errors import DrumheadError

MOST_LAYERS = 16
COARSEST = 16  # pixels of a coarse point in each direction: a tile holds a whole one
TILE = 256  # pixels, as in csrc/kernels.c: parts that threads can take
MOST_PARTS = 4
BENDS = ("straight", "tanh", "sigmoid", "softplus")  # as in csrc/pointwise.h
GROUPS = 8  # partial sums of the weights' gradients: as many threads can work, and their number changes no result


class _Struct(ctypes.Structure):
    """`pointwise` of csrc/pointwise.h, field by field."""

    _fields_ = (
        [
            (name, ctypes.c_int64)
            for name in (
                "bytes", "next", "is_double", "isa", "batch", "height", "width", "layers", "groups", "reduced",
                "grid", "below", "lifted", "parts",
            )
        ]
        + [("widths", ctypes.c_int64 * (MOST_LAYERS + 1))]
        + [("weights", ctypes.c_void_p * MOST_LAYERS), ("biases", ctypes.c_void_p * MOST_LAYERS)]
        + [("lift", ctypes.c_void_p), ("lift_bias", ctypes.c_void_p)]
        + [("bends", ctypes.c_int64 * MOST_PARTS), ("offsets", ctypes.c_double * MOST_PARTS)]
        + [("largest", ctypes.c_double), ("eps", ctypes.c_double)]
        + [(name, ctypes.c_void_p) for name in (
            "input", "coarse", "gain", "shift", "onto", "gain_after", "shift_after", "output", "grad_output",
            "grad_input", "grad_coarse",
        )]
        + [("grad_weights", ctypes.c_void_p * MOST_LAYERS), ("grad_biases", ctypes.c_void_p * MOST_LAYERS)]
        + [(name, ctypes.c_void_p) for name in ("grad_lift", "grad_lift_bias")]
    )  # fmt: skip


@operator(
    "drumhead::pointwise", "(Tensor x, Tensor[] weights, Tensor[] biases, bool reduced, Tensor? coarse) -> Tensor"
)
def pointwise(x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool, coarse: Tensor | None) -> Tensor:
    """Return the network's output (b, out, y, x) for features (b, in, y, x); weights (out, in), biases (out).

    With `coarse` (b, k, ceil(y / g), ceil(x / g)) the first weight and bias lift it to the last maps of the features.
    """
    _check(x, weights, biases, coarse)
    x = x.contiguous()
    out = x.new_empty((x.shape[0], weights[-1].shape[0], *x.shape[2:]))
    struct = _struct(x, weights, biases, reduced, coarse, output=out)
    team.run("network_", "forward", struct, _tiles(struct))
    return out


@pointwise.register_fake
def _(x: Tensor, weights: list[Tensor], biases: list[Tensor], reduced: bool, coarse: Tensor | None) -> Tensor:
    return x.new_empty((x.shape[0], weights[-1].shape[0], *x.shape[2:]))


@operator("drumhead::added")
def added(onto: Tensor, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return relu(onto + W relu(gain x + shift) + b), in one pass over the features x and without a gradient.

    onto (b, out, y, x), x (b, in, y, x), gain and shift (in), weight (out, in), bias (out).
    """
    return _added(x, weight, bias, 0.0, {"onto": onto, "gain": gain, "shift": shift})


@added.register_fake
def _(onto: Tensor, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.empty_like(onto, memory_format=torch.contiguous_format)


@operator("drumhead::told")
def told(
    onto: Tensor, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, gain_after: Tensor, shift_after: Tensor,
    eps: float,
) -> Tensor:  # fmt: skip
    """Return relu(gain_after n(onto + W relu(gain n(x) + shift)) + shift_after), in one pass and without a gradient.

    n normalises over the maps of each pixel, as `normal.normal` does. onto (b, out, y, x), x (b, in, y, x), gain and
    shift (in), weight (out, in), gain_after and shift_after (out), eps > 0.
    """
    if not eps > 0:
        raise DrumheadError(f"eps={eps}: a number above 0 is needed")
    after = {"gain_after": gain_after, "shift_after": shift_after}
    zero = weight.new_zeros(weight.shape[:1])
    return _added(x, weight, zero, eps, {"onto": onto, "gain": gain, "shift": shift, **after})


@told.register_fake
def _(
    onto: Tensor, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, gain_after: Tensor, shift_after: Tensor,
    eps: float,
) -> Tensor:  # fmt: skip
    return torch.empty_like(onto, memory_format=torch.contiguous_format)


def _added(x: Tensor, weight: Tensor, bias: Tensor, eps: float, tensors: dict[str, Tensor]) -> Tensor:
    """Run a layer between two normalisations of whatever kind; `tensors` as in csrc/pointwise.h."""
    _check(x, [weight], [bias], None)
    inner, outer = x.shape[1:2], weight.shape[:1]
    shapes = {"onto": (x.shape[0], *outer, *x.shape[2:]), "gain": inner, "shift": inner, "gain_after": outer,
              "shift_after": outer}  # fmt: skip
    for name, tensor in tensors.items():
        if tensor.shape != shapes[name] or tensor.dtype != x.dtype or tensor.device != x.device:
            raise DrumheadError(
                f"{name}: got {tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}; {x.dtype} of shape "
                f"{tuple(shapes[name])} on {x.device} is needed"
            )
    out = torch.empty_like(tensors["onto"], memory_format=torch.contiguous_format)
    given = {name: tensor.contiguous() for name, tensor in tensors.items()}
    struct = _struct(x.contiguous(), [weight], [bias], False, None, **given, output=out)
    struct.eps = eps
    team.run("network_", "forward", struct, _tiles(struct))
    return out


@operator(
    "drumhead::bent", "(Tensor x, Tensor weight, Tensor bias, int[] bends, float[] offsets, float largest) -> Tensor"
)
def bent(x: Tensor, weight: Tensor, bias: Tensor, bends: list[int], offsets: list[float], largest: float) -> Tensor:
    """Return equal parts phi(W x + b + offset), without a gradient: (parts, b, out / parts, y, x).

    x (b, in, y, x), weight (out, in), bias (out); of each part, bends has a place in `BENDS` and offsets a number. A
    sigmoid is scaled to `largest`.
    """
    _check(x, [weight], [bias], None)
    parts = len(bends)
    each, rest = divmod(weight.shape[0], parts or 1)
    if not 1 <= parts <= MOST_PARTS or rest or len(offsets) != parts or not set(bends) <= set(range(len(BENDS))):
        raise DrumheadError(
            f"bends={bends} with offsets={offsets} for {weight.shape[0]} maps: as many of both are needed, 1 to "
            f"{MOST_PARTS} that divide the maps, bends from 0 to {len(BENDS) - 1}"
        )
    out = x.new_empty((parts, x.shape[0], each, *x.shape[2:]))
    struct = _struct(x.contiguous(), [weight], [bias], False, None, output=out)
    struct.bends[:parts], struct.offsets[:parts], struct.largest, struct.parts = bends, offsets, largest, parts
    team.run("network_", "forward", struct, _tiles(struct))
    return out


@bent.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor, bends: list[int], offsets: list[float], largest: float) -> Tensor:
    return x.new_empty((len(bends), x.shape[0], weight.shape[0] // len(bends), *x.shape[2:]))


@operator(
    "drumhead::pointwise_backward",
    "(Tensor grad, Tensor x, Tensor[] weights, Tensor[] biases, bool reduced, Tensor? coarse) -> Tensor[]",
)
def pointwise_backward(
    grad: Tensor,
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    reduced: bool,
    coarse: Tensor | None,
) -> list[Tensor]:
    """Return the gradients of x, of each weight, of each bias and of `coarse` if there is one."""
    _check(x, weights, biases, coarse)
    x, inputs = x.contiguous(), [tensor for tensor in (x, coarse) if tensor is not None]
    gradients = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in inputs]
    names = ("grad_input", "grad_coarse")
    struct = _struct(
        x, weights, biases, reduced, coarse,
        grad_output=grad.contiguous(), **dict(zip(names, gradients, strict=False)),
    )  # fmt: skip
    struct.groups = groups = min(GROUPS, _tiles(struct))
    gw, gb = ([p.new_empty((groups, *p.shape)) for p in parameters] for parameters in (weights, biases))
    struct.partial_sums = gw, gb  # kept alive like the rest
    _place(struct, gw, gb, coarse is not None, "grad_")
    team.run("network_", "backward", struct, groups)
    return [gradients[0], *(sums.sum(0) for sums in (*gw, *gb)), *gradients[1:]]


@pointwise_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    reduced: bool,
    coarse: Tensor | None,
) -> list[Tensor]:
    like = [x, *weights, *biases, *([] if coarse is None else [coarse])]
    return [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in like]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weights, biases, ctx.reduced, coarse = inputs
    ctx.layers = len(weights)
    ctx.save_for_backward(x, coarse, *weights, *biases)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    x, coarse, *rest = ctx.saved_tensors
    gx, *others = pointwise_backward(grad, x, rest[: ctx.layers], rest[ctx.layers :], ctx.reduced, coarse)
    gw, gb, gc = others[: ctx.layers], others[ctx.layers : 2 * ctx.layers], others[2 * ctx.layers :]
    return gx, gw, gb, None, *(gc or [None])


pointwise.register_autograd(_gradients, setup_context=_setup)


def _no_second(ctx: Any, *grads: Any) -> Any:
    raise DrumheadError("the engines have no second derivatives; use drumhead.engine.using('eager') for them")


pointwise_backward.register_autograd(_no_second)


def _check(x: Tensor, weights: list[Tensor], biases: list[Tensor], coarse: Tensor | None) -> None:
    if x.ndim != 4 or not x.numel() or x.dtype not in (torch.float32, torch.float64) or x.device.type != "cpu":
        raise DrumheadError(
            f"x: got {x.dtype} of shape {tuple(x.shape)} on {x.device}; "
            "a non-empty (b, c, y, x) of float32 or float64 on the CPU is needed"
        )
    if not 1 <= len(weights) - (coarse is not None) <= MOST_LAYERS or len(weights) != len(biases):
        raise DrumheadError(
            f"{len(weights)} weights and {len(biases)} biases: as many of both, 1 to {MOST_LAYERS}, and one more that "
            "lifts coarse features"
        )
    if coarse is not None:
        _check_lift(x, weights, coarse)
    width = x.shape[1] if coarse is None else coarse.shape[1]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1] or not weight.numel():
            raise DrumheadError(
                f"a layer has the weight {tuple(weight.shape)} and the bias {tuple(bias.shape)}; "
                f"(out, {width}) and (out,) are needed"
            )
        width = weights[1].shape[1] if coarse is not None and not layer else weight.shape[0]
    for tensor in (*weights, *biases, *([] if coarse is None else [coarse])):
        if tensor.dtype != x.dtype or tensor.device != x.device:
            raise DrumheadError(
                f"a weight, a bias or coarse is {tensor.dtype} on {tensor.device}, x is {x.dtype} on {x.device}"
            )


def _check_lift(x: Tensor, weights: list[Tensor], coarse: Tensor) -> None:
    _, grid = _lifted(x, weights)
    size = tuple(-(-side // grid) for side in x.shape[2:]) if grid else ()
    if not grid or coarse.ndim != 4 or (coarse.shape[0], *coarse.shape[2:]) != (x.shape[0], *size):
        raise DrumheadError(
            f"coarse: got {tuple(coarse.shape)} with the weights {[tuple(weight.shape) for weight in weights[:2]]} "
            f"for x {tuple(x.shape)}; (b, k, ceil(y / g), ceil(x / g)) and (m g^2, k), (out, c + m) are needed, "
            f"with g = 1, 2, 4, .. {COARSEST}"
        )


def _lifted(x: Tensor, weights: list[Tensor]) -> tuple[int, int]:
    """Return how many maps the first weight lifts to the pixels, and the pixels of a point; 0 for what it cannot be."""
    if weights[0].ndim != 2 or weights[1].ndim != 2:
        return 0, 0
    lifted = weights[1].shape[1] - x.shape[1]
    grid = math.isqrt(weights[0].shape[0] // lifted) if lifted > 0 else 0
    fits = grid in (1, 2, 4, 8, COARSEST) and lifted * grid**2 == weights[0].shape[0]
    return (lifted, grid) if fits else (0, 0)


def _tiles(struct: _Struct) -> int:
    return tiles(struct.batch, struct.height, struct.width, struct.grid)


def tiles(batch: int, height: int, width: int, grid: int = 1) -> int:
    """Return the parts of such features that threads can take, one each."""
    return batch * -(-height // grid) * -(-width * grid // TILE)


def _struct(
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    reduced: bool,
    coarse: Tensor | None,
    **tensors: Tensor,
) -> _Struct:
    library.check_layout("pointwise", _Struct)
    weights, biases = [w.contiguous() for w in weights], [b.contiguous() for b in biases]
    struct = _Struct(
        bytes=ctypes.sizeof(_Struct), is_double=x.dtype == torch.float64, isa=library.isa_index(), grid=1, parts=1,
        batch=x.shape[0], height=1, width=x.shape[2] * x.shape[3], groups=1, reduced=reduced, input=x.data_ptr(),
    )  # fmt: skip
    layers = weights
    if coarse is not None:  # coarse points need rows; without them an image is one row of pixels
        tensors["coarse"] = coarse.contiguous()
        struct.lifted, struct.grid = _lifted(x, weights)
        struct.below, struct.height, struct.width, layers = coarse.shape[1], x.shape[2], x.shape[3], weights[1:]
    struct.layers = len(layers)
    struct.widths[: len(layers) + 1] = [layers[0].shape[1], *(layer.shape[0] for layer in layers)]
    _place(struct, weights, biases, coarse is not None)
    for name, tensor in tensors.items():
        setattr(struct, name, tensor.data_ptr())
    struct.keep_alive = (x, weights, biases, tensors)  # the struct itself holds bare addresses
    return struct


def _place(struct: _Struct, weights: list[Tensor], biases: list[Tensor], lifts: bool, what: str = "") -> None:
    """Write where weights and biases, or their gradients, lie; the first of those that lift has a place of its own."""
    for kind, lift, tensors in (("weights", "lift", weights), ("biases", "lift_bias", biases)):
        if lifts:
            setattr(struct, what + lift, tensors[0].data_ptr())
        for layer, tensor in enumerate(tensors[lifts:]):
            getattr(struct, what + kind)[layer] = tensor.data_ptr()
