"""Images with their masks, reproducible to the bit. NumPy and Pillow only, no torch.

    task = drumhead.tasks.get("tetrominoes")
    images, masks = task.arrays("test")      # uint8 (n, y, x, k) and uint8 (n, y, x)

A new task is one more entry in `_TASKS`: a function that returns a `Task`.
"""

import functools
from collections.abc import Callable
from pathlib import Path

from drumhead.errors import DrumheadError, choose
from drumhead.tasks.task import SPLITS, Arrays, Task

__all__ = ["SPLITS", "Arrays", "Task", "get", "names"]


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
    choose("task", name, _TASKS)
    if name == "folder" and not data:
        raise DrumheadError("the folder task needs its directory: --data DIR, or drumhead.tasks.get('folder', DIR)")
    if data and name in _MADE:
        raise DrumheadError(f"task {name} makes its images and takes no directory: leave out --data")
    return _TASKS[name](Path(data) if data else None)


def names() -> list[str]:
    """Return the names of all tasks."""
    return list(_TASKS)


@functools.cache  # several networks in one process share them
def _tetrominoes(data: Path | None) -> Task:
    from drumhead.tasks import tetrominoes

    return Task("tetrominoes", tetrominoes.CLASSES, 3, (64, 64), True, _once(tetrominoes.generate))


def _mnist(data: Path | None) -> Task:
    from drumhead.tasks import mnist

    return Task("mnist", mnist.CLASSES, 1, (56, 56), False, lambda split: mnist.arrays(split, data))


def _multi_mnist(data: Path | None) -> Task:
    from drumhead.tasks import mnist, multi_mnist

    return Task("multi-mnist", mnist.CLASSES, 1, (128, 128), False, lambda split: multi_mnist.arrays(split, data))


def _multi_mnist_unseen(data: Path | None) -> Task:
    from drumhead.tasks import mnist, multi_mnist

    return Task(
        "multi-mnist-unseen", mnist.CLASSES, 1, (128, 128), False,
        lambda split: multi_mnist.arrays(split, data, unseen=True),
    )  # fmt: skip


def _polygons(data: Path | None) -> Task:
    from drumhead.tasks import polygons

    return Task("polygons", polygons.CLASSES, 1, (75, 75), False, polygons.arrays)


def _polygons_turned(data: Path | None) -> Task:
    from drumhead.tasks import polygons

    return Task(
        "polygons-turned", polygons.CLASSES, 1, (75, 75), True,
        lambda split: polygons.arrays(split, rotate=True, most=3),
    )  # fmt: skip


def _folder(data: Path | None) -> Task:
    from drumhead.tasks import folder

    assert data is not None
    return folder.task(data)


def _once(generate: Callable[[], dict[str, Arrays]]) -> Callable[[str], Arrays]:
    """Generate all splits at the first request and keep them."""

    @functools.cache
    def made() -> dict[str, Arrays]:
        splits = generate()
        for arrays in splits.values():
            for array in arrays:
                array.setflags(write=False)  # kept and shared
        return splits

    return lambda split: made()[split]


_MADE = ("tetrominoes", "polygons", "polygons-turned")

_TASKS: dict[str, Callable[[Path | None], Task]] = {
    "tetrominoes": _tetrominoes,
    "mnist": _mnist,
    "multi-mnist": _multi_mnist,
    "multi-mnist-unseen": _multi_mnist_unseen,
    "polygons": _polygons,
    "polygons-turned": _polygons_turned,
    "folder": _folder,
}
