"""The Neural Wave Machine: encoder -> medium -> propagate -> readout -> logits."""

import math
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from drumhead.engine.run import reduced
from drumhead.networks.encoders import Medium, SeparateEncoders, Stem
from drumhead.networks.reach import Interval
from drumhead.networks.readouts import Head, TimeReadout
from drumhead.networks.timed import Timed
from drumhead.physics import stability
from drumhead.physics.propagate import propagate
from drumhead.physics.records import Record
from drumhead.settings.config import NWM, Waves

KERNEL_SHARE = 0.8  # of the stiffness that dt allows in a bounded medium; omega has the rest


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
        self.per_step = 0 if layer.coupling == "none" else layer.kernel_size // 2
        self.kernel_budget, omega_largest = _budget(layer) if layer.courant else (math.inf, None)
        if config.encoder == "separate":
            self.encoder: SeparateEncoders | Stem = SeparateEncoders(config)
        else:
            self.encoder = Stem(config, omega_largest)
        if layer.coupling != "none":
            dense = layer.coupling == "dense"
            laplacian = stability.laplacian(layer.channels, size=layer.kernel_size, dense=dense)
            self.kernel = nn.Parameter(laplacian, requires_grad=not layer.frozen)
        self.readout = TimeReadout(config, layer.steps)
        inner = layer.channels * self.readout.features + (config.width if config.skip else 0)
        self.head = Head(config, inner, layer.stride, config.norm)

    def medium(self, images: Tensor) -> Medium:
        """Return omega, alpha and y0, each (b, c, y, x), that the images set."""
        self.check(images)
        with self.evaluating():
            return self.encoder(images)[0]

    def encode(self, images: Tensor) -> tuple[Medium, Tensor | None]:
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
        if self.kernel_budget == math.inf:
            return self.kernel
        # Sums of |w| bound the stiffness (Gershgorin) and, unlike the exact value, cost nothing. Depthwise, each
        # channel has its own; dense, the Hermitian part mixes rows and columns.
        size = self.kernel.abs().sum((2, 3))
        size = size if self.layer.coupling == "depthwise" else ((size.sum(0) + size.sum(1)) / 2).max().view(1, 1)
        return self.kernel * (self.kernel_budget / size.clamp(min=self.kernel_budget))[:, :, None, None]

    def run(self, start: Medium, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves."""
        layer = self.layer
        kernel, rounded = self.coupling(), reduced(start.y0.device)
        with torch.autocast(kernel.device.type, enabled=False):  # errors of bfloat16 would add up over the steps
            omega, alpha, y0 = (field.to(kernel.dtype) for field in start)
            return propagate(
                y0,
                omega,
                alpha,
                kernel,
                steps=steps,
                dt=layer.dt,
                nonlinearity=layer.nonlinearity,
                boundary=layer.boundary,
                integrator=layer.integrator,
                record=record,
                precision="bfloat16" if rounded else "float32",
                check_stability=False,  # reading values stalls a GPU; training reports `courant` instead
            )


def _budget(layer: Waves) -> tuple[float, float]:
    """Split the stiffness that dt allows between the kernel and omega, the same with and without coupling."""
    total = (2 * layer.courant / layer.dt) ** 2
    return KERNEL_SHARE * total, (1 - KERNEL_SHARE) * total
