"""`drumhead segment`: find objects in images and show how they were heard."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import tyro

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    import numpy as np

    from drumhead.model import NeuralWaveMachine
    from drumhead.show.pictures import Heard

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
TRUTH = ".mask.png"


def segment(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    model: str = "tetrominoes",
    out: Path = Path("demo-out"),
    pictures: bool = True,
) -> None:
    """Find objects in images and show how they were heard.

    For each image NAME this writes NAME-mask.png (the mask beside the image), NAME-waves.gif, NAME-spectrum.png
    (what one pixel of each object hears) and NAME-OBJECT.wav (the sound of that pixel). A file NAME.mask.png beside
    an image, with its true labels, is used to measure accuracy.

    Args:
        images: image files or directories of them; by default the sample images that come with drumhead.
        model: name of shipped weights, a run directory or a .safetensors file.
        out: directory for the pictures; it is made if it does not exist.
        pictures: write pictures, movies and sounds; --no-pictures prints the table only.

    """
    files = _files(images)

    from rich.console import Console
    from rich.table import Table

    from drumhead.images import to_images
    from drumhead.model import find_weights, load, read_safetensors

    network = load(model)
    config = network.config
    names = read_safetensors(find_weights(model))[0].get("classes", "").split("\n")
    if len(names) != config.classes:
        names = ["background", *(f"class {i}" for i in range(1, config.classes))]

    table = Table(title=f"{model}: {len(files)} image{'s' * (len(files) != 1)}", title_justify="left")
    for column in ("image", "classes found", "foreground accuracy", "ms per image"):
        table.add_column(column, justify="left" if column in ("image", "classes found") else "right")
    for path in files:
        image = _read(path, config.image_channels)
        tensor = to_images(image)
        labels, milliseconds = _segment(network, tensor)
        truth = _truth(path, labels.shape, config.classes)
        found = [names[i] for i in sorted(set(labels.ravel().tolist())) if i]
        accuracy = "-"
        if truth is not None and (truth > 0).any():
            accuracy = f"{(labels == truth)[truth > 0].mean():.3f}"
        table.add_row(path.stem, ", ".join(found) or "nothing", accuracy, f"{milliseconds:.1f}")
        if pictures:
            _show(network, path.stem, image, tensor, labels, truth, names, out)
    Console().print(table)
    if pictures:
        print(f"masks, wave movies, spectra and sounds are in {out}/")


def _show(network: "NeuralWaveMachine", name: str, image: "np.ndarray", tensor, labels: "np.ndarray",
          truth: "np.ndarray | None", names: list[str], out: Path) -> None:  # fmt: skip
    """Write all files of one image."""
    import torch

    from drumhead.show import movies, sound
    from drumhead.show import pictures as draw

    with torch.no_grad():
        waves = network.waves(tensor)[0].numpy()
    heard = listen(labels, waves, names, network.config.stride)
    draw.save_mask(out / f"{name}-mask.png", image, labels, names, heard, truth)
    draw.save_spectrum(out / f"{name}-spectrum.png", heard, network.config.dt)
    movies.save_waves(out / f"{name}-waves.gif", image, waves, labels, len(names), network.config.dt)
    for number, spot in enumerate(heard, 1):
        word = "".join(c for c in spot.name if c.isalnum()) or "object"
        sound.save_tone(out / f"{name}-{number}-{word}.wav", spot.series, network.config.dt)


def listen(
    labels: "np.ndarray", waves: "np.ndarray", names: list[str], stride: int, smallest: int = 20
) -> "list[Heard]":
    """Return what the innermost pixel of each object heard; objects are connected pixels of one class.

    Args:
        labels: (y, x).
        waves: (t, c, y / stride, x / stride).
        names: of all classes.
        stride: pixels per oscillator.
        smallest: objects with fewer pixels are left out.

    """
    import numpy as np
    from scipy import ndimage

    from drumhead.show.pictures import Heard

    heard = []
    for label in sorted(set(labels.ravel().tolist()) - {0}):
        objects, count = cast("tuple[np.ndarray, int]", ndimage.label(labels == label))
        for number in range(1, count + 1):
            inside = objects == number
            if inside.sum() < smallest:
                continue
            depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]  # type: ignore[index]
            deepest = np.argwhere(depth == depth.max())
            middle = np.argwhere(inside).mean(0)
            y, x = (int(i) for i in deepest[((deepest - middle) ** 2).sum(1).argmin()])
            heard.append(Heard(label, names[label], y, x, waves[:, :, y // stride, x // stride]))
    return heard


def _files(images: tuple[Path, ...]) -> list[Path]:
    """Expand directories; refuse what is missing before anything is computed."""
    if not images:
        images = (Path(__file__).parent.parent / "samples",)
    files: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES and not p.name.endswith(TRUTH)]
            if not inside:
                raise DrumheadError(f"{path} holds no images ({', '.join(SUFFIXES)})")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise DrumheadError(f"{path} does not exist; give image files or directories of them")
    return files


def _read(path: Path, channels: int) -> "np.ndarray":
    """Return an image as uint8 (y, x, k)."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            picture = picture.convert("L" if channels == 1 else "RGB")
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise DrumheadError(f"{path} is not a readable image: {error}") from None
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def _truth(path: Path, shape: tuple[int, ...], classes: int) -> "np.ndarray | None":
    """Return the true labels of an image if a file beside it has them."""
    import numpy as np

    mask = path.with_name(path.stem + TRUTH)
    if not mask.is_file():
        return None
    labels = _read(mask, 1)[..., 0]
    if labels.shape != shape or labels.max() >= classes:
        raise DrumheadError(
            f"{mask}: {labels.shape} with labels up to {labels.max()} does not fit the image {shape} and "
            f"{classes} classes (one byte a pixel, 0 is the background)"
        )
    return labels.astype(np.int64)


def _segment(network: "NeuralWaveMachine", tensor) -> "tuple[np.ndarray, float]":
    """Return labels (y, x) and the median time of three passes in milliseconds, after one to warm up."""
    labels = network.segment(tensor)[0].numpy()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        network.segment(tensor)
        times.append(1000 * (time.perf_counter() - began))
    return labels, sorted(times)[1]


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(segment, prog="drumhead segment", args=arguments)
