"""What the runs of a table have come to, from their small files: scores, costs, what is missing. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from drumhead.errors import DrumheadError
from drumhead.learn.scores import RESULT
from drumhead.reproduce.paper import Published, Score, background_accuracy, published
from drumhead.reproduce.plan import PlannedRun
from drumhead.reproduce.tables import Row
from drumhead.settings.text import read_run
from drumhead.sweep.finished import Finished, read_run_of, why_not
from drumhead.sweep.finished import Summary as Summary
from drumhead.sweep.finished import summarise as summarise
from drumhead.sweep.items import same_settings

COLLAPSED = 0.01  # foreground accuracy on the test split below which a seed counts as background only


@dataclass(frozen=True)
class Result:
    """A finished run of a table."""

    planned: PlannedRun
    run: Finished

    def score(self, name: str) -> float | None:
        """Return a test score; None where it is undefined or was not measured."""
        return self.run.test.get(name)

    def spent(self, name: str) -> float | None:
        """Return the whole of a running total of metrics.jsonl: images, seconds or cpu_seconds."""
        return self.run.history[-1].get(name)

    @property
    def on_gpu(self) -> bool:
        """Whether its training had a GPU."""
        return bool(self.run.environment.get("gpu"))

    @property
    def collapsed(self) -> bool:
        """Whether it calls everything background."""
        known = self.score("foreground_accuracy")
        return known is not None and known < COLLAPSED


@dataclass(frozen=True)
class Missing:
    """A planned run without a result in the report."""

    planned: PlannedRun
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
    missing: tuple[Missing, ...]  # runs that were wanted and have no result, and finished ones that were left out
    untouched: tuple[Row, ...]  # networks of the table that were not asked for and have no finished run

    @property
    def all(self) -> list[Result]:
        """Every finished run."""
        return [result for line in self.lines for result in line.results]


def collect(wanted: Sequence[PlannedRun], root: Path, further: bool = True) -> Results:
    """Read the runs of one table, and what else of the table is finished.

    Args:
        wanted: as `plan.planned_runs` returns them, at least one.
        root: directory of all runs.
        further: report every finished seed; otherwise those of `wanted` alone, of whatever network, and the other ones
            are among the missing.
    """
    table, seeds = wanted[0].table, {planned.seed for planned in wanted}
    known = {(planned.row.name, planned.seed): planned for planned in wanted}
    for row in table.rows:
        for place in sorted(replace(wanted[0], row=row).place(root).parent.glob("seed-*")):
            seed = place.name.removeprefix("seed-")
            if seed.isdecimal() and (beside := replace(wanted[0], row=row, seed=int(seed))).item(root).done:
                known.setdefault((row.name, beside.seed), beside)
    found = {
        key: _read(planned, root)
        if further or planned.seed in seeds
        else Missing(planned, "finished, left out by --seeds")
        for key, planned in known.items()
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


def background_only(planned: PlannedRun) -> float | None:
    """Return the accuracy of calling every pixel of the measured test images background.

    It is published for the whole test split of the paper's tasks and otherwise counted in the masks; None where
    MNIST is needed and not at hand.
    """
    known = None if planned.budget.test_images else background_accuracy(planned.table.task)
    if known is not None:
        return known
    from drumhead import tasks

    try:
        masks = tasks.get(planned.table.task, planned.data or None).arrays("test")[1]
    except DrumheadError:
        return None
    return float((masks[: planned.budget.test_images or None] == 0).mean())


def _read(planned: PlannedRun, root: Path) -> Result | Missing:
    """Read a run, or say why it has no result."""
    item = planned.item(root)
    if not (item.place / "config.toml").exists():
        return Missing(planned, "not begun")
    config = read_run(item.place / "config.toml")
    if not same_settings(config, item.config):
        return Missing(planned, f"trained with other settings, left out (in {item.place.parent})")
    if not item.done:
        return Missing(planned, why_not(item.place, config))
    run = read_run_of(item.place, config)
    scores = [run.test.get(key) for key in ("foreground_accuracy", "foreground_iou", "parameters")]
    if not all(isinstance(score, int | float) for score in scores):
        raise DrumheadError(f"{item.place / RESULT} is damaged: it lacks scores; move {item.place} away to train anew")
    return Result(planned, run)
