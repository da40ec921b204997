"""From what a pixel heard to its label: a summary of the wave over time, then a pointwise network.

Both halves look at one pixel at a time: any context comes from the wave.
"""

import torch
from torch import Tensor, nn

from drumhead.engine.modules import convolutions, untouched
from drumhead.engine.pixelwise import pointwise
from drumhead.networks.segmenter import answer, pixelwise
from drumhead.physics.records import Fourier, Last, Max, Mean, Mix, Project, Record, at_pixels
from drumhead.settings.config import NWM, Recurrent


class TimeReadout(nn.Module):
    """The summary over time, as a record that `drumhead.propagate` computes while the waves run.

    linear: a learned map from T states to K numbers, shared by all channels and pixels (no bias);
    fft: the magnitudes of K frequency bins; last, mean, max: one number a channel. Features are ordered (k, c).
    """

    def __init__(self, kind: str, bins: int, steps: int):
        super().__init__()
        self.kind, self.bins, self.steps = kind, bins, steps
        self.features = (self.bins or steps // 2 + 1) if self.kind in ("linear", "fft") else 1
        """Numbers that it keeps of each channel (K)."""
        if self.kind == "linear":
            bound = steps**-0.5  # the default start of a linear layer with T inputs
            self.time_map = nn.Parameter(torch.empty(self.features, steps).uniform_(-bound, bound))

    def record(self, begin: int = 0, end: int | None = None) -> Record:
        """Return what `propagate` has to keep of steps begin + 1 .. end; of all by default."""
        if self.kind == "linear":
            whole = begin == 0 and end in (None, self.steps)
            return Project(self.time_map if whole else self.time_map[:, begin:end])
        if self.kind == "fft":
            return Fourier(self.bins or None)
        return {"last": Last, "mean": Mean, "max": Max}[self.kind]()

    def join(self, before: Tensor, part: Tensor, begin: int, end: int) -> Tensor:
        """Return what was heard up to `end` steps from what was heard up to `begin` and between them."""
        if self.kind == "linear":
            return before + part
        if self.kind == "mean":
            return (before * begin + part * (end - begin)) / end
        return torch.maximum(before, part) if self.kind == "max" else part

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
        self.norm = nn.BatchNorm2d(inner) if norm else nn.Identity()
        self.layers = nn.Sequential(*pixelwise(inner, config.head, config.classes * self.stride**2))

    def forward(self, features: Tensor, size: torch.Size, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) of the given image size, or those of the pixels `at`."""
        return self._answer(self.norm(features), self.layers, size, at)

    def rest(self, first: Tensor, size: torch.Size, at: Tensor | None = None) -> Tensor:
        """Return the logits, given what the first layer's weights make of the features."""
        bias = convolutions(self.layers)[0].bias
        assert bias is not None
        return self._answer((first + bias[:, None, None]).relu(), self.layers[2:], size, at)

    def _answer(self, x: Tensor, layers: nn.Module, size: torch.Size, at: Tensor | None) -> Tensor:
        if self.stride == 1:
            return answer(layers, x, at)
        # An oscillator answers for several pixels: give each its own logits.
        logits = nn.functional.pixel_shuffle(pointwise(x, layers), self.stride)[..., : size[0], : size[1]]
        return at_pixels(logits, at)


def alone(readout: TimeReadout, head: Head) -> bool:
    """Say whether they are as built and look at one pixel at a time: waves at some are enough for logits at these."""
    built = untouched(readout, TimeReadout) and untouched(head, Head) and untouched(head.norm, nn.Identity)
    return built and head.stride == 1 and len(convolutions(head.layers)) > 0


def composed(readout: TimeReadout, head: Head) -> Record | None:
    """Return time map and first layer, both linear, as one map over (t, c), where that keeps and costs less.

    It gains in the loop and in the engines. `Head.rest` goes on from it; None leaves both to their modules.
    """
    if not alone(readout, head) or readout.kind != "linear":
        return None
    time_map, (first, *others) = readout.time_map, convolutions(head.layers)
    (k, t), (h, features) = time_map.shape, first.weight.shape[:2]
    c = features // k
    if not others or h >= features or t * c * h >= t * features + features * h or first.weight.dtype != time_map.dtype:
        return None
    with torch.autocast(time_map.device.type, enabled=False):  # a basis has the type of the states
        return Mix(torch.einsum("hkc,kt->htc", first.weight.view(h, k, c), time_map))
