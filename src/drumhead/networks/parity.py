"""Whether exported graphs say what the network says: both on the same images, by ONNX Runtime and by torch.

A difference is the largest of all logits, over torch's largest logit or 1, whichever is more.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from drumhead import tasks
from drumhead.engine.choose import using
from drumhead.errors import DrumheadError
from drumhead.networks.images import to_images
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.timed import Timed
from drumhead.read.images import find_images, read_image

BAR = 1e-5


class Row(NamedTuple):
    """One comparison."""

    images: tuple[int, ...]
    graphs: str
    difference: float


class Graphs:
    """The graphs of an export, run as its manifest says.

    Args:
        folder: where they are.
        manifest: what manifest.json says.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]):
        import onnxruntime

        self.manifest = manifest
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self.sessions = {
            name: onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            for name in manifest["files"]
            if name.endswith(".onnx")
        }

    def call(self, graph: dict[str, Any] | None, known: dict[str, np.ndarray]) -> None:
        """Run one graph on tensors known by name, and keep what it gives among them."""
        if graph:
            given = {name: known[name] for name in graph["inputs"]}
            found: Any = self.sessions[graph["file"]].run(None, given)  # in the manifest's order
            known.update(zip(graph["outputs"], found, strict=True))

    def whole(self, images: np.ndarray) -> np.ndarray:
        """Return the logits that the whole graph gives, (b, classes, y, x)."""
        known = {"image": images}
        self.call(self.manifest["whole"], known)
        return known["logits"]

    def staged(self, images: np.ndarray, coupling: float = 1.0, steps: int | None = None) -> np.ndarray:
        """Return the logits that the parts give, with any coupling and so many steps of the last layer."""
        known = {"image": images, "coupling": np.float32(coupling)}
        known = {name: np.asarray(value) for name, value in known.items()}
        self.call(self.manifest["begin"], known)
        layers = self.manifest["layers"]
        for layer in layers:
            self.call(layer["medium"], known)
            if layer["kind"] == "closed":
                self.call(layer["hear"], known)
            else:
                count = steps if layer is layers[-1] and steps else layer["steps"]
                for t in range(count):
                    known |= {"first": np.asarray(t == 0, np.float32), "step": np.asarray(t, np.int32)}
                    self.call(layer["step"], known)
                    self.call(layer["hear"], known)
            self.call(layer["tell"], known)
        self.call(self.manifest["end"], known)
        return known["logits"]


def compare(model: Segmenter, graphs: Graphs, images: Tensor) -> Iterator[Row]:
    """Yield the differences on images (b, k, y, x) of one size: whole, in parts, cut, and an answer before the end."""
    shape, array = tuple(images.shape), images.numpy()
    with torch.no_grad(), model.evaluating(), using("eager"):
        logits = model(images)
        yield Row(shape, "whole", apart(logits, graphs.whole(array)))
        if not graphs.manifest["layers"]:
            return
        yield Row(shape, "parts", apart(logits, graphs.staged(array)))
        known = [name for layer in graphs.manifest["layers"] for name in (layer.get("step") or layer["at"])["inputs"]]
        if "coupling" in known:
            yield Row(shape, "parts, coupling cut", apart(model.cut()(images), graphs.staged(array, coupling=0.0)))
        assert isinstance(model, Timed)
        half = max(1, model.steps // 2)
        if model.answers(half) and half < model.steps:
            yield Row(shape, f"parts, {half} steps", apart(model(images, steps=half), graphs.staged(array, steps=half)))


def rounding(model: Segmenter, images: Tensor) -> float:
    """Return how far the network's own float32 is from float64: what waves make of rounding errors."""
    with torch.no_grad(), model.evaluating(), using("eager"):
        return apart(deepcopy(model).double()(images.double()), model(images).numpy())


def apart(wanted: Tensor, found: np.ndarray) -> float:
    """Return the largest difference, over the largest wanted logit or 1; infinite where one is not a number."""
    if tuple(wanted.shape) != found.shape:
        return float("inf")
    exact = wanted.numpy().astype(np.float64)
    difference = np.abs(exact - found).max() / max(1.0, np.abs(exact).max())
    return float(difference) if np.isfinite(difference) else float("inf")


def compare_program(model: Segmenter, path: Path, images: Sequence[Tensor]) -> Iterator[Row]:
    """Yield the differences of a torch.export program, read from its file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable")  # torch 2.12, of its own reader
        loaded = torch.export.load(path).module()
    with torch.no_grad(), model.evaluating(), using("eager"):
        for batch in images:
            yield Row(tuple(batch.shape), "model.pt2", apart(model(batch), loaded(batch).numpy()))


def trials(model: Segmenter, task: str) -> list[Tensor]:
    """Return two images each of the task's size, a larger and an odd one; noise where a task has none here."""
    found = _samples(model.config.image_channels, task)
    height, width = found.shape[-2:]
    sizes = ((height, width), (height + height // 2, width + width // 4), (height - 7, width + 5))
    return [_sized(found, size) for size in sizes]


def _samples(channels: int, task: str) -> Tensor:
    """Return two images of a task, (2, k, y, x): samples that come with drumhead, or new ones."""
    samples = Path(__file__).parents[1] / "samples"
    folder = samples / task if (samples / task).is_dir() else samples
    if task == "tetrominoes" or folder != samples:
        paths = [path for path in find_images(folder) if ".mask." not in path.name][:2]
        return torch.cat([to_images(read_image(path, channels)) for path in paths])
    with contextlib.suppress(DrumheadError):  # a task that is not known, or whose files are not here
        images = tasks.get(task).arrays("val")[0][:2]
        if images.shape[-1] == channels:
            return to_images(images)
    return torch.rand(2, channels, 64, 64, generator=torch.Generator().manual_seed(0))


def _sized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images cut to a size, or continued by themselves."""
    rows, columns = (torch.arange(side) % own for side, own in zip(size, images.shape[-2:], strict=True))
    return images[..., rows[:, None], columns].contiguous()
