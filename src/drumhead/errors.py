"""The one exception that is the user's to mend."""

import math
from collections.abc import Iterable
from numbers import Integral, Real


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


def options(arguments: Iterable[str]) -> set[str]:
    """Return the options that a command line names, as in `--train.weight-decay`."""
    return {word.partition("=")[0].replace("_", "-") for word in arguments if word.startswith("--")}


def none_ignored(ignored: Iterable[str], by: str) -> None:
    """Raise `DrumheadError` if there are options that would be `ignored`; `by` says what ignores them."""
    if ignored := sorted(ignored):
        raise DrumheadError(f"{by} would ignore {', '.join(ignored)}; leave out one or the other")


def positive(name: str, value: float) -> float:
    """Return a finite number above zero, or refuse it."""
    if not (isinstance(value, Real) and 0 < value < math.inf):
        raise DrumheadError(f"{name}={value!r}: a finite number above zero is needed")
    return float(value)


def whole(name: str, value: int, least: int = 1) -> int:
    """Return a whole number of at least `least`, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise DrumheadError(f"{name}={value!r}: a whole number of at least {least} is needed")
    return int(value)
