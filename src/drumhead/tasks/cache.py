"""Arrays that are drawn once and then read: memory-mapped files in the user's cache, which may be deleted at any time.

A file is named after the data and after a hash of the code that draws it, so what other code drew is never taken. It
gets its name when it is whole; processes that draw the same at once each put it in place.
"""

import contextlib
import functools
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from drumhead.files import cache_dir, write_atomic

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
    with contextlib.suppress(Exception):  # not there, or damaged, which can raise anything
        return [_mapped(path) for path in paths]
    drawn = list(draw())
    try:
        for path, array in zip(paths, drawn, strict=True):
            content = io.BytesIO()
            np.save(content, array)
            write_atomic(path, content.getbuffer())
    except OSError:  # a place that cannot be written, or is full
        for array in drawn:
            array.setflags(write=False)  # shared from now on
        _unwritten[key] = drawn
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
    """Return a hash of files and of NumPy's version, whose random streams may change."""
    hashes = [hashlib.sha256(Path(source).read_bytes()).hexdigest() for source in sources]
    return hashlib.sha256("".join([np.__version__, *hashes]).encode()).hexdigest()[:16]
