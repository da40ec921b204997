"""How far two distributions are apart: the least way that one has to be carried to become the other.

W(F, G) = integral |F - G|                     of numbers
W(F, G) = min over c of integral |F - G - c|   of angles, F and G from any point on: mass may go either way around
"""

import numpy as np


def apart(one: np.ndarray, other: np.ndarray, kind: str = "log") -> float:
    """Return the Wasserstein distance of two samples; NaN if one has fewer than two numbers.

    Args:
        one: (n,), NaN are left out.
        other: (m,).
        kind: "angle" for angles in rad, anything else for numbers.

    Source:
        J. Rabin, J. Delon, Y. Gousseau, J. Math. Imaging Vis. 41, 2011, on the circle.

    Example:
        >>> apart(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
        2.0
        >>> round(apart(np.array([3.0, 3.1]), np.array([-3.1, -3.0]), "angle"), 3)  # across the cut at pi
        0.183
    """
    from scipy.stats import wasserstein_distance

    one, other = one[np.isfinite(one)], other[np.isfinite(other)]
    if min(len(one), len(other)) < 2:
        return float("nan")
    if kind != "angle":
        return float(wasserstein_distance(one, other))
    turns = np.concatenate([one, other]) / (2 * np.pi) % 1
    step = np.concatenate([np.full(len(one), 1 / len(one)), np.full(len(other), -1 / len(other))])
    order = np.argsort(turns)
    level = np.cumsum(step[order])  # F - G from each point to the next, the last to the first
    length = np.diff(turns[order], append=turns[order[0]] + 1)
    rank = np.argsort(level)
    middle = level[rank][np.searchsorted(np.cumsum(length[rank]), 0.5)]
    return float(2 * np.pi * (np.abs(level - middle) * length).sum())
