"""Pairs of drums that pitches can tell apart, and one pair that they cannot.

Gordon, Webb and Wolpert's drums (1992) cannot be told apart. Cut both into their seven half-squares: a mode of one, the
sum of some of its pieces, turned over or with the other sign, in each piece of the other, is a mode of the other with
the same Lambda. The five-point Laplacian on a grid whose lines and diagonals carry the cuts has every symmetry that the
argument uses, and no corner of a piece lies inside a drum, so on such a grid they are isospectral as well, at any
resolution and not only in the limit.

The control, to show that such an ear is not deaf: an L cut from a square in two ways, with the same area,
perimeter and corners, so that all of Weyl's law agrees, and different modes all the same.
"""

import numpy as np

from drumhead.drum.membranes import Membrane
from drumhead.drum.modes import lowest
from drumhead.drum.shapes import CORNERS, polygon
from drumhead.errors import whole


def gww(unit: int, turn: float = 0.0) -> tuple[Membrane, Membrane]:
    """Return the isospectral pair.

    Args:
        unit: side of a half-square in pixels.
        turn: degrees to turn both by before they meet the grid, which then cuts their sides anywhere.

    Returns:
        gww-1 and gww-2, of equal area and perimeter.

    Example:
        >>> one, two = dh.drum.gww(4)
        >>> bool(dh.drum.differences(one, two, 10).max() < 1e-9)
        True
    """
    whole("unit", unit, 2)
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.rint(matrix) if turn % 90 == 0 else matrix
    first, second = (polygon(unit * np.array(CORNERS[n]) @ matrix, name=n) for n in ("gww-1", "gww-2"))
    return first, second


def notched(unit: int) -> tuple[Membrane, Membrane]:
    """Return two Ls, a square of 12 units less a corner of 6 x 6 and less one of 4 x 9: equal area, rim and corners.

    Args:
        unit: in pixels.

    Example:
        >>> one, two = dh.drum.notched(2)
        >>> one.area == two.area, bool(dh.drum.differences(one, two, 10).max() > 0.05)
        (True, True)
    """
    whole("unit", unit, 1)

    def less(w: int, h: int, name: str) -> Membrane:
        corners = np.array([(0, 0), (12 - w, 0), (12 - w, h), (12, h), (12, 12), (0, 12)])
        return polygon(unit * corners, name=name)

    return less(6, 6, "L less 6 x 6"), less(4, 9, "L less 4 x 9")


def differences(first: "Membrane | np.ndarray", second: "Membrane | np.ndarray", count: int) -> np.ndarray:
    """Return |Lambda_k' - Lambda_k| / Lambda_k of the lowest modes of two drums, (count,).

    Args:
        first: a membrane or bool (y, x).
        second: another.
        count: how many modes, at most as many as pixels move in either.

    Example:
        >>> square = dh.drum.shape("square", 8)
        >>> dh.drum.differences(square, square, 3).tolist()
        [0.0, 0.0, 0.0]
    """
    one, other = lowest(first, count), lowest(second, count)
    return np.abs(other - one) / one
