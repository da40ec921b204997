"""Layers that run in rounds, again and again with the same weights, each round going on from what one has found.

    look = relu(A x + B first),   onto = x + C first
    x <- relu(norm(onto + told)),   told: what the layer makes of the look

`first` is what the stem gave, which no round forgets; x is 0 before the first round. Everything here is of one pixel,
and `norm` keeps x as large as it is, so that a round is the same however many there were and whatever the image's size.

Where news has far to go it comes late, to pixels that have had nothing new for many rounds. An image as large as those
learned from has no such pixels, unless a part of it is `covered` at first.
"""

from typing import Any

import torch
from torch import Tensor, nn

from drumhead.engine import pixelwise

EPS = 0.01
Shown = tuple[Tensor, Tensor]


class PixelNorm(nn.Module):
    """Normalisation over the maps of each pixel, in which no other pixel and no other round has a part.

        y = g (x - m) / sqrt(v + 0.01) + b,   m, v: mean and variance of the pixel's maps

    How loud a wave still is where it arrives then does not matter, down to a tenth; a batch normalisation knows one
    loudness. Source: Ba et al. 2016 (layer normalisation).

    Args:
        maps: how many.

    Example:
        >>> from drumhead.networks.rounds import PixelNorm
        >>> x = torch.rand(1, 8, 4, 4)
        >>> bool((PixelNorm(8)(100 * x) - PixelNorm(8)(50 * x)).abs().max() < 0.01)
        True
    """

    def __init__(self, maps: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, x: Tensor, rectify: bool = False) -> Tensor:
        """Return maps (b, k, y, x), normalised; relu of them to `rectify`."""
        return pixelwise.normal(x, self.weight, self.bias, EPS, rectify)


class Recall(nn.Module):
    """What a round sees: where the last one ended, beside what the stem gave.

    Args:
        width: maps of the features.
    """

    def __init__(self, width: int):
        super().__init__()
        self.look = nn.Conv2d(width, width, 1, bias=False)
        self.first = nn.Conv2d(width, 2 * width, 1)

    def shown(self, first: Tensor) -> Shown:
        """Return the part of the stem's features (b, width, y, x) in every look, and in every sum."""
        seen, kept = self.first(first).chunk(2, dim=1)
        return seen, kept

    def forward(self, x: Tensor, shown: Shown) -> tuple[Tensor, Tensor]:
        """Return what a layer looks at, and what it adds to."""
        return (self.look(x) + shown[0]).relu_(), x + shown[1]


def shown(layer: Any, first: Tensor | None = None) -> Shown | None:
    """Return what a layer sees in every round of the stem's features `first`; None for one that runs once."""
    return layer.recall.shown(first) if layer.recall else None


def seen(layer: Any, x: Tensor, shown: Shown | None) -> tuple[Tensor, Tensor]:
    """Return what a layer looks at, and what it adds to: x itself for one that runs once."""
    return layer.recall(x, shown) if layer.recall else (x, x)


def normal(maps: int, again: bool) -> nn.Module:
    """Return a normalisation: of each pixel in layers that run again and again, else over the batch."""
    return PixelNorm(maps) if again else nn.BatchNorm2d(maps)


def covered(images: Tensor) -> Tensor:
    """Return images (b, k, y, x) whose first or last rows or columns are black: a quarter to three quarters of them.

    Which ones is drawn once for a batch, so that processes that share it out cover the same. At least one is black and
    one is not, where there are two. Black is nothing in the tasks here; on a bright ground it would be an object.

    Example:
        >>> from drumhead.networks.rounds import covered
        >>> 0.25 <= float(covered(torch.ones(1, 1, 64, 64)).mean()) <= 0.75
        True
    """
    axis, last, share = -1 - int(torch.randint(2, ())), bool(torch.randint(2, ())), 0.25 + 0.5 * float(torch.rand(()))
    length = images.shape[axis]
    hidden, out = min(max(round(share * length), 1), length - 1), images.clone()
    out.narrow(axis, length - hidden if last else 0, hidden).zero_()
    return out
