"""A vector of physical quantities for each stretch of a recording: what is compared, with the same code on both sides.

    speed, wavelength, frequency, lifetime     logarithms: twice and half are equally far
    direction                                  an angle
    pgd, R, travelling, smoothness, ...        numbers from 0 to 1

A stretch is a window of a trial, a few periods long. Its numbers are means (medians of what is logarithmic) over frames
of the generalized phase; the distribution over windows is what `drumhead.neuro.distance` compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro.patterns import kinds
from drumhead.waves.complex_modes import complex_pca
from drumhead.waves.fields import good, rate
from drumhead.waves.neighbours import edges
from drumhead.waves.phase import phase
from drumhead.waves.planar import planar
from drumhead.waves.radial import radial
from drumhead.waves.singularities import singularities
from drumhead.waves.units import Quantity, band_edges, quantity

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

PERIODS = 5.0  # of the band's middle in a window
LOOKS = 4.0  # frames in a period of the upper edge: more say the same again
MODES = 3  # complex modes that are asked whether they travel


@dataclass(frozen=True)
class Measure:
    """One entry of the vector.

    Attributes:
        name: its name.
        says: what it is, for people.
        kind: "log", "angle" or "share".
        grain: the smallest difference that is worth a word, in the entry's own unit (of a logarithm: 0.02 is 2 %).
    """

    name: str
    says: str
    kind: str = "share"
    grain: float = 0.01


MEASURES = (
    Measure("speed", "phase speed of the best plane", "log", 0.02),
    Measure("wavelength", "of the best plane", "log", 0.02),
    Measure("frequency", "instantaneous, median", "log", 0.02),
    Measure("bandwidth", "upper over lower quartile of the frequency", "log", 0.02),
    Measure("direction", "mean direction", "angle", 0.05),
    Measure("persistence", "resultant of the directions within a window"),
    Measure("pgd", "phase gradient directionality"),
    Measure("R", "how well one plane fits"),
    Measure("planar", "share of frames with pgd above 0.5 and not below that of rings"),
    Measure("radial", "share of frames with rings and no plane"),
    Measure("travelling", "travelling index of complex modes"),
    Measure("flow", "share of what neighbours share that is lagged one way throughout a trial"),
    Measure("smoothness", "likeness of neighbours in complex modes"),
    Measure("singularities", "per square of four sites and frame", "share", 0.002),
    Measure("lifetime", "of a singularity", "log", 0.05),
    Measure("repaired", "share of samples whose phase ran backward"),
)


def vector(
    trials: "DataArray | Sequence[DataArray]", band: str | tuple[float, float], window: Quantity | None = None
) -> "Dataset":
    """Return the physical quantities of each window of each trial.

    Args:
        trials: a field on a grid, or several of one array and sampling rate.
        band: "5-40 Hz"; wide, because the generalized phase is taken.
        window: its length, "0.3 s"; by default 5 periods of the middle of the band.

    Returns:
        Over "window" the entries of `MEASURES`, and `trial`, which one it is from: speed in log(m/s) (or px/s),
        wavelength in log(m), frequency in log(Hz), bandwidth and lifetime (log(s)), direction in rad, the rest from 0
        to 1. NaN where a window has no singularity to tell a lifetime of. In attrs: band_hz, window_s.

    Raises:
        DrumheadError: trials shorter than a window after a period of the band's lower edge is cut off both ends.

    Example:
        >>> array = dh.waves.synth.Array((8, 8), "0.4 mm", "500 Hz", "2 s")
        >>> x = dh.waves.synth.sensor_noise(dh.waves.synth.plane(array, 20, 0.1), snr=3, seed=0)
        >>> v = vector(x, "5-40 Hz")
        >>> v.sizes["window"], round(float(np.exp(v.speed.median())), 2), round(float(v.persistence.median()), 2)
        (4, 0.1, 1.0)
    """
    from xarray import Dataset, concat

    trials = listed(trials)
    low, high = band_edges("band", band)
    length = PERIODS / np.sqrt(low * high) if window is None else quantity("window", window, "time")
    found: list[Dataset] = []
    for number, x in enumerate(trials):
        parts = _of_trial(x, (low, high), length)
        found.append(parts.assign(trial=("window", np.full(parts.sizes["window"], number))))
    return concat(found, "window").assign_attrs(band_hz=(low, high), window_s=length)


def listed(trials: "DataArray | Sequence[DataArray]") -> "list[DataArray]":
    """Return trials as a list, one field being one trial."""
    from xarray import DataArray

    out = [trials] if isinstance(trials, DataArray) else list(trials)
    if not out or not all(isinstance(x, DataArray) and set(x.dims) == {"time", "y", "x"} for x in out):
        raise DrumheadError("fields on a grid are needed, (time, y, x) as drumhead.waves.field returns them")
    if len({(x.sizes["y"], x.sizes["x"], round(rate(x), 3)) for x in out}) > 1:
        raise DrumheadError("all trials need one array and one sampling rate; resample those that differ")
    return [x.transpose("time", "y", "x") for x in out]


def _of_trial(x: "DataArray", band: tuple[float, float], length: float) -> "Dataset":
    """Return the entries of each window of a trial."""
    from xarray import Dataset

    ph, fs = phase(x, band), rate(x)
    size = round(length * fs)
    starts = range(0, ph.sizes["time"] - size + 1, size)
    if size < 2 or not starts:
        raise DrumheadError(
            f"a window of {length:.3g} s does not fit into {ph.sizes['time'] / fs:.3g} s, which are left of a trial of "
            f"{x.sizes['time'] / fs:.3g} s; take a shorter window=, a higher band or longer trials"
        )
    few = max(1, round(fs / (LOOKS * band[1])))
    frames = ph.isel(time=slice(0, None, few))
    planes, rings, turning, lagged = planar(frames), radial(frames), singularities(ph), _flow(ph)
    squares, rows = (ph.sizes["y"] - 1) * (ph.sizes["x"] - 1) * size, []
    for start in starts:
        now, later = ph.time.values[start], ph.time.values[start + size - 1]
        seen = (frames.time.values >= now) & (frames.time.values <= later)
        row = _of_window(ph.isel(time=slice(start, start + size)), planes.isel(time=seen), rings.isel(time=seen))
        born = (turning["birth"].values >= now) & (turning["birth"].values <= later)
        row["singularities"] = float(turning["number"].values[start : start + size].sum() / squares)
        row["lifetime"] = float(np.log(turning["lifetime"].values[born].mean())) if born.any() else np.nan
        row["flow"] = lagged
        rows.append(row)
    return Dataset({one.name: ("window", np.array([row[one.name] for row in rows])) for one in MEASURES})


def _flow(ph: "Dataset") -> float:
    """Return sum |<Im a_i^* a_j>| / sum <|a_i| |a_j|> over neighbours i, j: 0 stands or goes all ways alike."""
    net, known = edges(ph["phase"]), good(ph["phase"])
    a = (ph["amplitude"].values * np.exp(1j * ph["phase"].values))[:, known]
    first, second = a[:, net.first], a[:, net.second]
    lag = np.abs(np.imag(first.conj() * second).mean(0)).sum()
    return float(lag / (np.abs(first) * np.abs(second)).mean(0).sum())


def _of_window(ph: "Dataset", planes: "Dataset", rings: "Dataset") -> dict[str, float]:
    """Return the entries of one window, but for those of singularities and of flow, which may outlast it."""
    heading = np.nanmean(np.exp(1j * planes["direction"].values))
    pgd = planes["pgd"].values
    flat, around = kinds(pgd, rings["centred_pgd"].values)
    f = ph["frequency"].values
    lower, middle, upper = np.nanpercentile(f, (25, 50, 75))
    signal = (ph["amplitude"] * np.exp(1j * ph["phase"])).astype(complex)
    modes = complex_pca(signal, MODES)
    weight = modes["variance"].values / modes["variance"].values.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "speed": float(np.log(np.nanmedian(planes["speed"].values))),
            "wavelength": float(np.log(np.nanmedian(planes["wavelength"].values))),
            "frequency": float(np.log(middle)),
            "bandwidth": float(np.log(upper / lower)),
            "direction": float(np.angle(heading)),
            "persistence": float(np.abs(heading)),
            "pgd": float(np.nanmean(pgd)),
            "R": float(np.nanmean(planes["R"].values)),
            "planar": float(flat.mean()),
            "radial": float(around.mean()),
            "travelling": float(weight @ modes["travelling"].values),
            "smoothness": float(weight @ modes["smoothness"].values),
            "repaired": float(ph["repaired"].values.mean()),
        }
