"""Lines: the peaks of what a pixel hears, beside the modes of its drum."""

from dataclasses import dataclass

import numpy as np

from drumhead.waves.spectra import FLOOR, spectrum


@dataclass(frozen=True)
class Lines:
    """Peaks of a spectrum beside the frequencies of modes."""

    modes: int
    """Modes that stand alone (no other within 3 bins) among those asked for."""
    heard: int
    """How many of them have a peak within half a bin."""
    farthest: float
    """Largest distance of a peak from its mode, in bins, over peaks nearest to a mode that stands alone."""
    peaks: int
    """Peaks below the highest mode."""


def lines(series: np.ndarray, dt: float, omega: np.ndarray) -> Lines:
    """Compare the peaks of one series with the frequencies at which modes ring.

    Args:
        series: (t,).
        dt: time between two entries.
        omega: (k,): angular frequencies of the lowest modes, ascending, from `ringing`.

    Returns:
        Which modes stand alone, which of them are heard, and how far their peaks are off, in bins.

    Example:
        >>> square, dt = dh.drum.shape("square", 12), 0.5
        >>> found = dh.drum.modes(square, 6)
        >>> series = dh.drum.strike(square, (5, 4), steps=4000, dt=dt, listen=[(4, 7)])[:, 0]
        >>> heard = dh.drum.lines(series, dt, dh.drum.ringing(found.values, dt))
        >>> heard.heard <= heard.modes, heard.farthest <= 0.5
        (True, True)
    """
    loud, where = spectrum(series), omega * len(series) * dt / (2 * np.pi)
    inner = loud[1:-1]
    peak = (inner >= loud[:-2]) & (inner > loud[2:]) & (inner > FLOOR * loud.max())
    peaks = np.flatnonzero(peak) + 1.0
    peaks = peaks[peaks < where[-1]]
    gaps = np.diff(where, prepend=-np.inf, append=np.inf)
    alone = (gaps[:-1] > 3) & (gaps[1:] > 3)
    distance = np.abs(peaks[:, None] - where)  # (peaks, modes)
    mine = distance[alone[distance.argmin(1)]]
    heard = int((mine[:, alone] <= 0.5 + 1e-9).any(0).sum()) if len(mine) else 0
    return Lines(int(alone.sum()), heard, float(mine.min(1, initial=np.inf).max(initial=0.0)), len(peaks))
