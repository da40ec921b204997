"""The feed-forward networks to compare with: the paper's plain CNN, a fair one, and a U-Net."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.modules import convolutions, untouched
from drumhead.engine.pixelwise import pointwise
from drumhead.networks.chain import Chain
from drumhead.networks.reach import Interval, convolved, unet
from drumhead.networks.segmenter import Segmenter, answer, normalised, pixelwise
from drumhead.physics.records import at_pixels
from drumhead.settings import config as settings

SPREAD = 49  # maps that the CNN makes of each of its channels, as many as its head would hear from waves


class CNN(Segmenter):
    """The paper's CNN of L layers: 3x3 convolutions of 16 channels, ReLU, then a pointwise head.

    Its last convolution narrows to `channels` = 2 maps through a ReLU, so a start in which both are silent stays
    silent: 12 to 20 % of the random starts with 4 to 32 layers. It sees 2 L + 1 pixels. Kept as published.

    Args:
        config: `depth` is L >= 2, `width` the channels inside, `head` the hidden widths of the head.
    """

    config: settings.CNN

    def __init__(self, config: settings.CNN):
        super().__init__(config)
        widths = [config.image_channels, *[config.width] * (config.depth - 1), config.channels]
        layers: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU()]
        inner = SPREAD * config.channels
        layers.append(nn.Conv2d(config.channels, inner, 1))
        self.layers = nn.Sequential(*layers, *pixelwise(inner, config.head, config.classes))

    def forward(self, images: Tensor, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]."""
        self.check(images, at)
        if untouched(self.layers, nn.Sequential):
            cut = 2 * self.config.depth
            body, spread, head = self.layers[:cut], self.layers[cut : cut + 1], self.layers[cut + 1 :]
            if convolutions(spread) and convolutions(head):
                return pointwise(spread(at_pixels(body(images), at)), head)
        return at_pixels(self.layers(images), at)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on."""
        return convolved((pixel, pixel), self.config.depth)


class ResNet(Segmenter):
    """The fair CNN: as many 3x3 convolutions as the paper's, thus its receptive field, without its bottleneck.

    Each of the L convolutions has `width` channels and batch normalisation; all but the first and the last are
    paired into residual blocks, x + f(x) (He et al. 2016); the head sees all `width` maps. L is even.

    Args:
        config: `depth` is L, `width` the channels, `head` the hidden widths of the pointwise head.
    """

    config: settings.ResNet

    def __init__(self, config: settings.ResNet):
        super().__init__(config)
        width = config.width
        self.first = _normal(config.image_channels, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(_normal(width, width), nn.ReLU(), _normal(width, width)) for _ in range(config.depth // 2 - 1)
        )
        self.last = _normal(width, width)
        self.head = nn.Sequential(*pixelwise(width, config.head, config.classes))

    def forward(self, images: Tensor, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]."""
        self.check(images, at)
        x = self.first(images).relu()
        for block in self.blocks:
            x = (x + block(x)).relu_()
        return answer(self.head, self.last(x).relu(), at)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on."""
        return convolved((pixel, pixel), self.config.depth)


def _normal(inner: int, outer: int) -> Chain:
    return Chain(*normalised(inner, outer))


class UNet(Segmenter):
    """A U-Net of four levels with batch normalisation and `width`, 2, 4, 8, 16 times `width` channels.

    Ronneberger, Fischer and Brox (2015), with transposed convolutions and "same" padding.

    Args:
        config: `width` is the paper's c, 2 to 5.
    """

    coarsest = 2**4

    def __init__(self, config: settings.UNet):
        super().__init__(config)
        widths = [config.width * 2**level for level in range(5)]
        self.down = nn.ModuleList(
            _double(inner, outer) for inner, outer in zip([config.image_channels, *widths], widths, strict=False)
        )
        self.rise = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in reversed(widths[:-1]))
        self.up = nn.ModuleList(_double(2 * c, c) for c in reversed(widths[:-1]))
        self.last = nn.Conv2d(config.width, config.classes, 1)

    def forward(self, images: Tensor, at: Tensor | None = None) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]; any height and width."""
        self.check(images, at)
        x, skips = images, []
        for level, layers in enumerate(self.down):
            x = layers(F.max_pool2d(x, 2, ceil_mode=True) if level else x)
            skips.append(x)
        skips.pop()
        for rise, layers in zip(self.rise, self.up, strict=True):
            skip = skips.pop()
            x = rise(x)[..., : skip.shape[-2], : skip.shape[-1]]  # odd sizes were rounded up on the way down
            x = layers(torch.cat([skip, x], 1))
        if at is not None and convolutions(self.last):  # which looks at one pixel at a time
            x, at = at_pixels(x, at), None
        return at_pixels(self.last(x), at)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the rows that the answer at a row depends on."""
        return unet((pixel, pixel))


def _double(inner: int, outer: int) -> Chain:
    layers: list[nn.Module] = []
    for first in (inner, outer):
        layers += [*normalised(first, outer), nn.ReLU()]
    return Chain(*layers)
