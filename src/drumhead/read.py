"""Image and label files as uint8 arrays, each mistake named. No torch."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from drumhead.errors import DrumheadError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")


def is_grey(path: Path) -> bool:
    """Say whether a file is a grey image."""
    return _open(path).mode in ("1", "L", "LA")


def read_image(path: Path, channels: int) -> np.ndarray:
    """Return an image as uint8 (y, x, channels): grey for one channel, red, green and blue for three."""
    picture = _open(path).convert("L" if channels == 1 else "RGB")
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def read_opacity(path: Path) -> np.ndarray | None:
    """Return how opaque an image is as uint8 (y, x), 0 where it is transparent; None if it has no transparency."""
    picture = _open(path)
    if not picture.has_transparency_data:
        return None
    return np.asarray(picture.convert("RGBA").getchannel("A"))


def read_labels(path: Path, classes: int) -> np.ndarray:
    """Return a mask as uint8 (y, x): one byte a pixel, grey or palette, each below `classes`."""
    picture = _open(path)
    if picture.mode not in ("L", "P", "1"):
        raise DrumheadError(f"{path} has the mode {picture.mode}; a mask is a grey or palette image of labels")
    labels = np.asarray(picture).astype(np.uint8)
    if labels.max() >= classes:
        raise DrumheadError(
            f"{path} has the label {labels.max()}; there are {classes} classes (0 to {classes - 1}). "
            "Map grey levels such as 255 to labels first"
        )
    return labels


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:  # a file of several frames would stay open
            picture.load()
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DrumheadError(f"{path} is not a readable image: {error}") from None
    if picture.mode.startswith(("I", "F")):
        raise DrumheadError(f"{path} has more than 8 bits a pixel (mode {picture.mode}); convert it to 8 bits first")
    return picture
