"""What the layers of a trained network are made of, on some images: kernel, medium, and how strong the waves are."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.engine.eager import pulled
from drumhead.errors import DrumheadError
from drumhead.networks.layers import Closed, Stepped
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stack import WaveStack
from drumhead.physics import stability
from drumhead.physics.material import Material
from drumhead.physics.records import All

SIDE = 128  # pixels to whose middle larger images are cut: a layer holds all its states here


def material(model: Segmenter, images: Iterable[Tensor], layer: int = -1) -> Material:
    """Return what a layer of waves is made of, in evaluation mode, without gradients.

    Args:
        model: a network with waves.
        images: batches (b, k, y, x) in [0, 1], each of any size; of large ones the middle 128 pixels are used.
        layer: of a stack, 0 nearest to the image.

    Raises:
        DrumheadError: a network or layer without waves, without coupling, or with values that are not finite.

    Example:
        >>> found = material(dh.load("tetrominoes-fast"), [torch.rand(2, 3, 64, 64)])
        >>> found.omega.shape, found.size, found.stride
        ((8, 2048), (32, 32), 2)
    """
    if not isinstance(model, NeuralWaveMachine | WaveStack):
        raise DrumheadError(
            f"this {model.config.family} is no wave equation, so it has no omega, alpha and kernel to look at; the "
            "family nwm and stacks of waves have"
        )
    one: NeuralWaveMachine | Stepped | Closed = model.at_layer(layer)
    if not isinstance(one, Closed) and one.layer.coupling == "none":
        raise DrumheadError("the oscillators of this layer are not coupled, so no wave runs through them")
    kernel, found, size = _kernel(one), [], None
    with torch.no_grad(), model.evaluating():
        for batch in images:
            found.append(_look(model, one, kernel, _middle(batch), layer))
            size = size or found[-1][-1]
    if size is None:
        raise DrumheadError("no images: a network's medium is what an image sets, so at least one is needed")
    maps = [np.concatenate([part[i] for part in found], 1) for i in range(4)]
    moved, spread = (sum(part[i] for part in found) for i in (4, 5))
    if not all(np.isfinite(part).all() for part in (*maps, kernel.numpy())):
        raise DrumheadError("the waves of this network are not finite on these images: drumhead evaluate says more")
    half = np.sqrt(np.divide(moved, 4 * spread, out=np.full(len(kernel), np.nan), where=spread > 0))
    coarser = getattr(one, "coarser", 1)
    return Material(
        layer % len(model.path) if isinstance(model, WaveStack) else 0, kernel.double().numpy(), *maps,
        pace=2 / one.dt * np.arcsin(np.minimum(half, 1)), size=size,
        stride=coarser * model.grid if isinstance(model, WaveStack) else model.stride, steps=one.steps, dt=one.dt,
        integrator="" if isinstance(one, Closed) else one.layer.integrator, boundary=one.layer.boundary,
        courant=math.nan if isinstance(one, Closed) else one.dt / stability.stable_dt(
            kernel, torch.from_numpy(maps[0]), torch.from_numpy(maps[1]), integrator=one.layer.integrator),
    )  # fmt: skip


def _kernel(one: NeuralWaveMachine | Stepped | Closed) -> Tensor:
    """Return the coupling as the waves see it."""
    with torch.no_grad():
        if isinstance(one, Closed):
            return stability.laplacian(1) * F.softplus(one.speed).square()[:, None, None, None]
        return one.coupling().detach()


def _look(model: NeuralWaveMachine | WaveStack, one: Any, kernel: Tensor, batch: Tensor, layer: int) -> tuple[Any, ...]:
    """Return omega, alpha, force and gain (c, n), how much waves change and differ (c,), and the grid's size."""
    model.check(batch)
    start: Any = model.encode(batch, layer)[0]
    waves = one.run(start, All(), one.steps)  # (b, t, c, y, x)
    b, t, c, *size = waves.shape
    if isinstance(one, Closed):
        omega, alpha = (F.softplus(value)[:, None].expand(c, b * math.prod(size)) for value in (one.omega, one.alpha))
    else:
        medium = start if isinstance(one, NeuralWaveMachine) else start.medium
        omega, alpha = (value.expand(b, c, *size).transpose(0, 1).flatten(1) for value in medium[:2])
    edge = "fixed" if one.layer.boundary == "absorbing" else one.layer.boundary
    force = pulled(waves.flatten(0, 1), kernel, edge).view_as(waves).double()
    power = force.square().mean(1)
    through = (force.tanh() * force).mean(1) / power.clamp(min=1e-30)
    linear = isinstance(one, Closed) or one.layer.nonlinearity == "linear"
    gain = torch.ones_like(power) if linear else torch.where(power > 1e-30, through, 1.0)
    waves = waves.double()
    moved = waves.diff(dim=1).square().mean(1).sum((0, 2, 3)) if t > 1 else torch.zeros(c)
    spread = (waves - waves.mean(1, keepdim=True)).square().mean(1).sum((0, 2, 3))
    maps = [omega, alpha, *(part.transpose(0, 1).flatten(1) for part in ((2 * power).sqrt(), gain))]
    numbers = [part.double().cpu().numpy() for part in (*maps, moved, spread)]
    return *numbers, tuple(size)


def _middle(batch: Tensor) -> Tensor:
    """Return the middle of images, at most SIDE pixels wide and high."""
    for axis in (-2, -1):
        side = batch.shape[axis]
        batch = batch.narrow(axis, max(side - SIDE, 0) // 2, min(side, SIDE))
    return batch
