"""Training on a GPU without waiting for the processor: a network's two passes as CUDA graphs.

A step of these networks is hundreds of short kernels, and starting them one by one takes the processor longer than
running them takes the GPU. Captured once, they are started together.
"""

import gc
import os

import torch
from torch import Tensor, nn

from drumhead.errors import DrumheadError


def capture(model: nn.Module, *inputs: Tensor) -> bool:
    """Let a network replay its passes from now on; say whether it does. `DRUMHEAD_GRAPHS=0` keeps from it.

    Weights and the statistics of normalisations stay as they were. In training mode the network must then be given
    inputs of exactly these shapes, and `zero_grad(set_to_none=True)`, torch's default, before each backward pass: its
    gradients are the graph's own memory. In evaluation mode it runs as before.

    Args:
        model: on a CUDA device, or else nothing is done.
        inputs: a batch of training.

    Raises:
        DrumheadError: the passes cannot be captured.
    """
    wanted = os.environ.get("DRUMHEAD_GRAPHS", "1")
    if wanted not in ("0", "1"):
        raise DrumheadError(f"DRUMHEAD_GRAPHS={wanted!r}: 0 or 1 is needed")
    if wanted == "0" or not inputs[0].is_cuda:
        return False
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        torch.cuda.make_graphed_callables(model, inputs)
    except RuntimeError as error:
        raise DrumheadError(
            f"training could not be captured as a CUDA graph; set DRUMHEAD_GRAPHS=0 ({error})"
        ) from None
    model.load_state_dict(before)  # in place: the passes before the capture moved the statistics
    return True


def release(model: nn.Module) -> None:
    """Let a network run its own passes again, and give back the memory of its graphs: the two hold each other."""
    if model.__dict__.pop("forward", None) is not None:
        gc.collect()
        torch.cuda.empty_cache()
