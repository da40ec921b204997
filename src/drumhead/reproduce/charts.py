"""Pictures of a table's numbers: bars and learning curves. They need the small files only, no weights and no torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from drumhead.learn.scores import SCORES
from drumhead.reproduce.estimates import core_seconds
from drumhead.reproduce.results import Line, Result, Results
from drumhead.show.charts import Bar, Curve, Panel, colour_numbers, save_bars, save_curves
from drumhead.show.pages import Picture


def bars(results: Results, out: Path, note: str, background: float | None) -> list[Picture]:
    """Write bars.png, unless no run has a score; `note` is the protocol, `background` the accuracy of nothing found."""
    scores = ("foreground_iou", "foreground_accuracy", "accuracy")
    panels = {SCORES[score]: bars for score in scores if (bars := _bars(results.lines, score))}
    if not panels:
        return []
    save_bars(out / "bars.png", panels, {} if background is None else {"accuracy": background}, note)
    text = (
        "Scores on the test split. Foreground IoU is a function of foreground accuracy and does not see "
        "background painted as an object."
    )
    return [Picture("bars.png", text)]


def curves(results: Results, out: Path) -> list[Picture]:
    """Write curves.png, unless no run has a history."""
    time = "CPU seconds" if not any(result.on_gpu for result in results.all) else "seconds of one core"
    iou = ("val_foreground_iou", "validation foreground IoU")
    panels = [
        _panel(results.lines, _passes, iou, "image passes"),
        _panel(results.lines, core_seconds, iou, time, log_x=True),
        _panel(results.lines, _passes, ("val_loss", "validation loss"), "image passes", log_y=True),
    ]
    panels = [panel for panel in panels if panel.curves]
    if not panels:
        return []
    save_curves(out / "curves.png", panels)
    text = "Learning curves: validation after each epoch, every seed thin and their mean thick."
    return [Picture("curves.png", text)]


def _bars(lines: tuple[Line, ...], score: str) -> list[Bar]:
    bars = []
    for line in lines:
        if summary := line.summary(score):
            seeds = tuple(value for result in line.results if (value := result.score(score)) is not None)
            theirs = getattr(line.paper, score) if line.paper else None
            paper = (theirs.mean, theirs.std) if theirs else None
            bars.append(Bar(line.row.name, seeds, summary.mean, summary.std, paper))
    return bars


def _passes(_: Result, row: dict[str, Any]) -> float | None:
    return row.get("images")


def _panel(lines: tuple[Line, ...], cost: Callable[[Result, dict[str, Any]], float | None], y: tuple[str, str],
           xlabel: str, log_x: bool = False, log_y: bool = False) -> Panel:  # fmt: skip
    """Return the curves of a number, by name and label, against what each network had cost by then."""
    curves = []
    colours = colour_numbers([line.row.name for line in lines])
    for line in lines:
        seeds = []
        for result in line.results:
            points = [(cost(result, row), row.get(y[0])) for row in result.run.history]
            points = [point for point in points if None not in point]
            if points:
                seeds.append(tuple(np.array(points).T))
        if seeds:
            curves.append(Curve(line.row.name, colours[line.row.name], tuple(seeds)))
    return Panel(xlabel, y[1], tuple(curves), log_x, log_y)
