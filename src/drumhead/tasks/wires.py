"""Wires: two to four smooth curves that do not touch, a dot at one end of one; label the whole wire with the dot.

Every piece of a wire looks like every other, so a pixel learns only from the dot's end, and that news has to come along
the wire. Its length is the distance that a network must bridge; the image grows with it, so that wires lie as densely.
Long ones leave less room: of 480 pixels and more, one image in seven has no second wire.
"""

import numpy as np

from drumhead.tasks import strokes, walks
from drumhead.tasks.task import COUNTS, Arrays

SEED, LENGTH, MOST, TRIES = 20261128, 60, 4, 40
CLASSES = ("background", "wire with the dot", "other wire")


def arrays(split: str, length: int = LENGTH, side: int = 0, count: int = 0) -> Arrays:
    """Return images uint8 (n, side, side, 1), each pixel 0 or 255, and masks uint8 (n, side, side).

    Args:
        split: "train", "val" or "test".
        length: of a wire along its middle, in pixels, within a sixth; 12 or more.
        side: of an image in pixels; 0 lets it grow with the length (`walks.side`).
        count: of images; 0 takes the split's. They are drawn together, so another count is other images.

    Raises:
        DrumheadError: no such split, or wires that find no room.

    Example:
        >>> images, masks = dh.tasks.wires.arrays("test", length=16, count=20)
        >>> images.shape, masks.shape
        ((20, 32, 32, 1), (20, 32, 32))
    """
    return strokes.drawn("wires", __file__, _masks, split, length, side, count)


def _masks(split: str, length: int, side: int, count: int) -> np.ndarray:
    random = np.random.default_rng((SEED, list(COUNTS).index(split), length))
    wires = random.integers(2, MOST + 1, count)
    taken = np.zeros((count, side, side), bool)
    trails: walks.Trails = [[] for _ in range(count)]

    def lengths(number: int) -> np.ndarray:
        return random.integers(length - length // 6, length + length // 6 + 1, number)

    for number in range(MOST):
        tries = TRIES if number else 10 * TRIES  # the first one is laid whatever it takes
        walks.lay(random, taken, np.flatnonzero(wires > number), trails, tries, lengths)
    strokes.enough(trails, 1, length, side)
    masks, marked, dots = np.zeros((count, side, side), np.uint8), [], []
    for found in trails:
        marked.append(random.integers(len(found)))  # any of them: those laid late had to bend more
        dots.append(found[marked[-1]][random.integers(2) - 1])
    strokes.paint(masks, trails, marked, dots)
    return masks
