"""A network in parts, so that somebody else's loop can run its waves step by step.

    begin;  for each layer: medium, then T times step and hear, then tell;  end

Each part reads tensors by name and gives others, which overwrite those of the same name. The parts are the network's
own modules and its own equations, not copies of them; `export.py` makes a graph of each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from drumhead.networks.cells import RecurrentNetwork
from drumhead.networks.encoders import Stem
from drumhead.networks.layers import Closed, Start, Stepped
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.rounds import seen, shown
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stack import WaveStack
from drumhead.networks.steps import AROUND, Hear, Step
from drumhead.physics.absorbing import around
from drumhead.physics.medium import Medium
from drumhead.physics.state import State
from drumhead.settings.config import Waves


class Part(nn.Module):
    """One part: what it reads, what it gives, and the network whose modules it uses.

    Args:
        network: what has the weights.
        inputs: names of the tensors that it reads.
        outputs: names of those that it gives.
        does: from the first to the second.
    """

    def __init__(self, network: nn.Module, inputs: tuple[str, ...], outputs: tuple[str, ...], does: Callable[..., Any]):
        super().__init__()
        self.network, self.inputs, self.outputs, self.does = network, inputs, outputs, does

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs."""
        given = self.does(*tensors)
        return given if isinstance(given, tuple) else (given,)


@dataclass(frozen=True)
class Sounding:
    """A layer with a time loop, or in closed form.

    Attributes:
        kind: "stepped", "cell" or "closed".
        facts: what a reader of the manifest is told: channels, steps, dt, stride and more.
        parts: "medium" and "tell" of all, "step" and "hear" or, in closed form, "at" and "hear".
    """

    kind: str
    facts: dict[str, Any]
    parts: dict[str, Part | None]


@dataclass(frozen=True)
class Program:
    """All parts of a network, in the order in which they run."""

    whole: Part
    begin: Part | None = None
    layers: list[Sounding] = field(default_factory=list)
    end: Part | None = None

    def parts(self) -> Iterator[tuple[str, Part]]:
        """Yield each part with a name that no other part has."""
        yield "model", self.whole
        if self.begin:
            yield "begin", self.begin
        for number, layer in enumerate(self.layers):
            yield from ((f"layer-{number}-{word}", part) for word, part in layer.parts.items() if part)
        if self.end:
            yield "end", self.end


def program(model: Segmenter) -> Program:
    """Return the parts of a network: the whole alone where there is no time loop.

    Example:
        >>> [name for name, part in program(dh.build("tetrominoes/nwm-last")).parts()]
        ['model', 'layer-0-medium', 'layer-0-step', 'layer-0-hear', 'end']
    """
    whole = Part(model, ("image",), ("logits",), model)
    if isinstance(model, NeuralWaveMachine):
        return _of_nwm(model, whole)
    if isinstance(model, WaveStack):
        return _of_stack(model, whole)
    return _of_cell(model, whole) if isinstance(model, RecurrentNetwork) else Program(whole)


def _waving(layer: Waves, coupling: Callable[[], Tensor], hear: Hear, medium: Medium, z0: Tensor | None) -> Any:
    """Return what a medium's part gives: the state, the medium, silence and, if there is one, the margin."""
    omega, alpha, y = medium
    z = torch.zeros_like(y) if z0 is None else z0
    given = (y, z, omega, alpha, hear.silence(y))
    if layer.boundary != "absorbing":
        return given
    return (*given, *around(State(y, boundary="absorbing"), z, omega, alpha, coupling())[:4])


def _facts(layer: Any, channels: int, steps: int, dt: float, stride: int) -> dict[str, Any]:
    words = ("coupling", "boundary", "integrator", "nonlinearity")
    own = {word: getattr(layer, word) for word in words if hasattr(layer, word)}
    return {"channels": channels, "steps": steps, "dt": dt, "stride": stride, **own}


def _stepped(
    one: NeuralWaveMachine | Stepped, reads: tuple[str, ...], medium: Callable[..., Any], stride: int
) -> Sounding:
    """Return a layer whose medium is a function, of what it `reads` and what hears it, to `_waving`'s arguments."""
    hear = Hear(one.readout)
    step = Step(one.layer, one.coupling())
    gives = ("y", "z", "omega", "alpha", "heard", *(AROUND if step.absorbs else ()))
    parts = {
        "medium": Part(one, reads, gives, lambda *given: _waving(one.layer, one.coupling, hear, *medium(*given))),
        "step": Part(step, step.inputs, step.outputs, step),
        "hear": Part(hear, hear.inputs, ("heard",), hear),
        "tell": None,
    }
    return Sounding("stepped", _facts(one.layer, one.layer.channels, one.steps, one.dt, stride), parts)


def _of_nwm(model: NeuralWaveMachine, whole: Part) -> Program:
    stem = model.encoder if isinstance(model.encoder, Stem) else None
    begin = Part(stem, ("image",), ("x",), stem.features) if stem else None
    medium = (lambda x: (stem.medium_of(x), None)) if stem else (lambda image: (model.encoder(image)[0], None))
    layer = _stepped(model, ("x" if stem else "image",), medium, model.stride)
    return Program(whole, begin, [layer], _head(model, Hear(model.readout)))


def _head(model: Any, hear: Hear) -> Part:
    """Return the end of a network of one layer, which reads the image only for its size."""
    skip, coarse = getattr(model.config, "skip", False), model.stride > 1
    reads = (*["x"] * skip, "heard", *["image"] * coarse)

    def does(*tensors: Tensor) -> Tensor:
        given = dict(zip(reads, tensors, strict=True))
        size = given["image" if coarse else "heard"].shape[-2:]
        return model.finish(hear.told(given["heard"]), given.get("x"), size)

    return Part(model, reads, ("logits",), does)


def _of_cell(model: RecurrentNetwork, whole: Part) -> Program:
    hear, state = Hear(model.readout), ("y", "h", "c")[: 1 + model.cell.states]

    def medium(image: Tensor) -> tuple[Tensor, ...]:
        start = model.encode(image)[0]
        return (*start, hear.silence(start[0]))

    parts = {
        "medium": Part(model, ("image",), (*state, "heard"), medium),
        "step": Part(model, state, state, lambda *last: model.following(last)),
        "hear": Part(hear, hear.inputs, ("heard",), hear),
        "tell": None,
    }
    facts = _facts(model.config, model.channels, model.steps, model.dt, 1)
    return Program(whole, None, [Sounding("cell", facts, parts)], _head(model, hear))


def _of_stack(model: WaveStack, whole: Part) -> Program:
    places, stem = model.sounding, ["stem"] * (model.rounds > 1)

    def begun(image: Tensor) -> tuple[Tensor, ...]:
        fine = model.fine(image)
        first = model.stem(fine)
        x = model.through(model.begun(first), model.shown(first), places[0])
        return (fine, x, first) if stem else (fine, x)

    begin = Part(model, ("image",), ("fine", "x", *stem), begun)
    layers = []
    for place, after in zip(places, [*places[1:], len(model.path)], strict=True):
        layer = _of_layer(model.path[place], model.grid, stem)
        layer.parts["tell"] = _tell(model.path[place:after], stem)
        layers.append(layer)
    end = Part(model, ("fine", "x"), ("logits",), lambda fine, x: model.logits(fine, x, None))
    return Program(whole, begin, layers, end)


def _tell(layers: list[nn.Module], stem: list[str]) -> Part:
    """Return the part that adds what the first of some layers heard to the features, and the controls after it."""
    one, *controls = layers

    def does(x: Tensor, heard: Tensor, *first: Tensor) -> Tensor:
        x = one.add(seen(one, x, shown(one, *first))[1], heard)  # type: ignore[operator]
        for control in controls:
            x = control(x, shown(control, *first))
        return x

    return Part(nn.ModuleList(layers), ("x", "heard", *stem), ("x",), does)


def _look(one: Any, x: Tensor, *first: Tensor) -> Tensor:
    """Return what a layer looks at, if in rounds the stem gave `first`."""
    return seen(one, x, shown(one, *first))[0]


def _of_layer(one: Any, grid: int, stem: list[str]) -> Sounding:
    def medium(x: Tensor, *first: Tensor) -> tuple[Medium, Tensor | None]:
        start = one.start(_look(one, x, *first))
        return start.medium, start.z0

    if isinstance(one, Stepped):
        return _stepped(one, ("x", *stem), medium, grid * one.coarser)
    return _closed(one, grid * one.coarser, stem)


def _closed(one: Closed, stride: int, stem: list[str]) -> Sounding:
    def at(y0: Tensor, z0: Tensor, time: Tensor, coupling: Tensor) -> Tensor:
        return one.at(Start(y0, z0, None), time.expand(1, y0.shape[1]), coupling)[:, 0]

    parts = {
        "medium": Part(one, ("x", *stem), ("y0", "z0"), lambda *given: one.start(_look(one, *given))[:2]),
        "at": Part(one, ("y0", "z0", "time", "coupling"), ("y",), at),
        "hear": Part(one, ("y0", "z0", "coupling"), ("heard",),
                     lambda y0, z0, coupling: one.heard(Start(y0, z0, None), coupling)),
        "tell": None,
    }  # fmt: skip
    facts = {**_facts(one.layer, one.layer.channels, one.steps, one.dt, stride), "nonlinearity": "linear"}
    return Sounding("closed", facts, parts)
