"""`drumhead listen`: what the objects of images sound like, one by one and all together."""

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumhead.cli.hearing import find_files, objects, one_pass, samples, sound_path
from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    from drumhead.show.listen import Heard

PLAYERS = ("paplay", "aplay", "afplay")
ALL = "all"  # number 0, which no object has


def listen(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    model: str = "tetrominoes",
    out: Path = Path("listen-out"),
    play: bool = False,
) -> None:
    """Hear the objects of images: a sound for each, and all together.

    For each image NAME this writes NAME-NUMBER-CLASS.wav, what a pixel in the middle of each object hears (of the 36
    largest), and NAME-0-all.wav, all of them at once in stereo: each from its place, left to right, and as loud as it
    is large. These are the sounds that `segment` writes: the spectrum of the wave, 200 Hz for an angular frequency
    of 1.

    Args:
        images: image files or directories of them; by default the sample images of the model's task.
        model: name of shipped weights, a run directory or a .safetensors file.
        out: directory for the sounds; it is made if it does not exist.
        play: play all objects of each image together, by paplay, aplay or afplay.
    """
    files = find_files(images)
    player = _player() if play else ""
    from drumhead.networks.weights import find_weights, read_metadata

    weights = find_weights(model)
    import torch

    from drumhead.networks.images import to_images
    from drumhead.networks.model import load
    from drumhead.networks.tiles import WHOLE
    from drumhead.networks.timed import Timed
    from drumhead.read.classes import class_names
    from drumhead.read.images import read_image, width_height
    from drumhead.show import sound
    from drumhead.show.figures import caption
    from drumhead.show.listen import SMALLEST
    from drumhead.show.pages import Grid
    from drumhead.show.place import check_place
    from drumhead.show.terminal import print_table

    network = load(weights)
    if not isinstance(network, Timed):
        raise DrumheadError(
            f"{model} is a {network.config.family}, which has no waves to hear; take a network with waves or cells, "
            "such as the shipped tetrominoes, mnist or wires"
        )
    metadata = read_metadata(weights)
    files = files or find_files((samples(metadata.get("task", "")),))
    check_place(out, files)
    names = [caption(name) for name in class_names(metadata.get("classes", "").split("\n"), network.config.classes)]
    rows, written = [], []
    for path in files:
        image = read_image(path, network.config.image_channels)
        if WHOLE.apart(*image.shape[:2]):
            raise DrumheadError(
                f"{path} has {width_height(image.shape)} pixels (width x height); images of up to {WHOLE.most:,} "
                "pixels are heard: cut it or scale it down"
            )
        with torch.no_grad():
            labels, waves, _ = one_pass(network, to_images(image), path, True, WHOLE)
        heard = objects(path.stem, labels, waves, names, network.stride)
        if not heard:
            print(
                f"{caption(path.stem)}: no object of {SMALLEST} or more pixels was found, so there is nothing to hear"
            )
            continue
        base = out / path.stem
        for number, spot in enumerate(heard, 1):
            sound.save_tone(sound_path(base, number, spot.name), spot.series, network.dt)
            rows.append(_row(path.stem, number, spot, network.dt))
        written.append(sound_path(base, 0, ALL))
        sound.save_together(written[-1], heard, network.dt, image.shape[1])
    if not written:
        return
    columns = ("image", "object", "class", "x, y", "pixels", "omega", "Hz")
    title = f"{model}: the loudest peaks heard, omega per unit of model time and Hz of the sound"
    print_table(Grid(columns, rows, title), left=3)
    print(f"sounds are in {out}/; NAME-0-{ALL}.wav has all objects of an image")
    for path in written if play else ():
        _play(player, path)


def _row(image: str, number: int, spot: "Heard", dt: float) -> tuple[str, ...]:
    from drumhead.show.figures import caption
    from drumhead.show.listen import peaks
    from drumhead.show.sound import HZ_PER_ANGULAR

    found = peaks(spot.series, dt)
    angular, hertz = ([f"{one:.2f}" for one in found], [f"{HZ_PER_ANGULAR * one:.0f}" for one in found])
    place = (f"{spot.x}, {spot.y}", str(spot.size))
    return caption(image), str(number), spot.name, *place, ", ".join(angular) or "-", ", ".join(hertz) or "-"


def _player() -> str:
    for name in PLAYERS:
        if found := shutil.which(name):
            return found
    raise DrumheadError(f"--play needs one of {', '.join(PLAYERS)}, and none is here; leave it out and play the files")


def _play(player: str, path: Path) -> None:
    """Play one file to its end."""
    done = subprocess.run([player, str(path.resolve())], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
        raise DrumheadError(f"{player} could not play {path}: {why}; the sounds are written, play them elsewhere")


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(listen, prog="drumhead listen", args=arguments)
