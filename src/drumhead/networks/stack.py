"""A stack: a strided stem, layers of waves on a coarse grid, and a head that sees the image's own size again.

fine = relu(norm(conv(image)));  x = strided convolutions of fine
x <- layer(x), for each layer of waves
logits = head([fine, x at full size])

In rounds (`rounds.py`) the same layers run again and again, each beside what the stem gave.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.modules import convolutions
from drumhead.engine.pixelwise import lifted
from drumhead.errors import DrumheadError, at_least
from drumhead.networks.anytime import checked
from drumhead.networks.chain import Chain
from drumhead.networks.controls import Control, make_control
from drumhead.networks.layers import Closed, Start, Stepped, WaveLayer, make_layer
from drumhead.networks.reach import Interval, convolved
from drumhead.networks.readouts import TimeReadout
from drumhead.networks.rounds import Shown, covered, seen, shown
from drumhead.networks.segmenter import Segmenter, answer, normalised, pixelwise
from drumhead.networks.timed import Timed
from drumhead.physics.medium import Medium
from drumhead.physics.records import Record, at_pixels
from drumhead.settings import config as settings


class Frame(Segmenter):
    """The frame of a stack, with any layers between stem and head; those without waves are the controls.

    Args:
        config: all sizes and choices; `drumhead.build` takes a preset's name as well.

    Example:
        >>> dh.build(dh.Stack(waves=(dh.Bottleneck(kernel_size=7),) * 3))(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 6, 32, 32])
    """

    config: settings.Stack

    def __init__(self, config: settings.Stack):
        super().__init__(config)
        grid = min(layer.stride for layer in config.waves)
        halvings = int(math.log2(grid))
        self.grid, self.halvings, self.coarsest = grid, halvings, max(layer.stride for layer in config.waves)
        self.fine = _normal(config.image_channels, config.fine)
        widths = [*(min(config.fine * 2**i, config.width) for i in range(halvings or 1)), config.width]
        self.stem = nn.Sequential(*(_normal(inner, outer, min(grid, 2)) for inner, outer in pairwise(widths)))
        again = config.rounds > 1
        self.layers = nn.ModuleList(_make(layer, config.width, layer.stride // grid, again) for layer in config.waves)
        self.varies = config.fewest < config.rounds or config.late > 0
        self.up = nn.Conv2d(config.width, config.fine * grid**2, 1)
        self.head = nn.Sequential(*pixelwise(2 * config.fine, config.head, config.classes))

    def forward(self, images: Tensor, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]; any height and width."""
        self.check(images, at)
        fine, x, shown = self.entered(images)
        return self.logits(fine, self.through(x, shown, self.drawn()), at)

    @property
    def path(self) -> list[nn.Module]:
        """The layers in the order in which they run: the same ones in each round."""
        return [*self.layers] * self.config.rounds

    def drawn(self) -> int:
        """Return how many layers to run now: all of `path`, in training those of a random number of rounds."""
        rounds = self.config.rounds
        if self.training and self.varies:
            rounds = int(torch.randint(self.config.fewest, rounds + 1, ()))
        return rounds * len(self.layers)

    def below(self, images: Tensor, layer: int) -> tuple[Tensor, Tensor, Shown | None]:
        """Return the features at full size, those that a layer of `path` is given, and what it sees of the stem's."""
        fine, x, shown = self.entered(images)
        return fine, self.through(x, shown, layer, 1), shown[layer % len(shown)]

    def entered(self, images: Tensor) -> tuple[Tensor, Tensor, list[Shown | None]]:
        """Return the features at full size, what the first layer is given, and what all `layers` see of the stem's."""
        fine = self.fine(images)
        first = self.stem(fine)
        return fine, self._late(images) if self._delays() else self.begun(first), self.shown(first)

    def begun(self, first: Tensor) -> Tensor:
        """Return what the first layer is given, if the stem gave this: itself, or in rounds nothing yet."""
        return torch.zeros_like(first) if self.config.rounds > 1 else first

    def shown(self, first: Tensor) -> list[Shown | None]:
        """Return what each of `layers` sees of the stem's features in every round."""
        return [shown(layer, first) for layer in self.layers]

    def through(self, x: Tensor, shown: Sequence[Shown | None], layers: int, more: int = 0) -> Tensor:
        """Return what so many layers of `path` leave of what the first is given, if so many more are to come."""
        free = self._untaught(layers + more)
        for number, layer in enumerate(self.path[:layers]):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number >= free):
                x = layer(x, shown[number % len(shown)])
        return x

    def _delays(self) -> bool:
        """Say whether a part of these images comes late: in training, in a share of the batches."""
        return self.training and self.config.late > 0 and float(torch.rand(())) < self.config.late

    @torch.no_grad()
    def _late(self, images: Tensor) -> Tensor:
        """Return what a random number of rounds leave that see a part of the images, and teach nothing."""
        layers = self.drawn()
        with self.evaluating():
            _, x, shown = self.entered(covered(images))
            return self.through(x, shown, layers)

    def _untaught(self, layers: int) -> int:
        """Return how many of so many layers no gradient goes back through: not those of the last `taught` rounds."""
        taught, each = self.config.taught, len(self.layers)
        return (-(-layers // each) - taught) * each if self.training and taught else 0

    def logits(self, fine: Tensor, x: Tensor, at: Tensor | None) -> Tensor:
        """Return what the head makes of both features, at all pixels or these."""
        if at is None:
            return lifted(fine, x, self.up, self.grid, self.head)
        x = F.pixel_shuffle(self.up(x), self.grid)[..., : fine.shape[-2], : fine.shape[-1]]
        if convolutions(self.head):
            fine, x, at = at_pixels(fine, at), at_pixels(x, at), None
        return answer(self.head, torch.cat([fine, x], dim=1), at)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on."""
        row = pixel // self.grid
        return self._under((row, row), len(self.path))

    def _under(self, rows: Interval, layers: int) -> Interval:
        """Walk from rows of the features down through so many layers and the stem to the image."""
        for layer in reversed(self.path[:layers]):
            assert isinstance(layer, WaveLayer | Control)
            rows = _carried(layer, rows)
        for _ in range(self.halvings or 1):
            rows = convolved(rows, 1, 2 if self.halvings else 1)
        return convolved(rows, 1)


class WaveStack(Timed, Frame):
    """Layers of waves, each reading its medium from what the layer below heard; layers without waves may be below.

    Args:
        config: all sizes and choices; `drumhead.build` takes a preset's name as well.

    Example:
        >>> model = dh.build("mnist/nwm-stack")
        >>> model.waves(torch.rand(1, 1, 56, 56), layer=0).shape
        torch.Size([1, 12, 16, 14, 14])
    """

    def __init__(self, config: settings.Stack):
        super().__init__(config)
        last = self.at_layer(-1)
        self.steps, self.dt, self.channels, self.stride = (
            last.steps,
            last.dt,
            last.layer.channels,
            self.grid * last.coarser,
        )
        self.per_step = last.per_step

    def _waves(self) -> list[Stepped | Closed]:
        return [layer for layer in self.layers if isinstance(layer, Stepped | Closed)]

    @property
    def sounding(self) -> list[int]:
        """The layers that have waves, the first one nearest to the image."""
        return [number for number, layer in enumerate(self.path) if isinstance(layer, Stepped | Closed)]

    def at_layer(self, layer: int) -> Stepped | Closed:
        """Return a layer of waves, 0 nearest to the image; those of the second round come after those of the first."""
        path = self.path
        if type(layer) is not int or not -len(path) <= layer < len(path):
            counted = f", those of {self.config.rounds} rounds one after another" * (self.config.rounds > 1)
            raise DrumheadError(
                f"layer={layer!r}: this network has the layers 0 to {len(path) - 1}{counted}, or -1, ..."
            )
        found = path[layer]
        if not isinstance(found, Stepped | Closed):
            raise DrumheadError(f"layer={layer}: this layer has no waves, it is a control")
        return found

    def medium(self, images: Tensor, layer: int = -1) -> Medium:
        """Return omega, alpha and y0 that a stepped layer reads from what the layers below it heard.

        Args:
            images: (b, k, y, x) in [0, 1].
            layer: 0 nearest to the image; the last by default.

        Returns:
            Each (b, c, y, x) on the layer's grid, or with sides of 1 where it is the same everywhere.

        Example:
            >>> dh.build("tetrominoes/nwm-stack").medium(torch.rand(1, 3, 64, 64), layer=0).omega.shape
            torch.Size([1, 16, 16, 16])
        """
        with self.evaluating():
            self.check(images)
            found = self.encode(images, layer)[0].medium
        if found is None:
            raise DrumheadError(
                f"layer={layer}: this layer is in closed form, whose medium is the same for all images: its weights"
            )
        return found

    def encode(self, images: Tensor, layer: int = -1) -> tuple[Start, tuple[Tensor, Tensor]]:
        """Return what starts the waves of a layer, and the features at full size and at the grid's."""
        one = self.at_layer(layer)
        fine, x, shown = self.below(images, self.drawn() - 1 if layer == -1 else layer % len(self.path))
        look, onto = seen(one, x, shown)
        return one.start(look), (fine, onto)

    def begin(self, images: Tensor) -> Tensor:
        """Return the initial displacement of the last layer, (b, c, y, x)."""
        return self.encode(images)[0].y0

    def run(self, start: Start, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves of the last layer."""
        return self.at_layer(-1).run(start, record, steps)

    def heard(
        self, images: Tensor, *records: Record, at: Tensor | None = None, steps: int | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits (b, classes, y, x), and after them what each record keeps of the last layer's series."""
        if not records and steps is None and not self._parted():  # the last layer runs as those below it do
            self.check(images, at)
            layers = self.drawn()
            fine, x, shown = self.entered(images)
            return (self.logits(fine, self.through(x, shown, layers), at),)
        last = self.at_layer(-1)
        if isinstance(last, Stepped):
            return super().heard(images, *records, at=at, steps=steps)
        self.check(images, at)
        start, features = self.encode(images)
        steps = self.steps if steps is None else checked(self, (steps,))[0]
        others = [last.run(start, record, steps) for record in records]
        return self.finish(last.heard(start), features, images.shape[-2:], at), *others

    def _parted(self) -> bool:
        """Say whether somebody replaced what runs the last layer in parts, and so shall be asked."""
        own = {"encode", "begin", "run", "finish"}
        return type(self) is not WaveStack or not own.isdisjoint(self.__dict__)

    def finish(self, kept: Tensor, features: Any, size: torch.Size, at: Tensor | None = None) -> Tensor:
        """Return the logits, given what was heard of the last layer and the features at full size and at the grid's."""
        fine, x = features
        return self.logits(fine, self.at_layer(-1).add(x, kept), at)

    def advance(self, start: Start, record: Record, steps: int) -> tuple[Any, Start]:
        """Return what a record keeps of the next states of the last layer, and the start of those that follow."""
        last = self.at_layer(-1)
        assert isinstance(last, Stepped)  # a closed form has no answer before its end
        return last.advance(start, record, steps)

    @property
    def readout(self) -> TimeReadout | None:  # type: ignore[override]
        """The summary over time of the last layer; None in closed form."""
        return getattr(self.at_layer(-1), "readout", None)

    def answers(self, steps: int) -> bool:
        """Say whether it can answer after so many steps of the last layer: in closed form, only after its own."""
        return steps == self.steps or (self.readout is not None and 1 <= steps < self.steps)

    @property
    def time_map(self) -> Tensor | None:
        """The learned map (k, t) of the last layer; None in closed form."""
        return self.readout and self.readout.time_map

    def cut(self) -> Self:
        """Return the same network with a coupling of zero in all layers: no wave leaves its oscillator."""
        alone = deepcopy(self)
        coupled = [layer for layer in alone._waves() if isinstance(layer, Closed) or hasattr(layer, "kernel")]
        if not coupled:
            return super().cut()
        for layer in coupled:
            if isinstance(layer, Closed):
                layer.speed.data.fill_(-math.inf)
            else:
                layer.kernel.data.zero_()
        return alone

    def courant(self, images: Tensor) -> float | None:
        """Return the largest dt over the largest stable dt of all stepped layers; None if there is none."""
        found = []
        with torch.no_grad(), self.evaluating():
            self.check(images)
            _, x, shown = self.entered(images)
            for number, layer in enumerate(self.path):
                own = shown[number % len(shown)]
                if isinstance(layer, Stepped):
                    found.append(layer.courant(layer.start(seen(layer, x, own)[0])))
                x = layer(x, own)
        return float(torch.tensor(found).max()) if found else None  # NaN before all

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on, when the last layer has run for `steps` >= 0 steps."""
        steps = self.steps if steps is None else steps
        at_least(0, steps, "steps=")
        row = pixel // self.grid
        return self._under(_carried(self.at_layer(-1), (row, row), steps), len(self.path) - 1)

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the start of these rows of the last layer depends on."""
        return self._under(_spread(rows, self.at_layer(-1).coarser), len(self.path) - 1)


def _make(layer: Any, width: int, coarser: int, again: bool) -> WaveLayer | Control:
    waves = isinstance(layer, settings.Layer | settings.Modes)
    return (make_layer if waves else make_control)(layer, width, coarser, again)


def _carried(layer: WaveLayer | Control, rows: Interval, steps: int | None = None) -> Interval:
    """Return the rows of the features below a layer that these above it depend on."""
    if layer.coarser > 1:  # interpolated between two
        rows = rows[0] // layer.coarser - 1, rows[1] // layer.coarser + 1
    far = layer.sees if isinstance(layer, Control) else layer.per_step * (layer.steps if steps is None else steps)
    return _spread(convolved(rows, far), layer.coarser)


def _spread(rows: Interval, coarser: int) -> Interval:
    return rows[0] * coarser, rows[1] * coarser + coarser - 1


def _normal(inner: int, outer: int, stride: int = 1) -> Chain:
    return Chain(*normalised(inner, outer, stride), nn.ReLU())


def make_stack(config: settings.Stack) -> Frame:
    """Return the network of a config: with a time loop if any layer has waves."""
    waves = any(isinstance(layer, settings.Layer | settings.Modes) for layer in config.waves)
    return WaveStack(config) if waves else Frame(config)
