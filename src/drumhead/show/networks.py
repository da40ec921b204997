"""Pictures of what networks do on one image or a few: masks, states over time, spectra, media. Plain arrays in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.show.figures import legend_below, new_figure, open_axes, save_figure
from drumhead.show.listen import mean_spectrum
from drumhead.show.palette import class_colours, in_colours, wave_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND = 8  # networks side by side in a gallery
ACROSS = 10  # states of a network, evenly over time
MAPS = 4  # of what an image sets, the channels that vary most
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
    height = (1.25 * len(images) + 0.25) * len(bands) + 0.1
    figure, grid = _panels(len(images) * len(bands), columns, 1.25 * columns, height)
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


def save_states(path: Path, image: np.ndarray, strips: Sequence[Strip]) -> None:
    """Draw, for each network, states of one channel on one signed scale and outputs of its time map on their own.

    Args:
        path: PNG to write.
        image: uint8 (y, x, k).
        strips: one a network.
    """
    lines = len(strips) + sum(strip.outputs is not None for strip in strips)
    figure, grid = _panels(lines, ACROSS + 1, 1.1 * (ACROSS + 1) + 0.3, 1.32 * lines + 0.1)
    rows = iter(grid)
    for strip in strips:
        first, *others = next(rows)
        scale = float(np.abs(strip.states).max())
        _show(first, in_colours(image), strip.name)
        for axis, t in zip(others, _some(len(strip.states)), strict=False):
            _show(axis, wave_colours(strip.states[t], scale), f"step {t + 1}", 7, interpolation="bilinear")
        if strip.outputs is not None:
            first, *others = next(rows)
            label = f"channel {strip.channel}\nstates to ±{scale:.2g}\noutputs of\nits time map"
            first.text(1, 0.5, label, fontsize=8, ha="right", va="center", transform=first.transAxes)
            for axis, k in zip(others, _some(len(strip.outputs)), strict=False):
                _show(axis, strip.outputs[k], f"output {k}", 7, cmap="gray", interpolation="bilinear")
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
        magnitude = mean_spectrum(series)  # (bins, y, x)
        _show(row[0], in_colours(image), name)
        for axis, k in zip(row[1:-1], BINS, strict=True):
            axis.set_axis_off()
            if k < len(magnitude):
                _show(axis, magnitude[k], f"bin {k}: to {magnitude[k].max():.3g}", 7, cmap="magma", vmin=0)
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


def save_media(path: Path, image: np.ndarray, media: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw what an image sets: squared natural frequency omega and damping alpha of the channels that vary most.

    Args:
        path: PNG to write.
        image: uint8 (y, x, k).
        media: omega and alpha, each (c, y, x), by network.
    """
    most = min(MAPS, max(len(omega) for omega, _ in media.values()))
    figure, grid = _panels(len(media), 2 * most + 1, 1.3 * (2 * most + 1), 1.5 * len(media) + 0.1)
    for row, (name, fields) in zip(grid, media.items(), strict=True):
        _show(row[0], in_colours(image), name)
        kinds = (("omega", "viridis", row[1 : most + 1]), ("alpha", "cividis", row[most + 1 :]))
        for (word, cmap, axes), field in zip(kinds, fields, strict=True):
            for axis, c in zip(axes, np.argsort(-field.std((1, 2)))[:most], strict=False):
                _show(axis, field[c], f"{word} {c}: {field[c].min():.2g} to {field[c].max():.2g}", 6, cmap=cmap)
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


def _panels(rows: int, columns: int, width: float, height: float) -> "tuple[Figure, np.ndarray]":
    """Return a figure of so many inches and its panels (rows, columns), of which those that stay empty are white."""
    figure = new_figure(width, height)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    return figure, grid


def _some(count: int) -> list[int]:
    """Return `ACROSS` places among so many, or all of fewer, evenly from the first to the last."""
    return np.rint(np.linspace(0, count - 1, min(count, ACROSS))).astype(int).tolist()


def _show(axis: "Axes", panel: np.ndarray, title: str, points: float = 8, **options: Any) -> None:
    axis.set_axis_off()
    axis.imshow(panel, **{"interpolation": "nearest", **options})
    axis.set_title(title, fontsize=points, pad=2)
