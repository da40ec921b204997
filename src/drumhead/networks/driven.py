"""A network's medium that is pushed all the time instead of struck once, so that its waves last as long as a recording.

An answer is over after a few steps, and a recording lasts for seconds. What both have is a medium. Here an image sets
it as always, and white noise drives it,

    y'' = phi(W * y) - omega(x) y - alpha(x) y' + strength f

    image    f = y0(x) xi(t) / rms y0     where the image would strike it, as if it flickered: waves run from there
    noise    f = xi(x, t)                 everywhere at once: nothing in particular happens, and waves go all ways

The pushes come between steps: after `every` steps velocities get a normal number of standard deviation
strength sqrt(every dt), and the state before is kept. Under noise everywhere a reciprocal medium is reversible in time,
so that no statistic can say which way its waves go; under an image it is not.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.errors import DrumheadError, choose, positive, whole
from drumhead.networks.layers import Start, Stepped
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stack import WaveStack
from drumhead.physics.absorbing import inside
from drumhead.physics.records import Last
from drumhead.physics.state import State

DRIVES = ("image", "noise")


@torch.no_grad()
def driven(
    model: Segmenter, images: Tensor, count: int, *, drive: str = "image", layer: int = -1, strength: float = 0.1,
    every: int = 2, settle: int = 50, seed: int = 0,
) -> Tensor:  # fmt: skip
    """Return a layer's waves under white noise, (b, t, c, y, x), `every` steps from one to the next.

    Args:
        model: a network with waves that step.
        images: (b, k, y, x) in [0, 1]; each sets a medium of its own.
        count: how many states to return.
        drive: "image" or "noise", see above.
        layer: of a stack, 0 nearest to the image.
        strength: of the noise; weak noise leaves a medium linear.
        every: steps between two states and pushes; every dt sqrt(omega + 8 kappa) has to stay below pi, or the fastest
            waves are taken for slower ones.
        settle: states before the first one that is returned; together a few times 2 / alpha.
        seed: of the noise.

    Raises:
        DrumheadError: a network or layer without waves, or one in closed form, which has no steps.

    Example:
        >>> from drumhead.networks.driven import driven
        >>> images = dh.to_images(dh.tasks.get("tetrominoes").arrays("test")[0][:2])
        >>> driven(dh.load("tetrominoes-fast"), images, count=50).shape
        torch.Size([2, 50, 8, 32, 32])
    """
    count, every, settle = whole("count", count), whole("every", every), whole("settle", settle, 0)
    choose("drive", drive, DRIVES)
    positive("strength", strength)
    if not isinstance(model, NeuralWaveMachine | WaveStack):
        raise DrumheadError(f"this {model.config.family} has no waves; the family nwm and stacks of waves have")
    one = model.at_layer(layer)
    advance: Any = getattr(one, "advance", None)
    if not isinstance(one, NeuralWaveMachine | Stepped):
        raise DrumheadError(
            "waves in closed form have no steps between which to push them; choose another layer or network"
        )
    random = torch.Generator().manual_seed(seed)
    size, kept = strength * (every * one.dt) ** 0.5, []
    with model.evaluating():
        model.check(images)
        start: Any = model.encode(images, layer)[0]
        y0: Tensor = _medium(start).y0
        pattern = y0 / y0.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12) if drive == "image" else None
        for number in range(settle + count):
            last, start = advance(start, Last(), every)
            if number >= settle:
                kept.append(last)
            start = _pushed(start, size, pattern, random)
    return torch.stack(kept, 1)


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


def _medium(start: Any) -> Any:
    return start.medium if isinstance(start, Start) else start


def _pushed(start: Any, size: float, pattern: Tensor | None, random: torch.Generator) -> Any:
    """Return a start whose velocities were pushed, by a pattern or each on its own; also beyond an absorbing edge."""
    medium = _medium(start)
    state: State = medium.y0
    assert state.z is not None
    wide = state.z if state.around is None else state.around[1]
    if pattern is None:
        push = torch.randn(wide.shape, generator=random)
    else:
        margin = [(w - n) // 2 for w, n in zip(wide.shape[:1:-1], pattern.shape[:1:-1], strict=True) for _ in range(2)]
        push = F.pad(pattern, margin) * torch.randn((len(pattern), 1, 1, 1), generator=random).to(pattern)
    moved = wide + size * push.to(wide)
    if state.around is None:
        state = replace(state, z=moved)
    else:  # a propagation that goes on lays z over the middle of what moves around it, so both are pushed
        state = replace(state, z=moved[inside()], around=(state.around[0], moved))
    medium = medium._replace(y0=state)
    return start._replace(medium=medium) if isinstance(start, Start) else medium
