"""The one exception that is the user's to mend."""

from collections.abc import Iterable


class DrumheadError(ValueError):
    """A mistake that the user can mend: the message says what was got, what is allowed and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


def choose(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise `DrumheadError` unless `value` is one of the `allowed` words for the option `name`."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise DrumheadError(f"{name}={value!r} is not known; choose one of {', '.join(map(repr, allowed))}")


def at_least(least: float, value: float, name: str) -> None:
    """Raise `DrumheadError` if `value` is below `least`; `name` is what stands before it, as "--batch " or "steps="."""
    if value < least:
        raise DrumheadError(f"{name}{value}: at least {least} is needed")
