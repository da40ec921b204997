"""Which image of a directory has which mask."""

from dataclasses import dataclass
from pathlib import Path

from drumhead.read import images, masks
from drumhead.read.images import find_images
from drumhead.tasks.mistakes import Mistake


@dataclass(frozen=True)
class Pair:
    """The files of an image and of its mask."""

    image: Path
    mask: Path


def find_pairs(base: Path) -> tuple[list[Pair], list[Mistake]]:
    """Return the images of a directory by name, each with its mask, and what is wrong with those that have none."""
    found: dict[str, list[Path]] = {}
    unfit: dict[str, Path] = {}  # images that lose pixels, or of which no mask is made
    for mask in sorted((base / "masks").glob("[!.]*")):
        if mask.suffix.lower() in masks.SUFFIXES:
            found.setdefault(mask.stem, []).append(mask)
        elif mask.suffix.lower() in images.SUFFIXES:
            unfit[mask.stem] = mask
    of: dict[str, Path] = {}
    mistakes: list[Mistake] = []
    for image in find_images(base / "images"):
        mine = found.get(image.stem, [])
        if not mine and image.stem in unfit:
            said = f"{image} has no mask: {unfit[image.stem]} is none, masks are {', '.join(masks.SUFFIXES)}, "
            said += "which keep every pixel; draw it again as PNG"
            mistakes.append(Mistake(image, "image", said, (unfit[image.stem],)))
        elif not mine:
            lacking = base / "masks" / f"{image.stem}.png"
            mistakes.append(Mistake(image, "image", f"{image} has no mask: {lacking} is missing", (lacking,)))
        elif image.stem in of:
            said = f"{of[image.stem]} and {image} would have the same mask, {mine[0]}; keep one of them"
            mistakes.append(Mistake(of[image.stem], "image", said, (image, mine[0])))
        elif len(mine) > 1:
            said = f"{image} has two masks, {mine[0]} and {mine[1]}; keep one of them"
            mistakes.append(Mistake(image, "image", said, (mine[0], mine[1])))
        of.setdefault(image.stem, image)
    mistakes += [
        Mistake(
            mask,
            "mask",
            f"{mask} has no image in {base / 'images'} ({', '.join(images.SUFFIXES)}); add the image or remove it",
        )
        for stem, same in found.items()
        if stem not in of
        for mask in same
    ]
    return [Pair(image, found[stem][0]) for stem, image in of.items() if stem in found], mistakes
