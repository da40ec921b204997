"""Colours: one a class, and lookup tables for signed waves."""

import numpy as np

from drumhead.read.classes import IGNORE, ClassList

# Okabe and Ito's palette, told apart by colour-blind eyes, then variations for more classes; 0 is the background.
_CLASSES = (
    "f4f4f4", "0072b2", "e69f00", "009e73", "d55e00", "cc79a7", "56b4e9", "f0e442", "7f3c8d", "80ba5a", "a5402d",
)  # fmt: skip

IGNORED = 60
"""The grey of pixels that count nowhere."""

LINES = ("-", "--", ":", "-.")  # where a colour is not enough


def line_style(number: int) -> str:
    """Return the style of the line that has colour `number` of those beside the background: a new one each round."""
    return LINES[number // (len(_CLASSES) - 1) % len(LINES)]


def class_colours(count: int) -> np.ndarray:
    """Return uint8 (count, 3); beyond eleven classes the colours repeat, darker."""
    base = np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in _CLASSES])
    rounds, place = divmod(np.arange(count - 1), len(base) - 1)
    return np.concatenate([base[:1], base[1 + place] * 0.7 ** rounds[:, None]]).astype(np.uint8)


def colours_of(classes: ClassList) -> np.ndarray:
    """Return uint8 (classes, 3): the colours that a class list gives, or ours where it gives none."""
    return np.array(classes.table(), np.uint8) if classes.colours else class_colours(len(classes.names))


def mask_colours(mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return labels (y, x) in the colours (classes, 3) of their classes, (y, x, 3); what is ignored is grey."""
    table = np.full((IGNORE + 1, 3), IGNORED, np.uint8)
    table[: len(colours)] = colours
    return table[mask]


def in_colours(image: np.ndarray) -> np.ndarray:
    """Return a grey or colour image (y, x, k) as colours (y, x, 3)."""
    return np.repeat(image, 3, -1) if image.shape[-1] == 1 else image


def wave_colours(values: np.ndarray, scale: float) -> np.ndarray:
    """Map -scale .. 0 .. scale to blue .. white .. red; uint8 (..., 3)."""
    import matplotlib

    table = (matplotlib.colormaps["RdBu_r"](np.linspace(0, 1, 255))[:, :3] * 255).astype(np.uint8)
    index = np.clip(np.rint(values / max(scale, 1e-12) * 127), -127, 127).astype(int) + 127
    return table[index]
