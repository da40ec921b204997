"""Pictures of one drum: its pixels, the wave on it, what a pixel hears, and its modes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drumhead.show.figures import new_figure, no_ticks, open_axes, save_figure
from drumhead.show.palette import class_colours, wave_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED = (tuple(c / 255) for c in class_colours(5)[1:])
CLAMPED = np.uint8(225)  # grey of pixels that cannot move


def paint(axis: "Axes", field: np.ndarray, inside: np.ndarray, scale: float | None = None, title: str = "") -> None:
    """Draw a displacement (y, x) in blue and red on a grey, clamped ground."""
    scale = float(np.abs(field).max()) if scale is None else scale
    axis.imshow(np.where(inside[..., None], wave_colours(field, scale), CLAMPED), interpolation="nearest")
    axis.set_title(title, fontsize=9)
    no_ticks(axis)


def outline(axis: "Axes", inside: np.ndarray, title: str) -> None:
    """Draw the pixels (y, x) that move in white and the clamped ones in grey."""
    axis.imshow(np.where(inside[..., None], np.uint8(255), CLAMPED).repeat(3, -1), interpolation="nearest")
    axis.set_title(title, fontsize=9)
    no_ticks(axis)


def save_membrane(path: Path, inside: np.ndarray, title: str) -> None:
    """Draw the drum alone."""
    page = new_figure(3.4, 3.6 * min(1.6, max(0.5, inside.shape[0] / inside.shape[1])) + 0.4)
    outline(page.subplots(), inside, title)
    save_figure(page, path)


def save_wave(path: Path, inside: np.ndarray, field: np.ndarray, times: Sequence[float], struck: tuple[int, int],
              heard: tuple[int, int], title: str) -> None:  # fmt: skip
    """Draw the drum with the pixels where it is struck and heard, and the wave at some times.

    Args:
        path: PNG to write.
        inside: bool (y, x).
        field: (t, y, x).
        times: model time of each.
        struck: pixel (y, x).
        heard: pixel (y, x).
        title: what is shown.
    """
    columns = 4
    rows = -(-(len(field) + 1) // columns)
    height, width = inside.shape
    page = new_figure(2.3 * columns, rows * (2.3 * min(1.6, height / width) + 0.3) + 0.6)
    axes = page.subplots(rows, columns).ravel()
    outline(axes[0], inside, "the drum; grey is clamped")
    axes[0].plot(*struck[::-1], "x", color=RED, markersize=8, markeredgewidth=2, label="struck")
    axes[0].plot(*heard[::-1], "o", color=BLUE, markersize=8, markerfacecolor="none", markeredgewidth=2, label="heard")
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, frameon=False, fontsize=8.5,
                   columnspacing=1, handletextpad=0.2)  # fmt: skip
    for axis, wave, time in zip(axes[1:], field, times, strict=False):
        paint(axis, wave, inside, 1.2 * float(np.quantile(np.abs(wave[inside]), 0.99)), f"t = {time:.4g}")
    for axis in axes:
        axis.set_axis_off()
    page.suptitle(title, fontsize=10.5)
    save_figure(page, path)


def save_spectrum(path: Path, series: np.ndarray, dt: float, angular: np.ndarray, bins: np.ndarray, loud: np.ndarray,
                  title: str) -> None:  # fmt: skip
    """Draw what one pixel hears over time, and its spectrum on the frequencies of the modes.

    Args:
        path: PNG to write.
        series: (t,).
        dt: time between two entries.
        angular: (k,): angular frequencies of the modes.
        bins: angular frequency of each bin of the spectrum.
        loud: magnitude of each.
        title: what is shown.
    """
    page = new_figure(9, 4.6)
    over_time, over_angular = page.subplots(2, 1, height_ratios=(1, 1.5))
    shown = min(len(series), round(12 * 2 * np.pi / (angular[0] * dt)))
    over_time.plot(dt * np.arange(1, shown + 1), series[:shown], color=BLUE, linewidth=0.9)
    over_time.set(xlabel="time (pixels / speed)", ylabel="displacement", xlim=(0, shown * dt))
    over_time.set_title(title, fontsize=10.5)
    top = angular[min(len(angular), 26) - 1] * 1.01
    for i, line in enumerate(angular[angular < top]):
        over_angular.axvline(
            line, color=ORANGE, linewidth=1.0, alpha=0.7, label="modes, from the eigen-solve" * (not i)
        )
    keep = bins < top
    over_angular.semilogy(bins[keep], loud[keep] / loud[keep].max(), color=BLUE, linewidth=0.9, label="heard")
    over_angular.set(xlabel="angular frequency (1 / time)", ylabel="magnitude", ylim=(1e-4, 1.6), xlim=(0, top))
    over_angular.legend(frameon=False, fontsize=8.5, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    for axis in (over_time, over_angular):
        open_axes(axis, 9)
    save_figure(page, path)


def save_modes(path: Path, inside: np.ndarray, shapes: np.ndarray, angular: np.ndarray, title: str) -> None:
    """Draw up to twelve modes (k, y, x), each titled with its number and its frequency over the first."""
    count = min(12, len(shapes))
    columns = min(6, count)
    rows = -(-count // columns)
    height, width = inside.shape
    page = new_figure(1.6 * columns + 0.3, rows * (1.6 * min(1.6, height / width) + 0.3) + 0.5)
    axes = page.subplots(rows, columns, squeeze=False).ravel()
    for i, axis in enumerate(axes):
        axis.set_axis_off()
        if i < count:
            paint(axis, shapes[i], inside, title=f"{i + 1}:  {angular[i] / angular[0]:.3f}")
    page.suptitle(title, fontsize=10.5)
    save_figure(page, path)
