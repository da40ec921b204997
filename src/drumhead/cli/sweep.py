"""`drumhead sweep`: make a grid of settings into runs, and have a launcher fill them."""

import sys
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from drumhead import tasks
from drumhead.errors import DrumheadError, at_least, none_ignored, options

if TYPE_CHECKING:
    from drumhead.sweep.items import Item
    from drumhead.sweep.plan import Sweep
    from drumhead.sweep.slurm import Wishes

GRID = {"--grid", "--set", "--seeds", "--data"}
SLURM = {"--partition", "--minutes", "--cpus", "--gpus", "--sbatch", "--wait", "--no-wait"}
NEXT = "the same command goes on"


@dataclass(frozen=True)
class Flags:
    """Train and measure every combination of some settings: what is done is skipped, what was begun goes on.

    Stop it at any time; the same command goes on.
    """

    what: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Presets, TASK/NETWORK, as 'drumhead train --list' shows them; or the directory of a sweep, to go on with it; or a
    TOML file like the sweep.toml in such a directory."""
    grid: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """Settings and their values, as train.lr=1e-3,3e-3 or model.steps=6,12: a run for each combination. NETWORK: before
    the name keeps one to networks of that name, as in nwm-*:model.steps=6,12."""
    set: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """Settings that all runs get, as train.epochs=4."""
    seeds: int = 1
    """Runs of each combination, with seeds 0, 1, ..."""
    data: str = ""
    """Directory of the folder task, or of MNIST's IDX files."""
    out: Path | None = None
    """Directory of the sweep, with a run directory for each run; one that is there may get further combinations."""
    dry_run: bool = False
    """Show the runs, in what they differ and how far each is, and stop."""
    launcher: Literal["joblib", "slurm"] = "joblib"
    """joblib: processes on this machine, each on one thread; slurm: an array of jobs of a cluster."""
    jobs: int = 0
    """Runs at a time; by default one on this machine, and as many as a cluster lets."""
    partition: str = ""
    """Of SLURM; by default the cluster's own."""
    minutes: int = 60
    """Time of a job of SLURM; a run that takes longer goes on in another."""
    cpus: int = 1
    """Processors, and threads, of a job of SLURM."""
    gpus: int = 0
    """GPUs of a job of SLURM."""
    sbatch: tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]] = ()
    """Further options of sbatch, as account=me or mem=8G."""
    wait: bool = True
    """Wait until SLURM's jobs have ended; --no-wait leaves them."""


def run(arguments: list[str]) -> None:
    """Parse the flags, plan, launch, say what came of it."""
    flags = tyro.cli(Flags, prog="drumhead sweep", args=arguments)
    given = options(arguments)
    if flags.launcher != "slurm":
        none_ignored(SLURM & given, f"--launcher {flags.launcher}")
    if "--jobs" in given:
        at_least(1, flags.jobs, "--jobs ")
    if flags.dry_run:
        none_ignored(({"--launcher", "--jobs"} | SLURM) & given, "--dry-run")
    sweep, out = _planned(flags, given)
    items = sweep.items(out)
    _check(items)
    if flags.dry_run:
        _show(items)
        return
    from drumhead.files import check_writable
    from drumhead.sweep import plan

    check_writable(out)
    wishes = _wishes(flags)
    plan.write(sweep, out)
    todo = [item for item in items if not item.done]
    print(f"{len(items) - len(todo)} of {len(items)} runs are done in {out}", flush=True)
    try:
        _launch(todo, out, flags, wishes)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(NEXT) from None
    _finish(items, out, flags)


def _planned(flags: Flags, given: set[str]) -> tuple["Sweep", Path]:
    """Return the sweep that is asked for, with what its directory has already, and the directory."""
    from drumhead.sweep import plan

    what, out = flags.what, flags.out
    if not what:
        raise DrumheadError(
            "say what to run: presets, as in 'drumhead sweep tetrominoes/nwm-stack --grid train.lr=1e-3,3e-3 --out "
            "runs/lr', a TOML file, or the directory of a sweep"
        )
    if len(what) == 1 and ((path := Path(what[0])).is_dir() or path.suffix == ".toml"):
        none_ignored(given & (GRID - {"--data"}), f"{path}, which has the grid,")
        sweep = plan.read(path)
        if path.is_dir():
            none_ignored(given & {"--out"}, f"{path}, the directory of a sweep,")
            out = path
        elif out and (out / plan.FILE).exists():
            old = plan.read(out)
            for new in sweep.cells:
                old = old.adding(new)
            sweep = replace(old, data=sweep.data or old.data)
    else:
        new = plan.Combinations(what, _flat(flags.grid), _flat(flags.set), flags.seeds)
        old = plan.read(out) if out and (out / plan.FILE).exists() else plan.Sweep()
        sweep = old.adding(new)
    if out is None:
        raise DrumheadError("say where the runs go: --out DIR")
    if not sweep.cells:
        raise DrumheadError(f"{what[0]} has no [[cells]]: each needs presets, and may have grid, set and seeds")
    data = flags.data or sweep.data
    return replace(sweep, data=str(Path(data).absolute()) if data else ""), out


def _flat(words: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(word for some in words for word in some)


def _check(items: list["Item"]) -> None:
    """Refuse, before the first run, data that a task cannot take, and whatever its settings cannot go with."""
    wrong: dict[str, None] = {}
    for task, data in dict.fromkeys((item.config.task, item.config.data) for item in items):
        try:
            tasks.get(task, data or None)
        except DrumheadError as error:
            wrong[str(error)] = None
    for item in items:
        if (item.place / "config.toml").exists():
            try:
                item.check_settings()
            except DrumheadError as error:
                wrong[str(error)] = None
    if wrong:
        raise DrumheadError("; ".join(wrong))


def _wishes(flags: Flags) -> "Wishes":
    """Return what jobs of SLURM ask for."""
    from drumhead.sweep.slurm import Wishes

    return Wishes(flags.jobs, flags.partition, flags.minutes, flags.cpus, flags.gpus, _flat(flags.sbatch))


def _launch(todo: list["Item"], out: Path, flags: Flags, wishes: "Wishes") -> None:
    """Give the runs to the launcher."""
    say = partial(print, flush=True)
    if flags.launcher == "joblib":
        from drumhead.show.terminal import Bar
        from drumhead.sweep.local import launch

        launch(todo, flags.jobs or 1, say, Bar())
        return
    from drumhead.sweep import slurm

    ids = slurm.submit(todo, out, wishes, say)
    if flags.wait:
        slurm.wait(ids)


def _show(items: list["Item"]) -> None:
    """Print a table of the runs: in what they differ, and how far they are."""
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import print_table
    from drumhead.sweep.plan import differing, short

    settings = differing(item.config for item in items)
    names = sorted({name for own in settings for name in own})
    rows = []
    for item, own in zip(items, settings, strict=True):
        state = item.state
        words = [short(own[name]) if name in own else "" for name in names]
        said = f"failed: {item.failure}" if state == "failed" else state
        rows.append((item.place.name, item.config.preset, *words, str(item.config.train.seed), said))
    print_table(Grid(("run", "preset", *names, "seed", "state"), rows), left=2)


def _finish(items: list["Item"], out: Path, flags: Flags) -> None:
    """Say how far the runs are, and what ended those that failed; exit with 1 if any did."""
    states = [item.state for item in items]
    failed = [item for item, state in zip(items, states, strict=True) if state == "failed"]
    for item in failed:
        print(f"failed: {item.title} ({item.place}): {item.failure}", file=sys.stderr)
    counted = Counter(states)
    print(
        ", ".join(
            f"{counted[state]} {state}" for state in ("done", "running", "failed", "begun", "new") if counted[state]
        )
    )
    if counted["done"]:
        print(f"next: drumhead report {out}")
    if failed:
        sys.exit(1)
    if counted["done"] < len(items) and (flags.wait or flags.launcher != "slurm"):
        print(f"what is not done is another process's, or was ended: {NEXT}")
