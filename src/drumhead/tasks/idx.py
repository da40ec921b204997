"""MNIST's four IDX files: found, downloaded if need be, and read with every length checked."""

import gzip
import hashlib
import http.client
import math
import os
import struct
import sys
import urllib.request
import zlib
from pathlib import Path

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.files import cache_dir, write_atomic

MOST = 2**28  # bytes of a file; the largest of MNIST has 47 million
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

# sha256 of the uncompressed files, which do not depend on who compressed them.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def places(data: Path | None = None) -> list[Path]:
    """Return the directories that are searched, in this order."""
    if data:
        return [data]
    found = []
    if os.environ.get("DRUMHEAD_DATA"):
        root = Path(os.environ["DRUMHEAD_DATA"])
        found = [root, root / "mnist"]
    return [*found, cache_dir() / "mnist"]


def find(data: Path | None = None) -> Path | None:
    """Return the first searched directory with all four files, compressed or not, or None."""
    for place in places(data):
        if all((place / name).is_file() or (place / f"{name}.gz").is_file() for name in SHA256):
            return place
    return None


def load(part: str, data: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (n, 28, 28) and labels uint8 (n,) of "train" or "t10k".

    Raises:
        DrumheadError: the files are damaged, or neither found nor to be had by download.
    """
    place = find(data)
    if place is None:
        if data:
            raise DrumheadError(f"{data} lacks MNIST's IDX files ({', '.join(SHA256)}, each plain or as .gz)")
        place = download(cache_dir() / "mnist")
    images = read(_either(place, f"{part}-images-idx3-ubyte"), dimensions=3)
    named = _either(place, f"{part}-labels-idx1-ubyte")
    labels = read(named, dimensions=1)
    if len(images) != len(labels) or images.shape[1:] != (28, 28):
        raise DrumheadError(
            f"{place}: {images.shape} images and {len(labels)} labels of {part!r} do not belong together"
        )
    if labels.max(initial=0) > 9:
        raise DrumheadError(f"{named} has the label {labels.max()}; the tasks of MNIST have the digits 0 to 9")
    return images, labels


def _either(place: Path, name: str) -> Path:
    return place / name if (place / name).is_file() else place / f"{name}.gz"


def read(path: Path, dimensions: int) -> np.ndarray:
    """Return the array in one IDX file of unsigned bytes, plain or gzip-compressed."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST + 1)  # a thousandth as many bytes of gzip can hold any number
    except (OSError, EOFError, zlib.error) as error:
        raise DrumheadError(f"{path} cannot be read ({error}); delete it to have it downloaded again") from None
    if len(content) > MOST:
        raise DrumheadError(f"{path} holds more than {MOST} bytes, and no file of MNIST does; give those")
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise DrumheadError(f"{path} is not an IDX file of unsigned bytes with {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DrumheadError(
            f"{path} is truncated or too long: {len(content) - start} bytes of data, its header says {shape}"
        )
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    except ValueError:  # no bytes, and counts whose product runs over beside one that is zero
        raise DrumheadError(f"{path}: its header says {shape}, which is the shape of no array") from None


def download(to: Path, url: str = URL) -> Path:
    """Fetch the four files into `to`, each checked before it gets its name; return `to`."""
    for name, expected in SHA256.items():
        target = to / f"{name}.gz"
        if target.is_file() or (to / name).is_file():
            continue
        print(f"drumhead: fetching {url}{name}.gz", file=sys.stderr)  # a server that is far away takes its time
        try:
            with urllib.request.urlopen(f"{url}{name}.gz", timeout=30) as answer:
                packed = answer.read()
            digest = hashlib.sha256(gzip.decompress(packed)).hexdigest()
        except (OSError, http.client.HTTPException, EOFError, zlib.error) as error:
            raise DrumheadError(
                f"MNIST was not found in {', '.join(str(place) for place in places())} and {url}{name}.gz could not "
                f"be downloaded ({error}); put the four IDX files in a directory and set DRUMHEAD_DATA to it"
            ) from None
        if digest != expected:
            raise DrumheadError(f"{url}{name}.gz has the checksum {digest[:16]}..., {expected[:16]}... was expected")
        try:
            write_atomic(target, packed)
        except OSError as error:
            raise DrumheadError(
                f"MNIST was downloaded and cannot be kept in {to} ({error}); set XDG_CACHE_HOME to a directory that "
                "can be written, or put the four IDX files in a directory and set DRUMHEAD_DATA to it"
            ) from None
    return to
