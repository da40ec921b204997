"""Two pictures of a benchmark: bars of time per image, and how memory and time grow."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.bench.plan import MODES
from drumhead.bench.report import digits, times
from drumhead.show.figures import new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLACE = {"published": 4, "eager": 2, "native": 1, "native-bf16": 6, "unet": 3, "unet-bf16": 9}  # in the palette


def save(out: Path, results: dict[str, Any]) -> None:
    """Write speed.png and growth.png of the sections that were measured.

    Args:
        out: directory.
        results: as `run` returns them.
    """
    if results.get("speed"):
        _speed(results, out / "speed.png")
    if results.get("memory") or results.get("side"):
        _growth(results, out / "growth.png")


def _speed(results: dict[str, Any], path: Path) -> None:
    rows = results["speed"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    most = max(len({row["contender"] for row in rows if row["task"] == task}) for task in tasks)
    figure = new_figure(5.6 * len(modes), len(tasks) * (0.38 * most + 1.0) + 0.5)
    grid = figure.subplots(len(tasks), len(modes), squeeze=False)
    for i, task in enumerate(tasks):
        for j, mode in enumerate(modes):
            _bars(grid[i, j], [row for row in rows if (row["task"], row["mode"]) == (task, mode)], task, mode)
    words = "bars: median wall time, with quartiles; x: times as fast as the published loop"
    save_figure(figure, path, note=f"{words}\n{_machine(results)}")


def _bars(axis: "Axes", rows: list[dict[str, Any]], task: str, mode: str) -> None:
    names = [row["contender"] for row in rows]
    medians, lows, highs = _milliseconds(rows)
    axis.barh(names, medians, color=[_colour(name) for name in names], height=0.66)
    errors = (medians - lows, highs - medians)
    axis.errorbar(medians, range(len(names)), xerr=errors, fmt="none", ecolor="0.2", elinewidth=1, capsize=2)
    axis.set_xscale("log")
    low, high = medians.min() / 3, highs.max()
    axis.set_xlim(low, high * (high / low) ** 0.75)  # room for the words behind the bars
    for i, row in enumerate(rows):
        text = f"{digits(medians[i])} ms"
        if row["contender"] != "published" and row["wall_ratio"]:
            text += f"  {times(row['wall_ratio'])}"
        axis.annotate(text, (highs[i], i), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.invert_yaxis()
    first = rows[0]
    axis.set_title(f"{task}, {MODES[mode]} ({first['side']} x {first['side']}, batch {first['batch']})", fontsize=10)
    axis.set_xlabel("ms per image (logarithmic)", fontsize=9)
    open_axes(axis, 9)


def _growth(results: dict[str, Any], path: Path) -> None:
    parts = [name for name in ("memory", "side") if results.get(name)]
    figure = new_figure(5.6 * len(parts), 4.3)
    axes = figure.subplots(1, len(parts), squeeze=False)[0]
    for axis, part in zip(axes, parts, strict=True):
        (_memory if part == "memory" else _side)(axis, results)
        axis.legend(frameon=False, fontsize=8.5, loc="upper left")
        axis.grid(alpha=0.2)
        open_axes(axis, 9)
    words = "memory: peak of one call in a fresh process, median and extremes; time: median and quartiles of wall time"
    save_figure(figure, path, note=f"{words}\n{_machine(results)}")


def _memory(axis: "Axes", results: dict[str, Any]) -> None:
    batch = results["memory"][0]["batch"]
    for item in results["memory_slopes"]:
        name, mode, slope = item["contender"], item["mode"], item["mb_per_image_and_step"]
        rows = [row for row in results["memory"] if (row["contender"], row["mode"]) == (name, mode)]
        if not rows:
            continue
        label = f"{name}, {MODES[mode]}" + ("" if slope is None else f": {1e3 * slope:.3g} kB a step")
        steps = [row["steps"] for row in rows]
        sizes = [[f(row["bytes_samples"]) / batch / 1e6 for row in rows] for f in (statistics.median, min, max)]
        _line(axis, name, steps, np.array(sizes), "o-" if mode == "train" else "s--", label)
    _logarithmic(axis, sorted({row["steps"] for row in results["memory"]}))
    axis.set_xlabel("steps of the wave, T", fontsize=9)
    axis.set_ylabel("peak memory, MB per image", fontsize=9)
    side = results["memory"][0]["side"]
    axis.set_title(f"memory against steps ({side} x {side}, batch {batch})", fontsize=10)


def _side(axis: "Axes", results: dict[str, Any]) -> None:
    rows = results["side"]
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        sides = [row["side"] for row in own]
        _line(axis, name, sides, _milliseconds(own), "o-", name)
    _logarithmic(axis, sorted({row["side"] for row in rows}))
    axis.set_xlabel("side of the image, pixels", fontsize=9)
    axis.set_ylabel("inference, ms per image", fontsize=9)
    steps = next((f", T = {row['steps']}" for row in rows if row["steps"]), "")
    axis.set_title(f"time against size (one image{steps})", fontsize=10)


def _milliseconds(rows: list[dict[str, Any]]) -> np.ndarray:
    """Return medians, lows and highs of the wall time."""
    return np.array([[1e3 * row["wall_s"][key] for row in rows] for key in ("median", "low", "high")])


def _line(axis: "Axes", name: str, x: list[int], y: np.ndarray, style: str, label: str) -> None:
    """Draw medians as a line and what lies between the lows and the highs as a band."""
    axis.plot(x, y[0], style, color=_colour(name), markersize=4, label=label)
    axis.fill_between(x, y[1], y[2], color=_colour(name), alpha=0.2, linewidth=0)


def _logarithmic(axis: "Axes", ticks: list[int]) -> None:
    """Make both axes logarithmic, with the measured places as ticks and room for a legend."""
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** 0.4)


def _colour(name: str) -> tuple[float, ...]:
    return tuple(class_colours(len(_PLACE) + 5)[_PLACE[name]] / 255)


def _machine(results: dict[str, Any]) -> str:
    machine = results["machine"]
    quick = "QUICK RUN, NO EVIDENCE. " if results["plan"]["quick"] else ""
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
    return f"{quick}{machine['processor']}, {threads}, torch {machine['torch']}, {results['date'][:10]}"
