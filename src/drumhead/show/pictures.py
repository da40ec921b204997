"""Still pictures: the mask beside its image, and the spectra heard inside objects."""

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, PngImagePlugin

from drumhead.files import write_atomic
from drumhead.read.classes import IGNORE
from drumhead.show.figures import MADE_BY, legend_below, legend_right, new_figure, no_ticks, open_axes, save_figure
from drumhead.show.listen import SMALLEST, Heard, mean_spectrum
from drumhead.show.palette import IGNORED, LINES, class_colours, in_colours, mask_colours

DRAWN = 8  # objects whose spectra are drawn: the largest


def save_labels(path: Path, labels: np.ndarray, colours: ArrayLike) -> None:
    """Write labels as a PNG of their own size, whose pixels hold the numbers and whose palette shows the colours.

    Args:
        path: PNG to write; `drumhead.read.masks.read_mask` gives the labels back.
        labels: numbers of classes (y, x), up to 255.
        colours: of each class, (classes, 3), 0 to 255.
    """
    picture, text, content = Image.fromarray(labels.astype(np.uint8), "P"), PngImagePlugin.PngInfo(), io.BytesIO()
    picture.putpalette(np.asarray(colours, np.uint8).tobytes())
    for key, value in MADE_BY.items():
        text.add_text(key, value)
    picture.save(content, "PNG", pnginfo=text)
    write_atomic(path, content.getvalue())


def save_mask(path: Path, image: np.ndarray, labels: np.ndarray, names: Sequence[str], heard: Sequence[Heard],
              truth: np.ndarray | None = None) -> None:  # fmt: skip
    """Draw the image, the mask that was found with its listening pixels, and the true mask if it is known.

    Args:
        path: PNG to write.
        image: uint8 (y, x, k).
        labels: found labels (y, x).
        names: of all classes, the background first.
        heard: pixels to mark.
        truth: true labels (y, x).
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colours = class_colours(len(names))
    panels = {"image": in_colours(image), "heard": colours[labels]}
    if truth is not None:
        panels["truth"] = mask_colours(truth, colours)
    height, width = labels.shape
    longest = max(height, width)
    grid = (len(panels), 1) if width > 2 * height else (1, len(panels))  # wide ones one below another
    inches = min(12.0, max(5.0, longest / 100)) if longest > 2 * min(height, width) else 3.0  # of that side
    each = inches / longest
    figure = new_figure(max(1.2, each * width) * grid[1], (max(0.2, each * height) + 0.25) * grid[0])
    axes = figure.subplots(*grid, squeeze=False).ravel()
    for axis, (title, panel) in zip(axes, panels.items(), strict=True):
        axis.imshow(panel, interpolation="nearest")
        axis.set_title(title, fontsize=11)
        no_ticks(axis)
    drawn = numbered(heard)
    for number, spot in enumerate(heard, 1):
        axes[1].plot(spot.x, spot.y, "+", color="black", markersize=6)
        if len(heard) > 1 and number in drawn:  # as in the picture of the spectra and the names of the sounds
            axes[1].annotate(str(number), (spot.x, spot.y), xytext=(3, 2), textcoords="offset points", fontsize=7,
                             annotation_clip=False)  # fmt: skip
    found = sorted(set(np.unique(labels)) | (set(np.unique(truth)) if truth is not None else set()))
    patches = [Patch(facecolor=tuple(colours[i] / 255), edgecolor="0.6", label=names[i]) for i in found if i != IGNORE]
    if IGNORE in found:
        patches.append(Patch(facecolor=str(IGNORED / 255), edgecolor="0.6", label="ignored"))
    cross = Line2D([], [], color="black", marker="+", linestyle="none", label="listens here")
    legend_below(figure, [*patches, cross] if heard else patches)
    save_figure(figure, path)


def save_spectrum(path: Path, heard: Sequence[Heard], dt: float) -> None:
    """Draw the wave at one pixel of each object over time and its spectrum, of the largest objects only.

    Args:
        path: PNG to write.
        heard: the pixels; nothing is drawn but a note when there are none.
        dt: model time between two states.
    """
    figure = new_figure(8, 3.2)
    if not heard:
        figure.text(0.5, 0.5, f"no object of {SMALLEST} or more pixels was found", ha="center", va="center")
        save_figure(figure, path)
        return
    over_time, over_frequency = figure.subplots(1, 2)
    top = max(spot.label for spot in heard)
    colours = class_colours(top + 1) / 255
    drawn = numbered(heard)
    of_class = Counter(heard[number - 1].label for number in drawn)
    before: Counter[int] = Counter()
    lines = []
    channel = int(np.argmax(sum(spot.series.var(0) for spot in heard)))  # one scale for all objects
    for number in drawn:
        spot = heard[number - 1]
        line = LINES[before[spot.label] % len(LINES)]
        colour = _shade(colours[spot.label], before[spot.label], of_class[spot.label])
        before[spot.label] += 1
        steps = len(spot.series)
        label = f"{number} " * (len(heard) > 1) + f"{spot.name} ({spot.x}, {spot.y})"
        over_time.plot(
            dt * np.arange(1, steps + 1), spot.series[:, channel], line, color=colour, marker=".", markersize=3
        )
        fine = mean_spectrum(spot.series, 16 * steps)
        angular = 2 * np.pi * np.arange(len(fine)) / (16 * steps * dt)
        lines += over_frequency.plot(angular, fine, line, color=colour, label=label)
        bins = mean_spectrum(spot.series)
        over_frequency.plot(2 * np.pi * np.arange(len(bins)) / (steps * dt), bins, ".", color=colour, markersize=5)
    over_time.set(xlabel="time (model units)", ylabel=f"channel {channel}, which moves most",
                  title="what one pixel of each object hears")  # fmt: skip
    over_frequency.set(xlabel="angular frequency (1 / model time)", ylabel="magnitude, rms of channels",
                       title="its spectrum; dots: the bins of its length")  # fmt: skip
    for axis in (over_time, over_frequency):
        axis.title.set_fontsize(10)
        open_axes(axis)
    legend_right(figure, lines, "object (x, y)")
    note = f"The {len(drawn)} largest of {len(heard)} objects." if len(drawn) < len(heard) else ""
    save_figure(figure, path, note=note)


def numbered(heard: Sequence[Heard]) -> list[int]:
    """Return the numbers, from 1, of the largest objects, those whose spectra are drawn, in their order."""
    largest = sorted(range(len(heard)), key=lambda i: -heard[i].size)[:DRAWN]
    return [i + 1 for i in sorted(largest)]


def _shade(colour: np.ndarray, place: int, count: int) -> np.ndarray:
    """Return the colour of a class for one of its objects: from dark to pale, where there are several."""
    if count == 1:
        return colour
    lightness = place / (count - 1)
    return colour * (0.45 + 1.1 * lightness) if lightness < 0.5 else colour + (1 - colour) * (1.3 * lightness - 0.65)
