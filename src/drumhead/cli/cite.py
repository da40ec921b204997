"""`drumhead cite RUN`: BibTeX for what a run used."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    from drumhead.settings.config import RunConfig

SOFTWARE = """@software{{drumhead,
  author = {{{{The drumhead developers}}}},
  title = {{drumhead: neural networks that hear the shape of things}},
  version = {{{version}}},
  year = {{2026}},
}}"""


def cite(source: Annotated[str, tyro.conf.Positional] = "", /) -> None:
    """Print BibTeX for exactly the methods that a run used, each with what it is cited for.

    Args:
        source: a run directory, a preset such as tetrominoes/nwm-fast, or weights: a .safetensors file, a shipped name
            or hf://USER/NAME, whose training is not known and not cited. Without it, drumhead and the paper.
    """
    from drumhead.settings.citations import PAPER, references

    version = _version(Path(source)) if source else ""
    reasons = cited_by(source) if source else {PAPER: ["the equation, the networks, the tasks"]}
    entries = [SOFTWARE.format(version=version or _installed())]
    entries += [f"% {'; '.join(why)}\n{references()[key]}" for key, why in reasons.items()]
    print("\n\n".join(entries))


def cited_by(source: str) -> dict[str, list[str]]:
    """Return the works behind a run, a preset or weights, with what each is cited for."""
    from drumhead.settings.citations import cited

    if config := _settings(source):
        return cited(config.model, config.train, config.task)
    from drumhead.networks.weights import find_weights, read_metadata

    path = find_weights(source)
    from drumhead.networks.model import load

    return cited(load(path).config, task=read_metadata(path).get("task", ""))


def _settings(source: str) -> "RunConfig | None":
    """Return all settings of a run or of a preset; None for weights alone."""
    from drumhead.settings.presets import PRESETS, get_preset
    from drumhead.settings.text import read_run

    path = Path(source)
    if path.name == "config.toml":
        return read_run(path)
    if (path / "config.toml").is_file():
        return read_run(path / "config.toml")
    if path.is_dir() and not (path / "weights.safetensors").is_file():
        raise DrumheadError(f"{path} holds neither config.toml nor weights.safetensors; give a run directory")
    return get_preset(source) if source in PRESETS else None


def _version(run: Path) -> str:
    """Return the version of drumhead that a run was made with, where that is written."""
    from drumhead.files import read_json

    try:
        run = run.parent if run.name == "config.toml" else run
        return str(read_json(run / "environment.json").get("drumhead", ""))
    except (OSError, ValueError):
        return ""


def _installed() -> str:
    from drumhead import __version__

    return __version__


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(cite, prog="drumhead cite", args=arguments)
