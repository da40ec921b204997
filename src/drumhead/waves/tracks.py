"""Points joined over time into trajectories: the next point is the nearest one of the same charge, if it is near."""

import numpy as np

NEAREST = 4  # candidates for the next point


def joined(frame: np.ndarray, place: np.ndarray, charge: np.ndarray, reach: float, gaps: int) -> np.ndarray:
    """Return the number of each point's trajectory, in the order of birth.

    Args:
        frame: (point,), in rising order.
        place: (point, 2).
        charge: (point,), -1 or 1; points of different charge are never joined.
        reach: how far a point may move from a frame to the next.
        gaps: frames in which a point may be missing.

    Example:
        >>> at = np.array([[0, 0], [0, 5], [0, 1], [0, 5.0]])
        >>> joined(np.array([0, 0, 1, 2]), at, np.array([1, 1, 1, 1]), reach=1.5, gaps=1)
        array([0, 1, 0, 1])
    """
    before, after = np.full(len(frame), -1), np.full(len(frame), -1)
    apart = 3 * reach * (gaps + 1)  # what may not be joined is set farther apart than anything reaches

    def spot(points: np.ndarray, later: int) -> np.ndarray:
        return np.column_stack([place[points], (frame[points] + later) * apart, charge[points] * apart])

    for lag in range(1, gaps + 2):  # neighbours in time come first, gaps join what is left
        ends, starts = np.flatnonzero(after < 0), np.flatnonzero(before < 0)
        one, other = _nearest(spot(ends, lag), spot(starts, 0), reach * lag)
        after[ends[one]], before[starts[other]] = starts[other], ends[one]
    root = before.copy()
    root[before < 0] = np.flatnonzero(before < 0)
    while (root[root] != root).any():  # each turn doubles how far back a point sees
        root = root[root]
    return np.unique(root, return_inverse=True)[1]


def _nearest(ends: np.ndarray, starts: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of an end and a start, each used once, the nearest pairs first."""
    from scipy.spatial import KDTree

    if not len(ends) or not len(starts):
        return np.empty(0, int), np.empty(0, int)
    found = KDTree(starts).query(ends, NEAREST, distance_upper_bound=reach * (1 + 1e-6))
    distance, other = (np.asarray(each) for each in found)
    one = np.broadcast_to(np.arange(len(ends))[:, None], other.shape)
    near = np.isfinite(distance)
    order = np.argsort(distance[near], kind="stable")
    one, other = one[near][order], other[near][order]
    pairs = []
    while len(one):
        first = np.zeros((2, len(one)), bool)
        for seen, side in zip(first, (one, other), strict=True):
            seen[np.unique(side, return_index=True)[1]] = True
        mutual = first.all(0)  # nothing nearer wants either of them
        pairs.append((one[mutual], other[mutual]))
        left = ~(np.isin(one, one[mutual]) | np.isin(other, other[mutual]))
        one, other = one[left], other[left]
    return (np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])) if pairs else (one, other)
