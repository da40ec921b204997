"""Files that are whole or not there at all."""

import contextlib
import math
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file beside its place, then rename it: a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Hold a file, made for it, that one process can hold at a time; yield False if another one does.

    The kernel lets go of it when its process ends in any way. Where files cannot be locked, that is said and not more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            import fcntl

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
