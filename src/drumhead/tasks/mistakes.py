"""What is wrong with the files of a folder: the same mistake of many files is said once."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMED = 3  # files of one mistake that are named


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a file.

    Attributes:
        file: the file, with which the text begins.
        kind: "image" or "mask".
        text: what is said of it.
        others: the file that belongs to it, which the text may name.
    """

    file: Path
    kind: str
    text: str
    others: tuple[Path, ...] = ()

    @property
    def same(self) -> str:
        """What is said of all files that have this mistake: without the file, and NAME for its name."""
        text = self.text.removeprefix(str(self.file))
        for path in self.others:
            text = text.replace(str(path), str(path.with_name(f"NAME{path.suffix}")))
        return text

    @property
    def alike(self) -> str:
        """What is said of all files whose mistakes differ in numbers and colours alone."""
        text = re.sub(r"#[0-9a-f]{6}|\d+", "0", self.same)
        return re.sub(r"(label|colour)s? 0((, | and )0( others)?)*", r"\1 0", text)


def of_pair(text: str, image: Path, mask: Path) -> Mistake:
    """Return what reading an image and its mask said: of which of them, its beginning tells."""
    if text.startswith(str(mask)):
        return Mistake(mask, "mask", text, (image,))
    return Mistake(image, "image", text, (mask,))


def told(mistakes: Sequence[Mistake]) -> list[str]:
    """Return a line for each mistake that differs from all others.

    Example:
        >>> told([Mistake(Path(f"masks/{i}.png"), "mask", f"masks/{i}.png is empty") for i in range(5)])
        ['each of 5 masks in masks (0.png, 1.png, 2.png, ...) is empty']
    """
    lines = []
    for group in _grouped(mistakes):
        first, *more = group
        if not more:
            lines.append(first.text)
        elif len({one.same for one in group}) == 1:
            base, names = _names([one.file for one in group])
            lines.append(f"each of {len(group)} {first.kind}s in {base} ({names}){first.same}")
        else:
            base, names = _names([one.file for one in more])
            lines.append(f"{first.text}; likewise, with numbers of their own, {len(more)} more in {base} ({names})")
    return lines


def _grouped(mistakes: Iterable[Mistake]) -> list[list[Mistake]]:
    """Return mistakes that are alike together, in the order in which each kind came first."""
    groups: dict[tuple[str, str], list[Mistake]] = {}
    for one in mistakes:
        groups.setdefault((one.kind, one.alike), []).append(one)
    return list(groups.values())


def _names(files: Sequence[Path]) -> tuple[str, str]:
    """Return the directory that holds all files, and the names of the first ones in it."""
    base = os.path.commonpath([file.parent for file in files])
    names = [os.path.relpath(file, base) for file in files[:NAMED]]
    return base, ", ".join([*names, *["..."] * (len(files) > NAMED)])
