"""From an image to the medium: omega, alpha and the initial displacement y0 of every oscillator."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.networks.chain import Chain
from drumhead.networks.media import medium_of
from drumhead.networks.reach import Interval, convolved
from drumhead.physics.medium import Medium
from drumhead.settings.config import NWM


class SeparateEncoders(nn.Module):
    """The paper's three networks of 3x3 convolutions: two of depth 3 ending in ReLU, one of depth 4 in tanh."""

    def __init__(self, config: NWM):
        super().__init__()
        layer = config.waves[0]
        ends = (config.image_channels, config.width, layer.channels)
        # A constant starts at a tenth, inside what the maps start with, where a ReLU lets it move.
        self.omega = stack(*ends, depth=3) if layer.omega == "image" else Constant(layer.channels, 0.1)
        self.alpha = stack(*ends, depth=3) if layer.alpha == "image" else Constant(layer.channels, 0.1)
        self.y0 = stack(*ends, depth=4)

    def forward(self, images: Tensor) -> tuple[Medium, None]:
        """Return the medium; there are no features for the head."""
        return Medium(F.relu(self.omega(images)), F.relu(self.alpha(images)), self.y0(images).tanh()), None

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the medium of these rows depends on: the start's network is the deepest."""
        return convolved(rows, 4)


def stack(inner: int, width: int, outer: int, depth: int) -> nn.Sequential:
    """Return `depth` 3x3 convolutions with ReLU between them and nothing at the end."""
    layers: list[nn.Module] = [nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, outer, 3, padding=1))


class Constant(nn.Module):
    """One learned number a channel in place of a map: a medium that is the same at every pixel of every image."""

    def __init__(self, channels: int, start: float | Tensor):
        super().__init__()
        self.value = nn.Parameter(torch.as_tensor(start).expand(channels).clone())

    def forward(self, images: Tensor) -> Tensor:
        """Return it as a map (b, c, y, x) of the images' size."""
        return self.value[:, None, None].expand(images.shape[0], -1, *images.shape[-2:])


class Stem(nn.Module):
    """One shared network: three 3x3 convolutions (the second may halve the size), then a 1x1 to the medium.

    omega = omega_largest sigmoid(.) when the medium is bounded, else softplus(.); alpha = softplus(. - 2);
    y0 = tanh(.). A pixel of the result sees at most 11 x 11 pixels of the image, so what lies further away
    can only come from the waves.
    """

    def __init__(self, config: NWM, omega_largest: float | None):
        super().__init__()
        layer, width = config.waves[0], config.width
        self.stride = layer.stride
        layers: list[nn.Module] = []
        for inner, stride in ((config.image_channels, 1), (width, self.stride), (width, 1)):
            layers.append(nn.Conv2d(inner, width, 3, stride, padding=1, bias=not config.norm))
            layers += [nn.BatchNorm2d(width), nn.ReLU()] if config.norm else [nn.ReLU()]
        self.features = Chain(*layers)
        known = {"omega": layer.omega, "alpha": layer.alpha, "y0": "image"}
        self.parts = [part for part, source in known.items() if source == "image"]
        self.others = [part for part in known if part not in self.parts]
        self.medium = nn.Conv2d(width, len(self.parts) * layer.channels, 1)
        self.constants = nn.ModuleList(Constant(layer.channels, 0.0) for _ in self.others)
        self.omega_largest = omega_largest

    def forward(self, images: Tensor) -> tuple[Medium, Tensor]:
        """Return the medium and the features, both at the stem's resolution."""
        features = self.features(images)
        return self.medium_of(features), features

    def medium_of(self, features: Tensor) -> Medium:
        """Return the medium that features set."""
        constants = dict(zip(self.others, self.constants, strict=True))
        return medium_of(self.medium, features, self.parts, self.omega_largest, constants)[0]

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the medium of these rows depends on."""
        return convolved(convolved(convolved(rows, 1), 1, self.stride), 1)
