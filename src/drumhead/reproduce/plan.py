"""What an experiment trains: tables of models, budgets of training, and the cell where they meet.

A table compares models on a task. A budget is a protocol, the same for every model of a table. A cell is one model
trained once, with one seed, and has a run directory of its own, so that any number of processes can fill a table
together and a stopped one goes on. This file imports no torch.
"""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from drumhead.config import RunConfig, TrainConfig
from drumhead.errors import DrumheadError, choose
from drumhead.presets import get_preset


@dataclass(frozen=True)
class Budget:
    """A protocol of training.

    Attributes:
        name: its name.
        text: one line on what it is for.
        train: the settings that every model gets.
        seeds: how many runs of each model by default.
        test_images: use only the first so many images of the test split; 0 uses all.
    """

    name: str
    text: str
    train: TrainConfig
    seeds: int
    test_images: int = 0

    @property
    def passes(self) -> int:
        """Images that a run sees, where an epoch has a fixed number."""
        return self.train.epochs * self.train.epoch_images


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget(
            "smoke",
            "a minute: shows that everything works, says nothing about the models",
            TrainConfig(epochs=2, epoch_images=64, limit=64, validation_images=32, batch=16, lr=3e-3),
            seeds=1,
            test_images=32,
        ),
        Budget(
            "cpu",
            "80,000 image passes with warm-up and cosine decay: a table in a night on two cores",
            TrainConfig(
                epochs=8,
                epoch_images=10_000,
                validation_images=1_000,
                batch=16,
                lr=2e-3,
                schedule="cosine",
                warmup=0.05,
                clip=1.0,
                precision="bf16-mixed",
            ),
            seeds=3,
        ),
        Budget(
            "paper", "the published protocol: 300 epochs, Adam at a constant 0.001, batches of 64", TrainConfig(), 10
        ),
    )
}


@dataclass(frozen=True)
class Table:
    """A comparison of models on one task.

    Attributes:
        name: what `drumhead reproduce` calls it.
        title: one line.
        task: the task of all its models.
        models: presets without the task, in the order of the rows; the first is compared with the others.
        core: those of them that a budget other than "paper" trains by default.
    """

    name: str
    title: str
    task: str
    models: tuple[str, ...]
    core: tuple[str, ...] = field(default=())

    def choose(self, budget: Budget, patterns: tuple[str, ...]) -> list[str]:
        """Return the models that match any of the patterns; without patterns, those that the budget asks for."""
        if not patterns:
            return list(self.models if budget.name == "paper" or not self.core else self.core)
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.models):
                raise DrumheadError(
                    f"--models {pattern}: no model of {self.name} matches; there are {', '.join(self.models)}"
                )
        return [name for name in self.models if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _readouts(*families: str) -> tuple[str, ...]:
    return tuple(f"{family}-{readout}" for family in families for readout in ("linear", "fft", "last", "mean", "max"))


_CNN = tuple(f"cnn-{depth}" for depth in (2, 4, 8, 16, 32))
_FAIR = tuple(f"resnet-{depth}" for depth in (2, 4, 8, 16, 32))
_UNET = tuple(f"unet-{width}" for width in (2, 3, 4, 5))
_SINGLE = ("nwm-fast", *_readouts("nwm", "lstm", "gru", "rnn"), *_CNN, *_FAIR, *_UNET)

TABLES = {
    table.name: table
    for table in (
        Table(
            "tetrominoes",
            "Tetrominoes: which networks can tell the pieces apart",
            "tetrominoes",
            _SINGLE,
            ("nwm-fast", "unet-4", "nwm-linear", "nwm-last", "resnet-8", "cnn-8", "lstm-linear", "nwm-fft"),
        ),
        Table(
            "mnist",
            "MNIST digits: grey, one to an image",
            "mnist",
            _SINGLE,
            ("nwm-fast", "unet-4", "nwm-linear", "nwm-last", "lstm-linear"),
        ),
        Table(
            "multi-mnist",
            "Multi-MNIST: one to four binary digits, against the U-Net",
            "multi-mnist",
            ("nwm-fast", "nwm-linear", *_UNET),
            ("nwm-fast", "unet-4", "nwm-linear"),
        ),
    )
}


@dataclass(frozen=True)
class Cell:
    """One model of a table, trained once.

    Attributes:
        table: the table's name.
        model: the model's name in the table.
        budget: the protocol.
        seed: of weights and order.
        config: all of it, as `drumhead train` takes it.
    """

    table: str
    model: str
    budget: Budget
    seed: int
    config: RunConfig

    def place(self, root: Path) -> Path:
        """Return the run directory."""
        return root / self.budget.name / self.table / self.model / f"seed-{self.seed}"


def cells(table: Table, budget: Budget, seeds: int, patterns: tuple[str, ...] = (), data: str = "") -> list[Cell]:
    """Return what a table has to train, the first seed of all models before the second of any.

    Args:
        table: which models there are.
        budget: how each is trained.
        seeds: runs of each model, with seeds 0, 1, ...
        patterns: choose models by name; empty leaves the choice to the budget.
        data: directory of MNIST's IDX files; empty searches the usual places.
    """
    if seeds < 1:
        raise DrumheadError(f"seeds={seeds}: at least 1 is needed")
    names = table.choose(budget, patterns)
    return [Cell(table.name, name, budget, seed, _config(table, name, budget, seed, data))
            for seed in range(seeds) for name in names]  # fmt: skip


def _config(table: Table, name: str, budget: Budget, seed: int, data: str) -> RunConfig:
    preset = get_preset(f"{table.task}/{name}")
    return replace(preset, data=data, train=replace(budget.train, seed=seed))


def get_table(name: str) -> Table:
    """Return a table by name."""
    choose("table", name, TABLES)
    return TABLES[name]
