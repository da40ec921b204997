"""A comparison as tables and as a page: each distance beside its ceiling and its nulls."""

import math

import numpy as np

from drumhead.neuro.ceiling import Distance
from drumhead.neuro.compare import Comparison
from drumhead.show.pages import Block, Grid, Heading, Items, Picture, Text

SHORT = {
    "zero_lag": "zero lag", "channel_shuffle": "shuffled", "value": "model", "ceiling": "halves", "reversed": "backward"
}  # fmt: skip
MEASURES_PNG, WINDOWS_PNG = "measures.png", "windows.png"


def measures(found: Comparison) -> Grid:
    """Return a table of all distances, the farthest first."""
    nulls = list(found.together.nulls)
    rows = [_row(one, nulls) for one in sorted(found.measures, key=lambda one: -np.nan_to_num(one.times))]
    others = (_number(found.together.nulls[null]) for null in nulls)
    all_of_it = (_number(found.together.times), _score(found.together.score))
    rows.append(("all, times halves", "", "1", *others, *all_of_it))
    columns = ("distance", "model", "halves", *(SHORT.get(null, null) for null in nulls), "times", "score")
    return Grid(columns, rows, "distances from the recording: of the model, of its halves and of its surrogates")


def dynamics(found: Comparison) -> Grid | None:
    """Return a table of the distances of dynamics, or nothing where there are none."""
    if not found.dynamics:
        return None
    columns = list(next(iter(found.dynamics.values())))
    rows = [(name, *(_number(one.get(column, math.nan)) for column in columns)) for name, one in found.dynamics.items()]
    named = [SHORT.get(column, column) for column in columns]
    return Grid(("dynamics", *named), rows, "distances of dynamics from half of the recording")


def operators(found: Comparison) -> Grid | None:
    """Return a table of the medium's parameters, or nothing where they were not fitted."""
    if not found.operators:
        return None
    rows = [(one.report()["name"], _three(one.model), _three(one.recording), _number(one.apart))
            for one in found.operators]  # fmt: skip
    return Grid(("medium", "model", "recording", "deviations apart"), rows, "fit of the medium (95 % interval)")


def page(found: Comparison, title: str) -> list[Block]:
    """Return the whole comparison as blocks."""
    grids = [grid for grid in (measures(found), dynamics(found), operators(found)) if grid is not None]
    return [
        Heading(title, 1), Text(found.verdict), *grids,
        Picture(MEASURES_PNG, "Times as far from the recording as its halves: the model with its 95 % interval, and "
                "surrogates. Left of the line nothing can be seen."),
        Picture(WINDOWS_PNG, "Windows of model, recording and surrogates, in SI units and degrees: the distributions "
                "that are compared."),
        *([Items(found.notes)] if found.notes else []),
        Text("`docs/guide/compare.md` has the equations and says how to read this."),
    ]  # fmt: skip


def _row(one: Distance, nulls: list[str]) -> tuple[str, ...]:
    return (one.measure.name, _number(one.value), _number(one.ceiling),
            *(_number(one.nulls[null]) for null in nulls), _number(one.times), _score(one.score))  # fmt: skip


def _three(values: tuple[float, float, float]) -> str:
    value, low, high = map(_number, values)
    return f"{value} ({low}-{high})"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"


def _score(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"
