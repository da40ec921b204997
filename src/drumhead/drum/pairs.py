"""Two drums side by side: can their pitches tell them apart?

The drums of Gordon, Webb and Wolpert (1992) cannot be told apart. Cut both into their seven half-squares: a mode of one,
moved piece by piece, some pieces turned over or with the other sign, is a mode of the other with the same Lambda. The
five-point Laplacian on a grid whose lines carry the cuts has every symmetry that the argument uses, and no three cuts
meet inside, so the drums on such a grid are isospectral too, at any resolution and not only in the limit.

The counter-example to "no drum can be told from another": an L cut from a square in two ways, with the same area,
perimeter and corners, so that all of Weyl's law agrees, and different modes all the same.
"""

import numpy as np

from drumhead.drum.membranes import Membrane, whole
from drumhead.drum.modes import lowest
from drumhead.drum.shapes import _CORNERS, polygon


def gww(unit: int, turn: float = 0.0) -> tuple[Membrane, Membrane]:
    """Return the isospectral pair.

    Args:
        unit: side of a half-square in pixels.
        turn: degrees to turn both by before they meet the grid, which then cuts their sides anywhere.
    """
    whole("unit", unit, 2)
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.rint(matrix) if turn % 90 == 0 else matrix
    first, second = (polygon(unit * np.array(_CORNERS[n]) @ matrix, name=n) for n in ("gww-1", "gww-2"))
    return first, second


def notched(unit: int) -> tuple[Membrane, Membrane]:
    """Return two Ls, a square of 12 units less a corner of 6 x 6 and less one of 4 x 9: equal area, rim and corners."""
    whole("unit", unit, 1)

    def less(w: int, h: int, name: str) -> Membrane:
        corners = np.array([(0, 0), (12 - w, 0), (12 - w, h), (12, h), (12, 12), (0, 12)])
        return polygon(unit * corners, name=name)

    return less(6, 6, "L less 6 x 6"), less(4, 9, "L less 4 x 9")


def differences(first: "Membrane | np.ndarray", second: "Membrane | np.ndarray", count: int) -> np.ndarray:
    """Return |Lambda_k' - Lambda_k| / Lambda_k of the lowest modes of two drums, (count,)."""
    one, other = lowest(first, count), lowest(second, count)
    return np.abs(other - one) / one
