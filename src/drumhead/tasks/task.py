"""What a task is: named labels, and images with their masks by split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from drumhead.errors import choose

SPLITS = ("train", "val", "test")
COUNTS = {"train": 10_000, "val": 1_000, "test": 1_000}  # of the tasks whose images are drawn
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """A segmentation task.

    Attributes:
        name: its name.
        classes: the name of each label; label 0 is the background.
        image_channels: 1 for grey, 3 for colour.
        size: height and width in pixels; None where images differ.
        symmetric: whether flips and quarter turns may keep the labels right (they do not for digits).
        make: returns the arrays of a split.
    """

    name: str
    classes: tuple[str, ...]
    image_channels: int
    size: tuple[int, int] | None
    symmetric: bool
    make: Callable[..., Arrays]

    def arrays(self, split: str) -> Arrays:
        """Return images uint8 (n, y, x, k) and masks uint8 (n, y, x) of "train", "val" or "test"; yours to change."""
        choose("split", split, SPLITS)
        images, masks = (a if a.flags.writeable else a.copy() for a in self.make(split))
        return images, masks

    def images(self, split: str) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Return the images of a split one by one, uint8 (y, x, k), each with its mask uint8 (y, x)."""
        return list(zip(*self.arrays(split), strict=True))
