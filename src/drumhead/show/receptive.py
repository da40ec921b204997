"""Pictures of receptive fields, from plain arrays: maps over time, radii over time, and responses in space-time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drumhead.show.figures import legend_below, new_figure, no_ticks, open_axes, save_figure
from drumhead.show.palette import class_colours

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

LOWEST, HIGHEST = 1e-6, 1e-1  # of the sum of a map, in one pixel


@dataclass(frozen=True)
class Panel:
    """A map to draw.

    Attributes:
        title: above it.
        values: (y, x), centre at (height // 2, width // 2); None draws nothing.
        cone: radius of the light cone in pixels.
        box: (low, high) of the theoretical field, as offsets from the centre, both included.
    """

    title: str
    values: np.ndarray | None
    cone: float | None = None
    box: tuple[int, int] | None = None


def save_maps(path: Path, rows: Sequence[tuple[str, Sequence[Panel]]], half: int) -> None:
    """Draw rows of maps with one logarithmic colour scale, as shares of each map's sum.

    Args:
        path: PNG to write.
        rows: a name and its panels.
        half: how far the panels show, in pixels from the centre.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Circle, Rectangle

    columns = max(len(panels) for _, panels in rows)
    figure = new_figure(1.2 * columns + 1.7, 1.36 * len(rows) + 1.5)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    norm, drawn = LogNorm(LOWEST, HIGHEST), None
    for axes, (name, panels) in zip(grid, rows, strict=True):
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, labelpad=8)
        for axis, panel in zip(axes, panels, strict=False):
            no_ticks(axis)
            axis.set_title(panel.title, fontsize=8.5, pad=3)
            axis.set(xlim=(-half - 0.5, half + 0.5), ylim=(half + 0.5, -half - 0.5), aspect="equal", autoscale_on=False)
            if panel.values is None or not panel.values.sum() > 0:
                axis.set_facecolor("0.92")
                axis.text(0, 0, "none", ha="center", va="center", fontsize=8, color="0.4")
                continue
            axis.set_facecolor("black")
            height, width = panel.values.shape
            extent = (-(width // 2) - 0.5, width - width // 2 - 0.5, height - height // 2 - 0.5, -(height // 2) - 0.5)
            shares = np.maximum(panel.values / panel.values.sum(), LOWEST / 10)
            drawn = axis.imshow(shares, cmap=_colours(), norm=norm, extent=extent, interpolation="nearest")
            if panel.cone:
                axis.add_patch(Circle((0, 0), panel.cone, fill=False, color="#56b4e9", linewidth=1.1))
            if panel.box is not None:
                low, high = panel.box
                style = {"fill": False, "color": "0.75", "linewidth": 0.7, "linestyle": ":"}
                axis.add_patch(Rectangle((low - 0.5, low - 0.5), high - low + 1, high - low + 1, **style))
    words = (
        f"share of the gradient in a pixel; panels show {2 * half + 1} pixels across\n"
        "blue: light cone c T dt; dotted: theoretical receptive field (outside it the gradient is exactly zero)"
    )
    _save_with_scale(figure, drawn, words, path)


@dataclass(frozen=True)
class Curve:
    """Radii of one network over T.

    Attributes:
        name: for the legend.
        steps: T >= 1 of the states; empty for a network without time.
        half: r50 of the states, NaN where nothing arrives.
        most: r95.
        bound: theoretical radius at these T.
        heard: (T, r50, r95) of the logits, at one T or more.
        own: the network's own T.
    """

    name: str
    steps: Sequence[int]
    half: Sequence[float]
    most: Sequence[float]
    bound: Sequence[float]
    heard: Sequence[tuple[int, float, float]] = field(default=())
    own: int = 0


def save_radius(path: Path, curves: Sequence[Curve], side: int) -> None:
    """Draw r50 and r95 against T on logarithmic axes, with the theoretical bounds and guides of slope 1 and 1/2.

    Args:
        path: PNG to write.
        curves: the networks; those without time become horizontal lines.
        side: of the canvas in pixels; its half is marked.
    """
    figure = new_figure(11, 5)
    axes = figure.subplots(1, 3, sharey=True)
    usable = [i for i in range(1, 2 * len(curves) + 2) if i % 10 != 7]  # yellow is lost on white
    colours = class_colours(usable[-1] + 1)[usable[: len(curves)]] / 255
    longest = max((max(curve.steps) for curve in curves if len(curve.steps)), default=2)
    for curve, colour in zip(curves, colours, strict=True):
        if not len(curve.steps):
            for axis, value in zip(axes, (curve.heard[0][1], curve.heard[0][2], curve.heard[0][2]), strict=True):
                axis.axhline(value, color=colour, linewidth=1.2, linestyle="--", label=curve.name)
            continue
        style = {"color": colour, "markersize": 3.5, "linewidth": 1.4, "label": curve.name}
        axes[0].plot(curve.steps, curve.half, "o-", **style)
        axes[1].plot(curve.steps, curve.most, "o-", **style)
        axes[1].plot(curve.steps, curve.bound, ":", color=colour, linewidth=1.3)
        if curve.heard:
            t, _, most = zip(*curve.heard, strict=True)
            axes[2].plot(t, most, "o-", **style)
            axes[2].plot(t[-1], most[-1], "s", color=colour, markersize=8, fillstyle="none")
    titles = ("state: r50", "state: r95 (dotted: bound)", "logits that hear T steps: r95")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(0.9, longest * 1.15)
        axis.set_ylim(0.5, 150)
        axis.axhline(side / 2, color="0.6", linewidth=0.8)
        axis.annotate(
            "edge of the canvas", (0.95, side / 2), (2, 2), textcoords="offset points", fontsize=7.5, color="0.4"
        )
        t = np.array([longest / 10, longest])
        for power, word in ((1, "~T"), (0.5, "~√T")):
            axis.plot(t, 0.55 * (t / t[0]) ** power, color="0.6", linewidth=0.9, linestyle="-.")
            axis.annotate(word, (t[1], 0.55 * 10**power), (3, 0), textcoords="offset points", va="center", fontsize=8,
                          color="0.4", annotation_clip=False)  # fmt: skip
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("steps T", fontsize=9)
        axis.grid(alpha=0.2)
        open_axes(axis)
    axes[0].set_ylabel("radius around the pixel (image pixels)", fontsize=9)
    legend_below(figure, axes[1].get_legend_handles_labels()[0])
    save_figure(figure, path, colours=256)


@dataclass(frozen=True)
class Response:
    """Loudness of a medium's response to an impulse, and what its front should do.

    Attributes:
        title: above it.
        loudness: (t, distance); row i is the time (i + 1) dt, column d the distance d oscillators.
        dt: the step.
        predicted: speed of the light cone, oscillators per unit time.
        measured: the front's speed; None if it was not found.
        arrival: time at which each distance was reached, NaN where it was not.
        word: what was measured: "front" or a contour.
    """

    title: str
    loudness: np.ndarray
    dt: float
    predicted: float
    measured: float | None = None
    arrival: np.ndarray | None = None
    word: str = "front"


def save_greens(path: Path, responses: Sequence[Response]) -> None:
    """Draw responses in space and time, logarithmic over six decades, with light cone and measured arrivals.

    Args:
        path: PNG to write.
        responses: one a panel.
    """
    from matplotlib.colors import LogNorm

    lines = math.ceil(len(responses) / 3)
    figure = new_figure(10.8, 3.1 * lines + 1.0)
    grid = figure.subplots(lines, 3, squeeze=False)
    for axis in grid.flat[len(responses) :]:
        axis.set_axis_off()
    drawn = None
    for axis, response in zip(grid.flat, responses, strict=False):
        count, far = response.loudness.shape
        end = count * response.dt
        shares = np.maximum(response.loudness / response.loudness.max(), 1e-12)
        drawn = axis.imshow(
            shares, cmap=_colours(), norm=LogNorm(1e-6, 1), aspect="auto", origin="lower", interpolation="nearest",
            extent=(-0.5, far - 0.5, response.dt / 2, end + response.dt / 2),
        )  # fmt: skip
        axis.plot([0, response.predicted * end], [0, end], color="#56b4e9", linewidth=1.6,
                  label=f"light cone: {response.predicted:.2f}")  # fmt: skip
        if response.measured is not None and response.arrival is not None:
            axis.plot(np.arange(far), response.arrival, "o", color="#80ff80", markersize=2.2,
                      label=f"{response.word}: {response.measured:.2f}")  # fmt: skip
        axis.set_facecolor("black")
        axis.set(xlim=(-0.5, far - 0.5), ylim=(0, end + response.dt / 2))
        axis.set_title(response.title, fontsize=9.5)
        axis.set_xlabel("distance (oscillators)", fontsize=8.5)
        axis.set_ylabel("model time", fontsize=8.5)
        axis.tick_params(labelsize=8)
        axis.legend(fontsize=7.5, loc="lower right", facecolor="0.15", labelcolor="w", framealpha=0.8)
    words = "loudness of the response, of its largest; speeds in oscillators per unit of model time"
    _save_with_scale(figure, drawn, words, path)


def _save_with_scale(figure: "Figure", drawn: "AxesImage | None", words: str, path: Path) -> None:
    """Write a figure of maps with their common scale and words below."""
    if drawn is not None:
        scale = figure.colorbar(drawn, ax=figure.axes, location="bottom", shrink=0.6, aspect=40)
        scale.set_label(words, fontsize=8)
        scale.ax.tick_params(labelsize=8)
    save_figure(figure, path, colours=256)


def _colours() -> "Colormap":
    import matplotlib

    return matplotlib.colormaps["magma"].with_extremes(under="black")
