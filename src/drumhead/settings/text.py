"""Configs as text: to plain values and TOML and back without loss. No torch."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from drumhead.errors import DrumheadError
from drumhead.settings.config import RunConfig

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config as plain dicts, lists, numbers and strings."""
    out = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            value = to_dict(value)
        out[item.name] = list(value) if isinstance(value, tuple) else value
    return out


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build the dataclass `cls` from plain values; unknown keys are named, missing ones take defaults."""
    fields = {item.name: item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise DrumheadError(f"{where}: unknown setting {', '.join(unknown)}; known are {', '.join(fields)}")
    hints = get_type_hints(cls)
    out: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint) and isinstance(value, dict):
            out[name] = from_dict(hint, value, f"{where}.{name}")  # type: ignore[arg-type]
        elif _fits(value, hint):
            out[name] = tuple(value) if isinstance(value, list) else value
        else:
            kind = getattr(hint, "__name__", str(hint))
            raise DrumheadError(f"{where}: {name} = {value!r} has the wrong type; {kind} is needed")
    return cls(**out)


def _fits(value: Any, hint: Any) -> bool:
    """Say whether a plain value has a field's type; which words a Literal allows is checked by the dataclass."""
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(item, get_args(hint)[0]) for item in value)
    kind = str if get_origin(hint) is Literal else (int, float) if hint is float else hint
    return isinstance(value, kind) and isinstance(value, bool) == (hint is bool)


def to_toml(config: Any) -> str:
    """Return a config as TOML text: first the plain settings, then one table for each nested config."""
    values = to_dict(config)
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    lines = [f"{name} = {_toml_value(value)}" for name, value in plain.items()]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_toml_value(item)}" for key, item in value.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in escaped) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return repr(value)


def read_run(path: Path) -> RunConfig:
    """Read a run's `config.toml`."""
    try:
        return from_dict(RunConfig, tomllib.loads(path.read_text()), str(path))
    except FileNotFoundError:
        raise DrumheadError(f"{path} does not exist; a run directory made by 'drumhead train' has one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DrumheadError(f"{path} is not valid TOML: {error}") from None
