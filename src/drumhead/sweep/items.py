"""Items: run directories to be filled, how far each is, and the names of runs. Imports no torch.

An item's directory says all there is to know about it, so that any number of processes on any machines that see it
can share the work, and whatever ended one of them, the same command goes on.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from drumhead.errors import DrumheadError
from drumhead.files import held
from drumhead.learn.scores import RESULT, by_hand  # the last file that a run gets
from drumhead.settings.config import RunConfig
from drumhead.settings.text import read_run

FAILED = "failed.txt"  # why it ended, while it has not been tried again
LOCK = ".lock"  # held by the process that fills the directory
NAMED = 10  # hexadecimal digits of a run's name
State = Literal["done", "running", "failed", "begun", "new"]


@dataclass(frozen=True)
class Item:
    """A run directory to be filled: trained to the end, then measured on the test split.

    Attributes:
        config: all settings.
        place: the directory.
        title: what people call it.
        test_images: measure on only the first so many images of the test split; 0 uses all.
    """

    config: RunConfig
    place: Path
    title: str
    test_images: int = 0

    @property
    def done(self) -> bool:
        """Whether it is trained to the end and was measured then."""
        return is_done(self.place, self.config.train.epochs)

    @property
    def state(self) -> State:
        """How far it is."""
        if self.done:
            return "done"
        if held(self.place / LOCK):
            return "running"
        if (self.place / FAILED).exists():
            return "failed"
        return "begun" if (self.place / "config.toml").exists() else "new"

    @property
    def failure(self) -> str:
        """The first line of what ended it."""
        try:
            return (self.place / FAILED).read_text().partition("\n")[0]
        except OSError:
            return ""

    def check_settings(self) -> None:
        """Raise `DrumheadError` if the directory holds a run with other settings; where its images lie is none."""
        if not same_settings(read_run(self.place / "config.toml"), self.config):
            raise DrumheadError(
                f"{self.place} holds a run with other settings, perhaps of another version; move it away, or choose "
                "another place with --runs (reproduce) or --out (sweep)"
            )


def is_done(place: Path, epochs: int) -> bool:
    """Say whether a run has all its epochs and was measured then; `drumhead evaluate` names its weights."""
    result, metrics = place / RESULT, place / "metrics.jsonl"
    if not (result.exists() and metrics.exists()) or by_hand(result):
        return False
    return metrics.read_text().count("\n") >= epochs


def same_settings(a: RunConfig, b: RunConfig) -> bool:
    """Say whether two configs train the same network alike, wherever their images lie.

    What the data of the folder task fill in, when a run starts, counts as the same.
    """
    if a.task == b.task == "folder":
        known = {name: getattr(b.model, name) for name in ("image_channels", "classes")}
        a = replace(a, model=replace(a.model, **known), train=replace(a.train, crop=b.train.crop))
    return replace(a, data="") == replace(b, data="")


def run_name(config: RunConfig) -> str:
    """Return the name of a run: ten hexadecimal digits of the SHA-256 of its settings.

    Settings at the defaults of their class are left out, so that a new one changes no name; so is where images lie.

    Args:
        config: of the run.

    Example:
        >>> from drumhead.settings.presets import get_preset
        >>> config = get_preset("tetrominoes/nwm-stack")
        >>> run_name(config) == run_name(replace(config, data="/elsewhere"))
        True
        >>> run_name(config) == run_name(replace(config, train=replace(config.train, seed=1)))
        False
    """
    text = json.dumps(_chosen(replace(config, data="")), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:NAMED]


def _chosen(value: Any) -> Any:
    """Return settings that are not at their defaults, as plain values, each config with the name of its class."""
    if isinstance(value, tuple):
        return [_chosen(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    out = {"": type(value).__name__}
    for item in dataclasses.fields(value):
        own = getattr(value, item.name)
        nested = dataclasses.is_dataclass(own) or isinstance(own, tuple)  # a default of another class is said
        if nested or own != item.default:
            out[item.name] = _chosen(own)
    return out
