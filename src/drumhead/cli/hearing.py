"""What `segment` and `listen` share: which images, one pass of a network, where to listen, names of files."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from drumhead.networks.segmenter import Segmenter
    from drumhead.networks.tiles import Tiles
    from drumhead.show.listen import Heard

TRUTH = ".mask.png"
LONGEST = 160  # bytes of an image's name: with what is added a file's name has at most 255
MOST = 36  # objects that are listened to: of more lines and sounds nobody tells one from another


def samples(task: str) -> Path:
    """Return the directory of the sample images of a task; wires-120 has those of wires, no task those of pieces."""
    samples = Path(__file__).parent.parent / "samples"
    for kind in (path.name for path in samples.iterdir() if path.is_dir()):
        if task == kind or task.startswith(f"{kind}-"):
            return samples / kind
    if task and not task.startswith("tetrominoes"):
        raise DrumheadError(f"there are no sample images of {task}; give image files or directories of them")
    return samples


def find_files(images: tuple[Path, ...]) -> list[Path]:
    """Expand directories; refuse what is missing before anything is computed."""
    from drumhead.read.images import SUFFIXES, find_images

    files: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = [image for image in find_images(path) if not image.name.endswith(TRUTH)]
            if not inside:
                raise DrumheadError(f"{path} holds no images ({', '.join(SUFFIXES)})")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise DrumheadError(f"{path} does not exist; give image files or directories of them")
    files = list({os.path.abspath(path): path for path in files}.values())  # one that is named twice is taken once
    names: dict[str, Path] = {}
    for path in files:
        if len(os.fsencode(path.stem)) > LONGEST:
            raise DrumheadError(
                f"{path} has a name too long to name files after it: {LONGEST} bytes are the most; rename it"
            )
        other = names.setdefault(path.stem, path)
        if other is not path:
            raise DrumheadError(f"{other} and {path} would write the same files; use a different --out for each")
    return files


def until(network: "Segmenter", tensor: "Tensor", path: Path, tiles: "Tiles") -> tuple[Any, int, bool, float]:
    """Return labels (y, x) after as many rounds as an image needs, how many, whether they still changed, and the ms.

    There are as many rounds as the network has, at most.
    """
    from drumhead.networks.still import UntilStill
    from drumhead.networks.tiles import answer

    stops, began = UntilStill(network, most=network.rounds), time.perf_counter()
    labels = _labels(answer(stops, tensor, tiles), network, tensor, path)
    return labels, max(stops.took), any(stops.changing), 1000 * (time.perf_counter() - began)


def rounds_of(network: Any, tensor: "Tensor", seen: list[int]) -> dict[str, Any] | None:
    """Return what some layers of a network in rounds are called, and the labels (y, x) after a round that ends there.

    None for a network that runs once.
    """
    import torch

    from drumhead.networks.still import Walk

    if network.rounds == 1:
        return None
    each, walk, answers = len(network.layers), Walk(network, tensor), []
    with torch.no_grad():
        for _ in range(seen[-1] // each + 1):
            answers.append(walk.round()[0].argmax(0).numpy())
    return {
        f"round {k // each + 1} of {network.rounds}" + f", layer {k % each + 1}" * (each > 1):
        answers[k // each] if k % each == each - 1 else None
        for k in seen
    }  # fmt: skip


def one_pass(
    network: "Segmenter", tensor: "Tensor", path: Path, listens: bool, tiles: "Tiles"
) -> tuple[Any, Any, float]:
    """Return labels (y, x), waves (t, c, y, x) where wanted and the image is whole, and the ms of that one pass."""
    import torch

    from drumhead.networks.tiles import answer
    from drumhead.networks.timed import Timed
    from drumhead.physics.records import All

    began = time.perf_counter()
    with torch.no_grad():
        if listens and isinstance(network, Timed) and not tiles.apart(*tensor.shape[-2:]):
            logits, waves = network.heard(tensor, All())
        else:
            logits, waves = answer(network, tensor, tiles), None
    labels = _labels(logits, network, tensor, path)
    milliseconds = 1000 * (time.perf_counter() - began)
    if waves is not None and not waves.isfinite().all():  # its logits may be, after a tanh
        raise _not_finite("waves", network, tensor, path)
    return labels, None if waves is None else waves[0].numpy(), milliseconds


def _labels(logits: "Tensor", network: "Segmenter", tensor: "Tensor", path: Path) -> "np.ndarray":
    """Return the labels (y, x) of an image's logits, which mean nothing if they are not finite."""
    if not logits.isfinite().all():
        raise _not_finite("logits", network, tensor, path)
    return logits[0].argmax(0).numpy()


def _not_finite(what: str, network: "Segmenter", tensor: "Tensor", path: Path) -> DrumheadError:
    courant = network.courant(tensor)
    why = "" if courant is None else f": its courant is {courant:.3g}, and below 1 is stable"
    return DrumheadError(f"the {what} of this network are not finite on {path}{why}")


def objects(name: str, labels: "np.ndarray", waves: "np.ndarray", names: list[str], stride: int) -> list["Heard"]:
    """Return what a pixel of each object heard, of the largest where there are many, which is said."""
    import numpy as np

    from drumhead.show.figures import caption
    from drumhead.show.listen import listen

    heard = listen(labels, waves, names, stride)
    if len(heard) <= MOST:
        return heard
    print(f"{caption(name)}: listening to the {MOST} largest of {len(heard)} objects")
    return [heard[i] for i in sorted(np.argsort([-spot.size for spot in heard], kind="stable")[:MOST])]


def sound_path(base: Path, number: int, name: str) -> Path:
    """Return the file of the sound of an object, NAME-NUMBER-CLASS.wav; numbers begin at 1."""
    word = "".join(c for c in name if c.isalnum())[:20] or "object"
    return base.with_name(f"{base.name}-{number}-{word}.wav")
