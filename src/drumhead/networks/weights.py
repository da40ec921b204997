"""Files of weights: where a name lies, and what a file says; torch comes with the tensors, not with the name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drumhead.errors import DrumheadError, reason
from drumhead.networks import hub
from drumhead.settings.presets import PRESETS

if TYPE_CHECKING:
    from torch import Tensor


def shipped() -> dict[str, Path]:
    """Return the shipped weights by name."""
    return {path.stem: path for path in sorted((Path(__file__).parents[1] / "weights").glob("*.safetensors"))}


def find_weights(source: str | Path) -> Path:
    """Return the file that `load(source)` reads."""
    names = shipped()
    if str(source) in names:
        return names[str(source)]
    if str(source).startswith(hub.SCHEME):
        return hub.fetch(str(source))
    path = Path(source)
    if (path / "config.toml").is_file() and not (path / "weights.safetensors").is_file():
        begun = (path / "last.ckpt").exists()
        why = "no epoch of its training has ended yet" if begun else "they were not kept, or no training began"
        go_on = f"; if it was stopped: drumhead train --resume {path}" if begun else ""
        raise DrumheadError(f"{path} is a run without weights.safetensors: {why}{go_on}")
    if path.is_dir():
        path = path / "weights.safetensors"
    if path.is_file():
        return path
    hint = "; that is a preset's name: train it first, or use dh.build" if str(source) in PRESETS else ""
    raise DrumheadError(
        f"no weights at {str(source)!r}: give a run directory with weights.safetensors, a .safetensors file, "
        f"{hub.SCHEME}USER/NAME or a shipped name ({', '.join(names) or 'none in this installation'}){hint}"
    )


def to_bytes(tensors: dict[str, "Tensor"], metadata: dict[str, str]) -> bytes:
    """Return a .safetensors file, the same bytes for the same network: safetensors orders metadata by chance."""
    from safetensors.torch import save

    content = save(tensors, metadata)
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors are aligned
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_metadata(path: Path) -> dict[str, str]:
    """Return what a .safetensors file says of itself; none of its tensors is read."""
    with _opened(path, "np") as file:
        return file.metadata() or {}


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, "Tensor"]]:
    """Return the metadata and the tensors of a .safetensors file."""
    with _opened(path, "pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    """Open a .safetensors file; whatever is wrong with it becomes one sentence."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except Exception as error:  # SafetensorError, and what torch has against a type or a shape
        raise DrumheadError(f"{path} is not a readable .safetensors file: {reason(error)}") from None
