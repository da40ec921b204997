"""What the instruments share that look at phases frame by frame: the sites that count, frames in turn, means."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.waves.climb import turned
from drumhead.waves.fields import places

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

CHUNK = 2**19  # phases in flight
ALIKE = 1e-12  # of a squared sine: phases that differ by less correlate with nothing


def phases(ph: "Dataset", verb: str) -> "DataArray":
    """Return the phases (time, *sites) of what a verb was given."""
    from xarray import Dataset

    if not isinstance(ph, Dataset) or not {"phase", "frequency"} <= set(ph.data_vars):
        raise DrumheadError(
            f"{verb} takes what phase returns, got {type(ph).__name__}; find the phases first: "
            f"dh.waves.{verb}(dh.waves.phase(x, band='5-40 Hz'))"
        )
    return ph["phase"].transpose("time", *(("site",) if "site" in ph.dims else ("y", "x")))


def counting(phi: "DataArray", least: int, verb: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (n, 2) of the sites that have phases at some time, and their numbers among all."""
    used = np.flatnonzero(np.isfinite(phi.values).any(0))
    if len(used) < least:
        raise DrumheadError(f"{verb} needs phases at {least} sites or more, got {len(used)}; keep more channels")
    return places(phi)[used], used


def parts(phi: "DataArray") -> Iterator[slice]:
    """Yield frames in turn, few enough to hold much about each."""
    count = max(1, CHUNK * phi.sizes["time"] // max(1, phi.size))
    for first in range(0, phi.sizes["time"], count):
        yield slice(first, first + count)


def turning(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return exp(i phi), 0 where there is no phase, and where there is one."""
    there = np.isfinite(phi)
    return turned(np.where(there, phi, 0)) * there, there


def mean(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the mean over sites (frame, site) of the values that are there; NaN of none."""
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(1) / there.sum(1)


def together(dataset: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the measures of frames in turn as those of all."""
    return {name: np.concatenate([part[name] for part in dataset]) for name in dataset[0]}


def inherited(ph: "Dataset") -> dict[str, Any]:
    """Return what the phases say about themselves, for those who measure them."""
    names = {"band_hz": "band_hz", "method": "phase_method", "repaired_fraction": "repaired_fraction"}
    return {new: ph.attrs[old] for old, new in names.items() if old in ph.attrs}


def rho_circular(a: np.ndarray, b: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the circular correlation of two angles, given as exp(i angle), over sites (frame, site).

    rho = <sin(alpha - mu) sin(beta - nu)> / sqrt(<sin^2(alpha - mu)> <sin^2(beta - nu)>), where mu - nu is the angle of
    <exp(i (alpha - beta))> and mu + nu that of <exp(i (alpha + beta))>. So it holds as well for phases that go all the
    way around, whose own mean is no angle, and is 1 for equal ones.
    """
    minus, plus = mean(a * b.conj(), there), mean(a * b, there)
    u, v = turned(np.angle(minus)), turned(np.angle(plus))
    spread_a = 1 - np.real(mean(a * a, there) * (u * v).conj())
    spread_b = 1 - np.real(mean(b * b, there) * v.conj() * u)
    differ = (spread_a > ALIKE) & (spread_b > ALIKE)
    return np.where(differ, (np.abs(minus) - np.abs(plus)) / np.sqrt(np.where(differ, spread_a * spread_b, 1)), np.nan)
