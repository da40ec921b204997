"""Start a run or resume one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from drumhead import tasks
from drumhead.learn.crops import crop_side
from drumhead.learn.fabric import fabric_of
from drumhead.learn.processes import ALONE, Processes
from drumhead.learn.run import Run
from drumhead.learn.training import Training
from drumhead.settings.config import RunConfig
from drumhead.show.terminal import Progress


def start(config: RunConfig, out: str | Path, progress: Progress | None = None, processes: Processes = ALONE) -> Run:
    """Train as `config` says, in a new run directory.

    Args:
        config: from `drumhead.settings.presets.get_preset` or `drumhead.settings.text.read_run`.
        out: the directory, which must not hold a run yet; it is made when nothing is left to refuse.
        progress: shows how it goes; nothing is shown by default.
        processes: those that train together, each of which calls this: `processes.of_torchrun()`.

    Returns:
        The run; its `weights` have the lowest validation loss.
    """
    run = Run(out)
    run.refuse_to_overwrite()
    config = _at(config, config.data)
    task = tasks.get(config.task, config.data or None)
    if config.task == "folder":
        model = replace(config.model, image_channels=task.image_channels, classes=len(task.classes))
        config = replace(config, model=model, train=replace(config.train, crop=crop_side(task, config.train)))
    training = Training(run, config, task, progress or Progress(), processes)  # refuses what does not fit ...
    training.begin()
    with _held(run, processes):
        processes.on_first(lambda: run.create(config))  # ... before there is a run
        training.go()
    return run


def resume(out: str | Path, progress: Progress | None = None, data: str = "", processes: Processes = ALONE) -> Run:
    """Go on with a run that was stopped; one that had finished stays as it is.

    Args:
        out: the run directory.
        progress: shows how it goes; nothing is shown by default.
        data: where the images are now, if they were moved; the run remembers it.
        processes: those that go on together, however many there were before.
    """
    run = Run(out)
    config = _at(run.config, data or run.config.data)
    if processes.size > 1:
        fabric_of(config.train, processes)  # they meet, so that one of them can hold the run for all
    with _held(run, processes):
        task = tasks.get(config.task, config.data or None)
        training = Training(run, config, task, progress or Progress(), processes)
        training.restore()
        if config != run.config:
            processes.on_first(lambda: run.keep(config))
        training.go()
    return run


@contextmanager
def _held(run: Run, processes: Processes) -> Iterator[None]:
    """Let the first process hold the run for all."""
    with ExitStack() as held:
        processes.on_first(lambda: held.enter_context(run.held()))
        yield


def _at(config: RunConfig, data: str) -> RunConfig:
    """Return the config with images from that directory, found from any working directory."""
    return replace(config, data=str(Path(data).absolute()) if data else "")
