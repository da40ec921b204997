"""What an array would have seen of a field that is known everywhere: how a model becomes comparable with a recording.

    spread      each site hears a Gaussian neighbourhood: a wave loses exp(-k^2 s^2 / 2), and no phase moves
    sites       the array's pitch, rows and columns, in the middle of the sheet, by cubic splines
    times       the array's sampling rate, without what it cannot hold
    noise       of sensors: white, independent at each site
    band, mask  the filter that the recording went through, and its bad sites

The spread is taken by Gauss and Hermite's quadrature about each site, which is exact for any spread, a fraction of a
pixel as well; beyond the edge of the sheet the edge goes on.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.waves.fields import field, good, rate, spacing, square_pitch, unit_of_length
from drumhead.waves.filters import bandpass, resample
from drumhead.waves.units import Quantity, quantity

if TYPE_CHECKING:
    from xarray import DataArray

NODES = 15  # of the quadrature: exact to 1e-6 up to k s = 3, where 1 % of a wave is left
FITS = 1e-6  # of a pixel, by which a site may lie outside


@dataclass(frozen=True)
class Observation:
    """An array, as what it does to waves.

    Args:
        pitch: distance of its sites, "0.4 mm" or in m; None leaves the field's own sites.
        shape: its rows and columns; by default as many as fit on the sheet.
        point_spread: standard deviation s of what a site hears, "0.2 mm" or in m: volume conduction, or optics.
        fs: its sampling rate; None leaves the field's own.
        band: of the filter, "5-40 Hz"; None filters nothing.
        mask: bool (rows, columns), True where a site counts.
        noise: standard deviation of the sensors' noise over that of the signal, before the filter.
        seed: of the noise.

    Raises:
        DrumheadError: a number that is none, or an array that is larger than the sheet.

    Source:
        K. H. Pettersen, H. Linden, A. M. Dale, G. T. Einevoll, in Handbook of Neural Activity Measurement, 2012, on
        what electrodes hear; G. H. Golub, J. H. Welsch, Math. Comput. 23, 1969, the quadrature.

    Example:
        >>> sheet = dh.waves.synth.plane(dh.waves.synth.Array((24, 24), "0.2 mm", "2 kHz"), frequency=20, speed=0.1)
        >>> array = Observation(pitch="0.4 mm", shape=(10, 10), point_spread="0.5 mm", fs="1 kHz", noise=0.1)
        >>> array(sheet).shape
        (1000, 10, 10)
    """

    pitch: Quantity | None = None
    shape: tuple[int, int] | None = None
    point_spread: Quantity | None = None
    fs: Quantity | None = None
    band: str | tuple[float, float] | None = None
    mask: Any = None
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("pitch", "length"), ("point_spread", "length"), ("fs", "frequency")):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, quantity(name, getattr(self, name), kind))
        if not 0 <= self.noise < np.inf:
            raise DrumheadError(f"noise={self.noise!r}: a finite number of 0 or more is needed, relative to the signal")

    @classmethod
    def of(cls, recording: "DataArray", **more: Any) -> "Observation":
        """Return the array of a recording: its pitch, shape, sampling rate and bad sites; more is as above."""
        if "site" in recording.dims:
            raise DrumheadError("a recording on a grid is needed, (time, y, x); this one's sites lie anywhere")
        if unit_of_length(recording) != "m":
            raise DrumheadError(
                "the recording has no pitch, so nobody knows where its sites lie on the model's sheet; give pitch=, as "
                "pitch='0.4 mm' (on the command line --array-pitch 0.4mm)"
            )
        pitch, known = square_pitch(recording, "the recording"), good(recording)
        return cls(pitch, (known.shape[0], known.shape[1]), fs=rate(recording), mask=known, **more)

    def __call__(self, x: "DataArray", seed: int | None = None) -> "DataArray":
        """Return what the array records of a field; another seed is another trial's noise."""
        from xarray import DataArray

        if not good(x).all():
            raise DrumheadError("the field to observe has bad sites; a model's is known everywhere")
        length, steps = unit_of_length(x), spacing(x)
        if (self.pitch is not None or self.point_spread) and length != "m":
            raise DrumheadError("the field has no pitch, so nobody knows where the array's sites lie on it")
        rows, columns = self.weights((x.shape[1], x.shape[2]), steps)
        values = np.einsum("ay,tyx,bx->tab", rows, x.values, columns, optimize=True)
        places = {
            a: (a, np.arange(n) * pitch, {"units": length})
            for a, n, pitch in zip("yx", values.shape[1:], self._pitches(steps), strict=True)
        }
        out = DataArray(values, {"time": x["time"], **places}, x.dims, x.name, x.attrs)
        if self.fs is not None and abs(rate(out) / float(self.fs) - 1) > 1e-6:
            out = resample(out, self.fs)
        if self.noise:
            random = np.random.default_rng(self.seed if seed is None else (self.seed, seed))
            out = out + random.normal(size=out.shape) * (self.noise * float(out.values.std()))
        if self.band is not None:
            out = bandpass(out, self.band)
        kept = out.attrs
        return out if self.mask is None else field(out, mask=self.mask).assign_attrs(kept)

    def weights(self, sheet: tuple[int, int], steps: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return what rows and columns of the array hear of those of a sheet, (site, oscillator) each.

        Args:
            sheet: its rows and columns.
            steps: their distances in m.

        Raises:
            DrumheadError: an array that is larger than the sheet.
        """
        pitches = self._pitches(steps)
        shape = self.shape or (sheet if self.pitch is None else _fitting(sheet, steps, pitches))
        spread = 0.0 if self.point_spread is None else float(self.point_spread)
        rows, columns = (
            _weights(count, n, pitch / step, spread / step, name)
            for count, n, step, pitch, name in zip(sheet, shape, steps, pitches, ("rows", "columns"), strict=True)
        )
        return rows, columns

    def _pitches(self, steps: tuple[float, float]) -> tuple[float, float]:
        """Return the distances of the array's rows and of its columns."""
        return steps if self.pitch is None else (float(self.pitch), float(self.pitch))


def _fitting(sheet: tuple[int, int], steps: tuple[float, float], pitches: tuple[float, float]) -> tuple[int, int]:
    rows, columns = (
        int(np.floor((n - 1) * step / pitch + FITS)) + 1 for n, step, pitch in zip(sheet, steps, pitches, strict=True)
    )
    return rows, columns


def _weights(count: int, sites: int, pitch: float, spread: float, name: str) -> np.ndarray:
    """Return what each of some sites hears of a row of pixels (site, pixel); lengths are in pixels."""
    from scipy.interpolate import make_interp_spline

    room = count - 1 - (sites - 1) * pitch
    if room < -FITS:
        raise DrumheadError(
            f"an array of {sites} {name} is {(sites - 1) * pitch:.3g} oscillators wide and the sheet {count - 1}; "
            "take fewer sites, a larger pitch of the model or larger images"
        )
    at = room / 2 + np.arange(sites) * pitch
    nodes, weight = np.polynomial.hermite_e.hermegauss(NODES) if spread else (np.zeros(1), np.ones(1))
    at = np.clip(at[:, None] + spread * nodes, 0, count - 1)
    near = make_interp_spline(np.arange(count), np.eye(count), k=min(3, count - 1))(at)  # (site, node, pixel)
    return np.einsum("snp,n->sp", near, weight / weight.sum())
