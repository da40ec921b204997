"""A network's medium under white noise: what its waves look like when nothing in particular happens.

An answer is over after a few steps, and a recording lasts for seconds. What both have is a medium. Here an image sets
it as always, and instead of being struck once it is pushed at every place all the time,

    y'' = phi(W * y) - omega(x) y - alpha(x) y' + strength xi(x, t),      <xi xi'> = delta(x - x') delta(t - t')

so that the waves go on as long as one likes. The pushes come between steps: after `every` steps each velocity gets
a normal number of standard deviation strength sqrt(every dt).
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, positive, whole
from drumhead.networks.layers import Start, Stepped
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stack import WaveStack
from drumhead.physics.records import All
from drumhead.physics.state import State


@torch.no_grad()
def driven(
    model: Segmenter, images: Tensor, steps: int, *, layer: int = -1, strength: float = 0.1, every: int = 2,
    settle: int = 100, seed: int = 0,
) -> Tensor:  # fmt: skip
    """Return a layer's waves under white noise, (b, t, c, y, x).

    Args:
        model: a network with waves that step.
        images: (b, k, y, x) in [0, 1]; each sets a medium of its own.
        steps: how many to return.
        layer: of a stack, 0 nearest to the image.
        strength: of the noise; weak noise leaves a medium linear.
        every: steps between two pushes; few enough that the fastest wave turns little.
        settle: steps before the first one that is returned, a few times 2 / alpha.
        seed: of the noise.

    Raises:
        DrumheadError: a network or layer without waves, or one in closed form, which has no steps.

    Example:
        >>> from drumhead.networks.driven import driven
        >>> images = dh.to_images(dh.tasks.get("tetrominoes").arrays("test")[0][:2])
        >>> driven(dh.load("tetrominoes"), images, steps=50).shape
        torch.Size([2, 50, 8, 32, 32])
    """
    steps, every, settle = whole("steps", steps), whole("every", every), whole("settle", settle, 0)
    positive("strength", strength)
    if not isinstance(model, NeuralWaveMachine | WaveStack):
        raise DrumheadError(f"this {model.config.family} has no waves; the family nwm and stacks of waves have")
    one = model.at_layer(layer)
    if not isinstance(one, NeuralWaveMachine | Stepped):
        raise DrumheadError("waves in closed form have no steps between which to push them; choose another layer")
    random = torch.Generator().manual_seed(seed)
    size, kept, left = strength * (every * one.dt) ** 0.5, [], settle + steps
    with model.evaluating():
        model.check(images)
        start: Any = model.encode(images, layer)[0]
        while left > 0:
            waves, start = one.advance(start, All(), every)
            kept.append(waves)
            start, left = _pushed(start, size, random), left - every
    return torch.cat(kept, 1)[:, settle : settle + steps]


def heard_alike(waves: Tensor) -> Tensor:
    """Return what an electrode hears that hears all sheets alike: their mean, each less its rest, at unit variance.

    Of sheets in nearly free media, which drift far, nothing is left in any band worth looking at; of all others it is.

    Args:
        waves: (b, t, c, y, x).

    Returns:
        (b, t, y, x).

    Example:
        >>> heard_alike(torch.rand(2, 50, 8, 16, 16)).shape
        torch.Size([2, 50, 16, 16])
    """
    waves = waves.double()
    waves = waves - waves.mean(1, keepdim=True)
    loud = waves.square().mean((1, 3, 4), keepdim=True).sqrt()
    return (waves / loud.clamp(min=1e-30)).mean(2).to(torch.float32)


def _pushed(start: Any, size: float, random: torch.Generator) -> Any:
    """Return a start whose velocities were pushed, also those in the margin of an absorbing edge."""
    medium = start.medium if isinstance(start, Start) else start
    state: State = medium.y0

    def pushed(z: Tensor) -> Tensor:
        return z + size * torch.randn(z.shape, generator=random, dtype=z.dtype).to(z.device)

    assert state.z is not None
    around = state.around and (state.around[0], pushed(state.around[1]))
    medium = medium._replace(y0=replace(state, z=pushed(state.z), around=around))
    return start._replace(medium=medium) if isinstance(start, Start) else medium
