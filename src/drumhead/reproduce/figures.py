"""Figures: experiments that measure networks which exist already. A new one is one more entry. Imports no torch."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """An experiment without training.

    Attributes:
        name: what `drumhead reproduce` calls it.
        title: one line.
        cost: roughly how long it takes.
        home: "module:function"; the function takes (models, out, runs, say).
    """

    name: str
    title: str
    cost: str
    home: str

    def make(self, models: Sequence[str], out: Path, runs: Path, say: Callable[[str], None]) -> None:
        """Measure and write the figure.

        Args:
            models: presets (at their initial weights), shipped names, run directories or files; without any, the
                figure's own.
            out: directory of the report.
            runs: where run directories are looked for when no model is named.
            say: gets a line now and then.
        """
        module, function = self.home.split(":")
        getattr(importlib.import_module(module), function)(models, out, runs=runs, say=say)


FIGURES = {
    figure.name: figure
    for figure in (
        Figure(
            "receptive-field",
            "How far from a pixel the image still matters: effective receptive fields over time, and light cones",
            "half a minute a model on one core",
            "drumhead.probe.figure:receptive_field",
        ),
    )
}
