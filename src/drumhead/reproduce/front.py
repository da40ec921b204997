"""The deciding experiment: accuracy against cost of stacks of waves, of the frame without them, and of the U-Net.

Every network is trained under two recipes and counts under its own better one, so that nobody wins by the recipe.
Costs are measured by turns in one process (`timings`). Imports no torch.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from drumhead.errors import DrumheadError, choose
from drumhead.files import report_folder, write_atomic
from drumhead.reproduce.budgets import Budget, recipes
from drumhead.reproduce.plan import PlannedRun, planned_runs
from drumhead.reproduce.results import Line, collect, summarise
from drumhead.reproduce.tables import Row, Table
from drumhead.settings.config import Layer, Modes
from drumhead.show.front import Point, save_front
from drumhead.show.pages import Block, Grid, Heading, Picture, Text, markdown, webpage

TASKS = ("tetrominoes", "mnist", "multi-mnist", "multi-mnist-unseen", "polygons", "wires", "pathfinder")
BASE = "unet-4"  # whose cost is 1
SMOKE = ("nwm-stack", "frame-7x7", "unet-4")  # what a budget of minutes trains, if nobody asks for others
NONE = "-"
_SAME = ("unet-5", "unet-4", "unet-3", "unet-2", "resnet-8", "nwm-fast", "nwm-stack", "nwm-stack-l", "nwm-modes",
         "nwm-rounds", "frame-3x3", "frame-7x7", "frame-pool", "frame-attention", "frame-rounds")  # fmt: skip
ROWS = (
    *(Row(name, name) for name in _SAME),
    *(Row(f"nwm-stack-layers-{n}", "nwm-stack", {"waves": (Layer(),) * n}) for n in (1, 2, 4)),
    *(Row(f"nwm-stack-steps-{t}", "nwm-stack", {"steps": t}) for t in (6, 20)),
    *(Row(f"nwm-stack-bins-{k}", "nwm-stack", {"bins": k}) for k in (4, 12)),
    Row("nwm-stack-pyramid", "nwm-stack", {"waves": (Layer(), Layer(stride=8), Layer())}),
    Row("nwm-stack-stride-8", "nwm-stack", {"stride": 8}),
    Row("nwm-stack-identity", "nwm-stack", {"nonlinearity": "linear"}),
    Row("nwm-stack-alike", "nwm-stack", {"spread": False}),
    Row("nwm-stack-cut", "nwm-stack", {"coupling": "none"}),
    Row("nwm-stack-mixed", "nwm-stack", {"waves": (Modes(), Layer(), Layer())}),
    Row("nwm-modes-layers-2", "nwm-modes", {"waves": (Modes(),) * 2}),
    Row("nwm-modes-sheets-32", "nwm-modes", {"channels": 32, "bins": 4}),
)


@dataclass(frozen=True)
class Entry:
    """A network on a task under its better recipe.

    Attributes:
        line: its finished seeds.
        recipe: the budget that they had.
        others: mean foreground IoU under the other recipes that are finished, by their names.
    """

    line: Line
    recipe: Budget
    others: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Mean foreground IoU."""
        found = self.line.summary("foreground_iou")
        return found.mean if found else 0.0


def plan(task: str, budget: str, seeds: int, models: Iterable[str], data: str, recipe: str = "") -> list[PlannedRun]:
    """Return what there is to train on a task, under one recipe after the other, or under one alone."""
    choose("--task", task, TASKS)
    table = Table(f"front-{task}", f"Accuracy against cost: {task}", task, ROWS)
    patterns = tuple(models) or (SMOKE if budget == "smoke" else ())
    known = {one.name: one for one in recipes(budget, task)}
    if recipe:
        choose("--recipe", recipe, known)
    chosen = [known[recipe]] if recipe else known.values()
    each = (planned_runs(table, one, seeds or one.seeds, patterns, data) for one in chosen)
    return [planned for runs in each for planned in runs]


def better(todo: Sequence[PlannedRun], runs: Path) -> list[Entry]:
    """Return each network with a finished seed, under the recipe with the higher mean over the seeds that all have."""
    lines: dict[str, dict[str, Line]] = {}
    budgets = {planned.budget.name: planned.budget for planned in todo}
    for name in budgets:
        wanted = [planned for planned in todo if planned.budget.name == name]
        for line in collect(wanted, runs, further=False).lines:
            lines.setdefault(line.row.name, {})[name] = line
    entries = []
    for found in lines.values():
        means = {name: s.mean for name, line in found.items() if (s := line.summary("foreground_iou"))}
        fair = on_common_seeds(
            {
                name: {
                    r.planned.seed: iou for r in found[name].results if (iou := r.score("foreground_iou")) is not None
                }
                for name in means
            }
        )
        best = max(means, key=lambda name: fair[name])
        others = {name: mean for name, mean in means.items() if name != best}
        entries.append(Entry(found[best], budgets[best], others))
    return sorted(entries, key=lambda entry: -entry.mean)


def on_common_seeds(scores: Mapping[str, Mapping[Any, float]]) -> dict[str, float]:
    """Return the mean score of each recipe over the seeds that all have, or over its own if they share none.

    A hard seed that one recipe alone has says nothing of the recipe.
    """
    both = set.intersection(*(set(of) for of in scores.values()))
    return {recipe: fmean(of[seed] for seed in both or of) for recipe, of in scores.items()}


def write(
    entries: Mapping[str, Sequence[Entry]], prices: Mapping[str, Any], out: Path, command: str
) -> dict[str, Grid]:
    """Write front.md, front.html, front.json and front.png.

    Args:
        entries: by task, from `better`.
        prices: from `reproduce.timings`, by task and network; may lack some.
        out: directory; it is made if it does not exist.
        command: what the user typed.

    Returns:
        A table for each task.
    """
    grids = {task: _grid(found, prices.get(task, {})) for task, found in entries.items() if found}
    if not grids:
        raise DrumheadError("no run of the front is finished, so there is nothing to report; train first")
    blocks: list[Block] = [
        Heading("Accuracy against cost", 1),
        Text(f"Made by `{command}`. Foreground IoU on the test split, mean and sample standard deviation over seeds, "
             "of the weights with the lowest validation loss; each network under the better of the recipes that it has "
             "runs of, by the seeds that all of them have."),
        Text("Costs are processor time over the U-Net's with c = 4, medians over rounds in which all networks take "
             "turns in one process: a training step of 16 images, and inference of 8, on one thread."),
        Picture("front.png", "Foreground IoU against the cost of a training step and of inference; lines go from the "
                "least to the largest seed."),
    ]  # fmt: skip
    for task, grid in grids.items():
        known = {entry.recipe.name: entry.recipe.text for entry in entries[task]}
        blocks += [Heading(task), grid, Text("; ".join(f"`{name}`: {text}" for name, text in known.items()) + ".")]
    about = {"command": command, "prices": prices, **_plain(entries)}
    with report_folder(out) as folder:
        save_front(folder / "front.png", {task: _points(entries[task], prices.get(task, {})) for task in grids})
        write_atomic(folder / "front.json", json.dumps(about, indent=1))
        write_atomic(folder / "front.md", markdown(blocks))
        write_atomic(folder / "front.html", webpage(blocks, folder))
    return grids


def _grid(entries: Sequence[Entry], prices: Mapping[str, Any]) -> Grid:
    rows = []
    for entry in entries:
        found, parameters = entry.line.summary("foreground_iou"), entry.line.results[0].score("parameters")
        assert found is not None
        other = ", ".join(f"{name} {mean:.3f}" for name, mean in entry.others.items())
        price = prices.get(entry.line.row.name, {})
        rows.append((
            entry.line.row.name,
            f"{found.mean:.3f}" + ("" if found.std is None else f" ± {found.std:.3f}"),
            f"{found.low:.3f}",
            str(found.n),
            str(entry.line.collapsed),
            entry.recipe.name,
            other or NONE,
            f"{parameters:,.0f}",
            *(f"{price[mode]['ratio']:.2f}" if mode in price else NONE for mode in ("train", "infer")),
        ))  # fmt: skip
    columns = ("network", "foreground IoU", "min", "seeds", "collapsed", "recipe", "other recipe", "parameters",
               "training", "inference")  # fmt: skip
    return Grid(columns, rows)


def _points(entries: Sequence[Entry], prices: Mapping[str, Any]) -> list[Point]:
    points = []
    for entry in entries:
        found, price = entry.line.summary("foreground_iou"), prices.get(entry.line.row.name)
        if found and price:
            costs = {mode: price[mode]["ratio"] for mode in ("train", "infer")}
            points.append(Point(entry.line.row.name, found.mean, found.low, found.high, costs["train"], costs["infer"]))
    return points


def _plain(entries: Mapping[str, Sequence[Entry]]) -> dict[str, Any]:
    """Return every number as plain values."""
    out: dict[str, Any] = {}
    for task, found in entries.items():
        for entry in found:
            results = entry.line.results
            out.setdefault("tasks", {}).setdefault(task, {})[entry.line.row.name] = {
                "recipe": entry.recipe.name,
                "other_recipes": dict(entry.others),
                "foreground_iou": [result.score("foreground_iou") for result in results],
                "dice": [result.score("dice") for result in results],
                "seeds": [result.planned.seed for result in results],
                "collapsed": entry.line.collapsed,
                "parameters": results[0].score("parameters"),
                "cpu_seconds": summarise(result.spent("cpu_seconds") for result in results).mean,  # type: ignore[union-attr]
                "commits": sorted({str(result.run.environment.get("commit")) for result in results}),
            }
    return out
