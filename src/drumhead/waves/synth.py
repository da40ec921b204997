"""Signals whose waves are known, in SI units: the ground truth of every instrument here, and of yours.

    plane       A cos(2 pi f t - k . r)                          travels toward `direction`
    target      A cos(2 pi f t - k |r - r0|)                     travels away from its source
    spiral      A cos(2 pi f t - charge theta - k |r - r0|)      turns about its core
    standing    A cos(2 pi f t) cos(k . r)                       does not travel
    mixture     share of a plane wave, the rest standing
    two_sources, modules    look like waves and are not: fixed patterns that swell one after another
    smooth_noise            correlated in space at zero lag and nothing else
    medium                  y'' = c^2 Lap y - (2 pi f0)^2 y - (2 / tau) y' + white noise: waves of a real medium

Signs: y grows downward, directions are angles from x toward y, a phase advances with time, so phi = 2 pi f t - k . r.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.fft import next_fast_len

from drumhead.errors import DrumheadError
from drumhead.waves.fields import field
from drumhead.waves.units import Quantity, band_edges, quantity

if TYPE_CHECKING:
    from xarray import DataArray


class Array:
    """Where and when a signal is looked at: a grid of sites and evenly spaced times.

    Args:
        shape: rows and columns.
        pitch: distance of neighbours.
        fs: sampling rate.
        duration: of the recording.

    Example:
        >>> array = dh.waves.synth.Array((10, 10), pitch="0.4 mm", fs="1 kHz", duration="1 s")
        >>> dh.waves.synth.plane(array, frequency=20, speed=0.3, direction=np.pi / 4).shape
        (1000, 10, 10)
    """

    def __init__(self, shape: Sequence[int] = (10, 10), pitch: Quantity = "0.4 mm", fs: Quantity = "1 kHz",
                 duration: Quantity = "1 s"):  # fmt: skip
        self.shape = (int(shape[0]), int(shape[1]))
        self.pitch, self.fs = quantity("pitch", pitch, "length"), quantity("fs", fs, "frequency")
        self.count = round(quantity("duration", duration, "time") * self.fs)
        if self.count < 2 or min(self.shape) < 1:
            raise DrumheadError(f"an array of {self.shape} sites and {self.count} times holds no signal")
        self.times = np.arange(self.count)[:, None, None] / self.fs
        self.y, self.x = (np.arange(n) * self.pitch for n in self.shape)

    def around(self, centre: Sequence[float] | None) -> tuple[np.ndarray, np.ndarray]:
        """Return y and x of each site, from a place (y, x) in m; by default the middle."""
        y0, x0 = (self.y[-1] / 2, self.x[-1] / 2) if centre is None else centre
        y, x = np.broadcast_arrays(self.y[:, None] - y0, self.x[None, :] - x0)
        return y, x

    def field(self, values: np.ndarray) -> "DataArray":
        """Return values (time, y, x) as a field."""
        return field(values, self.fs, self.pitch)


def plane(
    array: Array, frequency: Quantity = 20.0, speed: Quantity = 0.3, direction: float = 0.0, phase: float = 0.0
) -> "DataArray":
    """Return a plane wave; `direction` is where it goes, in radians from x toward y.

    Args:
        array: sites and times.
        frequency: "20 Hz" or in Hz.
        speed: of the crests, "0.3 m/s" or in m/s.
        direction: where it goes, in radians from x toward y.
        phase: of the middle of the array at the first time, in radians.

    Returns:
        A field (time, y, x) of amplitude 1, as of all these.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> dh.waves.synth.plane(array, "20 Hz", "0.3 m/s").shape
        (100, 4, 5)
    """
    return array.field(np.cos(_plane(array, frequency, speed, direction) + phase))


def target(
    array: Array, frequency: Quantity = 20.0, speed: Quantity = 0.2, source: Sequence[float] | None = None
) -> "DataArray":
    """Return rings that run away from a source at (y, x) in m.

    Args:
        array: sites and times.
        frequency: "20 Hz" or in Hz.
        speed: of the crests, "0.3 m/s" or in m/s.
        source: (y, x) in m from the first site; the middle by default.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> x = dh.waves.synth.target(array, source=(0, 0))
        >>> float(x[0, 0, 0])
        1.0
    """
    f, k = _numbers(frequency, speed)
    return array.field(np.cos(2 * np.pi * f * array.times - k * np.hypot(*array.around(source))))


def spiral(
    array: Array, frequency: Quantity = 20.0, charge: int = 1, core: Sequence[float] | None = None,
    speed: Quantity | None = None,
) -> "DataArray":  # fmt: skip
    """Return a wave that turns about a core, from x toward y if `charge` is positive; with a speed it winds outward.

    Args:
        array: sites and times.
        frequency: "20 Hz" or in Hz.
        charge: turns of the phase around the core, a whole number.
        core: (y, x) in m from the first site; the middle by default.
        speed: of the crests outward, "0.2 m/s" or in m/s; without it they turn like spokes.

    Example:
        >>> array = dh.waves.synth.Array((8, 8))
        >>> phase = dh.waves.phase(dh.waves.synth.spiral(array, 20.0), "10-40 Hz").phase
        >>> float(abs(dh.waves.charges(phase)[500]).sum())
        1.0
    """
    y, x = array.around(core)
    f = quantity("frequency", frequency, "frequency")
    outward = 0.0 if speed is None else _numbers(f, speed)[1] * np.hypot(y, x)
    return array.field(np.cos(2 * np.pi * f * array.times - charge * np.arctan2(y, x) - outward))


def standing(array: Array, frequency: Quantity = 20.0, speed: Quantity = 0.3, direction: float = 0.0) -> "DataArray":
    """Return a standing wave: two plane waves of opposite directions.

    Args:
        array: sites and times.
        frequency: "20 Hz" or in Hz.
        speed: of the two, "0.3 m/s" or in m/s.
        direction: of one of the two, in radians from x toward y.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> x = dh.waves.synth.standing(array)
        >>> bool(np.linalg.matrix_rank(x.values.reshape(100, 20)) == 1)  # all sites swell at once
        True
    """
    return mixture(array, 0.0, frequency, speed, direction)


def mixture(
    array: Array, share: float, frequency: Quantity = 20.0, speed: Quantity = 0.3, direction: float = 0.0
) -> "DataArray":
    """Return share times a plane wave plus 1 - share times a standing one: 1 travels, 0 stands.

    Args:
        array: sites and times.
        share: what travels, 0 to 1.
        frequency: "20 Hz" or in Hz.
        speed: of the crests, "0.3 m/s" or in m/s.
        direction: where it goes, in radians from x toward y.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> one = dh.waves.synth.mixture(array, 1.0)
        >>> bool(np.allclose(one, dh.waves.synth.plane(array)))
        True
    """
    one, back = (_plane(array, frequency, speed, direction + turn) for turn in (0.0, np.pi))
    return array.field(np.cos(one) * (1 + share) / 2 + np.cos(back) * (1 - share) / 2)


def two_sources(
    array: Array, frequency: Quantity = 10.0, lag: float = np.pi / 2, width: Quantity | None = None
) -> "DataArray":
    """Return two blobs that swell a lag (in radians) apart: phases lie between theirs and nothing travels.

    Args:
        array: sites and times.
        frequency: "10 Hz" or in Hz.
        lag: of the second, in radians.
        width: standard deviation of a blob, "0.5 mm" or in m; by default it follows from the array.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> dh.waves.synth.two_sources(array).shape
        (100, 4, 5)
    """
    return _blobs(array, frequency, [0.0, lag], width)


def modules(
    array: Array, frequency: Quantity = 10.0, count: int = 3, lag: float = np.pi / 3, width: Quantity | None = None
) -> "DataArray":
    """Return blobs in a row that swell one after another, a lag (in radians) apart, each as a whole.

    Args:
        array: sites and times.
        frequency: "10 Hz" or in Hz.
        count: how many blobs.
        lag: between two of them, in radians.
        width: standard deviation of a blob, "0.5 mm" or in m; by default it follows from the array.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> dh.waves.synth.modules(array, count=2).shape
        (100, 4, 5)
    """
    return _blobs(array, frequency, [lag * i for i in range(count)], width)


def smooth_noise(
    array: Array, seed: int, width: float = 2.0, colour: float = 1.0, band: str | tuple[float, float] | None = None
) -> "DataArray":
    """Return noise that is smooth in space and goes nowhere, of variance 1.

    Args:
        array: sites and times.
        seed: of the random numbers.
        width: standard deviation of the smoothing, in sites; 0 leaves them independent.
        colour: power falls as 1 / f^colour; 0 is white.
        band: keep only these frequencies, "10-30 Hz" or in Hz.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> x = dh.waves.synth.smooth_noise(array, seed=0)
        >>> round(float(x.std()), 6)
        1.0
    """
    random, pad = np.random.default_rng(seed), int(np.ceil(4 * width))
    rows, columns = (n + 2 * pad for n in array.shape)
    f = np.fft.rfftfreq(array.count, 1 / array.fs)
    gain = _coloured(f, colour) * (f > 0)
    if band is not None:
        low, high = band_edges("band", band)
        gain *= (f >= low) & (f <= high)
        if not gain.any():
            raise DrumheadError(
                f"band={band!r}: {array.count} samples at {array.fs:g} Hz have no frequency there; take a wider band"
            )
    waves = np.fft.rfft(random.normal(size=(array.count, rows, columns)), axis=0) * gain[:, None, None]
    waves = np.fft.irfft(waves, array.count, axis=0)
    if width:
        waves = ndimage.gaussian_filter(waves, (0, width, width), mode="wrap")
    waves = waves[:, pad : rows - pad, pad : columns - pad]
    return array.field(waves / waves.std())


def sensor_noise(x: "DataArray", snr: float, seed: int, colour: float = 0.0) -> "DataArray":
    """Return a field with independent noise at each site, whose standard deviation is the signal's over `snr`.

    Args:
        x: a field.
        snr: the signal's standard deviation over the noise's.
        seed: of the random numbers.
        colour: power of the noise falls as 1 / f^colour; 0 is white.

    Example:
        >>> array = dh.waves.synth.Array((4, 5), pitch="0.4 mm", fs="500 Hz", duration="0.2 s")
        >>> x = dh.waves.synth.plane(array)
        >>> noisy = dh.waves.synth.sensor_noise(x, snr=2.0, seed=0)
        >>> round(float(x.std() / (noisy - x).std()), 6)
        2.0
    """
    random = np.random.default_rng(seed)
    noise = random.normal(size=x.shape)
    if colour:
        f = np.fft.rfftfreq(len(noise))
        gain = _coloured(f, colour).reshape(-1, *(1,) * (noise.ndim - 1))
        noise = np.fft.irfft(np.fft.rfft(noise, axis=0) * gain, len(noise), axis=0)
    noise *= float(np.nanstd(x.values)) / snr / noise.std()
    return x + noise


def medium(
    array: Array, speed: Quantity = 0.2, f0: Quantity = 8.0, tau: Quantity = 0.05, seed: int = 0,
    padding: int | None = None,
) -> "DataArray":  # fmt: skip
    """Return a crop of a damped, driven medium, y'' = c^2 Lap y - (2 pi f0)^2 y - (2 / tau) y' + white noise.

    Every spatial mode of a large torus is an oscillator of its own, y'' = -K y - (2 / tau) y' + noise. Its state moves
    from sample to sample by Phi = exp(A dt) and a Gaussian of covariance P - Phi P Phi^T, P = diag(tau / K, tau) / 4
    being that of rest: exact, from the first sample on.

    Args:
        array: sites and times of the crop.
        speed: c, of fronts and of short waves.
        f0: natural frequency, of the long waves.
        tau: decay time of the amplitude of every mode.
        seed: of the random numbers.
        padding: sites around the crop, so that a wave which leaves it comes back faded; by default as far as waves run
            in 6 tau, at least 16, at most 256.

    Returns:
        Variance 1. Frequencies beyond half the sampling rate fold back, as in a recording without a filter.

    Example:
        >>> array = dh.waves.synth.Array((6, 6), pitch="0.4 mm", fs="500 Hz", duration="0.4 s")
        >>> dh.waves.synth.medium(array, speed="0.2 m/s", f0="8 Hz", tau="50 ms").shape
        (200, 6, 6)
    """
    c, f, t = (quantity(*given) for given in (("speed", speed, "speed"), ("f0", f0, "frequency"), ("tau", tau, "time")))
    if padding is None:
        padding = int(np.clip(np.ceil(6 * c * t / array.pitch), 16, 256))
    rows, columns = (int(next_fast_len(n + padding) or 0) for n in array.shape)
    ky, kx = 2 * np.pi * np.fft.fftfreq(rows), 2 * np.pi * np.fft.rfftfreq(columns)
    stiff = (c / array.pitch) ** 2 * 4 * (np.sin(ky / 2)[:, None] ** 2 + np.sin(kx / 2) ** 2) + (2 * np.pi * f) ** 2
    step, rate = 1 / array.fs, 1 / t
    root = np.emath.sqrt(stiff - rate**2)
    decay, turn = np.exp(-rate * step), root * step
    cosine = np.real(np.cos(turn))
    sine = np.real(np.where(np.abs(turn) > 1e-9, np.sin(turn) / np.where(turn == 0, 1, root), step))
    keep, give = decay * (cosine + rate * sine), decay * sine  # y from y and from z
    lose, slow = -decay * stiff * sine, decay * (cosine - rate * sine)  # z from y and from z
    at_rest = t / (4 * stiff), np.full_like(stiff, t / 4)
    of_y = at_rest[0] - keep**2 * at_rest[0] - give**2 * at_rest[1]
    of_both = -keep * lose * at_rest[0] - give * slow * at_rest[1]
    of_z = at_rest[1] - lose**2 * at_rest[0] - slow**2 * at_rest[1]
    push = np.sqrt(np.maximum(of_y, 0))  # Cholesky's factor of the covariance
    along = np.divide(of_both, push, out=np.zeros_like(push), where=push > 0)
    across = np.sqrt(np.maximum(of_z - along**2, 0))
    random = np.random.default_rng(seed)

    def white() -> np.ndarray:
        return np.fft.rfft2(random.normal(size=(rows, columns)))

    y, z = white() * np.sqrt(at_rest[0]), white() * np.sqrt(at_rest[1])
    out = np.empty((array.count, *array.shape))
    for i in range(array.count):
        out[i] = np.fft.irfft2(y, (rows, columns))[: array.shape[0], : array.shape[1]]
        first, second = white(), white()
        y, z = keep * y + give * z + push * first, lose * y + slow * z + along * first + across * second
    return array.field(out / out.std())


def _numbers(frequency: Quantity, speed: Quantity) -> tuple[float, float]:
    """Return the frequency and the wave number, 2 pi f / speed, in rad/m."""
    f = quantity("frequency", frequency, "frequency")
    return f, 2 * np.pi * f / quantity("speed", speed, "speed")


def _coloured(f: np.ndarray, colour: float) -> np.ndarray:
    """Return the amplitude of noise whose power falls as 1 / f^colour; 0 Hz has as much as the frequency above it."""
    return np.maximum(f, f[1]) ** (-colour / 2)


def _plane(array: Array, frequency: Quantity, speed: Quantity, direction: float) -> np.ndarray:
    f, k = _numbers(frequency, speed)
    y, x = array.around(None)
    return 2 * np.pi * f * array.times - k * (np.cos(direction) * x + np.sin(direction) * y)


def _blobs(array: Array, frequency: Quantity, lags: Sequence[float], width: Quantity | None) -> "DataArray":
    f, across = quantity("frequency", frequency, "frequency"), array.x[-1] or array.pitch
    wide = across / (2 * len(lags)) if width is None else quantity("width", width, "length")
    waves = np.zeros((array.count, *array.shape))
    for i, lag in enumerate(lags):
        y, x = array.around((array.y[-1] / 2, across * (i + 0.5) / len(lags)))
        waves += np.cos(2 * np.pi * f * array.times - lag) * np.exp(-(y**2 + x**2) / (2 * wide**2))
    return array.field(waves)
