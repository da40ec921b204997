"""Tetrominoes: one to five coloured pieces on black, 64 x 64 pixels; label each pixel with its piece.

Bit for bit the published data set, which is defined by one legacy NumPy stream (seed 42) that draws train,
then val, then test. Two of its quirks are kept because they are in the bits: no piece ever touches the last
row or column, and the bright rim of a cell is an 8-bit sum that wraps around.
"""

import numpy as np

from drumhead.errors import DrumheadError, choose, whole
from drumhead.tasks.cache import kept
from drumhead.tasks.task import COUNTS, SPLITS, Arrays

SIZE, CELL, SEED, MOST = 64, 7, 42, 5
TRIES = 10_000  # to find a place; the published pieces needed up to 269
CLASSES = ("background", "I", "O", "T", "S/Z", "J/L")

_PIECES = {
    1: np.ones((1, 4), np.uint8),
    2: np.ones((2, 2), np.uint8),
    3: np.array([[0, 1, 0], [1, 1, 1]], np.uint8),
    4: np.array([[0, 1, 1], [1, 1, 0]], np.uint8),
    5: np.array([[1, 0, 0], [1, 1, 1]], np.uint8),
}


def arrays(split: str) -> Arrays:
    """Return images uint8 (n, 64, 64, 3) and masks uint8 (n, 64, 64)."""
    choose("split", split, SPLITS)
    names = [f"tetrominoes-{name}-{what}" for name in COUNTS for what in ("images", "masks")]
    found = dict(zip(names, kept(names, _generate, __file__), strict=True))
    return found[f"tetrominoes-{split}-images"], found[f"tetrominoes-{split}-masks"]


def drawn(count: int, side: int = SIZE, cell: int = CELL, seed: int = 0) -> Arrays:
    """Return other tetrominoes: images of any size with pieces of any size, which lie as densely as the published ones.

    Up to five pieces go into 64 x 64 pixels if a cell has 7, and as many more as an image has more room for them; one
    at least. An image without room for the last of them is drawn again.

    Args:
        count: of images.
        side: of an image in pixels; more than four cells.
        cell: side of the four squares of a piece in pixels; 3 or more.
        seed: of all images together.

    Returns:
        Images uint8 (count, side, side, 3) and masks uint8 (count, side, side).

    Raises:
        DrumheadError: a number that is too small.

    Example:
        >>> images, masks = drawn(2, side=32)
        >>> images.shape, (masks > 0).sum((1, 2)).tolist()
        ((2, 32, 32, 3), [196, 196])
    """
    count, cell = whole("count", count), whole("cell", cell, 3)
    side = whole("side", side)
    if side <= 4 * cell:
        raise DrumheadError(f"side={side}: pieces of cells of {cell} pixels need a side of {4 * cell + 1} or more")
    most = max(1, round(MOST * (side * CELL / (SIZE * cell)) ** 2))
    random = np.random.RandomState(seed)
    images, masks = np.zeros((count, side, side, 3), np.uint8), np.zeros((count, side, side), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        while not _draw(random, image, mask, cell, most):
            image[:], mask[:] = 0, 0
    return images, masks


def _generate() -> list[np.ndarray]:
    """Return images and masks of train, then of val, then of test."""
    random = np.random.RandomState(SEED)
    out = []
    for count in COUNTS.values():
        images = np.zeros((count, SIZE, SIZE, 3), np.uint8)
        masks = np.zeros((count, SIZE, SIZE), np.uint8)
        for image, mask in zip(images, masks, strict=True):
            _draw(random, image, mask)
        out += [images, masks]
    return out


def _draw(random: np.random.RandomState, image: np.ndarray, mask: np.ndarray, cell: int = CELL,
          most: int = MOST) -> bool:  # fmt: skip
    """Place one piece or more in a black image; return whether there was room for all of them."""
    number = random.randint(1, most + 1)
    labels = list(_PIECES) * (number // 5 + 1)
    random.shuffle(labels)
    for label in labels[:number]:
        piece = np.rot90(_PIECES[label], random.randint(0, 4))
        if label in (4, 5) and random.rand() < 0.5:
            piece = np.fliplr(piece)
        colour = random.randint(0, 256, 3, dtype=np.uint8)
        cells = np.kron(piece, np.ones((cell, cell), np.uint8))
        height, width = cells.shape
        for _ in range(TRIES):
            row, column = random.randint(0, len(mask) - height), random.randint(0, len(mask) - width)
            box = slice(row, row + height), slice(column, column + width)
            if not mask[box].any():
                break
        else:
            return False
        mask[box][cells > 0] = label
        image[box][cells > 0] = colour
        rim = np.ones((cell, cell), np.uint8)
        rim[1:-1, 1:-1] = 0
        rims = np.kron(piece, rim)
        image[box][rims > 0] += colour // 2  # wraps at 256, as published
    return True
