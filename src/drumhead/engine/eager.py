"""The one time loop.

    y'' = phi(W * y) - omega y - alpha y'

Both integrators are one recursion with different coefficients,

    z <- decay z + gain (phi(W * y) - omega y),      y <- y + dt z,

    euler (the paper's symplectic Euler):  decay = 1 - dt alpha       gain = dt
    verlet (kick-drift, second order):     decay = exp(-dt alpha)     gain = dt (1 + decay) / 2
        and a half kick to start:          decay = exp(-dt alpha / 2) gain = dt / 2

so the loop below is the definition that every faster engine (`drumhead.engine`) is checked against.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.engine import boundaries


class Kick(NamedTuple):
    """How z changes in a step: z <- decay z + (offset + slope decay) force; `first_*` in the first one."""

    decay: Tensor
    offset: float
    slope: float
    first_decay: Tensor | None
    first_offset: float


def coefficients(alpha: Tensor, dt: float, integrator: str) -> Kick:
    """Return how z changes in a step of an integrator."""
    if integrator == "euler":
        return Kick(1 - dt * alpha, dt, 0.0, None, dt)
    half = torch.exp(-dt / 2 * alpha)
    return Kick(half * half, dt / 2, dt / 2, half, dt / 2)


def march(
    y: Tensor,
    z: Tensor,
    omega: Tensor,
    kernel: Tensor,
    kick: Kick,
    steps: int,
    dt: float,
    nonlinearity: str,
    boundary: str,
) -> Iterator[Tensor]:
    """Yield y_1 .. y_T."""
    groups = 1 if kernel.shape[1] == y.shape[1] else y.shape[1]
    radius = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)

    def force(y: Tensor) -> Tensor:
        coupling = F.conv2d(boundaries.pad(y, radius, boundary), kernel, groups=groups)
        if nonlinearity == "tanh":
            coupling = torch.tanh(coupling)
        return torch.addcmul(coupling, omega, y, value=-1)

    decay, gain = kick.decay, kick.offset + kick.slope * kick.decay if kick.slope else y.new_full((), kick.offset)
    first = decay if kick.first_decay is None else kick.first_decay
    z = first * z + kick.first_offset * force(y)
    y = y + dt * z
    yield y
    for _ in range(steps - 1):
        z = torch.addcmul(decay * z, gain, force(y))
        y = torch.add(y, z, alpha=dt)
        yield y
