"""Files that are whole or not there at all."""

import contextlib
import errno
import json
import math
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from drumhead.errors import DrumheadError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomic(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file beside its place, then rename it: a reader sees the old content or the new, never a part.

    What a killed process left beside it is cleared away; what another process is writing there is not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    _clear(path)
    beside, file = _beside(path)
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":
                file.close()  # an open file keeps its name there
            beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from None  # the name that the user knows
        raise


def _beside(path: Path) -> tuple[Path, BinaryIO]:
    """Return a new hidden file beside `path` that is locked, so that nobody takes it for a killed process's."""
    while True:
        beside = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex}")
        try:
            file = beside.open("xb")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        with contextlib.suppress(ImportError, OSError):  # where files cannot be locked, none is cleared away
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        if beside.exists():  # it was not cleared away before it was locked
            return beside, file
        file.close()


def _clear(path: Path) -> None:
    """Remove what killed processes left of `path`: hidden files that nobody has locked."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        left = re.compile(rf"\.{re.escape(path.name[:40])}\.[0-9a-f]{{32}}")
        for beside in [path.with_name(name) for name in os.listdir(path.parent) if left.fullmatch(name)]:
            with contextlib.suppress(OSError), beside.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                beside.unlink(missing_ok=True)


@contextlib.contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Hold a file, made for it, that one process can hold at a time; yield False if another one does.

    The kernel lets go of it when its process ends in any way. Where files cannot be locked, that is said and not more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)  # `held` perhaps, which looks for a moment
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.path.samestat(os.fstat(file.fileno()), path.stat())  # not one that was just given up
        except (BlockingIOError, FileNotFoundError):
            mine = False
        except (ImportError, OSError) as error:
            print(f"drumhead: {path} cannot be locked ({error}): let no other process work there", file=sys.stderr)
            mine = True
        try:
            yield mine
        finally:
            if mine:
                path.unlink(missing_ok=True)


def check_writable(out: Path) -> None:
    """Raise `DrumheadError` if a directory cannot be made or written."""
    there = next(place for place in (out, *out.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "cannot be written to" if there.is_dir() else "is a file, not a directory"
        raise DrumheadError(f"{there} {what}; choose another place with --out")


def held(path: Path) -> bool:
    """Say whether a process holds a file (`hold`); where files cannot be locked, whether the file is there.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / ".lock"
        >>> with hold(path):
        ...     held(path)
        True
        >>> held(path)
        False
    """
    try:
        with path.open("r+") as file:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return path.exists()


@contextlib.contextmanager
def report_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder in `out` for the files of a report, which get their places there when all are written.

    One process at a time has it. If work on the report fails, or its disk is full, what was in `out` before stays as it
    is. A JSON file, which programs read, goes first and comes last: while it is there the others belong to it, even if
    the process is killed between two renames. What a killed process left is cleared away by the next one.

    Args:
        out: made if it does not exist.

    Raises:
        DrumheadError: `out` cannot be made, another process writes there, or there is no room.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "out"
        >>> with report_folder(out) as folder:
        ...     write_atomic(folder / "report.md", "all is well")
        >>> [path.name for path in out.iterdir()]
        ['report.md']
    """
    new, folder = not out.exists(), out / ".unfinished"
    try:
        with hold(out / ".lock") as mine:
            if not mine:
                raise DrumheadError(f"{out}: another process writes there; wait until it ends, or choose another --out")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                yield folder
                _move_all(folder, out)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DrumheadError(
            f"{out}: {os.strerror(error.errno)}, so nothing was written there; make room, or choose another --out"
        ) from None
    finally:
        if new:
            with contextlib.suppress(OSError):
                out.rmdir()  # unless there is something in it


@contextlib.contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `out` that takes the place of `out` in one step when all is in it.

    One process at a time has it. If the work fails or is killed, `out` stays as it was, or absent. What a killed
    process left is cleared away by the next one.

    Args:
        out: a folder that may go, or does not exist.

    Raises:
        DrumheadError: another process writes there, it cannot be written, or there is no room.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "out"
        >>> with whole_folder(out) as folder:
        ...     _ = (folder / "model.onnx").write_bytes(b"weights")
        ...     print(out.exists())
        False
        >>> [path.name for path in out.iterdir()], [path.name for path in out.parent.iterdir()]
        (['model.onnx'], ['out'])
    """
    new, old, lock = (out.with_name(f".{out.name[:200]}.drumhead-{word}") for word in ("new", "old", "lock"))
    with contextlib.ExitStack() as stack:
        with _writing(out):
            if not stack.enter_context(hold(lock)):
                raise DrumheadError(f"{out}: another process writes it; wait until it ends, or choose another place")
            if old.exists() and not out.exists():
                old.rename(out)  # a process was killed between two names
            for left in (new, old):
                shutil.rmtree(left, ignore_errors=True)
                stack.callback(shutil.rmtree, left, ignore_errors=True)
            new.mkdir()
        try:
            yield new
        except OSError as error:
            if error.errno not in FULL:  # of some other file, which the caller knows
                raise
            with _writing(out):
                raise
        with _writing(out):
            _sync(new)
            if not (out.exists() and _exchange(new, out)):
                with contextlib.suppress(FileNotFoundError):
                    out.rename(old)
                new.rename(out)


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Say of what fails inside that `out` cannot be written."""
    try:
        yield
    except OSError as error:
        advice = "make room" if error.errno in FULL else "choose another place"
        raise DrumheadError(f"{out} cannot be written: {error.strerror or error}; {advice}") from None


def _sync(folder: Path) -> None:
    """Have all files of a folder on the disk before the folder gets its name."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step, where the system can; Python has no call for it."""
    import ctypes

    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux
        return False
    here, exchange = -100, 2
    return rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


def _move_all(folder: Path, out: Path) -> None:
    """Move all files of a folder to their places, JSON last; old JSON goes first."""
    names = sorted((path.name for path in folder.iterdir()), key=lambda name: (name.endswith(".json"), name))
    for name in names:
        if name.endswith(".json"):
            (out / name).unlink(missing_ok=True)
    for name in names:
        (folder / name).replace(out / name)


def from_json(text: str | bytes) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: it is not JSON, or nested too deeply to be read.

    Example:
        >>> from_json("[1, 2]")
        [1, 2]
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        ValueError: it is not text, not JSON, nested too deeply, or no object.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "about.json"
        >>> write_atomic(path, '{"seed": 1}')
        >>> read_json(path)
        {'seed': 1}
    """
    return _object(path.read_bytes())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file that has one a line; none if the file is not there.

    Raises:
        ValueError: a line is not JSON, nested too deeply, or no object.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [_object(line) for line in lines]


def _object(text: bytes) -> dict[str, Any]:
    found = from_json(text)
    if not isinstance(found, dict):
        raise ValueError("an object in braces is needed")
    return found


def without_nan(value: Any) -> Any:
    """Return the value with None in place of each number that is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cache_dir() -> Path:
    """Return the user's cache directory: $XDG_CACHE_HOME/drumhead or ~/.cache/drumhead.

    A user without a home, as in some containers, has a place below a file: nothing is there, and nothing can be put.
    """
    if root := os.environ.get("XDG_CACHE_HOME"):
        return Path(root) / "drumhead"
    try:
        return Path.home() / ".cache" / "drumhead"
    except RuntimeError:
        return Path(os.devnull) / "drumhead"
