"""Pictures of a table's trained networks: masks, states, spectra, media, time maps and movies. They need weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

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


@dataclass(frozen=True)
class _Network:
    """A trained network and what it makes of the images."""

    name: str
    model: Segmenter
    labels: np.ndarray
    """(n, y, x)"""
    waves: np.ndarray | None
    """Of the first image, (t, c, y, x); None for a network without a time loop, or when they are not finite."""

    @property
    def series(self) -> np.ndarray:
        """The waves of a network that has some."""
        assert self.waves is not None
        return self.waves


def looks(lines: Sequence[Line], out: Path) -> tuple[list[Picture], list[str]]:
    """Write the pictures that need weights.

    Args:
        lines: finished networks of one task; the first seed that has its weights is shown.
        out: directory of the report.

    Returns:
        The pictures, and a sentence for each that had to be left out.
    """
    cell = lines[0].results[0].cell
    try:
        task = tasks.get(cell.table.task, cell.data or None)
        images, masks = task.arrays("test")
    except DrumheadError as error:
        return [], [f"no pictures of networks: {error}"]
    chosen = _telling(masks[:AMONG])
    images, masks, names = images[chosen], masks[chosen], list(task.classes)
    found, notes = _look(lines, images)
    if not found:
        return [], notes
    networks.save_gallery(out / "gallery.png", images, masks, {n.name: n.labels for n in found}, names)
    text = f"What each network finds in test images {', '.join(map(str, chosen))}, those with the most classes among "
    pictures = [Picture("gallery.png", f"{text}the first {AMONG}.")]
    waving = [network for network in found if network.waves is not None]
    if waving:
        pictures += _waves(waving, images[0], masks[0], names, out)
        pictures += [_movie(network, images[0], out) for network in waving]
    return pictures, notes


def wanted_seed(line: Line) -> Path | None:
    """Return the run directory of the first seed that has its weights."""
    return next((r.path for r in line.results if (r.path / "weights.safetensors").exists()), None)


@torch.no_grad()
def _look(lines: Sequence[Line], images: np.ndarray) -> tuple[list[_Network], list[str]]:
    found, notes = [], []
    absent = [line.row.name for line in lines if wanted_seed(line) is None]
    if absent:
        notes.append(f"no weights here, so no pictures, of {', '.join(absent)}")
    for line in lines:
        path = wanted_seed(line)
        if path is None:
            continue
        try:
            model = load(path)
        except DrumheadError as error:
            notes.append(f"no pictures of {line.row.name}: {error}")
            continue
        x = to_images(images)
        waves = model.waves(x[:1])[0].numpy() if isinstance(model, Timed) else None
        if waves is not None and not np.isfinite(waves).all():
            notes.append(f"no waves of {line.row.name}: they are not finite (courant {model.courant(x[:1])})")
            waves = None
        found.append(_Network(line.row.name, model, model.segment(x).numpy(), waves))
    return found, notes


@torch.no_grad()
def _waves(waving: list[_Network], image: np.ndarray, mask: np.ndarray, names: list[str], out: Path) -> list[Picture]:
    pictures, strips, maps = [], [], {}
    for network in waving:
        channel = int(network.series.std(0).mean((1, 2)).argmax())
        states = network.series[:, channel]
        kept = network.model.time_map if isinstance(network.model, Timed) else None
        weights = None if kept is None else kept.numpy()
        outputs = None if weights is None else np.tensordot(weights, states, 1)
        if weights is not None:
            maps[network.name] = weights
        strips.append(networks.Strip(network.name, channel, states, outputs))
    networks.save_states(out / "states.png", image, strips)
    text = (
        "Ten states of the channel that moves most, blue to red on one scale a network, and ten outputs of its "
        "learned time map, grey, each on its own scale: the paper's Figure 5 for every network with a time loop."
    )
    pictures.append(Picture("states.png", text))
    networks.save_spectra(out / "spectra.png", image, mask, {n.name: n.series for n in waving}, names)
    text = (
        "Magnitude of the Fourier transform over time at each pixel, root mean square over channels, and its mean "
        "inside each true class. A network that separates classes by frequency has lines that part."
    )
    pictures.append(Picture("spectra.png", text))
    if maps:
        networks.save_time_maps(out / "time-maps.png", maps)
        text = "Learned time maps of the linear readout: what each output keeps of the series, over time and frequency."
        pictures.append(Picture("time-maps.png", text))
    media = {n.name: _medium(n.model, image) for n in waving if isinstance(n.model, NeuralWaveMachine)}
    if media:
        networks.save_media(out / "media.png", image, media)
        text = "What the image sets: squared natural frequency omega and damping alpha, of the channels that vary most."
        pictures.append(Picture("media.png", text))
    return pictures


def _movie(network: _Network, image: np.ndarray, out: Path) -> Picture:
    every = -(-len(network.series) // FRAMES)
    dt = network.model.dt * every if isinstance(network.model, NeuralWaveMachine) else 0.0
    waves, file = network.series[every - 1 :: every], f"waves-{network.name}.gif"
    movies.save_waves(out / file, image, waves, network.labels[0], network.model.config.classes, dt, every=every)
    return Picture(file, f"Waves of `{network.name}`.")


def _medium(model: NeuralWaveMachine, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    def plain(field: Tensor) -> np.ndarray:
        return field[0].numpy()

    omega, alpha, _ = model.medium(to_images(image))
    return plain(omega), plain(alpha)


def _telling(masks: np.ndarray) -> list[int]:
    """Return the indices of the images with the most classes, the earlier ones first."""
    kinds = [len(np.unique(mask)) for mask in masks]
    return sorted(sorted(range(len(masks)), key=lambda i: (-kinds[i], i))[:IMAGES])
