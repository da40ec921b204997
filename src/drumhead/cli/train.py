"""`drumhead train PRESET`: train a network, or resume a run."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from drumhead.errors import DrumheadError
from drumhead.settings.config import ModelConfig, RunConfig, TrainConfig
from drumhead.settings.presets import get_preset, overview

EXAMPLE = "tetrominoes/nwm-fast"


@dataclass(frozen=True)
class Flags:
    """Train a network from a preset, or resume a run."""

    preset: Annotated[str, tyro.conf.Positional] = ""
    """What to train, TASK/NETWORK; --list shows all. Defaults below are its own, or tetrominoes/nwm-fast's."""
    out: Path | None = None
    """The run directory; by default runs/ with the preset and the seed in its name."""
    resume: Path | None = None
    """Go on with the run in this directory; other options are ignored."""
    limit: int | None = None
    """Use only the first so many images of each split, for a quick look."""
    epochs: int | None = None
    """Passes over the training images."""
    seed: int | None = None
    """Seeds weights, order and augmentation."""
    data: str = ""
    """Directory of the folder task, or of MNIST's IDX files."""
    list: bool = False
    """Say which presets there are and stop."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The network."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def run(arguments: list[str]) -> None:
    """Parse the flags with the preset's values as defaults, then train."""
    named = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    base = get_preset(named or EXAMPLE)
    flags = tyro.cli(
        Flags,
        prog="drumhead train",
        args=arguments,
        default=Flags(preset=named, model=base.model, train=base.train),
    )
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

    from drumhead.learn import train
    from drumhead.show.terminal import Bar

    if flags.resume:
        out, go = flags.resume, partial(train.resume, flags.resume)
    else:
        given = {name: getattr(flags, name) for name in ("limit", "epochs", "seed")}
        settings = replace(flags.train, **{name: value for name, value in given.items() if value is not None})
        config = RunConfig(preset=named, task=base.task, data=flags.data, model=flags.model, train=settings)
        out = flags.out or Path("runs") / f"{named.replace('/', '-')}-seed{settings.seed}"
        go = partial(train.start, config, out)
    try:
        done = go(Bar())
    except KeyboardInterrupt:
        if not (out / "config.toml").exists():
            raise
        raise KeyboardInterrupt(f"go on with: drumhead train --resume {out}") from None
    print(f"best weights: {done.weights}\nnext: drumhead evaluate {done.path}")
