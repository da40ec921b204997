"""Training on a GPU without waiting for the processor: a network's two passes as CUDA graphs.

A step of these networks is hundreds of short kernels, and starting them one by one takes the processor longer than
running them takes the GPU. Captured once, they are started together.
"""

import os

import torch
from torch import Tensor, nn

from drumhead.errors import DrumheadError


def capture(model: nn.Module, *inputs: Tensor) -> bool:
    """Let a network replay its passes from now on, for inputs of these shapes in training mode; say whether it does.

    Weights, statistics of normalisations and random states stay as they were. `DRUMHEAD_GRAPHS=0` keeps from it.

    Args:
        model: on a CUDA device, or else nothing is done.
        inputs: a batch of training.
    """
    wanted = os.environ.get("DRUMHEAD_GRAPHS", "1")
    if wanted not in ("0", "1"):
        raise DrumheadError(f"DRUMHEAD_GRAPHS={wanted!r}: 0 or 1 is needed")
    if wanted == "0" or not inputs[0].is_cuda:
        return False
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.cuda.make_graphed_callables(model, inputs)
    model.load_state_dict(before)  # in place: the passes before the capture moved the statistics
    model.zero_grad()
    return True
