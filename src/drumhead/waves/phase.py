"""Where in its cycle each site is at each time, with the moments mended in which a phase would run backward."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.interpolate import PchipInterpolator

from drumhead.errors import DrumheadError, choose
from drumhead.waves.fields import good, rate
from drumhead.waves.filters import BLOCK, Band, as_field, filter_of, span, trim
from drumhead.waves.units import Quantity, said

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

METHODS = ("generalized", "hilbert")
LONGER = 3  # times its length, that a run of negative frequencies is taken for
SILENT = 1e-9  # of a loud channel: less is what a filter leaves of a dead one
LOUD = 75  # percentile of channels: the loudest one may be an artefact


def phase(
    x: "DataArray", band: Band | None = None, method: str = "generalized", *, edges: Quantity | None = None
) -> "Dataset":
    """Return phase, amplitude and frequency of each site at each time.

    The analytic signal x + i H[x] = A exp(i phi) gives all three, with frequency = (d phi / dt) / 2 pi. Where slow and
    fast parts of a wide band beat, phi runs backward for moments. The generalized phase takes these moments out: each
    run of samples with a frequency below 0, and twice its length after it; phi is drawn over the gap by a monotone
    cubic (pchip) and makes the turns there that the signal made. Where these are backward, the published method is gone
    beyond: whole turns are added to come nearest to none, and what is still backward is part of the gap. So phi never
    runs backward, and the mean frequency stays that of the signal.

    A wave cos(2 pi f t - k . r) has phi = 2 pi f t - k . r, which grows in time and falls along the way it travels.

    Args:
        x: a field.
        band: the edges of a band to filter first, "5-40 Hz" or in Hz; None takes the field as it is, which then has
            to swing about zero.
        method: "generalized", for wide bands; "hilbert" leaves phi as it is, for narrow ones.
        edges: what to drop at both ends, "200 ms" or in s; by default a period of the lower edge of the band (also
            of one that `bandpass` kept), within which filters and transforms feel the ends. 0 keeps all.

    Returns:
        phase in rad, from -pi to pi; amplitude; frequency in Hz; repaired, bool. Bad channels and channels that never
        change are NaN. In attrs: band_hz (NaN if unknown), method, edges_s, and repaired_fraction, a mark of quality:
        below 0.01 for a wave as strong as its noise, 0.2 for noise alone, in 5-40 Hz.

    Raises:
        DrumheadError: no field, an unknown method, a band that does not fit (see `bandpass`), or nothing is left.

    Source:
        Z. W. Davis, L. Muller, J. Martinez-Trujillo, T. Sejnowski, J. H. Reynolds, Spontaneous travelling cortical
        waves gate perception in behaving primates, Nature 587, 2020.

    Example:
        >>> ph = dh.waves.phase(dh.waves.synth.plane(dh.waves.synth.Array(), frequency=20), band="5-40 Hz")
        >>> round(float(ph.frequency.median()), 2), ph.attrs["edges_s"], ph.attrs["repaired_fraction"]
        (20.0, 0.2, 0.0)
    """
    from xarray import Dataset

    choose("method", method, METHODS)
    x = as_field(x, "phase")
    low, high = x.attrs.get("band_hz", (np.nan, np.nan))
    run = None
    if band is not None:
        run, low, high = filter_of(x, band)
    fs, flat = rate(x), x.values.reshape(x.sizes["time"], -1)
    kept = span("edges", edges) if edges is not None else 1 / low if low > 0 else 0.0
    loud = np.ptp(flat, axis=0)
    loudness = np.nanpercentile(loud, LOUD, method="lower") or np.nanmax(loud)
    columns = np.flatnonzero(good(x).ravel() & (loud > SILENT * loudness))
    if not len(columns):
        raise DrumheadError("no channel changes over time, so there is no phase to find")
    found = {name: np.full(flat.shape, np.nan, flat.dtype) for name in ("phase", "amplitude", "frequency")}
    repaired = np.zeros(flat.shape, bool)
    for block in np.array_split(columns, -(-len(columns) // BLOCK)):
        series = np.ascontiguousarray(flat[:, block].T, np.float64)
        wave = analytic(series if run is None else run(series))
        turns = unwrapped(wave)
        if method == "generalized":
            gaps = gaps_of(np.diff(turns, append=turns[:, -1:]) < 0)
            turns, gaps = repair(turns, gaps)
            repaired[:, block] = gaps.T
        found["phase"][:, block] = wrap(turns).T
        found["amplitude"][:, block] = np.where(np.isfinite(turns), np.abs(wave), np.nan).T
        found["frequency"][:, block] = np.gradient(turns, axis=1).T * (fs / (2 * np.pi))
    units = {"phase": "rad", "amplitude": x.attrs.get("units", ""), "frequency": "Hz"}
    variables = {name: (x.dims, values.reshape(x.shape), {"units": units[name]}) for name, values in found.items()}
    out = Dataset(variables | {"repaired": (x.dims, repaired.reshape(x.shape), {})}, x.coords)
    if kept:
        out = trim(out, kept)
    share = float(out.repaired.values.reshape(out.sizes["time"], -1)[:, columns].mean())
    return out.assign_attrs(
        band_hz=(float(low), float(high)), method=method, repaired_fraction=share, edges_s=float(kept),
        edges=f"{said(kept, 's')} dropped at both ends" if kept else "nothing dropped",
    )  # fmt: skip


def analytic(series: np.ndarray) -> np.ndarray:
    """Return x + i H[x] of series (channel, time): twice the positive frequencies, none of the negative."""
    count = series.shape[1]
    size = int(fft.next_fast_len(count) or count)
    spectrum = np.asarray(fft.fft(series, size, axis=1))
    spectrum[:, 1 : (size + 1) // 2] *= 2
    spectrum[:, size // 2 + 1 :] = 0
    return np.asarray(fft.ifft(spectrum, axis=1, overwrite_x=True))[:, :count]


def wrap(angle: np.ndarray) -> np.ndarray:
    """Return angles from -pi to pi."""
    return angle - 2 * np.pi * np.round(angle / (2 * np.pi))


def unwrapped(wave: np.ndarray) -> np.ndarray:
    """Return the phase of series (channel, time) without jumps of a turn."""
    angle = np.angle(wave)
    angle[:, 1:] = angle[:, :1] + np.cumsum(wrap(np.diff(angle, axis=1)), axis=1)
    return angle


def gaps_of(backward: np.ndarray) -> np.ndarray:
    """Return runs (channel, time) of True, each drawn on to three times its length."""
    count = backward.shape[1]
    change = np.diff(np.pad(backward, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (rows, starts), stops = np.nonzero(change == 1), np.nonzero(change == -1)[1]
    depth = np.zeros((len(backward), count + 1), np.int32)
    depth[rows, starts] = 1
    np.subtract.at(depth, (rows, np.minimum(starts + LONGER * (stops - starts), count)), 1)
    return np.cumsum(depth, axis=1)[:, :-1] > 0


def repair(turns: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unwrapped phases (channel, time) drawn over their gaps, which then never run backward, and all gaps.

    Over a gap the phase makes the turns that the signal made there. If that is backward, whole turns are added to come
    nearest to none, and if it still is, the gap goes on until the phase has caught up. A gap at an end goes on at the
    mean frequency of as many samples as it has; a channel with nothing else is NaN.
    """
    out, gaps, bridges, known = turns.copy(), gaps.copy(), Bridges(turns.shape[1]), []
    for row in np.flatnonzero(gaps.any(1)).tolist():
        at = np.flatnonzero(~gaps[row])
        values = turns[row, at]
        values[1:] += 2 * np.pi * np.cumsum(np.round(np.maximum(-np.diff(values), 0) / (2 * np.pi)))
        ahead = values >= np.maximum.accumulate(values)
        at, values = at[ahead], values[ahead]
        gaps[row] = True
        gaps[row, at] = False
        if len(at) < 2:
            out[row] = np.nan
            continue
        out[row, at] = values
        bridges.over(row, at, values)
        known.append((row, at[0], at[-1]))
    bridges.build(out)
    for row, first, last in known:
        for edge, toward, missing in ((first, 1, np.arange(first)), (last, -1, np.arange(last + 1, len(out[row])))):
            if len(missing):
                near = np.clip(edge + toward * len(missing), first, last)
                slope = (out[row, near] - out[row, edge]) / (near - edge)
                out[row, missing] = out[row, edge] + slope * (missing - edge)
    return out, gaps


class Bridges:
    """Cubics over the gaps of many channels, found at once: channels are laid end to end, and pchip looks no farther
    than two samples to either side of a gap.
    """

    def __init__(self, count: int):
        self.stride = count + 4  # room for a knot beyond either end
        self.knots: list[np.ndarray] = []
        self.heights: list[np.ndarray] = []
        self.gaps: list[np.ndarray] = []

    def over(self, row: int, at: np.ndarray, values: np.ndarray) -> None:
        """Add the gaps between known samples `at` of a channel."""
        before = np.flatnonzero(np.diff(at) > 1)
        if not len(before):
            return
        missing = np.ones(at[-1] + 1, bool)
        missing[: at[0]] = missing[at] = False
        near = np.unique(np.clip(before[:, None] + np.arange(-1, 3), 0, len(at) - 1))
        at, values = at[near], values[near]
        first, last = ((values[j] - values[i]) / (at[j] - at[i]) for i, j in ((0, 1), (-2, -1)))
        start = row * self.stride + 1
        self.knots.append(start + np.concatenate([[at[0] - 1], at, [at[-1] + 1]]))
        self.heights.append(np.concatenate([[values[0] - first], values, [values[-1] + last]]))
        self.gaps.append(start + np.flatnonzero(missing))

    def build(self, out: np.ndarray) -> None:
        """Write the phases over all gaps into `out`."""
        if self.gaps:
            gaps = np.concatenate(self.gaps)
            cubic = PchipInterpolator(np.concatenate(self.knots), np.concatenate(self.heights))
            row, column = np.divmod(gaps - 1, self.stride)
            out[row, column] = cubic(gaps)
