"""Masks that do not match: sizes, values, palettes, names and class lists, alone and in folders."""

import functools
import io
from pathlib import Path
from random import Random

from attacks import Attack
from attacks.damage import damaged
from attacks.images import saved

LINES = (
    "background",
    "cell",
    "cell #ff0000",
    "background #000000",
    "ignore 255",
    "ignore #ffffff",
    "ignore",
    "",
    " ",
    "\ufeff",
    "ignore 99999999999999999999",
    "a\0b",
    "#ff0000",
    "cell #ff00zz",
    "x" * 500,
    "ä",
    "\x85",
    "0 #000001",
    "ignore 0",
    "cell  #00FF00",
)


def attack(random: Random, folder: Path) -> Attack:
    """Return a mask beside a class list, or a whole folder of images and masks."""
    return _folder(random, folder / "in") if random.randrange(4) == 0 else _mask(random, folder / "in")


def class_list(random: Random) -> bytes:
    """Return classes.txt, right or wrong."""
    kind = random.randrange(10)
    if kind < 4:
        return b"background\ncell"
    if kind < 6:
        return b"background #000000\ncell #ff0000\nignore #ffffff"
    text = "\n".join(random.choice(LINES) for _ in range(random.choice((1, 2, 3, 300))))
    data = text.encode(random.choice(("utf-8", "utf-8", "utf-16")))
    return damaged(random, data) if kind == 9 else data


@functools.lru_cache(2048)
def grey(mode: str, size: tuple[int, int], most: int) -> bytes:
    """Return a PNG whose numbers run from 0 to `most`."""
    from PIL import Image

    count = size[0] * size[1]
    if mode == "I;16":
        data = b"".join((i % (most + 1) * 257).to_bytes(2, "little") for i in range(count))
        picture = Image.frombytes(mode, size, data)
    else:
        picture = Image.frombytes("L", size, bytes(i % (most + 1) for i in range(count)))
        if mode == "P":
            picture.putpalette([(i * (most + 3)) % 256 for i in range(768)])
        elif mode != "L":
            picture = picture.convert(mode)
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def labels(random: Random, size: tuple[int, int]) -> bytes:
    """Return a mask that may be right."""
    data = grey(
        random.choice(("L", "L", "L", "P", "P", "RGB", "RGBA", "1", "I;16")),
        size,
        random.choice((0, 1, 1, 1, 2, 9, 255)),
    )
    return damaged(random, data) if random.randrange(5) == 0 else data


def _mask(random: Random, folder: Path) -> Attack:
    from drumhead.read.classes import read_classes
    from drumhead.read.masks import read_mask

    text = folder / "classes.txt"
    text.write_bytes(class_list(random))
    paths = [folder / name for name in ("a.png", "b.png")]
    size = random.choice(((1, 1), (5, 4), (20, 30)))
    for path in paths:
        path.write_bytes(saved(random, size) if random.randrange(4) == 0 else labels(random, size))

    def read() -> None:
        classes, seen = read_classes(text), {}
        for path in paths:
            found = read_mask(path, classes, seen)
            assert found.dtype == "uint8"
            assert all(label < len(classes.names) or label == 255 for label in set(found.ravel().tolist()))

    return Attack(read, ("classes.txt", "a.png", "b.png"))


def _folder(random: Random, folder: Path) -> Attack:
    from drumhead import tasks

    root = folder / "data"
    parts = random.choice((("",), ("",), ("train", "val", "test"), ("train", "val")))
    size = random.choice(((8, 8), (20, 30)))
    for part in parts:
        (root / part / "images").mkdir(parents=True)
        if random.randrange(9):
            (root / part / "masks").mkdir()
        for i in range(random.choice((0, 1, 3, 4))):
            other = (7, 9) if random.randrange(9) == 0 else size
            name = random.choice((f"{i}.png", f"{i}.png", f"{i}.jpg", f".{i}.png", f"{i}\n.png", f"{i}.png.mask.png"))
            (root / part / "images" / name).write_bytes(labels(random, size))
            if (root / part / "masks").is_dir() and random.randrange(9):
                ending = random.choice((".png", ".png", ".png", ".tif", ".jpg"))
                (root / part / "masks" / (Path(name).stem + ending)).write_bytes(labels(random, other))
    if random.randrange(9):
        (root / "classes.txt").write_bytes(class_list(random))
    if random.randrange(20) == 0:
        (root / "images" / "loop.png").parent.mkdir(exist_ok=True)
        (root / "images" / "loop.png").symlink_to("loop.png")

    def read() -> None:
        task = tasks.get("folder", str(root))
        task.check()  # type: ignore[attr-defined]
        task.arrays("train")

    return Attack(read, ("data",))
