"""A grid as text, `name=value,value`, and the values of settings that it stands for. Imports no torch."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from drumhead.errors import DrumheadError
from drumhead.settings.config import RunConfig

_HOW = "as in train.lr=1e-3,3e-3, or nwm-*:model.steps=6,12 for networks of that name alone"


@dataclass(frozen=True)
class Axis:
    """A setting and its values.

    Attributes:
        name: as a flag of `drumhead train` has it, `train.lr`.
        values: plain values, at least one.
        networks: the presets that it is for, TASK/NETWORK or NETWORK; `*` matches anything.
        text: as the user wrote it.
    """

    name: str
    values: tuple[Any, ...]
    networks: str
    text: str

    def takes(self, preset: str) -> bool:
        """Say whether it is for a preset."""
        return any(fnmatchcase(name, self.networks) for name in (preset, preset.partition("/")[2]))


def parse(text: str) -> Axis:
    """Return the axis that a text says.

    Args:
        text: `name=value,value`, before it `NETWORK:` if it is for some presets alone. Values are numbers, true, false,
            words, or lists in brackets.

    Raises:
        DrumheadError: it has no name or no value, or a value twice.

    Example:
        >>> parse("train.lr=1e-3,0.003").values
        (0.001, 0.003)
        >>> parse("nwm-*:model.head=[16],[64,64]").values
        ((16,), (64, 64))
    """
    found = re.fullmatch(r"(?:([^=:]+):)?(model|train)\.([\w-]+)=(.+)", text.strip(), re.DOTALL)
    if found is None:
        raise DrumheadError(f"{text!r} is no setting with values; write it {_HOW}")
    networks, where, name, values = found.groups()
    name = f"{where}.{name.replace('-', '_')}"
    if name == "train.seed":
        raise DrumheadError(f"{text!r}: seeds are not part of a grid; --seeds 3 makes three runs of each combination")
    parsed = tuple(_value(item.strip()) for item in re.split(r",(?![^\[]*\])", values))
    for i, value in enumerate(parsed):
        if value == "":
            raise DrumheadError(f"{text!r} has an empty value; write it {_HOW}")
        if value in parsed[:i]:
            raise DrumheadError(f"{text!r} has the value {value!r} twice; leave one out")
    return Axis(name, parsed, networks or "*", text)


def combinations(config: RunConfig, fixed: Sequence[Axis], grid: Sequence[Axis]) -> list[RunConfig]:
    """Return the configs of all combinations of values, the last axis fastest.

    Args:
        config: what they start from.
        fixed: settings with one value each.
        grid: settings with several.

    Raises:
        DrumheadError: a network has not that setting or not that value; one message names all of them.
    """
    axes = [axis for axis in (*fixed, *grid) if axis.takes(config.preset)]
    names = [axis.name for axis in axes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DrumheadError(f"{config.preset} is given {', '.join(twice)} twice; leave one out")
    out, wrong = [], {}
    for values in product(*(axis.values for axis in axes)):
        given = dict(zip(names, values, strict=True))
        try:
            out.append(changed(config, given))
        except DrumheadError as error:
            wrong[str(error)] = None  # each once
    if wrong:
        raise DrumheadError("; ".join(f"{config.preset}: {message}" for message in wrong))
    return out


def changed(config: RunConfig, given: dict[str, Any]) -> RunConfig:
    """Return a config with other settings.

    Args:
        config: what to change.
        given: values by name, `train.lr`; whole numbers where a setting is a real one become real.

    Example:
        >>> from drumhead.settings.presets import get_preset
        >>> changed(get_preset("tetrominoes/nwm-fast"), {"train.lr": 1, "model.steps": 8}).train.lr
        1.0
    """
    old = {f"model.{name}": value for name, value in config.model.flat().items()}
    old |= {f"train.{name}": value for name, value in vars(config.train).items()}
    given = {
        name: float(value) if type(value) is int and isinstance(old.get(name), float) else value
        for name, value in given.items()
    }
    model, train = (_of(where, given) for where in ("model", "train"))
    new = replace(config, model=config.model.changed(**model), train=replace(config.train, **train))
    if new.train.schedule == "constant" and "warmup" in train:
        raise DrumheadError("train.warmup does nothing beside train.schedule='constant'; leave out one or the other")
    return new


def _of(where: str, given: dict[str, Any]) -> dict[str, Any]:
    return {name.partition(".")[2]: value for name, value in given.items() if name.startswith(f"{where}.")}


def unused(axes: Iterable[Axis], presets: Sequence[str]) -> list[str]:
    """Return the texts of axes that are for no preset."""
    return [axis.text for axis in axes if not any(map(axis.takes, presets))]


def _value(text: str) -> Any:
    """Return a number, a truth value or a list as TOML writes them; anything else is a word."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = found["value"]
    if len(found) > 1 or not isinstance(value, bool | int | float | str | list):
        return text
    return tuple(value) if isinstance(value, list) else value
