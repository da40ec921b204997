"""What a table costs before it is trained: image passes, and hours from measured milliseconds. Imports no torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drumhead.reproduce.plan import Cell
from drumhead.reproduce.results import Result

# One training image on one core, in milliseconds, with the loss at one pixel in 8; all pixels are dearer.
# One image a step, of an AMD EPYC with AVX2, validation included (docs/results/reproduce/hour).
_ONE_BY_ONE = {
    "tetrominoes": {
        "nwm-linear": 51.0,
        "nwm-fft": 64.0,
        "nwm-last": 41.0,
        "lstm-linear": 61.0,
        "cnn-8": 35.0,
        "resnet-8": 34.0,
        "unet-4": 16.0,
        "nwm-fast": 16.0,
    },
    "multi-mnist": {"nwm-linear": 740.0, "nwm-fast": 42.0, "unet-4": 29.0},
}
# Four images a step, of an Intel Xeon with AVX-512 (costs-batch-4.json and, for Multi-MNIST, costs-multi-mnist.json in
# docs/results/optimisation).
_IN_FOURS = {
    "tetrominoes": {
        "nwm-linear": 23.0,
        "nwm-fft": 35.8,
        "nwm-last": 17.4,
        "lstm-linear": 31.9,
        "cnn-8": 14.3,
        "resnet-8": 14.0,
        "unet-4": 6.8,
        "nwm-fast": 7.5,
    },
    "mnist": {"nwm-linear": 18.6, "nwm-last": 14.7, "lstm-linear": 29.4, "unet-4": 5.9, "nwm-fast": 9.0},
    "multi-mnist": {"nwm-linear": 402.2, "nwm-fast": 34.3, "unet-4": 23.9},
}
MACHINES = "one image a step on an AMD EPYC with AVX2 (hour), four or more on an Intel Xeon with AVX-512 (the others)"
_TASKS = {  # training images, and pixels of a side
    "tetrominoes": (10_000, 64),
    "mnist": (51_000, 56),
    "multi-mnist": (10_000, 128),
    "multi-mnist-unseen": (10_000, 128),
    "polygons": (10_000, 75),
    "polygons-turned": (10_000, 75),
}


@dataclass(frozen=True)
class Cost:
    """What cells cost.

    Attributes:
        hours: of one core, for the cells whose network was measured.
        unknown: networks that were not measured.
    """

    hours: float
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        hours = f"{self.hours:,.{1 if self.hours < 9.95 else 0}f}" if self.hours >= 0.05 else "0.1"
        return f"over {hours}" if self.unknown else hours


def cost(cells: Sequence[Cell]) -> Cost:
    """Estimate what cells cost."""
    hours, unknown = 0.0, dict[str, None]()
    for cell in cells:
        each = milliseconds(cell)
        if each is None:
            unknown[cell.row.name] = None
        else:
            hours += each * passes(cell) / 3.6e6
    return Cost(hours, tuple(unknown))


def passes(cell: Cell) -> int:
    """Return the images that a cell is trained on, counted every time."""
    return cell.budget.passes(train_images(cell.table.task))


def train_images(task: str) -> int:
    """Return the training images of a task, without making them."""
    return _TASKS[task][0]


def milliseconds(cell: Cell) -> float | None:
    """Return the time of one training image on one core, None if it is not known.

    A network that was measured on tetrominoes only is scaled by pixels (but not the paper's wave networks on
    Multi-MNIST, which are larger there), a changed one is taken to cost what its preset does.
    """
    task, preset = cell.table.task, cell.row.preset
    known = _ONE_BY_ONE if cell.budget.train.batch == 1 else _IN_FOURS
    measured = known.get(task.removesuffix("-unseen"), {})
    if preset in measured:
        return measured[preset]
    if task.startswith("multi-mnist") and preset.startswith("nwm-") and preset != "nwm-fast":
        return None
    base = known["tetrominoes"].get(re.sub(r"^nwm-(mean|max)$", "nwm-last", preset))  # they keep as little
    return None if base is None else base * (_TASKS[task][1] / _TASKS["tetrominoes"][1]) ** 2


def core_seconds(result: Result, row: dict[str, Any]) -> float | None:
    """Return the processor time that a run had cost on one core at a row of its history, None if it is not known.

    The run's own, if it was trained on the processor; else estimated, as a GPU's host spends its time waiting.
    """
    if not result.on_gpu:
        return row.get("cpu_seconds")
    each, images = milliseconds(result.cell), row.get("images")
    return None if each is None or images is None else images * each / 1000
