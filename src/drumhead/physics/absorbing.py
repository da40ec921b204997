"""The absorbing boundary: a damped margin around the grid, in which the wave fades.

Of the energy (kinetic and strain) of a wave that meets it head-on, 1e-7 comes back at a wavelength of 8 pixels, 1e-5 at
16, 1 % at 32 and 12 % at 64; at 60 degrees 4e-4, 3 %, 17 % and 37 % (docs/results/absorbing.md).
"""

from types import EllipsisType

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.errors import DrumheadError
from drumhead.physics import stability
from drumhead.physics.state import State

MARGIN = 24  # pixels of damped margin on each side; half as many do for waves half as long

Inner = tuple[EllipsisType, slice, slice]


def inside() -> Inner:
    """Return the index of the grid itself in what has a margin around it."""
    return (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))


def surround(y: Tensor, fill: str) -> Tensor:
    """Add the margin of an absorbing boundary, filled with zeros or with the edge values ("replicate")."""
    if fill == "zeros":
        return F.pad(y, (MARGIN,) * 4)
    return F.pad(y, (MARGIN,) * 4, mode="replicate")


def around(
    start: State, z: Tensor | None, omega: Tensor, alpha: Tensor, kernel: Tensor
) -> tuple[Tensor, Tensor | None, Tensor, Tensor, Inner | None]:
    """Return y, z, omega and alpha with the margin if the boundary is absorbing, and the index that removes it."""
    y, size = start.y, start.y.shape[-2:]
    if start.boundary != "absorbing":
        return y, z, omega, alpha, None
    inner = inside()
    omega, alpha = (surround(field.expand(*field.shape[:2], *size), "replicate") for field in (omega, alpha))
    alpha = alpha + margin_damping(size, stability.speed(kernel), alpha)
    if start.around is not None:
        full = []
        for part, beyond in zip((y, z), start.around, strict=True):
            if part is None or beyond[inner].shape != part.shape:
                raise DrumheadError(
                    f"y and z of this state do not fit what moves around them, {tuple(beyond[inner].shape)}: make "
                    "another dh.State(y, z)"
                )
            full.append(beyond.clone())
            full[-1][inner] = part
        return *full, omega, alpha, inner
    return surround(y, "zeros"), None if z is None else surround(z.expand(y.shape), "zeros"), omega, alpha, inner


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
