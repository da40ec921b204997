"""Batches from image files of different sizes: random crops to train on, whole images to measure."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from drumhead.errors import DrumheadError
from drumhead.learn.data import Batches, Split
from drumhead.learn.processes import ALONE, Processes
from drumhead.read.classes import IGNORE
from drumhead.settings.config import TrainConfig
from drumhead.show.terminal import Progress
from drumhead.tasks import SPLITS, Task
from drumhead.tasks.files import Files
from drumhead.tasks.folder import Folder

SIDE = 256  # of the largest crop that is chosen, and of the largest images that are trained on whole
GRID = 16  # pixels that a U-Net of four levels makes one


def open_split(task: Task, split: str, device: torch.device, limit: int = 0, crop: int = 0) -> Batches:
    """Return the batches of a split, its images in memory, or in files that are read as they are needed.

    Args:
        task: images and masks.
        split: "train", "val" or "test".
        device: where the batches are wanted.
        limit: use only the first so many images; 0 uses all.
        crop: side of the crops that a folder's images are trained on; 0 takes them whole.
    """
    if isinstance(task, Folder):
        return Crops(task.images(split), device, limit, crop)
    return Split(*task.arrays(split), device, limit)


def check_files(task: Task, progress: Progress, splits: Sequence[str] = SPLITS) -> None:
    """Read every file of a folder once, with a bar, and refuse it with all that is wrong; other tasks have no files."""
    if isinstance(task, Folder):
        with progress.section(sum(len(task.images(split)) for split in splits), name="reading"):
            task.check(splits, progress.tick)


def crop_side(task: Task, train: TrainConfig) -> int:
    """Return the side of the crops that a task is trained on, 0 for whole images.

    Without a side in the settings, images of one size of up to 256 x 256 pixels are taken whole; of others, squares of
    the median of their shorter sides, at most 256, in whole 16s, which a U-Net halves four times without a rest.

    Raises:
        DrumheadError: a crop that would change nothing, or hold more than the largest image.
    """
    if not isinstance(task, Folder):
        if train.crop:
            raise DrumheadError(
                f"train.crop={train.crop}: the images of {task.name} are of one size and taken whole; the folder task "
                "alone has crops"
            )
        return 0
    sizes = task.images("train").sizes
    largest = GRID * -(-max(map(max, sizes)) // GRID)
    if train.crop > largest:
        raise DrumheadError(f"train.crop={train.crop}: {largest} pixels hold the largest image; choose that or less")
    if train.crop:
        return train.crop
    if len(set(sizes)) == 1 and sizes[0][0] * sizes[0][1] <= SIDE**2:
        return 0
    median = int(np.median([min(size) for size in sizes]))
    return min(SIDE, max(GRID, median // GRID * GRID))


class Crops(Batches):
    """A split whose images are in files.

    Args:
        files: images uint8 (y, x, k) of any sizes, with their masks uint8 (y, x).
        device: where the batches are wanted.
        limit: use only the first so many; 0 uses all.
        crop: side of the squares that are trained on, one a image and batch; 0 takes images whole, all of one size.
    """

    def __init__(self, files: Files, device: torch.device, limit: int = 0, crop: int = 0):
        self.files, self.device, self.crop = files, device, crop
        self.count = min(limit, len(files)) if limit else len(files)
        sizes = files.sizes[: self.count]
        self.shape = (crop, crop) if crop else sizes[0]
        self.largest = max(height * width for height, width in sizes)

    def __len__(self) -> int:
        return self.count

    def counts(self, classes: int) -> np.ndarray:
        """Return the pixels of each class in whole images, int64 (classes,); ignored ones are of none."""
        return np.sum([self.files.classes_in(i) for i in range(len(self))], axis=0)

    def in_order(self, batch: int, processes: Processes = ALONE) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images once, whole and in order, at most `batch` of one size together; processes take turns."""
        together = []
        for _, same in groupby(range(len(self)), key=lambda i: self.files.sizes[i]):
            index = list(same)
            together += [index[start : start + batch] for start in range(0, len(index), batch)]
        for index in together[processes.rank :: processes.size]:
            yield self._stack([self.files[i] for i in index])

    def _take(self, index: np.ndarray, random: np.random.Generator, own: slice) -> tuple[Tensor, Tensor]:
        if not self.crop:
            return self._stack([self.files[i] for i in index[own].tolist()])
        places = [_place(self.files.sizes[i], self.crop, random) for i in index.tolist()]
        return self._stack([_cut(*self.files[i], at) for i, at in zip(index[own].tolist(), places[own], strict=True)])

    def _stack(self, examples: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
        images, masks = (torch.from_numpy(np.stack(arrays)).to(self.device) for arrays in zip(*examples, strict=True))
        return images.permute(0, 3, 1, 2).float().contiguous() / 255, masks.long()


def cut(image: np.ndarray, mask: np.ndarray, side: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square from an image and its mask, each place as likely as any other.

    An image that is smaller lies at a random place in the square and is mirrored beyond its edges, where the mask says
    `IGNORE`.

    Args:
        image: uint8 (y, x, k).
        mask: uint8 (y, x).
        side: of the square, in pixels.
        random: the stream that chooses.

    Returns:
        uint8 (side, side, k) and uint8 (side, side).

    Example:
        >>> image, mask = cut(np.ones((5, 9, 1), np.uint8), np.zeros((5, 9), np.uint8), 6, np.random.default_rng(0))
        >>> image.shape, int((mask == IGNORE).sum())  # a row of six was added
        ((6, 6, 1), 6)
    """
    return _cut(image, mask, _place(mask.shape, side, random))


Place = list[tuple[slice, tuple[int, int]]]


def _place(size: Sequence[int], side: int, random: np.random.Generator) -> Place:
    """Return where a square lies along both axes of an image, as `_span` does."""
    return [_span(length, side, random) for length in size]


def _cut(image: np.ndarray, mask: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square at a place."""
    (rows, above), (columns, left) = place
    image, mask = image[rows, columns], mask[rows, columns]
    return np.pad(image, (above, left, (0, 0)), mode="symmetric"), np.pad(mask, (above, left), constant_values=IGNORE)


def _span(size: int, side: int, random: np.random.Generator) -> tuple[slice, tuple[int, int]]:
    """Return which pixels of an axis are in the square, and how many the square has before and behind the axis."""
    spare = size - side
    first = int(random.integers(min(0, spare), max(0, spare) + 1))
    return slice(max(0, first), max(0, first + side)), (max(0, -first), max(0, first + side - size))
