"""Mask files as labels: grey or palette images of numbers, or colours that the class list names."""

from pathlib import Path

import numpy as np
from PIL import Image

from drumhead.errors import DrumheadError, listed
from drumhead.read.classes import IGNORE, ClassList
from drumhead.read.images import converted, is_deep, open_image

SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
"""Files that keep every pixel as it was; JPEG does not."""
Colours = dict[int, tuple[list[int], Path]]
"""Of each number that was seen, its colour and the mask that showed it first."""
MOST = 2**16  # values of a mask of 16 bits
MANY = 5  # mistakes of a mask that are named


def read_mask(path: Path, classes: ClassList, seen: Colours | None = None) -> np.ndarray:
    """Return a mask as labels uint8 (y, x), `IGNORE` where the class list says so.

    Where classes have colours, a pixel's colour says its label. Otherwise its number does; of two classes the second
    may be 255. A mask that shows a number in another colour than one before it, which `seen` remembers, is refused:
    numbers of different palettes need not mean the same. A grey mask shows its numbers as levels of grey.
    """
    picture = open_image(path)
    if picture.format == "JPEG":
        raise DrumheadError(f"{path} is a JPEG, which smears the edges of labels; save masks as PNG")
    return _by_colour(picture, classes, path) if classes.colours else _by_number(picture, classes, path, seen)


def _by_colour(picture: Image.Image, classes: ClassList, path: Path) -> np.ndarray:
    if is_deep(picture):
        raise DrumheadError(f"{path} is grey of 16 bits, and classes.txt gives colours; save it in those colours")
    red, green, blue = np.moveaxis(converted(picture, "RGB", path).astype(np.int32), -1, 0)
    colours, labels = red << 16 | green << 8 | blue, np.full(red.shape, -1, np.int16)
    for label, colour in enumerate(classes.colours):
        labels[colours == colour] = label
    if classes.ignored is not None:
        labels[colours == classes.ignored] = IGNORE
    unknown = np.argwhere(labels < 0)
    if len(unknown):
        y, x = unknown[0]
        others = [f"#{one:06x}" for one in np.unique(colours[labels < 0]).tolist() if one != colours[y, x]]
        found = listed([f"#{colours[y, x]:06x} at x={x}, y={y}", *others], most=1 + MANY)
        raise DrumheadError(
            f"{path} has the colour{'s' * bool(others)} {found} ({len(unknown)} such pixels), which classes.txt does "
            "not name; draw without smooth edges, or leave the colours out if masks hold labels"
        )
    return labels.astype(np.uint8)


def _by_number(picture: Image.Image, classes: ClassList, path: Path, seen: Colours | None) -> np.ndarray:
    numbers = _numbers(picture, path)
    used = np.flatnonzero(np.bincount(numbers.ravel(), minlength=1))
    if seen is not None:
        _agree(picture, numbers, used, path, seen)
    labels = {label: label for label in range(len(classes.names))}
    others = {*used.tolist()} - {classes.ignored}
    if len(classes.names) == 2 and others <= {0, 255}:
        labels = {0: 0, 255: 1}
    if classes.ignored is not None:
        labels[classes.ignored] = IGNORE
    if unknown := sorted(others - labels.keys()):
        raise DrumheadError(
            f"{path} has the label{'s' * (len(unknown) > 1)} {listed([*map(str, unknown)], most=MANY)}; there are "
            f"{len(classes.names)} classes (0 to {len(classes.names) - 1}). {_advice(unknown)}"
        )
    table = np.zeros(used[-1] + 1, np.uint8)
    table[used] = [labels[number] for number in used.tolist()]
    return table[numbers]


def _numbers(picture: Image.Image, path: Path) -> np.ndarray:
    """Return the numbers of a mask (y, x); colour that is grey everywhere counts as grey."""
    if picture.mode in ("L", "P", "1"):
        return np.asarray(picture).astype(np.uint8)
    numbers = np.asarray(picture)
    if is_deep(picture):
        if not (numbers >= 0).all() or not (numbers < MOST).all() or (numbers != np.rint(numbers)).any():
            raise DrumheadError(f"{path} has values that are no labels: whole numbers from 0 are")
        return numbers.astype(np.int64)
    numbers = converted(picture, "RGB", path)
    if (numbers != numbers[..., :1]).any():
        raise DrumheadError(
            f"{path} has the mode {picture.mode} and shows colours; classes.txt says what they mean if each line "
            "ends in one, as in 'cell #ff0000'"
        )
    return numbers[..., 0]


def _agree(picture: Image.Image, numbers: np.ndarray, used: np.ndarray, path: Path, seen: Colours) -> None:
    """Refuse a mask whose palette is not that of those before it."""
    if is_deep(picture):
        return
    flat = converted(picture, "RGBA", path).reshape(-1, 4)
    for number in used.tolist():
        colour = flat[np.argmax(numbers.ravel() == number), :3].tolist()
        known, other = seen.setdefault(number, (colour, path))
        if colour != known:
            raise DrumheadError(
                f"{path} shows label {number} in the colour {colour}, {other} in {known}, so their numbers may mean "
                "different things; save all masks as grey images of labels, or all with one palette"
            )


def _advice(unknown: list[int]) -> str:
    """Say what numbers that name no class may be."""
    if unknown == [255]:
        return "Map grey levels such as 255 to labels first; if these pixels shall not count, add a line 'ignore 255'"
    if len(unknown) > 1:
        return (
            "If every object has a number of its own, set all of one class to its label first: drumhead finds classes"
        )
    return "Map grey levels to labels first"
