"""Bring a run directory to its end: train or resume, then measure. One process at a time has it."""

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from drumhead.errors import DrumheadError
from drumhead.files import FULL, hold, write_atomic
from drumhead.learn.scores import RESULT
from drumhead.show.terminal import Progress
from drumhead.sweep.items import FAILED, LOCK, Item

How = Literal["done", "done already", "held", "failed", "stopped"]


@dataclass(frozen=True)
class Outcome:
    """How work on an item ended, and, if it failed, the first line of why."""

    how: How
    why: str = ""


def complete(item: Item, progress: Progress, begins: Callable[[], object] = lambda: None) -> How:
    """Train and measure an item that is not done and that no other process has.

    Args:
        item: which.
        progress: shows the training.
        begins: called when there is something to do.

    Returns:
        "done", "done already", or "held" if another process has it.

    Raises:
        DrumheadError: its directory holds something else, or its settings and data do not fit.
        KeyboardInterrupt: a signal asked to stop; there is a checkpoint, and the same call goes on.
    """
    with hold(item.place / LOCK) as mine:
        if not mine:
            return "held"
        if item.done:
            return "done already"
        begins()
        (item.place / FAILED).unlink(missing_ok=True)
        _train(item, progress)
        _measure(item)
    return "done"


def attempt(item: Item, progress: Progress, begins: Callable[[], object] = lambda: None) -> Outcome:
    """Do as `complete`, and put what ended it, if it fails, into failed.txt in its directory."""
    try:
        return Outcome(complete(item, progress, begins))
    except KeyboardInterrupt as stop:
        return Outcome("stopped", *map(str, stop.args[:1]))
    except Exception as error:  # whatever it is, the other runs go on
        full = isinstance(error, OSError) and error.errno in FULL
        known = full or isinstance(error, DrumheadError)
        first = " ".join((str(error) if known else f"{type(error).__name__}: {error}").split())
        if isinstance(error, OSError) and full:
            first = f"{error.filename or item.place}: {error.strerror}; make room, then the same command goes on"
        with contextlib.suppress(OSError):  # a full disk ends the run and not the sweep
            write_atomic(item.place / FAILED, f"{first}\n" + ("" if known else f"\n{traceback.format_exc()}"))
        return Outcome("failed", first)


def _train(item: Item, progress: Progress) -> None:
    from drumhead.learn import train

    if (item.place / "config.toml").exists():
        item.check_settings()
        train.resume(item.place, progress, item.config.data)
    else:
        train.start(item.config, item.place, progress)


def _measure(item: Item) -> None:
    """Measure the weights with the lowest validation loss on the test split."""
    from drumhead import tasks
    from drumhead.learn.crops import open_split
    from drumhead.learn.evaluate import evaluate, write
    from drumhead.learn.fabric import fabric_of
    from drumhead.learn.run import Run
    from drumhead.networks.model import load

    model, device = load(Run(item.place).weights), fabric_of(item.config.train).device
    task = tasks.get(item.config.task, item.config.data or None)
    split = open_split(task, "test", device, item.test_images)
    scores = evaluate(model.to(device), split, len(task.classes))
    write(item.place / RESULT, model, task.name, "test", len(split), scores)
