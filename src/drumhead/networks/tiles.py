"""Large images in tiles: each pixel is answered by the tile in whose middle it lies.

A tile begins at a multiple of 16 pixels, or of the network's coarsest grid where that is larger, so that grids of
waves and the levels of a U-Net lie as they do in the whole image. Where the margin around a tile's middle is as wide as
the network reaches, the answer is that of the whole image; beyond, what is farther away than the margin is not seen.
Only what a periodic edge brings from the other side of the image is lost in any case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from drumhead.errors import DrumheadError
from drumhead.networks.segmenter import Segmenter

GRID = 16  # pixels to which tiles are aligned, at least


@dataclass(frozen=True)
class Tiles:
    """When and how an image is taken apart.

    Attributes:
        side: of a tile, in pixels, a multiple of 16.
        most: pixels of an image that is still taken whole.
    """

    side: int = 1024
    most: int = 2**21

    def apart(self, height: int, width: int) -> bool:
        """Say whether an image of this size is taken apart."""
        return height * width > self.most and max(height, width) > self.side


WHOLE = Tiles()
"""Images of up to two million pixels are taken whole."""


def tiles_of(side: int) -> Tiles:
    """Return the tiles that a user asks for; 0 leaves the choice.

    Raises:
        DrumheadError: a side that is not a multiple of 16, or below 64.
    """
    if side == 0:
        return WHOLE
    _refuse(side, GRID)
    return Tiles(side, 0)


def _refuse(side: int, grid: int) -> None:
    if side < 4 * grid or side % grid:
        of = f", as a grid of this network has a point every {grid} pixels" if grid > GRID else ""
        raise DrumheadError(f"--tile {side}: a multiple of {grid} of at least {4 * grid} is needed{of}, or 0")


def answer(model: nn.Module, images: Tensor, tiles: Tiles = WHOLE) -> Tensor:
    """Return the logits (b, classes, y, x) of images (b, k, y, x), tile by tile where they are large."""
    height, width = images.shape[-2:]
    if not tiles.apart(height, width):
        return model(images)
    out = torch.empty(0)
    for rows, columns in windows(model, height, width, tiles):
        part = model(images[..., rows.seen, columns.seen])
        if not out.numel():
            out = part.new_empty(*part.shape[:2], height, width)
        out[..., rows.kept, columns.kept] = part[..., rows.inside, columns.inside]
    return out


def largest_courant(model: Segmenter, images: Tensor, tiles: Tiles = WHOLE) -> float | None:
    """Return dt over the largest stable dt of images of any size; None for a network that is no wave equation."""
    height, width = images.shape[-2:]
    if not tiles.apart(height, width):
        return model.courant(images)
    found = [model.courant(images[..., y.seen, x.seen]) for y, x in windows(model, height, width, tiles)]
    return None if None in found else float(torch.tensor(found).max())  # NaN before all


@dataclass(frozen=True)
class Span:
    """A tile along one axis: the pixels it sees, those it answers for, and where they lie inside it."""

    seen: slice
    kept: slice

    @property
    def inside(self) -> slice:
        """The pixels it answers for, counted from its own first."""
        return slice(self.kept.start - self.seen.start, self.kept.stop - self.seen.start)


def windows(model: nn.Module, height: int, width: int, tiles: Tiles) -> Iterator[tuple[Span, Span]]:
    """Yield the tiles of an image, row by row."""
    _refuse(tiles.side, _grid(model))
    margin = margin_of(model, tiles.side)
    for rows in spans(height, tiles.side, margin):
        for columns in spans(width, tiles.side, margin):
            yield rows, columns


def _grid(model: nn.Module) -> int:
    """Return the pixels to which a network's tiles are aligned."""
    return max(GRID, getattr(getattr(model, "module", model), "coarsest", 1))


def margin_of(model: nn.Module, side: int) -> int:
    """Return the margin of a network's tiles: its reach in whole steps of `_grid`, at most a quarter of the side."""
    inner, grid = getattr(model, "module", model), _grid(model)
    most = side // 4 // grid * grid
    if not isinstance(inner, Segmenter):
        return most
    ends = [inner.reach(pixel) for pixel in range(grid)]  # a coarse grid reaches unequally far from each pixel
    farthest = max(max(pixel - low, high - pixel) for pixel, (low, high) in enumerate(ends))
    return int(min(most, -(-farthest // grid) * grid))


def spans(size: int, side: int, margin: int) -> list[Span]:
    """Return the tiles along an axis.

    Example:
        >>> [(span.seen.start, span.kept.start, span.kept.stop, span.seen.stop) for span in spans(100, 64, 16)]
        [(0, 0, 48, 64), (32, 48, 80, 96), (64, 80, 100, 100)]
    """
    step = side - 2 * margin
    starts = [0]
    while starts[-1] + side < size:
        starts.append(starts[-1] + step)
    ends = [start + step + margin for start in starts[:-1]] + [size]
    return [
        Span(slice(start, min(start + side, size)), slice(start + margin if start else 0, end))
        for start, end in zip(starts, ends, strict=True)
    ]
