"""`drumhead reproduce`: repeat the paper's experiments and set its numbers beside ours."""

import re
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from drumhead import tasks
from drumhead.errors import DrumheadError, at_least, choose, none_ignored, options
from drumhead.reproduce.budgets import BUDGETS
from drumhead.reproduce.estimates import MACHINES, cost, passes
from drumhead.reproduce.plan import PlannedRun, planned_runs
from drumhead.reproduce.tables import DISTANCES, TABLES, abbreviate

FIGURE = "receptive-field"  # measures networks that exist; tables train theirs
FRONT = "front"  # trains under two recipes, and measures costs too
DISTANCE = "distance"  # trains those of two tables, and measures them on longer and shorter curves
QUICK = ("nwm-stack", "unet-4")  # what that trains in a budget of minutes, if nobody asks for others


@dataclass(frozen=True)
class Flags:
    """Repeat an experiment of the paper: train what is missing, then write the report.

    Stop it at any time; the same command goes on. Without a table, all of them are listed.
    """

    table: Annotated[str, tyro.conf.Positional] = ""
    """What to reproduce; leave it out for a list."""
    budget: Literal["smoke", "hour", "cpu", "paper"] = "smoke"
    """The protocol of training, the same for every model: smoke takes minutes (front and distance train some of their
    networks then), hour and cpu, a night, are named after what one seed of a table takes on two cores, paper needs a
    GPU."""
    seeds: int = 0
    """Runs of each model, with seeds 0, 1, ..., which alone are reported; 0 trains the budget's number and reports
    every finished seed."""
    models: tuple[str, ...] = ()
    """Train only these models; '*' matches anything. By default the budget chooses. A figure measures these
    instead: presets at their initial weights, shipped names, run directories or files. distance measures shipped
    names, run directories and files beside those it trains, some minutes each whatever the budget."""
    runs: Path = Path("runs/reproduce")
    """Where the run directories are kept."""
    out: Path | None = None
    """Where the report goes; by default reports/TABLE-BUDGET."""
    jobs: int = 1
    """Trainings at a time, each on one thread when there are several."""
    task: str = "tetrominoes"
    """Of the front: the task whose networks it trains; the report shows all that have runs."""
    recipe: str = ""
    """Of the front: train under this recipe alone, such as batch-16 (--budget cpu), long-16 or, of digits, shift-16
    (paper); by default every network is trained under two and counts under its better one."""
    data: str = ""
    """Directory of MNIST's IDX files."""
    train: bool = True
    """Train what is missing; --no-train reports on what there is."""
    report: bool = True
    """Write the report; --no-report only trains."""


def run(arguments: list[str]) -> None:
    """Parse the flags, train, report."""
    flags = tyro.cli(Flags, prog="drumhead reproduce", args=arguments)
    from drumhead.show.place import check_place

    at_least(1, flags.jobs, "--jobs ")
    at_least(0, flags.seeds, "--seeds ")
    given = options(arguments)
    if not flags.table:
        none_ignored(given - {"--seeds", "--runs"}, "the list of tables")
        _list(flags)
        return
    if flags.table == FIGURE:
        none_ignored(given - {"--models", "--runs", "--out"}, f"{FIGURE}, which measures networks that exist,")
        out = flags.out or Path("reports") / FIGURE
        check_place(out)
        from drumhead.probe.receptive import receptive_field

        receptive_field(flags.models, out, runs=flags.runs, say=partial(print, flush=True))
        return
    choose("table", flags.table, [*TABLES, FIGURE, FRONT, DISTANCE])
    if not (flags.train or flags.report):
        raise DrumheadError(
            "--no-train and --no-report together leave nothing to do; drop --no-report to report on what there is, or "
            "--no-train to train"
        )
    none_ignored({"--jobs"} & given if not flags.train else (), "--no-train")
    none_ignored({"--out"} & given if not flags.report else (), "--no-report")
    if not flags.train and not flags.runs.is_dir():
        raise DrumheadError(f"--runs {flags.runs} does not exist; name the directory of the runs to report on")
    if flags.table == FRONT:
        every = f"{FRONT} --no-train, which reports on all that has runs,"
        none_ignored({"--models", "--task", "--recipe"} & given if not flags.train else (), every)
        _front(flags, arguments)
        return
    none_ignored({"--task", "--recipe"} & given, f"{flags.table}, which has its own task and protocol,")
    budget, given_runs = BUDGETS[flags.budget], ()
    names = (flags.table,)
    models = flags.models
    if flags.table == DISTANCE:
        names = DISTANCES
        from drumhead.networks.weights import shipped

        given_runs = tuple(model for model in models if Path(model).exists() or model in shipped())
        models = tuple(model for model in models if model not in given_runs)
    todo, quick = [], flags.table == DISTANCE and budget.name == "smoke" and not given_runs
    if quick and not models:
        models = QUICK
    if models or not given_runs:
        for name in names:
            tasks.get(TABLES[name].task, flags.data or None)  # a directory that it does not take is refused
            todo += planned_runs(TABLES[name], budget, flags.seeds or budget.seeds, models, flags.data)
    out = flags.out or Path("reports") / f"{flags.table}-{budget.name}"
    if flags.report:
        check_place(out)
    if flags.train and todo:
        _fill(todo, flags)
    if not flags.report:
        return
    if flags.table == DISTANCE:
        from drumhead.reproduce.distance import Settings, distance

        settings = Settings(distances=(16, 60, 120), images=20) if quick else Settings()
        distance(todo, flags.runs, given_runs, out, say=partial(print, flush=True), settings=settings)
    else:
        _report(todo, flags.runs, out, shlex.join(["drumhead", "reproduce", *arguments]), not flags.seeds)


def _fill(todo: list[PlannedRun], flags: Flags) -> None:
    """Train what is missing, in this process or by several workers."""
    from drumhead.show.terminal import Bar
    from drumhead.sweep.local import launch

    say = partial(print, flush=True)
    items = [planned.item(flags.runs) for planned in todo]
    try:
        failed = launch(items, flags.jobs, say, Bar(), threads=None if flags.jobs == 1 else 1)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on") from None
    if failed:
        raise DrumheadError(f"{failed} of {len(todo)} runs failed; what ended each is above, and in its failed.txt")


def _front(flags: Flags, arguments: list[str]) -> None:
    """Train a task's networks under both recipes, measure what all cost, and report on every task that has runs."""
    from drumhead.reproduce import front
    from drumhead.show.pages import Grid
    from drumhead.show.place import check_place
    from drumhead.show.terminal import print_table

    todo = front.plan(flags.task, flags.budget, flags.seeds, flags.models, flags.data, flags.recipe)
    tasks.get(flags.task, flags.data or None)
    out = flags.out or Path("reports") / f"front-{flags.budget}"
    if flags.report:
        check_place(out)
    if flags.train:
        _fill(todo, flags)
    if not flags.report:
        return
    plans = {task: front.plan(task, flags.budget, flags.seeds, ("*",), flags.data) for task in front.TASKS}
    entries = {task: found for task, plan in plans.items() if (found := front.better(plan, flags.runs))}
    from drumhead.reproduce.timings import prices

    costs = {}
    for task, found in entries.items():
        print(f"measuring what {len(found)} networks cost on {task}", flush=True)
        costs[task] = prices([entry.line.row for entry in found], task, 3 if flags.budget == "smoke" else 15)
    command = shlex.join(["drumhead", "reproduce", *arguments])
    for task, table in front.write(entries, costs, out, command).items():
        shown = [i for i, name in enumerate(table.columns) if name not in ("min", "recipe", "other recipe")]
        columns = [table.columns[i].replace("foreground", "fg") for i in shown]
        print_table(Grid(columns, [[row[i] for i in shown] for row in table.rows], f"{task}, budget {flags.budget}"))
    print(f"written: {out / 'front.html'}, front.md, front.json and front.png")


def _report(todo: list[PlannedRun], runs: Path, out: Path, command: str, further: bool) -> None:
    """Write the report, of further finished seeds too or not; show its main table and what is missing."""
    from rich.console import Console

    from drumhead.reproduce import report
    from drumhead.reproduce.results import collect
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import print_table

    done = report.write(collect(todo, runs, further), out, command)
    wide = Console().width >= 150  # the file has what a narrow terminal leaves out
    keep = [i for i, name in enumerate(done.table.columns) if wide or not re.search("min /|'s|Welch", name)]
    title = f"{todo[0].table.title} (budget {todo[0].budget.name})"
    columns = [done.table.columns[i].replace("foreground", "fg") for i in keep]
    print_table(Grid(columns, [[row[i] for i in keep] for row in done.table.rows], title))
    for note in done.notes:
        print(f"missing: {note}")
    print(f"written: {out / 'report.html'}, report.md, results.csv, summary.csv and pictures")


def _list(flags: Flags) -> None:
    """Show every table, what it costs under each budget, and what is done."""
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import print_table

    columns, rows = ("table", "budget", "runs", "images a run", "CPU hours", "done"), []
    finished: dict[str, dict[str, set[int]]] = {}
    unknown: dict[str, None] = {}
    for table in TABLES.values():
        for i, budget in enumerate(BUDGETS.values()):
            todo = planned_runs(table, budget, flags.seeds or budget.seeds, (), flags.data)
            done, price = [planned for planned in todo if planned.item(flags.runs).done], cost(todo)
            unknown |= dict.fromkeys(price.unknown)
            networks = len({planned.row.name for planned in todo})
            words = (f"{networks} x {len(todo) // networks}", f"{passes(todo[0]):,}", str(price))
            rows.append(("" if i else table.name, budget.name, *words, f"{len(done)} of {len(todo)}"))
            for planned in done:
                place = finished.setdefault(f"{budget.name}/{table.task}", {})
                place.setdefault(planned.row.name, set()).add(planned.seed)
    print_table(Grid(columns, rows, "drumhead reproduce TABLE --budget BUDGET"), left=2)
    for table in TABLES.values():
        title = table.title.partition(": ")[2] or table.title
        print(f"{table.name}: {title}.\n    {abbreviate(row.name for row in table.rows)}")
    print(
        f"{FIGURE}, a figure: How far from a pixel the image still matters: effective receptive fields over time, and "
        "light cones; half a minute a model on one core"
    )
    print(
        f"{FRONT}: accuracy against measured cost of stacks, of the frame without waves and of the U-Net, each under "
        "its better recipe; --task TASK --budget smoke (three of them), cpu (80,000 passes; of a network, recipe and "
        "seed 4 to 45 minutes on one core) or paper (320,000)"
    )
    print(
        f"{DISTANCE}: networks that learned curves of one length, those of {' and '.join(DISTANCES)}, on shorter and "
        "longer ones; --models RUN measures further runs"
    )
    for budget in BUDGETS.values():
        print(f"budget {budget.name}: {budget.text}")
    print(
        f"runs: networks x seeds. CPU hours: of one core, from measured times of a training image, {MACHINES}. "
        "paper takes the loss at all pixels, which costs more, and is meant for a GPU. 'over' leaves out what was not "
        "measured: " + abbreviate(unknown)
    )
    for place, rows in finished.items():
        seeds = ", ".join(f"{name} ({' '.join(map(str, sorted(seeds)))})" for name, seeds in rows.items())
        print(f"done in {flags.runs / place}, with seeds: {seeds}")
