"""Waves on a drum: u_tt = c^2 laplacian u, u = 0 outside, by the paper's symplectic Euler step.

    z <- z - dt A u,      u <- u + dt z          (A: `modes.laplacian`, dt below 2 / (c sqrt(8)))

`drumhead.propagate` with boundary="fixed" does exactly this on a full rectangle. It cannot on any other shape: its
kernel is the same everywhere, and a clamped pixel (y = z = 0) beside a moving one gets y = dt gain (W * y) in one step,
with gain >= dt / 2 whatever omega and alpha are there, since those multiply zeros. So the membrane is stepped here with
its own sparse operator; the tests compare it with `propagate` on rectangles, and on other shapes with `propagate`
called for one step at a time and clamped by hand between.
"""

import numpy as np

from drumhead.drum.membranes import Membrane, as_mask
from drumhead.drum.modes import Modes, laplacian
from drumhead.errors import DrumheadError, positive, whole

Spot = tuple[int, int]


def strike(drum: "Membrane | np.ndarray", where: "Spot | np.ndarray | None" = None, *, steps: int, dt: float = 0.5,
           c: float = 1.0, width: float = 2.0, every: int = 1,
           listen: "list[Spot] | None" = None) -> np.ndarray:  # fmt: skip
    """Let go of a displaced drum and record it.

    Args:
        drum: a membrane or bool (y, x).
        where: the pixel (y, x) that is struck, which lifts a Gaussian bump of height 1 there; or a whole displacement
            (y, x), of which the part outside the drum is cut off; None lifts the whole drum by 1.
        steps: steps T of length dt.
        dt: step; at most 2 / (c sqrt(8)) = 0.707 / c.
        c: speed of the waves in pixels per unit time.
        width: standard deviation of the bump in pixels.
        every: record each `every`-th step only.
        listen: pixels (y, x) to record; all by default.

    Returns:
        (t, y, x), zero outside the drum, or (t, k) for k listening pixels; t = steps // every.

    Raises:
        DrumheadError: an argument does not fit, or a pixel is not on the drum.

    Example:
        >>> drum = dh.drum.shape("disc", 20)
        >>> dh.drum.strike(drum, (10, 8), steps=100, every=2).shape
        (50, 21, 21)
    """
    mask = as_mask(drum)
    steps, every = whole("steps", steps), whole("every", every)
    if positive("dt", dt) > 2 / (positive("c", c) * np.sqrt(8)):
        raise DrumheadError(f"dt={dt:.4g} is beyond the stable limit {2 / (c * np.sqrt(8)):.4g} for c={c:.4g}")
    u = _start(mask, where, width)[mask]
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(len(u))
    kept = np.arange(len(u)) if listen is None else np.array([number[_on(mask, spot)] for spot in listen])
    record = np.empty((steps // every, len(kept)))
    kick = dt * laplacian(mask, c).tocsr()
    z = np.zeros_like(u)
    for step in range(1, steps + 1):
        z -= kick @ u
        u += dt * z
        if step % every == 0:
            record[step // every - 1] = u[kept]
    if listen is not None:
        return record
    series = np.zeros((len(record), *mask.shape))
    series[:, mask] = record
    return series


def _start(mask: np.ndarray, where: "Spot | np.ndarray | None", width: float) -> np.ndarray:
    if where is None:
        return mask.astype(float)
    if isinstance(where, np.ndarray) and where.ndim == 2:
        if where.shape != mask.shape or not np.isfinite(where).all():
            raise DrumheadError(f"where: got the shape {where.shape}; a finite displacement {mask.shape} is needed")
        return where.astype(float)
    y, x = _on(mask, where)
    rows, columns = np.indices(mask.shape)
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * positive("width", width) ** 2))


def _on(mask: np.ndarray, spot: "Spot | np.ndarray") -> Spot:
    """Return a pixel that is on the drum, or refuse it."""
    y, x = (int(i) for i in spot)
    if not (0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]):
        raise DrumheadError(f"the pixel (y={y}, x={x}) is not on the drum, whose mask is {mask.shape}")
    return y, x


def innermost(drum: "Membrane | np.ndarray") -> Spot:
    """Return the pixel (y, x) that is farthest from the rim; of several, the first.

    Args:
        drum: a membrane or bool (y, x).

    Example:
        >>> dh.drum.innermost(dh.drum.shape("square", 10))
        (5, 5)
    """
    from scipy import ndimage

    depth = np.asarray(ndimage.distance_transform_edt(np.pad(as_mask(drum), 1)))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y), int(x)


def lively(found: Modes) -> Spot:
    """Return the pixel (y, x) at which none of these modes rests: the largest smallest |displacement|.

    A drum struck or heard on a nodal line of a mode misses that mode.

    Args:
        found: the modes, from `modes`.

    Example:
        >>> found = dh.drum.modes(dh.drum.shape("square", 10), 2)
        >>> y, x = dh.drum.lively(found)
        >>> bool((np.abs(found.shapes[:, y, x]) > 0).all())
        True
    """
    least = (np.abs(found.shapes) / np.abs(found.shapes).max((1, 2), keepdims=True)).min(0)
    y, x = np.unravel_index(int(least.argmax()), least.shape)
    return int(y), int(x)
