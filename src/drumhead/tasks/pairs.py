"""Which image of a directory has which mask."""

from dataclasses import dataclass
from pathlib import Path

from drumhead.read import images, masks
from drumhead.read.images import find_images


@dataclass(frozen=True)
class Pair:
    """The files of an image and of its mask."""

    image: Path
    mask: Path


def find_pairs(base: Path) -> tuple[list[Pair], list[str]]:
    """Return the images of a directory by name, each with its mask, and what is wrong with those that have none."""
    found: dict[str, list[Path]] = {}
    unfit: dict[str, Path] = {}  # images that lose pixels, or of which no mask is made
    for mask in sorted((base / "masks").glob("[!.]*")):
        if mask.suffix.lower() in masks.SUFFIXES:
            found.setdefault(mask.stem, []).append(mask)
        elif mask.suffix.lower() in images.SUFFIXES:
            unfit[mask.stem] = mask
    of: dict[str, Path] = {}
    mistakes: list[str] = []
    for image in find_images(base / "images"):
        mine = found.get(image.stem, [])
        if not mine and image.stem in unfit:
            mistakes.append(f"{image} has no mask: {unfit[image.stem]} is none, masks are {', '.join(masks.SUFFIXES)}, "
                            "which keep every pixel; draw it again as PNG")  # fmt: skip
        elif not mine:
            mistakes.append(f"{image} has no mask: {base / 'masks' / image.stem}.png is missing")
        elif image.stem in of:
            mistakes.append(f"{of[image.stem]} and {image} would have the same mask, {mine[0]}; keep one of them")
        elif len(mine) > 1:
            mistakes.append(f"{image} has two masks, {mine[0]} and {mine[1]}; keep one of them")
        of.setdefault(image.stem, image)
    mistakes += [
        f"{mask} has no image in {base / 'images'} ({', '.join(images.SUFFIXES)}); add the image or remove the mask"
        for stem, same in found.items()
        if stem not in of
        for mask in same
    ]
    return [Pair(image, found[stem][0]) for stem, image in of.items() if stem in found], mistakes
