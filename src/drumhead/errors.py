"""The one exception that is the user's to mend."""

import math
import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real


class DrumheadError(ValueError):
    """A mistake that the user can mend: the message says what was got, what is allowed and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


def choose(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise `DrumheadError` unless `value` is one of the `allowed` words for the option `name`."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise DrumheadError(f"{name}={shown(value)} is not known; choose one of {', '.join(map(repr, allowed))}")


def at_least(least: float, value: float, name: str) -> None:
    """Raise `DrumheadError` if `value` is below `least`; `name` is what stands before it, as "--batch " or "steps="."""
    if value < least:
        raise DrumheadError(f"{name}{value}: at least {least} is needed")


def shown(value: object, most: int = 80) -> str:
    """Return how a value is written, cut where it is longer than `most` characters.

    Example:
        >>> shown("tanh"), shown("x" * 999, 10)
        ("'tanh'", "'xxxxxx...")
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # whole numbers of thousands of digits, which Python does not write
        return f"something too long to write of the type {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(words: Sequence[str], last: str = "and", most: int = 5) -> str:
    """Return words as a sentence has them; of more than `most`, how many others there are.

    Example:
        >>> listed(["3", "4", "5"]), listed(["cell", "nucleus"], "or"), listed([*"abcdef"], most=2)
        ('3, 4 and 5', 'cell or nucleus', 'a, b and 4 others')
    """
    if len(words) > most + 1:
        words = [*words[:most], f"{len(words) - most} others"]
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def counted(number: int, word: str) -> str:
    """Return a number of things.

    Example:
        >>> counted(1, "image"), counted(3, "class")
        ('1 image', '3 classes')
    """
    return f"{number} {word}{'' if number == 1 else 'es' if word.endswith('s') else 's'}"


def reason(error: BaseException, most: int = 160) -> str:
    r"""Return the first line of what a library says, its middle cut out where it is longer than `most` characters.

    Example:
        >>> reason(OSError("damaged\nin two lines")), reason(MemoryError())
        ('damaged', 'MemoryError')
    """
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    line = re.sub(r" at 0x[0-9a-f]+", "", line)
    half = (most - 5) // 2  # what is wrong may stand at either end
    return line if len(line) <= most else f"{line[:half]} ... {line[-half:]}"


def printable(message: str) -> str:
    r"""Return a message for a terminal: what steers one, as names of files can, is written out.

    A line of a list begins with two spaces; all other ends of lines are part of a name.

    Example:
        >>> print(printable("a\nb.png and \x1b[2J has 2 mistakes:\n  one\n  two"))
        a\nb.png and \x1b[2J has 2 mistakes:
          one
          two
    """
    message = re.sub(r"\n(?!  )", r"\\n", message)
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], message)


_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


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
