"""Multi-MNIST: one to four binary digits, 128 x 128 pixels; label each digit's pixels with digit + 1.

Bit for bit the published data set, which is one stream of Python's random numbers (seed 50) that draws train, val
and test. As published, all splits draw their digits from MNIST's training digits, so about a third of the digits in
test also occur in train: accuracy on test says nothing about unseen handwriting. `unseen` draws them from three sets
without a common digit instead: the training digits but the last 10,000, those, and MNIST's test digits.
"""

import hashlib
import random
from pathlib import Path

import numpy as np
from PIL import Image

from drumhead.errors import choose
from drumhead.tasks import idx
from drumhead.tasks.cache import kept
from drumhead.tasks.task import COUNTS, SPLITS

SIZE, DIGIT, SEED, TRIES = 128, 42, 50, 200
VALIDATION = 10_000  # of the 60,000 training digits, kept for validation where the splits share none
Digits = tuple[np.ndarray, np.ndarray]


def arrays(split: str, data: Path | None = None, unseen: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (n, 128, 128, 1), each pixel 0 or 255, and masks uint8 (n, 128, 128).

    Args:
        split: "train", "val" or "test".
        data: directory of MNIST's IDX files; None searches the usual places.
        unseen: keep the digits of the three splits apart, so that "test" shows unseen handwriting.
    """
    choose("split", split, SPLITS)
    place = idx.find(data) or data
    known = {part: idx.load(part, place) for part in (("train", "t10k") if unseen else ("train",))}
    digest = hashlib.sha256(b"".join(array.tobytes() for both in known.values() for array in both)).hexdigest()[:16]
    names = [f"multi-mnist-{'unseen' if unseen else 'published'}-{digest}-{name}" for name in COUNTS]
    masks = dict(zip(COUNTS, kept(names, lambda: _generate(known, unseen), __file__), strict=True))[split]
    return np.where(masks > 0, np.uint8(255), np.uint8(0))[..., None], masks


def _generate(known: dict[str, Digits], unseen: bool) -> list[np.ndarray]:
    """Return the masks of train, then of val, then of test."""
    stream = random.Random(SEED)
    out = []
    for split, count in COUNTS.items():
        digits, labels = _apart(split, known) if unseen else known["train"]
        masks = np.zeros((count, SIZE, SIZE), np.uint8)
        for mask in masks:
            for _ in range(stream.randint(1, 4)):
                index = stream.randint(0, len(digits) - 1)
                large = Image.fromarray(digits[index]).resize((DIGIT, DIGIT), Image.Resampling.BILINEAR)
                _place(stream, mask, np.asarray(large) > 50, int(labels[index]) + 1)
        out.append(masks)
    return out


def _apart(split: str, known: dict[str, Digits]) -> Digits:
    """Return the digits of one split, none of which another has."""
    if split == "test":
        return known["t10k"]
    digits, labels = known["train"]
    part = slice(-VALIDATION) if split == "train" else slice(-VALIDATION, None)
    return digits[part], labels[part]


def _place(stream: random.Random, mask: np.ndarray, shape: np.ndarray, label: int) -> None:
    """Put a digit where none of its pixels is taken; leave it out when no place is found."""
    for _ in range(TRIES):
        x, y = stream.randint(0, SIZE - DIGIT), stream.randint(0, SIZE - DIGIT)
        region = mask[y : y + DIGIT, x : x + DIGIT]
        if not region[shape].any():
            region[shape] = label
            return
