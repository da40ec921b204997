"""What networks with a time loop share: a series of states, what is heard of it, and how far it can carry."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, at_least, whole
from drumhead.networks import anytime
from drumhead.networks.reach import Interval, convolved
from drumhead.networks.readouts import Head, TimeReadout, alone, composed
from drumhead.networks.segmenter import Segmenter
from drumhead.physics.records import All, At, Record, Several


class Timed(Segmenter):
    """A network that runs for T steps and answers from what each pixel heard; subclasses define the methods below.

    Attributes:
        steps: T.
        channels: numbers of a state at each place of its grid.
        dt: model time between two states.
        stride: pixels per place of that grid in each direction.
        per_step: places of that grid that a step can carry anything.
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
        """Return the rows of the image that the start and the medium of these rows of its grid depend on."""
        raise NotImplementedError

    def forward(self, images: Tensor, at: Tensor | None = None, steps: int | None = None) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]; any height and width."""
        return self.heard(images, at=at, steps=steps)[0]

    def heard(
        self, images: Tensor, *records: Record, at: Tensor | None = None, steps: int | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits (b, classes, y, x), and after them what each record keeps of the same series.

        Args:
            images: (b, k, y, x) in [0, 1].
            records: what else to keep of the series.
            at: answer only at these flat pixels (b, n).
            steps: answer after so many; the network's own T by default.

        Example:
            >>> model = dh.load("tetrominoes-fast")
            >>> logits, waves = model.heard(torch.rand(1, 3, 64, 64), dh.All())
            >>> waves.shape
            torch.Size([1, 20, 8, 32, 32])
        """
        self.check(images, at)
        start, features = self.encode(images)
        steps = self.steps if steps is None else anytime.checked(self, (steps,))[0]
        one = composed(self.readout, self.head) if features is None and steps == self.steps else None
        record = one or self.readout.record(0, steps)
        if at is not None and features is None and alone(self.readout, self.head):  # features are of all pixels
            record, at = At(record, at), None
        kept = self.run(start, Several((record, *records)) if records else record, steps)
        kept, *others = kept if records else (kept,)
        size = images.shape[-2:]
        if one:
            return self.head.rest(kept, size, at), *others
        return self.finish(kept, features, size, at), *others

    def finish(self, kept: Any, features: Any, size: torch.Size, at: Tensor | None = None) -> Tensor:
        """Return the logits, given what was heard of the waves and the features that `encode` gave."""
        kept = self.readout(kept)
        if features is not None:
            kept = torch.cat([kept, features], dim=1)
        return self.head(kept, size, at)

    def advance(self, start: Any, record: Record, steps: int) -> tuple[Any, Any]:
        """Return what a record keeps of the next states, and the start of those that follow."""
        raise NotImplementedError

    def time_course(self, images: Tensor, steps: Iterable[int]) -> Tensor:
        """Return the logits after each of these numbers of steps, from one run of the waves, in evaluation mode.

        Args:
            images: (b, k, y, x) in [0, 1].
            steps: numbers of steps, 1 to the network's own T; of a stack, of its last layer. A spectrum has only T.

        Returns:
            (n, b, classes, y, x), in rising order of steps.

        Example:
            >>> model = dh.load("tetrominoes-fast")
            >>> model.time_course(torch.rand(1, 3, 64, 64), steps=(5, 10, 20)).shape
            torch.Size([3, 1, 6, 64, 64])
        """
        with self.evaluating():
            self.check(images)
            return anytime.time_course(self, images, steps)

    def early(self, images: Tensor, confidence: float = 0.95, steps: Iterable[int] = ()) -> anytime.Early:
        """Return labels, stopping with each image as soon as the network is sure of it, in evaluation mode.

        Args:
            images: (b, k, y, x) in [0, 1].
            confidence: of an image, the mean largest probability of the pixels that it calls no background; 0 to 1.
            steps: when to look, before the last step; by default at each quarter of T.

        Returns:
            Labels (b, y, x), the steps that each image took (b,), its confidence then (b,).

        Example:
            >>> model = dh.load("tetrominoes-fast")
            >>> labels, steps, confidence = model.early(torch.rand(2, 3, 64, 64), confidence=0.9)
            >>> labels.shape, steps.shape
            (torch.Size([2, 64, 64]), torch.Size([2]))
        """
        quarters = {max(1, self.steps * part // 4) for part in (1, 2, 3)}
        looks = anytime.several(steps) or [step for step in quarters if self.answers(step)]
        with self.evaluating():
            self.check(images)
            return anytime.early(self, images, confidence, looks)

    def waves(self, images: Tensor, steps: int | None = None, layer: int = -1) -> Tensor:
        """Return the series of states, (b, t, c, y, x), one a step from t = 1.

        Args:
            images: (b, k, y, x) in [0, 1].
            steps: how long to listen; the network's own T by default. More steps show the same medium for longer.
            layer: of a stack, 0 nearest to the image; the last by default. The others have one.
        """
        one = self.at_layer(layer)
        length: int = one.steps if steps is None else whole("steps", steps, 1)
        with self.evaluating():  # looking does not move the statistics of a normalisation
            self.check(images)
            return one.run(self.encode(images, layer)[0], All(), length)

    @property
    def sounding(self) -> list[int]:
        """The layers that have waves, the first one nearest to the image."""
        return [0]

    def at_layer(self, layer: int) -> Any:
        """Return what runs a layer, with its `steps` and `run`: the network itself where there is one."""
        if layer not in (-1, 0):
            raise DrumheadError(f"layer={layer}: this network has one layer, which is 0 or -1")
        return self

    def answers(self, steps: int) -> bool:
        """Say whether it can answer after so many steps: a time map has a column for each, a spectrum just its own."""
        return steps == self.steps or (1 <= steps < self.steps and self.readout.kind != "fft")

    @property
    def time_map(self) -> Tensor | None:
        """The learned map (k, t) of a linear readout; None for the others."""
        return getattr(self.readout, "time_map", None)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on after `steps` >= 0 steps, the light cone's bound."""
        steps = self.steps if steps is None else steps
        at_least(0, steps, "steps=")
        row = pixel // self.stride
        return self.seen(convolved((row, row), steps * self.per_step))
