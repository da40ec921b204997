"""Pictures of what drums tell: areas of squares, counts of modes, and pairs side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drumhead.show.drums import BLUE, GREEN, ORANGE, RED, paint
from drumhead.show.figures import new_figure, open_axes, save_figure


def save_areas(path: Path, sides: Sequence[int], heard: Sequence[np.ndarray], low: Sequence[np.ndarray],
               high: Sequence[np.ndarray], plain: Sequence[np.ndarray]) -> None:  # fmt: skip
    """Draw the area that every pixel of squares hears against the true one, and the error beside the bin.

    Args:
        path: PNG to write.
        sides: L of each square.
        heard: area at each of its pixels.
        low: smallest area in the bin.
        high: largest area in the bin.
        plain: area by the formula alone.
    """
    page = new_figure(9, 3.8)
    left, right = page.subplots(1, 2)
    true = np.array(sides, float) ** 2
    left.plot(true, true, color="0.6", linewidth=1, label="true = heard")
    for i, (area, values) in enumerate(zip(true, heard, strict=True)):
        flat = values.ravel()
        left.plot(np.full(flat.size, area), flat, ".", color=BLUE, markersize=7, label="each pixel" * (not i))
    left.set(xscale="log", yscale="log", xlabel="true area (pixels squared)", ylabel="area heard (pixels squared)")
    right.axhline(0, color="0.6", linewidth=1)
    band = [100 * (np.array([limit.ravel()[0] for limit in side]) / true - 1) for side in (low, high)]
    middle = 100 * (np.array([values.ravel()[0] for values in heard]) / true - 1)
    right.errorbar(sides, middle, yerr=[middle - band[0], band[1] - middle], fmt="none", ecolor=BLUE, elinewidth=1,
                   capsize=3, label="the bin's uncertainty")  # fmt: skip
    for i, (side, area, values, bare) in enumerate(zip(sides, true, heard, plain, strict=True)):
        error = 100 * (np.unique(np.round(values, 9)) / area - 1)
        right.plot([side] * len(error), error, "o", color=BLUE, markersize=5, label="every pixel" * (not i))
        error = 100 * (np.unique(np.round(bare, 9)) / area - 1)
        right.plot([side] * len(error), error, "x", color=ORANGE, markersize=6, markeredgewidth=1.6,
                   label="the same, grid and steps ignored" * (not i))  # fmt: skip
    right.set(xlabel="side of the square (pixels)", ylabel="error of the area (%)")
    right.set_ylim(right.get_ylim()[0], right.get_ylim()[1] + 0.45 * np.ptp(right.get_ylim()))  # for the legend
    for axis, place in ((left, "upper left"), (right, "upper right")):
        axis.legend(frameon=False, fontsize=8.5, loc=place)
        open_axes(axis)
    left.set_title("area of squares, heard at every pixel", fontsize=10.5)
    right.set_title("error", fontsize=10.5)
    save_figure(page, path)


def save_weyl(path: Path, values: np.ndarray, law: np.ndarray, plain: np.ndarray, name: str,
              rows: Sequence[dict[str, Any]]) -> None:  # fmt: skip
    """Draw the count of modes with Weyl's law, and what was heard of several drums.

    Args:
        path: PNG to write.
        values: lambda of the modes (k,), ascending.
        law: N by the grid's law with the drum's own area and perimeter, at each.
        plain: N by the plain law with the same.
        name: of the drum.
        rows: for each drum `name`, and errors in % under `area_error`, `perimeter_error` and the same with
            `_counted`.
    """
    page = new_figure(9.4, 1.8 + 0.34 * max(7, len(rows)))
    left, right = page.subplots(1, 2, width_ratios=(1.1, 1))
    left.step(values, np.arange(1, len(values) + 1), where="post", color=BLUE, linewidth=1.2, label="modes counted")
    left.plot(values, law, color=ORANGE, linewidth=1.4, label="the grid's law, true area and rim")
    left.plot(values, plain, "--", color="0.45", linewidth=1.2, label="Weyl's law, the same")
    left.set(xlabel="λ (1 / pixel squared)", ylabel="modes below λ", xlim=(0, values[-1]), ylim=(0, None))
    left.set_title(f"counting the modes of {name}", fontsize=10.5)
    left.legend(frameon=False, fontsize=8.5, loc="upper left")
    right.axvline(0, color="0.6", linewidth=1)
    places = np.arange(len(rows))
    for label, mark, colour in (("area", "o", BLUE), ("perimeter", "s", ORANGE)):
        right.plot([row[f"{label}_error"] for row in rows], places, mark, color=colour, markersize=6, label=label)
        right.plot([row[f"{label}_error_counted"] for row in rows], places, mark, color=colour, markersize=7,
                   markerfacecolor="none", label=f"{label}, from counts alone")  # fmt: skip
    right.set_yticks(range(len(rows)), [row["name"] for row in rows])
    right.set(xlabel="error of what was heard (%)", ylim=(len(rows) - 0.5, -0.5))
    right.legend(frameon=False, fontsize=8.5, loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=2)
    right.set_title("area and perimeter heard", fontsize=10.5)
    for axis in (left, right):
        open_axes(axis)
    save_figure(page, path)


def save_pair(path: Path, drums: Sequence[dict[str, Any]], aligned: tuple[Sequence[float], Sequence[float]],
              turned: Mapping[str, tuple[Sequence[float], Sequence[float]]], control: float) -> None:  # fmt: skip
    """Draw two pairs of drums, the isospectral one first, with their spectra, and how far the spectra differ.

    Args:
        path: PNG to write.
        drums: four, two a pair, each with `name`, `inside` (y, x), `mode` (y, x) and `omega` (k,).
        aligned: pixels a unit, and largest relative difference, for the pair on the lines of the grid.
        turned: the same for the pair turned, by label.
        control: largest relative difference of the second pair.
    """
    page = new_figure(10, 6.6)
    left, right = page.subfigures(1, 2, squeeze=False)[0]
    for axis, drum in zip(left.subplots(2, 2).flat, drums, strict=True):
        axis.spines[:].set_visible(False)
        paint(axis, drum["mode"], drum["inside"], title=f"{drum['name']}, its fifth mode")
    *upper, lowest = right.subplots(3, 1, height_ratios=(1, 1, 1.7))
    titles = ("the isospectral pair: the same pitches", "same area, perimeter and corners: other pitches")
    for axis, pair, title in zip(upper, (drums[:2], drums[2:]), titles, strict=True):
        for drum, low, colour in zip(pair, (1.05, 0.0), (BLUE, ORANGE), strict=True):
            axis.vlines(drum["omega"][:30], low, low + 0.95, color=colour, linewidth=1.2)
        axis.set_yticks([1.5, 0.5], [drum["name"] for drum in pair], fontsize=8.5)
        axis.set_title(title, fontsize=9.5)
        axis.set_xlabel("angular frequency of the lowest 30 modes", fontsize=8.5)
        axis.tick_params(labelsize=8.5, left=False)
        axis.spines[["top", "right", "left"]].set_visible(False)
    lowest.axhline(control, color=RED, linewidth=1.2, linestyle="--", label="the two Ls")
    for (label, (units, largest)), mark in zip(turned.items(), "os^v", strict=False):
        lowest.plot(units, largest, mark + "-", color=ORANGE, markersize=5, linewidth=1, label=label)
    lowest.plot(*aligned, "D-", color=GREEN, markersize=5, linewidth=1, label="isospectral, on the grid's lines")
    ticks = sorted({*aligned[0], *(unit for units, _ in turned.values() for unit in units)})
    lowest.set(xscale="log", yscale="log", ylim=(1e-16, 40))
    lowest.set_xticks(ticks, [str(tick) for tick in ticks])
    lowest.set_xticks([], minor=True)
    lowest.set_yticks([1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1])
    lowest.set_xlabel("resolution (pixels along the side of a half-square)", fontsize=8.5)
    lowest.set_title("largest relative difference of the lowest modes", fontsize=9.5)
    lowest.legend(frameon=False, fontsize=8.5, loc="center right", bbox_to_anchor=(1, 0.42))
    open_axes(lowest)
    save_figure(page, path)
