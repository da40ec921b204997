"""`drumhead waves MODEL`: what a network's waves would be in cortex, and the report on its hidden states."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from drumhead.cli.calibration import calibrated, opened

if TYPE_CHECKING:
    from drumhead.networks.segmenter import Segmenter


def look(
    source: str, given: dict[str, str], layer: int | None, task: str, data: str, images: tuple[Path, ...],
    limit: int, out: Path | None, seed: int,
) -> None:  # fmt: skip
    """Look at a network's medium over some images; print what it would be in cortex, and write the report."""
    import numpy as np

    from drumhead.files import report_folder, without_nan
    from drumhead.networks.inside import material
    from drumhead.neuro import page, tables
    from drumhead.neuro.cortex import Cortex
    from drumhead.neuro.measured import SOURCES
    from drumhead.neuro.portrait import Portrait, pooled
    from drumhead.neuro.states import comes_around, of_states
    from drumhead.show.place import check_place
    from drumhead.show.terminal import Bar, print_table

    if out is not None:
        check_place(out, images)
    with nullcontext() if out is None else report_folder(out) as folder:  # what cannot be written is said at once
        model, name, batches = opened(source, task, data, images, limit)
        found = [material(model, batches, k) for k in _layers(model, layer)]
        anchored = calibrated(given, found)
        cortex, kappa = anchored.cortex, anchored.kappa
        finest = min(one.stride for one in found)
        portraits = [
            Portrait(one, Cortex(cortex.pitch * one.stride / finest, t0=cortex.t0, kappa=kappa)) for one in found
        ]
        count = sum(len(batch) for batch in batches)
        what = "images given" if images else f"images of {name}/test"
        title = f"{source} over {count} {what}; {', '.join(f'{key} {text}' for key, text in given.items())}"
        print_table(tables.overview(portraits, title))
        if layer is not None:
            for grid in tables.sheets(portraits[0]):
                print_table(grid)
        print_table(tables.beside(portraits), left=2)
        if (change := tables.changes(portraits, cortex)) is not None:
            print_table(change)
        print(_NOTES)
        print("\n".join(f"{name}: {paper}" for name, paper in SOURCES.items()))
        if folder is None or out is None:
            return
        last = portraits[-1]
        states = np.concatenate([model.waves(batch, layer=last.material.layer).detach().numpy() for batch in batches])
        seen = of_states(states, last, seed, Bar())
        which = f"layer {last.material.layer} of {source}"
        report = {
            "weights": source, "images": count, "of": name if not images else "files",
            "calibration": {
                "given": given, "pitch_m": cortex.pitch, "speed_m_per_s": cortex.speed(), "unit_of_time_s": cortex.t0,
                "kappa_cells2_per_time2": kappa, "omega_per_time2": anchored.omega,
            },
            "layers": [portrait.report() for portrait in portraits],
            "measured": [
                {**one.__dict__, "here": pooled(portraits, tables.OF_RANGES[one.quantity])} for one in tables.RANGES
            ],
            "sources": SOURCES,
            "states": {
                "layer": last.material.layer, "boundary": last.material.boundary, "comes_around": comes_around(last),
            },
            **seen.report(),
        }  # fmt: skip
        note = f"States of {which} over {count} {what}: {seen.trials} sheets of all, each without its mean over time."
        more = (tables.overview(portraits, "What the weights say, in cortex"), tables.beside(portraits))
        print(seen.found, flush=True)
        page.save(seen, folder, f"Waves in the states of {which}", without_nan(report), (note,), more)
    print(f"written: {out / 'report.html'}, report.md, report.json and pictures")


_NOTES = """\
An oscillator, not a pixel, is a pitch wide. omega is a squared angular frequency. Frequencies are of long waves, after
what the kernel adds to omega; where that is below zero a sheet leaves its rest until tanh stops it, and has none.
Speeds are of weak waves unless said; phases run faster than c. docs/guide/cortex.md has the equations."""


def _layers(model: "Segmenter", layer: int | None) -> list[int]:
    """Return the layers to look at."""
    from drumhead.networks.timed import Timed

    if layer is not None:
        return [layer]
    return model.sounding if isinstance(model, Timed) else [-1]
