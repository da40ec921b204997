"""Surrogates: a recording again, without what a question asks for.

    null                 takes away                                                    asks
    zero_lag             lags between sites; spectra and zero-lag covariance stay      does it travel?
    channel_shuffle      the order of sites                                            is there any order in space?
    independent_phase    all relations between sites                                   are sites related at all?
    common_phase         everything but spectra and cross-spectra                      more than a Gaussian process?
    time_shift           the time of all sites together                                is it locked to events?

Noise that is merely smooth in space, and standing waves, differ from the second and third nearly always, so only the
first is fair to "does it travel". It draws Fourier coefficients with the real part of the smoothed cross-spectrum,

    X(f) = g(f) sum_j (a_j Re W_j + b_j Im W_j),   W_j = X_j / trend_j,   a, b complex normal numbers,

over as many frequencies j around f as there are sites: their covariance is Re sum_j W_j W_j^*, without any matrix
being made. The trend (a running mean of the logarithm) keeps loud low frequencies from speaking for all, g gives each
frequency its own power back.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import choose, whole
from drumhead.waves.fields import good, rate
from drumhead.waves.filters import as_field, unsloped

if TYPE_CHECKING:
    from xarray import DataArray

ROWS = 32  # frequencies that are mixed together
NULLS = ("zero_lag", "channel_shuffle", "independent_phase", "common_phase", "time_shift")


def surrogate(x: "DataArray", null: str = "zero_lag", seed: int = 0) -> "DataArray":
    """Return one surrogate of a field; bad sites stay bad, and each site keeps its mean and its drift, a straight line.

    Args:
        x: a field.
        null: which one; the module's head says what each destroys and keeps.
        seed: of the random numbers.

    Source:
        Prichard and Theiler, Phys. Rev. Lett. 73 (1994) 951, for common and independent phases; the zero-lag null is
        this project's.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(duration="2 s"))
        >>> dh.waves.surrogate(x, "zero_lag", seed=1).shape
        (2000, 10, 10)
    """
    return next(surrogates(x, null, seed))


def surrogates(x: "DataArray", null: str = "zero_lag", seed: int = 0) -> "Iterator[DataArray]":
    """Yield surrogates of a field without end; the first is that of `surrogate`.

    Args:
        x: a field.
        null: which one.
        seed: of the random numbers.
    """
    x = as_field(x, "surrogate")
    rate(x)  # refuses a single moment
    known = good(x)
    values = x.values[:, known]
    flat = unsloped(values)
    spectrum = np.fft.rfft(flat, axis=0)
    # Without means and drifts, which stay: they say nothing about waves, and would speak for all slow frequencies.
    for drawn in draws(spectrum[1:], null, seed, np.fft.rfftfreq(len(values))[1:]):
        if len(values) % 2 == 0:
            drawn[-1] = drawn[-1].real
        out = np.full(x.shape, np.nan, x.dtype)
        out[:, known] = np.fft.irfft(np.concatenate([0 * drawn[:1], drawn]), len(values), axis=0) + (values - flat)
        yield x.copy(data=out)


def draws(spectrum: np.ndarray, null: str, seed: int, frequencies: np.ndarray) -> Iterator[np.ndarray]:
    """Yield Fourier coefficients (f, n) of surrogates without end, given those of the recording.

    Args:
        spectrum: complex (f, n), of neighbouring frequencies.
        null: see `surrogate`.
        seed: of the random numbers.
        frequencies: of the coefficients, in cycles a sample.
    """
    choose("null", null, NULLS)
    random = np.random.default_rng(whole("seed", seed, 0))
    count, sites = spectrum.shape
    parts = _Halves(spectrum) if null == "zero_lag" else None
    while True:
        if parts is not None:
            yield parts.draw(random)
        elif null == "channel_shuffle":
            yield spectrum[:, random.permutation(sites)]
        elif null == "independent_phase":
            yield spectrum * np.exp(2j * np.pi * random.random((count, sites)))
        elif null == "common_phase":
            yield spectrum * np.exp(2j * np.pi * random.random((count, 1)))
        else:
            yield spectrum * np.exp(2j * np.pi * frequencies[:, None] * random.integers(1, 2**20))


class _Halves:
    """Real and imaginary parts of coefficients without their trend, and the windows that surrogates are mixed from."""

    def __init__(self, spectrum: np.ndarray):
        count, sites = spectrum.shape
        self.window = min(count, sites)
        power = np.maximum((np.abs(spectrum) ** 2).mean(1), np.finfo(float).tiny)
        trend = np.exp(_running(np.log(power), self.window))
        level = spectrum / np.sqrt(trend)[:, None]
        self.parts = np.stack([level.real, level.imag], 1)  # (f, 2, n)
        starts = np.clip(np.arange(count) - self.window // 2, 0, count - self.window)
        self.ends = [(start, np.flatnonzero(starts == start)) for start in np.unique(starts[[0, -1]])]
        self.middle = np.flatnonzero((starts > starts[0]) & (starts < starts[-1]))  # each row has a window of its own
        around = np.convolve(np.abs(level) ** 2 @ np.ones(sites), np.ones(self.window), "valid")[starts]
        self.gain = np.sqrt(_running(power, min(5, count)) * sites / np.maximum(around, np.finfo(float).tiny))

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Return coefficients (f, n) of one surrogate."""
        count, _, sites = self.parts.shape
        out = np.empty((count, sites), complex)
        for start, rows in self.ends:
            base = self.parts[start : start + self.window].reshape(-1, sites)
            mix = random.normal(size=(2 * len(rows), len(base))) @ base
            out[rows] = mix[: len(rows)] + 1j * mix[len(rows) :]
        for rows in np.split(self.middle, range(ROWS, len(self.middle), ROWS)):
            if len(rows):
                out[rows] = self._band(random.normal(size=(len(rows), 2, 2 * self.window)), rows[0])
        return out * (self.gain / np.sqrt(2))[:, None]

    def _band(self, numbers: np.ndarray, first: int) -> np.ndarray:
        """Return neighbouring rows in one product: their windows overlap, each begins one row after the other."""
        count, _, width = numbers.shape
        start = first - self.window // 2
        base = self.parts[start : start + self.window + count - 1].reshape(2 * (self.window + count - 1), -1)
        mixing = np.zeros((2, count, len(base)))
        for i, own in enumerate(numbers):
            mixing[:, i, 2 * i : 2 * i + width] = own
        mix = mixing.reshape(2 * count, -1) @ base
        return mix[:count] + 1j * mix[count:]


def _running(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of as many neighbours, of fewer at the ends."""
    ones = np.ones(window)
    return (
        np.convolve(values, ones, "same")[: len(values)]
        / np.convolve(np.ones(len(values)), ones, "same")[: len(values)]
    )
