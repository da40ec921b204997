"""What a training shows: silent by default, a bar with loss, foreground accuracy and time left in a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drumhead.show.terminal import bar

if TYPE_CHECKING:
    from drumhead.learn.run import Run


class Progress:
    """Shows nothing; the base of what does."""

    def prepare(self, task: str) -> None:
        """Report that the images of a task are about to be made or read."""

    @contextmanager
    def show(self, run: "Run", total: int, done: int) -> Iterator[None]:
        """Be visible while a training runs; `total` and `done` count steps."""
        yield

    def advance(self, done: int, loss: float, foreground_accuracy: float) -> None:
        """Report the steps done and the newest batch."""

    def epoch(self, row: dict[str, Any]) -> None:
        """Report the row of metrics of an epoch."""

    def finished(self, run: "Run", epochs: int) -> None:
        """Report that there is nothing left to do."""


class Bar(Progress):
    """A progress bar and a line an epoch."""

    def prepare(self, task: str) -> None:
        """Say so: it can take half a minute."""
        print(f"preparing the images of {task}", flush=True)

    @contextmanager
    def show(self, run: "Run", total: int, done: int) -> Iterator[None]:
        """Draw the bar until the training ends."""
        with bar(total, done) as self._bar:
            self._bar.note(f"{'going on' if done else 'training'} in {run.path}")
            yield

    def advance(self, done: int, loss: float, foreground_accuracy: float) -> None:
        """Move the bar."""
        self._bar.move(f"loss {loss:.4f}  fg acc {foreground_accuracy:.3f}", done)

    def epoch(self, row: dict[str, Any]) -> None:
        """Print the epoch's line above the bar."""
        unstable = ""
        if row["courant"] is not None and not row["courant"] <= 1:
            unstable = f"\nUNSTABLE, courant {row['courant']:.2f} is above 1: lower dt or set model.courant"
        self._bar.note(
            f"epoch {row['epoch']:>3}  {row['seconds']:>7.0f} s  loss {row['train_loss']:.4f}  "
            f"val loss {row['val_loss']:.4f}  fg acc {row['val_foreground_accuracy']:.4f}  "
            f"dice {row['val_dice']:.4f}{unstable}"
        )

    def finished(self, run: "Run", epochs: int) -> None:
        """Say so in a line."""
        print(f"{run.path} has finished already: {epochs} epochs")
