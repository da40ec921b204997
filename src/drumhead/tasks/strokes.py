"""What the tasks of walks draw: strokes of two pixels in white on black, and a dot on one of them."""

from collections.abc import Callable, Sequence

import numpy as np

from drumhead.errors import DrumheadError, choose, whole
from drumhead.tasks import walks
from drumhead.tasks.cache import kept
from drumhead.tasks.task import COUNTS, SPLITS, Arrays

Masks = Callable[[str, int, int, int], np.ndarray]  # split, length, side, count -> uint8 (n, y, x)
_WIDE = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
_DOT = np.array([(y, x) for y in range(-2, 4) for x in range(-2, 4) if abs(2 * y - 1) + abs(2 * x - 1) < 9])
_NO_ROOM = "side={side}: curves of length={length} find no room; {enough} pixels, which side=0 takes, are enough"


def sizes(split: str, length: int, side: int, count: int) -> tuple[int, int]:
    """Return side and number of the images, what is 0 filled in; refuse what cannot be drawn."""
    choose("split", split, SPLITS)
    whole("length", length, 12)
    if length > walks.LONGEST:
        raise DrumheadError(f"length={length}: at most {walks.LONGEST} pixels are possible")
    side = whole("side", side, 0) or walks.side(length)
    if (side - 2 * walks.MARGIN) ** 2 < 8 * max(length, 32) * (1 + length / 1024):  # walks wind, as in walks.side
        raise DrumheadError(_NO_ROOM.format(side=side, length=length, enough=walks.side(length)))
    return side, whole("count", count, 0) or COUNTS[split]


def drawn(task: str, source: str, masks: Masks, split: str, length: int, side: int, count: int) -> Arrays:
    """Return the images of a task, 255 where there is a stroke, and their masks, which the file `source` draws once."""
    side, count = sizes(split, length, side, count)
    name, sources = f"{task}-{length}-{side}-{split}-{count}", (source, __file__, walks.__file__)
    (found,) = kept([name], lambda: [masks(split, length, side, count)], *sources)
    return np.where(found > 0, np.uint8(255), np.uint8(0))[..., None], found


def enough(trails: walks.Trails, least: int, length: int, side: int) -> None:
    """Refuse images of which one found no room for so many walks."""
    if min(map(len, trails)) < least:
        raise DrumheadError(_NO_ROOM.format(side=side, length=length, enough=walks.side(length)))


def paint(masks: np.ndarray, trails: walks.Trails, marked: Sequence[int], dots: Sequence[np.ndarray]) -> None:
    """Draw the trails of each image and a dot: label 1 for the marked trail and the dot, 2 for the others.

    Args:
        masks: uint8 (n, y, x), which get the labels.
        trails: pixels (t, 2) of the strokes of each image.
        marked: which trail of each image has the dot.
        dots: the pixel (2,) of the dot in each image.
    """
    flat = [(i, 1 if j == marked[i] else 2, trail) for i, found in enumerate(trails) for j, trail in enumerate(found)]
    images, labels, pixels = zip(*flat, strict=True)
    lengths = list(map(len, pixels))
    (y, x), image, label = np.concatenate(pixels).T, np.repeat(images, lengths), np.repeat(labels, lengths)
    for down, right in _WIDE:
        masks[image, y + down, x + right] = label
    y, x = np.array(dots).T
    for down, right in _DOT:
        masks[np.arange(len(masks)), y + down, x + right] = 1
