"""What a wave meets at the edge of the grid.

- periodic: the opposite edge; the grid is a torus.
- fixed: y = 0 outside, the clamped rim of a drum. A wave comes back inverted.
- reflecting: the grid mirrored at its edge (zero slope). A wave comes back upright.
- absorbing: a damped margin around the grid, in which the wave fades. Of the energy (kinetic and strain) of a wave that
  meets it head-on, 1e-7 comes back at a wavelength of 8 pixels, 1e-5 at 16, 1 % at 32 and 12 % at 64; at 60 degrees
  4e-4, 3 %, 17 % and 37 % (docs/results/absorbing.md).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 24  # pixels of damped margin on each side; half as many do for waves half as long


def pad(y: Tensor, radius: tuple[int, int], boundary: str) -> Tensor:
    """Extend (b, c, y, x) by `radius` = (ry, rx) pixels on each side as `boundary` says; any size >= 1."""
    ry, rx = radius
    height, width = y.shape[-2:]
    if boundary == "fixed" or not (ry or rx):
        return F.pad(y, (rx, rx, ry, ry))
    if boundary == "periodic" and ry <= height and rx <= width:
        return F.pad(y, (rx, rx, ry, ry), mode="circular")
    if boundary == "reflecting" and ry <= 1 and rx <= 1:
        return F.pad(y, (rx, rx, ry, ry), mode="replicate")
    rows = _source(height, ry, boundary, y.device)
    columns = _source(width, rx, boundary, y.device)
    return y.index_select(-2, rows).index_select(-1, columns)


def _source(size: int, radius: int, boundary: str, device: torch.device) -> Tensor:
    """For each padded position, the index inside the grid that it repeats."""
    position = torch.arange(-radius, size + radius, device=device)
    if boundary == "periodic":
        return position % size
    position = position % (2 * size)
    return torch.where(position < size, position, 2 * size - 1 - position)


def surround(y: Tensor, fill: str) -> Tensor:
    """Add the margin of an absorbing boundary, filled with zeros or with the edge values ("replicate")."""
    if fill == "zeros":
        return F.pad(y, (MARGIN,) * 4)
    return F.pad(y, (MARGIN,) * 4, mode="replicate")


def margin_damping(size: torch.Size, speed: Tensor, like: Tensor) -> Tensor:
    """Damping that rises as a cubic from 0 at the grid's edge to its largest at the rim of the margin.

    A wave of the given speed (pixels per unit time) crosses the margin, returns and loses exp(-7) of its
    amplitude; the slow start keeps the margin itself from reflecting.
    """
    largest = 7 * 4 * speed / MARGIN  # the mean of a cubic ramp is a quarter of its top

    def depth(side: int) -> Tensor:
        position = torch.arange(side + 2 * MARGIN, device=like.device, dtype=like.dtype)
        outside = torch.maximum(MARGIN - position, position - (side + MARGIN - 1)).clamp(min=0)
        return outside / MARGIN

    deepest = torch.maximum(depth(size[0])[:, None], depth(size[1])[None, :])
    return largest * deepest**3


def crop(y: Tensor) -> Tensor:
    """Remove the margin again."""
    return y[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
