"""Accuracy against cost: a panel for each task and kind of cost, the best networks for their cost joined by a line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drumhead.show.figures import legend_below, new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_INK = class_colours(6)[1:] / 255
KINDS = {  # by how a name begins: colour, marker, words
    "nwm-stack": (_INK[0], "o", "stepped waves"),
    "nwm-rounds": (_INK[0], "P", "one layer of them in rounds"),
    "nwm-fast": (_INK[0], "v", "one layer on the whole grid"),
    "nwm-modes": (_INK[1], "s", "waves in closed form"),
    "frame": (_INK[2], "^", "the same frame without waves"),
    "unet": (_INK[3], "D", "U-Net"),
    "": (_INK[4], "v", "others"),
}


_COSTS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50, 100)
_BETWEEN = (0.3, 0.7, 1.5, 3, 7)  # are left out of long axes
_SHORT = {
    "frame-rounds": "7x7 in rounds",
    "nwm-stack-identity": "linear",
    "nwm-stack-layers-1": "1 layer",
    "nwm-stack-layers-2": "2 layers",
    "nwm-stack-layers-4": "4 layers",
}
_SIZE = 6.5  # of names, in points
_PLACES = (*((x, y) for x in (5, -5) for y in (3, -9)), *((x, y) for x in (14, -14) for y in (12, -18)))
"""Where a name may begin beside its point, in points: the first place that is free; those far off get a line."""
_LEAST = 1e-5  # to 1, as far as is drawn
_WRONG = [part * 10.0**power for power in range(-5, 1) for part in (1, 2, 5) if part * 10.0**power <= 1]


@dataclass(frozen=True)
class Point:
    """A network: mean, least and largest foreground IoU of its seeds, and its costs over the U-Net's."""

    name: str
    mean: float
    low: float
    high: float
    train: float
    infer: float


def save_front(path: Path, panels: Mapping[str, Sequence[Point]]) -> None:
    """Draw foreground IoU against the cost of a training step (upper row) and of inference (lower row).

    The distance to 1 is logarithmic: from 0.98 to 0.99 is as far as from 0.8 to 0.9.

    Args:
        path: PNG to write.
        panels: networks by task; those without a price are left out by the caller.
    """
    from matplotlib.lines import Line2D

    shown = {task: points for task, points in panels.items() if points} or dict(panels)
    figure = new_figure(max(4.6, 3.5 * len(shown)), 6.4)
    axes = figure.subplots(2, len(shown), squeeze=False, sharey="col")
    handles = {}
    for column, (task, points) in enumerate(shown.items()):
        for row, (mode, word) in enumerate((("train", "a training step"), ("infer", "inference"))):
            axis = axes[row][column]
            costs = [getattr(point, mode) for point in points]
            wrong = [max(1 - point.mean, _LEAST) for point in points]
            for point, x, y in zip(points, costs, wrong, strict=True):
                colour, marker, words = next(look for start, look in KINDS.items() if point.name.startswith(start))
                ends = [[y - min(max(1 - point.high, _LEAST), y)], [max(point.mean - point.low, 0)]]
                handles[words] = axis.errorbar(x, y, ends, fmt=marker, color=colour, ms=5, lw=1, label=words)
            best = [
                (x, max(1 - mean, _LEAST)) for x, mean in _front([*zip(costs, (p.mean for p in points), strict=True)])
            ]
            if best:
                words = "nothing cheaper is as good"
                (handles[words],) = axis.step(
                    *zip(*best, strict=True), where="post", color="0.6", lw=0.8, zorder=0, label=words
                )
            _scale(axis, "x", _COSTS, [1, *costs], "{:g}".format)
            # A seed that is nearly perfect leaves the picture rather than press the others together.
            least = min(wrong, default=1) / 5
            ends = [max(1 - end, least) for point in points for end in (point.low, point.high)]
            _scale(axis, "y", _WRONG, [*wrong, *ends] or [0.1], lambda y: f"{1 - y:.6g}")
            _name(axis, [*zip(points, costs, wrong, strict=True)])
            axis.axvline(1, color="0.8", lw=0.8, zorder=0)
            axis.set_xlabel(f"cost of {word} over the U-Net's", fontsize=8)
            axis.grid(alpha=0.2)
            open_axes(axis, 8)
        axes[0][column].set_title(task, fontsize=10)
    axes[0][0].set_ylabel("foreground IoU", fontsize=9)
    axes[1][0].set_ylabel("foreground IoU", fontsize=9)
    if handles:
        handles["seeds"] = Line2D(
            [], [], ls="", marker="|", ms=9, color="0.3", label="from the least to the largest seed"
        )
        legend_below(figure, list(handles.values()))
    save_figure(figure, path)


def _name(axes: "Axes", places: Sequence[tuple[Point, float, float]]) -> None:
    """Write each network's name beside its point, or farther off with a line to it, where no better one's is."""
    at = {id(point): axes.transData.transform((x, y)) * 72 / axes.figure.dpi for point, x, y in places}  # in points
    taken = [(across - 3, up - 3, 6.0, 6.0) for across, up in at.values()]  # by markers
    for point, x, y in sorted(places, key=lambda place: place[2]):
        words = _SHORT.get(point.name) or point.name.removeprefix("nwm-").removeprefix("frame-")
        wide, (across, up) = 0.5 * _SIZE * len(words), at[id(point)]
        spots = [(off, above, across + (off if off > 0 else off - wide), up + above) for off, above in _PLACES]
        free = (
            spot for spot in spots
            if not any(spot[2] < a + w and a < spot[2] + wide and spot[3] < b + h and b < spot[3] + _SIZE
                       for a, b, w, h in taken)
        )  # fmt: skip
        found = next(free, None)
        if found is None:
            continue  # two names over each other tell nobody anything
        beside, above, left, low = found
        taken.append((left, low, wide, _SIZE))
        line = {"arrowstyle": "-", "lw": 0.5, "color": "0.5", "shrinkA": 0, "shrinkB": 2} if abs(beside) > 5 else None
        axes.annotate(words, (x, y), xytext=(beside, above), textcoords="offset points", fontsize=_SIZE,
                      ha="left" if beside > 0 else "right", arrowprops=line)  # fmt: skip


def _scale(
    axes: "Axes", name: str, ticks: Sequence[float], values: Sequence[float], words: Callable[[float], str]
) -> None:
    """Make one axis logarithmic, from a tick below all values to one above; what is wrong rises downwards."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    room = 1.05 if name == "x" else 1.25  # for the names above points
    low = max((tick for tick in ticks if tick < min(values) / room), default=min(values) / 1.2)
    high = min((tick for tick in ticks if tick > max(values) * room), default=max(values) * room)
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high) if name == "x" else (high, low)})
    axis: Axis = getattr(axes, f"{name}axis")
    if name == "x" and high > 100 * low:  # there is room for fewer
        ticks = [tick for tick in ticks if tick not in _BETWEEN]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no cheaper one is as good as, by rising cost."""
    best: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or score > best[-1][1]:
            best.append((cost, score))
    return best
