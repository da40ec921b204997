"""Pictures of what networks do on one image or a few: masks, states over time, spectra, media. Plain arrays in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.show.figures import legend_below, new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours, in_colours, wave_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 8  # networks side by side in a gallery
BINS = (0, 1, 2, 4, 8)  # of the spectra that are shown as maps


@dataclass(frozen=True)
class Strip:
    """A channel of one network over time, and what its time map makes of it.

    Attributes:
        name: of the network.
        channel: which one.
        states: (t, y, x).
        outputs: (k, y, x); None where there is no learned time map.
    """

    name: str
    channel: int
    states: np.ndarray
    outputs: np.ndarray | None


def save_gallery(path: Path, images: np.ndarray, truth: np.ndarray, found: Mapping[str, np.ndarray],
                 names: Sequence[str]) -> None:  # fmt: skip
    """Draw images, true masks and what every network finds, one image a row.

    Args:
        path: PNG to write.
        images: uint8 (n, y, x, k).
        truth: true labels (n, y, x).
        found: labels (n, y, x) by network.
        names: of all classes, the background first.
    """
    from matplotlib.patches import Patch

    colours = class_colours(len(names))
    networks = list(found)
    bands = [networks[i : i + BAND] for i in range(0, len(networks), BAND)]
    columns = 2 + max(map(len, bands))
    figure = new_figure(1.25 * columns, (1.25 * len(images) + 0.25) * len(bands) + 0.1)
    grid = figure.subplots(len(images) * len(bands), columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for i, band in enumerate(bands):
        for j, (image, mask) in enumerate(zip(images, truth, strict=True)):
            panels = {"image": in_colours(image), "truth": colours[mask]}
            panels |= {name: colours[found[name][j]] for name in band}
            for axis, (title, panel) in zip(grid[i * len(images) + j], panels.items(), strict=False):
                _show(axis, panel, title if j == 0 else "")
                if title in band and not found[title][j].any():  # else a blank panel looks like a missing one
                    place = {"ha": "center", "va": "center", "transform": axis.transAxes}
                    axis.text(0.5, 0.5, "background\nonly", fontsize=7, color="0.5", **place)
    patches = [Patch(facecolor=tuple(colours[k] / 255), edgecolor="0.6", label=name) for k, name in enumerate(names)]
    legend_below(figure, patches)
    save_figure(figure, path)


def save_states(path: Path, image: np.ndarray, strips: Sequence[Strip], columns: int = 10) -> None:
    """Draw, for each network, states of one channel on one signed scale and outputs of its time map on their own.

    Args:
        path: PNG to write.
        image: uint8 (y, x, k).
        strips: one a network.
        columns: states shown of each, evenly over time.
    """
    lines = [line for strip in strips for line in _lines(strip, columns)]
    figure = new_figure(1.1 * (columns + 1) + 0.3, 1.32 * len(lines) + 0.1)
    grid = figure.subplots(len(lines), columns + 1, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for row, (label, panels, titles, with_image) in zip(grid, lines, strict=True):
        if with_image:
            _show(row[0], in_colours(image), label)
        else:
            row[0].text(1, 0.5, label, fontsize=8, ha="right", va="center", transform=row[0].transAxes)
        for axis, panel, title in zip(row[1:], panels, titles, strict=False):
            axis.imshow(panel, cmap="gray" if panel.ndim == 2 else None, interpolation="bilinear")
            axis.set_title(title, fontsize=7, pad=2)
    save_figure(figure, path)


def save_spectra(path: Path, image: np.ndarray, labels: np.ndarray, waves: Mapping[str, np.ndarray],
                 names: Sequence[str]) -> None:  # fmt: skip
    """Draw maps of the magnitude at some frequencies, and the mean spectrum inside each class.

    Args:
        path: PNG to write.
        image: uint8 (y, x, k).
        labels: true labels (y, x).
        waves: (t, c, y / s, x / s) by network, with any stride s.
        names: of all classes, the background first.
    """
    figure = new_figure(1.35 * (len(BINS) + 1) + 3.4, 1.6 * len(waves) + 0.2)
    ratios = [1.0] * (len(BINS) + 1) + [2.2]
    grid = figure.subplots(len(waves), len(ratios), squeeze=False, gridspec_kw={"width_ratios": ratios})
    colours = class_colours(len(names)) / 255
    for row, (name, series) in zip(grid, waves.items(), strict=True):
        magnitude = np.sqrt((np.abs(np.fft.rfft(series, axis=0)) ** 2).mean(1))  # (bins, y, x), rms over channels
        _show(row[0], in_colours(image), name)
        for axis, k in zip(row[1:-1], BINS, strict=True):
            axis.set_axis_off()
            if k < len(magnitude):
                axis.imshow(magnitude[k], cmap="magma", vmin=0, interpolation="nearest")
                axis.set_title(f"bin {k}: to {magnitude[k].max():.3g}", fontsize=7, pad=2)
        stride = -(-labels.shape[0] // magnitude.shape[1])
        small = labels[::stride, ::stride]
        for k in np.unique(small):
            style: dict[str, Any] = {"color": "0.4", "linestyle": "--"} if k == 0 else {"color": colours[k]}
            row[-1].semilogy(magnitude[:, small == k].mean(1) + 1e-9, linewidth=1.3, label=names[k], **style)
        open_axes(row[-1], 7)
        row[-1].set_title("mean magnitude in each class", fontsize=7, pad=2)
    grid[0, -1].legend(fontsize=6, frameon=False, loc="upper right")
    grid[-1, -1].set_xlabel("frequency bin", fontsize=7)
    save_figure(figure, path)


def save_media(path: Path, image: np.ndarray, media: Mapping[str, tuple[np.ndarray, np.ndarray]],
               channels: int = 4) -> None:  # fmt: skip
    """Draw what an image sets: squared natural frequency omega and damping alpha of the channels that vary most.

    Args:
        path: PNG to write.
        image: uint8 (y, x, k).
        media: omega and alpha, each (c, y, x), by network.
        channels: maps of each.
    """
    most = min(channels, max(len(omega) for omega, _ in media.values()))
    figure = new_figure(1.3 * (2 * most + 1), 1.5 * len(media) + 0.1)
    grid = figure.subplots(len(media), 2 * most + 1, squeeze=False)
    for row, (name, fields) in zip(grid, media.items(), strict=True):
        _show(row[0], in_colours(image), name)
        for axis in row[1:]:
            axis.set_axis_off()
        for word, field, axes in zip(("omega", "alpha"), fields, (row[1 : most + 1], row[most + 1 :]), strict=True):
            for axis, c in zip(axes, np.argsort(-field.std((1, 2)))[:most], strict=False):
                axis.imshow(field[c], cmap="viridis" if word == "omega" else "cividis", interpolation="nearest")
                axis.set_title(f"{word} {c}: {field[c].min():.2g} to {field[c].max():.2g}", fontsize=6, pad=2)
    save_figure(figure, path)


def save_time_maps(path: Path, maps: Mapping[str, np.ndarray]) -> None:
    """Draw learned time maps, (k, t) by network, and the magnitude of their spectra, (k, frequency)."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(2.6 * len(maps) + 0.3, 4.6)
    grid = figure.subplots(2, len(maps), squeeze=False)
    for (upper, lower), (name, weights) in zip(grid.T, maps.items(), strict=True):
        scale = float(np.abs(weights).max()) or 1.0
        upper.imshow(weights, cmap="RdBu_r", vmin=-scale, vmax=scale, aspect="auto", interpolation="nearest")
        upper.set_title(f"{name}, up to {scale:.2g}", fontsize=8)
        lower.imshow(np.abs(np.fft.rfft(weights, axis=1)), cmap="magma", aspect="auto", interpolation="nearest")
        upper.set_xlabel("step", fontsize=7)
        lower.set_xlabel("frequency bin", fontsize=7)
        for axis in (upper, lower):
            axis.tick_params(labelsize=6)
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    grid[0, 0].set_ylabel("output of the time map", fontsize=7)
    grid[1, 0].set_ylabel("magnitude of each output", fontsize=7)
    save_figure(figure, path)


def _lines(strip: Strip, columns: int) -> list[tuple[str, list[np.ndarray], list[str], bool]]:
    """Return label, panels and titles of a line of states and, if there is a time map, of one of outputs.

    The last entry says whether the line begins with the image.
    """
    times = _some(len(strip.states), columns)
    scale = float(np.abs(strip.states).max())
    states = [wave_colours(strip.states[t], scale) for t in times]
    lines = [(strip.name, states, [f"step {t + 1}" for t in times], True)]
    if strip.outputs is not None:
        bins = _some(len(strip.outputs), columns)
        outputs = [strip.outputs[k] for k in bins]
        label = f"channel {strip.channel}\nstates to ±{scale:.2g}\noutputs of\nits time map"
        lines.append((label, outputs, [f"output {k}" for k in bins], False))
    return lines


def _some(count: int, columns: int) -> list[int]:
    return list(range(0, count, max(1, count // columns)))[:columns]


def _show(axis: "Axes", panel: np.ndarray, title: str) -> None:
    axis.imshow(panel, interpolation="nearest")
    axis.set_axis_off()
    if title:
        axis.set_title(title, fontsize=8, pad=3)
