"""Your own images: a directory of images and masks with a class list.

    DIR/classes.txt        one class a line; the first is the background, label 0
    DIR/images/NAME.jpg    the images, of any sizes, grey or colour
    DIR/masks/NAME.png     for each image its labels, as numbers or as the colours that classes.txt names

With DIR/train, DIR/val and DIR/test, each with images/ and masks/, the splits are those; otherwise every tenth
image by name goes to test, the one before it to val and the rest to train.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from drumhead.errors import DrumheadError, choose, counted, listed, printable
from drumhead.read.classes import ClassList, read_classes
from drumhead.read.images import SUFFIXES, width_height
from drumhead.read.masks import Colours
from drumhead.tasks.files import Files, headers
from drumhead.tasks.mistakes import Mistake, told
from drumhead.tasks.pairs import Pair, find_pairs
from drumhead.tasks.task import SPLITS, Arrays, Task

MOST = 20  # mistakes that differ and are told


@dataclass(frozen=True, kw_only=True)
class Folder(Task):
    """The task of a directory; its files are read when they are asked for.

    Attributes:
        root: the directory.
        class_list: the classes with their colours.
        splits: the files of each split.
        mistakes: what is wrong with the directory, without looking into its files.
    """

    root: Path
    class_list: ClassList
    splits: dict[str, Files]
    mistakes: list[Mistake] = field(default_factory=list)

    def images(self, split: str) -> Files:
        """Return the images of a split with their masks, read one by one."""
        choose("split", split, SPLITS)
        return self.splits[split]

    def check(self, splits: Iterable[str] = SPLITS, tick: Callable[[str], None] = lambda _: None) -> None:
        """Read every file of some splits once.

        Args:
            splits: which.
            tick: hears the name of each image that was read.

        Raises:
            DrumheadError: one or more files are wrong; each mistake is said once, of more than 20 the first ones.
        """
        _refuse(self.root, [*self.mistakes, *(said for split in splits for said in self.splits[split].mistakes(tick))])

    def warning(self) -> str:
        """Return a line on the classes that no mask of training holds, from which nothing is learned; "" for none."""
        files = self.splits["train"]
        pixels = np.sum([files.classes_in(i) for i in range(len(files))], axis=0)
        lacking = [name for name, count in zip(self.classes[1:], pixels[1:], strict=True) if not count]
        if not lacking:
            return ""
        return printable(
            f"warning: no training mask holds {listed(lacking, 'or')}: were masks written with other values?"
        )

    def stacked(self, split: str) -> Arrays:
        """Return a split whose images are all of one size as two arrays."""
        self.check([split])
        files = self.splits[split]
        if least := next((size for size in files.sizes if size != files.sizes[0]), None):
            raise DrumheadError(
                f"{self.root} has images of {width_height(files.sizes[0])} and of {width_height(least)} pixels, width "
                f"x height, which no array holds; task.images({split!r}) gives one after another"
            )
        images, masks = zip(*files, strict=True)
        return np.stack(images), np.stack(masks)


def task(root: Path) -> Folder:
    """Return the task of a directory; the content of its files is checked by `Folder.check`, or when it is read."""
    if not root.is_dir():
        raise DrumheadError(
            f"{root} is not a directory; the folder task needs one with classes.txt, images/ and masks/"
        )
    if not (root / "classes.txt").exists() and not any(_has_images(root / split) for split in ("", *SPLITS)):
        raise DrumheadError(
            f"{root} has no images: put them in {root / 'images'}, masks of their names in {root / 'masks'}, and one "
            "class a line, the background first, in classes.txt; or make train/, val/ and test/, each with images/ and "
            "masks/"
        )
    classes = read_classes(root / "classes.txt")
    pairs, mistakes = _splits(root)
    opened = {split: headers(found) for split, found in pairs.items()}
    mistakes += [said for *_, wrong in opened.values() for said in wrong]
    if not all(good for good, *_ in opened.values()):
        _refuse(root, mistakes)
    channels = 1 if all(grey for _, _, grey, _ in opened.values()) else 3
    seen: Colours = {}
    files = {split: Files(good, classes, channels, sizes, seen) for split, (good, sizes, *_) in opened.items()}
    every = {size for split in files.values() for size in split.sizes}
    made = Folder(
        "folder", classes.names, channels, every.pop() if len(every) == 1 else None, True,
        lambda split: made.stacked(split), root=root, class_list=classes, splits=files, mistakes=mistakes,
    )  # fmt: skip
    return made


def _has_images(base: Path) -> bool:
    """Say whether a directory has an image in images/."""
    return any(path.suffix.lower() in SUFFIXES for path in (base / "images").glob("[!.]*"))


def _splits(root: Path) -> tuple[dict[str, list[Pair]], list[Mistake]]:
    """Return the image and mask files of each split, sorted by name, and what is wrong with them."""
    fixed = [name for name in SPLITS if (root / name).is_dir()]
    if fixed and (len(fixed) < len(SPLITS) or (root / "images").is_dir()):
        raise DrumheadError(
            f"{root} holds {', '.join(fixed)}; either all of {', '.join(SPLITS)} are needed and no images beside them, "
            "or none of them"
        )
    if fixed:
        found = {split: find_pairs(root / split) for split in SPLITS}
        wrong = [said for _, mistakes in found.values() for said in mistakes]
        return {split: pairs for split, (pairs, _) in found.items()}, wrong
    pairs, mistakes = find_pairs(root)
    if len(pairs) < len(SPLITS):
        _refuse(root, mistakes)
        raise DrumheadError(
            f"{root / 'images'} holds {counted(len(pairs), 'image')}; at least 3 are needed for three splits"
        )
    period = min(10, len(pairs))
    kept = {period - 2: "val", period - 1: "test"}
    splits = {name: [pair for i, pair in enumerate(pairs) if kept.get(i % period, "train") == name] for name in SPLITS}
    return splits, mistakes


def _refuse(root: Path, mistakes: list[Mistake]) -> None:
    """Raise what is wrong, a line for each mistake that differs from the others."""
    lines = told(mistakes)
    if len(lines) == 1:
        raise DrumheadError(lines[0])
    if lines:
        more = f"\n  and {len(lines) - MOST} more" if len(lines) > MOST else ""
        shown = "".join(f"\n  {said}" for said in lines[:MOST])
        raise DrumheadError(f"{root} has {len(mistakes)} mistakes:{shown}{more}")
