"""Tables: which networks an experiment compares. A new experiment is one more entry. Imports no torch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from drumhead.errors import DrumheadError
from drumhead.reproduce.budgets import Budget
from drumhead.settings.config import ModelConfig
from drumhead.settings.presets import PRESETS, get_preset


@dataclass(frozen=True)
class Row:
    """One network of a table."""

    name: str  # names its run directory too: the same network has the same name in every table of a task
    preset: str  # what it starts from, without the task
    changes: dict[str, Any] = field(default_factory=dict)  # settings of the model that differ from the preset

    def model(self, task: str) -> ModelConfig:
        """Return its config on a task."""
        return get_preset(f"{task}/{self.preset}").model.changed(**self.changes)


@dataclass(frozen=True)
class Table:
    """A comparison of networks on one task."""

    name: str  # what `drumhead reproduce` calls it
    title: str
    task: str
    rows: tuple[Row, ...]
    core: tuple[str, ...] = ()  # what a budget other than "paper" trains by default, the telling ones first

    def choose(self, budget: Budget, patterns: Iterable[str] = ()) -> list[Row]:
        """Return the rows that match any of the patterns; without patterns, those that the budget trains."""
        names = [row.name for row in self.rows]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise DrumheadError(f"--models {pattern}: {self.name} has no such model; it has {', '.join(names)}")
        if patterns:
            return [row for row in self.rows if any(fnmatchcase(row.name, pattern) for pattern in patterns)]
        if budget.name == "paper" or not self.core:
            return list(self.rows)
        return sorted((row for row in self.rows if row.name in self.core), key=lambda row: self.core.index(row.name))


def abbreviate(names: Iterable[str]) -> str:
    """Return names with what they begin with said once.

    Example:
        >>> from drumhead.reproduce.tables import abbreviate
        >>> abbreviate(["nwm-fft", "nwm-last", "unet-4"])
        'nwm-{fft, last}, unet-4'
    """
    families: dict[str, list[str]] = {}
    for name in names:
        family, _, rest = name.partition("-")
        families.setdefault(family, []).append(rest)
    words = (
        f"{name}-{rest[0]}" if len(rest) == 1 else f"{name}-{{{', '.join(rest)}}}" for name, rest in families.items()
    )
    return ", ".join(words)


def _presets(*names: str) -> tuple[Row, ...]:
    return tuple(Row(name, name) for name in names)


_UNETS = tuple(f"unet-{width}" for width in (2, 3, 4, 5))
_ALL = _presets(
    "nwm-fast",
    *(f"{kind}-{name}" for kind in ("nwm", "lstm", "gru", "rnn") for name in ("linear", "fft", "last", "mean", "max")),
    *(f"{kind}-{depth}" for kind in ("cnn", "resnet") for depth in (2, 4, 8, 16, 32)),
    *_UNETS,
)
_ABLATIONS = (
    Row("nwm-fast", "nwm-fast"),
    Row("nwm-fast-cut", "nwm-fast", {"coupling": "none"}),
    Row("nwm-fast-frozen", "nwm-fast", {"frozen": True}),
    Row("nwm-fast-dense", "nwm-fast", {"coupling": "dense"}),
    Row("nwm-fast-omega-constant", "nwm-fast", {"omega": "constant"}),
    Row("nwm-fast-alpha-constant", "nwm-fast", {"alpha": "constant"}),
    Row("nwm-fast-medium-constant", "nwm-fast", {"omega": "constant", "alpha": "constant"}),
    *(Row(f"nwm-fast-{edge}", "nwm-fast", {"boundary": edge}) for edge in ("fixed", "reflecting", "absorbing")),
    Row("nwm-fast-identity", "nwm-fast", {"nonlinearity": "linear"}),
    *(Row(f"nwm-fast-steps-{t}", "nwm-fast", {"steps": t}) for t in (5, 10, 40)),
    *(Row(f"nwm-fast-dt-{dt:g}", "nwm-fast", {"dt": dt}) for dt in (0.25, 1.0)),
)
_STARTS = tuple(
    Row(name if start == usual else f"{name}-start-{start}", name, {} if start == usual else {"start": start})
    for name, usual in (("nwm-linear", "torch"), ("lstm-linear", "torch"), ("cnn-8", "torch"), ("resnet-8", "he"))
    for start in ("torch", "he")
)
_STEPS = (
    Row("nwm-linear", "nwm-linear"),
    Row("nwm-linear-steps-20", "nwm-linear", {"steps": 20}),
    Row("nwm-linear-steps-20-dt-0.5", "nwm-linear", {"steps": 20, "dt": 0.5}),
    Row("nwm-linear-cut", "nwm-linear", {"coupling": "none"}),
    Row("nwm-linear-frozen", "nwm-linear", {"frozen": True}),
    Row("lstm-linear", "lstm-linear"),
    Row("lstm-linear-steps-100", "lstm-linear", {"steps": 100}),
)

_FAR = tuple(
    row
    for row in _presets(
        "nwm-stack", "nwm-rounds", "nwm-modes", "nwm-fast", "unet-4", "cnn-32", "frame-7x7", "frame-rounds",
        "frame-pool", "frame-attention",
    )
    if f"wires/{row.preset}" in PRESETS
)  # fmt: skip

TABLES = {
    table.name: table
    for table in (
        Table(
            "tetrominoes",
            "Tetrominoes: which networks can tell the pieces apart",
            "tetrominoes",
            _ALL,
            ("nwm-linear", "nwm-last", "cnn-8", "resnet-8", "lstm-linear", "nwm-fft", "nwm-fast", "unet-4"),
        ),
        Table(
            "mnist",
            "MNIST: the label of a grey digit at each of its pixels",
            "mnist",
            _ALL,
            ("nwm-linear", "nwm-last", "lstm-linear", "nwm-fast", "unet-4"),
        ),
        Table(
            "multi-mnist",
            "Multi-MNIST: one to four digits, waves against the U-Net",
            "multi-mnist",
            _presets("nwm-fast", "nwm-linear", *_UNETS),
            ("nwm-fast", "unet-4", "nwm-linear"),
        ),
        Table(
            "polygons",
            "Polygons: shapes that are locally the same",
            "polygons",
            _ALL,
            ("nwm-fast", "unet-4", "cnn-8", "nwm-linear"),
        ),
        Table("wires", "Wires: label the one with the dot, 60 pixels along it", "wires", _FAR),
        Table("pathfinder", "Pathfinder: the same of dashed paths among short ones", "pathfinder", _FAR),
        Table("ablations", "Ablations: what of the wave is needed, one change at a time", "tetrominoes", _ABLATIONS),
        Table(
            "starts",
            "Starts: how much of what kept a network from learning is the size of its first weights",
            "tetrominoes",
            _STARTS,
        ),
        Table(
            "steps", "Equal steps for the NWM and the LSTM, and the paper's NWM without waves", "tetrominoes", _STEPS
        ),
    )
}
DISTANCES = ("wires", "pathfinder")  # the tables whose networks `drumhead reproduce distance` measures
