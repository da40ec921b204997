"""`drumhead segment`: find objects in images and show how they were heard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumhead.cli.hearing import TRUTH, find_files, objects, one_pass, rounds_of, samples, sound_path, until
from drumhead.errors import DrumheadError, none_ignored, options

if TYPE_CHECKING:
    import numpy as np

    from drumhead.networks.segmenter import Segmenter
    from drumhead.read.classes import ClassList


def segment(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    model: str = "tetrominoes",
    out: Path = Path("demo-out"),
    pictures: bool = True,
    labels_only: bool = False,
    tile: int = 0,
    rounds: int = 0,
    until_still: bool = False,
) -> None:
    """Find objects in images and show how they were heard.

    For each image NAME this writes NAME-labels.png (the number of each pixel's class, in the colours of classes.txt if
    it gave some), NAME-mask.png (a picture of the mask beside the image), NAME-waves.gif, NAME-spectrum.png (what one
    pixel of each object hears, of the 36 largest) and NAME-NUMBER-CLASS.wav (the sound of that pixel). A file
    NAME.mask.png beside an image, with its true labels, is used to measure accuracy.

    Args:
        images: image files or directories of them; by default the sample images of the model's task that come with
            drumhead: pieces, digits, polygons or wires.
        model: name of shipped weights, a run directory or a .safetensors file.
        out: directory for the pictures; it is made if it does not exist.
        pictures: write all of these; --no-pictures prints the table only.
        labels_only: write NAME-labels.png alone, as for many images that are to be measured.
        tile: side of the squares that an image is answered in, in pixels, a multiple of 16 from 64 on, where memory
            is short; 0 takes images of up to two million pixels whole and larger ones in squares of 1024. Those have no
            movie and no sound.
        rounds: of a network that runs in rounds, take so many, 2 or more; 0 takes as many as it has.
        until_still: of a network that runs in rounds, take as many as each image needs: until no label has changed for
            five rounds, or --rounds (200) in all.
    """
    files = find_files(images)  # what is missing is said before torch comes
    from drumhead.networks.weights import find_weights, read_metadata

    weights = find_weights(model)
    import torch

    from drumhead.networks.images import to_images
    from drumhead.networks.model import load
    from drumhead.networks.still import asked
    from drumhead.networks.tiles import tiles_of
    from drumhead.read.classes import IGNORE, ClassList, class_names, parse
    from drumhead.read.images import read_image
    from drumhead.show.figures import caption
    from drumhead.show.pages import Grid
    from drumhead.show.palette import colours_of
    from drumhead.show.pictures import save_labels
    from drumhead.show.place import check_place
    from drumhead.show.terminal import print_table

    tiles = tiles_of(tile)
    network = asked(load(weights), rounds, until_still)
    config = network.config
    metadata = read_metadata(weights)
    files = files or find_files((samples(metadata.get("task", "")),))
    writes, shows = pictures or labels_only, pictures and not labels_only
    if writes:
        check_place(out, files)
    names = class_names(metadata.get("classes", "").split("\n"), config.classes)
    shown = parse(metadata["class_list"], model) if "class_list" in metadata else ClassList(tuple(names))
    names = [caption(name) for name in names]
    colours = colours_of(shown)
    for path in files:  # one that cannot be read is said before anything is written
        _truth(path, read_image(path, config.image_channels).shape[:2], shown)
    network.segment(torch.zeros(1, config.image_channels, 16, 16))  # the first image shall not pay for the start
    rows = []
    for path in files:
        image = read_image(path, config.image_channels)
        x, own, waves, counted = to_images(image), network, None, ()
        if until_still:
            labels, took, changing, milliseconds = until(network, x, path, tiles)
            own, counted = network.in_rounds(took), (f"{took}{', still changing' * changing}",)
            waves = one_pass(own, x, path, shows, tiles)[1] if shows else None  # what is shown is of as many
        else:
            labels, waves, milliseconds = one_pass(network, x, path, shows, tiles)
        truth = _truth(path, labels.shape, shown)
        found = ", ".join(names[i] for i in sorted(set(labels.ravel().tolist())) if i)
        accuracy = "-"
        if truth is not None and (counts := (truth > 0) & (truth != IGNORE)).any():
            accuracy = f"{(labels == truth)[counts].mean():.3f}"
        rows.append((caption(path.stem), found or "nothing", accuracy, *counted, f"{milliseconds:.1f}"))
        if writes:
            save_labels(out / f"{path.stem}-labels.png", labels, colours)
        if shows:
            _show(out / path.stem, image, labels, waves, truth, names, own)
    title = f"{model}: {len(files)} image{'s' * (len(files) != 1)}"
    counts = ("rounds",) if until_still else ()
    columns = ("image", "classes found", "foreground accuracy", *counts, "ms per image")
    print_table(Grid(columns, rows, title), left=2)
    if writes:
        print(f"{'labels, pictures of masks, wave movies, spectra and sounds' if shows else 'labels'} are in {out}/")


def _show(base: Path, image: "np.ndarray", labels: "np.ndarray", waves: "np.ndarray | None",
          truth: "np.ndarray | None", names: list[str], network: "Segmenter") -> None:  # fmt: skip
    """Write all files of one image, whose paths begin with `base`."""
    import torch

    from drumhead.networks.images import to_images
    from drumhead.networks.timed import Timed
    from drumhead.show import movies, sound
    from drumhead.show import pictures as draw

    heard = [] if waves is None else objects(base.name, labels, waves, names, network.stride)
    draw.save_mask(base.with_name(f"{base.name}-mask.png"), image, labels, names, heard, truth)
    if waves is None or not isinstance(network, Timed):  # nothing to hear
        return
    draw.save_spectrum(base.with_name(f"{base.name}-spectrum.png"), heard, network.dt)
    seen = [*_some(network.sounding[:-1]), network.sounding[-1]]
    x = to_images(image)
    with torch.no_grad():
        lower = [network.waves(x, layer=k)[0].numpy() for k in seen[:-1]]
    movies.save_waves(base.with_name(f"{base.name}-waves.gif"), image, [*lower, waves], labels, len(names), network.dt,
                      parts=rounds_of(network, x, seen))  # fmt: skip
    for number, spot in enumerate(heard, 1):
        sound.save_tone(sound_path(base, number, spot.name), spot.series, network.dt)


def _some(layers: list[int]) -> list[int]:
    """Return at most five of the layers below the last one, evenly, since a network may run in many rounds."""
    return [layers[len(layers) * i // 5] for i in range(5)] if len(layers) > 5 else layers


def _truth(path: Path, shape: tuple[int, ...], classes: "ClassList") -> "np.ndarray | None":
    """Return the true labels of an image if a file beside it has them."""
    from drumhead.read.images import width_height
    from drumhead.read.masks import read_mask

    mask = path.with_name(path.stem + TRUTH)
    if not mask.is_file():
        return None
    labels = read_mask(mask, classes)
    if labels.shape != shape:
        raise DrumheadError(
            f"{mask} is {width_height(labels.shape)} pixels, its image {width_height(shape)} (width x height)"
        )
    return labels


def run(arguments: list[str]) -> None:
    """Parse and call."""
    given = options(arguments)
    none_ignored(given & {"--out", "--labels-only"} if "--no-pictures" in given else (), "--no-pictures")
    tyro.cli(segment, prog="drumhead segment", args=arguments)
