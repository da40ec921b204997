"""Convolutions, normalisations and ReLUs one after another, as cheap as they can be with the same result.

    norm(W * x) = (g W) * x + (b - g m),   g = weight / sqrt(var + eps)

In evaluation mode without gradients a batch normalisation thus folds into the convolution before it. Its few numbers
are computed again in each call, so weights may change between two. ReLUs overwrite what a layer before them made. A
layer that its user hooked, replaced or changed runs as torch runs it, and so do its neighbours.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from drumhead.engine import pixelwise
from drumhead.engine.modules import local, untouched
from drumhead.networks.rounds import EPS, PixelNorm

RELU = nn.ReLU()


class Chain(nn.Sequential):
    """Layers that `chained` runs; everything else of it is a Sequential's.

    Example:
        >>> layers = Chain(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU()).eval()
        >>> x = torch.rand(1, 3, 9, 9)
        >>> with torch.no_grad():
        ...     torch.allclose(layers(x), torch.nn.Sequential(*layers)(x), atol=1e-6)
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return what the layers make of maps (b, k, y, x)."""
        return chained(list(self), input)


def chained(layers: Sequence[nn.Module], x: Tensor) -> Tensor:
    """Return what layers, one after another, make of maps (b, k, y, x)."""
    own, i = False, 0  # whether x was made by a layer that does without it in its gradient
    while i < len(layers):
        layer, after = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d) and _fold(layer, after):
            x, own, i = folded(layer, after, x), True, i + 2
        elif untouched(layer, PixelNorm) and after and untouched(after, nn.ReLU):
            x, own, i = layer(x, True), False, i + 2
        elif own and untouched(layer, nn.ReLU):
            x, own, i = x.relu_(), False, i + 1
        else:
            x, own, i = layer(x), untouched(layer, nn.BatchNorm2d), i + 1
    return x


def added(onto: Tensor, x: Tensor, norm: nn.BatchNorm2d, mix: nn.Conv2d, mixed: nn.BatchNorm2d) -> Tensor:
    """Return relu(onto + mixed(mix(relu(norm(x))))), a pointwise convolution between two normalisations.

    In evaluation mode without gradients the C engine reads x once and writes nothing in between, where it can.
    """
    if _known(norm) and _fold(mix, mixed) and local(mix):
        weight, bias = _line(mixed, mix)
        found = pixelwise.added(onto, x, *_gain(norm), weight.flatten(1), bias)
        if found is not None:
            return found
    return (onto + chained((norm, RELU, mix, mixed), x)).relu_()


def told(onto: Tensor, x: Tensor, norm: nn.Module, mix: nn.Conv2d, mixed: nn.Module) -> Tensor:
    """Return relu(mixed(onto + mix(relu(norm(x))))), of two normalisations of each pixel.

    In evaluation mode without gradients the C engine reads x once and writes nothing in between, where it can.
    """
    plain = untouched(norm, PixelNorm) and untouched(mixed, PixelNorm) and local(mix) and mix.bias is None
    if plain and isinstance(norm, PixelNorm) and isinstance(mixed, PixelNorm):
        parts = (norm.weight, norm.bias), mix.weight.flatten(1), (mixed.weight, mixed.bias)
        found = pixelwise.told(onto, x, *parts, EPS)
        if found is not None:
            return found
    return chained((mixed, RELU), onto + chained((norm, RELU, mix), x))


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Return norm(conv(x)) by one convolution, the normalisation being in evaluation mode."""
    return conv._conv_forward(x, *_line(norm, conv))


def _gain(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return g and b - g m."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return gain, torch.addcmul(norm.bias, gain, norm.running_mean, value=-1)


def _line(norm: nn.BatchNorm2d, conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution with a normalisation folded into it."""
    gain, shift = _gain(norm)
    bias = shift if conv.bias is None else torch.addcmul(shift, gain, conv.bias)
    return conv.weight * gain[:, None, None, None], bias


def _known(norm: nn.BatchNorm2d) -> bool:
    """Say whether a normalisation is as built and multiplies and adds numbers that are known before it sees x."""
    return untouched(norm, nn.BatchNorm2d) and not norm.training and norm.running_var is not None and norm.affine


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> bool:
    """Say whether two layers are as built and nothing is learned from them now."""
    if torch.is_grad_enabled() or not _known(norm):
        return False
    return untouched(conv, nn.Conv2d) and conv.weight.dtype == norm.weight.dtype
