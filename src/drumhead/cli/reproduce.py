"""`drumhead reproduce`: repeat the paper's experiments and set its numbers beside ours."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from drumhead.errors import DrumheadError
from drumhead.reproduce.budgets import BUDGETS
from drumhead.reproduce.figures import FIGURES
from drumhead.reproduce.plan import cells
from drumhead.reproduce.tables import get_table


@dataclass(frozen=True)
class Flags:
    """Repeat an experiment of the paper: train what is missing, then write the report.

    Stop it at any time; the same command goes on. Without a table, all of them are listed.
    """

    table: Annotated[str, tyro.conf.Positional] = ""
    """What to reproduce; leave it out for a list."""
    budget: Literal["smoke", "cpu", "paper"] = "smoke"
    """The protocol of training, the same for every model: smoke takes minutes, cpu a night, paper needs a GPU."""
    seeds: int = 0
    """Runs of each model, with seeds 0, 1, ...; 0 takes the budget's number."""
    models: tuple[str, ...] = ()
    """Train only these models; '*' matches anything. By default the budget chooses. A figure measures these
    instead: presets at their initial weights, shipped names, run directories or files."""
    runs: Path = Path("runs/reproduce")
    """Where the run directories are kept."""
    out: Path | None = None
    """Where the report goes; by default reports/TABLE-BUDGET."""
    jobs: int = 1
    """Trainings at a time, each on one thread when there are several."""
    data: str = ""
    """Directory of MNIST's IDX files."""
    train: bool = True
    """Train what is missing; --no-train reports on what there is."""
    report: bool = True
    """Write the report; --no-report only trains."""


def run(arguments: list[str]) -> None:
    """Parse the flags, train, report."""
    flags = tyro.cli(Flags, prog="drumhead reproduce", args=arguments)
    if flags.jobs < 1 or flags.seeds < 0:
        raise DrumheadError(f"jobs={flags.jobs}, seeds={flags.seeds}: at least 1 job is needed, and 0 or more seeds")
    if flags.table in FIGURES:  # measures networks that exist; --budget, --seeds and --jobs are for tables
        out = flags.out or Path("reports") / flags.table
        FIGURES[flags.table].make(flags.models, out, flags.runs, lambda line: print(line, flush=True))
        return
    table, budget = get_table(flags.table), BUDGETS[flags.budget]
    todo = cells(table, budget, flags.seeds or budget.seeds, flags.models, flags.data)
    if flags.train and flags.jobs > 1:
        _share(arguments, flags.jobs)
    elif flags.train:
        from drumhead.learn.progress import Bar
        from drumhead.reproduce.work import fill

        fill(todo, flags.runs, Bar(), lambda line: print(line, flush=True))


def _share(arguments: list[str], jobs: int) -> None:
    """Run the same command several times at once; the processes take cells in turn."""
    import os

    command = [sys.executable, "-m", "drumhead", "reproduce", *arguments, "--jobs", "1", "--no-report"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen(command, env=environment) for _ in range(jobs)]
    try:
        codes = [worker.wait() for worker in workers]
    except BaseException:
        for worker in workers:  # each writes a checkpoint and ends
            worker.terminate()
        for worker in workers:
            worker.wait()
        raise
    if any(codes):
        raise DrumheadError(f"{sum(map(bool, codes))} of {jobs} jobs failed; their messages are above")
