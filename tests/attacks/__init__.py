"""Hostile input, a file a kind: each `attack` writes one in a folder and returns how drumhead meets it.

What is drawn follows from a `random.Random` alone, so a kind, a seed and a number make an input again.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

KINDS = ("images", "masks", "configs", "idx", "recordings", "safetensors", "manifests", "urls")


@dataclass(frozen=True)
class Attack:
    """One input.

    Attributes:
        call: meets it, by an entry point behind the command line or by `drumhead.cli.main` itself.
        names: what a sentence about it has to hold one of; anything if there are none.
    """

    call: Callable[[], object]
    names: tuple[str, ...] = ()


def make(kind: str, seed: int, number: int, folder: Path) -> Attack:
    """Write input `number` of a kind in `folder / "in"`; results may go to `folder / "out"` alone."""
    random = Random(f"{seed}:{kind}:{number}")
    return importlib.import_module(f"attacks.{kind}").attack(random, folder)
