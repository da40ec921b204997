"""Image files with their masks, read when they are asked for; what was read last stays in memory."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.read.classes import ClassList
from drumhead.read.images import look, read_image, width_height
from drumhead.read.masks import Colours, read_mask
from drumhead.tasks.mistakes import Mistake, of_pair
from drumhead.tasks.pairs import Pair

CACHE = 2**29  # bytes of images and masks of a split that are kept
Size = tuple[int, int]
Example = tuple[np.ndarray, np.ndarray]


class Files(Sequence[Example]):
    """The images of a split: `files[i]` is an image uint8 (y, x, k) with its mask uint8 (y, x), not to be written to.

    Args:
        pairs: the files.
        classes: what the masks show.
        channels: 1 for grey, 3 for colour.
        sizes: height and width of each image.
        seen: the colours of labels in the masks that were read before, here or in other splits.
    """

    def __init__(self, pairs: list[Pair], classes: ClassList, channels: int, sizes: list[Size], seen: Colours):
        self.pairs, self.classes, self.channels, self.sizes, self._seen = pairs, classes, channels, sizes, seen
        self._kept: OrderedDict[int, Example] = OrderedDict()
        self._bytes = 0
        self._counts: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Example:  # type: ignore[override]
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        example = self._read(self.pairs[index])
        self.sizes[index] = example[1].shape
        self._kept[index] = example
        self._bytes += _bytes(example)
        while self._bytes > CACHE and len(self._kept) > 1:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1])
        return example

    def classes_in(self, index: int) -> np.ndarray:
        """Return the pixels of each class in a mask, int64 (classes,); ignored ones are of none."""
        if index not in self._counts:
            names = len(self.classes.names)
            self._counts[index] = np.bincount(self[index][1].ravel(), minlength=names)[:names]
        return self._counts[index]

    def mistakes(self, tick: Callable[[str], None]) -> list[Mistake]:
        """Read every file once and return what is wrong with them; `tick` hears of each."""
        found = []
        for index, pair in enumerate(self.pairs):
            try:
                self.classes_in(index)
            except DrumheadError as error:
                found.append(of_pair(str(error), pair.image, pair.mask))
            tick(pair.image.name)
        if not found and self.pairs and not sum(self.classes_in(i).sum() for i in range(len(self))):
            first = self.pairs[0].mask
            found.append(Mistake(first, "mask", f"{first} and all other masks of its split are ignored at every pixel"))
        return found

    def _read(self, pair: Pair) -> Example:
        image, mask = read_image(pair.image, self.channels), read_mask(pair.mask, self.classes, self._seen)
        if image.shape[:2] != mask.shape:
            raise DrumheadError(
                f"{pair.image} is {width_height(image.shape)} pixels, its mask {width_height(mask.shape)} (width x "
                "height); the two must lie on each other"
            )
        return image, mask


def headers(pairs: list[Pair]) -> tuple[list[Pair], list[Size], bool, list[Mistake]]:
    """Return the pairs whose images can be opened, their sizes, whether all are grey, and what the others say."""
    good, sizes, grey, mistakes = [], [], True, []
    for pair in pairs:
        try:
            size, plain = look(pair.image)
        except DrumheadError as error:
            mistakes.append(of_pair(str(error), pair.image, pair.mask))
            continue
        good.append(pair)
        sizes.append(size)
        grey = grey and plain
    return good, sizes, grey, mistakes


def _bytes(example: Example) -> int:
    return sum(array.nbytes for array in example)
