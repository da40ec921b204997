"""What a network's medium does with an impulse: the waves it sets off, and where the medium alone would grow."""

import numpy as np
import torch
from torch import Tensor

from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.physics.dispersion import GRID, symbol_of_channels
from drumhead.physics.propagate import propagate


def amplifying(model: NeuralWaveMachine, images: Tensor) -> float | None:
    """Return the share of oscillators whose omega cannot hold back the kernel: alone, such a medium would grow.

    That is omega < -min L of the channel, at the oscillators that the images set. None for a dense kernel, whose
    branches are not channels.
    """
    kernel = model.coupling().detach().double()
    if kernel.shape[1] != 1:
        return None
    with torch.no_grad(), model.evaluating():
        omega = model.medium(images.to(next(model.parameters()).dtype)).omega.double()
    w = kernel.cpu().numpy()
    w = (w + w[..., ::-1, ::-1]) / 2
    k = 2 * np.pi * np.arange(GRID) / GRID
    least = symbol_of_channels(w, np.stack(np.meshgrid(k, k, indexing="ij"), -1)).min((0, 1))
    return float((omega < torch.from_numpy(-least)[:, None, None]).double().mean())


def impulse(model: NeuralWaveMachine, image: Tensor, steps: int, nonlinearity: str) -> Tensor:
    """Return the waves (t, c, y, x) that a displacement of all channels at the centre sets off in an image's medium.

    It is 1, as large as y0 of a network can be. The rest of the medium starts at rest: what moves comes from the
    impulse. Computed in float64.

    Args:
        model: gives omega, alpha and the coupling.
        image: (k, y, x) in [0, 1].
        steps: T.
        nonlinearity: "tanh" or "linear".
    """
    layer = model.layer
    with torch.no_grad(), model.evaluating():
        omega, alpha, y0 = (field.double() for field in model.medium(image[None].to(next(model.parameters()).dtype)))
        start = torch.zeros_like(y0)
        start[..., y0.shape[-2] // 2, y0.shape[-1] // 2] = 1
        return propagate(
            start, omega, alpha, model.coupling().double(), steps=steps, dt=model.dt, nonlinearity=nonlinearity,
            boundary=layer.boundary, integrator=layer.integrator, check_stability=False,
        )[0]  # fmt: skip
