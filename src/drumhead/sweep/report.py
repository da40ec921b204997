"""The report on a directory of runs: a table for each task, whether combinations differ by more than seeds, curves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.files import report_folder, write_atomic
from drumhead.learn.scores import SCORES
from drumhead.show.charts import Curve, Panel, save_curves
from drumhead.show.pages import Block, Grid, Heading, Items, Picture, Text, csv_text, markdown, webpage
from drumhead.sweep.finished import Gathered, Group, summarise
from drumhead.sweep.plan import short
from drumhead.sweep.significance import MOST, Compared, against_best

SHOWN = ("foreground_accuracy", "foreground_iou", "dice", "loss")
LOWER = {"loss"}  # scores of which less is better
NONE = "-"
MOST_CURVES = 40  # more cannot be told apart


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        tables: one for each task, the best combination first.
        notes: what is unfinished, and what the tests cannot say.
    """

    tables: tuple[Grid, ...]
    notes: tuple[str, ...]


def write(gathered: Gathered, out: Path, source: str, command: str, score: str = "foreground_accuracy") -> Report:
    """Write report.md, report.html, results.csv and curves.png.

    Args:
        gathered: from `finished.gather`.
        out: directory of the report; it is made if it does not exist.
        source: what was read, for people.
        command: what the user typed.
        score: by which combinations are ordered and tested; a key of `learn.scores.SCORES`.
    """
    tasks = dict.fromkeys(group.task for group in gathered.groups)
    blocks: list[Block] = [Heading(f"Runs in {source}", 1), Text(f"Made by `{command}`.")]
    tables, notes = [], []
    with report_folder(out) as folder:
        for task in tasks:
            groups = [group for group in gathered.groups if group.task == task]
            table, said = _of_task(task, groups, score)
            tables.append(table)
            notes += said
            blocks += [table, *map(Text, said)]
        blocks += [Text(_HOW), *_curves(gathered.groups, folder)]
        blocks.append(Heading("What is not finished"))
        blocks.append(Items(gathered.unfinished) if gathered.unfinished else Text("Nothing."))
        blocks += [Heading("Every run"), _every(gathered.groups)]
        write_atomic(folder / "results.csv", _csv(gathered.groups))
        write_atomic(folder / "report.md", markdown(blocks))
        write_atomic(folder / "report.html", webpage(blocks, folder))
    return Report(tuple(tables), (*notes, *(f"not finished: {text}" for text in gathered.unfinished)))


_HOW = (
    "Mean over seeds and, in brackets, the least and the largest. Each combination is compared with its task's best: "
    "*p* is of an exact two-sided permutation test of the means, seed by seed where both have the same seeds (paired), "
    f"or, where it says so, of {MOST:,} arrangements drawn from more, the same ones each time; *p, Holm* is corrected "
    "for all combinations that were compared. The best combination was chosen by these same scores, which flatters it."
)


def _of_task(task: str, groups: Sequence[Group], score: str) -> tuple[Grid, list[str]]:
    """Return the table of a task, the best combination first, and what has to be said of its tests."""
    if not any(group.values(score) for group in groups):
        raise DrumheadError(f"no run of {task} has the score {score}; choose another --score")
    best, compared = against_best([group.values(score) for group in groups], score in LOWER)
    sign = -1 if score in LOWER else 1

    def rank(i: int) -> float:
        values = groups[i].values(score).values()
        return -sign * float(np.mean([*values])) if values else np.inf

    names = list(dict.fromkeys(name for group in groups for name in group.settings))
    shown = [key for key in dict.fromkeys((score, *SHOWN)) if any(group.values(key) for group in groups)]
    columns = ("network", *(name.partition(".")[2] for name in names), "seeds", *(SCORES[key] for key in shown),
               "less the best", "p", "p, Holm")  # fmt: skip
    rows = []
    for i in sorted(range(len(groups)), key=rank):
        group, test = groups[i], compared[i]
        settings = [short(group.settings[name]) if name in group.settings else "" for name in names]
        tested = ("best", "", "") if i == best else _tested(test)
        scores = [_spread(group, key) for key in shown]
        network = group.preset.partition("/")[2]
        rows.append((network, *settings, str(len(group.runs)), *scores, *tested))
    return Grid(columns, rows, f"{task}, by {SCORES[score]} on the test split"), list(_cautions(groups, compared))


def _tested(test: Compared | None) -> tuple[str, str, str]:
    if test is None:
        return NONE, NONE, NONE
    if test.p is None or test.holm is None:
        return f"{test.difference:+.4f}", NONE, NONE
    how = ", ".join(word for word, said in (("unpaired", not test.paired), ("drawn", test.drawn)) if said)
    return f"{test.difference:+.4f}", f"{test.p:.2g}{f' ({how})' if how else ''}", f"{test.holm:.2g}"


def _cautions(groups: Sequence[Group], compared: Sequence[Compared | None]) -> Iterator[str]:
    """Say what so few seeds cannot show, and which runs were not measured alike."""
    tests = [test for test in compared if test is not None]
    seeds = sorted({(test.seeds, test.paired, test.least) for test in tests if test.p is not None})
    for count, paired, least in seeds:
        if least > 0.05:
            how = "" if paired else ", which the best combination does not have,"
            yield f"With {count} seeds{how} no test can be below {least:.2g}."
    if any(test.p is None for test in tests):
        yield "With one seed there is no test: nothing says how much of a difference is the seed's."
    strongest = min((test.least for test in tests if test.p is not None), default=1.0)
    if strongest <= 0.05 < min(1.0, len(tests) * strongest):
        yield f"Corrected for {len(tests)} combinations no test can be below {len(tests) * strongest:.2g}."
    measured = sorted({run.test.get("images") or 0 for group in groups for run in group.runs})
    if len(measured) > 1:
        yield f"Not all runs were measured on as many test images: {', '.join(map(str, measured))}."
    passes = {run.history[-1].get("images") for group in groups for run in group.runs if run.history}
    if len(passes) > 1:
        yield "Not all runs saw as many training images; the curves show what each had seen."


def _spread(group: Group, key: str) -> str:
    found = summarise(group.values(key).values())
    if found is None:
        return NONE
    return f"{found.mean:.4f}" + (f" ({found.low:.4f}-{found.high:.4f})" if found.n > 1 else "")


def _curves(groups: Sequence[Group], folder: Path) -> list[Block]:
    """Draw validation against images seen, two panels for each task."""
    panels = []
    for task in dict.fromkeys(group.task for group in groups):
        own = [(i, group) for i, group in enumerate(groups[:MOST_CURVES]) if group.task == task]
        for key, name in (("val_foreground_accuracy", "foreground accuracy"), ("val_loss", "loss")):
            curves = [
                Curve(f"{task}: {group.label}", i, seeds) for i, group in own if (seeds := tuple(_points(group, key)))
            ]
            if curves:
                log = key == "val_loss" and all((y > 0).all() for curve in curves for _, y in curve.seeds)
                panels.append(Panel("images seen", f"validation {name}", tuple(curves), log_y=log, title=task))
    if not panels:
        return []
    save_curves(folder / "curves.png", panels)
    left = (
        f" Only the first {MOST_CURVES} of {len(groups)} combinations are drawn." if len(groups) > MOST_CURVES else ""
    )
    text = f"Learning curves: validation after each epoch, every seed thin and their mean thick.{left}"
    return [Picture("curves.png", text)]


def _points(group: Group, key: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for run in group.runs:
        points = [(row.get("images"), row.get(key)) for row in run.history]
        points = [point for point in points if None not in point]
        if points:
            x, y = np.array(points, float).T
            yield x, y


def _every(groups: Sequence[Group]) -> Grid:
    rows = [
        (f"`{run.place}`", group.label, str(run.seed), *(_number(run.test.get(key)) for key in SHOWN),
         _number(run.history[-1].get("seconds"), 0) if run.history else NONE)
        for group in groups for run in group.runs
    ]  # fmt: skip
    return Grid(("run", "combination", "seed", *(SCORES[key] for key in SHOWN), "seconds"), rows)


def _number(value: Any, digits: int = 4) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else NONE


def _csv(groups: Sequence[Group]) -> str:
    names = list(dict.fromkeys(name for group in groups for name in group.settings))
    rows = [
        (run.place, group.task, group.preset, *(short(group.settings.get(name, "")) for name in names), run.seed,
         *(run.test.get(key) for key in SCORES), run.test.get("parameters"),
         *((run.history[-1] if run.history else {}).get(key) for key in ("images", "seconds", "cpu_seconds")))
        for group in groups for run in group.runs
    ]  # fmt: skip
    return csv_text(
        ("run", "task", "preset", *names, "seed", *SCORES, "parameters", "images", "seconds", "cpu_seconds"), rows
    )
