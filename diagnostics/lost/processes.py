"""Commands of drumhead in processes that can be killed at any moment, and are alive a moment after they are started.

A process is a fork of this one, which has imported everything: imports take seconds, write nothing, and would take most
of the kills. It leads a group of its own, with its compilers, and all of the group is killed.
"""

import contextlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

Work = Callable[[], None]


def import_everything() -> None:
    """Import what the commands import, but not what starts threads, which no fork has."""
    import lightning_fabric.plugins.environments.lightning  # noqa: F401
    import onnx  # noqa: F401
    import onnxscript  # noqa: F401
    import torch._dynamo
    import torch.onnx
    import torch.onnx._internal.exporter._core

    import drumhead.cli.export
    import drumhead.cli.reproduce
    import drumhead.cli.train
    import drumhead.engine.cpu.library
    import drumhead.learn.train
    import drumhead.networks.export
    import drumhead.sweep.local  # noqa: F401

    torch.set_num_threads(1)


def verb(*arguments: object) -> Work:
    """Return the work of a command line."""
    from drumhead import cli

    return lambda: cli.main([str(argument) for argument in arguments])


class Running:
    """Work under way in a process of its own.

    Args:
        work: what it does; it exits as the command line would.
        log: a file for what it says.
        environment: variables that it has besides.
        first: done in the process before the work.
    """

    def __init__(self, work: Work, log: Path, environment: dict[str, str], first: Work = lambda: None):
        self.log, self.code = log, None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            code = 130
            try:
                code = _live(work, log, environment, first)
            finally:  # an interrupt on the way out must not go on in the harness's own code
                os._exit(code)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)  # here too: it may be killed before it does so itself

    def ended(self) -> bool:
        """Say whether it has ended; `code` is then its exit code, below 0 of a signal."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def kill(self) -> bool:
        """Kill the whole group; say whether that is what ended it."""
        if self.ended():
            return False
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        return self.code == -signal.SIGKILL

    def send(self, number: int) -> None:
        """Send a signal to the process alone."""
        if not self.ended():
            os.kill(self.pid, number)

    def wait(self, seconds: float = 600) -> int:
        """Return its exit code when it has ended."""
        until = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"a process did not end: {self.said()}")
            time.sleep(0.002)
        assert self.code is not None
        return self.code

    def said(self) -> str:
        """Return what it wrote."""
        return self.log.read_text(errors="replace")

    def until(self, true: Callable[[], bool], seconds: float = 120) -> bool:
        """Wait until something is true; say False if the process ends first."""
        until = time.monotonic() + seconds
        while not true():
            if self.ended() or time.monotonic() > until:
                return true()  # what was waited for may have come with the end
            time.sleep(0.001)
        return True


def finish(work: Sequence[Work], log: Path, environment: dict[str, str]) -> float:
    """Run work to its end, all at once; return the seconds it took."""
    began = time.perf_counter()
    running = [Running(one, log.with_suffix(f".{i}.log"), environment) for i, one in enumerate(work)]
    for process in running:
        if process.wait():
            raise SystemExit(f"it ended with {process.code} and said: {process.said()[-2000:]}")
    return time.perf_counter() - began


def _live(work: Work, log: Path, environment: dict[str, str], first: Work) -> int:
    """Be the other process: its exit code."""
    try:
        os.setpgid(0, 0)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(out, stream)
        os.environ.update(environment)
        tempfile.tempdir = None  # it was read from the environment
        first()
        work()
        code = 0
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else bool(leave.code)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    return int(code)
