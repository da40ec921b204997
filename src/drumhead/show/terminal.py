"""What a terminal shows: tables, and a bar while there is work."""

from collections.abc import Iterator
from contextlib import contextmanager

from drumhead.show.pages import Grid


def print_table(grid: Grid, left: int = 1) -> None:
    """Print a table whose first `left` columns are words and the others numbers; no word is taken for markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(), Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(grid.columns):
        words = i < left  # which keep their width as long as the numbers have room; nothing is cut
        table.add_column(Text(column), justify="left" if words else "right", overflow="fold", no_wrap=words)
    for row in grid.rows:
        table.add_row(*map(Text, row))
    if grid.title:
        console.print(grid.title, markup=False, highlight=False)  # a table would break it at its own width
    console.print(table)


class Progress:
    """Shows nothing; the base of what does."""

    @contextmanager
    def section(self, total: int, done: int = 0, name: str = "") -> Iterator[None]:
        """Be visible during about `total` pieces of work."""
        yield

    def tick(self, words: str, done: int | None = None) -> None:
        """Report one more piece of work, or `done` of them, and say what is being done."""

    def note(self, text: str) -> None:
        """Report something that a reader has to know."""


class Bar(Progress):
    """A bar for each section, with the time spent and the time left; notes stand above it."""

    @contextmanager
    def section(self, total: int, done: int = 0, name: str = "") -> Iterator[None]:
        """Draw the bar until the section ends."""
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
        with progress.Progress(*columns) as self._bar:
            self._task = self._bar.add_task("", total=total, completed=done)
            yield
            done = int(self._bar.tasks[0].completed)  # what was left out is not owed
            self._bar.update(self._task, total=done, description="")

    def tick(self, words: str, done: int | None = None) -> None:
        """Move the bar."""
        self._bar.update(self._task, description=words, completed=done, advance=1 if done is None else None)

    def note(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        print(text, flush=True)  # while a bar is drawn, its own stream takes what is printed
