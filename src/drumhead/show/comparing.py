"""Pictures of a comparison: how far each measure is, and the windows behind it. Plain arrays in, figures out."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from drumhead.show.figures import new_figure, open_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"model": "#d55e00", "recording": "#0072b2"}
GREYS = ("#555555", "#aaaaaa", "#cccccc")
MARKS = "s^vD<>Pp"
UNITS = {"speed": "m/s", "wavelength": "m", "frequency": "Hz", "direction": "degrees", "lifetime": "s"}
SHORTEST = 0.3  # times the ceiling: nearer than this is the same


def distances_figure(
    names: "Sequence[str]", model: np.ndarray, low: np.ndarray, high: np.ndarray, nulls: Mapping[str, np.ndarray]
) -> "Figure":
    """Return a row for each measure: times as far as the halves of the recording, of the model and of surrogates.

    Args:
        names: of the measures.
        model: (measure,), 1 is as near as can be seen.
        low: of its interval.
        high: of the same.
        nulls: (measure,) each.
    """
    order = np.argsort(np.nan_to_num(model))
    figure = new_figure(6.4, 0.8 + 0.27 * len(names))
    axis, rows = figure.subplots(), np.arange(len(names))
    for colour, mark, (name, values) in zip(_greys(len(nulls)), cycle(MARKS), nulls.items(), strict=False):
        axis.plot(np.maximum(values[order], SHORTEST), rows, mark, color=colour, label=name, markersize=5)
    ends = np.maximum(np.stack([low, high])[:, order], SHORTEST)
    axis.hlines(rows, *ends, color=COLOURS["model"], linewidth=2)
    axis.plot(np.maximum(model[order], SHORTEST), rows, "o", color=COLOURS["model"], label="model")
    axis.axvline(1, color=COLOURS["recording"], linewidth=1, label="half of the recording")
    axis.set(xscale="log", yticks=rows, xlabel="times as far from the recording as its halves")
    axis.set_yticklabels([str(names[int(i)]) for i in order])
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    open_axes(axis)
    return figure


def _greys(count: int) -> Sequence[str]:
    """Return so many greys, from dark to light, that tell surrogates apart."""
    return GREYS[:count] if count <= len(GREYS) else [f"{grey:.3f}" for grey in np.linspace(0.25, 0.85, count)]


def windows_figure(
    windows: Mapping[str, Mapping[str, np.ndarray]], measures: Sequence[tuple[str, str]], across: int = 4
) -> "Figure":
    """Return cumulative distributions of each measure, a line for each set of windows.

    Args:
        windows: by whose they are, then by measure, (window,).
        measures: name and kind; of kind "log" they are shown as what they are logarithms of, on such an axis,
            and angles in degrees.
        across: panels in a row.
    """
    down = -(-len(measures) // across)
    figure = new_figure(2.1 * across, 1.7 * down)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    greys = iter(_greys(len(windows.keys() - COLOURS.keys())))
    colours = {name: COLOURS.get(name) or next(greys) for name in windows}
    for axis, (measure, kind) in zip(axes, measures, strict=False):
        for name, found in windows.items():
            values = np.sort(found[measure][np.isfinite(found[measure])])
            values = np.exp(values) if kind == "log" else np.degrees(values) if kind == "angle" else values
            if len(values):
                axis.step(values, np.arange(1, len(values) + 1) / len(values), color=colours[name], label=name,
                          linewidth=1.6 if name in COLOURS else 1)  # fmt: skip
        axis.set_title(f"{measure} ({UNITS[measure]})" if measure in UNITS else measure, fontsize=9)
        if kind == "log":
            axis.set_xscale("log")
        else:
            axis.locator_params(axis="x", nbins=4)
        axis.set_ylim(0, 1.02)
        open_axes(axis, 7)
    for axis in axes[len(measures) :]:
        axis.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    return figure
