"""Which sites are neighbours, on a grid and elsewhere: instruments look at differences along these edges."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from drumhead.errors import DrumheadError
from drumhead.waves.fields import good, places

if TYPE_CHECKING:
    from xarray import DataArray

NEAREST = 4  # neighbours of a site that is on no grid


class Edges(NamedTuple):
    """Pairs of neighbouring good sites, numbered among the good ones; each pair once."""

    first: np.ndarray
    """(m,)"""
    second: np.ndarray
    """(m,)"""
    step: np.ndarray
    """From the first to the second (m, 2), y and x."""
    middle: np.ndarray
    """Between them (m, 2), y and x."""


def edges(x: "DataArray") -> Edges:
    """Return the neighbours of a field: right and below on a grid, the nearest few elsewhere.

    Raises:
        DrumheadError: fewer than three good sites are neighbours.
    """
    known, where = good(x), places(x)
    number = np.cumsum(known.ravel()) - 1
    if known.ndim == 2:
        index = np.arange(known.size).reshape(known.shape)
        pairs = [(index[:, :-1], index[:, 1:]), (index[:-1], index[1:])]
        first, second = (np.concatenate([pair[end].ravel() for pair in pairs]) for end in (0, 1))
    else:
        sites = np.flatnonzero(known)
        tree, count = KDTree(where[sites]), min(NEAREST + 1, len(sites))
        away = np.asarray(tree.query(where[sites], count)[0]).reshape(len(sites), -1)[:, -1]
        # All that are as far as the last: which of them come first must not depend on how sites are numbered.
        near = tree.query_ball_point(where[sites], away * (1 + 1e-6))
        both = {(min(a, b), max(a, b)) for a, row in enumerate(near) for b in row if a != b}
        first, second = sites[np.array(sorted(both), int).reshape(-1, 2)].T
    kept = known.ravel()[first] & known.ravel()[second]
    first, second = first[kept], second[kept]
    if len(np.unique(np.concatenate([first, second]))) < 3:
        raise DrumheadError("waves need at least three good sites that are neighbours")
    return Edges(number[first], number[second], where[second] - where[first], (where[first] + where[second]) / 2)
