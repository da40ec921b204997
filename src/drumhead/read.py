"""Image and label files as uint8 arrays, each mistake named. No torch."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from drumhead.errors import DrumheadError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
Colours = dict[int, tuple[list[int], Path]]
"""Of each label that was seen, its colour and the mask that showed it first."""


def find_images(directory: Path) -> list[Path]:
    """Return the image files of a directory by name; hidden ones, such as macOS's ._NAME.png, are no images."""
    found = sorted(path for path in directory.glob("[!.]*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DrumheadError(f"{directory} holds no images ({', '.join(SUFFIXES)}); its subdirectories are not searched")
    return found


def is_grey(path: Path) -> bool:
    """Say whether a file is a grey image; only its header is read."""
    return _open(path, decode=False).mode in ("1", "L", "LA")


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


def read_labels(path: Path, classes: int, seen: Colours | None = None) -> np.ndarray:
    """Return a mask as uint8 (y, x): one byte a pixel, grey or palette, each below `classes`.

    A mask that shows a label in another colour than one before it, which `seen` remembers, is refused: numbers of
    different palettes need not mean the same. A grey mask shows its labels as levels of grey.
    """
    picture = _open(path)
    if picture.mode not in ("L", "P", "1"):
        raise DrumheadError(f"{path} has the mode {picture.mode}; a mask is a grey or palette image of labels")
    labels = np.asarray(picture).astype(np.uint8)
    if labels.max() >= classes:
        raise DrumheadError(
            f"{path} has the label {labels.max()}; there are {classes} classes (0 to {classes - 1}). "
            "Map grey levels such as 255 to labels first"
        )
    if seen is not None:
        used, at = np.unique(labels, return_index=True)
        colours = np.asarray(picture.convert("RGBA")).reshape(-1, 4)[at, :3]
        for label, colour in zip(used.tolist(), colours.tolist(), strict=True):
            known, other = seen.setdefault(label, (colour, path))
            if colour != known:
                raise DrumheadError(
                    f"{path} shows label {label} in the colour {colour}, {other} in {known}, so their numbers may mean "
                    "different things; save all masks as grey images of labels, or all with one palette"
                )
    return labels


def _open(path: Path, decode: bool = True) -> Image.Image:
    """Open an image, turned upright as its EXIF orientation says; without `decode` only its header is read."""
    try:
        with path.open("rb") as file, Image.open(file) as picture:  # given a path, Pillow 13 scrambles turned raw TIFFs
            deep = ";16" in str(picture.tile)  # colour of 16 bits, whose lower half Pillow drops
            frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # a camera adds its preview
            if decode:
                ImageOps.exif_transpose(picture, in_place=True)
    except (OSError, EOFError, SyntaxError, TypeError, ValueError, Image.DecompressionBombError) as error:
        raise DrumheadError(f"{path} is not a readable image: {error}") from None
    if deep or picture.mode.startswith(("I", "F")):
        raise DrumheadError(f"{path} has more than 8 bits a pixel (mode {picture.mode}); convert it to 8 bits first")
    if picture.mode == "LAB":
        raise DrumheadError(f"{path} has the mode LAB; convert it to grey or RGB first")
    if frames > 1:
        raise DrumheadError(f"{path} holds {frames} images; split it into files of one image each")
    return picture
