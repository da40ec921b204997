"""What all readers of files share: libraries imported when they are needed, and the choice among several arrays."""

import importlib
from pathlib import Path
from typing import Any

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
