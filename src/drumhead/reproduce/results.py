"""What the cells of a table have come to, from their small files: scores, costs, what is missing. Imports no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drumhead.errors import DrumheadError
from drumhead.files import without_nan
from drumhead.learn.scores import RESULT
from drumhead.reproduce.paper import Published, Score, background_accuracy, published
from drumhead.reproduce.plan import Cell
from drumhead.reproduce.tables import Row
from drumhead.settings.text import read_run
from drumhead.sweep.scores import Summary as Summary
from drumhead.sweep.scores import summarise as summarise

COLLAPSED = 0.01  # foreground accuracy on the test split below which a seed counts as background only


@dataclass(frozen=True)
class Result:
    """A finished cell."""

    cell: Cell
    path: Path  # its run directory
    test: dict[str, Any]  # evaluation-test.json: scores, parameters, environment
    history: list[dict[str, Any]]  # metrics.jsonl, one row an epoch
    environment: dict[str, Any]  # environment.json: versions, commit and machine of the training

    def score(self, name: str) -> float | None:
        """Return a test score; None where it is undefined or was not measured."""
        return self.test.get(name)

    def spent(self, name: str) -> float | None:
        """Return the whole of a running total of metrics.jsonl: images, seconds or cpu_seconds."""
        return self.history[-1].get(name) if self.history else None

    @property
    def on_gpu(self) -> bool:
        """Whether its training had a GPU."""
        return bool(self.environment.get("gpu"))

    @property
    def collapsed(self) -> bool:
        """Whether it calls everything background."""
        known = self.score("foreground_accuracy")
        return known is not None and known < COLLAPSED


@dataclass(frozen=True)
class Missing:
    """A cell without a result in the report."""

    cell: Cell
    why: str  # how far it came, or why it is left out, as it may follow "seeds 1 to 3"


@dataclass(frozen=True)
class Welch:
    """Welch's test of two means with unequal variances."""

    t: float
    p: float


@dataclass(frozen=True)
class Line:
    """The finished seeds of one network."""

    row: Row
    results: tuple[Result, ...]  # one a seed, by seed
    paper: Published | None  # what the paper reports of it, if anything

    def summary(self, score: str) -> Summary | None:
        """Summarise a test score over seeds; None if no seed has it."""
        return summarise(result.score(score) for result in self.results)

    def spent(self, name: str) -> Summary | None:
        """Summarise images, seconds or cpu_seconds over seeds."""
        return summarise(result.spent(name) for result in self.results)

    @property
    def collapsed(self) -> int:
        """Seeds that call everything background."""
        return sum(result.collapsed for result in self.results)

    @property
    def welch(self) -> Welch | None:
        """Our foreground IoU against the paper's."""
        ours = self.summary("foreground_iou")
        return welch(ours, self.paper.foreground_iou, self.paper.seeds) if ours and self.paper else None


@dataclass(frozen=True)
class Results:
    """What a table has come to."""

    lines: tuple[Line, ...]  # networks with at least one finished seed, in the order of the table
    missing: tuple[Missing, ...]  # cells that were wanted and have no result, and finished ones that were left out
    untouched: tuple[Row, ...]  # networks of the table that were not asked for and have no finished run

    @property
    def all(self) -> list[Result]:
        """Every finished cell."""
        return [result for line in self.lines for result in line.results]


def collect(wanted: Sequence[Cell], root: Path, further: bool = True) -> Results:
    """Read the cells of one table, and what else of the table is finished.

    Args:
        wanted: as `plan.cells` returns them, at least one.
        root: directory of all runs.
        further: report every finished seed; otherwise those of `wanted` alone, of whatever network, and the other ones
            are among the missing.
    """
    table, seeds = wanted[0].table, {cell.seed for cell in wanted}
    cells = {(cell.row.name, cell.seed): cell for cell in wanted}
    for row in table.rows:
        for place in sorted(replace(wanted[0], row=row).place(root).parent.glob("seed-*")):
            seed = place.name.removeprefix("seed-")
            if seed.isdecimal() and (beside := replace(wanted[0], row=row, seed=int(seed))).done(root):
                cells.setdefault((row.name, beside.seed), beside)
    found = {
        key: _read(cell, root) if further or cell.seed in seeds else Missing(cell, "finished, left out by --seeds")
        for key, cell in cells.items()
    }
    lines = []
    for row in table.rows:
        own = [item for (name, _), item in sorted(found.items()) if name == row.name and isinstance(item, Result)]
        if own:
            lines.append(Line(row, tuple(own), published(table.task, row.name)))
    touched = {name for name, _ in found}
    untouched = tuple(row for row in table.rows if row.name not in touched)
    return Results(tuple(lines), tuple(item for item in found.values() if isinstance(item, Missing)), untouched)


def welch(ours: Summary, theirs: Score, seeds: int) -> Welch | None:
    """Test whether two means differ, from means and standard deviations alone; None with fewer than two seeds.

    Args:
        ours: over our seeds.
        theirs: over theirs.
        seeds: how many those are.
    """
    if ours.std is None or theirs.std is None or seeds < 2 or ours.std == theirs.std == 0:
        return None
    from scipy.stats import ttest_ind_from_stats

    test = ttest_ind_from_stats(ours.mean, ours.std, ours.n, theirs.mean, theirs.std, seeds, equal_var=False)
    return Welch(float(test.statistic), float(test.pvalue))


def background_only(cell: Cell) -> float | None:
    """Return the accuracy of calling every pixel of the measured test images background.

    It is published for the whole test split of the paper's tasks and otherwise counted in the masks; None where
    MNIST is needed and not at hand.
    """
    known = None if cell.budget.test_images else background_accuracy(cell.table.task)
    if known is not None:
        return known
    from drumhead import tasks

    try:
        masks = tasks.get(cell.table.task, cell.data or None).arrays("test")[1]
    except DrumheadError:
        return None
    return float((masks[: cell.budget.test_images or None] == 0).mean())


def _read(cell: Cell, root: Path) -> Result | Missing:
    """Read a cell, or say why it has no result."""
    path = cell.place(root)
    if not (path / "config.toml").exists():
        return Missing(cell, "not begun")
    if replace(read_run(path / "config.toml"), data="") != replace(cell.config, data=""):  # wherever the data lay
        return Missing(cell, f"trained with other settings, left out (in {path.parent})")
    history = [_json(line, path / "metrics.jsonl") for line in _text(path / "metrics.jsonl").splitlines()]
    if not cell.done(root):
        done, epochs = len(history), cell.budget.train.epochs
        return Missing(cell, f"at {done} of {epochs} epochs" if done < epochs else "trained, not measured")
    test = _json(_text(path / RESULT), path / RESULT)
    scores = [test.get(key) for key in ("foreground_accuracy", "foreground_iou", "parameters")]
    if not history or not all(isinstance(score, int | float) for score in scores):
        raise DrumheadError(f"{path} is damaged: its scores or metrics.jsonl are not whole; move it away to train anew")
    about = path / "environment.json"
    return Result(cell, path, without_nan(test), history, _json(_text(about) or "{}", about))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("an object in braces is needed")
        return found
    except ValueError as error:
        raise DrumheadError(f"{path} is damaged ({error}); mend it, or delete its directory to train anew") from None
