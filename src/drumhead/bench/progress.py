"""What a benchmark shows while it runs: silent by default, a bar in a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from drumhead.show.terminal import bar


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
    """A progress bar for each section; notes stand above it."""

    @contextmanager
    def section(self, name: str, total: int) -> Iterator[None]:
        """Draw the bar until the section ends."""
        with bar(total, name=f"{name:<6}") as self._bar:
            yield

    def tick(self, what: str) -> None:
        """Move the bar."""
        self._bar.move(what)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.note(text)
