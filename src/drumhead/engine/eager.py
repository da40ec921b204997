"""The one time loop.

    y'' = phi(W * y) - omega y - alpha y'

Both integrators are one recursion with different coefficients,

    z <- decay z + gain (phi(W * y) - omega y),      y <- y + dt z,

    euler (the paper's symplectic Euler):  decay = 1 - dt alpha       gain = dt
    verlet (kick-drift, second order):     decay = exp(-dt alpha)     gain = dt (1 + decay) / 2
        and a half kick to start:          decay = exp(-dt alpha / 2) gain = dt / 2

so the loop below is the definition that every faster engine (`drumhead.engine`) is checked against, and its step the
one that exported graphs take.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.engine import boundaries
from drumhead.engine.plan import Fields, Plan


def coefficients(alpha: Tensor, dt: float, integrator: str) -> tuple[Tensor, Tensor | None, float, float, float]:
    """Return how z changes in a step: decay, that of the first step, and offset, slope and first offset of the gain."""
    if integrator == "euler":
        return 1 - dt * alpha, None, dt, 0.0, dt
    half = torch.exp(-dt / 2 * alpha)
    return half * half, half, dt / 2, dt / 2, dt / 2


def pulled(y: Tensor, kernel: Tensor, boundary: str) -> Tensor:
    """Return W * y, what the neighbours of each oscillator pull at it with, (b, c, y, x)."""
    groups = 1 if kernel.shape[1] == y.shape[1] else y.shape[1]
    radius = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)
    return F.conv2d(boundaries.pad(y, radius, boundary), kernel, groups=groups)


def step(
    y: Tensor, z: Tensor, omega: Tensor, decay: Tensor, gain: Tensor, coupling: Tensor, dt: float
) -> tuple[Tensor, Tensor]:
    """Return y and z after one step, given phi(W * y)."""
    force = torch.addcmul(coupling, omega, y, value=-1)
    z = torch.addcmul(decay * z, gain, force)
    return torch.add(y, z, alpha=dt), z


def march(plan: Plan, fields: Fields, begin: int = 0, end: int | None = None) -> Iterator[tuple[Tensor, ...]]:
    """Yield y and z after each step, and the phi(W * y) that it took; the steps `begin` .. `end` - 1, or all."""
    y, z, omega, decay, first, kernel, *_ = fields
    z = y.new_zeros(()) if z is None else z
    gain = plan.offset + plan.slope * decay if plan.slope else y.new_full((), plan.offset)
    for t in range(begin, plan.steps if end is None else end):
        coupling = pulled(y, kernel, plan.boundary)
        if plan.tanh:
            coupling = torch.tanh(coupling)
        if t == 0 and not plan.begun:
            start = y.new_full((), plan.first_offset)
            y, z = step(y, z, omega, decay if first is None else first, start, coupling, plan.dt)
        else:
            y, z = step(y, z, omega, decay, gain, coupling, plan.dt)
        yield y, z, coupling
        del coupling  # its memory serves the next step


def loop(plan: Plan, fields: Fields, collect: Callable[[Iterator[Tensor]], Any]) -> tuple[Any, list[Tensor]]:
    """Return what is collected of the states y, and the last y and z."""
    end: list[Tensor] = []

    def states() -> Iterator[Tensor]:
        for y, z, coupling in march(plan, fields):
            del coupling  # its memory serves the next step
            end[:] = y, z
            yield y

    passing = states()
    kept = collect(passing)
    if plan.ends:
        for _ in passing:  # enough may have been seen before the last step
            pass
    return kept, [part.clone() for part in end] if plan.ends else end  # a record may have kept the last y itself
