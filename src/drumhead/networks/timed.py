"""What networks with a time loop share: a series of states, what is heard of it, and how far it can carry."""

from torch import Tensor

from drumhead.errors import DrumheadError
from drumhead.networks.reach import Interval, convolved
from drumhead.networks.readouts import Head, TimeReadout
from drumhead.networks.segmenter import Segmenter
from drumhead.physics.records import All, Record


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

    def record(self, images: Tensor, record: Record, steps: int | None = None) -> Tensor:
        """Return what a record keeps of the series, T states or another number of them."""
        raise NotImplementedError

    def begin(self, images: Tensor) -> Tensor:
        """Return the state that the image sets before the first step, (b, c, y, x)."""
        raise NotImplementedError

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the start and the medium of these rows of cells depend on."""
        raise NotImplementedError

    def waves(self, images: Tensor, steps: int | None = None, layer: int = -1) -> Tensor:
        """Return the series of states, (b, t, c, y, x), one a step from t = 1.

        Args:
            images: (b, k, y, x) in [0, 1].
            steps: how long to listen; the network's own T by default. More steps show the same medium for longer.
            layer: of a stack; the last by default. These networks have one.
        """
        if layer not in (-1, 0):
            raise DrumheadError(f"layer={layer}: this network has one layer, which is 0 or -1")
        return self.record(images, All(), steps)

    def heard(self, images: Tensor, *records: Record) -> tuple[Tensor, ...]:
        """Return the logits (b, classes, y, x), and after them what each record keeps of the same series.

        Example:
            >>> model = dh.load("tetrominoes")
            >>> logits, waves = model.heard(torch.rand(1, 3, 64, 64), dh.All())
            >>> waves.shape
            torch.Size([1, 20, 8, 32, 32])
        """
        # Once a propagation takes several records, this is one: those of `forward` and these.
        return self(images), *(self.record(images, record) for record in records)

    @property
    def time_map(self) -> Tensor | None:
        """The learned map (k, t) of a linear readout; None for the others."""
        return getattr(self.readout, "time_map", None)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on after `steps` >= 0 steps, the light cone's bound."""
        steps = self.steps if steps is None else steps
        if steps < 0:
            raise DrumheadError(f"steps={steps}: 0 or more are needed")
        cell = pixel // self.stride
        return self.seen(convolved((cell, cell), steps * self.per_step))
