"""Weights trained with the paper's published code: read a `cp.pt` state dict and map it onto our modules.

Every size follows from the shapes of the tensors. dt is 0.1, as in all published runs. Which readout was trained is not
in the file, so the caller says it.
"""

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, reason
from drumhead.settings.config import NWM, Waves

_OURS = {
    "cell.Wy.weight": "kernel",
    "fc_time.weight": "readout.time_map",
    "omega_encoder": "encoder.omega",
    "alpha_encoder": "encoder.alpha",
    "hy_encoder": "encoder.y0",
    "fc_readout": "head.layers",
}


def read_published(path: Path, readout: str = "linear") -> tuple[NWM, dict[str, Tensor]]:
    """Read the published code's state dict of a Neural Wave Machine: its config, and its tensors under our names.

    Args:
        path: the `cp.pt` file.
        readout: the readout that it was trained with, which the file does not say.

    Returns:
        What a network with the same logits is built from. The time map that the published code keeps for readouts
        that never use it is left out, so those networks count 5,100 parameters fewer (with T = 100).

    Raises:
        DrumheadError: the file is not such a state dict, or does not fit the readout.
    """
    state = _read(path)
    config = _infer(state, path, readout)
    if config.readout != "linear":
        state = {name: tensor for name, tensor in state.items() if name != "fc_time.weight"}
    tensors = {}
    for name, tensor in state.items():
        linear = name.startswith("fc_readout") and tensor.ndim == 2
        tensors[_rename(name)] = tensor[:, :, None, None] if linear else tensor  # as a 1x1 convolution
    return config, tensors


def _read(path: Path) -> dict[str, Tensor]:
    """Return the tensors under `classifier.`, without the prefix."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of protocols that a damaged file names
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DrumheadError(f"{path} does not exist") from None
    except Exception as error:  # a damaged archive can raise anything
        raise DrumheadError(f"{path} is not a plain state dict of tensors: {reason(error)}") from None
    tensors = {
        str(name).partition("classifier.")[2]: tensor
        for name, tensor in (state.items() if isinstance(state, dict) else ())
        if "classifier." in str(name) and isinstance(tensor, Tensor)
    }
    for name, tensor in tensors.items():
        if tensor.untyped_storage().nbytes() < tensor.nbytes:  # a few numbers, repeated to any size
            raise DrumheadError(f"{path}: tensor {name} holds fewer numbers than its shape {tuple(tensor.shape)} says")
    if "cell.Wy.weight" not in tensors:
        raise DrumheadError(f"{path} has no tensor classifier.cell.Wy.weight: not a published wave network")
    return tensors


def _infer(state: dict[str, Tensor], path: Path, readout: str) -> NWM:
    try:
        first, coupling, time_map = state["omega_encoder.0.weight"], state["cell.Wy.weight"], state["fc_time.weight"]
        layers = [name for name in state if re.fullmatch(r"fc_readout\.\d+\.weight", name)]
        head = [state[name] for name in sorted(layers, key=lambda name: (len(name), name))]  # 2 comes before 10
        steps, channels, features = time_map.shape[1], coupling.shape[0], head[0].shape[1]
        if first.ndim != 4 or coupling.ndim != 4 or any(layer.ndim < 2 for layer in head):
            raise IndexError("a convolution")
    except (KeyError, IndexError) as error:
        raise DrumheadError(f"{path} is not a published wave network: {error} is missing") from None
    fitting = ("last", "mean", "max") if features == channels else ("linear", "fft")
    if readout not in fitting:
        raise DrumheadError(
            f"{path}: its head reads {features} features of {channels} channels, which fits the readouts "
            f"{', '.join(fitting)}, not {readout!r}; say which it was trained with: readout={fitting[0]!r}"
        )
    return NWM(
        image_channels=first.shape[1],
        classes=head[-1].shape[0],
        waves=(Waves(channels=channels, steps=steps, kernel_size=coupling.shape[-1]),),
        width=first.shape[0],
        readout=readout,  # type: ignore[arg-type]
        head=tuple(layer.shape[0] for layer in head[:-1]),
    )


def _rename(name: str) -> str:
    theirs = next(filter(name.startswith, _OURS), "")
    return _OURS.get(theirs, "") + name.removeprefix(theirs)  # `fit` names what is not part of the model
