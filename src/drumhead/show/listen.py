"""Where to listen: one pixel in the middle of each object, and the spectrum of what it heard."""

from dataclasses import dataclass
from typing import cast

import numpy as np

SMALLEST = 20  # pixels of an object that is listened to


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
    size: int
    """Pixels of the object."""
    series: np.ndarray
    """The wave at that pixel, (t, c)."""


def listen(labels: np.ndarray, waves: np.ndarray, names: list[str], stride: int = 1) -> list[Heard]:
    """Return what the innermost pixel of each object heard; objects are connected pixels of one class, 20 at least.

    Args:
        labels: (y, x).
        waves: (t, c, y / stride, x / stride).
        names: of all classes.
        stride: pixels per oscillator.
    """
    return [
        Heard(label, names[label], y, x, size, waves[:, :, y // stride, x // stride])
        for label in np.unique(labels[labels > 0]).tolist()
        for y, x, size in _innermost(labels == label)
    ]


def _innermost(mask: np.ndarray) -> list[list[int]]:
    """Return y and x of the innermost pixel of each connected object, and its size.

    All objects are measured together, so that many cost no more than one.
    """
    from scipy import ndimage

    objects, _ = cast("tuple[np.ndarray, int]", ndimage.label(mask))
    sizes = np.bincount(objects[mask], minlength=1)
    y, x = np.nonzero(mask & (sizes >= SMALLEST)[objects])
    if not len(y):
        return []
    # The nearest pixel outside an object is never one of another object of the class: they would be connected.
    depth = cast(np.ndarray, ndimage.distance_transform_edt(np.pad(mask, 1)))[1 + y, 1 + x]
    owner = np.unique(objects[y, x], return_inverse=True)[1]
    size = np.bincount(owner)
    off = np.sum([(place - (np.bincount(owner, place) / size)[owner]) ** 2 for place in (y, x)], 0)
    order = np.lexsort((off, -depth, owner))  # of each object its deepest pixel, nearest to the middle
    first = order[np.unique(owner[order], return_index=True)[1]]
    return np.stack([y[first], x[first], size], 1).tolist()


def mean_spectrum(series: np.ndarray, padded: int | None = None) -> np.ndarray:
    """Return the magnitude spectrum of a series (t, c), root mean square over channels: (padded // 2 + 1,)."""
    return np.sqrt((np.abs(np.fft.rfft(series, n=padded, axis=0)) ** 2).mean(1))


def peaks(series: np.ndarray, dt: float, most: int = 3, least: float = 0.1) -> list[float]:
    """Return the angular frequencies of the loudest peaks of a series (t, c), the loudest first; none where it rests.

    Args:
        series: what a pixel heard.
        dt: model time between two states.
        most: how many at most.
        least: magnitude of the least of them over that of the loudest.

    Example:
        >>> time = 0.5 * np.arange(1, 81)
        >>> series = np.cos(2 * np.pi * 0.1 * time) + 0.5 * np.cos(2 * np.pi * 0.3 * time)
        >>> [round(angular / (2 * np.pi), 3) for angular in peaks(series[:, None], dt=0.5)]
        [0.1, 0.3]
    """
    constant, *rest = mean_spectrum(series)
    loud = np.array(rest)
    sides = np.pad(loud, 1)
    floor = max(least * loud.max(initial=0), 1e-6 * constant)  # what is below that of a constant is its round-off
    found = np.flatnonzero((loud > sides[:-2]) & (loud >= sides[2:]) & (loud >= floor))
    order = found[np.argsort(-loud[found], kind="stable")][:most]
    return (2 * np.pi * (order + 1) / (len(series) * dt)).tolist()
