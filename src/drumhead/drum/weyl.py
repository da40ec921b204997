"""Area and perimeter of any drum, heard by counting its modes.

Weyl's law: the number of modes with Lambda < c^2 lambda is, on average,

    N(lambda) ~ A lambda / 4 pi - P sqrt(lambda) / 4 pi + C,

A the area, P the perimeter, C a sum over corners. On the grid short waves are slow: Lambda falls short of k^2, and the
plain law hears a drum that is too large. The grid's own counts take its place exactly: an infinite grid has a(lambda)
modes a pixel and a straight rim along it costs p(lambda) a pixel,

    a = area of {0 <= kx, ky <= pi: 4 sin^2(kx / 2) + 4 sin^2(ky / 2) < lambda} / pi^2   (lambda / 4 pi when small),
    p = arcsin(sqrt(lambda) / 2) / 2 pi                                           (sqrt(lambda) / 4 pi when small).

N jumps and wobbles around the law, so a fit to counts is rough. The same law summed over modes with weights
exp(-lambda t) (Kac's heat trace) is smooth; its wobble is exponentially small for t below the drum's width squared:

    sum_k exp(-lambda_k t) ~ A g^2 - P g / 4 + C,      g = exp(-2 t) I_0(2 t)  ->  1 / sqrt(4 pi t).
"""

from dataclasses import dataclass

import numpy as np

from drumhead.drum.membranes import Membrane, as_mask
from drumhead.drum.modes import lowest
from drumhead.errors import DrumheadError, positive

TOP = 1.0  # largest lambda asked for: waves of 6 pixels and longer
MOST = 400  # modes asked for; more take long and add little
HEAT = (11.0, 22.0)  # t times the largest lambda: what is not summed weighs below exp(-11)

SMALLEST = 40  # pixels that move: fewer have too few modes to count


@dataclass(frozen=True, eq=False)
class Weyl:
    """Area, perimeter and constant that were heard, by two fits of the same law."""

    values: np.ndarray
    """The modes used, (k,), in units of c^2."""
    counted: tuple[float, float, float]
    """Area, perimeter, constant from the counts N(lambda)."""
    smoothed: tuple[float, float, float]
    """The same from the heat trace."""
    plain: tuple[float, float, float]
    """From the counts with Weyl's law as it stands, grid ignored."""


def lattice_count(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a and p, modes of the grid below each lambda < 4 per pixel of area and of rim.

    Args:
        values: Lambda / c^2 (n,), below 4.

    Returns:
        Two arrays (n,): for low lambda lambda / 4 pi and, of the rim, sqrt(lambda) / 4 pi.

    Example:
        >>> area, rim = dh.drum.lattice_count(np.array([0.01]))
        >>> bool(abs(area[0] * 4 * np.pi / 0.01 - 1) < 0.01), bool(abs(abs(rim[0]) * 4 * np.pi / 0.1 - 1) < 0.01)
        (True, True)
    """
    k = 2 * np.arcsin(np.sqrt(values) / 2)
    t = np.linspace(0, np.pi / 2, 2001)  # kx = k sin t takes the root out of the end point
    kx = k[:, None] * np.sin(t)
    ky = 2 * np.arcsin(np.sqrt(np.clip(values[:, None] / 4 - np.sin(kx / 2) ** 2, 0, 1)))
    return np.trapezoid(ky * np.cos(t) * k[:, None], t, axis=1) / np.pi**2, k / (4 * np.pi)


def weyl(drum: "Membrane | np.ndarray", *, count: int | None = None, c: float = 1.0,
         values: np.ndarray | None = None) -> Weyl:  # fmt: skip
    """Hear area and perimeter of a drum from its modes.

    Args:
        drum: a membrane or bool (y, x).
        count: modes to use; by default those below lambda = 1, about a twelfth of the pixels, but 30 to 400 if there
            are so many below 4.
        c: speed of the waves in pixels per unit time.
        values: Lambda of the lowest modes, if they are known already.

    Raises:
        DrumheadError: fewer than 8 modes, or modes so high (lambda >= 4) that the grid has no count for them.

    Example:
        >>> heard = dh.drum.weyl(dh.drum.shape("L", 36))
        >>> bool(abs(heard.smoothed[0] / 972 - 1) < 0.01)
        True
    """
    mask, square = as_mask(drum), positive("c", c) ** 2
    if values is None:
        pixels = int(mask.sum())
        known = count is not None
        if count is None:
            count = min(pixels, MOST, max(30, round(pixels * TOP / (4 * np.pi))))
        values = lowest(mask, count)
        values = values if known else values[values < 3.9]
    else:
        values = np.sort(np.asarray(values, float)) / square
    if len(values) < 8 or values[-1] >= 4:
        raise DrumheadError(
            f"{len(values)} modes with lambda up to {max(values, default=0):.3g}: at least 8, and all below 4, are "
            "needed; take a larger drum or a different count"
        )
    area, rim = lattice_count(values)
    smooth = (values / (4 * np.pi), np.sqrt(values) / (4 * np.pi))
    return Weyl(values, _fit_counts(values, area, rim), _fit_heat(values), _fit_counts(values, *smooth))


def counted(heard: "tuple[float, float, float]", values: np.ndarray) -> np.ndarray:
    """Return the fitted N at each lambda, on the grid.

    Args:
        heard: area, perimeter and constant, as `weyl` gives them.
        values: Lambda (n,), below 4.

    Example:
        >>> square = dh.drum.shape("square", 24)
        >>> n = dh.drum.counted(dh.drum.weyl(square).smoothed, np.array([1.0]))
        >>> bool(abs(n[0] - dh.drum.count_below(square, 1.0)) < 3)
        True
    """
    area, rim = lattice_count(values)
    return heard[0] * area - heard[1] * rim + heard[2]


def _fit_counts(values: np.ndarray, area: np.ndarray, rim: np.ndarray) -> tuple[float, float, float]:
    """Fit N(lambda_k) = k - 1/2, with weights that fade out at both ends, where a cut wobble would tilt the fit."""
    weight = np.sin(np.pi * np.sqrt(values / values[-1])) + 1e-3
    return _solve(np.stack([area, -rim, np.ones_like(values)], 1), np.arange(len(values)) + 0.5, weight)


def _fit_heat(values: np.ndarray) -> tuple[float, float, float]:
    from scipy.special import ive

    t = np.geomspace(*HEAT, 30) / values[-1]
    g = ive(0, 2 * t)
    return _solve(np.stack([g**2, -g / 4, np.ones_like(t)], 1), np.exp(-values * t[:, None]).sum(1), 1 / g**2)


def _solve(columns: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    a, p, c = np.linalg.lstsq(columns * weight[:, None], right * weight, rcond=None)[0]
    return float(a), float(p), float(c)
