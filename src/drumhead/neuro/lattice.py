"""From the places of electrodes to a grid, if they lie on one: rows, columns and holes."""

import numpy as np
from scipy.spatial import KDTree

from drumhead.errors import DrumheadError

SHARE = 0.8  # of the sites, at least, that have to lie on the lattice
OBLONG = 0.03  # by which rows may be farther apart than columns, or nearer
NEAR = 0.2  # of the pitch, how near


def lattice(places: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return the row and column of each site, and the pitch; None if fewer than four in five sites lie on a
    square lattice.

    The lattice may be turned: its axes are found from the steps between nearest neighbours. Rows grow with y and
    columns with x as far as the turn allows. Sites off the lattice get the row and column -1. Sites on one line are one
    column, in the order of y, or one row, in the order of x, whichever the line is nearer to.

    Args:
        places: (n, 2), y and x in m.

    Raises:
        DrumheadError: all sites lie on one line at uneven distances, or two in one place.

    Example:
        >>> from drumhead.neuro.lattice import lattice
        >>> rows = np.array([[0.0, 0.0], [0.0, 0.4e-3], [0.4e-3, 0.0], [0.4e-3, 0.4e-3]])
        >>> index, pitch = lattice(rows)
        >>> index.tolist(), round(pitch, 9)
        ([[0, 0], [0, 1], [1, 0], [1, 1]], 0.0004)
    """
    places = np.asarray(places, np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or len(places) < 3 or not np.isfinite(places).all():
        raise DrumheadError(
            f"places: got the shape {places.shape}; a finite y and x for each of 3 or more sites are needed"
        )
    centred = places - places.mean(0)
    wide = np.linalg.svd(centred, compute_uv=False)
    tree = KDTree(places)
    nearest = np.asarray(tree.query(places, 2)[0])[:, 1]
    if (nearest == 0).any():
        raise DrumheadError("two electrodes lie in the same place; name those to leave out with bad=")
    if wide[1] < 1e-6 * wide[0]:
        return _line(centred, float(np.median(nearest)))
    pairs = tree.query_pairs(1.3 * float(np.median(nearest)), output_type="ndarray")  # no diagonals of a square
    step = places[pairs[:, 1]] - places[pairs[:, 0]]
    pitch = float(np.linalg.norm(step, axis=1).mean())
    turn = float(np.angle(np.exp(4j * np.arctan2(step[:, 0], step[:, 1])).mean())) / 4  # a square looks alike four ways
    c, d = np.cos(turn), np.sin(turn)
    axes = pitch * np.array([[c, -d], [d, c]])  # a row on, a column on
    middle = places[np.argmin(np.linalg.norm(centred, axis=1))]
    for _ in range(3):  # the first guess is good near the middle, the fit that follows everywhere
        along = (places - middle) @ np.linalg.inv(axes)
        index = np.rint(along).astype(int)
        known = np.abs(along - index).max(1) < 2 * NEAR
        axes, middle = _fitted(index[known], places[known])
    pitch, along = float(np.sqrt(np.abs(np.linalg.det(axes)))), (places - middle) @ np.linalg.inv(axes)
    index = np.rint(along).astype(int)
    on = np.abs(along - index).max(1) < NEAR
    index -= index[on].min(0) if on.any() else np.zeros(2, int)
    index[~on] = -1
    if on.any() and not _square(index[on], along[on]):
        return None
    if on.mean() < SHARE or len(np.unique(index[on], axis=0)) < on.sum():
        return None
    return index, pitch


def _square(index: np.ndarray, along: np.ndarray) -> bool:
    """Say whether rows are as far apart as columns, given rows and columns and what they are in pitches."""
    flat, apart = index - index.mean(0), along - along.mean(0)
    size = (flat**2).sum(0)
    steps = (flat * apart).sum(0)[size > 0] / size[size > 0]
    return len(steps) < 2 or abs(steps[0] / steps[1] - 1) < OBLONG


def _line(centred: np.ndarray, pitch: float) -> tuple[np.ndarray, float]:
    """Return the same of sites on one line: a probe, read along it."""
    ends = np.ptp(centred, axis=0)
    axis = int(ends[1] > ends[0])
    along = np.hypot(*centred.T) * np.sign(centred[:, axis])
    steps = (along - along.min()) / pitch
    pitch *= np.ptp(steps) / np.rint(np.ptp(steps))
    index = np.rint(steps).astype(int)
    off = np.abs((along - along.min()) / pitch - index)
    if off.max() > NEAR or len(np.unique(index)) < len(index):
        raise DrumheadError(
            f"all {len(centred)} electrodes lie on one line, but not evenly: neighbours are "
            f"{np.diff(np.sort(along)).min():.3g} to {np.diff(np.sort(along)).max():.3g} m apart, and waves along a "
            "line are read at multiples of one distance; resample along it, or keep contacts that are evenly spaced"
        )
    return np.stack([index, np.zeros_like(index)][:: -1 if axis else 1], 1), pitch


def _fitted(index: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes, one pitch long and at right angles, and the place of (0, 0) that fit best."""
    flat, middle = index - index.mean(0), places.mean(0)
    size = max(float((flat**2).sum()), 1.0)
    a = float((flat * (places - middle)).sum()) / size
    b = float((flat[:, 0] * (places - middle)[:, 1] - flat[:, 1] * (places - middle)[:, 0]).sum()) / size
    axes = np.array([[a, b], [-b, a]])
    return axes, middle - index.mean(0) @ axes
