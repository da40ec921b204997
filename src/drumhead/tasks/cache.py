"""Arrays that are drawn once and then read: memory-mapped files in the user's cache, which may be deleted at any time.

A file is named after the data and after a hash of the code that draws it, so what other code drew is never taken. It
gets its name when it is whole. Of processes that ask for the same at once, one draws and the others wait for it.
"""

import contextlib
import functools
import hashlib
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from drumhead.files import cache_dir, hold, write_atomic

SHARED = Path(__file__).with_name("task.py")  # which says how many images there are, whatever draws them
_LOOK = 0.1  # seconds between two looks at whether another process has drawn them
_unwritten: dict[tuple[str, ...], list[np.ndarray]] = {}  # where there is no cache, for the rest of the process


def kept(names: Sequence[str], draw: Callable[[], Sequence[np.ndarray]], *sources: str) -> list[np.ndarray]:
    """Return arrays as they were drawn the first time; changes to them stay with the caller.

    Args:
        names: of the arrays, with all settings that define them.
        draw: makes them all.
        sources: the files of the code that `draw` runs.
    """
    paths = [cache_dir() / "tasks" / f"{name}-{_digest(sources)}.npy" for name in names]
    key = tuple(map(str, paths))
    if key in _unwritten:
        return _unwritten[key]
    while True:
        if found := _read(paths):
            return found
        with contextlib.ExitStack() as stack:
            try:
                mine = stack.enter_context(hold(paths[0].with_name(f".{paths[0].stem}.lock")))
            except OSError:  # a place that cannot be written: there is nothing to share
                mine = True
            if mine:  # and perhaps drawn by the one that had it
                return _read(paths) or _drawn(paths, draw)
        time.sleep(_LOOK)


def _read(paths: Sequence[Path]) -> list[np.ndarray]:
    """Return the arrays of files, whose pages are read when they are looked at; none if one is missing or damaged."""
    with contextlib.suppress(Exception):  # not there, or damaged, which can raise anything
        return [_mapped(path) for path in paths]
    return []


def _drawn(paths: Sequence[Path], draw: Callable[[], Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Draw the arrays and write them."""
    drawn = list(draw())
    try:
        for path, array in zip(paths, drawn, strict=True):
            content = io.BytesIO()
            np.save(content, array)
            write_atomic(path, content.getbuffer())
    except OSError:  # a place that cannot be written, or is full
        for array in drawn:
            array.setflags(write=False)  # shared from now on
        _unwritten[tuple(map(str, paths))] = drawn
    return drawn


def _mapped(path: Path) -> np.ndarray:
    """Return an array whose pages are read when they are looked at."""
    found = np.load(path, mmap_mode="c", allow_pickle=False)
    if not isinstance(found, np.ndarray):  # several in a .npz, which nothing here writes
        found.close()
        raise ValueError(path)
    return np.asarray(found)


@functools.cache
def _digest(sources: tuple[str, ...]) -> str:
    """Return a hash of files, of what all tasks share, and of NumPy's version, whose random streams may change."""
    hashes = [hashlib.sha256(Path(source).read_bytes()).hexdigest() for source in (SHARED, *sources)]
    return hashlib.sha256("".join([np.__version__, *hashes]).encode()).hexdigest()[:16]
