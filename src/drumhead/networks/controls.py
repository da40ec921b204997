"""Layers without waves for the frame of a stack: what a reviewer would put in place of the waves.

    x <- relu(x + f(seen(x)))

`f` is an inverted bottleneck (depthwise kernels of any size), the same with the mean of the whole image, or
self-attention between all grid points. All three see, as the waves do, a grid as fine as the features or coarser, and
run in rounds as well.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.networks.chain import RELU, Chain, chained
from drumhead.networks.media import grown, shrunk
from drumhead.networks.reach import EVERYWHERE
from drumhead.networks.rounds import Recall, Shown, normal, seen
from drumhead.settings.config import Attention, Bottleneck, Context


class Control(nn.Module):
    """What the controls share; subclasses define `told`.

    Attributes:
        sees: grid points to each side that it can carry anything.
    """

    sees: int

    def __init__(self, width: int, coarser: int, again: bool):
        super().__init__()
        self.coarser = coarser
        self.recall = Recall(width) if again else None
        self.after = normal(width, again) if again else None

    def told(self, x: Tensor) -> Tensor:
        """Return what is added to features (b, width, y, x) on its own grid."""
        raise NotImplementedError

    def forward(self, x: Tensor, shown: Shown | None = None) -> Tensor:
        """Return the features with what the layer found added to them; `shown` is what a round sees of the stem's."""
        look, onto = seen(self, x, shown)
        x = onto + grown(self.told(shrunk(look, self.coarser)), x, self.coarser)
        return chained((self.after, RELU), x) if self.after else x.relu_()


class Bottlenecked(Control):
    """1x1 to more maps, a kernel of its own for each (and their mean over the image), 1x1 back.

    Source: Sandler et al. 2018 (MobileNetV2); with 7x7, Liu et al. 2022 (ConvNeXt); the mean, Hu et al. 2018.
    """

    def __init__(self, layer: Bottleneck | Context, width: int, coarser: int, again: bool):
        super().__init__(width, coarser, again)
        maps, size = layer.maps, layer.kernel_size if isinstance(layer, Bottleneck) else 3
        self.wide = Chain(nn.Conv2d(width, maps, 1, bias=False), normal(maps, again), nn.ReLU())
        self.near = nn.Conv2d(maps, maps, size, padding=size // 2, groups=maps, bias=False)
        self.norm = normal(maps, again)
        self.mean = nn.Conv2d(maps, maps, 1) if isinstance(layer, Context) else None
        self.back = Chain(nn.Conv2d(maps, width, 1, bias=False), *_unless(again, width))
        self.sees = EVERYWHERE if self.mean else size // 2

    def told(self, x: Tensor) -> Tensor:
        """Return the features, convolved."""
        wide = self.wide(x)
        if self.mean:
            near = chained((self.near, self.norm), wide) + self.mean(wide.mean((2, 3), keepdim=True))
            return self.back(near.relu_())
        return self.back(chained((self.near, self.norm, RELU), wide))


class Attending(Control):
    """A transformer's block: a 3x3 convolution says where a point is, all points attend to all, then 1x1, ReLU, 1x1.

    Source: Vaswani et al. 2017; places by convolution, Chu et al. 2021.
    """

    sees = EVERYWHERE

    def __init__(self, layer: Attention, width: int, coarser: int, again: bool):
        super().__init__(width, coarser, again)
        self.heads = layer.heads
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = normal(width, again)
        self.asked = nn.Conv2d(width, 3 * width, 1)  # queries, keys and values
        self.found = Chain(nn.Conv2d(width, width, 1, bias=False), *_unless(again, width))
        self.thought = Chain(
            nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, width, 1, bias=False),
            *_unless(again, width),
        )  # fmt: skip

    def told(self, x: Tensor) -> Tensor:
        """Return what the grid points found at each other."""
        x = x + self.place(x)
        parts = self.asked(self.norm(x)).unflatten(1, (3, self.heads, -1)).flatten(-2).mT.contiguous().unbind(1)
        found = F.scaled_dot_product_attention(*parts).transpose(-1, -2).flatten(1, 2)
        x = x + self.found(found.unflatten(-1, x.shape[-2:]))
        return x + self.thought(x)


def _unless(again: bool, width: int) -> list[nn.Module]:
    """Return the last normalisation of a branch, which in rounds comes after the sum instead."""
    return [] if again else [nn.BatchNorm2d(width)]


def make_control(layer: Bottleneck | Context | Attention, width: int, coarser: int, again: bool) -> Control:
    """Return the layer that its settings describe."""
    if isinstance(layer, Attention):
        return Attending(layer, width, coarser, again)
    return Bottlenecked(layer, width, coarser, again)
