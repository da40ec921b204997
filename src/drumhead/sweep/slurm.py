"""The launcher for a cluster: submitit hands the runs to SLURM as an array of jobs.

What submitit carries to a job is a directory and a name (`Job`); the settings follow from sweep.toml there, and all
else is in the run's directory. A job that is told to end (by SIGTERM, or by SIGUSR1 or submitit's SIGUSR2 before its
time is over) ends its step and writes a checkpoint. Then it asks to be started again, unless SLURM is ending it: who
cancelled a job wants it ended, and a requeued one is started again anyhow.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drumhead.errors import DrumheadError, at_least
from drumhead.files import from_json, write_atomic
from drumhead.learn.signals import handling, interrupting
from drumhead.show.terminal import Progress
from drumhead.sweep import plan
from drumhead.sweep.items import Item
from drumhead.sweep.work import attempt

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

FOLDER = ".slurm"  # of submitit's files, in the directory of a sweep
TIMES = 100  # times that a job may ask to be started again


@dataclass(frozen=True)
class Wishes:
    """What each job asks the cluster for.

    Attributes:
        at_a_time: jobs that run at the same time; 0 leaves it to the cluster.
        partition: where; empty takes the cluster's own.
        minutes: of a job; a run that needs more goes on in another.
        cpus: for each job, and the threads that it trains on.
        gpus: for each job.
        more: further options of sbatch, each as `account=me`.
    """

    at_a_time: int = 0
    partition: str = ""
    minutes: int = 60
    cpus: int = 1
    gpus: int = 0
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("minutes", 1), ("cpus", 1), ("gpus", 0)):
            at_least(least, getattr(self, name), f"--{name} ")
        if wrong := [word for word in self.more if not all(word.partition("="))]:
            raise DrumheadError(f"--sbatch {wrong[0]}: an option of sbatch and its value are needed, as in account=me")


class Job:
    """What a job does: it brings one run of a sweep to its end.

    Args:
        out: directory of the sweep, as all machines see it.
        name: of the run.
    """

    def __init__(self, out: str, name: str):
        self.out, self.name = out, name

    def __call__(self) -> str:
        """Do it, and return how it ended; SLURM is told if it failed."""
        import torch

        torch.set_num_threads(int(os.environ.get("SLURM_CPUS_PER_TASK", 1)))
        items = {item.place.name: item for item in plan.read(Path(self.out)).items(Path(self.out))}
        if self.name not in items:
            raise DrumheadError(f"{self.out} has no run {self.name}; perhaps it was planned by another version")
        say = partial(print, flush=True)
        with _signals_stop():
            outcome = attempt(items[self.name], _Lines(), partial(say, items[self.name].title))
        if outcome.how == "stopped":
            say(f"stopped by {outcome.why}")
            if outcome.why == signal.SIGUSR1.name or _running():
                signal.raise_signal(signal.SIGUSR2)  # submitit's own handler asks for another start, and leaves
            raise SystemExit(128 + signal.SIGTERM)
        if outcome.how == "failed":
            raise DrumheadError(outcome.why)
        return outcome.how

    def checkpoint(self) -> "DelayedSubmission":
        """Return what submitit starts again: the same, as a run's directory knows how far it came."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _running() -> bool:
    """Say whether this job runs, as one in its time of grace before a preemption does, and is not being ended."""
    named = [os.environ.get(f"SLURM_{name}", "") for name in ("ARRAY_JOB_ID", "ARRAY_TASK_ID")]
    job = "_".join(named) if all(named) else os.environ.get("SLURM_JOB_ID", "")
    command = ["squeue", "--noheader", "--job", job, "--format", "%T"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip() == "RUNNING"
    return False


class _Lines(Progress):
    """A log for people: notes, without a bar."""

    def note(self, text: str) -> None:
        print(text, flush=True)


@contextlib.contextmanager
def _signals_stop() -> Iterator[None]:
    """Take SIGTERM and SIGUSR1 for interrupts, as training does, and SIGUSR2, which it does not know, for SIGUSR1."""

    def hand_on(_number: int, _frame: object) -> None:
        signal.raise_signal(signal.SIGUSR1)

    with interrupting(signal.SIGTERM, signal.SIGUSR1), handling({signal.SIGUSR2: hand_on}):
        yield


def submit(items: Sequence[Item], out: Path, wishes: Wishes, say: Callable[[str], None]) -> list[str]:
    """Hand runs to SLURM as one array, but for those that are in its queue already.

    Args:
        items: what is to be done, in this order.
        out: directory of the sweep; all machines of the cluster have to see it under this name.
        wishes: what each job asks for.
        say: gets a line on what was done.

    Returns:
        Ids of the arrays to wait for.

    Raises:
        DrumheadError: SLURM or submitit is not here, or SLURM refuses; the message is its own.
    """
    known = queued(out)
    todo = [item for item in items if item.place.name not in known]
    if known:
        say(f"{len(known)} runs are in the queue already (job {', '.join(sorted(set(known.values())))})")
    ids = set(known.values())
    if todo:
        ids.add(array := _submit(todo, out.absolute(), wishes))
        say(f"job {array}: {len(todo)} runs; 'squeue -j {array}' shows them, 'scancel {array}' ends them")
    return sorted(ids)


def _submit(items: Sequence[Item], out: Path, wishes: Wishes) -> str:
    try:
        from submitit import AutoExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError
    except ImportError:
        raise DrumheadError("--launcher slurm needs submitit: pip install 'drumhead[cluster]'") from None
    folder = out / FOLDER
    executor = AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=TIMES)
    parameters = {
        "timeout_min": wishes.minutes,
        "cpus_per_task": wishes.cpus,
        "slurm_job_name": f"drumhead-{out.name}",
        "slurm_array_parallelism": wishes.at_a_time or len(items),
        "slurm_srun_args": [f"--cpus-per-task={wishes.cpus}"],  # which a step does not take over from its job
        "slurm_signal_delay_s": min(90, 30 * wishes.minutes),
        "slurm_additional_parameters": {"requeue": True, **dict(_option(word) for word in wishes.more)},
        **({"slurm_partition": wishes.partition} if wishes.partition else {}),
        **({"slurm_gpus_per_node": wishes.gpus} if wishes.gpus else {}),
    }
    executor.update_parameters(**parameters)
    try:
        with executor.batch():
            jobs = [executor.submit(Job(str(out), item.place.name)) for item in items]
        array = jobs[0].job_id.partition("_")[0]
    except (FailedSubmissionError, FailedJobError, subprocess.CalledProcessError) as error:
        raise DrumheadError(f"SLURM did not take the jobs: {' '.join(str(error).split())}") from None
    write_atomic(folder / f"{array}.json", json.dumps([item.place.name for item in items]) + "\n")
    return array


def _option(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.removeprefix("--"), value


def queued(out: Path) -> dict[str, str]:
    """Return the runs of a sweep that wait or run in SLURM, by name, each with the id of its array."""
    found = {}
    for file in sorted((out / FOLDER).glob("*.json")):
        try:
            names = from_json(file.read_bytes())
            if not isinstance(names, list):
                raise ValueError("a list of names is needed")
        except ValueError as error:
            raise DrumheadError(
                f"{file} is damaged ({error}), so it is not known which runs job {file.stem} has; delete it when "
                f"'squeue -j {file.stem}' shows none"
            ) from None
        for i in _in_queue(file.stem):
            if i < len(names):
                found[names[i]] = file.stem
    return found


def wait(ids: Sequence[str], seconds: float = 5.0) -> None:
    """Wait until arrays have left the queue."""
    while any(map(_in_queue, ids)):
        time.sleep(seconds)


def _in_queue(array: str) -> set[int]:
    """Return the numbers of an array's jobs that are waiting or running.

    It is asked of squeue, which needs no accounting; SLURM forgets a job some minutes after its end.
    """
    command = ["squeue", "--noheader", "--array", "--job", array, "--states", "PD,R,CG,CF,S,RQ,RF,RH,SE,SI,SO,ST"]
    command += ["--format", "%K"]
    if shutil.which("squeue") is None:
        raise DrumheadError("squeue is not here: start --launcher slurm on a machine of the cluster that takes jobs")
    for patience in (1, 5, 20, 0):
        done = subprocess.run(command, capture_output=True, text=True)
        if not done.returncode:
            return {int(word) if word.isdecimal() else 0 for word in done.stdout.split()}
        if "Invalid job id" in done.stderr:
            return set()
        time.sleep(patience)  # a controller that is busy, or starts again
    raise DrumheadError(
        f"squeue failed ({' '.join(done.stderr.split())}); the jobs go on, and so does the same command"
    )
