"""When a wave runs: moments at which phase gradients agree for longer than they do in what cannot travel.

Any smoothing in space makes neighbours agree, so a fixed bar on pgd finds waves in noise: of noise that is smooth over
2 sites a third of all frames have pgd > 0.5. Here surrogates of the recording itself set two bars,

    pgd        what 95 % of their frames stay below
    duration   the longest run above it that a surrogate has, in 95 % of them

so that one recording in twenty without waves has an epoch at all, however long it is.
"""

import warnings
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import rate, unit_of_length
from drumhead.waves.filters import as_field
from drumhead.waves.frames import parts
from drumhead.waves.gradient import sloping
from drumhead.waves.nulls import surrogates
from drumhead.waves.phase import phase
from drumhead.waves.planar import directionality, planar
from drumhead.waves.radial import LEAST, radial
from drumhead.waves.summary import summary
from drumhead.waves.units import Quantity, band_edges, quantity, said

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

LEVEL = 0.05
CYCLES = 1.0  # of the band's middle, that an epoch lasts at least
DIP = 0.5  # of a cycle, for which pgd may fall below the bar within an epoch


def detect(
    x: "DataArray", band: str | tuple[float, float], threshold: float | None = None, *, lasting: Quantity | None = None,
    null: str = "zero_lag", n: int = 99, seed: int = 0,
) -> "Dataset":  # fmt: skip
    """Return the epochs in which a wave runs, and where it goes in each.

    An epoch is a run of samples with pgd = |<k>| / <|k|> above a bar (but for dips of half a cycle), longer than such
    runs are in surrogates; <.> is the mean over sites and k = -grad phi. Surrogates are filtered and looked at as the
    recording is.

    Args:
        x: a field, not filtered: surrogates keep what is outside the band as well.
        band: "10-30 Hz", or two frequencies in Hz.
        threshold: a bar of your own, such as 0.5, which epochs need to pass for `lasting` alone. It warns, and says how
            often surrogates do the same: it holds no level.
        lasting: least duration, "100 ms" or in s, if surrogates do not ask for more; by default a period of the middle
            of the band.
        null: of the surrogates, see `surrogate`; only "zero_lag" is fair to what is smooth in space and stands still.
        n: surrogates.
        seed: of the surrogates.

    Returns:
        Over "epoch", in order: start and stop (s, first sample and the first one after it), pgd, direction (rad, from x
        toward y), speed and wavelength, averaged as `summary` does; kind: "plane", or "source" or "sink" where phases
        run from or toward one place more than one way; source_y and source_x (NaN of a plane). In attrs: threshold,
        lasting_s (the least that counted), null, surrogates, null_share (of surrogate frames above the bar),
        null_recordings (share of surrogates that have an epoch) and covered (share of frames in an epoch). A wave that
        never stops is in the surrogates, too, and seldom found: ask `travels`. Waves that turn, rings about the middle
        and waves much longer than the array have little pgd.

    Raises:
        DrumheadError: a band that does not fit, an epoch longer than the recording, a threshold outside 0 to 1, fewer
            than five good sites.

    Source:
        D. Rubino, K. A. Robbins, N. G. Hatsopoulos, Nat. Neurosci. 9, 2006 (pgd); E. Maris, R. Oostenveld, J. Neurosci.
        Methods 164, 2007 (the longest run).

    Example:
        >>> array = dh.waves.synth.Array((8, 8), fs="500 Hz", duration="2 s")
        >>> wave, noise = dh.waves.synth.plane(array, 20, 0.1), dh.waves.synth.smooth_noise(array, seed=0)
        >>> on = (wave.time >= 0.8) & (wave.time < 1.2)
        >>> found = dh.waves.detect(wave * on + 0.3 * noise, "10-30 Hz", n=19)
        >>> found.sizes["epoch"], abs(round(float(found.speed[0]), 2)), str(found.kind[0].values)
        (1, 0.1, 'plane')
    """
    x = as_field(x, "detect")
    low, high = band_edges("band", band)
    if threshold is not None and not 0 < threshold < 1:
        raise DrumheadError(f"threshold={threshold!r}: pgd is from 0 to 1, so a number between is needed")
    period = 1 / np.sqrt(low * high)
    seconds = CYCLES * period if lasting is None else quantity("lasting", lasting, "time")
    dip = int(DIP * period * rate(x))
    size = max(1, round(seconds * rate(x)))
    whole("n", n, 19)
    ph = phase(x, band)
    if size > ph.sizes["time"]:
        raise DrumheadError(
            f"lasting={said(seconds, 's')} is longer than the {said(ph.sizes['time'] / rate(x), 's')} that are left of "
            "the recording; ask for shorter epochs"
        )
    if np.isfinite(ph.phase.values).any(0).sum() < LEAST:
        raise DrumheadError(f"detect needs phases at {LEAST} sites or more; keep more channels")
    nulls = np.stack([pgd_of(phase(other, band)) for other in islice(surrogates(x, null, seed), n)])
    own = pgd_of(ph)
    # The recording counts among its surrogates, as one of which it has to pass if nothing travels.
    bar = float(np.nanquantile(np.vstack([own, nulls]), 1 - LEVEL)) if threshold is None else float(threshold)
    longest = np.array([max((b - a for a, b in runs(row > bar, dip)), default=0) for row in nulls])
    if threshold is None:
        size = max(size, int(np.sort(longest)[int(np.ceil((1 - LEVEL) * (n + 1))) - 1]) + 1)
    share, recordings = float((nulls > bar).mean()), float((longest >= size).mean())
    if threshold is not None:
        warnings.warn(
            f"pgd > {threshold:g} cannot hold a level of {LEVEL}: surrogates of this recording, which do not travel, "
            f"are above it in {share:.1%} of frames and have such an epoch in {recordings:.0%} of cases; without "
            "threshold= the bar is set by them", RuntimeWarning, stacklevel=2,
        )  # fmt: skip
    found = [(a, b) for a, b in runs(own > bar, dip) if b - a >= size]
    about = {
        "threshold": bar, "lasting_s": size / rate(x), "null": null, "surrogates": n, "null_share": share,
        "null_recordings": recordings, "covered": float(sum(b - a for a, b in found) / ph.sizes["time"]),
        "band_hz": (low, high), "repaired_fraction": ph.attrs["repaired_fraction"],
    }  # fmt: skip
    return _table([_described(ph.isel(time=slice(a, b)), rate(x)) for a, b in found], unit_of_length(x), about)


def pgd_of(ph: "Dataset") -> np.ndarray:
    """Return pgd (time,)."""
    phi = ph["phase"]
    slopes = sloping(phi)
    return np.concatenate([directionality(*slopes(phi.values[i])) for i in parts(phi)])


def runs(above: np.ndarray, dip: int) -> list[tuple[int, int]]:
    """Return first and one past the last sample of each run of True, across dips of so many samples."""
    joined: list[tuple[int, int]] = []
    for start, stop in np.flatnonzero(np.diff(np.pad(above, 1).astype(np.int8))).reshape(-1, 2).tolist():
        joins = bool(joined) and start - joined[-1][1] <= dip
        joined.append((joined.pop()[0] if joins else start, stop))
    return joined


def _described(ph: "Dataset", fs: float) -> dict[str, float | str]:
    """Return what one epoch is."""
    plane, rings = planar(ph), radial(ph, "one")
    says, about = summary(plane), summary(rings)
    found = {name: says[name] for name in ("pgd", "direction", "speed", "wavelength")}
    centred = about["centred_pgd"]
    around = abs(centred) > found["pgd"]
    start = float(ph.time[0])
    return {
        "start": start, "stop": start + ph.sizes["time"] / fs, **found,
        "source_y": about["source_y"] if around else np.nan, "source_x": about["source_x"] if around else np.nan,
        "kind": ("source" if centred > 0 else "sink") if around else "plane",
    }  # fmt: skip


def _table(rows: list[dict[str, float | str]], length: str, about: dict) -> "Dataset":
    """Return epochs as columns."""
    from xarray import Dataset

    units = {"start": "s", "stop": "s", "pgd": "1", "direction": "rad", "speed": f"{length}/s", "wavelength": length}
    units |= {"source_y": length, "source_x": length}
    columns = {name: ("epoch", np.array([row[name] for row in rows], float), {"units": u}) for name, u in units.items()}
    return Dataset(columns | {"kind": ("epoch", np.array([row["kind"] for row in rows], "<U6"))}, attrs=about)
