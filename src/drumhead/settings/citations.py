"""Which works a run rests on: its settings name them, `references.bib` holds them. Imports no torch.

A method is cited if the run used it: AdamW beside Adam only if it took the steps, the stable limit only if `courant`
keeps to it.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from drumhead.settings.config import (
    NWM,
    Attention,
    Bottleneck,
    Context,
    Layer,
    ModelConfig,
    Modes,
    Recurrent,
    ResNet,
    Stack,
    TrainConfig,
    UNet,
    Waves,
)

PAPER = "jacobs2025"
TASKS = {
    "tetrominoes": {PAPER: "the tetrominoes"},
    "polygons": {PAPER: "the polygons"},
    "polygons-turned": {PAPER: "the polygons"},
    "mnist": {"lecun1998": "MNIST's digits"},
    "multi-mnist": {"lecun1998": "MNIST's digits", PAPER: "Multi-MNIST"},
    "multi-mnist-unseen": {"lecun1998": "MNIST's digits", PAPER: "Multi-MNIST"},
    "pathfinder": {"linsley2018": "pathfinder"},
}
"""Works behind the images of each task; those that are not named are drumhead's own, or the user's."""

Reasons = dict[str, list[str]]


@cache
def references() -> dict[str, str]:
    """Return the entries of `references.bib` by key."""
    text = (Path(__file__).parent / "references.bib").read_text(encoding="utf-8")
    return {entry.split("{", 1)[1].split(",", 1)[0]: entry.strip() for entry in re.split(r"\n\n(?=@)", text)}


def cited(model: ModelConfig, train: TrainConfig | None = None, task: str = "") -> Reasons:
    """Return the works behind a network, its training and its images, each with what it is cited for.

    Args:
        model: the network's settings.
        train: how it was trained; None cites nothing for that.
        task: the name of its images; "" cites nothing for them.

    Returns:
        Keys of `references`, the most particular ones first.

    Example:
        >>> from drumhead.settings.citations import cited
        >>> list(cited(dh.UNet(), task="pathfinder"))
        ['ronneberger2015', 'ioffe2015', 'linsley2018', 'paszke2019']
    """
    found: Reasons = {}
    own = TASKS.get(re.sub(r"-\d+$", "", task), {})  # a number in a task's name is a distance
    pairs = [*_of_model(model), *own.items(), *(_of_training(train) if train else ())]
    for key, reason in [*pairs, ("paszke2019", "PyTorch")]:
        if reason not in found.setdefault(key, []):
            found[key].append(reason)
    return found


def _of_model(model: ModelConfig) -> Iterator[tuple[str, str]]:
    if isinstance(model, NWM | Stack):
        for layer in model.waves:
            yield from _of_layer(layer)
    elif isinstance(model, Recurrent):
        yield PAPER, "recurrent cells read out over time"
        yield from {"lstm": [("shi2015", "convolutional LSTM")], "gru": [("ballas2016", "convolutional GRU")]}.get(
            model.cell, []
        )
    elif isinstance(model, UNet):
        yield "ronneberger2015", "U-Net"
    elif isinstance(model, ResNet):
        yield "he2016", "residual blocks"
    if model.start == "he":
        yield "he2015", "initial weights"
    if isinstance(model, Stack | ResNet | UNet) or (isinstance(model, NWM) and model.norm):
        yield "ioffe2015", "batch normalisation"


def _of_layer(layer: object) -> Iterator[tuple[str, str]]:
    if isinstance(layer, Waves):  # a stack's Layer is one
        yield PAPER, "layers of waves" if isinstance(layer, Layer) else "Neural Wave Machine"
        if layer.integrator == "verlet":
            yield "hairer2003", "Verlet steps"
        if layer.courant:
            yield "courant1928", "the stable limit of a step"
        if layer.boundary == "absorbing":
            yield "israeli1981", "damped margin around the grid"
    elif isinstance(layer, Modes):
        yield PAPER, "layers of waves"
        yield "rusch2025", "oscillators in closed form"
    elif isinstance(layer, Bottleneck | Context):
        yield "sandler2018", "inverted bottleneck"
        if isinstance(layer, Context):
            yield "hu2018", "the mean of the whole image"
        elif layer.kernel_size > 3:
            yield "liu2022", "large depthwise kernels"
    elif isinstance(layer, Attention):
        yield "vaswani2017", "self-attention"
        yield "chu2021", "places by convolution"


def _of_training(train: TrainConfig) -> Iterator[tuple[str, str]]:
    yield "kingma2015", "Adam"
    if train.optimizer == "adamw":
        yield "loshchilov2019", "AdamW"
    if train.schedule == "cosine":
        yield "loshchilov2017", "cosine schedule"
        if train.warmup:
            yield "goyal2017", "warm-up"
    if train.clip:
        yield "pascanu2013", "gradient clipping"
    if train.precision == "bf16-mixed":
        yield "micikevicius2018", "mixed precision"
