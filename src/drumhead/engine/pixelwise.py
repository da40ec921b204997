"""What is applied at each pixel by itself, in the C engine where it can be, else as torch does: heads, media, norms."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.choose import pick
from drumhead.engine.modules import convolutions, local
from drumhead.engine.operator import call
from drumhead.engine.run import reduced


def pointwise(x: Tensor, network: nn.Module) -> Tensor:
    """Apply a network to features, in the C engine where it can run these `convolutions`, else as torch does.

    Args:
        x: features (b, k, y, x).
        network: what makes logits of them. Under torch.autocast in bfloat16, products are rounded.

    Returns:
        (b, n, y, x) in float32 or float64 from the engine, in the network's own type otherwise.
    """
    found = _compiled(convolutions(network), x)
    return network(x) if found is None else found


def lifted(fine: Tensor, coarse: Tensor, lift: nn.Module, grid: int, network: nn.Module) -> Tensor:
    """Apply a network to maps of two grids: network([fine, pixel_shuffle(lift(coarse), grid)]).

    In the C engine neither the lifted maps nor the whole of them is ever in memory.

    Args:
        fine: features (b, k, y, x).
        coarse: features (b, c, ceil(y / grid), ceil(x / grid)).
        lift: a 1x1 convolution from c maps to m grid^2, m maps at the pixels; those beyond y and x are cut off.
        grid: pixels of a point of the coarse grid in each direction.
        network: what makes logits of the k + m maps. Under torch.autocast in bfloat16, its products are rounded.

    Returns:
        (b, n, y, x) as `pointwise`.

    Example:
        >>> lift, network = torch.nn.Conv2d(5, 3 * 4**2, 1), torch.nn.Conv2d(2 + 3, 7, 1)
        >>> lifted(torch.rand(1, 2, 6, 9), torch.rand(1, 5, 2, 3), lift, 4, network).shape
        torch.Size([1, 7, 6, 9])
    """
    from drumhead.engine.cpu.pointwise import COARSEST

    lifts, layers = convolutions(lift), convolutions(network)
    if len(lifts) == 1 and layers and grid <= COARSEST:
        found = _compiled([*lifts, *layers], fine, coarse, grid)
        if found is not None:
            return found
    raised = F.pixel_shuffle(lift(coarse), grid)[..., : fine.shape[-2], : fine.shape[-1]]
    return pointwise(torch.cat([fine, raised], dim=1), network)


def added(onto: Tensor, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> Tensor | None:
    """Return relu(onto + W relu(gain x + shift) + b) by the C engine, without a gradient; None where it cannot.

    Args:
        onto: features (b, out, y, x).
        x: features (b, in, y, x).
        gain: (in,).
        shift: (in,).
        weight: (out, in).
        bias: (out,).
    """
    from drumhead.engine.cpu import pointwise as compiled

    tensors = (onto, x, gain, shift, weight, bias)
    return call(compiled.added, *tensors) if _forwards(*tensors) else None


def told(
    onto: Tensor, x: Tensor, norm: Sequence[Tensor], weight: Tensor, after: Sequence[Tensor], eps: float
) -> Tensor | None:
    """Return relu(after(onto + W relu(norm(x)))) by the C engine, without a gradient; None where it cannot.

    Args:
        onto: features (b, out, y, x).
        x: features (b, in, y, x).
        norm: gain and shift (in, 1, 1) of a normalisation over the maps of each pixel, see `normal`.
        weight: (out, in).
        after: gain and shift (out, 1, 1) of another.
        eps: of both.
    """
    from drumhead.engine.cpu import pointwise as compiled

    first, second = [tensor.flatten() for tensor in norm], [tensor.flatten() for tensor in after]
    if not _forwards(onto, x, *first, weight, *second):
        return None
    return call(compiled.told, onto, x, *first, weight, *second, eps)


def bent(x: Tensor, layer: nn.Conv2d, bends: Sequence[str], offsets: Sequence[float], largest: float) -> Tensor | None:
    """Return parts phi(W x + b + offset) of the same size by the C engine, without a gradient; None where it cannot.

    Args:
        x: features (b, in, y, x).
        layer: a 1x1 convolution.
        bends: phi of each part: "straight", "tanh", "sigmoid", which is scaled, or "softplus".
        offsets: of each part.
        largest: of a sigmoid.

    Returns:
        (parts, b, out / parts, y, x).
    """
    from drumhead.engine.cpu import pointwise as compiled

    if layer.bias is None or not local(layer) or not _forwards(x, layer.weight, layer.bias):
        return None
    codes = [compiled.BENDS.index(bend) for bend in bends]
    return call(compiled.bent, x, layer.weight.flatten(1), layer.bias, codes, list(offsets), largest)


def normal(x: Tensor, gain: Tensor, shift: Tensor, eps: float, rectify: bool) -> Tensor:
    """Normalise the maps of each pixel, by the C engine where it can.

        y_k = g_k (x_k - m) / sqrt(v + eps) + s_k,   m, v: mean and variance of the pixel's maps

    Args:
        x: features (b, k, y, x).
        gain: g, (k, 1, 1).
        shift: s, (k, 1, 1).
        eps: what keeps a pixel whose maps are equal from being divided by zero.
        rectify: return relu(y).
    """
    from drumhead.engine.cpu import normal as compiled

    tensors = (x, gain, shift)
    if x.is_cpu and x.ndim == 4 and x.numel() and x.dtype == gain.dtype == shift.dtype:
        parts = min(compiled.parts(x), compiled.GROUPS) if torch.is_grad_enabled() else compiled.parts(x)
        if pick("auto", x, tensors, True, None if torch.compiler.is_compiling() else parts) == "native":
            found: Tensor = call(compiled.normal, *tensors, eps, rectify)
            return found
    x = x - x.mean(1, keepdim=True)
    y = torch.addcmul(shift, x * (x.square().mean(1, keepdim=True) + eps).rsqrt(), gain)
    return y.relu_() if rectify else y


def _forwards(x: Tensor, *tensors: Tensor) -> bool:
    """Say whether the C engine takes an operation without a gradient on these tensors."""
    alike = all(tensor.dtype == x.dtype and tensor.is_cpu for tensor in (x, *tensors))
    if torch.is_grad_enabled() or not alike or torch.is_autocast_enabled("cpu"):
        return False
    return pick("auto", x, (x, *tensors), True, _parts(x)) == "native"


def _parts(x: Tensor, grid: int = 1) -> int | None:
    """Return the tiles of features, and of partial sums for a gradient, that threads share; None in a graph."""
    from drumhead.engine.cpu import pointwise as compiled

    if torch.compiler.is_compiling():
        return None
    batch, _, height, width = x.shape
    tiles = compiled.tiles(batch, height, width, grid)
    return min(tiles, compiled.GROUPS) if torch.is_grad_enabled() else tiles


def _compiled(layers: list[nn.Conv2d], x: Tensor, coarse: Tensor | None = None, grid: int = 1) -> Tensor | None:
    """Return what the C engine makes of features through layers that are all `convolutions`; None where it cannot."""
    from drumhead.engine.cpu import pointwise as compiled

    if not 0 < len(layers) - (coarse is not None) <= compiled.MOST_LAYERS or not x.is_cpu:
        return None
    dtype = layers[-1].weight.dtype
    inputs = [tensor for tensor in (x, coarse) if tensor is not None]
    if any(tensor.dtype != dtype for tensor in inputs) and not torch.is_autocast_enabled("cpu"):
        return None
    like = [tensor.to(dtype) for tensor in inputs]
    weights = [layer.weight.flatten(1) for layer in layers]
    biases = [layer.bias for layer in layers if layer.bias is not None]  # none is, in `convolutions`
    if pick("auto", like[0], (*inputs, *weights, *biases), True, _parts(x, grid)) != "native":
        return None
    return call(compiled.pointwise, like[0], weights, biases, reduced(x.device), *(like[1:] or [None]))
