"""What a benchmark shows while it runs: silent by default, a bar in a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Shows nothing; the base of what does."""

    @contextmanager
    def section(self, name: str, total: int) -> Iterator[None]:
        """Be visible during a section of about `total` ticks."""
        yield

    def tick(self, what: str) -> None:
        """Report that one piece of work is done."""

    def note(self, text: str) -> None:
        """Report something that the reader has to know, such as what is left out."""


class Bar(Progress):
    """A rich progress bar for each section; notes stand above it."""

    @contextmanager
    def section(self, name: str, total: int) -> Iterator[None]:
        """Draw the bar until the section ends."""
        from rich import progress

        columns = (
            progress.TextColumn(f"{name:<6}"),
            progress.BarColumn(bar_width=24),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.description}"),
        )
        with progress.Progress(*columns) as self._bar:
            self._task = self._bar.add_task("", total=total)
            yield
            done = self._bar.tasks[0].completed  # what was left out is not owed
            self._bar.update(self._task, total=done, description="")

    def tick(self, what: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=1, description=what)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)
