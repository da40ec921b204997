"""What is in sight in a directory, and whether each file of it is whole."""

import ctypes
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np


def in_sight(place: Path) -> Iterator[Path]:
    """Yield the files that a user sees: none that is hidden, or in a hidden folder."""
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def hidden(place: Path) -> list[Path]:
    """Return the files that a user does not see, but for locks, which are empty."""
    seen = set(in_sight(place))
    every = (Path(folder) / name for folder, _, names in os.walk(place) for name in names)
    return sorted(path for path in every if path not in seen and path.stat().st_size)


def broken(place: Path) -> list[str]:
    """Return what is wrong with the files in sight, and with folders that hold an export."""
    found = []
    for path in in_sight(place):
        try:
            WHOLE.get(path.suffix, _known)(path)
        except Exception as error:
            found.append(f"{path.relative_to(place)}: {type(error).__name__}: {error}")
    folders = {path.parent for path in in_sight(place) if path.suffix == ".onnx" or path.name == "manifest.json"}
    return found + [f"{folder.name}: {said}" for folder in sorted(folders) for said in _export(folder)]


def digest(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensors(path: Path) -> dict[str, str]:
    """Return the hash of each tensor of a file; its metadata hold seconds, which differ."""
    from safetensors.numpy import load_file

    return {
        f"{path.name}:{name}": hashlib.sha256(f"{value.dtype}{value.shape}".encode() + value.tobytes()).hexdigest()
        for name, value in load_file(path).items()
    }


def _export(folder: Path) -> Iterator[str]:
    """Say what a folder lacks of what its manifest promises."""
    try:
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
    except (OSError, ValueError, KeyError) as error:
        yield f"no manifest: {error}"
        return
    for name, about in files.items():
        if not (folder / name).is_file():
            yield f"{name} is missing"
        elif digest(folder / name) != about["sha256"]:
            yield f"{name} is another file than the manifest says"


def _lines(path: Path) -> None:
    text = path.read_text()
    if not text.endswith("\n"):
        raise ValueError("its last line has no end")
    for line in text.splitlines():
        json.loads(line)


def _array(path: Path) -> None:
    np.load(path, mmap_mode="r", allow_pickle=False)  # refuses a file that is shorter than its header says


def _picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            picture.load()


def _library(path: Path) -> None:
    """Load it in a process of its own: a torn one may end the process."""
    pid = os.fork()
    if not pid:
        try:
            ctypes.CDLL(str(path))
        except BaseException:
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise ValueError("it does not load")


def _graph(path: Path) -> None:
    import onnx

    onnx.checker.check_model(onnx.load(path))


def _known(path: Path) -> None:
    if path.name not in ("lock", "parity.md", "classes.txt"):
        raise ValueError("nothing here makes such a file")


WHOLE: dict[str, Callable[[Path], object]] = {
    ".safetensors": tensors,
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": _lines,
    ".toml": lambda path: tomllib.loads(path.read_text()),
    ".npy": _array,
    ".png": _picture,
    ".gif": _picture,
    ".so": _library,
    ".onnx": _graph,
}
