"""What `drumhead waves` and `waves compare` share: a network, images that set its medium, and its calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drumhead.errors import DrumheadError, counted

if TYPE_CHECKING:
    from torch import Tensor

    from drumhead.networks.segmenter import Segmenter
    from drumhead.neuro.cortex import Cortex
    from drumhead.physics.material import Material

PITCH, SPEED = "0.4 mm", "0.3 m/s"  # of a Utah array, and in the middle of waves within one area


def anchors(pitch: str, speed: str, f0: str, t0: str) -> dict[str, str]:
    """Return what was given of a calibration, or the default where nothing was."""
    asked = {"pitch": pitch, "speed": speed, "f0": f0, "t0": t0}
    return {name: text for name, text in asked.items() if text} or {"pitch": PITCH, "speed": SPEED}


@dataclass(frozen=True)
class Calibrated:
    """The calibration that anchors give some layers, and the typical medium that it was anchored to."""

    cortex: "Cortex"
    kappa: float
    omega: float


def calibrated(given: dict[str, str], layers: "Sequence[Material]") -> Calibrated:
    """Return the calibration of these layers, anchored to their typical medium."""
    from drumhead.neuro.cortex import Cortex
    from drumhead.neuro.portrait import typical

    kappa, omega = typical(layers)
    if "f0" in given and not omega > 0:
        raise DrumheadError("--f0: no oscillator of this network rings on these images; give --pitch and --speed")
    anchor = {"omega": omega} if "f0" in given else {}
    return Calibrated(Cortex(**given, **anchor, kappa=kappa), kappa, omega)  # type: ignore[arg-type]


def opened(
    source: str, task: str, data: str, images: tuple[Path, ...], limit: int
) -> "tuple[Segmenter, str, list[Tensor]]":
    """Return a network, the task of its images ("" if it is not known), and batches of images."""
    from drumhead.networks.weights import find_weights, read_metadata

    path = find_weights(source)
    name = task or read_metadata(path).get("task", "")
    from drumhead.networks.model import load

    model = load(path)
    return model, name, list(_images(model, name, data, images, limit))


def _images(model: "Segmenter", task: str, data: str, files: tuple[Path, ...], limit: int) -> "Iterator[Tensor]":
    """Yield batches of images in [0, 1]: of files, or of the task's test split."""
    import torch

    from drumhead import tasks
    from drumhead.learn.crops import open_split
    from drumhead.networks.images import to_images
    from drumhead.read.images import find_images, read_image
    from drumhead.tasks import idx

    if files:
        paths = [path for one in files for path in (find_images(one) if one.is_dir() else [one])]
        for path in [path for path in paths if not path.name.endswith(".mask.png")][:limit]:
            yield to_images(read_image(path, model.config.image_channels))
        return
    if not task:
        raise DrumheadError(f"the weights do not say what they were trained on; give --task, one of {tasks.names()}")
    chosen = tasks.get(task, data or None)
    if chosen.image_channels != model.config.image_channels:
        raise DrumheadError(
            f"task {task} has {counted(chosen.image_channels, 'image channel')}, the model "
            f"{model.config.image_channels}"
        )
    if not data and "mnist" in task and idx.find() is None:  # a look at a network is no reason to wait for a server
        raise DrumheadError(
            f"the images of {task} are not on this machine: give others with --images FILE or DIRECTORY, MNIST's IDX "
            f"files with --data DIRECTORY, or have them fetched once by `drumhead evaluate {task}`"
        )
    for batch, _ in open_split(chosen, "test", torch.device("cpu"), limit).in_order(4):
        yield batch
