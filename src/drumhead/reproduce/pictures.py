"""Pictures of a table's trained networks: masks, states, spectra, media, time maps and movies. They need weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from drumhead import tasks
from drumhead.errors import DrumheadError
from drumhead.networks.images import to_images
from drumhead.networks.model import load
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.timed import Timed
from drumhead.reproduce.results import Line
from drumhead.show import movies, networks
from drumhead.show.pages import Picture

IMAGES, AMONG, FRAMES = 4, 64, 25  # images of the gallery, test images they are chosen from, frames of a movie


@torch.no_grad()
def pictures(lines: Sequence[Line], out: Path) -> tuple[list[Picture], list[str]]:
    """Write the pictures that need weights.

    Args:
        lines: finished networks of one task; the first seed that has its weights is shown.
        out: directory of the report.

    Returns:
        The pictures, and a sentence for each that had to be left out.
    """
    planned = lines[0].results[0].planned
    try:
        task = tasks.get(planned.table.task, planned.data or None)
        images, masks = task.arrays("test")
    except DrumheadError as error:
        return [], [f"no pictures of networks: {error}"]
    chosen = _telling(masks[:AMONG])
    images, masks, names = images[chosen], masks[chosen], list(task.classes)
    models, waves, notes = _networks(lines, to_images(images[:1]))
    if not models:
        return [], notes
    labels = {name: model.segment(to_images(images)).numpy() for name, model in models.items()}
    networks.save_gallery(out / "gallery.png", images, masks, labels, names)
    text = f"What each network finds in test images {', '.join(map(str, chosen))}, those with the most classes among "
    drawn = [Picture("gallery.png", f"{text}the first {AMONG}.")]
    if waves:
        drawn += _waves(models, waves, images[0], masks[0], names, out)
    for name, series in waves.items():
        model, every, file = models[name], -(-len(series) // FRAMES), f"waves-{name}.gif"
        dt = model.dt * every if isinstance(model, NeuralWaveMachine) else 0.0
        shown = series[every - 1 :: every]
        movies.save_waves(out / file, images[0], [shown], labels[name][0], model.config.classes, dt, every=every)
        drawn.append(Picture(file, f"Waves of `{name}`."))
    return drawn, notes


def _networks(
    lines: Sequence[Line], image: torch.Tensor
) -> tuple[dict[str, Segmenter], dict[str, np.ndarray], list[str]]:
    """Return the networks, the waves (t, c, y, x) of those that have finite ones, and what is left out."""
    models: dict[str, Segmenter] = {}
    waves, notes = {}, []
    weights = {line.row.name: _weights(line) for line in lines}
    absent = [name for name, path in weights.items() if path is None]
    if absent:
        notes.append(f"no weights here, so no pictures, of {', '.join(absent)}")
    for name, path in weights.items():
        if path is None:
            continue
        try:
            model = models[name] = load(path)
        except DrumheadError as error:
            notes.append(f"no pictures of {name}: {error}")
            continue
        if isinstance(model, Timed):
            series = model.waves(image)[0].numpy()
            if np.isfinite(series).all():
                waves[name] = series
            else:
                notes.append(f"no waves of {name}: they are not finite (courant {model.courant(image)})")
    return models, waves, notes


def _weights(line: Line) -> Path | None:
    """Return the run directory of the first seed that has its weights."""
    return next((r.run.place for r in line.results if (r.run.place / "weights.safetensors").exists()), None)


def _waves(models: dict[str, Segmenter], waves: dict[str, np.ndarray], image: np.ndarray, mask: np.ndarray,
           names: list[str], out: Path) -> list[Picture]:  # fmt: skip
    pictures, strips, maps, media = [], [], {}, {}
    for name, series in waves.items():
        model, outputs = models[name], None
        channel = int(series.std(0).mean((1, 2)).argmax())
        states = series[:, channel]
        if isinstance(model, Timed) and model.time_map is not None:
            maps[name] = model.time_map.numpy()
            outputs = np.tensordot(maps[name], states, 1)
        strips.append(networks.Strip(name, channel, states, outputs))
        if isinstance(model, NeuralWaveMachine):
            omega, alpha, _ = model.medium(to_images(image))
            media[name] = omega[0].numpy(), alpha[0].numpy()
    networks.save_states(out / "states.png", image, strips)
    text = (
        "Ten states of the channel that moves most, blue to red on one scale a network, and ten outputs of its "
        "learned time map, grey, each on its own scale: the paper's Figure 5 for every network with a time loop."
    )
    pictures.append(Picture("states.png", text))
    networks.save_spectra(out / "spectra.png", image, mask, waves, names)
    text = (
        "Magnitude of the Fourier transform over time at each pixel, root mean square over channels, and its mean "
        "inside each true class. A network that separates classes by frequency has lines that part."
    )
    pictures.append(Picture("spectra.png", text))
    if maps:
        networks.save_time_maps(out / "time-maps.png", maps)
        text = "Learned time maps of the linear readout: what each output keeps of the series, over time and frequency."
        pictures.append(Picture("time-maps.png", text))
    if media:
        networks.save_media(out / "media.png", image, media)
        text = "What the image sets: squared natural frequency omega and damping alpha, of the channels that vary most."
        pictures.append(Picture("media.png", text))
    return pictures


def _telling(masks: np.ndarray) -> list[int]:
    """Return the indices of the images with the most classes, the earlier ones first."""
    return sorted(sorted(range(len(masks)), key=lambda i: -len(np.unique(masks[i])))[:IMAGES])
