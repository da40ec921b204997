"""What networks with a time loop share: a series of states, what is heard of it, and how far it can carry."""

from typing import Any, Self

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, at_least
from drumhead.networks.listening import longer
from drumhead.networks.reach import Interval, convolved
from drumhead.networks.readouts import Head, TimeReadout, alone, composed
from drumhead.networks.segmenter import Segmenter
from drumhead.physics.records import All, At, Record, Several


class Timed(Segmenter):
    """A network that runs for T steps and answers from what each pixel heard; subclasses define the methods below.

    Attributes:
        steps: T.
        channels: numbers of a state at each of its cells.
        dt: model time between two states.
        stride: pixels per cell of a state in each direction.
        per_step: cells that a step can carry anything.
        readout: the summary of a series.
        head: from a summary to logits.
    """

    steps: int
    channels: int
    dt: float
    per_step: int
    readout: TimeReadout
    head: Head

    def encode(self, images: Tensor, layer: int = -1) -> tuple[Any, Any]:
        """Return what an image sets before a layer's first step, and features that go straight to the head."""
        raise NotImplementedError

    def begin(self, images: Tensor) -> Tensor:
        """Return the state before the first step, (b, c, y, x)."""
        raise NotImplementedError

    def run(self, start: Any, record: Record, steps: int) -> Any:
        """Return what a record keeps of the states that follow."""
        raise NotImplementedError

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the start and the medium of these rows of cells depend on."""
        raise NotImplementedError

    def forward(self, images: Tensor, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]; any height and width."""
        return self.heard(images, at=at)[0]

    def heard(self, images: Tensor, *records: Record, at: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the logits (b, classes, y, x), and after them what each record keeps of the same series.

        Example:
            >>> model = dh.load("tetrominoes")
            >>> logits, waves = model.heard(torch.rand(1, 3, 64, 64), dh.All())
            >>> waves.shape
            torch.Size([1, 20, 8, 32, 32])
        """
        self.check(images)
        start, features = self.encode(images)
        one = composed(self.readout, self.head) if features is None else None
        record = one or self.readout.record()
        if at is not None and features is None and alone(self.readout, self.head):  # features are of all pixels
            record, at = At(record, at), None
        kept = self.run(start, Several((record, *records)) if records else record, self.steps)
        kept, *others = kept if records else (kept,)
        size = images.shape[-2:]
        if one:
            return self.head.rest(kept, size, at), *others
        kept = self.readout(kept)
        if features is not None:
            kept = torch.cat([kept, features], dim=1)
        return self.head(kept, size, at), *others

    def waves(self, images: Tensor, steps: int | None = None, layer: int = -1) -> Tensor:
        """Return the series of states, (b, t, c, y, x), one a step from t = 1.

        Args:
            images: (b, k, y, x) in [0, 1].
            steps: how long to listen; the network's own T by default. More steps show the same medium for longer.
            layer: of a stack, 0 nearest to the image; the last by default. The others have one.
        """
        self.check(images)
        one = self.at_layer(layer)
        length: int = one.steps if steps is None else steps
        at_least(1, length, "steps=")
        with self.evaluating():  # looking does not move the statistics of a normalisation
            return one.run(self.encode(images, layer)[0], All(), length)

    def at_layer(self, layer: int) -> Any:
        """Return what runs a layer, with its `steps` and `run`: the network itself where there is one."""
        if layer not in (-1, 0):
            raise DrumheadError(f"layer={layer}: this network has one layer, which is 0 or -1")
        return self

    def answers(self, steps: int) -> bool:
        """Say whether it can answer after so many steps: a time map has a column for each, a spectrum just its own."""
        return steps == self.steps or (1 <= steps < self.steps and self.readout.kind != "fft")

    def listening(self, times: float, how: str = "last") -> Self:
        """Return a copy that listens for longer; see `Segmenter.listening`."""
        return longer(self, times, how)

    @property
    def time_map(self) -> Tensor | None:
        """The learned map (k, t) of a linear readout; None for the others."""
        return getattr(self.readout, "time_map", None)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on after `steps` >= 0 steps, the light cone's bound."""
        steps = self.steps if steps is None else steps
        at_least(0, steps, "steps=")
        cell = pixel // self.stride
        return self.seen(convolved((cell, cell), steps * self.per_step))
