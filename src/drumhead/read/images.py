"""Image files as uint8 arrays: grey or colour, upright, deep grey scaled to a byte."""

import functools
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from drumhead.errors import DrumheadError, reason

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
GREY = ("1", "L", "LA", "I", "F")
PROGRAMS = ("EPS",)  # to read these Pillow starts another program, which runs what the file says
logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it logs of a damaged file it raises as well
OUTLIERS = 0.1  # percent of the pixels at either end that a deep image's range leaves out: dead and hot ones


def find_images(directory: Path) -> list[Path]:
    """Return the image files of a directory by name; hidden ones, such as macOS's ._NAME.png, are no images."""
    found = sorted(path for path in directory.glob("[!.]*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DrumheadError(f"{directory} holds no images ({', '.join(SUFFIXES)}); its subdirectories are not searched")
    return found


def look(path: Path) -> tuple[tuple[int, int], bool]:
    """Return the height and width of an image, upright, and whether it is grey; only its header is read.

    What a PNG says of its orientation behind its pixels is not seen.
    """
    picture = open_image(path, decode=False)
    width, height = picture.size
    return (width, height) if picture.info["turned"] else (height, width), picture.mode.partition(";")[0] in GREY


def width_height(shape: Sequence[int]) -> str:
    """Return the size of an array (y, x, ...) as image programs say it.

    Example:
        >>> width_height((48, 64, 3))
        '64 x 48'
    """
    return f"{shape[1]} x {shape[0]}"


def read_image(path: Path, channels: int) -> np.ndarray:
    """Return an image as uint8 (y, x, channels): grey for one channel, red, green and blue for three.

    Grey of more than 8 bits is scaled to a byte by `to_bytes`, each file by its own range.
    """
    picture = open_image(path)
    if is_deep(picture):
        values = np.asarray(picture)
        if not np.isfinite(values).all():
            raise DrumheadError(f"{path} holds values that are no numbers; replace them and save it again")
        picture = Image.fromarray(to_bytes(values))
    values = converted(picture, "L" if channels == 1 else "RGB", path)
    return values.reshape(picture.height, picture.width, channels)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Scale values to 0 .. 255 by their own range, without the darkest and the brightest 0.1 % of the pixels.

    A camera of 12 bits fills a sixteenth of a file of 16, and one hot pixel all of it, so neither the type's range
    nor the largest value says what is bright.

    Args:
        values: numbers (y, x) of any real type.

    Returns:
        uint8 (y, x): rint(255 (v - low) / (high - low)), cut to 0 .. 255; all 0 where one value is everywhere.

    Example:
        >>> to_bytes(np.array([[100, 150, 200]], np.uint16))
        array([[  0, 128, 255]], dtype=uint8)
    """
    values = values.astype(np.float64)
    low, high = np.percentile(values, (OUTLIERS, 100 - OUTLIERS), method="nearest")
    if low == high:  # nearly all of it is one value; what is not shall be seen
        low, high = values.min(), values.max()
    return np.rint(255 * np.clip((values - low) / max(high - low, np.finfo(float).tiny), 0, 1)).astype(np.uint8)


def read_opacity(path: Path) -> np.ndarray | None:
    """Return how opaque an image is as uint8 (y, x), 0 where it is transparent; None if it has no transparency."""
    picture = open_image(path)
    if picture.mode in ("P", "PA") and picture.palette is None:
        raise DrumheadError(f"{path} is not a readable image: its palette is missing")
    return converted(picture, "RGBA", path)[..., 3] if picture.has_transparency_data else None


def converted(picture: Image.Image, mode: str, path: Path) -> np.ndarray:
    """Return an image in another mode as uint8 (y, x) or (y, x, channel)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of transparency, which is not asked for
            return np.asarray(picture.convert(mode))
    except Exception as error:  # a damaged palette can raise anything
        raise DrumheadError(f"{path} cannot be shown in {mode}: {reason(error)}") from None


def is_deep(picture: Image.Image) -> bool:
    """Say whether an image is grey of more than 8 bits."""
    return picture.mode.startswith(("I", "F"))


def open_image(path: Path, decode: bool = True) -> Image.Image:
    """Open an image, turned upright as its EXIF orientation says; without `decode` only its header is read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that nobody reads here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture, deep, frames = _opened(path, decode)
    except UnidentifiedImageError:
        what = "it is empty" if path.stat().st_size == 0 else "its content is of no known image format"
        raise DrumheadError(f"{path} is not a readable image: {what}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels"
        raise DrumheadError(f"{path} has more than {most}, the most of an image; cut it into pieces") from None
    except Exception as error:  # a damaged file can raise anything
        raise DrumheadError(f"{path} is not a readable image: {reason(error)}") from None
    if deep:
        raise DrumheadError(f"{path} has more than 8 bits a colour (mode {picture.mode}); convert it to 8 bits first")
    if picture.mode == "LAB":
        raise DrumheadError(f"{path} has the mode LAB; convert it to grey or RGB first")
    if frames > 1:
        raise DrumheadError(f"{path} holds {frames} images; split it into files of one image each")
    return picture


def _opened(path: Path, decode: bool) -> tuple[Image.Image, bool, int]:
    """Return an image, whether its colours have 16 bits, whose lower half is dropped, and how many the file holds."""
    # Given a path, Pillow 13 scrambles turned raw TIFFs.
    with path.open("rb") as file, Image.open(file, formats=_formats()) as picture:
        deep = ";16" in str(picture.tile) and not is_deep(picture)
        frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # a camera adds its preview
        picture.info["turned"] = _is_turned(picture)
        if decode:
            ImageOps.exif_transpose(picture, in_place=True)
    return picture, deep, frames


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the formats that are read without another program."""
    Image.init()
    return tuple(name for name in Image.ID if name not in PROGRAMS)


def _is_turned(picture: Image.Image) -> bool:
    """Say whether height and width change places when an image is turned upright."""
    if picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info):
        return False  # a TIFF's size is upright; Pillow would decode the PNG to search behind its pixels
    return picture.getexif().get(0x0112, 1) >= 5
