"""Planned runs: one network of a table, trained once. What there is to train, and where it is kept. Imports no torch.

Each has a run directory of its own, so that any number of processes can fill a table together, and the same
network is trained once however many tables show it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from drumhead.errors import at_least
from drumhead.reproduce.budgets import Budget
from drumhead.reproduce.tables import Row, Table
from drumhead.settings.config import RunConfig
from drumhead.sweep.items import Item


@dataclass(frozen=True)
class PlannedRun:
    """One network of a table, trained once."""

    table: Table
    row: Row
    budget: Budget
    seed: int  # of the initial weights and of the order of images
    data: str = ""  # directory of MNIST's IDX files; empty searches the usual places

    @property
    def config(self) -> RunConfig:
        """All settings, as `drumhead train` takes them."""
        task = self.table.task
        train = replace(self.budget.train, seed=self.seed)
        return RunConfig(f"{task}/{self.row.preset}", task, self.data, self.row.model(task), train)

    def place(self, root: Path) -> Path:
        """Return the run directory."""
        return root / self.budget.name / self.table.task / self.row.name / f"seed-{self.seed}"

    def item(self, root: Path) -> Item:
        """Return what a launcher takes."""
        return Item(self.config, self.place(root), str(self), self.budget.test_images)

    def __str__(self) -> str:
        return f"{self.table.task}/{self.row.name}, budget {self.budget.name}, seed {self.seed}"


def planned_runs(
    table: Table, budget: Budget, seeds: int, patterns: Iterable[str] = (), data: str = ""
) -> list[PlannedRun]:
    """Return what a table has to train, the first seed of all networks before the second of any.

    Args:
        table: which networks there are.
        budget: how each is trained.
        seeds: runs of each network, with seeds 0, 1, ...
        patterns: names to choose, `*` matches anything; without any, the budget chooses.
        data: directory of MNIST's IDX files.
    """
    at_least(1, seeds, "seeds=")
    rows = table.choose(budget, tuple(patterns))
    return [PlannedRun(table, row, budget, seed, data) for seed in range(seeds) for row in rows]
