"""What a wave meets at the edge of the grid.

- periodic: the opposite edge; the grid is a torus.
- fixed: y = 0 outside, the clamped rim of a drum. A wave comes back inverted.
- reflecting: the grid mirrored at its edge (zero slope). A wave comes back upright.
- absorbing: none of the engines' own, but a margin that `drumhead.physics.absorbing` lays around the grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.engine.operator import exporting


def pad(y: Tensor, radius: tuple[int, int], boundary: str) -> Tensor:
    """Extend (b, c, y, x) by `radius` = (ry, rx) pixels on each side as `boundary` says; any size >= 1."""
    ry, rx = radius
    height, width = y.shape[-2:]
    if boundary == "fixed" or not (ry or rx):
        return F.pad(y, (rx, rx, ry, ry))
    near = ry <= 1 and rx <= 1
    if boundary == "periodic" and (near or (not exporting() and ry <= height and rx <= width)):
        return F.pad(y, (rx, rx, ry, ry), mode="circular")
    if boundary == "reflecting" and near:
        return F.pad(y, (rx, rx, ry, ry), mode="replicate")
    rows = _source(height, ry, boundary, y.device)
    columns = _source(width, rx, boundary, y.device)
    return y.index_select(-2, rows).index_select(-1, columns)


def _source(size: int, radius: int, boundary: str, device: torch.device) -> Tensor:
    """For each padded position, the index inside the grid that it repeats."""
    position = torch.arange(-radius, size + radius, device=device)
    count = position.new_full((), size)  # a graph has no remainder by a number that is known only later
    if boundary == "periodic":
        return position % count
    position = position % (2 * count)
    return torch.where(position < count, position, 2 * count - 1 - position)
