"""A stack: a strided stem, layers of waves on a coarse grid, and a head that sees the image's own size again.

fine = relu(norm(conv(image)));  x = strided convolutions of fine
x <- layer(x), for each layer of waves
logits = head([fine, x at full size])
"""

import math
from copy import deepcopy
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.run import convolutions, lifted
from drumhead.errors import DrumheadError, at_least
from drumhead.networks.chain import Chain
from drumhead.networks.layers import Closed, Start, Stepped, WaveLayer, make_layer
from drumhead.networks.reach import Interval, convolved
from drumhead.networks.segmenter import answer, normalised, pixelwise
from drumhead.networks.timed import Timed
from drumhead.physics.records import Record, Several, at_pixels
from drumhead.settings import config as settings


class WaveStack(Timed):
    """Layers of waves, each reading its medium from what the layer below heard.

    Args:
        config: all sizes and choices; `drumhead.build` takes a preset's name as well.

    Example:
        >>> model = dh.build("mnist/nwm-stack")
        >>> model.waves(torch.rand(1, 1, 56, 56), layer=0).shape
        torch.Size([1, 12, 16, 14, 14])
    """

    config: settings.Stack

    def __init__(self, config: settings.Stack):
        super().__init__(config)
        grid = min(layer.stride for layer in config.waves)
        halvings = int(math.log2(grid))
        self.grid, self.halvings = grid, halvings
        self.fine = _normal(config.image_channels, config.fine)
        widths = [*(min(config.fine * 2**i, config.width) for i in range(halvings or 1)), config.width]
        self.stem = nn.Sequential(*(_normal(inner, outer, min(grid, 2)) for inner, outer in pairwise(widths)))
        self.layers = nn.ModuleList(make_layer(layer, config.width, layer.stride // grid) for layer in config.waves)
        self.up = nn.Conv2d(config.width, config.fine * grid**2, 1)
        self.head = nn.Sequential(*pixelwise(2 * config.fine, config.head, config.classes))  # type: ignore[assignment]
        last = self.at_layer(-1)
        self.steps, self.dt, self.channels, self.stride = last.steps, last.dt, last.layer.channels, grid * last.coarser
        self.per_step = last.per_step

    def _each(self) -> list[Stepped | Closed]:
        return [layer for layer in self.layers if isinstance(layer, Stepped | Closed)]

    def at_layer(self, layer: int) -> Stepped | Closed:
        """Return a layer, 0 nearest to the image."""
        if not -len(self.layers) <= layer < len(self.layers):
            raise DrumheadError(f"layer={layer}: this network has the layers 0 to {len(self.layers) - 1}, or -1, ...")
        return self._each()[layer]

    def encode(self, images: Tensor, layer: int = -1) -> tuple[Start, tuple[Tensor, Tensor]]:
        """Return what starts the waves of a layer, and the features at full size and at the grid's."""
        last = self.at_layer(layer)
        fine = self.fine(images)
        x = self.stem(fine)
        for below in self._each()[: layer % len(self.layers)]:
            x = below(x)
        return last.start(x), (fine, x)

    def begin(self, images: Tensor) -> Tensor:
        """Return the initial displacement of the last layer, (b, c, y, x)."""
        return self.encode(images)[0].y0

    def run(self, start: Start, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves of the last layer."""
        return self.at_layer(-1).run(start, record, steps)

    def heard(self, images: Tensor, *records: Record, at: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the logits (b, classes, y, x), and after them what each record keeps of the last layer's series."""
        self.check(images)
        last, (start, (fine, x)) = self.at_layer(-1), self.encode(images)
        if records and isinstance(last, Stepped):
            kept, *others = last.run(start, Several((last.readout.record(), *records)), last.steps)
        else:
            kept, others = last.heard(start), [last.run(start, record, last.steps) for record in records]
        x = last.add(x, kept)
        if at is None:
            return lifted(fine, x, self.up, self.grid, self.head), *others
        x = F.pixel_shuffle(self.up(x), self.grid)[..., : images.shape[-2], : images.shape[-1]]
        if convolutions(self.head):
            fine, x, at = at_pixels(fine, at), at_pixels(x, at), None
        return answer(self.head, torch.cat([fine, x], dim=1), at), *others

    def answers(self, steps: int) -> bool:
        """Say whether it can answer after so many steps of the last layer: after its own."""
        return steps == self.steps

    @property
    def time_map(self) -> Tensor | None:
        """The learned map (k, t) of the last layer; None in closed form."""
        last = self.at_layer(-1)
        return last.readout.time_map if isinstance(last, Stepped) else None

    def cut(self) -> Self:
        """Return the same network with a coupling of zero in all layers: no wave leaves its oscillator."""
        alone = deepcopy(self)
        coupled = [layer for layer in alone._each() if isinstance(layer, Closed) or hasattr(layer, "kernel")]
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
            x = self.stem(self.fine(images))
            for layer in self._each():
                start = layer.start(x)
                if isinstance(layer, Stepped):
                    found.append(layer.courant(start))
                x = layer.add(x, layer.heard(start))
        return max(found, default=None)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on, when the last layer has run for `steps` >= 0 steps."""
        steps = self.steps if steps is None else steps
        at_least(0, steps, "steps=")
        cell = pixel // self.grid
        return self._below(_through(self.at_layer(-1), (cell, cell), steps), len(self.layers) - 1)

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the start of these rows of the last layer depends on."""
        return self._below(_spread(rows, self.at_layer(-1).coarser), len(self.layers) - 1)

    def _below(self, rows: Interval, layers: int) -> Interval:
        """Walk from cells of the features down through so many layers and the stem to the image."""
        for layer in reversed(self._each()[:layers]):
            rows = _through(layer, rows, layer.steps)
        for _ in range(self.halvings or 1):
            rows = convolved(rows, 1, 2 if self.halvings else 1)
        return convolved(rows, 1)


def _through(layer: WaveLayer, rows: Interval, steps: int) -> Interval:
    """Return the cells of the features below a layer that these above it depend on."""
    if layer.coarser > 1:  # interpolated between two
        rows = rows[0] // layer.coarser - 1, rows[1] // layer.coarser + 1
    return _spread(convolved(rows, steps * layer.per_step), layer.coarser)


def _spread(rows: Interval, coarser: int) -> Interval:
    return rows[0] * coarser, rows[1] * coarser + coarser - 1


def _normal(inner: int, outer: int, stride: int = 1) -> Chain:
    return Chain(*normalised(inner, outer, stride), nn.ReLU())
