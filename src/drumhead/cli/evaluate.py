"""`drumhead evaluate RUN`: measure a trained network on a task."""

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
    batch: int = 100,
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
        batch: images at a time.
        cut: set the coupling to zero first, to see what the waves contribute.
        json_out: also write the numbers to this file; a run directory gets evaluation-SPLIT.json by itself.
    """
    at_least(1, batch, "--batch ")
    at_least(0, limit, "--limit ")

    import torch
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from drumhead import tasks
    from drumhead.files import without_nan, write_atomic
    from drumhead.learn.data import Split
    from drumhead.learn.evaluate import evaluate as measure
    from drumhead.learn.run import environment
    from drumhead.networks.model import find_weights, load, read_safetensors

    path = find_weights(source)
    model = load(path)
    metadata = read_safetensors(path)[0]
    in_run = (path.parent / "config.toml").is_file()
    name = task or metadata.get("task", "")
    if in_run and not data and name == metadata.get("task"):
        from drumhead.settings.text import read_run

        data = read_run(path.parent / "config.toml").data
    if not name:
        raise DrumheadError(f"{path} does not say what it was trained on; give --task, one of {tasks.names()}")
    chosen = tasks.get(name, data or None)
    if (chosen.image_channels, len(chosen.classes)) != (model.config.image_channels, model.config.classes):
        raise DrumheadError(
            f"task {name} has {chosen.image_channels} image channels and {len(chosen.classes)} classes, the model "
            f"{model.config.image_channels} and {model.config.classes}"
        )
    if cut:
        coupling = dict(model.named_parameters()).get("kernel")
        if coupling is None:
            raise DrumheadError("--cut: this network has no coupling to cut; a nwm with coupling does")
        coupling.data.zero_()
    if json_out:
        json_out.parent.mkdir(parents=True, exist_ok=True)  # an impossible place is refused before the work
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = Split(*chosen.arrays(split), device, limit)
    scores = measure(model.to(device), images, model.config.classes, batch)

    title = f"{escape(source)} on {name}/{split}, {len(images)} images{', coupling cut' if cut else ''}"
    table = Table()
    for column in ("metric", "value"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for key, value in scores.items():
        table.add_row(key.replace("_", " "), f"{value:.4f}")
    console = Console()
    console.print(title, highlight=False)  # a table's title would be broken at the width of the table
    console.print(table)

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
            **without_nan(scores),
        }
        write_atomic(out, json.dumps({**result, "environment": environment()}, indent=1) + "\n")
        print(f"written: {out}")


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(evaluate, prog="drumhead evaluate", args=arguments)
