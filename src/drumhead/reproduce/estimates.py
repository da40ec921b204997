"""What a table costs before it is trained: image passes, and hours from measured milliseconds. Imports no torch."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drumhead.reproduce.plan import PlannedRun
from drumhead.reproduce.results import Result

# Milliseconds of one training image on one core, with the loss at one pixel in 8; all pixels are dearer.
_MEASURED = json.loads(Path(__file__).with_name("costs.json").read_text())
MACHINES: str = _MEASURED["machines"]
_TASKS = {  # training images, and pixels of a side
    "tetrominoes": (10_000, 64),
    "mnist": (51_000, 56),
    "multi-mnist": (10_000, 128),
    "multi-mnist-unseen": (10_000, 128),
    "polygons": (10_000, 75),
    "wires": (10_000, 64),
    "pathfinder": (10_000, 64),
    "polygons-turned": (10_000, 75),
}


@dataclass(frozen=True)
class Cost:
    """What runs cost."""

    hours: float  # of one core, for those whose network was measured
    unknown: tuple[str, ...]  # networks that were not measured

    def __str__(self) -> str:
        hours = f"{self.hours:,.{1 if self.hours < 9.95 else 0}f}" if self.hours >= 0.05 else "0.1"
        return f"over {hours}" if self.unknown else hours


def cost(runs: Sequence[PlannedRun]) -> Cost:
    """Estimate what runs cost."""
    hours, unknown = 0.0, dict[str, None]()
    for planned in runs:
        each = milliseconds(planned)
        if each is None:
            unknown[planned.row.name] = None
        else:
            hours += each * passes(planned) / 3.6e6
    return Cost(hours, tuple(unknown))


def passes(planned: PlannedRun) -> int:
    """Return the images that a run is trained on, counted every time."""
    return planned.budget.passes(train_images(planned.table.task))


def train_images(task: str) -> int:
    """Return the training images of a task, without making them."""
    return _TASKS[task][0]


def milliseconds(planned: PlannedRun) -> float | None:
    """Return the time of one training image on one core, None if it is not known.

    A network that was measured on tetrominoes only is scaled by pixels (but not the paper's wave networks on
    Multi-MNIST, which are larger there), a changed one is taken to cost what its preset does.
    """
    task, preset = planned.table.task, planned.row.preset
    known = _MEASURED["one image a step" if planned.budget.train.batch == 1 else "four images a step"]
    measured = known.get(f"{task.removesuffix('-unseen')}/{preset}")
    if measured is not None:
        return measured
    if task.startswith("multi-mnist") and preset.startswith("nwm-") and preset != "nwm-fast":
        return None
    base = known.get("tetrominoes/" + re.sub(r"^nwm-(mean|max)$", "nwm-last", preset))  # they keep as little
    return None if base is None else base * (_TASKS[task][1] / _TASKS["tetrominoes"][1]) ** 2


def core_seconds(result: Result, row: dict[str, Any]) -> float | None:
    """Return the processor time that a run had cost on one core at a row of its history, None if it is not known.

    The run's own, if it was trained on the processor; else estimated, as a GPU's host spends its time waiting.
    """
    if not result.on_gpu:
        return row.get("cpu_seconds")
    each, images = milliseconds(result.planned), row.get("images")
    return None if each is None or images is None else images * each / 1000
