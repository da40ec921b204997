"""Listening for longer than a network was trained to, so that its waves come farther: the same weights, a longer time.

A linear readout hears K combinations of T states, M (k, t). Of T' = r T states it can hear

    last      M'(k, t) = M(k, t - (T' - T)), 0 before    as if the waves had had a head start: each learned filter keeps
                                                         its frequency, and what rang before is not heard
    stretch   M'(k, t) = M(k, t / r) / r                 all, in slow motion: what arrives at a share of T is heard as
                                                         before at that share of T', and filters fall to 1 / r of their
                                                         frequency; a constant is as loud as it was

Layers that run in rounds simply take more of them: each begins where the last one ended, whatever its number is.

With a closed form the learned times t become t + (r - 1) max t, or r t. Neither is what the network was trained for, so
which one serves it better has to be measured.
"""

from dataclasses import replace
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.errors import DrumheadError, choose, whole
from drumhead.settings.config import ModelConfig, Stack

HOW = ("last", "stretch", "rounds")
WITH_TIME = "the families nwm, lstm, gru and rnn, and stacks of waves,"


def longer(model: Any, times: float, how: str) -> Any:
    """Return a copy of a network that runs `times` as many steps in every layer of waves; see `Segmenter.listening`."""
    if isinstance(times, bool) or not isinstance(times, Real) or not 1 <= times <= 1000:
        raise DrumheadError(f"times={times!r}: a number from 1 to 1000 is needed")
    how = how or ways(model)[0]
    choose("how", how, HOW)
    if how == "rounds":
        return in_rounds(model, round(times * model.rounds))
    out = _like(model, _config(model, times))
    state = {name: _fitted(name, value, own.shape, times, how) for (name, value), own in
             zip(model.state_dict().items(), out.state_dict().values(), strict=True)}  # fmt: skip
    out.load_state_dict(state)
    return out


def in_rounds(model: Any, rounds: int) -> Any:
    """Return a copy of a network with another number of rounds; see `Segmenter.in_rounds`."""
    check_rounds(model)
    rounds, old = whole("rounds", rounds, 2), model.config
    taught = old.taught if old.taught < rounds else 0  # all of them
    out = _like(model, replace(old, rounds=rounds, fewest=min(old.fewest, rounds), taught=taught))
    out.load_state_dict(model.state_dict())
    return out


def _like(model: nn.Module, config: ModelConfig) -> nn.Module:
    """Return a network of another config where a network is, with its modes and with what of it learns."""
    with torch.random.fork_rng([]):  # the initial weights are replaced, and no number is drawn for them
        out: nn.Module = type(model)(config).to(next(model.parameters()))
    modes = {name: part.training for name, part in model.named_modules()}
    learns = {name: weight.requires_grad for name, weight in model.named_parameters()}
    for name, part in out.named_modules():
        part.training = modes[name]
    for name, weight in out.named_parameters():
        weight.requires_grad_(learns[name])
    return out


def check_rounds(model: Any) -> None:
    """Refuse a network that runs its layers once."""
    if "rounds" not in ways(model):
        raise DrumheadError(
            f"this {model.config.family} runs its layers once, not in rounds, of which there could be more; stacks "
            "that were trained with model.rounds=2 or more do"
        )


def ways(model: Any) -> tuple[str, ...]:
    """Return how a network can listen for longer, the best first, if it can at all."""
    return ("rounds",) if model.rounds > 1 else ("last", "stretch")


def extended(time_map: Tensor, steps: int, how: str) -> Tensor:
    """Return a time map (k, t) for at least as many steps.

    Example:
        >>> from drumhead.networks.listening import extended
        >>> extended(torch.tensor([[1.0, 2.0]]), 4, "last").tolist()
        [[0.0, 0.0, 1.0, 2.0]]
        >>> extended(torch.tensor([[1.0, 2.0]]), 4, "stretch").tolist()
        [[0.5, 0.625, 0.875, 1.0]]
    """
    own = time_map.shape[-1]
    if how == "last":
        return F.pad(time_map, (steps - own, 0))
    return F.interpolate(time_map[None], size=steps, mode="linear")[0] * (own / steps)


def _config(model: Any, times: float) -> ModelConfig:
    config = model.config
    if isinstance(config, Stack):
        if not any({"steps", "reach"} & vars(layer).keys() for layer in config.waves):
            raise DrumheadError(f"times={times}: this {config.family} has no layer with a time that could be longer")
        return replace(config, waves=tuple(_layer(layer, times) for layer in config.waves))
    if not hasattr(config, "readout"):
        raise DrumheadError(f"this {config.family} has no waves to listen to; {WITH_TIME} do")
    if config.readout == "fft":
        raise DrumheadError(
            "a spectrum of more steps has other frequencies than the network knows; the readouts linear, last, mean "
            "and max can listen for longer"
        )
    kept = {"bins": model.readout.features} if config.readout == "linear" else {}
    return config.changed(steps=round(times * model.steps), **kept)


def _layer(layer: Any, times: float) -> Any:
    settings = vars(layer)
    if "steps" in settings:
        return replace(layer, steps=round(times * layer.steps))
    return replace(layer, reach=times * layer.reach) if "reach" in settings else layer


def _fitted(name: str, value: Tensor, shape: Any, times: float, how: str) -> Tensor:
    """Return a tensor of the state as the longer network has it."""
    if name.endswith("time_map"):
        return extended(value, shape[-1], how)
    if name.endswith(".times"):  # logarithms, of a closed form
        late = value.exp()
        return (late * times if how == "stretch" else late + (times - 1) * late.max()).log()
    return value
