"""The report on a recording, or on a network's states: a page with pictures, the same in Markdown, and the numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.files import write_atomic
from drumhead.neuro import plates
from drumhead.neuro.findings import REPAIRED, aperture, ring_speeds, speeds, toward, verdict, warnings
from drumhead.neuro.patterns import CUSTOMARY, LEVEL
from drumhead.show.pages import Block, Grid, Heading, Items, Picture, Text, markdown, webpage
from drumhead.waves.fields import good, pitches, rate
from drumhead.waves.units import plain, said, scale

if TYPE_CHECKING:
    from drumhead.neuro.seen import Seen

WEAK = 0.01  # of the variance: weaker modes are not told


def save(
    a: "Seen", folder: Path, title: str, numbers: dict[str, Any], notes: Sequence[str] = (), more: Sequence[Block] = ()
) -> None:
    """Write report.html, report.md, report.json and the pictures.

    Args:
        a: the analysis.
        folder: from `drumhead.files.report_folder`, so that the report appears as a whole.
        title: of the page.
        numbers: for report.json.
        notes: what a reader has to know of how the data were read.
        more: what else stands below the pictures.
    """
    blocks = pages(a, title, plates.save(a, folder), notes, more)
    write_atomic(folder / "report.md", markdown(blocks))
    write_atomic(folder / "report.html", webpage(blocks, folder))
    write_atomic(folder / "report.json", json.dumps(numbers, indent=1, allow_nan=False) + "\n")


def pages(
    a: "Seen", title: str, pictures: Sequence[Picture], notes: Sequence[str] = (), more: Sequence[Block] = ()
) -> list[Block]:
    """Return the report as blocks."""
    blocks: list[Block] = [Heading(title, 1), Text(f"> {verdict(a)}")]
    if cautions := warnings(a):
        blocks += [Heading("Beware"), Items(tuple(cautions))]
    blocks.append(summary_table(a))
    if (tested := test_table(a)) is not None:
        blocks += [tested, Text(_OF_THE_TEST)]
    blocks += [Heading("Pictures"), *pictures, *more]
    if a.left_out:
        blocks += [Heading("Left out"), Items(tuple(f"{part}: {why}." for part, why in a.left_out.items()))]
    blocks += [Heading("How it was done"), Items((*notes, *_how(a)))]
    return blocks


def summary_table(a: "Seen") -> Grid:
    """Return what was read and found, a line each, beside what surrogates have."""
    return Grid(("", "here", "surrogates"), [*_read(a), *_waves(a), *_sources(a), *_modes(a), *_medium(a)], "Summary")


def test_table(a: "Seen") -> Grid | None:
    """Return the statistics of the test; None if there was none."""
    test = a.travels
    if test is None:
        return None
    rows = [
        (name, f"{test.statistic[name]:.3g}", f"{test.null_95[name]:.3g}", f"{test.p_of[name]:.3g}")
        for name in test.statistic
    ]
    rows.append(("all four together", "", "", f"{test.p:.3g}"))
    title = f"Does it travel? Against {a.surrogates} surrogates, {test.null}"
    return Grid(("flow that goes one way", "here", "95 % of surrogates below", "p"), rows, title)


def _read(a: "Seen") -> list[tuple[str, str, str]]:
    x, known = a.x, good(a.x)
    shape = " x ".join(map(str, x.shape[1:])) + (" grid" if "site" not in x.dims else " anywhere")
    rows = [
        ("sites", f"{known.sum()} ({shape})", ""),
        ("sites without numbers", str((~known).sum()), ""),
        ("sampling rate", said(rate(x), "Hz", 4), ""),
        ("duration", said(x.sizes["time"] / rate(x), "s"), ""),
        ("band", f"{a.band[0]:.4g}-{a.band[1]:.4g} Hz", ""),
    ]
    if "site" not in x.dims:
        apart = dict.fromkeys(said(step, a.length) for step in pitches(x))  # rows and columns seldom differ
        rows.insert(2, ("pitch", " and ".join(apart), ""))
    if a.trials > 1:
        rows.insert(0, ("sheets", str(a.trials), ""))
    return rows


def _waves(a: "Seen") -> list[tuple[str, str, str]]:
    patterns, found, chance = a.patterns, speeds(a), speeds(a, null=True)
    pgd, null = patterns.planar["pgd"].values, patterns.planar_null["pgd"].values
    here, there = patterns.shares(), patterns.shares(null=True)
    turns, others = patterns.turning(), patterns.turning(null=True)
    how = "plane fit" if a.travels else "from place to place"
    rows = [
        ("PGD, mean", f"{np.nanmean(pgd):.2f}", f"{np.nanmean(null):.2f}"),
        (f"frames with PGD above {LEVEL} % of surrogates (%)", f"{100 * patterns.marked.mean():.0f}", f"{100 - LEVEL}"),
        ("aperture over wavelength", f"{aperture(a):.2g}", ""),
        (f"speed, {how}: median (quartiles)", *(_spread(one, "speed", f"{a.length}/s") for one in (found, chance))),
        ("wavelength: median (quartiles)", *(_spread(one, "wavelength", a.length) for one in (found, chance))),
        ("direction, from x toward y", toward(found["direction"]), ""),
        ("resultant of directions, 0 to 1", f"{found['resultant']:.2f}", f"{chance['resultant']:.2f}"),
        ("planar frames (%)", f"{100 * here['planar']:.0f}", f"{100 * there['planar']:.0f}"),
    ]
    if "radial" in here:
        rows += [
            ("radial frames (%)", f"{100 * here['radial']:.0f}", f"{100 * there['radial']:.0f}"),
            ("of these outward (%)", _percent(here["outward"]), _percent(there["outward"])),
        ]
    if turns:
        per = turns["per_frame"], others["per_frame"]
        rows.append(("singularities a frame", *(f"{n:.2g}" for n in per)))
        for name, key in (("median", "lifetime_s_median"), ("longest", "lifetime_s_longest")):
            rows.append((f"their lifetime, {name}", _seconds(turns[key]), _seconds(others[key])))
    return rows


def _sources(a: "Seen") -> list[tuple[str, str, str]]:
    found = ring_speeds(a)
    if not found or a.patterns.shares()["radial"] < a.patterns.shares()["planar"]:
        return []
    return [("speed of rings: median (quartiles)", _spread(found, "speed", f"{a.length}/s"), "")]


def _modes(a: "Seen") -> list[tuple[str, str, str]]:
    rows = []
    for i in range(0 if a.modes is None else a.modes.sizes["mode"]):
        assert a.modes is not None
        one = a.modes.isel(mode=i)
        if float(one.variance) < WEAK:
            continue
        name = f"complex mode {i + 1}, {100 * float(one.variance):.0f} % of variance: travelling index, frequency"
        rows.append((name, f"{float(one.travelling):.2f}, {float(one.frequency):.3g} Hz", ""))
    share = a.phases.attrs.get("repaired_fraction", 0.0)
    rows.append((f"phases drawn over gaps (%); above {100 * REPAIRED:.0f} is poor", f"{100 * share:.1f}", ""))
    return rows


def _medium(a: "Seen") -> list[tuple[str, str, str]]:
    if a.operator is None:
        return []
    of, unit = a.operator, f"{a.length}/s"
    rows = []
    for name, one, u in (("c", of.speed, unit), ("f0", of.f0, "Hz"), ("tau", of.tau, "s")):
        rows.append((f"fitted medium, {name} (95 % interval)", one.said(u) if one.identifiable else "open", ""))
    rows.append(("best of wave, diffusion, oscillators, noise (AIC)", str(of.best), ""))
    return rows


def _spread(found: dict[str, Any], name: str, unit: str) -> str:
    low, high = found[f"{name}_quartiles"]
    factor, unit = scale(found[name], unit)
    return f"{plain(found[name] / factor)} {unit} ({plain(low / factor)}-{plain(high / factor)})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if np.isfinite(share) else "-"


def _seconds(value: float) -> str:
    return said(value, "s") if np.isfinite(value) else "-"


def _how(a: "Seen") -> list[str]:
    patterns = a.patterns
    which = "those above the level of surrogates" if not patterns.kept.all() else "all frames"
    lines = [
        f"Frames: {patterns.planar.sizes['time']} looked at"
        + (f", sources searched in {patterns.radial.sizes['time']} of them" if patterns.radial is not None else "")
        + f"; surrogates: {patterns.planar_null.sizes['time']} frames. Speed, wavelength and direction are of {which}.",
        "Surrogates of frames keep spectra and zero-lag covariance of the sites and have no lags between them. Those "
        "of a plane wave are planar, too, in many a frame; but they go either way, which the resultant shows.",
        f"Planar: PGD > {CUSTOMARY} and not less than |centred PGD|; radial: |centred PGD| about the source that fits "
        f"best > {CUSTOMARY} and > PGD.",
        f"Directions are angles from x toward y, y grows downward. All surrogates: seed {a.seed}.",
    ]
    edges = a.phases.attrs.get("edges_s")
    if edges:
        lines.append(f"Phases: generalized, {said(edges, 's')} dropped at both ends.")
    return lines


_OF_THE_TEST = (
    "Direction: flow that goes one way all the time. Persistence: flow whose direction holds for two cycles. Source: "
    "flow away from, or toward, one place. Rotation: flow around one place. Each is a share of what it could be at "
    "most. The p of all four together is that of the question whether anything travels; those of single rows are not "
    "corrected and do not say which kind of wave it is: a plane wave leaves one edge and passes all corners, so it "
    "passes source and rotation as well."
)
