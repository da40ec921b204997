"""Pathfinder as segmentation: long dashed paths among short ones, a dot at one end of a long one; label its dashes.

After Linsley et al. (2018, arXiv 1805.08315), who ask whether two dots lie on one path. As there a path is dashes with
gaps as wide as the least distance between paths, so that nearness does not tell which dashes belong together and
smoothness does; its length is counted in dashes; short paths, a third as long, distract. Here the answer is a mask, a
long path is as long as asked, and ends keep apart, so that no path seems to go on as another.

Labels cover the dashes alone. A gap looks like any other black pixel: to label it would be another task, to draw what
is not there, and foreground accuracy would mix the two.
"""

import numpy as np

from drumhead.tasks import strokes, walks
from drumhead.tasks.task import COUNTS, Arrays

SEED, LENGTH, TRIES = 20261129, 60, 40
CLASSES = ("background", "path with the dot", "other path")
DASH, SPACE = 5, 3  # pixels along a path: walks keep 5 apart and strokes are 2 wide, which leaves 3 between them
PERIOD = DASH + SPACE
LONG, SHORT = 3, 6  # most paths of each kind; there are 2 long ones at least


def arrays(split: str, length: int = LENGTH, side: int = 0, count: int = 0) -> Arrays:
    """Return images uint8 (n, side, side, 1), each pixel 0 or 255, and masks uint8 (n, side, side).

    Args:
        split: "train", "val" or "test".
        length: of a long path, in pixels, within a sixth and rounded to whole dashes; 12 or more.
        side: of an image in pixels; 0 lets it grow with the length (`walks.side`).
        count: of images; 0 takes the split's. They are drawn together, so another count is other images.

    Raises:
        DrumheadError: no such split, or paths that find no room.

    Example:
        >>> images, masks = dh.tasks.pathfinder.arrays("test", length=120, side=128, count=20)
        >>> images.shape, masks.shape
        ((20, 128, 128, 1), (20, 128, 128))
    """
    return strokes.drawn("pathfinder", __file__, _masks, split, length, side, count)


def _masks(split: str, length: int, side: int, count: int) -> np.ndarray:
    random = np.random.default_rng((SEED, list(COUNTS).index(split), length))
    long = random.integers(2, LONG + 1, count)
    taken = np.zeros((count, side, side), bool)
    trails: walks.Trails = [[] for _ in range(count)]
    least, most = (_dashes(length + sign * (length // 6)) for sign in (-1, 1))

    def lengths(number: int) -> np.ndarray:
        return PERIOD * random.integers(least, most + 1, number) - SPACE

    def third(number: int) -> np.ndarray:
        return PERIOD * random.integers(max(1, least // 3), max(1, most // 3) + 1, number) - SPACE

    for number in range(LONG):
        tries = TRIES if number > 1 else 10 * TRIES
        walks.lay(random, taken, np.flatnonzero(long > number), trails, tries, lengths)
        _clear_ends(taken, trails)
    strokes.enough(trails, 2, length, side)
    marked = [int(random.integers(len(found))) for found in trails]
    dots = [found[i][random.integers(2) - 1] for i, found in zip(marked, trails, strict=True)]
    for _ in range(SHORT):
        walks.lay(random, taken, np.arange(count), trails, 1, third)
        _clear_ends(taken, trails)
    dashed = [[trail[np.arange(len(trail)) % PERIOD < DASH] for trail in found] for found in trails]
    masks = np.zeros((count, side, side), np.uint8)
    strokes.paint(masks, dashed, marked, dots)
    return masks


def _clear_ends(taken: np.ndarray, trails: walks.Trails) -> None:
    """Let no other path come as near to an end of the last ones as a next dash would: two would look like one."""
    for ground, found in zip(taken, trails, strict=True):
        for y, x in (end for trail in found[-1:] for end in (trail[0], trail[-1])):
            ground[max(0, y - PERIOD) : y + PERIOD + 1, max(0, x - PERIOD) : x + PERIOD + 1] = True


def _dashes(length: int) -> int:
    """Return how many dashes come nearest to a length in pixels."""
    return (2 * (length + SPACE) + PERIOD) // (2 * PERIOD)
