"""Train and measure cells. Several processes can share the work: each takes the next cell that nobody holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from drumhead import tasks
from drumhead.errors import DrumheadError
from drumhead.files import hold, without_nan, write_atomic
from drumhead.learn import train
from drumhead.learn.crops import open_split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.run import Run, environment
from drumhead.networks.model import load
from drumhead.reproduce.plan import RESULT, Cell
from drumhead.show.terminal import Progress


def fill(cells: list[Cell], root: Path, progress: Progress, say: Callable[[str], None]) -> int:
    """Train and measure each cell that is not done and that no other process holds; return how many are left.

    Args:
        cells: in this order.
        root: directory of all runs.
        progress: shows each training.
        say: gets a line for each cell.
    """
    left = 0
    for number, cell in enumerate(cells, 1):
        path = cell.place(root)
        title = f"[{number}/{len(cells)}] {cell}"
        with hold(path / ".lock") as mine:
            if not mine:
                say(f"{title}: another process has it")
                left += 1
            elif cell.done(root):
                say(f"{title}: done already")
            else:
                say(title)
                _train(cell, path, progress)
                _measure(cell, path)
    return left


def _train(cell: Cell, path: Path, progress: Progress) -> None:
    if (path / "config.toml").exists():
        if replace(Run(path).config, data=cell.data) != cell.config:
            raise DrumheadError(
                f"{path} holds a run with other settings, perhaps of another version; move it away, or choose another "
                "place with --runs"
            )
        train.resume(path, progress, cell.data)
    else:
        train.start(cell.config, path, progress)


def _measure(cell: Cell, path: Path) -> None:
    """Measure the weights with the lowest validation loss on the test split."""
    model, device = load(Run(path).weights), train.device(cell.config.train)
    task = tasks.get(cell.config.task, cell.config.data or None)
    split = open_split(task, "test", device, cell.budget.test_images)
    scores = evaluate(model.to(device), split, len(task.classes))
    result = {
        "task": task.name,
        "split": "test",
        "images": len(split),
        "parameters": sum(p.numel() for p in model.parameters()),
        **without_nan(scores),
        "environment": environment(),
    }
    write_atomic(path / RESULT, json.dumps(result, indent=1) + "\n")
