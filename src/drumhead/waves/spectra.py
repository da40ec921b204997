"""What frequencies a series holds. NumPy only."""

import numpy as np

from drumhead.errors import positive

FLOOR = 0.05  # a peak is heard when it is this loud beside the loudest; the window's side lobes are below 0.03
BLOCK = 256  # pixels transformed at a time


def spectrum(series: np.ndarray) -> np.ndarray:
    """Return the magnitudes (t // 2 + 1, ...) of series (t, ...) under a Hann window, whose side lobes fall fast.

    Args:
        series: displacement or anything else, evenly spaced in time.

    Returns:
        Of bin k, the angular frequency 2 pi k / (t dt); unnormalised.

    Example:
        >>> int(dh.drum.spectrum(np.cos(2 * np.pi * 5 * np.arange(100) / 100)).argmax())
        5
    """
    window = np.hanning(len(series) + 1)[:-1].reshape(-1, *(1,) * (series.ndim - 1))
    return np.abs(np.fft.rfft(series * window, axis=0))


def fundamental(series: np.ndarray, dt: float) -> np.ndarray:
    """Return the angular frequency of the lowest peak of each series, nan where there is none: the middle of a bin.

    Args:
        series: (t, ...).
        dt: time between two entries.

    Example:
        >>> t = np.arange(2000) * 0.5
        >>> heard = dh.drum.fundamental(np.cos(0.2 * t) + np.cos(0.5 * t), 0.5)
        >>> bool(abs(heard - 0.2) < np.pi / 1000)  # half a bin
        True
    """
    flat = series.reshape(len(series), -1)
    found = [_lowest_peak(spectrum(flat[:, i : i + BLOCK])) for i in range(0, flat.shape[1], BLOCK)]
    bins = np.concatenate(found).reshape(series.shape[1:])
    return 2 * np.pi * bins / (len(series) * positive("dt", dt))


def _lowest_peak(loud: np.ndarray) -> np.ndarray:
    inner = loud[1:-1]
    peak = (inner >= loud[:-2]) & (inner > loud[2:]) & (inner > FLOOR * loud.max(0))
    return np.where(peak.any(0), peak.argmax(0) + 1.0, np.nan)
