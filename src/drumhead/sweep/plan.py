"""A sweep: which presets, settings and seeds, kept as `sweep.toml` in its directory, and the runs that it stands for.

The file holds what was asked for in the words of the command line, one table of `[[cells]]` for each time that
combinations were added. All that a run needs follows from it, so a job on another machine is told a directory and a
name. Imports no torch.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from drumhead.errors import DrumheadError, reason, whole
from drumhead.files import write_atomic
from drumhead.settings.config import RunConfig
from drumhead.settings.presets import get_preset
from drumhead.settings.text import from_dict, to_toml
from drumhead.sweep.grid import combinations, parse, unused
from drumhead.sweep.items import Item, run_name

FILE = "sweep.toml"


@dataclass(frozen=True)
class Combinations:
    """A grid.

    Attributes:
        presets: the networks.
        grid: settings with their values, each as `train.lr=1e-3,3e-3`: one run for each combination.
        set: settings with one value each, which all runs get.
        seeds: runs of each combination, with seeds 0, 1, ...
    """

    presets: tuple[str, ...] = ()
    grid: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    seeds: int = 1

    def configs(self) -> list[RunConfig]:
        """Return the configs of all runs, the first seed of all before the second of any.

        Raises:
            DrumheadError: whatever is wrong, in one message.
        """
        whole("seeds", self.seeds)
        if not self.presets:
            raise DrumheadError("a sweep needs at least one preset, TASK/NETWORK; 'drumhead train --list' shows all")
        fixed, grid = (tuple(map(parse, texts)) for texts in (self.set, self.grid))
        several = [axis.text for axis in fixed if len(axis.values) > 1]
        if several:
            raise DrumheadError(f"--set {several[0]}: one value is needed; --grid takes several")
        if idle := unused((*fixed, *grid), self.presets):
            raise DrumheadError(
                f"{', '.join(idle)}: none of {', '.join(self.presets)} is meant; mend the name before :"
            )
        out, wrong = [], []
        for preset in self.presets:
            try:
                out += combinations(get_preset(preset), fixed, grid)
            except DrumheadError as error:
                wrong.append(str(error))
        if wrong:
            raise DrumheadError("; ".join(wrong))
        return [replace(one, train=replace(one.train, seed=seed)) for seed in range(self.seeds) for one in out]


@dataclass(frozen=True)
class Sweep:
    """All combinations of a directory.

    Attributes:
        data: directory of the folder task, or of MNIST's IDX files; tasks that make their images do without.
        cells: grids, under the word that sweep.toml has for them; a run that two of them have is one run.
    """

    data: str = ""
    cells: tuple[Combinations, ...] = ()

    def items(self, out: Path) -> list[Item]:
        """Return the runs, each in a directory below `out` that is named after its settings.

        Args:
            out: directory of the sweep.

        Example:
            >>> sweep = Sweep(cells=(Combinations(("tetrominoes/nwm-fast",), grid=("train.lr=1e-3,3e-3",), seeds=2),))
            >>> for item in sweep.items(Path("runs")):
            ...     print(item.title)
            tetrominoes/nwm-fast train.lr=0.001 seed 0
            tetrominoes/nwm-fast train.lr=0.003 seed 0
            tetrominoes/nwm-fast train.lr=0.001 seed 1
            tetrominoes/nwm-fast train.lr=0.003 seed 1
        """
        found: dict[str, RunConfig] = {}
        for block in self.cells:
            for config in block.configs():
                found.setdefault(run_name(config), replace(config, data=_data(config.task, self.data)))
        titles = label(found.values())
        return [Item(config, out / name, title) for (name, config), title in zip(found.items(), titles, strict=True)]

    def adding(self, new: Combinations) -> "Sweep":
        """Return a sweep with further combinations; those that the new ones contain are left out."""
        names = {run_name(config) for config in new.configs()}
        kept = [old for old in self.cells if not {run_name(config) for config in old.configs()} <= names]
        return replace(self, cells=(*kept, new))


def read(path: Path) -> Sweep:
    """Read a sweep from a TOML file, or from the directory of a sweep."""
    path = path / FILE if path.is_dir() else path
    try:
        return from_dict(Sweep, tomllib.loads(path.read_text()), str(path))
    except FileNotFoundError:
        raise DrumheadError(f"{path} does not exist; the directory of a sweep has a {FILE}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DrumheadError(f"{path} is not valid TOML: {reason(error)}") from None


def write(sweep: Sweep, out: Path) -> None:
    """Keep a sweep in its directory."""
    write_atomic(out / FILE, to_toml(sweep))


def label(configs: Iterable[RunConfig]) -> list[str]:
    """Return for each config its preset, the settings in which those of its preset differ, and its seed.

    Args:
        configs: of all runs.
    """
    configs = list(configs)
    return [
        " ".join((config.preset, *(f"{name}={short(value)}" for name, value in own.items()), f"seed {seed}"))
        for config, own in zip(configs, differing(configs), strict=True)
        for seed in (config.train.seed,)
    ]


def differing(configs: Iterable[RunConfig]) -> list[dict[str, object]]:
    """Return for each config the settings, seed aside, in which those of the same preset are not all alike."""
    configs = list(configs)
    flat = [
        {f"{where}.{name}": value for where, part in (("model", one.model.flat()), ("train", vars(one.train)))
         for name, value in part.items() if name != "seed"}
        for one in configs
    ]  # fmt: skip
    values: dict[tuple[str, str], set[str]] = {}
    for config, own in zip(configs, flat, strict=True):
        for name, value in own.items():
            values.setdefault((config.preset, name), set()).add(repr(value))
    return [
        {name: value for name, value in own.items() if len(values[config.preset, name]) > 1}
        for config, own in zip(configs, flat, strict=True)
    ]


def short(value: object) -> str:
    """Return a value as a table can show it.

    Example:
        >>> short(0.001), short(0.0010000001), short(1.0), short((16, 16)), short("none")
        ('0.001', '0.0010000001', '1', '[16,16]', 'none')
    """
    if isinstance(value, tuple):
        return f"[{','.join(map(short, value))}]"
    if isinstance(value, float) and float(brief := f"{value:g}") == value:
        return brief
    return str(value)


def _data(task: str, data: str) -> str:
    """Return the directory that a task takes."""
    return data if task == "folder" or "mnist" in task else ""
