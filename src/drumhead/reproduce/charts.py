"""Pictures of a table's numbers: bars and learning curves. They need the small files only, no weights and no torch."""

from pathlib import Path

import numpy as np

from drumhead.reproduce.pages import Picture
from drumhead.reproduce.results import Line, Results
from drumhead.show.tables import Bar, Curve, Panel, save_bars, save_curves

_SCORES = {
    "foreground IoU": "foreground_iou",
    "foreground accuracy": "foreground_accuracy",
    "accuracy": "accuracy",
}


def charts(results: Results, out: Path, note: str, background: float | None) -> list[Picture]:
    """Write bars.png and curves.png.

    Args:
        results: of a table.
        out: directory of the report.
        note: the protocol in a few words.
        background: accuracy of calling everything background.
    """
    panels = {title: bars for title, score in _SCORES.items() if (bars := _bars(results.lines, score))}
    pictures = []
    if panels:
        save_bars(out / "bars.png", panels, {} if background is None else {"accuracy": background}, note)
        text = (
            "Scores on the test split. Foreground IoU is a function of foreground accuracy and does not see "
            "background painted as an object."
        )
        pictures.append(Picture("bars.png", text))
    curves = [
        _panel(results.lines, "images", "val_foreground_iou", "image passes", "validation foreground IoU"),
        _panel(results.lines, "cpu_seconds", "val_foreground_iou", "CPU seconds", "validation foreground IoU", True),
        _panel(results.lines, "images", "val_loss", "image passes", "validation loss", log_y=True),
    ]
    curves = [panel for panel in curves if panel.curves]
    if curves:
        save_curves(out / "curves.png", curves)
        text = "Learning curves: validation after each epoch, every seed thin and their mean thick."
        pictures.append(Picture("curves.png", text))
    return pictures


def _bars(lines: tuple[Line, ...], score: str) -> list[Bar]:
    bars = []
    for line in lines:
        if summary := line.summary(score):
            seeds = tuple(value for result in line.results if (value := result.score(score)) is not None)
            theirs = getattr(line.paper, score) if line.paper else None
            paper = (theirs.mean, theirs.std) if theirs else None
            bars.append(Bar(line.row.name, seeds, summary.mean, summary.std, paper))
    return bars


def _panel(lines: tuple[Line, ...], x: str, y: str, xlabel: str, ylabel: str, log_x: bool = False,
           log_y: bool = False) -> Panel:  # fmt: skip
    """Return the curves of the networks whose rows have both numbers."""
    curves = []
    for colour, line in enumerate(lines):
        seeds = []
        for result in line.results:
            points = [(row[x], row[y]) for row in result.history if None not in (row.get(x), row.get(y))]
            if points:
                seeds.append(tuple(np.array(points).T))
        if seeds:
            curves.append(Curve(line.row.name, colour, tuple(seeds)))
    return Panel(xlabel, ylabel, tuple(curves), log_x, log_y)
