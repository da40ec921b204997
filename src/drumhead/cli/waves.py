"""`drumhead waves`: look for waves in a recording, or say what a network's waves would be in cortex."""

import functools
from pathlib import Path
from typing import Annotated, Any

import tyro

from drumhead.cli.calibration import anchors
from drumhead.errors import DrumheadError, at_least, none_ignored, options

OUT = Path("waves-out")
OF_RECORDINGS = {
    "--band", "--fs", "--series", "--start", "--stop", "--bad", "--at", "--order", "--null", "--n", "--fit", "--no-fit",
}  # fmt: skip
OF_NETWORKS = {"--speed", "--f0", "--t0", "--layer", "--task", "--data", "--images", "--limit"}


def waves(
    source: Annotated[str, tyro.conf.Positional],
    /,
    *,
    band: str = "",
    pitch: str = "",
    fs: str = "",
    series: str = "",
    start: str = "",
    stop: str = "",
    bad: tuple[str, ...] = (),
    at: Path | None = None,
    order: str = "tyx",
    null: str = "zero_lag",
    n: int = 199,
    fit: bool = True,
    speed: str = "",
    f0: str = "",
    t0: str = "",
    layer: int | None = None,
    task: str = "",
    data: str = "",
    images: tuple[Path, ...] = (),
    limit: int = 16,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Look for waves in a recording, or say what a network's waves would be in cortex.

    Of a recording (.npy, .h5, .zarr, .tif, .nwb) it says whether a band travels, which way and how fast, each beside
    what chance has, and writes report.html, report.md and report.json with pictures.

    Of a network it prints tables: frequencies, decay, speeds and wavelengths of the medium that images set, what cannot
    travel, how far all that is from what was measured, and what would bring the frequency to 10 or 20 Hz. Two of pitch,
    speed and a clock (f0 or t0) turn a model into cortex; without any, --pitch 0.4mm --speed 0.3m/s. With --out it
    writes the same report of its hidden states.

    Args:
        source: a recording, or of a network the name of shipped weights, a run directory or a .safetensors file.
        band: recording: where waves are looked for, in Hz, as 10-30.
        pitch: distance of neighbouring sites, pixels or oscillators, as 0.4mm. Without it lengths of a recording are
            pixels. In a stack an oscillator is `stride` pixels wide, and this is the pitch of the finest layer.
        fs: recording: sampling rate in Hz, where the file has none.
        series: recording: which array of the file, where it has several.
        start: recording: read from this time on, as 2s.
        stop: recording: read up to this time.
        bad: recording: sites to leave out, as 12 (a channel) or 3,4 (row and column).
        at: recording: .npy file with y and x in m of each channel, where the file has none.
        order: recording: of the axes of a film, as txy, or yxt if time comes last.
        null: recording: surrogates of the test, zero_lag, channel_shuffle or independent_phase; only the first is fair
            to smooth noise and standing waves.
        n: recording: how many surrogates.
        fit: recording: fit the medium (c, f0, tau) to what lasts 15 s or longer; --no-fit skips it.
        speed: network: of long, weak waves in the median sheet, as 0.3m/s.
        f0: network: frequency at which the median oscillator that rings shall ring, as 20Hz.
        t0: network: seconds of one unit of model time, as 1.3ms.
        layer: network: only this layer of a stack, 0 nearest to the image or -1 the last, with tables of its sheets.
        task: network: the task whose test images set the medium; by default the one that it was trained on.
        data: network: directory of the folder task, or of MNIST's IDX files.
        images: network: image files or directories of them, instead of a task's.
        limit: network: use only the first so many images.
        seed: of the surrogates.
        out: directory for the report; by default waves-out of a recording, and none of a network.
    """
    at_least(0, seed, "--seed ")
    if is_recording(source):
        from drumhead.cli.waves_of_recording import Reading, analyse

        reading = Reading(Path(source), fs, pitch, series, start, stop, bad, at, order)
        analyse(reading, band, null, n, seed, fit, out or OUT)
        return
    from drumhead.cli.waves_of_model import look

    at_least(1, limit, "--limit ")
    look(source, anchors(pitch, speed, f0, t0), layer, task, data, images, limit, out, seed)


def is_recording(source: str) -> bool:
    """Say whether a source is a file of a recording: by its ending, or because it is a file and no weights."""
    from drumhead.neuro.recording import ENDINGS

    path = Path(source)
    return path.suffix.lower() in ENDINGS or (path.is_file() and path.suffix != ".safetensors")


def refuse_idle(source: str, given: set[str]) -> None:
    """Refuse options that would do nothing for what is looked at."""
    if is_recording(source):
        none_ignored(given & OF_NETWORKS, f"{source}, a recording,")
        if "--band" not in given:
            raise DrumheadError("--band is missing: say where waves are looked for, as --band 10-30 (in Hz)")
        return
    idle = OF_RECORDINGS | ({"--seed"} if "--out" not in given else set())
    none_ignored(given & idle, f"{source}, a network{'' if '--out' in given else ' without --out'},")
    none_ignored(given & {"--task", "--data"} if "--images" in given else (), "--images")


def run(arguments: list[str]) -> None:
    """Parse and call; `waves compare` is a verb of its own."""
    if arguments[:1] == ["compare"]:
        from drumhead.cli import compare

        return compare.run(arguments[1:])

    @functools.wraps(waves)
    def checked(source: str, /, **given: Any) -> None:
        refuse_idle(source, options(arguments))
        waves(source, **given)

    tyro.cli(checked, prog="drumhead waves", args=arguments)
