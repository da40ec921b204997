"""What a table costs before it is trained: image passes, and hours from measured milliseconds. Imports no torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drumhead.reproduce.plan import Cell
from drumhead.reproduce.tables import Row

# One training image on one core of the machine, in milliseconds, validation included, as budget hour trains: one image
# a step, loss at one pixel in 8 (docs/results/reproduce/hour). Large batches are cheaper, all pixels dearer.
MACHINE = "an AMD EPYC with AVX2"
_MILLISECONDS = {
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
        each = milliseconds(cell.table.task, cell.row)
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


def milliseconds(task: str, row: Row) -> float | None:
    """Return the time of one training image, None if it is not known.

    A network that was measured on tetrominoes only is scaled by pixels (but not the paper's wave networks on
    Multi-MNIST, which are larger there), a changed one is taken to cost what its preset does.
    """
    measured = _MILLISECONDS.get(task.removesuffix("-unseen"), {})
    if row.preset in measured:
        return measured[row.preset]
    preset = re.sub(r"^nwm-(mean|max)$", "nwm-last", row.preset)  # they keep as little
    base = _MILLISECONDS["tetrominoes"].get(preset)
    if base is None or (task.startswith("multi-mnist") and row.preset.startswith("nwm-") and row.preset != "nwm-fast"):
        return None
    return base * (_TASKS[task][1] / _TASKS["tetrominoes"][1]) ** 2
