"""What all readers of files share: libraries imported when they are needed, and the choice among several arrays."""

import importlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError

SHOWN = 12  # arrays named at most


def load(name: str, path: Path) -> Any:
    """Import a library that reads a file, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise DrumheadError(
            f'{path.name}: {name} reads it and is not installed; pip install "drumhead[neuro]"'
        ) from None


def fits(
    name: str, shape: Sequence[int], dtype: Any, advice: str = "read a part with start= and stop= (--start, --stop)"
) -> None:
    """Refuse to read what is larger than this machine's memory: a few bytes of a file can claim any size.

    Args:
        name: of the file.
        shape: of what is read.
        dtype: of its numbers.
        advice: what to do.

    Raises:
        DrumheadError: it is larger.
    """
    try:
        most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not told on every system
        return
    asked = math.prod(shape) * np.dtype(dtype).itemsize
    if asked > most:
        raise DrumheadError(
            f"{name}: {asked / 2**30:,.0f} GiB are asked for, and this machine has {most / 2**30:,.0f}; {advice}"
        )


def choose_series(path: Path, found: dict[str, Any], series: str | None) -> str:
    """Return the one array, or the one that was named."""
    if series is None and len(found) == 1:
        return next(iter(found))
    if series in found:
        return str(series)
    if not found:
        raise DrumheadError(
            f"{path.name} holds no recording: an array of real numbers, (time, y, x) or (time, channel), is needed"
        )
    names = ", ".join(f"{name} {tuple(found[name].shape)}" for name in sorted(found)[:SHOWN])
    if len(found) > SHOWN:
        names += f" and {len(found) - SHOWN} more"
    what = "has several arrays" if series is None else f"has no series {series!r}"
    raise DrumheadError(f"{path.name} {what}; choose one with series= (--series): {names}")
