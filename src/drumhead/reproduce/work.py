"""Train and measure cells in this process. Several processes can share the work: each takes what nobody holds."""

from collections.abc import Callable
from pathlib import Path

from drumhead.reproduce.plan import Cell
from drumhead.show.terminal import Progress
from drumhead.sweep.work import complete

_SAYS = {"held": ": another process has it", "done already": ": done already"}


def fill(cells: list[Cell], root: Path, progress: Progress, say: Callable[[str], None]) -> int:
    """Train and measure each cell that is not done and that no other process holds; return how many are left.

    Args:
        cells: in this order.
        root: directory of all runs.
        progress: shows each training.
        say: gets a line for each cell.
    """
    left = 0
    for number, cell in enumerate(cells, 1):
        title = f"[{number}/{len(cells)}] {cell}"
        how = complete(cell.item(root), progress, lambda title=title: say(title))
        if how in _SAYS:
            say(title + _SAYS[how])
        left += how == "held"
    return left
