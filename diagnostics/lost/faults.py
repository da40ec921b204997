"""Other things that befall a training: each is done to a real one, which must say so in a sentence and lose nothing.

Each fault returns what happened: exit codes, what was said, whether the run then came to the same bits, and `held`,
true if all of it was as promised.
"""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lost.processes import Running, finish
from lost.scenarios import begin, go_on, trained

Told = dict[str, Any]


class Place:
    """A directory for one fault, where the same training is done that nobody disturbed."""

    def __init__(self, root: Path, data: Path, environment: dict[str, str]):
        self.root, self.data, self.environment = root, data, environment
        self.reference = root / "undisturbed"
        if not self.reference.exists():
            finish([begin(data, self.reference / "run")], root / "undisturbed.log", environment)
        self.expected = trained(self.reference)

    def start(self, run: Path, name: str, **more: Any) -> Running:
        """Start the training, or go on with it, in a process."""
        work = go_on(run) if (run / "config.toml").exists() else begin(self.data, run)
        return Running(work, self.root / f"{name}.log", self.environment, **more)

    def under_way(self, run: Path, name: str, **more: Any) -> Running:
        """Start the training and wait for its first checkpoint."""
        process = self.start(run, name, **more)
        assert process.until(lambda: (run / "last.ckpt" / "state.safetensors").exists()), process.said()
        return process

    def same(self, run: Path) -> bool:
        """Go on to the end, and say whether the bits are those of the undisturbed one."""
        finish([go_on(run)], self.root / "same.log", self.environment)
        return trained(run.parent) == self.expected


def sentence(process: Running) -> str:
    """Return what a process said last, without the names of scratch directories; a traceback is kept whole."""
    lines = [line for line in process.said().splitlines() if line.strip()]
    last = "\n".join(lines) if any("Traceback" in line for line in lines) else (lines or [""])[-1]
    return " ".join(Path(word).name if word.startswith("/") else word for word in last.split(" "))


def full_disk(place: Place) -> Told:
    """Fill the disk under a training; then make room and go on."""
    with _small_disk(place.root / "full") as (run, fill, how):
        process = place.under_way(run, "full")
        if fill is None:
            process.send(signal.SIGINT)
            process.wait()
            process = place.start(run, "full", first=_no_large_files)
        else:
            fill.write(os.urandom(1 << 20))
            with contextlib.suppress(OSError):
                while True:
                    fill.write(bytes(4096))
        code, said = process.wait(), sentence(process)
        if fill is not None:
            fill.truncate(0)
        same = place.same(run)
    return {
        "how": how,
        "exit": code,
        "said": said,
        "identical": same,
        "held": code == 2 and "make room" in said and same,
    }


def read_only(place: Place) -> Told:
    """Take away the right to write in a run; a resumed and a new one say so; then give it back and go on."""
    with _small_disk(place.root / "read-only") as (run, fill, how):
        process = place.under_way(run, "read-only")
        process.send(signal.SIGTERM)
        stopped = process.wait()
        if fill is not None:
            fill.close()
            how = "a tmpfs, mounted again for reading alone"
            subprocess.run(["mount", "-o", "remount,ro", run.parent], check=True)
        else:
            how = "directories without the right to write"
            for folder in (run, run.parent, run / "last.ckpt"):
                folder.chmod(0o555)
        told = []
        for name, path in (("resumed", run), ("new", run.parent / "new")):
            other = place.start(path, name)
            told.append((other.wait(), sentence(other)))
        if fill is not None:
            subprocess.run(["mount", "-o", "remount,rw", run.parent], check=True)
        else:
            for folder in (run.parent, run, run / "last.ckpt"):
                folder.chmod(0o755)
        same = place.same(run)
    held = stopped == 130 and same and all(code == 2 and "Traceback" not in said for code, said in told)
    return {
        "how": how,
        "exit": [code for code, _ in told],
        "said": [said for _, said in told],
        "identical": same,
        "held": held,
    }


def clock(place: Place) -> Told:
    """Let the wall clock jump by days at every look at it, and files come from the future and the past."""
    run = place.root / "clock" / "run"
    process = place.under_way(run, "clock", first=_jumping_clock)
    process.kill()
    for path in run.rglob("*"):
        os.utime(path, (0, 0) if len(path.name) % 2 else (4e9, 4e9))
    process = place.start(run, "clock", first=_jumping_clock)
    code = process.wait()
    same = trained(run.parent) == place.expected
    return {"exit": code, "identical": same, "held": not code and same}


def two_processes(place: Place) -> Told:
    """Start a second training in a run directory while the first is at work."""
    run = place.root / "two" / "run"
    first = place.under_way(run, "first")
    first.send(signal.SIGSTOP)  # it holds the directory as long as the others look
    others = [place.start(run, "second"), Running(begin(place.data, run), place.root / "third.log", place.environment)]
    told = [(other.wait(), sentence(other)) for other in others]
    first.send(signal.SIGCONT)
    code, same = first.wait(), trained(run.parent) == place.expected
    held = not code and same and all(code == 2 for code, _ in told) and "another process is training" in told[0][1]
    return {"exit": [code for code, _ in told], "said": [said for _, said in told], "identical": same, "held": held}


def interrupt(place: Place) -> Told:
    """Interrupt a training once, by either signal: it ends its step, saves and says how to go on."""
    return _stopped(place, "interrupt", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])


def interrupt_twice(place: Place) -> Told:
    """Interrupt a training twice, a millisecond apart: it stops at once and can go on."""
    return _stopped(place, "twice", [[signal.SIGINT] * 2] * 3, saves=False)


def _stopped(place: Place, name: str, ways: list[list[int]], saves: bool = True) -> Told:
    told, same, saved = [], True, True
    for number, signals in enumerate(ways):
        run = place.root / f"{name}-{number}" / "run"
        process = place.under_way(run, name)
        state = run / "last.ckpt" / "state.safetensors"
        process.send(signal.SIGSTOP)
        before = _position(state)
        process.send(signals[0])
        process.send(signal.SIGCONT)
        for one in signals[1:]:
            time.sleep(0.001)  # two that wait together are one
            process.send(one)
        told.append((process.wait(), sentence(process)))
        saved &= not saves or _position(state) > before
        same &= place.same(run)
    held = same and saved and all(code == 130 for code, _ in told)
    held &= not saves or all("go on with: drumhead train --resume" in said for _, said in told)
    return {"exit": [code for code, _ in told], "said": told[0][1], "identical": same, "held": held}


def _position(state: Path) -> tuple[int, int]:
    """Return the epoch and the batch of a checkpoint."""
    from safetensors import safe_open

    with safe_open(state, "np") as file:
        at = json.loads(file.metadata()["position"])
    return at["epoch"], at["batch"]


@contextlib.contextmanager
def _small_disk(at: Path) -> Iterator[tuple[Path, Any, str]]:
    """Yield a run directory on a disk of 4 MB, a file that can fill it, and words; without the right to mount, None."""
    at.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", at], capture_output=True).returncode == 0
    try:
        if mounted:
            with (at / ".filler").open("wb", buffering=0) as fill:
                yield at / "run", fill, "a full tmpfs"
        else:
            yield at / "run", None, "a limit on the size of files"
    finally:
        if mounted:
            subprocess.run(["umount", "-l", at], check=True)
        shutil.rmtree(at, ignore_errors=True)


def _no_large_files() -> None:
    """Let this process write no file of more than 4 kB: what it prints fits, a checkpoint does not."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def _jumping_clock() -> None:
    """Let the wall clock of this process jump by up to a month, forward or back, whenever somebody asks."""
    jump, now, fine = random.Random(0), time.time, time.time_ns
    time.time = lambda: now() + jump.uniform(-3e6, 3e6)
    time.time_ns = lambda: fine() + jump.randint(-3 * 10**15, 3 * 10**15)


FAULTS: dict[str, Callable[[Place], Told]] = {
    "full disk": full_disk,
    "read-only": read_only,
    "clock": clock,
    "two processes": two_processes,
    "interrupt": interrupt,
    "interrupt twice": interrupt_twice,
}
