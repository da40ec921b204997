"""How networks are made and kept: build, load, save.

`build` makes an untrained network, `load` a trained one; `save` writes a .safetensors file that carries its
config, so that a file is all that `load` needs.
"""

import json
from collections.abc import Callable
from inspect import isfunction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from drumhead.errors import DrumheadError, choose, reason
from drumhead.files import from_json
from drumhead.networks.baselines import CNN, ResNet, UNet
from drumhead.networks.cells import RecurrentNetwork
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stack import make_stack
from drumhead.networks.weights import find_weights, read_safetensors, to_bytes
from drumhead.settings import config as settings
from drumhead.settings.config import ModelConfig
from drumhead.settings.presets import get_preset
from drumhead.settings.text import from_dict, to_dict

NETWORKS: dict[type[ModelConfig], Callable[[Any], Segmenter]] = {
    settings.NWM: NeuralWaveMachine,
    settings.Stack: make_stack,
    settings.Recurrent: RecurrentNetwork,
    settings.CNN: CNN,
    settings.ResNet: ResNet,
    settings.UNet: UNet,
}
COMPILED = "._orig_mod"  # in the names of what torch.compile made of a part


def build(config: str | ModelConfig) -> Segmenter:
    """Make an untrained network from a preset's name or a config.

    Args:
        config: a name from `drumhead.presets()`, or the settings of a family: `NWM`, `Stack`, `Recurrent`, `CNN`,
            `ResNet` or `UNet`.

    Returns:
        The network, a `torch.nn.Module` with random weights; set `torch.manual_seed` before for the same ones.

    Raises:
        DrumheadError: the name is not known.

    Example:
        >>> sum(p.numel() for p in dh.build("tetrominoes/nwm-linear").parameters())
        176124
    """
    if isinstance(config, str):
        config = get_preset(config).model
    if not isinstance(config, ModelConfig):
        raise DrumheadError(f"build: got {type(config).__name__}; a preset's name or a ModelConfig is needed")
    model = NETWORKS[type(config)](config)
    if config.start == "he":
        for layer in model.modules():
            if type(layer) is nn.Conv2d:  # not the gates of a recurrent cell
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def save(model: nn.Module, path: str | Path, **extra: str) -> None:
    """Write weights and config to one .safetensors file, whole or not at all.

    Args:
        model: the network, or what torch.compile, DataParallel, DistributedDataParallel, AveragedModel or Lightning
            Fabric made of it; the file is the same.
        path: where to write.
        extra: further texts for the file's metadata, such as `preset` or `commit`.

    Raises:
        DrumheadError: the model is not drumhead's, or was changed into one that its config does not describe, so that
            `load` could not make it again.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dh.save(dh.build("tetrominoes/unet-2"), f"{folder}/mine.safetensors", note="untrained")
        ...     again = dh.load(f"{folder}/mine.safetensors")
        >>> again.config.width
        2
    """
    from drumhead.files import write_atomic

    model = _unwrapped(model)
    tensors = {name.replace(COMPILED, ""): tensor.detach() for name, tensor in model.state_dict().items()}
    with torch.device("meta"):
        described = build(model.config)
    try:
        _compare(described.state_dict(), tensors, "save")
        own, wanted = _leaves(model), _leaves(described)
        for name in sorted(dict(own.items() ^ wanted.items())):
            raise DrumheadError(f"save: {name} is {own.get(name, 'missing')}, not {wanted.get(name, 'in this model')}")
        _refuse_own(model, described)
    except DrumheadError as error:
        raise DrumheadError(
            f"{error}, and the file holds only what the model's config describes: end pruning with "
            "torch.nn.utils.prune.remove and parametrizations with torch.nn.utils.parametrize.remove_parametrizations, "
            "or keep the state_dict of a changed network yourself"
        ) from None
    metadata = {"format": "drumhead", "model": json.dumps(to_dict(model.config)), **extra}
    # Tied weights are written as two equal ones: a .safetensors file shares no memory.
    copies = {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    write_atomic(Path(path), to_bytes(copies, metadata))


def _unwrapped(model: nn.Module) -> Segmenter:
    """Return the network inside the wrappers of torch.compile ("_orig_mod") and of those that train ("module")."""
    inner: object = model
    while isinstance(inner, nn.Module) and not isinstance(inner, Segmenter):
        inner = getattr(inner, "_orig_mod", getattr(inner, "module", None))
    if not isinstance(inner, Segmenter):
        raise DrumheadError(f"save: got {type(model).__name__}; a network of dh.build or dh.load is needed")
    return inner


def _refuse_own(model: nn.Module, described: nn.Module) -> None:
    """Refuse parts whose class does something otherwise than the class of drumhead's that the config stands for."""
    parts = {name.replace(COMPILED, ""): part for name, part in model.named_modules(remove_duplicate=False)}
    for name, part in described.named_modules(remove_duplicate=False):
        kinds = [kind for kind in type(part).__mro__ if kind.__module__.startswith("drumhead.")]
        methods = {method for kind in kinds for method, value in vars(kind).items() if isfunction(value)}
        for method in sorted(methods):
            own = type(parts.get(name))
            if getattr(own, method, None) is not getattr(type(part), method):
                what = f"{name or 'the network'}, {own.__name__}, has a {method} of its own"
                raise DrumheadError(f"save: {what}, not that of {type(part).__name__}")


def _leaves(model: nn.Module) -> dict[str, str]:
    """Return layers and their settings, which tell activations apart; those that change no answer are left out."""
    leaves = ((name, part) for name, part in model.named_modules(remove_duplicate=False) if not list(part.children()))
    settings = {name.replace(COMPILED, ""): repr(part) for name, part in leaves if not isinstance(part, _BatchNorm)}
    return {name: text.replace("inplace=True", "") for name, text in settings.items()}


def load(source: str | Path, *, format: str = "drumhead", readout: str | None = None) -> Segmenter:
    """Load a trained network, in evaluation mode.

    Args:
        source: the name of shipped weights (`drumhead doctor` lists them), a run directory, a file, or
            `hf://USER/NAME` for a network on the Hugging Face Hub, which `drumhead push` puts there.
        format: "drumhead" for our .safetensors, "published" for the `cp.pt` state dict of the paper's code.
        readout: for "published" only: the readout that the weights were trained with, which that file does not
            say ("linear", which is the default, "fft", "last", "mean" or "max").

    Returns:
        The network.

    Raises:
        DrumheadError: nothing of that name, the file is not what it should be, or a readout for a file that says its.

    Example:
        >>> model = dh.load("tetrominoes")
        >>> model.segment(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 64, 64])
    """
    choose("format", format, ("drumhead", "published"))
    if format == "published":
        from drumhead.networks.published_weights import read_published

        path = Path(source)
        config, tensors = read_published(path, "linear" if readout is None else readout)
    else:
        if readout is not None:
            raise DrumheadError(
                f"readout={readout!r}: only format='published' needs one, as all other files say theirs; leave it out"
            )
        path = find_weights(source)
        metadata, tensors = read_safetensors(path)
        try:
            values = from_json(metadata["model"]) if metadata.get("format") == "drumhead" else None
        except (KeyError, ValueError):
            values = None
        if not isinstance(values, dict):
            raise DrumheadError(f"{path} carries no drumhead config; files written by drumhead.save do")
        config = from_dict(ModelConfig, values, f"{path}: model")
    _refuse_other(config, tensors, path)
    model = build(config)
    fit(model, tensors, str(path))
    return model.eval()


def _refuse_other(config: ModelConfig, tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse tensors that are not those of a config before memory is taken for it: a config can ask for any size."""
    if config.flat().get("depth", 0) > len(tensors):
        raise DrumheadError(f"{path}: its config has more layers than the file has tensors ({len(tensors)})")
    try:
        with torch.device("meta"):
            described = build(config).state_dict()
    except (RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, DrumheadError):
            raise DrumheadError(f"{path}: {error}") from None
        raise DrumheadError(f"{path}: its config describes no network that can be built: {reason(error)}") from None
    _compare(described, tensors, str(path))
    for name, tensor in tensors.items():
        wanted = described[name].dtype
        if tensor.is_complex() or tensor.is_floating_point() != wanted.is_floating_point:
            raise DrumheadError(f"{path}: tensor {name} holds {tensor.dtype}, the model {wanted}")
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise DrumheadError(f"{path}: tensor {name} holds values that are no numbers; train the network again")


def fit(model: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copy tensors into a model, naming the first that is missing, too many or of another shape."""
    _compare(model.state_dict(), tensors, where)
    model.load_state_dict(tensors)


def _compare(own: dict[str, Tensor], tensors: dict[str, Tensor], where: str) -> None:
    for name in sorted(own.keys() ^ tensors.keys()):
        raise DrumheadError(f"{where}: tensor {name} is {'missing' if name in own else 'not part of this model'}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise DrumheadError(
                f"{where}: tensor {name} has the shape {tuple(tensor.shape)}, the model {tuple(own[name].shape)}"
            )
