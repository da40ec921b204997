"""Named drums and polygons, drawn on a grid.

Gordon, Webb and Wolpert's two drums, gww-1 and gww-2, are seven half-squares each, glued along their sides in two
ways. Their corners lie on the grid when `size` is a multiple of 3.
"""

from collections.abc import Sequence

import numpy as np

from drumhead.drum.membranes import GAP, Membrane
from drumhead.errors import DrumheadError, choose, positive

Corners = list[tuple[float, float]]


def _ring(count: int, radii: tuple[float, ...]) -> Corners:
    """Corners around a circle, the first on top."""
    angles = 2 * np.pi * np.arange(count) / count - np.pi / 2
    return [
        (radii[i % len(radii)] * float(np.cos(a)), radii[i % len(radii)] * float(np.sin(a)))
        for i, a in enumerate(angles)
    ]


CORNERS: dict[str, Corners] = {
    "square": [(0, 0), (1, 0), (1, 1), (0, 1)],
    "rectangle": [(0, 0), (2, 0), (2, 1), (0, 1)],
    "disc": _ring(360, (1.0,)),
    "triangle": _ring(3, (1.0,)),
    "half-square": [(0, 0), (1, 1), (0, 1)],
    "L": [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (0, 2)],
    "star": _ring(10, (1.0, 0.5)),
    "gww-1": [(0, 3), (0, 2), (2, 0), (2, 1), (3, 1), (2, 2), (1, 2), (1, 3)],
    "gww-2": [(1, 3), (0, 2), (0, 1), (2, 1), (2, 0), (3, 1), (2, 2), (1, 2)],
}
SHAPES = tuple(CORNERS)


def shape(name: str, size: float = 48) -> Membrane:
    """Return a named drum.

    Args:
        name: square, rectangle (2 to 1), disc, triangle (equal sides), half-square (a square cut along its diagonal),
            L, star, gww-1 or gww-2.
        size: longer side of its bounding box from rim to rim, in pixels. A square of size 48 has 47 x 47 pixels that
            move.

    Raises:
        DrumheadError: an unknown name, or so small a size that no pixel moves.

    Example:
        >>> drum = dh.drum.shape("square", 10)
        >>> drum.mask.shape, int(drum.mask.sum()), drum.area
        ((11, 11), 81, 100.0)
    """
    choose("shape", name, SHAPES)
    return polygon(CORNERS[name], size, name)


def polygon(
    corners: "Sequence[tuple[float, float]] | np.ndarray", size: float | None = None, name: str = "polygon"
) -> Membrane:
    """Return a polygon as a drum: a pixel moves when it lies more than 0.375 pixels inside (see `membranes.GAP`).

    Args:
        corners: (n, 2), each x to the right and y downward, in order around the polygon, which does not cross itself.
        size: longer side of the bounding box in pixels; without it, the corners are in pixels already.
        name: what it is called.

    Raises:
        DrumheadError: fewer than three corners, corners that are not finite, sides that cross, no area, or no pixel
            inside.

    Example:
        >>> triangle = dh.drum.polygon([(0, 0), (20, 0), (0, 20)])
        >>> triangle.area, triangle.mask.shape
        (200.0, (21, 21))
    """
    v = np.asarray(corners, dtype=float)
    if v.ndim != 2 or v.shape[1] != 2 or len(v) < 3 or not np.isfinite(v).all():
        raise DrumheadError(f"corners: got the shape {v.shape}; at least three finite points (x, y) are needed")
    v = v - v.min(0)
    if size is not None:
        v = v * (positive("size", size) / max(v.max(), 1e-300))
    v[:, 1] += np.ceil(v[:, 1].max() - 1e-9) - v[:, 1].max()  # left and bottom lie on lines of the grid
    after = np.roll(v, -1, 0)
    area = abs(float((v[:, 0] * after[:, 1] - v[:, 1] * after[:, 0]).sum())) / 2
    if area < 1e-9 * max(v.max(), 1e-300) ** 2 or _crosses(v, after):
        raise DrumheadError("corners: the sides cross or enclose nothing; list the corners in order around the polygon")
    if v.max() > 5000:
        raise DrumheadError(f"the polygon is {v.max():.0f} pixels large; at most 5000 are allowed: lower the size")
    mask = _depth(v, after) > GAP
    if not mask.any():
        raise DrumheadError(f"{name} is {v.max():.3g} pixels large and no pixel moves; raise the size")
    return Membrane(name, mask, area, float(np.hypot(*(after - v).T).sum()), _constant(v), True)


def _depth(v: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Distance of each grid point to the rim, positive inside, 0 outside: (y, x)."""
    width, height = np.ceil(v.max(0) - 1e-9).astype(int) + 1
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    inside, distance = np.zeros(x.shape, bool), np.full(x.shape, np.inf)
    for (x0, y0), (x1, y1) in zip(v, after, strict=True):
        length = (x1 - x0) ** 2 + (y1 - y0) ** 2
        if not length:
            continue
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
        distance = np.minimum(distance, np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
        if y0 != y1:  # an odd number of sides to the right means inside
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return np.where(inside, distance, 0.0)


def _crosses(v: np.ndarray, after: np.ndarray) -> bool:
    """Say whether two sides that are no neighbours cross."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return np.sign((q - p)[..., 0] * (r - p)[..., 1] - (q - p)[..., 1] * (r - p)[..., 0])

    a, b, c, d = v[:, None], after[:, None], v[None], after[None]
    return bool(((side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)).any())


def _constant(v: np.ndarray) -> float:
    """Sum of (pi^2 - alpha^2) / (24 pi alpha) over the inner angles."""
    before, after = np.roll(v, 1, 0) - v, np.roll(v, -1, 0) - v
    cross = after[:, 0] * before[:, 1] - after[:, 1] * before[:, 0]
    angle = np.arctan2(cross, (before * after).sum(1)) % (2 * np.pi)
    if angle.sum() > len(v) * np.pi:  # listed the other way round
        angle = 2 * np.pi - angle
    return float(((np.pi**2 - angle**2) / (24 * np.pi * np.maximum(angle, 1e-6))).sum())
