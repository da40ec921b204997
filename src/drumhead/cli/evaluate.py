"""`drumhead evaluate RUN`: measure a trained network on a task."""

import contextlib
import json
from pathlib import Path
from typing import Annotated, Literal

import tyro

from drumhead.errors import DrumheadError, at_least


def evaluate(
    source: Annotated[str, tyro.conf.Positional],
    /,
    *,
    split: Literal["train", "val", "test"] = "test",
    task: str = "",
    data: str = "",
    limit: int = 0,
    batch: int = 0,
    tile: int = 0,
    cut: bool = False,
    json_out: Path | None = None,
) -> None:
    """Measure a trained network on a task.

    Args:
        source: a run directory, a .safetensors file or the name of shipped weights.
        split: the images to measure on.
        task: the task; by default the one that the network was trained on.
        data: directory of the folder task, or of MNIST's IDX files.
        limit: use only the first so many images; 0 uses all.
        batch: images at a time; 0 takes as many as make a million pixels, but no more than a run was trained with.
        tile: side of the squares that an image is answered in, in pixels, a multiple of 16, where memory is short; 0
            takes images of up to two million pixels whole and larger ones in squares of 1024.
        cut: set the coupling to zero first, to see what the waves contribute.
        json_out: also write the numbers to this file; a run directory gets evaluation-SPLIT.json by itself.
    """
    at_least(0, batch, "--batch ")
    at_least(0, limit, "--limit ")

    import torch

    from drumhead import tasks
    from drumhead.files import without_nan, write_atomic
    from drumhead.learn.crops import check_files, open_split
    from drumhead.learn.evaluate import evaluate as measure
    from drumhead.learn.run import environment
    from drumhead.networks.model import find_weights, load, read_safetensors
    from drumhead.networks.tiles import tiles_of
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import Bar, print_table

    tiles = tiles_of(tile)
    path = find_weights(source)
    model = load(path)
    metadata = read_safetensors(path)[0]
    most, in_run = 0, (path.parent / "config.toml").is_file()
    name = task or metadata.get("task", "")
    if in_run:
        from drumhead.settings.text import read_run

        run = read_run(path.parent / "config.toml")
        most = run.train.batch
        if not data and name == metadata.get("task"):
            data = run.data
    if not name:
        raise DrumheadError(f"{path} does not say what it was trained on; give --task, one of {tasks.names()}")
    chosen = tasks.get(name, data or None)
    if (chosen.image_channels, len(chosen.classes)) != (model.config.image_channels, model.config.classes):
        raise DrumheadError(
            f"task {name} has {chosen.image_channels} image channels and {len(chosen.classes)} classes, the model "
            f"{model.config.image_channels} and {model.config.classes}"
        )
    if cut:
        model = model.cut()
    if json_out:
        json_out.parent.mkdir(parents=True, exist_ok=True)  # an impossible place is refused before the work
        if json_out.exists() and not _is_own(json_out):
            raise DrumheadError(f"{json_out} is there already and no evaluation; choose another file with --json-out")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    check_files(chosen, Bar(), [split])
    images = open_split(chosen, split, device, limit)
    scores = measure(model.to(device), images, model.config.classes, batch or images.at_a_time(most), tiles=tiles)

    title = f"{source} on {name}/{split}, {len(images)} images{', coupling cut' if cut else ''}"
    rows = [(key.replace("_", " "), f"{value:.4f}") for key, value in scores.items()]
    print_table(Grid(("metric", "value"), rows, title))

    out = json_out or (
        path.parent / f"evaluation-{split}{'-cut' if cut else ''}{f'-first{limit}' if limit else ''}.json"
        if in_run
        else None
    )
    if out:
        result = {
            "weights": str(source),
            "task": name,
            "split": split,
            "images": len(images),
            "cut": cut,
            "parameters": sum(p.numel() for p in model.parameters()),
            **without_nan(scores),
        }
        write_atomic(out, json.dumps({**result, "environment": environment()}, indent=1) + "\n")
        print(f"written: {out}")


def _is_own(path: Path) -> bool:
    """Say whether a file is what `evaluate` writes."""
    with contextlib.suppress(OSError, ValueError):
        return "split" in json.loads(path.read_text())
    return False


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(evaluate, prog="drumhead evaluate", args=arguments)
