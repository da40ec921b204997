"""What a terminal shows: tables, and a bar while there is work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drumhead.show.pages import Grid

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def print_table(grid: Grid, left: int = 1) -> None:
    """Print a table whose first `left` columns are words and the others numbers; no word is taken for markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(), Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(grid.columns):
        table.add_column(Text(column), justify="left" if i < left else "right")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    if grid.title:
        console.print(grid.title, markup=False, highlight=False)  # a table would break it at its own width
    console.print(table)


class Bar:
    """How far work has come; see `bar`."""

    def __init__(self, progress: "Progress", task: "TaskID"):
        self._progress, self._task = progress, task

    def move(self, words: str, done: int | None = None) -> None:
        """Say what is being done, and go on by one or to `done`."""
        self._progress.update(self._task, description=words, completed=done, advance=1 if done is None else None)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)


@contextmanager
def bar(total: int, done: int = 0, name: str = "") -> Iterator[Bar]:
    """Draw a bar for `total` pieces of work while in the block, with the time spent and the time left."""
    from rich import progress

    columns = (
        progress.TextColumn(name),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.TimeElapsedColumn(),
        progress.TextColumn("ETA"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns) as shown:
        task = shown.add_task("", total=total, completed=done)
        yield Bar(shown, task)
        shown.update(task, total=shown.tasks[0].completed, description="")  # what was left out is not owed
