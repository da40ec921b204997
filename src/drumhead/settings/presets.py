"""Named configs. `presets()` lists them; each is a `RunConfig` that `drumhead train NAME` runs as it is."""

from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any, get_args

from drumhead.errors import DrumheadError
from drumhead.settings.config import (
    CNN,
    NWM,
    Attention,
    Bottleneck,
    Context,
    Layer,
    ModelConfig,
    Modes,
    Recurrent,
    ResNet,
    RunConfig,
    Stack,
    TrainConfig,
    UNet,
    Waves,
)  # fmt: skip
from drumhead.settings.networks import Cell, Readout

READOUTS = get_args(Readout)

_TASKS: dict[str, dict[str, Any]] = {
    "tetrominoes": {"image_channels": 3, "classes": 6},
    "mnist": {"image_channels": 1, "classes": 11},
    "multi-mnist": {"image_channels": 1, "classes": 11},
    "polygons": {"image_channels": 1, "classes": 5},
    "wires": {"image_channels": 1, "classes": 3},
    "folder": {"image_channels": 3, "classes": 2},  # channels and classes come from the data
}

_TASKS |= {
    "multi-mnist-unseen": _TASKS["multi-mnist"],
    "polygons-turned": _TASKS["polygons"],
    "pathfinder": _TASKS["wires"],
}

_FAST = NWM(
    waves=(
        Waves(channels=8, steps=20, dt=0.5, integrator="verlet", coupling="depthwise", courant=0.9, stride=2),
    ),
    encoder="stem", width=24, head=(64, 64), skip=True, norm=True,
)  # fmt: skip

_FAST_TRAIN = TrainConfig(epochs=25, batch=32, lr=3e-3, optimizer="adamw", schedule="cosine", warmup=0.05, clip=1.0)

_STACKS = {
    "nwm-stack": Stack(),
    "nwm-stack-l": Stack(width=48).changed(channels=24),
    "nwm-modes": Stack(waves=(Modes(),) * 3),
    "nwm-rounds": Stack(waves=(Layer(stride=2, steps=20),), rounds=6, fewest=3),
    "frame-3x3": Stack(waves=(Bottleneck(maps=128, kernel_size=3),) * 3),
    "frame-7x7": Stack(waves=(Bottleneck(),) * 3),
    "frame-pool": Stack(waves=(Context(),) * 3),
    "frame-rounds": Stack(waves=(Bottleneck(stride=2),), rounds=6, fewest=3),
    "frame-attention": Stack(waves=(Attention(),) * 3),
}
_STACK_TRAIN = TrainConfig(
    epochs=40, epoch_images=10_000, batch=16, lr=3e-3, optimizer="adamw", weight_decay=0.01, schedule="cosine",
    warmup=0.05, clip=1.0,
)  # fmt: skip
_FOLDER_TRAIN = {"epochs": 40, "epoch_images": 1_000, "batch": 16}  # however few images there are, 40,000 crops


def _all() -> dict[str, RunConfig]:
    out = {}
    for task, images in _TASKS.items():
        # Multi-MNIST: 16 channels and the slim head of the published runs (arXiv 2502.06034).
        wide = {"channels": 16, "head": (32,) * 5} if task.startswith("multi-mnist") else {}
        networks: dict[str, ModelConfig] = {}
        for readout in READOUTS:
            networks[f"nwm-{readout}"] = NWM(readout=readout, **images).changed(**wide)
        # The published recurrent networks run for 20 steps, with 2 channels and the wide head on every task.
        for cell, readout in product(get_args(Cell), READOUTS):
            networks[f"{cell}-{readout}"] = Recurrent(cell=cell, readout=readout, **images)
        for depth in (2, 4, 8, 16, 32):
            networks[f"cnn-{depth}"] = CNN(depth=depth, **images)
            networks[f"resnet-{depth}"] = ResNet(depth=depth, start="he", **images)
        for width in (2, 3, 4, 5):
            networks[f"unet-{width}"] = UNet(width=width, **images)
        for name, network in networks.items():
            out[f"{task}/{name}"] = RunConfig(preset=f"{task}/{name}", task=task, model=network)
        fast = _FAST.changed(**images)
        out[f"{task}/nwm-fast"] = RunConfig(preset=f"{task}/nwm-fast", task=task, model=fast, train=_FAST_TRAIN)
        for name, stack in _STACKS.items():
            preset = f"{task}/{name}"
            out[preset] = RunConfig(preset=preset, task=task, model=stack.changed(**images), train=_STACK_TRAIN)
    for name, config in out.items():
        if config.task == "folder":
            out[name] = replace(config, train=replace(config.train, **_FOLDER_TRAIN))
    return out


PRESETS = _all()

_FAMILIES = {
    "nwm": "Neural Wave Machine of the paper, by its readout",
    "nwm-fast": "the same idea, one layer on half the grid",
    "nwm-stack": "layers of waves, each in the medium that the one below heard",
    "nwm-stack-l": "the same with 24 sheets and 48 maps, twice the parameters",
    "nwm-modes": "the same in closed form, without a loop over time",
    "nwm-rounds": "one layer of waves again and again, as often as the distance asks for",
    "frame": "what nwm-stack is without waves: kernels, pooling or attention in their place",
    "lstm": "convolutional LSTM of the paper",
    "gru": "convolutional GRU",
    "rnn": "convolutional Elman network",
    "cnn": "the paper's CNN, by its number of layers",
    "resnet": "a fair CNN: residual, normalised, no narrow layer",
    "unet": "U-Net, by its width",
}


def presets(pattern: str = "*") -> list[str]:
    """Return the names of the presets that match a pattern with `*` as wildcard.

    Args:
        pattern: with * for anything.

    Example:
        >>> dh.presets("tetrominoes/nwm-f*")
        ['tetrominoes/nwm-fast', 'tetrominoes/nwm-fft']
    """
    return sorted(name for name in PRESETS if fnmatchcase(name, pattern))


def overview() -> str:
    """Say in a few lines which presets there are: every task has the same networks."""
    tasks = sorted({name.split("/")[0] for name in PRESETS})
    lines = ["a preset is TASK/NETWORK, as in tetrominoes/nwm-fast", "", "TASK", f"  {', '.join(tasks)}"]
    lines += ["  (folder is your own: --data DIR)", "", "NETWORK"]
    for family, text in _FAMILIES.items():
        networks = [name.removeprefix("folder/") for name in PRESETS if name.startswith(f"folder/{family}-")]
        kinds = [network.removeprefix(f"{family}-") for network in networks if network not in _FAMILIES]
        names = f"{family}-{{{','.join(kinds)}}}" if kinds else family
        lines.append(f"  {names:<40}{text}")
    return "\n".join(lines)


def get_preset(name: str) -> RunConfig:
    """Return the preset of this name; a wrong name raises with the nearest ones."""
    if name in PRESETS:
        return PRESETS[name]
    from difflib import get_close_matches

    near = get_close_matches(name, PRESETS, n=3, cutoff=0.3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise DrumheadError(f"preset {name!r} is not known; {hint}'drumhead train --list' shows all")
