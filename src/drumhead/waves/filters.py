"""Filters that move no wave: each runs both ways or is symmetric, so that all frequencies arrive on time."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import signal

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import field, good, rate
from drumhead.waves.units import Quantity, band_edges, quantity, said

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

    Series = TypeVar("Series", DataArray, Dataset)

Band = str | tuple[float, float]
PERIODS = 3  # of the lower edge, that a recording has to hold
BLOCK = 32  # channels filtered at a time: what is in flight stays far below the recording itself
TERMS = 2000  # of the ratio of two sampling rates, at most; the rate is then met to 1e-5, and the times say what it is


def bandpass(x: "DataArray", band: Band, order: int = 4) -> "DataArray":
    """Return a field with the frequencies of a band, at the times at which they were.

    A Butterworth filter of the given order at either edge runs forward and backward, so the gain is
    |H(f)|^2 = 1 / (1 + w^(2 order)), w = (f^2 - f1 f2) / (f (f2 - f1)) before the bilinear map, and no phase moves.

    Args:
        x: a field.
        band: the edges f1 and f2, "10-30 Hz" or in Hz. A wide band keeps the shape of a wave (Davis et al. take
            5-40 Hz); a narrow one makes smooth turning phases out of any noise.
        order: how steep; 4 is usual.

    Returns:
        The field, filtered; bad channels stay NaN, and `attrs["band_hz"]` says what was kept.

    Raises:
        DrumheadError: the band reaches half the sampling rate, or the recording holds fewer than three periods of f1.

    Source:
        S. Butterworth, On the theory of filter amplifiers, 1930; F. Gustafsson, IEEE Trans. Signal Process. 44, 1996.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(), frequency=20)
        >>> kept = dh.waves.bandpass(x + 3, "5-40 Hz")
        >>> kept.attrs["band_hz"], bool(abs(kept - x)[300:-300].max() < 0.01)
        ((5.0, 40.0), True)
    """
    x = as_field(x, "bandpass")
    run, low, high = filter_of(x, band, order)
    return x.copy(data=by_channel(x, run)).assign_attrs(band_hz=(low, high))


def trim(x: "Series", seconds: Quantity) -> "Series":
    """Return a field, or anything else with times, without its first and last seconds.

    Args:
        x: a field, or what another verb returns.
        seconds: to cut off at either end, "200 ms" or in s; one period of the lowest frequency gets rid of the edges
            that a filter leaves.

    Returns:
        The rest, with its times.

    Raises:
        DrumheadError: fewer than two times are left, or singularities, whose points and trajectories would stay.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(duration="1 s"))
        >>> dh.waves.trim(x, "200 ms").time.values[[0, -1]].round(3).tolist()
        [0.2, 0.799]
    """
    if "time" not in getattr(x, "coords", ()):
        raise DrumheadError(f"trim takes a field or what another verb returns, got {type(x).__name__} without times")
    if "point" in x.dims:
        raise DrumheadError(
            "trim cannot cut the trajectories of singularities; cut the phases first, then look for them"
        )
    cut, count = round(span("seconds", seconds) * rate(x)), x.sizes["time"]  # pyright: ignore[reportArgumentType]
    if count - 2 * cut < 2:
        raise DrumheadError(
            f"cutting {said(cut / rate(x), 's')} off both ends of {said(count / rate(x), 's')} leaves nothing; "  # pyright: ignore[reportArgumentType]
            "cut less or take a longer recording"
        )
    return x.isel(time=slice(cut, count - cut))


def resample(x: "DataArray", fs: Quantity) -> "DataArray":
    """Return a field at another sampling rate, without what the new rate cannot hold.

    The new rate is up / down times the old one: a symmetric low-pass filter at half the lower of both rates, cut into
    `up` phases, gives the new samples. The first time stays; what lies within 10 new samples of an end leans on a
    straight line drawn on from there.

    Args:
        x: a field.
        fs: the new sampling rate, "250 Hz" or in Hz; at least 2.5 times the highest frequency that matters.

    Returns:
        The field at even times from the same first one.

    Raises:
        DrumheadError: fewer than two samples would be left, or the rates are too far apart.

    Source:
        R. E. Crochiere and L. R. Rabiner, Multirate Digital Signal Processing, 1983.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(fs="1 kHz"), frequency=20)
        >>> slow = dh.waves.resample(x, "250 Hz")
        >>> slow.shape, bool(abs(slow - x[::4])[20:-20].max() < 0.01)
        ((250, 10, 10), True)
    """
    from xarray import DataArray

    x = as_field(x, "resample")
    old, new = rate(x), quantity("fs", fs, "frequency")
    ratio = Fraction(new / old).limit_denominator(TERMS)
    up, down = ratio.numerator, ratio.denominator
    count = -(-x.sizes["time"] * up // down)
    if not up or up > TERMS or count < 2:
        raise DrumheadError(
            f"fs={said(new, 'Hz')} cannot be had from {x.sizes['time']} samples at {said(old, 'Hz')}; at least two "
            f"samples have to be left, and not more than {TERMS} for one"
        )
    values = by_channel(x, lambda block: signal.resample_poly(block, up, down, axis=1, padtype="line"), count)
    times = float(x.time[0]) + np.arange(count) * (down / (up * old))
    places = x.isel(time=0, drop=True).coords
    return DataArray(values, {"time": ("time", times, x.time.attrs), **places}, x.dims, x.name, x.attrs)


def as_field(x: "DataArray", verb: str) -> "DataArray":
    """Return what a verb was given as a field that keeps its attributes."""
    from xarray import DataArray

    if not isinstance(x, DataArray):
        raise DrumheadError(
            f"{verb} takes a field, got {type(x).__name__}; make one first: "
            "x = dh.waves.field(data, fs='500 Hz', pitch='0.4 mm')"
        )
    return field(x).assign_attrs(x.attrs)


def filter_of(x: "DataArray", band: Band, order: int = 4) -> tuple[Callable[[np.ndarray], np.ndarray], float, float]:
    """Return a filter of blocks (channel, time) for a field, and the edges of its band in Hz."""
    (low, high), fs, count = band_edges("band", band), rate(x), x.sizes["time"]
    if high >= fs / 2:
        raise DrumheadError(
            f"band={low:g}-{high:g} Hz reaches half the sampling rate, {said(fs / 2, 'Hz')}; "
            "lower its upper edge, or take the recording at a higher rate"
        )
    if count * low < PERIODS * fs:
        raise DrumheadError(
            f"{said(count / fs, 's')} are too short for a band from {said(low, 'Hz')}: at least {PERIODS} periods, "
            f"{said(PERIODS / low, 's')}, are needed; raise the lower edge or take a longer recording"
        )
    sections = signal.butter(whole("order", order), (low, high), "bandpass", fs=fs, output="sos")
    pad = min(count - 1, int(np.ceil(PERIODS * fs / low)))  # even: half the error at the ends of an odd one
    return lambda block: signal.sosfiltfilt(sections, block, axis=1, padtype="even", padlen=pad), low, high


def by_channel(x: "DataArray", function: Callable[[np.ndarray], np.ndarray], count: int | None = None) -> np.ndarray:
    """Return a function of blocks (channel, time), in float64, of all good channels; bad ones stay NaN."""
    flat, columns = x.values.reshape(x.sizes["time"], -1), np.flatnonzero(good(x))
    out = np.full((count or len(flat), flat.shape[1]), np.nan, flat.dtype)
    for block in np.array_split(columns, -(-len(columns) // BLOCK)):
        out[:, block] = function(np.ascontiguousarray(flat[:, block].T, np.float64)).T
    return out.reshape(-1, *x.shape[1:])


def unsloped(values: np.ndarray) -> np.ndarray:
    """Return series (time, n) without the straight line that fits each best.

    A Fourier transform takes the end of a series for what comes before its beginning, so the jump that a drift leaves
    there would be power in every band. float32 stays, with means in float64.
    """
    flat = values - values.mean(0, dtype=np.float64).astype(values.dtype)
    steps = np.linspace(-1, 1, len(values), dtype=values.dtype)
    flat -= steps[:, None] * (steps @ flat / (steps @ steps))
    return flat


def span(name: str, value: Quantity) -> float:
    """Return a time in s that may be zero."""
    return quantity(name, value, "time", zero=True)
