"""Where to listen: one pixel in the middle of each object, and the spectrum of what it heard."""

from dataclasses import dataclass
from typing import cast

import numpy as np


@dataclass(frozen=True)
class Heard:
    """What one pixel of one object heard."""

    label: int
    """Class of the object."""
    name: str
    """Name of the class."""
    y: int
    """Row of the pixel in the image."""
    x: int
    """Column of the pixel in the image."""
    series: np.ndarray
    """The wave at that pixel, (t, c)."""


def listen(labels: np.ndarray, waves: np.ndarray, names: list[str], stride: int = 1, smallest: int = 20) -> list[Heard]:
    """Return what the innermost pixel of each object heard; objects are connected pixels of one class.

    Args:
        labels: (y, x).
        waves: (t, c, y / stride, x / stride).
        names: of all classes.
        stride: pixels per oscillator.
        smallest: objects with fewer pixels are left out.
    """
    from scipy import ndimage

    heard = []
    for label in sorted(set(labels.ravel().tolist()) - {0}):
        objects, count = cast("tuple[np.ndarray, int]", ndimage.label(labels == label))
        for number in range(1, count + 1):
            inside = objects == number
            if inside.sum() < smallest:
                continue
            depth = cast(np.ndarray, ndimage.distance_transform_edt(np.pad(inside, 1)))[1:-1, 1:-1]
            deepest = np.argwhere(depth == depth.max())
            middle = np.argwhere(inside).mean(0)
            y, x = (int(i) for i in deepest[((deepest - middle) ** 2).sum(1).argmin()])
            heard.append(Heard(label, names[int(label)], y, x, waves[:, :, y // stride, x // stride]))
    return heard


def spectrum(series: np.ndarray, padded: int | None = None) -> np.ndarray:
    """Return the magnitude spectrum of a series (t, c), root mean square over channels: (padded // 2 + 1,)."""
    return np.sqrt((np.abs(np.fft.rfft(series, n=padded, axis=0)) ** 2).mean(1))
