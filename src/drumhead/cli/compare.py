"""`drumhead waves compare MODEL RECORDING`: say how far a network's waves are from recorded ones."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from drumhead.cli.calibration import anchors, calibrated, opened
from drumhead.errors import DrumheadError, at_least, none_ignored, options

if TYPE_CHECKING:
    from xarray import DataArray

    from drumhead.neuro.observe import Observation

TURN = 2.5  # of the fastest wave between two states: below pi, so that it is not taken for a slower one


def compare(
    model: Annotated[str, tyro.conf.Positional],
    recording: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    pitch: str = "",
    speed: str = "",
    f0: str = "",
    t0: str = "",
    band: str = "5-40 Hz",
    point_spread: str = "",
    noise: float = 0.0,
    fs: str = "",
    array_pitch: str = "",
    series: str = "",
    start: str = "",
    stop: str = "",
    layer: int = -1,
    drive: Literal["image", "noise"] = "image",
    task: str = "",
    data: str = "",
    images: tuple[Path, ...] = (),
    limit: int = 8,
    seconds: float = 2.0,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Say how far a network's waves are from recorded ones, measure by measure.

    Images set the network's medium, white noise drives it, and the recording's array hears it. The same code then
    measures both, and each distance is set beside that of the recording's halves and of its surrogates.

    Args:
        model: the name of shipped weights, a run directory or a .safetensors file.
        recording: .npy, .h5, .zarr, .tif or .nwb; of at least eight windows, which are 5 periods long.
        pitch: distance of neighbouring oscillators, as 0.4mm; see `drumhead waves --help` for this and the next three.
        speed: of long, weak waves in the median sheet, as 0.3m/s.
        f0: frequency at which the median oscillator that rings shall ring, as 20Hz.
        t0: seconds of one unit of model time, as 1.3ms.
        band: what is compared.
        point_spread: standard deviation of what a site hears, as 0.2mm.
        noise: of the sensors, relative to the signal.
        fs: sampling rate of the recording, as 1kHz, where its file does not know it.
        array_pitch: distance of its sites, where its file does not know it.
        series: which array of its file.
        start: use it from this time on, as 2s.
        stop: and up to this time.
        layer: of a stack, 0 nearest to the image or -1 the last.
        drive: noise pushes the medium where each image would strike it, or everywhere.
        task: the task whose test images set the medium; by default the one that the network was trained on.
        data: directory of the folder task, or of MNIST's IDX files.
        images: image files or directories of them, instead of a task's.
        limit: images, each a trial.
        seconds: length of each trial in cortex; 15 or more allow a fit of the medium's parameters.
        seed: of all random numbers.
        out: directory for compare.json, compare.md and pictures.
    """
    at_least(2, limit, "--limit ")
    at_least(0, seed, "--seed ")
    given = anchors(pitch, speed, f0, t0)
    from drumhead import neuro
    from drumhead.files import report_folder, without_nan, write_atomic
    from drumhead.neuro import compare_tables as tables
    from drumhead.neuro.compare import ready
    from drumhead.neuro.vector import MEASURES
    from drumhead.show.comparing import distances_figure, windows_figure
    from drumhead.show.figures import save_figure
    from drumhead.show.pages import markdown
    from drumhead.show.place import check_place
    from drumhead.show.terminal import print_table

    if out is not None:
        check_place(out, (recording, *images))
    with nullcontext() if out is None else report_folder(out) as folder:  # what cannot be written is said at once
        there = neuro.read(recording, fs or None, array_pitch or None, series=series or None, start=start or None,
                           stop=stop or None)  # fmt: skip
        observation = neuro.Observation.of(there, point_spread=point_spread or None, noise=noise, seed=seed)
        ready(there, band)  # what cannot be compared is refused before the model takes its minute
        trials, calibration, notes = _trials(
            model, given, layer, drive, task, data, images, limit, seconds, seed, observation
        )
        found = neuro.compare(trials, there, band, observation=observation, seed=seed, notes=notes)
        for grid in (tables.measures(found), tables.dynamics(found), tables.operators(found)):
            if grid is not None:
                print_table(grid)
        print("\n".join([found.verdict, *found.notes]), flush=True)
        if folder is None or out is None:
            return
        report = {"model": model, "recording": recording.name, "calibration": calibration, **found.report()}
        save_figure(distances_figure(*_times(found)), folder / tables.MEASURES_PNG)
        save_figure(windows_figure(found.windows, [(m.name, m.kind) for m in MEASURES]), folder / tables.WINDOWS_PNG)
        write_atomic(folder / "compare.md", markdown(tables.page(found, f"{model} beside {recording.name}")))
        write_atomic(folder / "compare.json", json.dumps(without_nan(report), indent=1, allow_nan=False) + "\n")
    print(f"written: {out / 'compare.md'}")


def _times(found: Any) -> tuple[Any, ...]:
    """Return names, times, low, high and nulls of a comparison's measures as arrays."""
    import numpy as np

    scale = np.array([np.fmax(one.ceiling, one.measure.grain) for one in found.measures])
    low, high = (np.array([getattr(one, end) for one in found.measures]) / scale for end in ("low", "high"))
    nulls = {name: np.array([one.nulls[name] for one in found.measures]) / scale for name in found.together.nulls}
    names = [one.measure.name for one in found.measures]
    return names, np.array([one.times for one in found.measures]), low, high, nulls


def _trials(
    source: str, given: dict[str, str], layer: int, drive: str, task: str, data: str, files: tuple[Path, ...],
    limit: int, seconds: float, seed: int, array: "Observation",
) -> "tuple[list[DataArray], dict[str, Any], tuple[str, ...]]":  # fmt: skip
    """Return a network's waves under noise, an image a trial, in cortical units; the calibration, and what to mind."""
    import math

    import numpy as np

    from drumhead.networks.driven import driven, heard_alike
    from drumhead.networks.inside import material
    from drumhead.neuro.around import joined_edges
    from drumhead.waves.fields import field

    if not 0.1 <= seconds <= 600:
        raise DrumheadError(f"--seconds {seconds}: 0.1 to 600 seconds are possible")
    network, _, batches = opened(source, task, data, files, limit)
    one = material(network, batches, layer)
    anchored = calibrated(given, [one])
    cortex = anchored.cortex
    array.weights(one.size, (cortex.pitch, cortex.pitch))  # refuses an array that is larger than the sheet
    every = max(1, math.floor(TURN / (one.dt * math.sqrt(float(one.omega.max()) + 8 * anchored.kappa))))
    fs = 1 / cortex.seconds(every * one.dt)
    out = []
    for batch in batches:
        for image in batch:
            number, count = seed + len(out), round(seconds * fs)
            waves = driven(network, image[None], count, drive=drive, layer=layer, every=every, seed=number)
            out.append(field(heard_alike(waves)[0].numpy(), fs, cortex.pitch))
    side, pace = min(cortex.metres(n) for n in one.size), cortex.speed()
    tau = float(cortex.tau(np.median(one.alpha)))
    notes = joined_edges(one.boundary, side, pace, seconds, tau)
    calibration = {
        "given": given, "pitch_m": cortex.pitch, "speed_m_per_s": pace, "unit_of_time_s": cortex.t0, "drive": drive,
        "tau_s": tau, "side_m": side, "boundary": one.boundary, "sampling_hz": fs,
    }  # fmt: skip
    return out, calibration, notes


def run(arguments: list[str]) -> None:
    """Parse and call."""
    given = options(arguments)
    none_ignored(given & {"--task", "--data"} if "--images" in given else (), "--images")
    tyro.cli(compare, prog="drumhead waves compare", args=arguments)
