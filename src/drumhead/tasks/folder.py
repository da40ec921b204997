"""Your own images: a directory of images and masks with a class list.

    DIR/classes.txt        one class a line; the first is the background, label 0
    DIR/images/NAME.png    the images, all of one size, grey or colour
    DIR/masks/NAME.png     for each image its labels, one byte a pixel (grey or palette PNG)

With DIR/train, DIR/val and DIR/test, each with images/ and masks/, the splits are those; otherwise every tenth
image by name goes to test, the one before it to val and the rest to train.
"""

from pathlib import Path

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.read import SUFFIXES, is_grey, read_image, read_labels
from drumhead.tasks.task import SPLITS, Arrays, Task


def task(root: Path) -> Task:
    """Return the task of a directory; every file is checked when its split is read."""
    if not root.is_dir():
        raise DrumheadError(
            f"{root} is not a directory; the folder task needs one with classes.txt, images/ and masks/"
        )
    classes = _classes(root / "classes.txt")
    first = _pairs(root, SPLITS[0])[0][0]
    channels = 1 if is_grey(first) else 3
    height, width = read_image(first, channels).shape[:2]
    size = (height, width)
    return Task("folder", classes, channels, size, False, lambda split: _read(root, split, classes, channels, size))


def _classes(path: Path) -> tuple[str, ...]:
    try:
        classes = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError):
        raise DrumheadError(f"{path} is missing or not text; it names one class a line, the background first") from None
    if not 2 <= len(classes) <= 256:
        raise DrumheadError(f"{path} names {len(classes)} classes; 2 to 256 are possible, the background first")
    return classes


def _pairs(root: Path, split: str) -> list[tuple[Path, Path]]:
    """Return the image and mask files of a split, sorted by name."""
    fixed = all((root / name).is_dir() for name in SPLITS)
    base = root / split if fixed else root
    images = sorted(path for path in base.glob("images/*") if path.suffix.lower() in SUFFIXES)
    if not images:
        raise DrumheadError(f"{base / 'images'} holds no images ({', '.join(SUFFIXES)})")
    pairs = [(image, base / "masks" / f"{image.stem}.png") for image in images]
    for image, mask in pairs:
        if not mask.is_file():
            raise DrumheadError(f"{image} has no mask: {mask} is missing")
    if fixed:
        return pairs
    if len(pairs) < 3:
        raise DrumheadError(f"{base / 'images'} holds {len(pairs)} images; at least 3 are needed for three splits")
    period = min(10, len(pairs))
    last = {"test": period - 1, "val": period - 2}
    wanted = {last[split]} if split in last else set(range(period - 2))
    return [pair for i, pair in enumerate(pairs) if i % period in wanted]


def _read(root: Path, split: str, classes: tuple[str, ...], channels: int, size: tuple[int, int]) -> Arrays:
    images, masks = [], []
    for image_path, mask_path in _pairs(root, split):
        image, mask = read_image(image_path, channels), read_labels(mask_path, len(classes))
        for path, array in ((image_path, image), (mask_path, mask)):
            if array.shape[:2] != size:
                raise DrumheadError(
                    f"{path} is {array.shape[0]} x {array.shape[1]} pixels, the first image {size[0]} x {size[1]}; "
                    "all need one size: crop or resize them"
                )
        images.append(image)
        masks.append(mask)
    return np.stack(images), np.stack(masks)
