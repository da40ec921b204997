"""Why a training diverged: the first layer whose numbers are not finite, how stable its waves are, what to change."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from drumhead.learn.guard import Copy
from drumhead.learn.processes import Processes
from drumhead.learn.run import Run
from drumhead.networks.layers import Stepped, WaveLayer
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stack import WaveStack
from drumhead.physics import stability
from drumhead.physics.medium import Medium
from drumhead.physics.records import All, Last
from drumhead.settings.config import TrainConfig

HOPELESS = 1e4  # times the loss of guessing; after a whole epoch, no training that goes on has so much


def exploded(loss: float, classes: int) -> bool:
    """Say whether a loss measured after an epoch is that of a training that diverged, though it is a number.

    loss > 10^4 log(classes), that is ten thousand times what the same answer at every pixel costs.

    Example:
        >>> exploded(50.0, 6), exploded(1e30, 6)
        (False, True)
    """
    return loss > HOPELESS * math.log(classes)


@torch.no_grad()
def culprit(model: Segmenter, images: Tensor, at: Tensor | None = None, **how: Any) -> str | None:
    """Return in words where the numbers stop being finite on the way from images to logits; None if they do not.

    The way is gone once more as it was, in training or evaluation mode, and looked at behind each layer.

    Args:
        model: the network.
        images: a batch (b, k, y, x).
        at: the pixels that were answered, (b, n).
        how: whatever else the network was given.

    Example:
        >>> model = dh.build("tetrominoes/unet-2")
        >>> _ = model.last.weight.data.fill_(torch.nan)
        >>> culprit(model, torch.rand(1, 3, 32, 32))
        'the weights last.weight are not finite'
    """
    for name, value in model.named_parameters():
        if not _finite(value):
            return f"the weights {name} are not finite"
    with _unmoved(model):
        first = _first_layer(model, (images,) if at is None else (images, at), how)
        if first is None:
            return None
        name, whole = first
        layer = model.get_submodule(name)
        alone = whole and not list(layer.children())
        inside = None if alone else _waves(model, images)  # waves run between layers, or in one that has others
    if inside or not name:
        return inside or "what the network answers is not finite"
    also = "" if whole else ", nor is what it is given"
    return f"what the layer {name} ({type(layer).__name__}) gives is not finite{also}"


@contextmanager
def _unmoved(model: nn.Module) -> Iterator[None]:
    """Leave the statistics of normalisations, which looking would move, as they are."""
    statistics = Copy(model.buffers())
    try:
        yield
    finally:
        statistics.give_back()


def _first_layer(model: Segmenter, inputs: tuple[Tensor, ...], how: dict[str, Any]) -> tuple[str, bool] | None:
    """Return the first module whose output is not finite and whether its input was; "" is the network itself."""
    found: list[tuple[str, bool]] = []

    def watch(name: str) -> Any:
        def hook(_: nn.Module, given: Any, told: Any) -> None:
            if not found and not _finite(told):
                found.append((name, _finite(given)))

        return hook

    hooks = [part.register_forward_hook(watch(name)) for name, part in model.named_modules() if name]
    try:
        told = model(*inputs, **how)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else (None if _finite(told) else ("", False))


def _waves(model: Segmenter, images: Tensor) -> str | None:
    """Return which layer of waves makes numbers that are not finite, and in what; None if none does."""
    if not isinstance(model, NeuralWaveMachine | WaveStack):
        return None
    for number in model.sounding:
        layer, name = model.at_layer(number), _name(model, number)
        start: Any = model.encode(images, number)[0]
        medium: Medium | None = getattr(start, "medium", start)  # of a stack one is beside y0 and z0
        fields: dict[str, Any] = {"y0": start.y0} if medium is None else medium._asdict()
        fields["z0"] = getattr(start, "z0", None)
        if isinstance(layer, NeuralWaveMachine | Stepped):
            fields["coupling"] = layer.coupling()
        for field, value in fields.items():
            if not _finite(value):
                return f"{field} of {name} is not finite"
        last = layer.run(start, Last(), layer.steps)
        broken = [i for i, image in enumerate(last) if not _finite(image)]
        if broken:
            series = layer.run(_alone(start, broken[0]), All(), layer.steps)
            steps = (~series.isfinite()).flatten(2).any(2)[0].nonzero()
            return f"{name} are not finite from step {int(steps[0]) + 1} of {layer.steps} on"
    return None


def _name(model: Segmenter, number: int) -> str:
    if not isinstance(model, WaveStack):
        return "the waves"
    again, layer = divmod(number, len(model.layers))
    return f"the waves of layers.{layer}{f' in round {again + 1}' * (model.rounds > 1)}"


def _alone(start: Any, i: int) -> Any:
    """Return what starts the waves of one image of a batch."""
    if isinstance(start, Tensor):
        return start[i : i + 1]
    return start if start is None else type(start)(*(_alone(part, i) for part in start))


def _finite(values: Any) -> bool:
    if isinstance(values, Tensor):
        return not values.is_floating_point() or bool(values.isfinite().all())
    return not isinstance(values, Sequence) or all(map(_finite, values))


def broken_gradient(model: nn.Module) -> str:
    """Return in words the gradient that is not finite and nearest to the loss; if all are, the largest one.

    A gradient runs from the loss back, so whatever lies before the layer where it breaks has none either.
    """
    known = [(name, weight.grad) for name, weight in model.named_parameters() if weight.grad is not None]
    for name, gradient in reversed(known):
        if not _finite(gradient):
            return f"on the way back the gradient of {name} is the first that is not finite"
    name, gradient = max(known, key=lambda item: float(item[1].abs().max()))
    return f"the gradient of {name} is the largest, up to {float(gradient.abs().max()):.3g}"


@torch.no_grad()
def courants(model: Segmenter, images: Tensor) -> dict[str, float]:
    """Return dt over the largest stable dt of each layer of waves that is stepped, in the model's mode.

    NaN where a medium is not finite, or the layers below it give nothing that is.

    Example:
        >>> model = dh.build("mnist/nwm-stack")
        >>> list(courants(model, torch.rand(1, 1, 56, 56)))
        ['the waves of layers.0', 'the waves of layers.1', 'the waves of layers.2']
    """
    with _unmoved(model):
        return {name: _courant(layer, medium) for name, layer, medium in _mediums(model, images)}


def _mediums(model: Segmenter, images: Tensor) -> Iterator[tuple[str, Any, Medium]]:
    if isinstance(model, NeuralWaveMachine):
        yield _name(model, 0), model, model.encode(images)[0]
    elif isinstance(model, WaveStack):
        for number in model.sounding:
            layer = model.at_layer(number)
            if isinstance(layer, Stepped):
                medium = model.encode(images, number)[0].medium
                assert medium is not None
                yield _name(model, number), layer, medium


def _courant(layer: NeuralWaveMachine | WaveLayer, medium: Medium) -> float:
    assert isinstance(layer, NeuralWaveMachine | Stepped)
    omega, alpha, _ = medium
    return layer.dt / stability.stable_dt(layer.coupling(), omega, alpha, integrator=layer.layer.integrator)


def by_size(courant: float) -> tuple[bool, float]:
    """Return what a Courant number is compared by; NaN is the largest."""
    return math.isnan(courant), courant


def stable(found: dict[str, float]) -> str:
    """Say which layer has the largest Courant number, or none that is known; nothing of a network without waves.

    Example:
        >>> stable({"the waves": 1.25})
        'the largest courant is 1.25, of the waves: above 1 the medium is unstable at this dt'
    """
    if not found:
        return ""
    unstable = [name for name, value in found.items() if value > 1]
    unknown = [name for name, value in found.items() if math.isnan(value)]
    if unknown and not unstable:
        return f"there is no courant of {unknown[0]}, whose medium is not finite"
    name = max(unstable or found, key=lambda name: found[name])
    end = ": above 1 the medium is unstable at this dt" if unstable else ", which is stable"
    return f"the largest courant is {found[name]:.3g}, of {name}{end}"


def advice(model: Segmenter, train: TrainConfig, found: dict[str, float]) -> str:
    """Say what to change, in the words of the command line."""
    cures = [f"a lower --train.lr ({train.lr / 3:.2g})"]
    cures.append(f"a lower --train.clip ({train.clip / 3:.2g})" if train.clip else "--train.clip 1")
    if not found:
        return f"{cures[0]} or {cures[1]}"
    known, settings = [value for value in found.values() if math.isfinite(value)], model.config.flat()
    largest = max(known, default=0)
    of_waves = ["a smaller --model.dt"]
    if largest > 1:
        of_waves[0] += f" ({0.9 * settings['dt'] / largest:.2g} here)" if largest < 100 else ""
        if isinstance(model, WaveStack) and not settings.get("courant", 1) and settings.get("integrator") == "verlet":
            of_waves.append("--model.courant 0.9")
    *most, last = of_waves + cures if largest > 1 else cures + of_waves
    return f"{', '.join(most)} or {last}"


def explain(
    model: Segmenter, train: TrainConfig, processes: Processes, images: Tensor, at: Tensor | None = None, **how: Any
) -> str:
    """Say where the numbers broke, how stable the waves are and what to change; all processes come here together.

    Args:
        model: the network, whose layers can be watched.
        train: the settings of the training.
        processes: those that train together, each with its own images.
        images: a batch (b, k, y, x) on which it was seen.
        at: the pixels that were answered, (b, n).
        how: whatever else the network was given.
    """
    broken = next(filter(None, processes.gather(culprit(model, images, at, **how))), None)
    every = processes.gather(courants(model, images))
    largest = {name: max((one[name] for one in every), key=by_size) for name in every[0]}
    if broken is None:
        broken = broken_gradient(model) if model.training else "all that its layers give is finite"
    where = "; ".join([broken, *filter(None, [stable(largest)])])
    cures = advice(model, train, largest)
    return f"{where}. Train anew in another directory, with {cures}: --resume would keep the settings"


def kept(run: Run) -> str:
    """Say which good weights a run that broke still has."""
    rows = [row for row in run.rows() if row["val_loss"] is not None]
    if not rows or not run.weights.exists():
        return f"{run.path} holds no weights yet, since no epoch was finished"
    best = min(rows, key=lambda row: row["val_loss"])
    return f"{run.path} keeps the weights of epoch {best['epoch']} and its last checkpoint, which are finite"
