"""MNIST segmentation: a grey digit, 56 x 56 pixels; label each pixel of the digit with digit + 1.

The digits are enlarged twice by bilinear interpolation (corners not aligned) and a pixel belongs to the digit
when it is brighter than one half. Training and validation are the published split of the 60,000 training digits.
Masks are exact; images are rounded to 8 bits, at most 1/510 from the published floating-point ones.
"""

from pathlib import Path

import numpy as np

from drumhead.errors import DrumheadError, choose
from drumhead.tasks import idx
from drumhead.tasks.task import SPLITS

CLASSES = ("background", *"0123456789")
TRAIN = 51_000  # of 60,000; the other 9,000 validate
CHUNK = 5_000  # digits enlarged at a time, to keep memory low


def arrays(split: str, data: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (n, 56, 56, 1) and masks uint8 (n, 56, 56)."""
    choose("split", split, SPLITS)
    digits, labels = idx.load("t10k" if split == "test" else "train", data)
    if split != "test":
        if len(digits) <= TRAIN:
            raise DrumheadError(
                f"MNIST has 60,000 training digits, these files {len(digits)}: the split needs {TRAIN + 1}"
            )
        order = permutation(len(digits), seed=42)
        chosen = order[:TRAIN] if split == "train" else order[TRAIN:]
        digits, labels = digits[chosen], labels[chosen]
    images = np.empty((len(digits), 56, 56, 1), np.uint8)
    masks = np.empty((len(digits), 56, 56), np.uint8)
    for start in range(0, len(digits), CHUNK):
        part = slice(start, start + CHUNK)
        large = enlarge(digits[part] / np.float32(255))
        images[part, ..., 0] = np.rint(large * 255)
        masks[part] = (large > 0.5) * (labels[part] + 1)[:, None, None]
    return images, masks


def enlarge(images: np.ndarray) -> np.ndarray:
    """Enlarge float32 (n, y, x) twice by bilinear interpolation.

    Ties decide masks (a pixel of exactly one half), so the sum runs in the order and with the fused rounding of
    torch's processor kernel: upper right, upper left, lower left, lower right.
    """
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1)], mode="edge").astype(np.float64)

    def towards(size: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        target = np.arange(2 * size)
        before = (target + 1) // 2  # in the padded image
        share = np.where(target % 2, 0.75, 0.25)
        return (before, share), (before + 1, 1 - share)

    (top, bottom), (left, right) = towards(images.shape[1]), towards(images.shape[2])
    total = np.float64(0)
    for (rows, row_share), (columns, column_share) in (
        (top, right),
        (top, left),
        (bottom, left),
        (bottom, right),
    ):
        corner = padded[:, rows[:, None], columns[None, :]] * (row_share[:, None] * column_share[None, :])
        total = (total + corner).astype(np.float32)
    return total


def permutation(n: int, seed: int) -> np.ndarray:
    """Return the permutation that `torch.randperm(n)` gives after `torch.manual_seed(seed)`, without torch.

    Both libraries run the same Mersenne Twister from the same seeding; torch shuffles forward with remainders.
    """
    draws = np.random.RandomState(seed).randint(0, 2**32, n - 1, dtype=np.uint32)
    order = np.arange(n)
    for i, draw in enumerate(draws):
        j = i + int(draw) % (n - i)
        order[i], order[j] = order[j], order[i]
    return order
