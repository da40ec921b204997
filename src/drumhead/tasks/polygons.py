"""Polygons: one or two filled regular polygons of 3 to 6 sides, 75 x 75 pixels; label pixels with sides - 2.

Made after the paper's published animations, since its own data set is not public: white on black, no rotation (the
first vertex points right), circumradius 12 to 18 pixels, fully inside, bounding boxes apart. Inside a polygon every
patch is white, so only what comes from its rim can tell a pixel which polygon it is in.

Two options make it harder: `rotate` turns each polygon by a random angle, `most` allows more of them in an image.
"""

import numpy as np
from PIL import Image, ImageDraw

from drumhead.errors import DrumheadError, choose
from drumhead.tasks.cache import kept
from drumhead.tasks.task import COUNTS, SPLITS

SIZE, SEED, FINE = 75, 20250209, 4  # drawn FINE times larger, a pixel belongs when most of it is covered
CLASSES = ("background", "triangle", "square", "pentagon", "hexagon")


def arrays(split: str, rotate: bool = False, most: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (n, 75, 75, 1), each pixel 0 or 255, and masks uint8 (n, 75, 75).

    Args:
        split: "train", "val" or "test".
        rotate: turn each polygon by a random angle.
        most: largest number of polygons in an image, 1 to 6; more leave an image crowded, and those that find no
            place in 200 tries are left out.
    """
    if not 1 <= most <= 6:
        raise DrumheadError(f"polygons: most={most}; 1 to 6 polygons fit into an image")
    choose("split", split, SPLITS)
    name = f"polygons-{'turned' if rotate else 'upright'}-{most}-{split}"
    (masks,) = kept([name], lambda: [_masks(split, rotate, most)], __file__)
    return np.where(masks > 0, np.uint8(255), np.uint8(0))[..., None], masks


def _masks(split: str, rotate: bool, most: int) -> np.ndarray:
    random = np.random.default_rng((SEED, list(COUNTS).index(split)))
    masks = np.zeros((COUNTS[split], SIZE, SIZE), np.uint8)
    for mask in masks:
        for _ in range(random.integers(1, most + 1)):
            _add(random, mask, rotate)
    return masks


def _add(random: np.random.Generator, mask: np.ndarray, rotate: bool) -> None:
    """Add one polygon whose bounding box is free; give up on a crowded image after 200 tries."""
    sides, radius = int(random.integers(3, 7)), random.uniform(12, 18)
    turn = random.uniform(0, 2 * np.pi) if rotate else 0.0
    for _ in range(200):
        x, y = random.uniform(radius, SIZE - radius, 2)
        box, shape = polygon(sides, radius, x, y, turn)
        if not mask[box].any():
            mask[box][shape] = sides - 2
            return


def polygon(sides: int, radius: float, x: float, y: float, turn: float = 0.0) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return a filled regular polygon: its bounding box in the image and, inside it, a boolean shape.

    Args:
        sides: number of corners; without a turn the first points right.
        radius: circumradius in pixels.
        x: centre, in pixels from the left edge.
        y: centre, in pixels from the upper edge.
        turn: angle of the first corner in radians, clockwise as the y axis points down.
    """
    angles = turn + 2 * np.pi * np.arange(sides) / sides
    corners = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    width, height = high - low
    canvas = Image.new("L", (width * FINE, height * FINE))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in (corners - low) * FINE - 0.5], fill=1)
    cover = np.asarray(canvas).reshape(height, FINE, width, FINE).sum((1, 3))
    return (slice(low[1], high[1]), slice(low[0], high[0])), cover > FINE**2 / 2
