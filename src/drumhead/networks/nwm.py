"""The Neural Wave Machine: encoder -> medium -> propagate -> readout -> logits."""

from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor

from drumhead.networks.encoders import SeparateEncoders, Stem
from drumhead.networks.media import bounded, carry, laplacian, largest_omega
from drumhead.networks.reach import Interval
from drumhead.networks.readouts import Head, TimeReadout
from drumhead.networks.timed import Timed
from drumhead.physics import stability
from drumhead.physics.medium import Medium
from drumhead.physics.records import Record
from drumhead.settings.config import NWM


class NeuralWaveMachine(Timed):
    """Segments an image by letting waves run through a medium that the image sets.

    omega, alpha, y0 = encoder(image);  y_1 .. y_T = propagate(...);  logits(pixel) = head(readout(y_1 .. y_T)).

    Args:
        config: all sizes and choices; `drumhead.build` takes a preset's name as well.

    Example:
        >>> model = dh.build("tetrominoes/nwm-fast")
        >>> model(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 6, 64, 64])
    """

    config: NWM

    def __init__(self, config: NWM):
        super().__init__(config)
        (layer,) = config.waves
        self.layer, self.steps, self.dt, self.channels, self.stride = (
            layer, layer.steps, layer.dt, layer.channels, layer.stride,
        )  # fmt: skip
        self.coarsest = layer.stride
        self.per_step = 0 if layer.coupling == "none" else layer.kernel_size // 2
        if config.encoder == "separate":
            self.encoder: SeparateEncoders | Stem = SeparateEncoders(config)
        else:
            self.encoder = Stem(config, largest_omega(layer))
        if layer.coupling != "none":
            self.kernel = laplacian(layer)
        self.readout = TimeReadout(config.readout, config.bins, layer.steps)
        inner = layer.channels * self.readout.features + (config.width if config.skip else 0)
        self.head = Head(config, inner, layer.stride, config.norm)

    def medium(self, images: Tensor, layer: int = -1) -> Medium:
        """Return omega, alpha and y0, each (b, c, y, x), that the images set; there is one layer."""
        with self.evaluating():
            self.at_layer(layer)
            self.check(images)
            return self.encoder(images)[0]

    def encode(self, images: Tensor, layer: int = -1) -> tuple[Medium, Tensor | None]:
        """Return the medium, and the stem's features where the head sees them."""
        medium, features = self.encoder(images)
        return medium, features if self.config.skip else None

    def begin(self, images: Tensor) -> Tensor:
        """Return the initial displacement, (b, c, y, x)."""
        return self.medium(images).y0

    def cut(self) -> Self:
        """Return the same network with a coupling of zero: no wave leaves its pixel."""
        if self.layer.coupling == "none":
            return super().cut()
        alone = deepcopy(self)
        alone.kernel.data.zero_()
        return alone

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the encoder sees."""
        return self.encoder.seen(rows)

    @torch.no_grad()
    def courant(self, images: Tensor) -> float:
        """Return dt over the largest stable dt of the medium that the images set; above 1 it is unstable."""
        omega, alpha, _ = self.medium(images)
        limit = stability.stable_dt(self.coupling(), omega, alpha, integrator=self.layer.integrator)
        return self.dt / limit

    def coupling(self) -> Tensor:
        """Return the coupling kernel as the waves see it: bounded if the config says so."""
        if self.layer.coupling == "none":
            return next(self.parameters()).new_zeros(self.channels, 1, 1, 1)
        return bounded(self.layer, self.kernel)

    def run(self, start: Medium, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves."""
        return carry(self.layer, self.coupling(), start, None, record, steps)

    def advance(self, start: Medium, record: Record, steps: int) -> tuple[Any, Medium]:
        """Return what a record keeps of the next states, and the medium with the state that they leave behind."""
        kept, state = carry(self.layer, self.coupling(), start, None, record, steps, return_state=True)
        return kept, start._replace(y0=state)
