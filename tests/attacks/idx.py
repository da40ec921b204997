"""IDX files: lying counts, gzip that is cut short or bursts, other magic numbers, parts that do not belong together."""

import functools
import gzip
import struct
from pathlib import Path
from random import Random

from attacks import Attack
from attacks.damage import EDGES, bytes_of, damaged

NAMES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte", "train-labels-idx1-ubyte")


def attack(random: Random, folder: Path) -> Attack:
    """Return one file, or the four that belong together."""
    from drumhead.tasks import idx

    packed = random.random() < 0.5
    if random.randrange(4):
        dimensions = random.choice((1, 3))
        path = folder / "in" / ("a.gz" if packed else "a")
        path.write_bytes(file(random, dimensions, packed))
        return Attack(lambda: idx.read(path, dimensions), (path.name,))
    place = folder / "in" / "mnist"
    place.mkdir()
    for name in NAMES if random.randrange(9) else NAMES[:2]:
        dimensions = 3 if "images" in name else 1
        whole = content(dimensions, 2, 28) if random.randrange(3) else None
        packed = random.random() < 0.5
        data = whole if whole is not None else file(random, dimensions, False)
        (place / (name + ".gz" * packed)).write_bytes(gzip.compress(data, 1) if packed else data)
    return Attack(lambda: idx.load("t10k", place), ("mnist",))


@functools.cache
def content(dimensions: int, count: int, side: int) -> bytes:
    """Return a right file of zeros."""
    shape = (count, side, side)[:dimensions]
    return (
        bytes([0, 0, 8, dimensions])
        + struct.pack(f">{dimensions}I", *shape)
        + bytes(count * (side**2 if dimensions == 3 else 1))
    )


def file(random: Random, dimensions: int, packed: bool) -> bytes:
    """Return the bytes of a file, which may be wrong."""
    kind = random.randrange(10)
    data = content(random.choice((dimensions, dimensions, 1, 3)), random.choice((0, 1, 5)), random.choice((0, 2, 28)))
    if kind == 0:
        data = bytes_of(random, 200)
    elif kind < 4:  # edges of the counts, whose product may run over
        shape = [random.choice((*EDGES, 2**22, 2**21)) % 2**32 for _ in range(dimensions)]
        data = (
            bytes([0, 0, 8, dimensions]) + struct.pack(f">{dimensions}I", *shape) + bytes(random.choice((0, 0, 1, 784)))
        )
    elif kind < 9:
        data = damaged(random, data)
    if not packed:
        return data
    if random.randrange(100) == 0:
        return bomb(random.choice((8, 300)))
    data = gzip.compress(data, 1, mtime=0)
    return data if random.randrange(2) else damaged(random, data)


@functools.cache
def bomb(megabytes: int) -> bytes:
    """Return a gzip file of zeros, a thousandth as long, behind a header that claims as many."""
    head = bytes([0, 0, 8, 3]) + struct.pack(">3I", megabytes, 1024, 1024)
    return gzip.compress(head, 9, mtime=0) + gzip.compress(bytes(2**20), 9, mtime=0) * megabytes
