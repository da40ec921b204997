"""A run's config.toml and a model's settings: other types, huge and odd numbers, nesting, unicode, what is missing."""

import functools
from pathlib import Path
from random import Random
from typing import Any

from attacks import Attack
from attacks.damage import EDGES, bytes_of, damaged

ODD = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    7,
    1e308,
    -0.0,
    0.5,
    1e-320,
    float("nan"),
    float("inf"),
    "",
    "x",
    "linear",
    "lstm",
    "ä\u202e\0",
    "x" * 3000,
    [],
    {},
    [[]],
    [{}],
    {"a": {}},
    10**400,
    -(2**63),
    "../../x",
    *EDGES,
)
NAMES = (
    "tetrominoes/nwm-linear",
    "tetrominoes/nwm-fast",
    "tetrominoes/lstm-linear",
    "tetrominoes/unet-4",
    "mnist/nwm-stack",
    "tetrominoes/cnn-8",
)


@functools.cache
def presets() -> tuple[str, ...]:
    """Return the texts of configs that are right."""
    from drumhead.settings.presets import PRESETS, get_preset
    from drumhead.settings.text import to_toml

    return tuple(to_toml(get_preset(name)) for name in NAMES if name in PRESETS)


def changed(random: Random, values: Any, depth: int = 0) -> Any:
    """Return plain values with one or two of them changed, added, doubled or left out."""
    if isinstance(values, dict):
        out = dict(values)
        for _ in range(random.choice((1, 1, 2))):
            key = random.choice([*out, "extra", "ä", "__class__"])
            act = random.randrange(4)
            if act == 0:
                out.pop(key, None)
            elif act == 1 or key not in out:
                out[key] = random.choice(ODD)
            else:
                out[key] = changed(random, out[key], depth + 1)
        return out
    if isinstance(values, list) and values and random.randrange(2):
        return random.choice((values * random.choice((2, 3, 200)), [changed(random, values[0])], values[:-1]))
    if isinstance(values, int) and not isinstance(values, bool) and random.randrange(2):
        return random.choice((*EDGES, -values, values + 1, values * 1000))
    return random.choice(ODD)


def toml(value: Any) -> str:
    """Return a value as TOML, or as what looks like it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str) -> str:
    """Return a TOML string."""
    import json

    return json.dumps(text, ensure_ascii=False)


def text(random: Random) -> bytes:
    """Return the bytes of a config.toml."""
    import tomllib

    kind = random.randrange(20)
    base = random.choice(presets())
    if kind == 0:
        return bytes_of(random, 200)
    if kind == 1:
        depth = random.choice((50, 3000, 100_000))
        return random.choice(
            (
                b"a = " + b"[" * depth,
                b"a" + b".a" * depth + b" = 1",
                b"model = " + b"{a=" * depth,
                b"[" + b"a." * depth + b"a]",
            )
        )
    if kind == 2:
        digits = random.choice((400, 4000, 50_000))
        return b"a = " + b"9" * digits
    if kind < 9:
        return damaged(random, base.encode())
    values = changed(random, tomllib.loads(base))
    return "\n".join(f"{quoted(key)} = {toml(value)}" for key, value in values.items()).encode("utf-8", "replace")


def attack(random: Random, folder: Path) -> Attack:
    """Return a run directory with a config, and what reads it."""
    from drumhead import cli
    from drumhead.settings.text import read_run, to_toml

    path = folder / "in" / "run" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(text(random))
    if random.randrange(40) == 0:
        (path.parent / "weights.safetensors").write_bytes(b"")
        return Attack(lambda: cli.main(["evaluate", str(path.parent), "--limit", "1"]), ("run",))

    def read() -> None:
        config = read_run(path)
        again = to_toml(config)
        written = folder / "out" / "config.toml"
        written.write_text(again, "utf-8")
        assert read_run(written) == config or "nan" in again.lower()

    return Attack(read, ("config.toml",))
