"""`drumhead segment`: find objects in images and show how they were heard."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    import numpy as np

    from drumhead.networks.segmenter import Segmenter

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
    (what one pixel of each object hears) and NAME-NUMBER-CLASS.wav (the sound of that pixel). A file NAME.mask.png
    beside an image, with its true labels, is used to measure accuracy.

    Args:
        images: image files or directories of them; by default the sample images that come with drumhead.
        model: name of shipped weights, a run directory or a .safetensors file.
        out: directory for the pictures; it is made if it does not exist.
        pictures: write pictures, movies and sounds; --no-pictures prints the table only.
    """
    files = _files(images)

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from drumhead.networks.images import to_images
    from drumhead.networks.model import find_weights, load, read_safetensors
    from drumhead.read import read_image

    network = load(model)
    config = network.config
    if pictures:
        out.mkdir(parents=True, exist_ok=True)  # an impossible place is refused before the work
    names = read_safetensors(find_weights(model))[0].get("classes", "").split("\n")
    if len(names) != config.classes:
        names = ["background", *(f"class {i}" for i in range(1, config.classes))]

    table = Table(title=f"{escape(model)}: {len(files)} image{'s' * (len(files) != 1)}", title_justify="left")
    for column in ("image", "classes found", "foreground accuracy", "ms per image"):
        table.add_column(column, justify="left" if column in ("image", "classes found") else "right")
    for path in files:
        image = read_image(path, config.image_channels)
        tensor = to_images(image)
        labels, milliseconds = _segment(network, tensor)
        truth = _truth(path, labels.shape, config.classes)
        found = [names[i] for i in sorted(set(labels.ravel().tolist())) if i]
        accuracy = "-"
        if truth is not None and (truth > 0).any():
            accuracy = f"{(labels == truth)[truth > 0].mean():.3f}"
        table.add_row(escape(path.stem), escape(", ".join(found)) or "nothing", accuracy, f"{milliseconds:.1f}")
        if pictures:
            _show(network, path.stem, image, tensor, labels, truth, names, out)
    Console().print(table)
    if pictures:
        print(f"masks, wave movies, spectra and sounds are in {out}/")


def _show(network: "Segmenter", name: str, image: "np.ndarray", tensor, labels: "np.ndarray",
          truth: "np.ndarray | None", names: list[str], out: Path) -> None:  # fmt: skip
    """Write all files of one image."""
    import numpy as np
    import torch

    from drumhead.show import movies, sound
    from drumhead.show import pictures as draw
    from drumhead.show.listen import listen

    if not network.config.has_time:  # nothing to hear
        draw.save_mask(out / f"{name}-mask.png", image, labels, names, [], truth)
        return
    with torch.no_grad():
        waves = network.waves(tensor)[0].numpy()
    if not np.isfinite(waves).all():
        raise DrumheadError(
            f"the waves of this network are not finite on {name}: its courant is {network.courant(tensor)}"
        )
    heard = listen(labels, waves, names, network.config.stride)
    draw.save_mask(out / f"{name}-mask.png", image, labels, names, heard, truth)
    draw.save_spectrum(out / f"{name}-spectrum.png", heard, network.config.dt)
    movies.save_waves(out / f"{name}-waves.gif", image, waves, labels, len(names), network.config.dt)
    for number, spot in enumerate(heard, 1):
        word = "".join(c for c in spot.name if c.isalnum()) or "object"
        sound.save_tone(out / f"{name}-{number}-{word}.wav", spot.series, network.config.dt)


def _files(images: tuple[Path, ...]) -> list[Path]:
    """Expand directories; refuse what is missing before anything is computed."""
    from drumhead.read import find_images

    if not images:
        images = (Path(__file__).parent.parent / "samples",)
    files: list[Path] = []
    for path in images:
        if path.is_dir():
            files += [image for image in find_images(path) if not image.name.endswith(TRUTH)]
        elif path.is_file():
            files.append(path)
        else:
            raise DrumheadError(f"{path} does not exist; give image files or directories of them")
    names: dict[str, Path] = {}
    for path in files:
        other = names.setdefault(path.stem, path)
        if other is not path:
            raise DrumheadError(f"{other} and {path} would write the same files; segment them into different --out")
    return files


def _truth(path: Path, shape: tuple[int, ...], classes: int) -> "np.ndarray | None":
    """Return the true labels of an image if a file beside it has them."""
    from drumhead.read import read_labels

    mask = path.with_name(path.stem + TRUTH)
    if not mask.is_file():
        return None
    labels = read_labels(mask, classes)
    if labels.shape != shape:
        raise DrumheadError(
            f"{mask} is {labels.shape[0]} x {labels.shape[1]} pixels, its image {shape[0]} x {shape[1]}"
        )
    return labels


def _segment(network: "Segmenter", tensor) -> "tuple[np.ndarray, float]":
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
