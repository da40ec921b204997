"""The area of a square drum as each of its pixels hears it.

The fundamental of a square of side L has omega_11 = sqrt(2) pi c / L, so its area is L^2 = 2 pi^2 c^2 / omega_11^2,
whoever hears the fundamental: no pixel needs to see the rim. A pixel that listens for T time units knows omega_11 to
half a bin, pi / T, and the area to

    2 pi^2 c^2 / (omega + pi / T)^2  ..  2 pi^2 c^2 / (omega - pi / T)^2,

about one part in the number of periods heard. On a grid with steps of dt the omega that rings is not quite that of
the formula; `omega_of_drum` undoes both exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drumhead.drum.modes import ringing, square_values
from drumhead.drum.strike import strike
from drumhead.errors import DrumheadError, positive, whole
from drumhead.waves.spectra import fundamental


@dataclass(frozen=True, eq=False)
class Heard:
    """What pixels know of the area; arrays of one number a pixel, nan where no peak was heard."""

    omega: np.ndarray
    """Angular frequency of the fundamental, the middle of its bin."""
    area: np.ndarray
    """Area that follows from it."""
    low: np.ndarray
    """Smallest area within the bin."""
    high: np.ndarray
    """Largest area within the bin; infinite if the bin reaches down to zero."""
    plain: np.ndarray
    """Area by the formula alone, without undoing the dispersion of the grid and the steps."""


def omega_of_drum(omega: np.ndarray, step: float, c: float = 1.0) -> np.ndarray:
    """Return sqrt(2) pi c / L of the square whose fundamental rings at `omega` on a grid with Euler steps.

    sin(omega dt / 2) = (dt / 2) sqrt(Lambda) gives Lambda, and Lambda = 8 c^2 sin^2(pi / 2 L) gives L.
    """
    stiffness = (2 / step * np.sin(omega * step / 2)) ** 2
    return np.sqrt(2) * c * 2 * np.arcsin(np.clip(np.sqrt(stiffness / 8) / c, -1, 1))


def area_heard(series: np.ndarray, dt: float, *, c: float = 1.0, step: float | None = None) -> Heard:
    """Return the area of a square drum that each series tells.

    Args:
        series: (t, ...): displacement at pixels that move.
        dt: time between two entries.
        c: speed of the waves in pixels per unit time.
        step: the simulation's step, if it recorded every few steps only; `dt` by default.

    Returns:
        Area in pixels^2 and what half a bin allows, of each series.

    Raises:
        DrumheadError: fewer than 8 entries, or dt or c are not positive.

    Example:
        >>> square = dh.drum.shape("square", 10)
        >>> series = dh.drum.strike(square, steps=4000, listen=[(5, 5)])
        >>> heard = dh.drum.area_heard(series, 0.5)
        >>> bool((heard.low <= 100).all() and (heard.high >= 100).all())
        True
    """
    if len(series) < 8:
        raise DrumheadError(f"series: got {len(series)} entries; at least 8 are needed to hear anything")
    step = positive("dt", dt) if step is None else positive("step", step)
    omega, half = fundamental(series, dt), np.pi / (len(series) * dt)
    speed = positive("c", c)

    def area(heard: np.ndarray) -> np.ndarray:
        true = omega_of_drum(heard, step, speed)
        with np.errstate(divide="ignore"):
            return 2 * np.pi**2 * speed**2 / np.maximum(true, 0) ** 2

    return Heard(omega, area(omega), area(omega + half), area(omega - half), 2 * (np.pi * speed / omega) ** 2)


@dataclass(frozen=True, eq=False)
class Squares:
    """Area heard by every pixel of one square."""

    side: int
    """L from rim to rim."""
    steps: int
    """Steps simulated."""
    dt: float
    """Length of a step."""
    omega: float
    """Frequency at which the fundamental rings, in closed form."""
    heard: Heard
    """(L - 1, L - 1) each."""


def squares(sides: Sequence[int], *, time: float = 6000, dt: float = 0.5, c: float = 1.0) -> list[Squares]:
    """Lift squares of many sizes, let go, and ask every pixel how large its drum is.

    All are heard for the same time, so that the ear does not have to know the answer to choose it.

    Args:
        sides: L of each, from rim to rim, at least 3.
        time: how long to listen, in units of 1 / c; a square of side L has a period of 1.41 L of them.
        dt: step, in the same units: at most 0.707.
        c: speed of the waves in pixels per unit time.

    Example:
        >>> (result,) = dh.drum.squares([10], time=2000)
        >>> bool((result.heard.low <= 100).all() and (result.heard.high >= 100).all())
        True
    """
    # Nothing rings faster than 2 / dt arcsin(sqrt(2) dt): so many steps may be left out without aliasing.
    every = max(1, int(np.pi / (2 * np.arcsin(min(np.sqrt(2) * positive("dt", dt), 1.0))) + 1e-9))
    steps = every * max(8, round(positive("time", time) / (every * dt)))
    step, results = dt / positive("c", c), []
    for side in sides:
        omega = float(ringing(square_values(whole("side", side, 3), 1, c), step)[0])
        series = strike(np.ones((side - 1, side - 1), bool), steps=steps, dt=step, c=c, every=every)
        results.append(Squares(side, steps, step, omega, area_heard(series, every * step, c=c, step=step)))
    return results
