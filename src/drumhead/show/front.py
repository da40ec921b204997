"""Accuracy against cost: a panel for each task and kind of cost, the best networks for their cost joined by a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drumhead.show.figures import legend_below, new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours

_INK = class_colours(6)[1:] / 255
KINDS = {  # by how a name begins: colour, marker, words
    "nwm-stack": (_INK[0], "o", "stepped waves"),
    "nwm-rounds": (_INK[0], "P", "one layer of them in rounds"),
    "nwm-modes": (_INK[1], "s", "waves in closed form"),
    "frame": (_INK[2], "^", "the same frame without waves"),
    "unet": (_INK[3], "D", "U-Net"),
    "": (_INK[4], "v", "others"),
}


@dataclass(frozen=True)
class Point:
    """A network: mean foreground IoU over seeds, its std, and its costs over the U-Net's."""

    name: str
    mean: float
    std: float
    train: float
    infer: float


def save_front(path: Path, panels: Mapping[str, Sequence[Point]]) -> None:
    """Draw foreground IoU against the cost of a training step (upper row) and of inference (lower row).

    Args:
        path: PNG to write.
        panels: networks by task; those without a price are left out by the caller.
    """
    shown = {task: points for task, points in panels.items() if points} or dict(panels)
    figure = new_figure(max(4.6, 3.5 * len(shown)), 6.4)
    axes = figure.subplots(2, len(shown), squeeze=False, sharey="col")
    handles = {}
    for column, (task, points) in enumerate(shown.items()):
        for row, (mode, word) in enumerate((("train", "a training step"), ("infer", "inference"))):
            axis = axes[row][column]
            for point in points:
                colour, marker, words = next(look for start, look in KINDS.items() if point.name.startswith(start))
                cost = getattr(point, mode)
                handles[words] = axis.errorbar(
                    cost, point.mean, point.std, fmt=marker, color=colour, ms=5, lw=1, label=words
                )
                short = point.name.removeprefix("nwm-").removeprefix("frame-")
                axis.annotate(short, (cost, point.mean), xytext=(5, 3), textcoords="offset points", fontsize=6.5)
            best = _front([(getattr(point, mode), point.mean) for point in points])
            axis.step(*zip(*best, strict=True), where="post", color="0.6", lw=0.8, zorder=0) if best else None
            axis.set_xscale("log")
            axis.axvline(1, color="0.8", lw=0.8, zorder=0)
            axis.set_xlabel(f"cost of {word} over the U-Net's", fontsize=8)
            axis.grid(alpha=0.2)
            open_axes(axis, 8)
        axes[0][column].set_title(task, fontsize=10)
    axes[0][0].set_ylabel("foreground IoU", fontsize=9)
    axes[1][0].set_ylabel("foreground IoU", fontsize=9)
    if handles:
        legend_below(figure, list(handles.values()))
    save_figure(figure, path)


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no cheaper one is as good as, by rising cost."""
    best: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or score > best[-1][1]:
            best.append((cost, score))
    return best
