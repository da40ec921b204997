"""From what a pixel heard to its label: a summary of the wave over time, then a pointwise network.

Both halves look at one pixel at a time: any context comes from the wave.
"""

import torch
from torch import Tensor, nn

from drumhead.engine.run import pointwise
from drumhead.networks.segmenter import at_pixels
from drumhead.physics.records import Fourier, Last, Max, Mean, Project, Record
from drumhead.settings.config import NWM, Recurrent


class TimeReadout(nn.Module):
    """The summary over time, as a record that `drumhead.propagate` computes while the waves run.

    linear: a learned map from T states to K numbers, shared by all channels and pixels (no bias);
    fft: the magnitudes of K frequency bins; last, mean, max: one number a channel. Features are ordered (k, c).
    """

    def __init__(self, config: NWM | Recurrent, steps: int):
        super().__init__()
        self.kind, self.bins, self.steps = config.readout, config.bins, steps
        self.features = (self.bins or steps // 2 + 1) if self.kind in ("linear", "fft") else 1
        """Numbers that it keeps of each channel (K)."""
        if self.kind == "linear":
            bound = steps**-0.5  # the default start of a linear layer with T inputs
            self.time_map = nn.Parameter(torch.empty(self.features, steps).uniform_(-bound, bound))

    def record(self) -> Record:
        """Return what `propagate` has to keep."""
        match self.kind:
            case "linear":
                return Project(self.time_map)
            case "fft":
                return Fourier(self.bins or None)
            case "last":
                return Last()
            case "mean":
                return Mean()
            case _:
                return Max()

    def forward(self, heard: Tensor) -> Tensor:
        """Flatten (b, k, c, y, x) to (b, k c, y, x); maps without k pass through."""
        return heard.flatten(1, 2) if heard.ndim == 5 else heard


class Head(nn.Module):
    """A pointwise network, features -> logits, ReLU between its layers.

    With stride 2 each oscillator answers for 2 x 2 pixels: the last layer gives four times as many channels
    and a pixel shuffle spreads them over the image.
    """

    def __init__(self, config: NWM | Recurrent, inner: int, stride: int = 1, norm: bool = False):
        super().__init__()
        self.stride = stride
        self.alone = stride == 1 and not norm
        """It looks at one pixel at a time, in training too, so the features of some pixels are enough for these."""
        self.norm = nn.BatchNorm2d(inner) if norm else nn.Identity()
        layers: list[nn.Module] = []
        for width in config.head:
            layers += [nn.Conv2d(inner, width, 1), nn.ReLU()]
            inner = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(inner, config.classes * self.stride**2, 1))

    def forward(self, features: Tensor, size: torch.Size, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) of the given image size, or those of the pixels `at`."""
        return self._answer(self.norm(features), list(self.layers), size, at)

    def rest(self, first: Tensor, size: torch.Size, at: Tensor | None = None) -> Tensor:
        """Return the logits, given what the first layer's weights make of the features."""
        bias = self.layers[0].get_parameter("bias")[:, None, None]
        return self._answer((first + bias).relu(), list(self.layers)[2:], size, at)

    def _answer(self, x: Tensor, layers: list[nn.Module], size: torch.Size, at: Tensor | None) -> Tensor:
        if self.stride == 1:
            return pointwise(at_pixels(x, at), layers)
        # An oscillator answers for several pixels: give each its own logits.
        logits = nn.functional.pixel_shuffle(pointwise(x, layers), self.stride)[..., : size[0], : size[1]]
        return at_pixels(logits, at)
