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
from drumhead.read import SUFFIXES, Colours, find_images, is_grey, read_image, read_labels
from drumhead.tasks.task import SPLITS, Arrays, Task


def task(root: Path) -> Task:
    """Return the task of a directory; every file is checked when its split is read."""
    if not root.is_dir():
        raise DrumheadError(
            f"{root} is not a directory; the folder task needs one with classes.txt, images/ and masks/"
        )
    classes = _classes(root / "classes.txt")
    splits = _splits(root)
    images = [image for pairs in splits.values() for image, _ in pairs]
    channels = 1 if all(map(is_grey, images)) else 3
    height, width = read_image(images[0], channels).shape[:2]
    size, seen = (height, width), {}
    return Task(
        "folder", classes, channels, size, False, lambda split: _read(splits[split], classes, channels, size, seen)
    )


def _classes(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text("utf-8-sig").rstrip().splitlines()  # blank lines at the end name nothing
    except (OSError, UnicodeDecodeError):
        raise DrumheadError(f"{path} is missing or not text; it names one class a line, the background first") from None
    classes = tuple(line.strip() for line in lines)
    if not 2 <= len(classes) <= 256:
        raise DrumheadError(f"{path} names {len(classes)} classes; 2 to 256 are possible, the background first")
    for label, name in enumerate(classes):
        if not name or name in classes[:label]:
            what = f"names {name!r} again" if name else "is blank"
            raise DrumheadError(
                f"{path}: line {label + 1} {what}; each line names the class of one label, {label} here"
            )
    return classes


def _splits(root: Path) -> dict[str, list[tuple[Path, Path]]]:
    """Return the image and mask files of each split, sorted by name."""
    fixed = [name for name in SPLITS if (root / name).is_dir()]
    if fixed and (len(fixed) < len(SPLITS) or (root / "images").is_dir()):
        raise DrumheadError(
            f"{root} holds {', '.join(fixed)}; either all of {', '.join(SPLITS)} are needed and no images beside them, "
            "or none of them"
        )
    if fixed:
        return {split: _pairs(root / split) for split in SPLITS}
    pairs = _pairs(root)
    if len(pairs) < 3:
        raise DrumheadError(f"{root / 'images'} holds {len(pairs)} images; at least 3 are needed for three splits")
    period = min(10, len(pairs))
    kept = {period - 2: "val", period - 1: "test"}
    return {split: [pair for i, pair in enumerate(pairs) if kept.get(i % period, "train") == split] for split in SPLITS}


def _pairs(base: Path) -> list[tuple[Path, Path]]:
    """Return the images of a directory by name, each with its mask."""
    images: dict[Path, Path] = {}
    for image in find_images(base / "images"):
        mask = base / "masks" / f"{image.stem}.png"
        if not mask.is_file():
            raise DrumheadError(f"{image} has no mask: {mask} is missing")
        if mask in images:
            raise DrumheadError(f"{images[mask]} and {image} would have the same mask, {mask}; keep one of them")
        images[mask] = image
    for mask in sorted((base / "masks").glob("[!.]*.png")):
        if mask not in images:
            raise DrumheadError(
                f"{mask} has no image in {base / 'images'} ({', '.join(SUFFIXES)}); add the image or remove the mask"
            )
    return [(image, mask) for mask, image in images.items()]


def _read(
    pairs: list[tuple[Path, Path]], classes: tuple[str, ...], channels: int, size: tuple[int, int], seen: Colours
) -> Arrays:
    images, masks = [], []
    for image_path, mask_path in pairs:
        image, mask = read_image(image_path, channels), read_labels(mask_path, len(classes), seen)
        for path, array in ((image_path, image), (mask_path, mask)):
            if array.shape[:2] != size:
                raise DrumheadError(
                    f"{path} is {array.shape[0]} x {array.shape[1]} pixels, the first image {size[0]} x {size[1]}; "
                    "all need one size: crop or resize them"
                )
        images.append(image)
        masks.append(mask)
    return np.stack(images), np.stack(masks)
