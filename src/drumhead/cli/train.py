"""`drumhead train PRESET`: train a network, or resume a run."""

import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from drumhead.errors import DrumheadError, none_ignored, options
from drumhead.settings.config import NWM, ModelConfig, RunConfig, Stack, TrainConfig, refuse_unknown
from drumhead.settings.presets import get_preset, overview

EXAMPLE = "tetrominoes/nwm-fast"


@dataclass(frozen=True)
class Flags:
    """Train a network from a preset, or resume a run; after 'torchrun --nproc-per-node 2 -m' in several processes."""

    preset: Annotated[str, tyro.conf.Positional] = ""
    """What to train, TASK/NETWORK; --list shows all, and 'drumhead train PRESET --help' its settings and their
    defaults. Below are its own, or tetrominoes/nwm-fast's."""
    out: Path | None = None
    """The run directory; by default runs/ with the preset and the seed in its name."""
    resume: Path | None = None
    """Go on with the run in this directory, with its settings; only --data can be given, where they were moved."""
    limit: int | None = None
    """Use only the first so many images of each split, for a quick look."""
    epochs: int | None = None
    """Passes over the training images."""
    seed: int | None = None
    """Seeds weights, order and augmentation."""
    data: str = ""
    """Directory of the folder task, or of MNIST's IDX files."""
    show_data: bool = False
    """Show what is understood of the data and stop: a table, and a picture, data.png, in the run directory."""
    list: bool = False
    """Say which presets there are and stop."""
    model: ModelConfig = field(default_factory=NWM)
    """The network."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def run(arguments: list[str]) -> None:
    """Parse the flags with the preset's values as defaults, then train."""
    named = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    base = get_preset(named or EXAMPLE)
    settings = base.model.flat()
    given = [word.partition("=")[0].removeprefix("--model.") for word in arguments if word.startswith("--model.")]
    names = [name.removeprefix("no-").replace("-", "_") for name in given]
    refuse_unknown(type(base.model), names, named or EXAMPLE, settings)
    shown = _with_layers(base.model)(**settings)
    flags = tyro.cli(
        Flags,
        prog="drumhead train",
        args=arguments,
        default=Flags(preset=named, model=shown, train=base.train),
    )
    model = base.model.changed(**{name: getattr(flags.model, name) for name in names})
    if flags.list:
        print(overview())
        return
    if flags.preset != named:  # it came after an option
        raise DrumheadError(f"put the preset first: drumhead train {flags.preset} ...")
    if not named and not flags.resume:
        raise DrumheadError(
            f"say what to train, for example 'drumhead train {EXAMPLE}' ('drumhead train --list' shows all "
            "presets), or which run to go on with: 'drumhead train --resume DIR'"
        )
    words = options(arguments)
    if flags.resume:
        none_ignored({*words, *named.split()} - {"--resume", "--data"}, "--resume, with the settings of the run,")
    for name in ("limit", "epochs", "seed"):
        none_ignored({f"--train.{name}"} & words if f"--{name}" in words else (), f"--{name}")
    if flags.train.schedule == "constant" and flags.train.warmup:
        none_ignored({"--train.warmup"} & words, "--train.schedule constant")

    if flags.show_data:
        from drumhead.cli.show_data import show_data

        none_ignored(words - {"--show-data", "--data", "--out", "--train.crop"}, "--show-data")
        training = replace(base.train, crop=flags.train.crop)
        show_data(base.task, flags.data, training, flags.out or Path("runs") / named.replace("/", "-"))
        return

    from drumhead.learn import train
    from drumhead.learn.processes import of_torchrun
    from drumhead.show.terminal import Bar, Progress

    processes = of_torchrun()
    if flags.resume:
        out, go = flags.resume, partial(train.resume, flags.resume, data=flags.data)
    else:
        given = {name: getattr(flags, name) for name in ("limit", "epochs", "seed")}
        training = replace(flags.train, **{name: value for name, value in given.items() if value is not None})
        config = RunConfig(preset=named, task=base.task, data=flags.data, model=model, train=training)
        out = flags.out or Path("runs") / f"{named.replace('/', '-')}-seed{training.seed}"
        go = partial(train.start, config, out)
    try:
        done = go(Bar() if processes.first else Progress(), processes=processes)
    except DrumheadError:
        if processes.speaks:
            raise
        sys.exit(2)  # what the others of this machine say as well
    except KeyboardInterrupt:
        if not processes.first:
            sys.exit(130)
        if not (out / "config.toml").exists():
            raise
        raise KeyboardInterrupt(f"go on with: drumhead train --resume {out}") from None
    if processes.first:
        print(f"best weights: {done.weights}\nnext: drumhead evaluate {done.path}")


def _with_layers(model: ModelConfig) -> type[ModelConfig]:
    """Return the class whose flags are a network's settings and those of its layers of waves: each counts for all."""
    if not isinstance(model, NWM | Stack):
        return type(model)

    @dataclass(frozen=True, kw_only=True)
    class WithLayers(type(model), type(model.waves[-1])):  # type: ignore[misc]
        waves: Annotated[tuple, tyro.conf.Suppress] = ()

        def __post_init__(self) -> None:
            """Leave checks to the config that the settings change."""

    return WithLayers
