"""The launcher for one machine: joblib's workers, as many as asked for, each training on one thread.

A Ctrl-C reaches the workers as a file that is gone: each looks for it, ends its step, writes a checkpoint and comes
back. So they do when the process that started them was killed, whose lock on that file the kernel lets go of; then
they end.
"""

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from drumhead.errors import DrumheadError, at_least
from drumhead.files import held, hold
from drumhead.learn.signals import handling, interrupting
from drumhead.show.terminal import Progress
from drumhead.sweep.items import Item
from drumhead.sweep.work import Outcome, attempt

_LOOK = 0.3  # seconds between two looks of a worker at whether it should go on
_SAYS = {"done": "done", "done already": "done already", "held": "another process has it", "stopped": "stopped"}


def launch(
    items: Sequence[Item],
    jobs: int,
    say: Callable[[str], None],
    progress: Progress | None = None,
    threads: int | None = 1,
) -> int:
    """Bring items to their ends, so many at a time; one that fails leaves the others alone.

    Args:
        items: in this order.
        jobs: how many at a time, each on one thread of a process of its own; 1 works in this process.
        say: gets a line when a run ends; when it begins, its worker prints one.
        progress: shows the training if there is one job; nothing is shown by default.
        threads: that one job trains on; 1 gives the bits of several jobs, None is as many as torch takes.

    Returns:
        How many failed; the directory of each has a failed.txt.

    Raises:
        KeyboardInterrupt: it was asked to stop; every run under way has a checkpoint.
        DrumheadError: a worker was ended from outside, or joblib is missing.
    """
    at_least(1, jobs, "--jobs ")
    titles = [f"[{number}/{len(items)}] {item.title}" for number, item in enumerate(items, 1)]
    if not items:
        return 0
    if jobs == 1 or len(items) == 1:
        return _in_turn(items, titles, say, progress or Progress(), threads)
    failed = stopped = 0
    for number, outcome in _by_workers(items, titles, jobs, say):
        if outcome.how != "stopped":
            say(f"{titles[number]}: {_said(outcome)}")
        failed += outcome.how == "failed"
        stopped += outcome.how == "stopped"
    if stopped:
        raise KeyboardInterrupt
    return failed


def _said(outcome: Outcome) -> str:
    return f"failed: {outcome.why}" if outcome.how == "failed" else _SAYS[outcome.how]


def _in_turn(
    items: Sequence[Item], titles: Sequence[str], say: Callable[[str], None], progress: Progress, threads: int | None
) -> int:
    """Work on one item after another, in this process."""
    from drumhead.engine.threads import on_threads

    failed = 0
    with on_threads(threads) if threads else contextlib.nullcontext():
        for item, title in zip(items, titles, strict=True):
            with interrupting(signal.SIGTERM):  # also before and after training, which takes it for one itself
                outcome = attempt(item, progress, partial(say, title))
            if outcome.how == "stopped":
                raise KeyboardInterrupt
            say(f"{title}: {_said(outcome)}")
            failed += outcome.how == "failed"
    return failed


def _by_workers(
    items: Sequence[Item], titles: Sequence[str], jobs: int, say: Callable[[str], None]
) -> Iterator[tuple[int, Outcome]]:
    """Yield the number of each item and how it ended, as they end."""
    try:
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import TerminatedWorkerError
    except ImportError:
        raise DrumheadError(
            "several jobs at a time need joblib: pip install 'drumhead[cluster]', or do with --jobs 1"
        ) from None
    with tempfile.TemporaryDirectory(prefix="drumhead-") as folder:
        going = Path(folder) / "going"
        with hold(going), _stopping(going, say), parallel_config(backend="loky", inner_max_num_threads=1):
            tasks = (delayed(_work)(i, item, titles[i], going, os.getpid()) for i, item in enumerate(items))
            launched: Any = Parallel(min(jobs, len(items)), return_as="generator_unordered", batch_size=cast(Any, 1))
            try:
                yield from launched(tasks)
            except TerminatedWorkerError:
                if not going.exists():  # one that was not ready to hear that it should stop
                    raise KeyboardInterrupt from None
                raise DrumheadError(
                    "a worker was ended from outside, perhaps because memory ran out, and the others with it; the same "
                    "command goes on, with fewer --jobs if that was it"
                ) from None
            finally:
                get_reusable_executor(reuse=cast(Any, True)).shutdown(wait=True)


def _work(number: int, item: Item, title: str, going: Path, launcher: int) -> tuple[int, Outcome]:
    """Work on an item in a worker of the process with that id."""
    _end_with(launcher)
    with _WORKING:
        return _worked(number, item, title, going)


_WORKING = threading.Lock()  # held while there is work under way


@cache
def _end_with(launcher: int) -> None:
    """Let this process end when its launcher is gone and no work is under way; loky keeps it for minutes."""

    def wait() -> None:
        while os.getppid() == launcher:
            time.sleep(_LOOK)
        with _WORKING:
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _worked(number: int, item: Item, title: str, going: Path) -> tuple[int, Outcome]:
    if not held(going):
        return number, Outcome("stopped")
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)  # a Ctrl-C is for the process that started this one, which tells it
    import torch

    torch.set_num_threads(1)
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(going, over), daemon=True)
    try:
        with interrupting(signal.SIGTERM, unless=over.is_set):
            watch.start()
            outcome = attempt(item, Progress(), partial(print, title, flush=True))
            over.set()
            watch.join()
        return number, outcome
    except KeyboardInterrupt:  # just as it ended
        return number, Outcome("stopped")
    finally:
        over.set()


def _watch(going: Path, over: threading.Event) -> None:
    """End this process's training when nobody holds the file any more."""
    while not over.wait(_LOOK):
        if not held(going):
            os.kill(os.getpid(), signal.SIGTERM)
            return


@contextlib.contextmanager
def _stopping(going: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Tell the workers to stop at the first interrupt; a second one ends them at once."""

    def note(_number: int, _frame: object) -> None:
        if not going.exists():
            raise KeyboardInterrupt
        going.unlink()
        say("stopping: every run ends its step and writes a checkpoint")

    with handling({signal.SIGINT: note, signal.SIGTERM: note}):
        yield
