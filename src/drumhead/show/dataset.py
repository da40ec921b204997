"""A picture of a data set: some images, their masks laid over them, and how much there is of each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from drumhead.read.images import width_height
from drumhead.show.figures import caption, new_figure, no_ticks, save_figure
from drumhead.show.palette import IGNORED, in_colours, mask_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 2.1  # inches of an image
WIDTH = 10.5  # inches of all together, at most
GAP = 0.12  # between two
LINE = 0.27  # inches of a class
DRAWN = 480  # pixels that a side is drawn with at most
LONGEST = 4  # sides of an image: of a longer one its middle is shown

Size = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """A split in numbers.

    Attributes:
        name: of the split.
        sizes: height and width of each image.
        pixels: of each class, int64 (classes,).
        total: pixels of all images.
    """

    name: str
    sizes: Sequence[Size]
    pixels: np.ndarray
    total: int

    @property
    def ignored(self) -> int:
        """Pixels of no class."""
        return self.total - int(self.pixels.sum())


def share(part: Part, pixels: int) -> str:
    """Return a number of pixels in percent of a split, "-" where there is none."""
    return f"{100 * pixels / part.total:.2f} %" if pixels else "-"


def sizes(all_sizes: Sequence[Size]) -> str:
    """Return the size of images (height, width), or the ranges of their widths and of their heights.

    Example:
        >>> sizes([(64, 80)]), sizes([(64, 80), (64, 48)])
        ('80 x 64, width x height', '48 to 80 wide, 64 high')
    """
    if len(set(all_sizes)) == 1:
        return f"{width_height(all_sizes[0])}, width x height"
    high, wide = (" to ".join(map(str, sorted({min(side), max(side)}))) for side in zip(*all_sizes, strict=True))
    return f"{wide} wide, {high} high"


def save_dataset(path: Path, examples: Sequence[tuple[str, np.ndarray, np.ndarray]], names: Sequence[str],
                 colours: np.ndarray, parts: Sequence[Part], crop: int, warning: str = "") -> None:  # fmt: skip
    """Draw images above their masks, and below them the classes with their share of each split's pixels.

    Args:
        path: PNG to write.
        examples: name, image uint8 (y, x, k) and mask uint8 (y, x) of each.
        names: of the classes, the background first.
        colours: of the classes, uint8 (classes, 3).
        parts: the splits, the one of training first.
        crop: side of the squares that are trained on, drawn over each image; 0 where there are none.
        warning: a last line.
    """
    seen = [(middle(image), middle(mask)) for _, image, mask in examples]
    aspects = [mask.shape[1] / mask.shape[0] for _, mask in seen]
    widths = [max(0.4, aspect) for aspect in aspects]  # a title needs some room
    height = min(HEIGHT, WIDTH / sum(widths))
    ignores = any(part.ignored for part in parts)
    lines = len(names) + ignores + 1
    figure = new_figure(max(6.5, height * sum(widths) + GAP * len(widths)), 2 * height + 0.5 + LINE * lines)
    upper, lower = np.ravel(figure.subfigures(2, 1, height_ratios=(2 * height + 0.5, LINE * lines)))  # type: ignore[arg-type]
    axes = upper.subplots(2, len(examples), squeeze=False, width_ratios=widths)
    for (name, _, whole), (image, mask), (above, below) in zip(examples, seen, axes.T, strict=True):
        size = f"{whole.shape[1]} wide, {whole.shape[0]} high{', its middle' * (mask.size < whole.size)}"
        _draw(above, in_colours(image))
        above.set_title(f"{caption(name, 24)}\n{size}", fontsize=8, color="0.25")
        _draw(below, overlaid(image, mask, colours))
        if crop:
            _outline(above, mask.shape, crop)
    _table(lower.subplots(), names, colours, parts, ignores)
    note = f"Pixels of images: {sizes([size for part in parts for size in part.sizes])}; "
    note += f"trained on in crops of {crop} x {crop} at random places: one is dashed." if crop else "trained on whole."
    save_figure(figure, path, note=f"{note}\n{warning}" if warning else note)


def middle(picture: np.ndarray) -> np.ndarray:
    """Return the middle of an image (y, x, ...) that is too long to be shown whole, or all of it.

    Example:
        >>> middle(np.zeros((10, 100))).shape
        (10, 40)
    """
    most = LONGEST * min(picture.shape[:2])
    rows, columns = (slice((side - min(side, most)) // 2, (side + min(side, most)) // 2) for side in picture.shape[:2])
    return picture[rows, columns]


def overlaid(image: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return an image (y, x, k) in pale grey under the colours of its mask (y, x), uint8 (y, x, 3)."""
    grey = 0.45 * image.mean(-1, keepdims=True) + 140
    strength = np.where(mask == 0, 0.0, 0.7)[..., None]
    return (strength * mask_colours(mask, colours) + (1 - strength) * grey).astype(np.uint8)


def _draw(axis: "Axes", pixels: np.ndarray) -> None:
    """Draw an image in its own coordinates, with no more pixels than can be seen."""
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    picture.thumbnail((DRAWN, DRAWN))
    axis.imshow(np.asarray(picture), extent=(0, width, height, 0), interpolation="nearest")
    no_ticks(axis)
    axis.spines[:].set_color("0.75")


def _outline(axis: "Axes", size: Size, crop: int) -> None:
    """Draw a crop in the middle of an image."""
    from matplotlib.patches import Rectangle

    y, x = ((side - crop) / 2 for side in size)
    for colour, style in (("black", "-"), ("white", (0, (3, 3)))):
        axis.add_patch(Rectangle((x, y), crop, crop, fill=False, edgecolor=colour, linestyle=style, linewidth=1.2))


def _table(axis: "Axes", names: Sequence[str], colours: np.ndarray, parts: Sequence[Part], ignores: bool) -> None:
    """Draw a line for each class: its colour, its name, its share of each split, and a bar of the first one's."""
    from matplotlib.patches import Rectangle

    lines = [(name, tuple(colours[i] / 255), [part.pixels[i] for part in parts]) for i, name in enumerate(names)]
    if ignores:
        lines.append(("ignored", (IGNORED / 255,) * 3, [part.ignored for part in parts]))
    axis.set(xlim=(0, 1), ylim=(len(lines) - 0.4, -1.6))
    axis.axis("off")
    text = {"fontsize": 8.5, "va": "center"}
    places = [0.36 + 0.09 * i for i in range(len(parts))]
    for part, x in zip(parts, places, strict=True):
        axis.text(x, -1, f"{part.name}, {len(part.sizes)}", ha="right", color="0.35", **text)
    axis.text(0.6, -1, f"of the pixels of {parts[0].name}", color="0.35", **text)
    for row, (name, colour, pixels) in enumerate(lines):
        axis.add_patch(Rectangle((0, row - 0.3), 0.02, 0.6, facecolor=colour, edgecolor="0.6", linewidth=0.6))
        axis.text(0.032, row, caption(name, 32), **text)
        for part, count, x in zip(parts, pixels, places, strict=True):
            axis.text(x, row, share(part, count), ha="right", **text)
        length = 0.4 * pixels[0] / parts[0].total
        axis.add_patch(Rectangle((0.6, row - 0.3), length, 0.6, facecolor=colour, edgecolor="0.6", linewidth=0.6))
