"""Signals that ask a training to end, or a launcher to end its trainings."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping


@contextlib.contextmanager
def handling(handlers: Mapping[int, Callable[[int, object], None]]) -> Iterator[None]:
    """Handle signals so meanwhile; outside the main thread they stay as they are.

    Args:
        handlers: by number, each called with the number and a frame.
    """
    old = {}
    try:
        with contextlib.suppress(ValueError):  # not the main thread
            for number, handler in handlers.items():
                old[number] = signal.signal(number, handler)
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)


def interrupting(*numbers: int, unless: Callable[[], bool] = lambda: False) -> contextlib.AbstractContextManager[None]:
    """Take signals for interrupts meanwhile, which carry the name of the signal.

    Args:
        numbers: of the signals.
        unless: asked when one comes; the signal is let pass if it says yes.

    Example:
        >>> try:
        ...     with interrupting(signal.SIGTERM):
        ...         signal.raise_signal(signal.SIGTERM)
        ... except KeyboardInterrupt as stop:
        ...     print(stop)
        SIGTERM
    """

    def interrupt(number: int, _frame: object) -> None:
        if not unless():
            raise KeyboardInterrupt(signal.Signals(number).name)

    return handling(dict.fromkeys(numbers, interrupt))


@contextlib.contextmanager
def asked_to_stop(several: bool = False) -> Iterator[list[int]]:
    """Collect signals that ask to end, so that the loop can stop between two steps; raise with the first one's name.

    They are interrupt, terminate, and USR1, which schedulers send before a job's time is over. A second interrupt stops
    at once; the others do not, for whoever started the process may send one after an interrupt that all got. Nor does
    it where there are several processes: a terminal and torchrun both send one, and torchrun ends what does not stop.

    Args:
        several: whether this is one of several processes that train together.

    Yields:
        The numbers of the signals that came, which grows.
    """
    seen: list[int] = []

    def note(number: int, _frame: object) -> None:
        if seen and number == signal.SIGINT and not several:
            raise KeyboardInterrupt
        seen.append(number)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    try:
        with handling(dict.fromkeys((getattr(signal, name) for name in names), note)):
            yield seen
        if seen:  # after the loop's last look, as while the last epoch was validated
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise KeyboardInterrupt(*(signal.Signals(number).name for number in seen[:1])) from None
