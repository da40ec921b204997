"""Batches for training, in an order that depends on seed and epoch alone.

Because nothing but (seed, epoch, index of the batch) decides what a batch holds, a run can stop anywhere and
resume on the very same batches.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from drumhead.learn.processes import ALONE, Processes
from drumhead.settings.config import TrainConfig

PIXELS = 2**20  # that are looked at together without learning: 256 images of 64 x 64, 5 of 384 x 512


class Batches(ABC):
    """Images and masks of one split.

    Attributes:
        device: where the batches are wanted.
        shape: height and width of what is trained on.
        largest: pixels of the largest image.
        processes: which take a share of each batch that is learned from.
    """

    processes: Processes = ALONE
    device: torch.device
    shape: tuple[int, int]
    largest: int

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def in_order(self, batch: int, processes: Processes = ALONE) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images once, whole and in order, at most `batch` of one size together; processes take turns."""

    @abstractmethod
    def counts(self, classes: int) -> np.ndarray:
        """Return the pixels of each class, int64 (classes,)."""

    @abstractmethod
    def _take(self, index: np.ndarray, random: np.random.Generator, own: slice) -> tuple[Tensor, Tensor]:
        """Return images float32 (b, k, y, x) in [0, 1] and masks int64 (b, y, x) to train on, all of one shape.

        They are the process' own of those in the index; of the others no more is done than drawing random numbers.
        """

    def epoch_size(self, train: TrainConfig) -> int:
        """Return the images of an epoch: all, or as many as the config says."""
        return train.epoch_images or len(self)

    def at_a_time(self, most: int = 0) -> int:
        """Return how many images to look at together: what makes a million pixels, and at most `most` (0: any)."""
        fit = max(1, PIXELS // self.largest)
        return min(fit, most) if most else fit

    def shuffled(self, train: TrainConfig, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the full batches of an epoch, or a process' shares, from batch `start` on, augmented as configured."""
        size = self.epoch_size(train)
        batch, order = min(train.batch, size), self._order(train.seed, epoch * size, size)
        for i in range(start, size // batch):
            index, place = order[i * batch : (i + 1) * batch], _stream(train.seed, 3, epoch, i)
            own = self.processes.part(batch)
            yield augment(*self._take(index, place, own), train.augment, _stream(train.seed, 1, epoch, i), batch, own)

    def pixels(self, train: TrainConfig, epoch: int, batch: int, images: int) -> Tensor | None:
        """Return flat pixel indices (images, n) to learn from, one of each run of `thin`; None for all pixels."""
        if train.thin == 1:
            return None
        count = self.shape[0] * self.shape[1]
        runs = -(-count // train.thin)
        whole = images * self.processes.size
        within = _stream(train.seed, 2, epoch, batch).random((whole, runs))[self.processes.part(whole)]
        return torch.from_numpy(((np.arange(runs) + within) * count / runs).astype(np.int64)).to(self.device)

    def steps(self, train: TrainConfig, epoch: int, batch: int, most: int) -> int | None:
        """Return after how many steps a batch is answered, 1 to `most`; None for all of them."""
        random = _stream(train.seed, 4, epoch, batch)
        return int(random.integers(1, most + 1)) if random.random() < train.early else None

    def _order(self, seed: int, start: int, count: int) -> np.ndarray:
        """Return entries start .. start + count of an endless order: one permutation of all images after another."""
        first, last = start // len(self), (start + count - 1) // len(self)
        rounds = [_stream(seed, 0, i).permutation(len(self)) for i in range(first, last + 1)]
        return np.concatenate(rounds)[start - first * len(self) :][:count]


class Split(Batches):
    """A split in memory, all images of one size, as uint8 until a batch is made.

    Args:
        images: uint8 (n, y, x, k).
        masks: uint8 (n, y, x).
        device: where the batches are wanted.
        limit: use only the first so many; 0 uses all.
    """

    def __init__(self, images: np.ndarray, masks: np.ndarray, device: torch.device, limit: int = 0):
        count = min(limit, len(images)) if limit else len(images)
        self.images = torch.from_numpy(images[:count].transpose(0, 3, 1, 2).copy()).to(device)
        self.masks = torch.from_numpy(masks[:count].copy()).to(device)
        self.device, self.shape, self.largest = self.masks.device, masks.shape[1:3], self.masks[0].numel()

    def __len__(self) -> int:
        return len(self.images)

    def counts(self, classes: int) -> np.ndarray:
        """Return the pixels of each class, int64 (classes,)."""
        return torch.bincount(self.masks.flatten(), minlength=classes)[:classes].cpu().numpy()

    def in_order(self, batch: int, processes: Processes = ALONE) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images once, in order; the last batch may be smaller."""
        for index in torch.arange(len(self), device=self.device).split(batch)[processes.rank :: processes.size]:
            yield self._at(index)

    def _take(self, index: np.ndarray, random: np.random.Generator, own: slice) -> tuple[Tensor, Tensor]:
        return self._at(torch.from_numpy(index[own]).to(self.device))

    def _at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[index].float() / 255, self.masks[index].long()


def _stream(seed: int, *purpose: int) -> np.random.Generator:
    """Return a random stream of its own for each seed and purpose."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=purpose))


def augment(
    images: Tensor, masks: Tensor, kind: str, random: np.random.Generator, batch: int = 0, own: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """Return a batch flipped, turned or shifted, as `TrainConfig.augment` says.

    Args:
        images: (b, k, y, x).
        masks: (b, y, x).
        kind: the word of the setting.
        random: the stream that chooses.
        batch: images of the whole batch, where these are a share of it; 0 for all.
        own: which of the whole batch these are.
    """
    if kind == "none":
        return images, masks
    if kind == "shift":
        return _shifted(images, masks, random, batch or len(masks), own)
    turns, flip = int(random.integers(4)), bool(random.integers(2))
    if masks.shape[-1] != masks.shape[-2]:
        turns -= turns % 2  # a quarter turn would change the shape of the batch
    shift = tuple(int(random.integers(size)) for size in masks.shape[-2:]) if kind == "wrap" else (0, 0)

    def apply(x: Tensor) -> Tensor:
        x = x.flip(-1) if flip else x
        return x.rot90(turns, (-2, -1)).roll(shift, (-2, -1))

    return apply(images), apply(masks)


def _shifted(
    images: Tensor, masks: Tensor, random: np.random.Generator, batch: int, own: slice
) -> tuple[Tensor, Tensor]:
    """Return each image shifted by up to an eighth of its sides, its edges repeated, and its mask alike."""
    places = []
    for size in masks.shape[-2:]:
        most = size // 8
        by = random.integers(-most, most + 1, size=(batch, 1))[own]
        places.append(torch.from_numpy(np.clip(np.arange(size) + by, 0, size - 1)).to(masks.device))
    which = torch.arange(len(masks), device=masks.device)[:, None, None]
    rows, columns = places[0][:, :, None], places[1][:, None, :]
    return images.movedim(1, -1)[which, rows, columns].movedim(-1, 1).contiguous(), masks[which, rows, columns]
