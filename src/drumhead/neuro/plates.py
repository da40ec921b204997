"""The pictures of a report, with what there is to see in each."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drumhead.neuro.findings import PERMITTED
from drumhead.neuro.patterns import CUSTOMARY, LEVEL
from drumhead.show.movies import save_phases
from drumhead.show.pages import Picture
from drumhead.show.waves import save_kf, save_pgd, save_singularities, save_speeds
from drumhead.waves.fields import good, places, rate
from drumhead.waves.planar import planar

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

    from drumhead.neuro.seen import Seen

FRAMES, PER_CYCLE = 48, 16  # of the movie
RASTER = 96  # pixels across, that sites anywhere are drawn on
PATHS = 60  # of singularities, drawn at most: the longest of all trials


def save(a: "Seen", folder: Path) -> list[Picture]:
    """Write the pictures that an analysis has, and return them with their captions."""
    made = [_movie(a, folder), _speeds(a, folder)]
    if a.spectrum is not None and a.spectrum.sizes["k"] > 1:
        made.append(_plane(a, folder))
    if a.patterns.turns:
        made.append(_turns(a, folder))
    return [*made, _pgd(a, folder)]


def _movie(a: "Seen", folder: Path) -> Picture:
    """Draw the moments about the time at which waves were most planar."""
    flat, phases = a.patterns.planar, a.phases
    step = max(1, round(rate(phases["phase"]) / (PER_CYCLE * sum(a.band) / 2)))
    if a.trials == 1:
        size = max(1, round(FRAMES * step * flat.sizes["time"] / phases.sizes["time"]))
        held = np.convolve(np.nan_to_num(flat["pgd"].values), np.ones(size), "same")
        when = float(flat["time"][int(held.argmax())])
        at = int(np.searchsorted(phases["time"].values, when))
    else:
        at = phases.sizes["time"] // 2
    first = int(np.clip(at - FRAMES * step // 2, 0, max(0, phases.sizes["time"] - FRAMES * step)))
    some = phases.isel(time=slice(first, first + FRAMES * step, step))
    fitted = planar(some)
    maps = _on_a_raster(some["phase"])
    captions = [
        f"{1e3 * float(t - some.time[0]):.1f} ms   PGD {p:.2f}"
        for t, p in zip(some["time"].values, fitted["pgd"].values, strict=True)
    ]
    arrows = (
        0.8
        * fitted["pgd"].values[:, None]
        * np.stack([np.sin(fitted["direction"].values), np.cos(fitted["direction"].values)], 1)
    )
    save_phases(folder / "phases.gif", maps, captions, arrows)
    return Picture(
        "phases.gif",
        (f"Phases from {float(some.time[0]):.4g} s on, where waves are most planar. " if a.trials == 1
         else "Phases of the sheet that moves most. ")
        + "Colours go once around a cycle; sites without numbers are grey. The arrow is the plane that fits best, and "
        "as long as PGD is large.",
    )  # fmt: skip


def _on_a_raster(phase: "DataArray") -> np.ndarray:
    """Return phases as pictures (t, y, x): sites anywhere as the areas that are nearest to them."""
    if "site" not in phase.dims:
        values, (rows, columns) = phase.values, phase.shape[1:]
        if min(rows, columns) == 1:  # a line is drawn as a band
            return np.repeat(values, -(-2 * max(rows, columns) // 3), 1 if rows == 1 else 2)
        return values
    from scipy.spatial import KDTree

    known = good(phase)
    where = places(phase)[known]
    low, sides = where.min(0), np.ptp(where, axis=0)
    tree = KDTree(where)
    pitch = float(np.median(tree.query(where, 2)[0][:, 1]))
    pixel = (sides.max() + 2 * pitch) / RASTER
    y, x = (np.arange(low[i] - pitch, low[i] + sides[i] + pitch, pixel) for i in range(2))
    away, nearest = tree.query(np.stack(np.meshgrid(y, x, indexing="ij"), -1))
    return np.where(np.asarray(away) < pitch, phase.values[:, known][:, np.asarray(nearest)], np.nan)


def _speeds(a: "Seen", folder: Path) -> Picture:
    flat, null = a.patterns.planar, a.patterns.planar_null
    save_speeds(
        folder / "speeds.png", _known(flat, "speed"), _known(flat, "direction"), a.patterns.marked[_whole(flat)],
        _known(null, "speed"), _known(null, "direction"), f"{a.length}/s",
    )  # fmt: skip
    what = (
        "Speed and direction of the plane that fits each frame best."
        if a.travels
        else "Speed from place to place, the median of each frame, and direction of its mean gradient."
    )
    return Picture(
        "speeds.png",
        f"{what} Level of PGD that {LEVEL} % of surrogate frames lie below: {a.patterns.level:.2f}. Surrogates have no "
        "lags between sites, but speeds as well.",
    )


def _whole(frames: "Dataset") -> np.ndarray:
    return np.isfinite(frames["speed"].values) & np.isfinite(frames["direction"].values)


def _known(frames: "Dataset", name: str) -> np.ndarray:
    return frames[name].values[_whole(frames)]


def _plane(a: "Seen", folder: Path) -> Picture:
    spectrum, top = a.spectrum, a.ridge
    assert spectrum is not None
    assert top is not None
    k = spectrum["k"].values
    fitted = a.operator is not None
    marks = np.where(top["k"].values > 0, top["k"].values, np.nan)
    save_kf(
        folder / "kf.png", spectrum["f"].values, k, spectrum.values, marks, a.band, a.length,
        a.curve,
        "the medium that fits" if fitted else "long, weak waves of the median sheet",
    )  # fmt: skip
    words = "Power over wave number and frequency, the mean over all directions, and the strongest wave number of each "
    words += "frequency where one stands out. "
    if not np.isfinite(marks).any():
        words += "None does: all power peaks at 0, so these waves are longer than the array can resolve. "
    if fitted:
        words += f"The curve is the medium that was fitted: {a.operator.verdict}"
    elif a.curve is not None:
        words += "The curve is what the weights say: f = sqrt(f0^2 + (c k / 2 pi)^2)."
    else:
        words += f"No curve is drawn: {a.left_out.get('operator', 'no medium was fitted')}."
    return Picture("kf.png", words)


def _turns(a: "Seen", folder: Path) -> Picture:
    patterns = a.patterns
    points, charge, lasting = [], [], []
    for one in patterns.turns:
        at = np.stack([one["y"].values, one["x"].values], 1)
        points.append(at)
        charge.append(one["charge"].values)
        for track in np.flatnonzero(one["lifetime"].values >= patterns.period):
            lasting.append((float(one["lifetime"][track]), at[one["track"].values == track], int(one["turn"][track])))
    longest = sorted(lasting, key=lambda path: -path[0])[:PATHS]
    save_singularities(
        folder / "singularities.png", np.concatenate(points), np.concatenate(charge),
        [path for _, path, _ in longest], [turn for _, _, turn in longest],
        np.concatenate([one["lifetime"].values for one in patterns.turns]),
        np.concatenate([one["lifetime"].values for one in patterns.turns_null]), patterns.period,
        (a.x["y"].values, a.x["x"].values), a.length,
    )  # fmt: skip
    return Picture(
        "singularities.png",
        "Points about which the phase turns: all of them as dots, as lines the paths of those that last a period. "
        "Noise has them, too, and they die soon; at the right how long they last here and in surrogates.",
    )


def _pgd(a: "Seen", folder: Path) -> Picture:
    flat, null = a.patterns.planar, a.patterns.planar_null
    pgd, chance = (one["pgd"].values for one in (flat, null))
    times = flat["time"].values if a.trials == 1 else np.arange(len(pgd)) * (a.trials / len(pgd))
    known = np.isfinite(pgd)
    save_pgd(folder / "pgd.png", times[known], pgd[known], chance[np.isfinite(chance)], a.patterns.level,
             "time (s)" if a.trials == 1 else "sheet")  # fmt: skip
    share = 100 * a.patterns.customary
    return Picture(
        "pgd.png",
        f"Phase gradient directionality (1: all gradients agree). Of the frames of surrogates {share:.0f} % exceed "
        f"{CUSTOMARY}, so that rule {'does not hold' if share > 100 * PERMITTED else 'holds'} its rate here.",
    )
