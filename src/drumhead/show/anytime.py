"""Pictures of a time course: accuracy against steps and cost, and how far confidence can be trusted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drumhead.show.figures import legend_below, new_figure, open_axes, save_figure
from drumhead.show.palette import class_colours

INK = class_colours(4)[1:] / 255
NAMES = {"softmax": "largest probability at the end", "settled": "the same label over the time course"}


def save_over_time(path: Path, steps: Sequence[Mapping[str, Any]], early: Sequence[Mapping[str, Any]]) -> None:
    """Draw scores against steps, and against processor time with the answers that stop when sure.

    Args:
        path: PNG to write.
        steps: rows with `steps`, `foreground_accuracy`, `dice` and `cost`.
        early: rows with `confidence`, `foreground_accuracy` and `cost`.
    """
    figure = new_figure(8.4, 3.4)
    left, right = figure.subplots(1, 2, sharey=True)
    for name, colour in (("foreground_accuracy", INK[0]), ("dice", INK[1])):
        scores = [row[name] for row in steps]
        left.plot([row["steps"] for row in steps], scores, "o-", color=colour, ms=3.5, label=name.replace("_", " "))
    left.set_xlabel("steps of the waves", fontsize=9)
    left.locator_params(axis="x", integer=True)
    left.set_ylabel("score", fontsize=9)
    right.plot([row["cost"] for row in steps], [row["foreground_accuracy"] for row in steps], "o", color=INK[0],
               ms=3.5, label="all images stop after so many steps")  # fmt: skip
    right.plot([row["cost"] for row in early], [row["foreground_accuracy"] for row in early], "D", color=INK[2], ms=5,
               label="each image stops when so sure")  # fmt: skip
    for row in _spread(steps):
        right.annotate(str(row["steps"]), (row["cost"], row["foreground_accuracy"]), xytext=(-5, -3), ha="right",
                       textcoords="offset points", fontsize=7.5, color=INK[0])  # fmt: skip
    for row in early[:: max(1, len(early) - 1)]:
        right.annotate(f"{row['confidence']:g}", (row["cost"], row["foreground_accuracy"]), xytext=(4, -11),
                       textcoords="offset points", fontsize=7.5, color=INK[2])  # fmt: skip
    right.set_xlim(left=0)  # what the stem and lower layers cost is not saved
    right.set_xlabel("processor time, share of the whole answer's", fontsize=9)
    for axis in (left, right):
        axis.grid(alpha=0.2)
        open_axes(axis)
    legend_below(figure, [line for axis in (left, right) for line in axis.get_legend_handles_labels()[0]])
    save_figure(figure, path)


def _spread(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows whose scores lie so far apart that a number has room beside each; the last one is among them.

    Example:
        >>> from drumhead.show.anytime import _spread
        >>> [row["foreground_accuracy"] for row in _spread([{"foreground_accuracy": x} for x in (0.1, 0.5, 0.89, 0.9)])]
        [0.9, 0.5, 0.1]
    """
    scores = [row["foreground_accuracy"] for row in steps]
    room, kept = 0.05 * (max(scores) - min(scores)), []
    for row in reversed(steps):
        if all(abs(row["foreground_accuracy"] - other["foreground_accuracy"]) > room for other in kept):
            kept.append(row)
    return kept


def save_confidence(path: Path, found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Draw the calibration curve, and accuracy of the surest pixels, of those that are called an object.

    Args:
        path: PNG to write.
        found: for each kind of confidence what `learn.confidence.Confidence` computes, of "objects".
    """
    figure = new_figure(8.4, 3.6)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.7", lw=1)
    for (kind, where), colour in zip(found.items(), INK, strict=False):
        scores = where["objects"]
        bins, selective = scores["calibration"], scores["selective"]
        label = f"{NAMES[kind]}: error {scores['calibration_error']:.3f}, AUROC {scores['auroc']:.3f}"
        left.plot([bin["confidence"] for bin in bins], [bin["accuracy"] for bin in bins], "o-", color=colour, ms=3.5,
                  label=label)  # fmt: skip
        right.plot([float(share) for share in selective], list(selective.values()), "o-", color=colour, ms=3.5,
                   )  # fmt: skip
    left.set_xlabel("confidence", fontsize=9)
    left.set_ylabel("share of pixels that are right", fontsize=9)
    left.set(xlim=(0, 1.02), ylim=(0, 1.02))
    right.set_xlabel("share of pixels that are answered, the surest first", fontsize=9)
    right.set_ylabel("accuracy on them", fontsize=9)
    for axis in (left, right):
        axis.grid(alpha=0.2)
        open_axes(axis)
    legend_below(figure, left.get_legend_handles_labels()[0])
    save_figure(figure, path, note="pixels called an object")
