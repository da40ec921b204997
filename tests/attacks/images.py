"""Images: every format that Pillow writes here, of every mode, turned, animated, damaged, or claiming to be huge."""

import functools
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from attacks import Attack
from attacks.damage import bytes_of, damaged

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "I;16B", "F", "RGBX")
SIZES = ((1, 1), (1, 7), (17, 5), (40, 33))
CLI = 60  # one input in so many goes through a network


def attack(random: Random, folder: Path) -> Attack:
    """Return an image and what reads it."""
    name = random.choice(("a.png", "a.jpg", "a.tif", "a.gif", "ä b.webp", "a", "a.bmp"))
    path = folder / "in" / name
    path.write_bytes(drawn(random))
    return Attack(_meets(random, path, folder / "out"), (name,))


def drawn(random: Random) -> bytes:
    """Return the bytes of an image file."""
    kind = random.randrange(100)
    if kind < 4:
        return bytes_of(random, 300)
    if kind < 10:
        return claims(random)
    if kind < 11 and random.randrange(8) == 0:
        return inflates(random)
    if kind < 12:
        return saved(random, (random.choice((2000, 20_000)), 1)[:: random.choice((1, -1))])
    data = saved(random, random.choice(SIZES))
    return data if kind < 35 else damaged(random, data)


def saved(random: Random, size: tuple[int, int]) -> bytes:
    """Return an image of a format, a mode and a size, with what else files have."""

    name, mode = random.choice(_formats()), random.choice(MODES)
    return _saved(name, mode, size, random.choice((0, 3, 6, 9)), random.randrange(4))


@functools.lru_cache(10_000)
def _saved(name: str, mode: str, size: tuple[int, int], orientation: int, extra: int) -> bytes:
    from PIL import Image

    values = bytes(i * 37 % 251 for i in range(size[0] * size[1] * 4))
    picture = Image.frombytes("L", size, values[: size[0] * size[1]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    more: dict = {"exif": exif} if orientation else {}
    if extra == 1 and name in ("GIF", "TIFF", "PNG", "WEBP", "APNG"):
        more |= {"save_all": True, "append_images": [picture.point(lambda v: 255 - v)] * 2}
    if extra == 2:
        more["transparency"] = 3
    for chosen in (mode, "RGB", "L", "1"):  # not every format has every mode
        for options in (more, {}):
            content = io.BytesIO()
            try:
                _as(picture, chosen).save(content, name, **options)
                return content.getvalue()
            except Exception:  # Pillow has many ways to say so
                continue
    return b""


def _as(picture, mode: str):
    from PIL import Image

    if mode.startswith("I;16"):
        return Image.frombytes(mode, picture.size, bytes(2 * picture.width * picture.height))
    if mode in ("LAB", "HSV", "RGBX", "PA"):
        return picture.convert("RGB").convert("HSV") if mode == "HSV" else Image.new(mode, picture.size)
    return picture.convert(mode)


@functools.cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(sorted(name for name in Image.SAVE if name not in ("PDF", "HDF5", "GRIB", "BUFR", "WMF")))


def claims(random: Random) -> bytes:
    """Return a small file whose header says that it is huge."""
    width, height = (random.choice((1, 9000, 13_000, 20_000, 2**16 - 1, 2**31 - 1, 2**32 - 1)) for _ in range(2))
    kind = random.randrange(5)
    if kind == 0:
        return png(width, height, random.choice((1, 8, 16)), random.choice((0, 2, 3, 6)), zlib.compress(b"\0" * 99))
    if kind == 1:
        return (
            b"GIF89a"
            + struct.pack("<HHBBB", width % 2**16, height % 2**16, 0x80, 0, 0)
            + b"\0\0\0\xff\xff\xff"
            + (b"\x2c" + struct.pack("<HHHHB", 0, 0, width % 2**16, height % 2**16, 0) + b"\x02\x02\x4c\x01\0;")
        )
    if kind == 2:
        return (
            b"BM"
            + struct.pack("<IHHI", 99, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, width % 2**31, height % 2**31, 1, 24, 0, 0, 0, 0, 0, 0)
        )
    if kind == 3:
        return f"P5 {width} {height} 255 ".encode() + b"\0" * 99
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, random.choice((1, 5, 8))),
        (262, 3, 1, 1),
        (273, 4, 1, 200),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, random.choice((9, 2**31))),
    ]
    return (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        + bytes(99)
    )


def inflates(random: Random) -> bytes:
    """Return some kilobytes that hold tens of millions of pixels."""
    side = random.choice((5000, 9000, 9400, 12_000))
    depth = random.choice((1, 8))
    packer = zlib.compressobj(9)
    row = bytes(1 + (side * depth + 7) // 8)
    return png(side, side, depth, 0, b"".join(packer.compress(row) for _ in range(side)) + packer.flush())


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """Return a PNG of these claims and compressed rows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(range(48))) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _meets(random: Random, path: Path, out: Path) -> Callable[[], object]:
    from drumhead import cli
    from drumhead.read.images import look, read_image, read_opacity

    if random.randrange(CLI) == 0 and path.stat().st_size < 4000:
        verb = random.choice(("segment", "segment", "listen", "drum"))
        if verb == "drum":
            return lambda: cli.main(["drum", str(path), "--out", str(out / "o")])
        rest = ["--out", str(out / "o")] if verb == "listen" or random.randrange(3) == 0 else ["--no-pictures"]
        return lambda: cli.main([verb, str(path), "--model", "wires", *rest])

    def read() -> None:
        (height, width), grey = look(path)
        image = read_image(path, 1 if grey else 3)
        assert image.dtype == "uint8", image.dtype
        if path.suffix:  # what a PNG says of its orientation behind its pixels, `look` does not see
            assert sorted(image.shape[:2]) == sorted((height, width)), (image.shape, height, width)
        opacity = read_opacity(path)
        assert opacity is None or opacity.shape == image.shape[:2]

    return read
