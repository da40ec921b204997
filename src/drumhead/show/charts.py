"""Pictures of many runs: bars with every seed and the published value, and learning curves. Plain numbers in."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drumhead.show.figures import legend_right, new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Bar:
    """One network in a panel of bars.

    Attributes:
        name: of the network.
        seeds: the score of every seed.
        mean: the bar.
        std: its whiskers; None for one seed.
        paper: the published mean and standard deviation, if any.
    """

    name: str
    seeds: tuple[float, ...]
    mean: float
    std: float | None = None
    paper: tuple[float, float | None] | None = None


@dataclass(frozen=True)
class Curve:
    """One network in a panel of curves.

    Attributes:
        name: of the network.
        colour: its number, the same in all panels; see `colour_numbers`.
        seeds: x and y of every seed.
        style: of the line; by default that of the colour.
        mark: an x of the network's own, which gets a thin upright line.
    """

    name: str
    colour: int
    seeds: tuple[tuple[np.ndarray, np.ndarray], ...]
    style: str = ""
    mark: float | None = None


@dataclass(frozen=True)
class Panel:
    """A panel of curves; `ticks` are the only x with a number, if there are any."""

    xlabel: str
    ylabel: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    title: str = ""
    ticks: tuple[float, ...] = ()


# The networks that most tables have; each keeps its colour in all of them.
_USUAL = ("nwm-linear", "nwm-fft", "nwm-fast", "nwm-last", "lstm-linear", "cnn-8", "", "unet-4", "", "resnet-8")


def colour_numbers(names: Sequence[str]) -> dict[str, int]:
    """Return the colour of each network of a table: its own if it is a usual one, else the first that is free."""
    usual = {name: _USUAL.index(name) for name in names if name in _USUAL}
    free = (number for number in itertools.count() if number not in usual.values())
    return {name: usual[name] if name in usual else next(free) for name in dict.fromkeys(names)}


def _kin(name: str) -> str:
    """Return the usual network that a variant takes its colour from where names stand beside it, or the name itself."""
    if name in _USUAL:
        return name
    family = "nwm-fast" if name.startswith("nwm-fast") else name.split("-")[0]
    return next((usual for usual in _USUAL if usual.startswith(family)), family)


def save_bars(path: Path, panels: Mapping[str, Sequence[Bar]], lines: Mapping[str, float], note: str = "") -> None:
    """Draw horizontal bars with whiskers, every seed as a dot and the published value as a diamond.

    Args:
        path: PNG to write.
        panels: bars by the name of a score, the same networks in each.
        lines: scores with a dashed line, and where it is.
        note: small print.
    """
    most = max(map(len, panels.values()))
    figure = new_figure(2 + 3.2 * len(panels), 1.35 + 0.34 * most)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    numbers = colour_numbers([_kin(bar.name) for bars in panels.values() for bar in bars])
    colours = class_colours(max(numbers.values(), default=0) + 2)[1:] / 255
    for axis, (score, bars) in zip(axes, panels.items(), strict=True):
        for i, bar in enumerate(bars):
            colour = colours[numbers[_kin(bar.name)]]
            if score in lines:  # an axis that does not begin at 0 would make the lengths of bars lie
                axis.plot(bar.mean, i, "|", color=colour, markersize=13, markeredgewidth=4)
            else:
                axis.barh(i, bar.mean, 0.5, color=colour, alpha=0.55)
            if bar.std is not None:
                xerr = _whiskers(bar.mean, bar.std)
                axis.errorbar(bar.mean, i, xerr=xerr, fmt="none", ecolor="0.25", elinewidth=1, capsize=2.5)
            axis.plot(bar.seeds, [i] * len(bar.seeds), "o", color="0.15", markersize=3, zorder=3)
            if bar.paper:
                mean, std = bar.paper
                xerr = None if std is None else _whiskers(mean, std)
                axis.errorbar(mean, i + 0.34, xerr=xerr, fmt="D", color="#c0392b", markerfacecolor="white",
                              markersize=4, elinewidth=0.8, capsize=0, zorder=4)  # fmt: skip
        open_axes(axis, 8)
        axis.set_yticks(range(len(bars)), [bar.name for bar in bars], fontsize=9)
        axis.set_title(score, fontsize=10)
        axis.set_xlim(0, 1.015)
        if score in lines:
            axis.axvline(lines[score], color="#c0392b", linestyle="--", linewidth=1)
            lowest = min(lines[score], *(min(bar.seeds) for bar in bars))
            axis.set_xlim(max(0.0, lowest - 0.1 * (1 - lowest)), 1 + 0.02 * (1 - lowest))
        axis.grid(axis="x", alpha=0.2)
        axis.set_axisbelow(True)
    axes[0].set_ylim(most - 0.4, -0.6)  # the first network on top
    words = f"bar{' or stroke' if lines else ''}: mean; whiskers: std over seeds, cut at 0 and 1; dots: seeds"
    words += "; diamond: the paper, with std" if any(bar.paper for bars in panels.values() for bar in bars) else ""
    words += "; dashed: background only" if lines else ""
    save_figure(figure, path, note=f"{words}\n{note}")


def _whiskers(mean: float, std: float) -> list[list[float]]:
    """Return how far whiskers reach down and up: a score lies between 0 and 1."""
    return [[min(std, mean)], [min(std, 1 - mean)]]


def save_curves(path: Path, panels: Sequence[Panel]) -> None:
    """Draw every seed thin and the mean over seeds thick.

    Args:
        path: PNG to write.
        panels: side by side, each with a curve; all show the same networks.
    """
    most = max(curve.colour for panel in panels for curve in panel.curves)
    figure = new_figure(3.7 * len(panels), 3.6)
    colours = class_colours(most + 2)[1:] / 255
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _curves(axis, panel, colours)
    lines = {line.get_label(): line for axis in figure.axes for line in axis.get_legend_handles_labels()[0]}
    legend_right(figure, list(lines.values()))
    save_figure(figure, path)


def _curves(axis: "Axes", panel: Panel, colours: np.ndarray) -> None:
    for curve in panel.curves:
        colour = colours[curve.colour]
        length = min(len(x) for x, _ in curve.seeds)
        x, y = (np.mean([seed[i][:length] for seed in curve.seeds], 0) for i in (0, 1))
        if len(curve.seeds) > 1:
            for seed in curve.seeds:
                axis.plot(*seed, color=colour, linewidth=0.7, alpha=0.6)
        marker = "o" if length < 3 else None
        style = {"color": colour, "linewidth": 2, "marker": marker, "markersize": 3, "label": curve.name}
        axis.plot(x, y, curve.style or line_style(curve.colour), **style)
        if curve.mark is not None:
            axis.axvline(curve.mark, color=colour, linestyle=":", linewidth=1.2)
    if panel.log_x:
        axis.set_xscale("log")
    else:
        axis.locator_params(axis="x", nbins=4)
        axis.xaxis.set_major_formatter("{x:,.0f}")
    if panel.log_y:
        axis.set_yscale("log")
    if panel.ticks:
        axis.set_xticks(panel.ticks, [f"{tick:g}" for tick in panel.ticks])
        axis.minorticks_off()
    axis.set_title(panel.title, fontsize=10)
    axis.set_xlabel(panel.xlabel, fontsize=9)
    axis.set_ylabel(panel.ylabel, fontsize=9)
    axis.grid(alpha=0.2)
    open_axes(axis, 8)
