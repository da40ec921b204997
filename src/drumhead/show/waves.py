"""Pictures of waves in a recording: how planar, how fast, which way, about which points, and at which wave numbers.

What surrogates have is grey in all of them. Plain arrays in.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.show.figures import legend_below, new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours
from drumhead.waves.units import scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED = class_colours(5)[1:] / 255
GREY = "0.72"
SPEEDS, ANGLES, LIVES = 48, 36, 28  # bins
SMOOTH = 400  # points of a curve
POINTS = 600  # of a trace: a minute is drawn as means of as many pieces


def save_pgd(
    path: Path, times: np.ndarray, pgd: np.ndarray, null: np.ndarray, level: float, across: str = "time (s)"
) -> None:
    """Draw pgd over time with the level of surrogates, and how often it has which size.

    Args:
        path: PNG to write.
        times: of the frames, in s.
        pgd: of the frames.
        null: of frames of surrogates.
        level: their 95th percentile.
        across: what `times` are.
    """
    figure = new_figure(8.4, 2.7)
    left, right = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    size = max(1, -(-len(pgd) // POINTS))
    count = len(pgd) // size
    pieces, when = (of[: count * size].reshape(count, size) for of in (pgd, times))
    if size > 1:
        low, high = np.nanpercentile(pieces, (10, 90), axis=1)
        left.fill_between(when.mean(1), low, high, color=BLUE, alpha=0.2, lw=0, label="10 to 90 % of its frames")
    left.plot(when.mean(1), np.nanmean(pieces, 1), color=BLUE, lw=1, label="PGD" + (", mean" if size > 1 else ""))
    bins = np.linspace(0, 1, 41)
    for values, style in ((null, {"color": GREY}), (pgd, {"color": BLUE, "alpha": 0.75})):
        weights = np.full(len(values), 100 / max(1, len(values)))
        right.hist(values, bins, weights=weights, orientation="horizontal", **style)
    for axis in (left, right):
        axis.axhline(level, color="0.35", ls="--", lw=1, label="95 % of surrogates lie below")
        open_axes(axis)
    left.set(ylim=(0, 1), **({"xlim": (times[0], times[-1])} if len(times) > 1 else {}))
    left.set_xlabel(across, fontsize=9)
    left.set_ylabel("phase gradient directionality", fontsize=9)
    right.set_xlabel("frames (%)", fontsize=9)
    legend_below(figure, [*left.get_legend_handles_labels()[0], _patch(GREY, "surrogates")])
    save_figure(figure, path)


def save_speeds(
    path: Path, speed: np.ndarray, direction: np.ndarray, marked: np.ndarray, null_speed: np.ndarray,
    null_direction: np.ndarray, unit: str,
) -> None:  # fmt: skip
    """Draw how often planes have which speed and direction: all frames, the marked ones, and those of surrogates.

    Args:
        path: PNG to write.
        speed: of all frames.
        direction: of all frames, in rad from x toward y, which grows downward.
        marked: the frames that are more planar than 95 % of surrogate frames.
        null_speed: of frames of surrogates.
        null_direction: of frames of surrogates.
        unit: of speed, "m/s" or "px/s".
    """
    figure = new_figure(8.4, 3.4)
    left = figure.add_subplot(1, 2, 1)
    known = np.concatenate([speed, null_speed])
    low, high = np.nanpercentile(known, (0.5, 99.5)) if len(known) else (0.1, 1.0)  # of no frames an empty picture
    bins: Any = np.geomspace(low, high, SPEEDS)
    sets = ((null_speed, null_direction, GREY, 1.0, "surrogates"), (speed, direction, BLUE, 0.6, "all frames"),
            (speed[marked], direction[marked], ORANGE, 0.85, "more planar than 95 % of surrogates"))  # fmt: skip
    for values, _, colour, alpha, label in sets:
        whole = len(speed) if label != "surrogates" else len(values)
        weights = np.full(len(values), 100 / max(1, whole))
        left.hist(values, bins, weights=weights, color=colour, alpha=alpha, label=label)
    left.set_xscale("log")
    left.set_xlabel(f"speed ({unit})", fontsize=9)
    left.set_ylabel("frames (%)", fontsize=9)
    open_axes(left)
    right: Any = figure.add_subplot(1, 2, 2, projection="polar")
    edges = np.linspace(-np.pi, np.pi, ANGLES + 1)
    for _, angles, colour, alpha, label in sets:
        whole = len(speed) if label != "surrogates" else len(angles)
        share = 100 * np.histogram(angles, edges)[0] / max(whole, 1)
        right.bar(edges[:-1], share, np.diff(edges), align="edge", color=colour, alpha=alpha, lw=0)
    right.set_theta_direction(-1)  # y grows downward
    right.set_xticks(np.arange(8) * np.pi / 4, ["+x", "45°", "+y", "135°", "-x", "-135°", "-y", "-45°"], fontsize=8)
    right.tick_params(axis="y", labelsize=7)
    right.set_rlabel_position(22)
    right.set_yticks(np.array([0.5, 1.0]) * right.get_ylim()[1], ["", f"{right.get_ylim()[1]:.0f} %"])
    right.grid(alpha=0.3)
    right.set_title("which way (% of frames)", fontsize=9)
    legend_below(figure, left.get_legend_handles_labels()[0])
    save_figure(figure, path)


def save_kf(
    path: Path, f: np.ndarray, k: np.ndarray, power: np.ndarray, ridge: np.ndarray, band: tuple[float, float],
    unit: str, curve: Callable[[np.ndarray], Any] | None = None, curve_name: str = "",
) -> None:  # fmt: skip
    """Draw which wave numbers stand out at each frequency, with ridge and curve.

    Args:
        path: PNG to write.
        f: frequencies in Hz (f,).
        k: wave numbers (k,), in rad/m or rad/px.
        power: (f, k).
        ridge: wave number of the peak of each frequency (f,), NaN where none is clear.
        band: in Hz.
        unit: "m" or "px".
        curve: the frequency in Hz of waves of given wave numbers, if a medium is known; NaN where none run. It is drawn
            on a grid of its own: on that of a small array it has kinks.
        curve_name: of it.
    """
    figure = new_figure(6.4, 4.2)
    axis: Axes = figure.subplots()
    factor, length = scale(10 * 2 * np.pi / k[-1], unit)  # so that there are tens of waves, not thousandths
    across = k * factor / (2 * np.pi)
    middle = np.maximum(np.median(power, axis=1, keepdims=True), 1e-12 * power.max())
    above = 10 * np.log10(np.maximum(power / middle, 1e-3))
    most = max(6.0, float(np.percentile(above, 99.5)))
    shown = axis.pcolormesh(across, f, above, cmap="magma", vmin=0, vmax=most, shading="gouraud", rasterized=True)
    if np.isfinite(ridge).any():
        axis.plot(ridge * factor / (2 * np.pi), f, "o", mfc="none", mec="#7fd6ff", ms=3.5, mew=1, label="its ridge")
    if curve is not None:
        fine = np.linspace(0, k[-1], SMOOTH)
        axis.plot(fine * factor / (2 * np.pi), np.asarray(curve(fine)), color="#9cff9c", lw=1.8, label=curve_name)
    for edge in band:
        axis.axhline(edge, color="w", lw=0.8, ls=":", alpha=0.8)
    axis.set(xlim=(0, across[-1]), ylim=(f[0], f[-1]))
    axis.set_xlabel(f"wave number |k| / 2 pi (waves per {length})", fontsize=9)
    axis.set_ylabel("frequency (Hz)", fontsize=9)
    axis.tick_params(labelsize=8.5)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8, loc="upper right", facecolor="0.15", labelcolor="w", framealpha=0.8)
    bar = figure.colorbar(shown, ax=axis, shrink=0.85)
    bar.set_label("power, dB above the median of its frequency", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    save_figure(figure, path, colours=256)


def save_singularities(
    path: Path, points: np.ndarray, charge: np.ndarray, tracks: Sequence[np.ndarray], turns: Sequence[int],
    lives: np.ndarray, null_lives: np.ndarray, period: float, sites: tuple[np.ndarray, np.ndarray], unit: str,
) -> None:  # fmt: skip
    """Draw where phases turn about a point, the paths of the points that last, and how long all of them do.

    Args:
        path: PNG to write.
        points: places (n, 2), y and x, of all singularities of all frames.
        charge: of each (n,).
        tracks: places (m, 2) of each trajectory that lasts a period.
        turns: charge of each trajectory.
        lives: how long all trajectories last, in s.
        null_lives: the same of surrogates.
        period: of the middle of the band, in s.
        sites: y and x of the grid.
        unit: "m" or "px".
    """
    figure = new_figure(8.4, 3.5)
    left, right = figure.subplots(1, 2)
    factor, length = scale(max(np.ptp(at) for at in sites), unit)
    y, x = (at / factor for at in sites)
    left.set(xlim=(x[0], x[-1]), ylim=(y[-1], y[0]), aspect="equal")
    left.plot(*(at.ravel() for at in np.meshgrid(x, y)), ".", color="0.88", ms=3, zorder=0, clip_on=False)
    shift = (np.random.default_rng(0).random(points.shape) - 0.5) * (y[1] - y[0], x[1] - x[0])
    for sign, colour in ((1, ORANGE), (-1, BLUE)):
        some = (points / factor + shift)[charge == sign][:: max(1, len(points) // 4000)]
        left.plot(some[:, 1], some[:, 0], ".", color=colour, ms=1.5, alpha=0.25)
    wander = 0.35 * np.array([y[1] - y[0], x[1] - x[0]])
    for track, turn in zip(tracks, turns, strict=True):
        smooth = _smooth(track / factor) + wander * np.sin(len(track) * np.array([1.0, 1.7]))  # side by side
        left.plot(smooth[:, 1], smooth[:, 0], color=ORANGE if turn > 0 else BLUE, lw=1.3, alpha=0.9)
        left.plot(smooth[0, 1], smooth[0, 0], "o", color=ORANGE if turn > 0 else BLUE, ms=3.5, mec="w", mew=0.6)
    left.set_xlabel(f"x ({length})", fontsize=9)
    left.set_ylabel(f"y ({length})", fontsize=9)
    every = np.concatenate([lives, null_lives])
    if len(every):
        bins = np.geomspace(every.min(), max(every.max(), 1.01 * every.min()) * 1.001, LIVES)
        for values, style in ((null_lives, {"color": GREY}), (lives, {"color": GREEN, "alpha": 0.75})):
            if len(values):
                right.hist(values, bins, weights=np.full(len(values), 100 / len(values)), **style)
        right.set(xscale="log", yscale="log")
    right.axvline(period, color="0.35", ls="--", lw=1)
    right.set_xlabel("lifetime (s); dashed: a period", fontsize=9)
    right.set_ylabel("singularities (%)", fontsize=9)
    for axis in (left, right):
        open_axes(axis)
    legend_below(figure, [
        _patch(ORANGE, "turns from x toward y (+1)"), _patch(BLUE, "the other way (-1)"), _patch(GREEN, "recording"),
        _patch(GREY, "surrogates"),
    ])  # fmt: skip
    save_figure(figure, path)


def _smooth(track: np.ndarray, size: int = 5) -> np.ndarray:
    """Return a running mean of places: they jump from square to square."""
    size = min(size, len(track))
    return np.stack([np.convolve(side, np.full(size, 1 / size), "valid") for side in track.T], 1)


def _patch(colour: Any, label: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, label=label)
