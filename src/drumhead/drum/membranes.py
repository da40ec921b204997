"""Membranes: which pixels of a grid can move, and how large the drum is that they stand for.

A pixel of the mask moves, every other one is clamped at zero. So the rim of the drum runs through the clamped pixels
beside the mask, not between the two: n pixels in a row are a string of length n + 1. A rim that follows no line of
the grid meets its clamped pixels a little outside; `GAP` says how much on average.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drumhead.errors import DrumheadError

GAP = 0.375  # a pixel moves when it lies more than this inside; 0.5 is fair to rims along a row, 0.354 to diagonals


@dataclass(frozen=True, eq=False)
class Membrane:
    """A drum on a grid."""

    name: str
    """What it is called."""
    mask: np.ndarray
    """bool (y, x): the pixels that move."""
    area: float
    """Area inside the rim, in pixels squared."""
    perimeter: float
    """Length of the rim, in pixels."""
    constant: float | None
    """Sum over the corners alpha of (pi^2 - alpha^2) / (24 pi alpha), the constant of Weyl's law; None if unknown."""
    exact: bool
    """Whether area and perimeter are those of a polygon or estimated from pixels."""


def from_mask(mask: np.ndarray, name: str = "mask") -> Membrane:
    """Return the membrane of a mask; its area and perimeter are estimated, to about 2 and 3 %.

    The perimeter is the total variation of the blurred mask, which sees no stairs: a straight edge counts with its
    length whatever its direction. A corner loses length in proportion to the blur: two blurs are extrapolated to none.

    Args:
        mask: bool (y, x), at least one pixel true.
        name: what it is called.

    Raises:
        DrumheadError: the mask is not boolean, not 2-d or empty.

    Example:
        >>> round(dh.drum.from_mask(np.ones((47, 47), bool)).area / 48**2, 2)
        0.99
    """
    from scipy import ndimage

    mask = as_mask(mask)
    padded = np.pad(mask, 12).astype(float)
    little, much = (float(ndimage.gaussian_gradient_magnitude(padded, blur).sum()) for blur in (1.0, 2.0))
    pixels = 2 * little - much
    area = float(mask.sum()) + GAP * pixels + np.pi * GAP**2
    return Membrane(name, mask, float(area), pixels + 2 * np.pi * GAP, None, False)


def read(path: Path | str) -> Membrane:
    """Read a drum from an image: its opaque pixels move, or, if none is transparent, those brighter than half of white.

    What lies under transparent pixels is nothing that anyone painted: often white, and often black in a black figure.

    Args:
        path: of any image file that Pillow reads.

    Returns:
        The membrane; its area and perimeter in pixels are estimated as `from_mask` does.

    Raises:
        DrumheadError: the file is missing or no image, or no pixel of it is opaque or bright.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.fromarray(np.full((9, 9), 255, np.uint8)).save(f"{folder}/mask.png")
        ...     print(int(dh.drum.read(f"{folder}/mask.png").mask.sum()))
        81
    """
    from drumhead.read.images import read_image, read_opacity

    path = Path(path)
    if not path.is_file():
        raise DrumheadError(f"{path} does not exist; give an image whose bright pixels are the drum")
    opacity = read_opacity(path)
    if opacity is not None and (opacity <= 127).any():
        if not (opacity > 127).any():
            raise DrumheadError(f"{path} is transparent everywhere; paint the drum opaque, or white on black")
        return from_mask(opacity > 127, path.stem)
    mask = read_image(path, 1)[..., 0] > 127
    if not mask.any():
        raise DrumheadError(f"{path} has no pixel brighter than 127 of 255; paint the drum white on black")
    return from_mask(mask, path.stem)


def as_mask(drum: "Membrane | np.ndarray") -> np.ndarray:
    """Return the mask of a membrane, or check an array that is meant as one."""
    if isinstance(drum, Membrane):
        return drum.mask
    if not isinstance(drum, np.ndarray) or drum.dtype != bool:
        got = f"an array of {drum.dtype}" if isinstance(drum, np.ndarray) else type(drum).__name__
        raise DrumheadError(f"mask: got {got}; a boolean array is needed, such as image > 127")
    if drum.ndim != 2:
        raise DrumheadError(f"mask: got the shape {drum.shape}; two dimensions (y, x) are needed")
    if not drum.any():
        raise DrumheadError(f"mask: none of its {drum.size} pixels is true; a drum has at least one that moves")
    return drum
