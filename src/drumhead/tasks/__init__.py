"""Images with their masks, reproducible to the bit. NumPy and Pillow only, no torch.

    task = drumhead.tasks.get("tetrominoes")
    images, masks = task.arrays("test")      # uint8 (n, y, x, k) and uint8 (n, y, x)

A new task is one more entry in `_TASKS`, and its channels and classes in `settings/presets.py`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

from drumhead.errors import DrumheadError, choose
from drumhead.tasks import folder, mnist, multi_mnist, pathfinder, polygons, tetrominoes, walks, wires
from drumhead.tasks.task import SPLITS, Arrays, Task

__all__ = ["SPLITS", "Arrays", "Task", "get", "names"]


def _at_a_distance(kind: ModuleType, far: int) -> Task:
    """Return wires or pathfinder with curves of so many pixels; 0 is their own length, without a number in the name."""
    name, side = kind.__name__.rpartition(".")[2], walks.side(far or kind.LENGTH)
    make = partial(kind.arrays, length=far) if far else kind.arrays
    return Task(f"{name}-{far}" if far else name, kind.CLASSES, 1, (side, side), True, make)


_TASKS = {
    task.name: task
    for task in (
        Task("tetrominoes", tetrominoes.CLASSES, 3, (64, 64), True, tetrominoes.arrays),
        Task("mnist", mnist.CLASSES, 1, (56, 56), False, mnist.arrays),
        Task("multi-mnist", mnist.CLASSES, 1, (128, 128), False, multi_mnist.arrays),
        Task("multi-mnist-unseen", mnist.CLASSES, 1, (128, 128), False, partial(multi_mnist.arrays, unseen=True)),
        Task("polygons", polygons.CLASSES, 1, (75, 75), False, polygons.arrays),
        Task("polygons-turned", polygons.CLASSES, 1, (75, 75), True, partial(polygons.arrays, rotate=True, most=3)),
        *(_at_a_distance(kind, far) for kind in (wires, pathfinder) for far in (0, 16, 32, 120, 240, 480)),
    )
}
_MADE = ("tetrominoes", "polygons", "wires", "pathfinder")


def get(name: str, data: str | Path | None = None) -> Task:
    """Return a task by name.

    Args:
        name: one of `drumhead.tasks.names()`.
        data: the directory of the "folder" task; for the MNIST tasks a directory with the IDX files, instead
            of the places that are searched. The other tasks make their images and take none.

    Raises:
        DrumheadError: no such task, a directory that it does not take, or its files are missing or damaged.

    Example:
        >>> images, masks = dh.tasks.get("tetrominoes").arrays("test")
        >>> images.shape, masks.shape
        ((1000, 64, 64, 3), (1000, 64, 64))
    """
    choose("task", name, names())
    if name == "folder":
        if not data:
            raise DrumheadError("the folder task needs its directory: --data DIR, or drumhead.tasks.get('folder', DIR)")
        return folder.task(Path(data))
    task = _TASKS[name]
    if not data:
        return task
    if name.startswith(_MADE):
        raise DrumheadError(f"task {name} makes its images and takes no directory: leave out --data")
    return replace(task, make=partial(task.make, data=Path(data)))


def names() -> list[str]:
    """Return the names of all tasks.

    Example:
        >>> dh.tasks.names()[:2]
        ['tetrominoes', 'mnist']
    """
    return [*_TASKS, "folder"]
