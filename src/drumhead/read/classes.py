"""The class list: which number or colour of a mask means what.

A line is a class, the first the background. Masks hold the numbers 0, 1, 2, ... of the lines; or every line ends in the
colour that shows the class, as in `cell #ff0000`. A line `ignore 255`, or `ignore #rrggbb`, says which pixels count
nowhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drumhead.errors import DrumheadError, counted, shown

IGNORE = 255
"""The label of pixels that count in no loss and no score, in every mask that drumhead has read."""

_COLOUR = re.compile(r"(.*\S)\s+#([0-9a-fA-F]{6})")
_IGNORE = re.compile(r"ignore(?:\s+(?:#([0-9a-fA-F]{6})|(\d+)))?")


@dataclass(frozen=True)
class ClassList:
    """The classes of a data set and how its masks show them.

    Attributes:
        names: of each label, the background first.
        colours: of each label, 0xrrggbb; empty where masks hold the labels themselves.
        ignored: the colour, or without colours the value, of pixels that count nowhere; None if there is none.
    """

    names: tuple[str, ...]
    colours: tuple[int, ...] = ()
    ignored: int | None = None

    def text(self) -> str:
        """Return the lines that `parse` reads."""
        colours = self.colours or (None,) * len(self.names)
        lines = [_line(name, colour) for name, colour in zip(self.names, colours, strict=True)]
        if self.ignored is not None:
            lines.append(_line("ignore", self.ignored) if self.colours else f"ignore {self.ignored}")
        return "\n".join(lines)

    def table(self) -> list[tuple[int, ...]]:
        """Return red, green and blue of each class, 0 to 255."""
        return [tuple(colour.to_bytes(3, "big")) for colour in self.colours]


def _line(name: str, colour: int | None) -> str:
    return name if colour is None else f"{name} #{colour:06x}"


def read_classes(path: Path) -> ClassList:
    """Read classes.txt."""
    try:
        return parse(path.read_text("utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError):
        raise DrumheadError(f"{path} is missing or not text; it names one class a line, the background first") from None


def parse(text: str, where: str) -> ClassList:
    r"""Return the class list of a text.

    Args:
        text: one class a line, `NAME` or `NAME #rrggbb`, and at most one line `ignore VALUE` or `ignore #rrggbb`.
        where: what a mistake is said of.

    Raises:
        DrumheadError: a line that is blank, says something again or mixes numbers and colours.

    Example:
        >>> parse("background #000000\ncell #ff0000\nignore #ffffff", "classes.txt")
        ClassList(names=('background', 'cell'), colours=(0, 16711680), ignored=16777215)
    """
    names: list[str] = []
    colours: list[int] = []
    ignored = None
    for number, line in enumerate(map(str.strip, text.rstrip().splitlines()), 1):  # blank lines at the end name nothing
        if found := _IGNORE.fullmatch(line):
            if ignored or not (found[1] or found[2]):
                what = "ignores a second value" if ignored else "is 'ignore' alone"
                raise DrumheadError(
                    f"{where}: line {number} {what}; one line 'ignore 255' or 'ignore #rrggbb' is meant"
                )
            ignored = found
            continue
        if found := _COLOUR.fullmatch(line):
            line = found[1]
            colours.append(int(found[2], 16))
        if not line or line in names:
            what = f"names {shown(line)} again" if line else "is blank"
            raise DrumheadError(
                f"{where}: line {number} {what}; each line names the class of one label, {len(names)} here"
            )
        names.append(line)
    if not 2 <= len(names) <= IGNORE:
        raise DrumheadError(
            f"{where} names {counted(len(names), 'class')}; 2 to {IGNORE} are possible, the background first"
        )
    if colours and len(colours) < len(names):
        raise DrumheadError(
            f"{where} gives {len(colours)} of {len(names)} classes a colour; give each one, as in 'cell #ff0000', or "
            "none, if masks hold labels"
        )
    every = [*colours, *([int(ignored[1], 16)] if colours and ignored and ignored[1] else [])]
    if len(set(every)) < len(every):
        again = next(colour for i, colour in enumerate(every) if colour in every[:i])
        raise DrumheadError(f"{where} gives the colour #{again:06x} twice; each class needs its own")
    return ClassList(tuple(names), tuple(colours), _ignored(ignored, len(names), bool(colours), where))


def _ignored(found: re.Match[str] | None, classes: int, coloured: bool, where: str) -> int | None:
    if found is None:
        return None
    if coloured != bool(found[1]):
        raise DrumheadError(
            f"{where}: {shown(found[0])} beside classes {'with' if coloured else 'without'} colours; "
            f"{'a colour, as in #ffffff,' if coloured else 'a value, as in 255,'} is needed"
        )
    value = int(found[1], 16) if coloured else int(found[2])
    if not coloured and value < classes:
        raise DrumheadError(f"{where}: {shown(found[0])} is the label of a class; ignore a value of {classes} or more")
    return value


def class_names(names: Sequence[str], count: int) -> list[str]:
    """Return names of classes, the background first: these, or numbers where they are not as many as there are classes.

    Example:
        >>> class_names(["background", "cell"], 2), class_names([""], 3)
        (['background', 'cell'], ['background', 'class 1', 'class 2'])
    """
    return [*names] if len(names) == count else ["background", *(f"class {i}" for i in range(1, count))]
