"""`drumhead waves MODEL`: say what a network's waves would be in cortex."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumhead.errors import DrumheadError, at_least, none_ignored, options

if TYPE_CHECKING:
    from torch import Tensor

    from drumhead.networks.segmenter import Segmenter
    from drumhead.physics.material import Material

PITCH, SPEED = "0.4 mm", "0.3 m/s"  # of a Utah array, and in the middle of waves within one area


def waves(
    source: Annotated[str, tyro.conf.Positional],
    /,
    *,
    pitch: str = "",
    speed: str = "",
    f0: str = "",
    t0: str = "",
    layer: int | None = None,
    task: str = "",
    data: str = "",
    images: tuple[Path, ...] = (),
    limit: int = 16,
    out: Path | None = None,
) -> None:
    """Say what a network's waves would be in cortex.

    Two of pitch, speed and a clock (f0 or t0) turn a model into cortex; without any, --pitch 0.4mm --speed 0.3m/s.
    Prints tables: frequencies, decay, speeds and wavelengths of the medium that images set, what cannot travel, how
    far all that is from what was measured, and what would bring the frequency to 10 or 20 Hz.

    Args:
        source: the name of shipped weights, a run directory or a .safetensors file.
        pitch: distance of neighbouring oscillators, as 0.4mm. In a stack an oscillator is `stride` pixels wide, and
            this is the pitch of the finest layer.
        speed: of long, weak waves in the median sheet, as 0.3m/s.
        f0: frequency at which the median oscillator that rings shall ring, as 20Hz.
        t0: seconds of one unit of model time, as 1.3ms.
        layer: only this layer of a stack, 0 nearest to the image or -1 the last, with tables of its sheets.
        task: the task whose test images set the medium; by default the one that the network was trained on.
        data: directory of the folder task, or of MNIST's IDX files.
        images: image files or directories of them, instead of a task's.
        limit: use only the first so many images.
        out: directory for report.json, with all numbers, also of each sheet.
    """
    at_least(1, limit, "--limit ")
    asked = {"pitch": pitch, "speed": speed, "f0": f0, "t0": t0}
    given = {name: text for name, text in asked.items() if text} or {"pitch": PITCH, "speed": SPEED}
    _of_model(source, given, layer, task, data, images, limit, out)


def _of_model(
    source: str, given: dict[str, str], layer: int | None, task: str, data: str, images: tuple[Path, ...],
    limit: int, out: Path | None,
) -> None:  # fmt: skip
    """Look at a network's medium over some images, and print and write what it would be in cortex."""
    from drumhead.files import without_nan, write_atomic
    from drumhead.networks.inside import material
    from drumhead.networks.model import find_weights, load, read_safetensors
    from drumhead.neuro import tables
    from drumhead.neuro.cortex import Cortex
    from drumhead.neuro.measured import SOURCES
    from drumhead.neuro.portrait import Portrait, pooled, typical
    from drumhead.show.place import check_place
    from drumhead.show.terminal import print_table

    if out is not None:
        check_place(out, images)
    model = load(source)
    name = task or read_safetensors(find_weights(source))[0].get("task", "")
    batches = list(_images(model, name, data, images, limit))
    found: list[Material] = [material(model, batches, k) for k in _layers(model, layer)]

    kappa, omega = typical(found)
    if "f0" in given and not omega > 0:
        raise DrumheadError("--f0: no oscillator of this network rings on these images; give --pitch and --speed")
    anchor = {"omega": omega} if "f0" in given else {}
    cortex = Cortex(**given, **anchor, kappa=kappa)  # type: ignore[arg-type]
    finest = min(one.stride for one in found)
    portraits = [Portrait(one, Cortex(cortex.pitch * one.stride / finest, t0=cortex.t0, kappa=kappa)) for one in found]
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
    if out is not None:
        report = {
            "weights": source, "images": count, "of": name if not images else "files",
            "calibration": {
                "given": given, "pitch_m": cortex.pitch, "speed_m_per_s": cortex.speed(), "unit_of_time_s": cortex.t0,
                "kappa_cells2_per_time2": kappa, "omega_per_time2": omega,
            },
            "layers": [portrait.report() for portrait in portraits],
            "measured": [
                {**one.__dict__, "here": pooled(portraits, tables.OF_RANGES[one.quantity])} for one in tables.RANGES
            ],
            "sources": SOURCES,
        }  # fmt: skip
        write_atomic(out / "report.json", json.dumps(without_nan(report), indent=1, allow_nan=False) + "\n")
        print(f"written: {out / 'report.json'}")


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


def _images(model: "Segmenter", task: str, data: str, files: tuple[Path, ...], limit: int) -> "Iterator[Tensor]":
    """Yield batches of images in [0, 1]: of files, or of the task's test split."""
    import torch

    from drumhead import tasks
    from drumhead.learn.crops import open_split
    from drumhead.networks.images import to_images
    from drumhead.read.images import find_images, read_image

    if files:
        paths = [path for one in files for path in (find_images(one) if one.is_dir() else [one])]
        for path in [path for path in paths if not path.name.endswith(".mask.png")][:limit]:
            yield to_images(read_image(path, model.config.image_channels))
        return
    if not task:
        raise DrumheadError(f"the weights do not say what they were trained on; give --task, one of {tasks.names()}")
    chosen = tasks.get(task, data or None)
    if chosen.image_channels != model.config.image_channels:
        raise DrumheadError(
            f"task {task} has {chosen.image_channels} image channels, the model {model.config.image_channels}"
        )
    for batch, _ in open_split(chosen, "test", torch.device("cpu"), limit).in_order(4):
        yield batch


def run(arguments: list[str]) -> None:
    """Parse and call; `waves compare` is a verb of its own."""
    if arguments[:1] == ["compare"]:
        return importlib.import_module("drumhead.cli.compare").run(arguments[1:])
    given = options(arguments)
    none_ignored(given & {"--task", "--data"} if "--images" in given else (), "--images")
    tyro.cli(waves, prog="drumhead waves", args=arguments)
