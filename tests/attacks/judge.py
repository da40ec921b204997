"""What became of an input: it worked, or one clear sentence and exit code 2; all else is a fault."""

import contextlib
import io
import os
import re
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from attacks import Attack

GOOD = ("worked", "one sentence, exit 2")
LONGEST = 400  # characters of a sentence, without the folder's name
PATIENCE = 5  # seconds of processor time
MEMORY = 2 * 2**30  # bytes that an input may add to what the process holds
WRITES = {
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.rmtree",
    "os.chmod",
}
OUTSIDE = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}


class Hang(BaseException):
    """An input took longer than it may."""


@dataclass(frozen=True)
class Outcome:
    """How an input ended: one of `GOOD` or a word in capitals, and what was said."""

    word: str
    said: str = ""

    @property
    def good(self) -> bool:
        """Whether it ended as it should."""
        return self.word in GOOD


class Judge:
    """Meets inputs in a sandbox: a folder with `in`, `out` and a home, of which only `out` and the home may change.

    What is opened to write, unpickled, connected to or started is heard by an audit hook, which cannot be taken away,
    so it is set once and listens only while an input is met.
    """

    def __init__(self, root: Path):
        self.root = root.resolve()
        self.faults: list[tuple[str, str]] = []
        self._listens = False
        if "drumhead.engine.cpu.library" in sys.modules:
            sys.modules["drumhead.engine.cpu.library"].load()  # compiled into the user's cache, not into a new one
        os.environ["XDG_CACHE_HOME"] = str(self.root / "home")
        (self.root / "home").mkdir(parents=True, exist_ok=True)
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def place(self) -> Iterator[Path]:
        """Yield the sandbox with an empty `in` and `out`."""
        for name in ("in", "out"):
            (self.root / name).mkdir(exist_ok=True)
            for path in (self.root / name).iterdir():
                path.unlink() if path.is_symlink() or not path.is_dir() else shutil.rmtree(path)
        yield self.root

    def meet(self, attack: Attack) -> Outcome:
        """Run an input as the command line does and say how it ended."""
        from drumhead import cli

        before, said, self.faults = self._seen(), io.StringIO(), []
        real = cli._dispatch
        dispatch = lambda given: attack.call() if given == ["--attack"] else real(given)  # noqa: E731
        _reset_peak()
        peak, word, text, noise = _peak(), "worked", "", []
        try:
            with (
                mock.patch.object(cli, "_dispatch", dispatch),
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(said),
                warnings.catch_warnings(record=True) as noise,
                _alarm(),
            ):
                warnings.simplefilter("default")
                for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                    warnings.simplefilter("ignore", quiet)  # as Python itself does for users
                self._listens = True
                cli.main(["--attack"])
        except SystemExit as leave:
            text = said.getvalue()
            word = "one sentence, exit 2" if leave.code == 2 else f"EXIT {leave.code}"
        except Hang:
            word, text = "HANG", traceback.format_exc()
        except MemoryError:
            word, text = "MEMORY", traceback.format_exc()
        except BaseException:
            word, text = "TRACEBACK", traceback.format_exc()
        finally:
            self._listens = False
        if noise:  # what Python would print
            said.write("".join(f"{one.category.__name__}: {one.message}\n" for one in noise))
            text = said.getvalue() if word == "one sentence, exit 2" else text
        if word == "one sentence, exit 2" and (why := self._unclear(text, attack.names)):
            word, text = "UNCLEAR", f"{why}: {text}"
        if word == "worked" and said.getvalue():
            word, text = "TRACEBACK" if "Traceback" in said.getvalue() else "NOISE", said.getvalue()
        if self.faults:
            word, text = self.faults[0][0], f"{self.faults[0][1]}; {text}"
        if (grown := _peak() - peak) > MEMORY:
            word, text = "MEMORY", f"{grown / 2**30:.1f} GiB more; {text}"
        if (now := self._seen()) != before:
            changed = sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))
            word, text = "WROTE OUTSIDE", f"{changed[:5]}; {text}"
        return Outcome(word, text.replace(str(self.root), ""))

    def _unclear(self, text: str, names: tuple[str, ...]) -> str:
        """Say what is wrong with a sentence, or nothing; several mistakes of a folder are a line each."""
        if not text.startswith("drumhead: "):
            return "it does not begin with drumhead:"
        text = text.removeprefix("drumhead: ").replace(str(self.root), "").strip("\n")
        lines = text.split("\n")
        listed = re.match(r".* has \d+ mistakes:$", lines[0])
        if len(lines) > 1 and not (listed and all(line.startswith("  ") for line in lines[1:])):
            return "it has more than one line"
        if any(len(line) > LONGEST for line in lines):
            return f"it has {max(map(len, lines))} characters"
        if (
            "Traceback" in text
            or "object at 0x" in text
            or not text.strip()
            or any(ord(c) < 32 for c in text.replace("\n", ""))
        ):
            return "it is no sentence"
        if names and not any(name in text for name in names):
            return "it does not name the file"
        return ""

    def _seen(self) -> dict[str, Any]:
        """Return what lies in the sandbox outside `out` and the home, as far as a write would change it."""
        found = {}
        for place, folders, files in os.walk(self.root):
            if place == str(self.root):
                folders[:] = sorted({*folders} - {"out", "home"})
            for name in (*folders, *files):
                path = os.path.join(place, name)
                about = os.lstat(path)
                found[path] = (about.st_mode, about.st_size, about.st_mtime_ns if name in files else 0)
        return found

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._listens:
            return
        if event == "pickle.find_class":
            self.faults.append(("UNPICKLED", f"{given[0]}.{given[1]}"))
        elif event in OUTSIDE:
            self.faults.append(("STARTED", str(given[0])[:100]))
        elif event == "socket.connect" and isinstance(given[1], tuple) and given[1][0] != "127.0.0.1":
            self.faults.append(("CONNECTED", str(given[1])))
        elif event == "open" and isinstance(given[0], str | bytes | os.PathLike):
            if given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self._inside(given[0])
        elif event in WRITES:
            self._inside(given[1] if event == "os.rename" else given[0])

    def _inside(self, path: Any) -> None:
        """Note a write that is neither in `out`, the home nor a temporary folder."""
        if not isinstance(path, str | bytes | os.PathLike):
            return
        where = os.path.realpath(os.path.dirname(os.path.abspath(os.fsdecode(path))))
        allowed = (str(self.root / "out"), str(self.root / "home"), "/proc")
        in_tmp = where.startswith("/tmp") and not where.startswith(str(self.root))
        if not where.startswith(allowed) and where != "/dev" and not in_tmp and "__pycache__" not in where:
            self.faults.append(("WROTE OUTSIDE", os.fsdecode(path)))


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """Raise `Hang` in the main thread after so much processor time; nothing elsewhere."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise Hang

    old = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Return the most memory that was held since the last reset, in bytes; 0 where that is not told."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0
