"""Tetrominoes: one to five coloured pieces on black, 64 x 64 pixels; label each pixel with its piece.

Bit for bit the published data set, which is defined by one legacy NumPy stream (seed 42) that draws train,
then val, then test. Two of its quirks are kept because they are in the bits: no piece ever touches the last
row or column, and the bright rim of a cell is an 8-bit sum that wraps around.
"""

import numpy as np

from drumhead.errors import choose
from drumhead.tasks.cache import kept
from drumhead.tasks.task import COUNTS, SPLITS, Arrays

SIZE, CELL, SEED = 64, 7, 42
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


def _draw(random: np.random.RandomState, image: np.ndarray, mask: np.ndarray) -> None:
    """Place one to five pieces in a black image."""
    number = random.randint(1, 6)
    labels = list(_PIECES) * (number // 5 + 1)
    random.shuffle(labels)
    for label in labels[:number]:
        piece = np.rot90(_PIECES[label], random.randint(0, 4))
        if label in (4, 5) and random.rand() < 0.5:
            piece = np.fliplr(piece)
        colour = random.randint(0, 256, 3, dtype=np.uint8)
        cells = np.kron(piece, np.ones((CELL, CELL), np.uint8))
        height, width = cells.shape
        while True:
            row, column = random.randint(0, SIZE - height), random.randint(0, SIZE - width)
            box = slice(row, row + height), slice(column, column + width)
            if not mask[box].any():
                break
        mask[box][cells > 0] = label
        image[box][cells > 0] = colour
        rim = np.ones((CELL, CELL), np.uint8)
        rim[1:-1, 1:-1] = 0
        rims = np.kron(piece, rim)
        image[box][rims > 0] += colour // 2  # wraps at 256, as published
