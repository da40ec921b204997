"""What finished runs have come to, read from their small files: the groups that differ in seeds alone. No torch."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drumhead.errors import DrumheadError
from drumhead.files import read_json, read_rows, without_nan
from drumhead.learn.scores import RESULT, SCORES
from drumhead.settings.config import RunConfig
from drumhead.settings.text import read_run
from drumhead.sweep.items import FAILED, is_done
from drumhead.sweep.plan import FILE, differing, read, short


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        place: its directory.
        config: its settings.
        test: evaluation-test.json: scores, parameters, environment.
        history: metrics.jsonl, one row an epoch.
        environment: environment.json: versions, commit and machine of the training.
    """

    place: Path
    config: RunConfig
    test: dict[str, Any]
    history: list[dict[str, Any]]
    environment: dict[str, Any]

    @property
    def seed(self) -> int:
        """Of its weights and of the order of its images."""
        return self.config.train.seed


@dataclass(frozen=True)
class Group:
    """The finished seeds of one combination of a grid.

    Attributes:
        preset: where its settings started from.
        settings: those in which the combinations of its preset differ.
        runs: by seed.
    """

    preset: str
    settings: dict[str, object]
    runs: tuple[Finished, ...]

    @property
    def task(self) -> str:
        """What it was trained and measured on."""
        return self.runs[0].config.task

    @property
    def label(self) -> str:
        """Its network, and its settings by their last names."""
        words = [f"{name.partition('.')[2]}={short(value)}" for name, value in self.settings.items()]
        return " ".join([self.preset.partition("/")[2], *words])

    def values(self, score: str) -> dict[int, float]:
        """Return a test score by seed, where it is known."""
        return {run.seed: run.test[score] for run in self.runs if run.test.get(score) is not None}


@dataclass(frozen=True)
class Gathered:
    """What a directory of runs holds.

    Attributes:
        groups: combinations with at least one finished run, as they come in the sweep, or by the names of directories.
        unfinished: a sentence for each run without a result.
    """

    groups: tuple[Group, ...]
    unfinished: tuple[str, ...]


def gather(root: Path) -> Gathered:
    """Read all runs below a directory.

    Args:
        root: of a sweep, of `drumhead reproduce`, or any other that holds run directories.

    Raises:
        DrumheadError: there is none, none is finished, or a file of one is damaged.
    """
    if not root.is_dir():
        raise DrumheadError(f"{root} is not a directory; name one that holds runs, of a sweep or of drumhead reproduce")
    found, unfinished = [], []
    for place in _places(root):
        if not (place / "config.toml").exists():
            unfinished.append(f"{place.name}: not begun")
            continue
        config = read_run(place / "config.toml")
        if is_done(place, config.train.epochs):
            found.append(read_run_of(place, config))
        else:
            unfinished.append(f"{place.relative_to(root)}: {why_not(place, config)}")
    if not found:
        more = f" ({'; '.join(unfinished[:3])}{'; ...' if len(unfinished) > 3 else ''})" if unfinished else ""
        raise DrumheadError(
            f"{root} holds no finished run{more}, so there is nothing to report; sweep and reproduce finish runs"
        )
    return Gathered(tuple(_groups(found)), tuple(unfinished))


def _places(root: Path) -> list[Path]:
    """Return the directories of runs: those of the sweep in its order, then others by name."""
    planned = [item.place for item in read(root).items(root)] if (root / FILE).exists() else []
    there = sorted(file.parent for file in root.rglob("config.toml"))
    return list(dict.fromkeys([*planned, *there]))


def _groups(found: Sequence[Finished]) -> list[Group]:
    settings = differing(run.config for run in found)
    groups: dict[str, list[int]] = {}
    for i, run in enumerate(found):
        alike = replace(run.config, data="", train=replace(run.config.train, seed=0))
        groups.setdefault(repr(alike), []).append(i)
    out = []
    for members in groups.values():
        by_seed = {found[i].seed: found[i] for i in reversed(members)}  # a copy of a run counts once
        runs = tuple(by_seed[seed] for seed in sorted(by_seed))
        out.append(Group(runs[0].config.preset, settings[members[0]], runs))
    return out


def why_not(place: Path, config: RunConfig) -> str:
    """Say how far a run came that is not finished, as it may follow its name."""
    if (place / FAILED).exists():
        return f"failed: {(place / FAILED).read_text().partition(chr(10))[0]}"
    metrics = place / "metrics.jsonl"
    done = metrics.read_text().count("\n") if metrics.exists() else 0
    if done < config.train.epochs:
        return f"at {done} of {config.train.epochs} epochs"
    by_hand = (place / RESULT).exists()
    return "measured by `drumhead evaluate`, perhaps with earlier weights" if by_hand else "trained, not measured"


def read_run_of(place: Path, config: RunConfig) -> Finished:
    """Read the small files of a finished run, or refuse those that are damaged."""
    test = without_nan(_whole(place / RESULT, read_json))
    history = _whole(place / "metrics.jsonl", read_rows)
    if not history or not all(isinstance(test.get(name), int | float | None) for name in SCORES):
        raise DrumheadError(
            f"{place} is damaged: its scores or metrics.jsonl are not whole; move it away to train anew"
        )
    return Finished(place, config, test, history, _whole(place / "environment.json", _if_there))


def _whole(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except ValueError as error:
        raise DrumheadError(f"{path} is damaged ({error}); mend it, or move its directory away to train anew") from None


def _if_there(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


@dataclass(frozen=True)
class Summary:
    """A score over seeds; std, with n - 1, is None for one seed."""

    n: int
    mean: float
    std: float | None
    low: float
    median: float
    high: float


def summarise(values: Iterable[float | None]) -> Summary | None:
    """Summarise what is known of some numbers; None if nothing is.

    Example:
        >>> summarise([0.25, None, 0.75])
        Summary(n=2, mean=0.5, std=0.3535533905932738, low=0.25, median=0.5, high=0.75)
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    std = statistics.stdev(known) if len(known) > 1 else None
    return Summary(len(known), statistics.fmean(known), std, min(known), statistics.median(known), max(known))
