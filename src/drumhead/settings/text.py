"""Configs as text: to plain values and TOML and back without loss. No torch."""

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from drumhead.errors import DrumheadError, choose, reason, shown
from drumhead.settings import legacy
from drumhead.settings.config import (
    FAMILIES,
    LAYERS,
    ClassWeights,
    ModelConfig,
    Recurrent,
    RunConfig,
    refuse_unknown,
)

T = TypeVar("T")
MOST = 2**16  # bytes of a config.toml; usual are two thousand


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config as plain dicts, lists, numbers and strings; a model's begins with its family."""
    out = {item.name: _plain(getattr(config, item.name)) for item in dataclasses.fields(config)}
    if isinstance(config, ModelConfig):
        out.pop("cell", None)  # its family says it
        out = {"family": config.family, **out}
    if type(config) in LAYERS.values():
        out = {"kind": type(config).__name__.lower(), **out}
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_dict(value) if dataclasses.is_dataclass(value) else value


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build the dataclass `cls` from plain values; unknown keys are named, missing ones take defaults."""
    if cls is ModelConfig:
        return _model(values, where)  # type: ignore[return-value]
    refuse_unknown(cls, values, where)
    hints = get_type_hints(cls)
    given = {name: _value(name, value, hints[name], where) for name, value in values.items()}
    try:
        return cls(**given)
    except DrumheadError as error:  # which does not know where the value stands
        raise DrumheadError(f"{where}: {error}") from None


def _model(values: dict[str, Any], where: str) -> ModelConfig:
    """Build the config of the family that the values name; without one, they are a Neural Wave Machine's."""
    family = values.get("family", "nwm")
    choose(f"{where}.family", family, FAMILIES)
    values = legacy.nested(values) if legacy.is_flat(values) else dict(values)
    values.pop("family", None)
    if values.get("cell", family) != family:
        raise DrumheadError(f"{where}: cell = {shown(values['cell'])} is not the family {family!r}; leave cell out")
    return from_dict(FAMILIES[family], values | ({"cell": family} if FAMILIES[family] is Recurrent else {}), where)


def _value(name: str, value: Any, hint: Any, where: str) -> Any:
    """Return a plain value as a field's type; which words a Literal allows is checked by the dataclass."""
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value, f"{where}.{name}")  # type: ignore[arg-type]
    if {*get_args(hint)} == {*LAYERS.values()} and isinstance(value, dict):
        choose(f"{where}.{name}.kind", value.get("kind", "layer"), LAYERS)
        kind = LAYERS[value.get("kind", "layer")]
        return from_dict(kind, {key: item for key, item in value.items() if key != "kind"}, f"{where}.{name}")
    if hint == ClassWeights:
        hint = str if isinstance(value, str) else tuple[float, ...]
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_value(name, item, get_args(hint)[0], where) for item in value)
    kind = str if get_origin(hint) is Literal else (int, float) if hint is float else hint
    if isinstance(kind, type | tuple) and isinstance(value, kind) and isinstance(value, bool) == (hint is bool):
        return value
    kind = getattr(hint, "__name__", str(hint))
    raise DrumheadError(f"{where}: {name} = {shown(value)} has the wrong type; {kind} is needed")


def to_toml(config: Any) -> str:
    """Return a config as TOML text: its plain settings, then a table for each nested config, one or a list of them."""
    return "\n".join(_lines(to_dict(config))) + "\n"


def _lines(values: dict[str, Any], name: str = "") -> list[str]:
    lines, tables = [], []
    for key, value in values.items():
        if isinstance(value, dict):
            tables += ["", f"[{name}{key}]", *_lines(value, f"{name}{key}.")]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for item in value:
                tables += ["", f"[[{name}{key}]]", *_lines(item, f"{name}{key}.")]
        else:  # JSON writes numbers, words and lists of them as TOML does
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False, default=str)}".replace("\x7f", "\\u007f"))
    return lines + tables


def read_run(path: Path) -> RunConfig:
    """Read a run's `config.toml`."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
        if len(content) > MOST:  # tomllib takes minutes for some texts that are no longer than a picture
            raise DrumheadError(f"{path} has more than {MOST} bytes, and no run's config is so long; give a run's")
        values = tomllib.loads(content.decode())
    except FileNotFoundError:
        raise DrumheadError(f"{path} does not exist; a run directory made by 'drumhead train' has one") from None
    except DrumheadError:
        raise
    except (ValueError, RecursionError) as error:
        raise DrumheadError(f"{path} is not valid TOML: {reason(error)}") from None
    return from_dict(RunConfig, values, str(path))
