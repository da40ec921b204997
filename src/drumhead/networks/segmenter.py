"""What all networks share: images in, logits out, labels on request."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from drumhead.engine.modules import convolutions
from drumhead.engine.pixelwise import pointwise
from drumhead.errors import DrumheadError
from drumhead.networks.listening import WITH_TIME, in_rounds, longer
from drumhead.networks.reach import Interval
from drumhead.networks.still import MOST, STILL, Still, until_still
from drumhead.physics.contract import check_pixels
from drumhead.physics.records import at_pixels
from drumhead.settings.config import ModelConfig


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Have a network in evaluation mode for a while; a part of it may have been in another mode than the whole."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def answer(network: nn.Module, maps: Tensor, at: Tensor | None) -> Tensor:
    """Return what a network makes of maps, at these pixels; it sees no others where it looks at one at a time."""
    if at is not None and convolutions(network):
        maps, at = at_pixels(maps, at), None
    return at_pixels(pointwise(maps, network), at)


def pixelwise(inner: int, hidden: Iterable[int], outer: int) -> list[nn.Module]:
    """Return 1x1 convolutions with ReLU between them, from `inner` maps over hidden ones to `outer`."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Conv2d(inner, width, 1), nn.ReLU()]
        inner = width
    return [*layers, nn.Conv2d(inner, outer, 1)]


def normalised(inner: int, outer: int, stride: int = 1) -> list[nn.Module]:
    """Return a 3x3 convolution and its batch normalisation."""
    return [nn.Conv2d(inner, outer, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outer)]


class Segmenter(nn.Module):
    """A network from images (b, k, y, x) in [0, 1] to logits (b, classes, y, x); subclasses define `forward`.

    `forward(images, at)` answers only for the flat pixel indices `at` (b, n), with logits (b, classes, n, 1), which
    saves a pointwise head most of its work where a few pixels are enough to learn from.

    Args:
        config: all sizes and choices.

    Attributes:
        stride: pixels per oscillator in each direction; 1 where there are none.
        coarsest: pixels per grid point in each direction of the coarsest maps that are normalised.
        varies: whether batches differ in what is done with them in training: the number of rounds, a part that is late.
    """

    stride = 1
    coarsest = 1
    varies = False

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config

    @property
    def rounds(self) -> int:
        """How often it runs its layers: once, unless it was built to run in rounds."""
        return getattr(self.config, "rounds", 1)

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Return the label of every pixel, int64 (b, y, x), computed in evaluation mode without gradients."""
        with self.evaluating():
            self._check_values(images)
            return self(images).argmax(dim=1)

    def until_still(self, images: Tensor, still: int = STILL, most: int = MOST) -> Still:
        """Return labels after as many rounds as each image needs, computed in evaluation mode without gradients.

        A network in rounds goes on until its labels have stopped changing, so that nobody has to know beforehand how
        far apart things lie.

        Args:
            images: (b, k, y, x) in [0, 1].
            still: stop an image when none of its labels has changed for so many rounds, 1 or more. Fewer cost less, and
                may stop where news is only held up.
            most: stop after so many in any case, more than `still`.

        Returns:
            Labels (b, y, x), the rounds that each image took (b,), whether it was still changing then (b,), and logits
            (b, classes, y, x).

        Raises:
            DrumheadError: it runs its layers once, or no image could stop.

        Example:
            >>> images, _ = dh.tasks.wires.arrays("test", length=120, count=2)
            >>> found = dh.load("wires").until_still(dh.to_images(images))
            >>> found.labels.shape, found.rounds.shape, found.changing.any()
            (torch.Size([2, 96, 96]), torch.Size([2]), tensor(False))
        """
        with self.evaluating():
            self._check_values(images)
            return until_still(self, images, still, most)

    def _check_values(self, images: Tensor) -> None:
        self.check(images)
        if not (images.isfinite().all() and images.abs().max() <= 2):  # a little beyond may be an augmentation
            raise DrumheadError(
                "images: got values that are not finite or far beyond [0, 1], on which the answer would mean "
                "nothing (dh.to_images divides uint8 by 255)"
            )

    def waves(self, images: Tensor, steps: int | None = None, layer: int = -1) -> Tensor:
        """Return the series of states, (b, t, c, y, x); a network without a time loop has none."""
        raise DrumheadError(f"this {self.config.family} has no waves; {WITH_TIME} do")

    def medium(self, images: Tensor, layer: int = -1) -> Any:
        """Return omega, alpha and y0 that images set; a network without waves has none."""
        raise DrumheadError(f"this {self.config.family} sets no medium; networks with waves do")

    def cut(self) -> Self:
        """Return the same network with its coupling cut, the control that says what the waves contribute.

        Raises:
            DrumheadError: it has no coupling.
        """
        raise DrumheadError("this network has no coupling to cut; a nwm with coupling does")

    def listening(self, times: float, how: str = "") -> Self:
        """Return a copy that listens for longer, so that its waves come farther: the same weights for a longer time.

        Args:
            times: how many times as many rounds there are or steps each layer of waves takes, 1 or more.
            how: "rounds", more of them, the default of a network that has any; else what a linear readout hears of more
                steps: "last", as many as it knows, the default, or "stretch", all in slow motion
                (`networks/listening.py` has the equations). The readouts last, mean and max need no choice.

        Raises:
            DrumheadError: it has no waves or state, or hears a spectrum.

        Example:
            >>> model = dh.build("wires/nwm-stack")
            >>> [layer.steps for layer in model.listening(2).layers], model.reach(32), model.listening(2).reach(32)
            ([24, 24, 24], (-116, 180), (-260, 324))
        """
        return longer(self, times, how)

    def in_rounds(self, rounds: int) -> Self:
        """Return a copy with the same weights that runs its layers so many times.

        A network that was trained in rounds can take more of them than it did in training, where what it has to find
        lies farther apart, or fewer, which cost less.

        Args:
            rounds: 2 to 1000.

        Raises:
            DrumheadError: it runs its layers once.

        Example:
            >>> model = dh.build("wires/nwm-rounds")
            >>> model.config.rounds, model.reach(32), model.in_rounds(12).reach(32)
            (6, (-210, 274), (-450, 514))
        """
        return in_rounds(self, rounds)

    def reach(self, pixel: int, steps: int | None = None) -> Interval:
        """Return the first and last row of the image that the answer at row `pixel` can depend on.

        Args:
            pixel: a row (or column) of the image.
            steps: time steps T >= 0 of a network with waves or a state; its own number by default.

        Returns:
            (low, high), both included; they may lie beyond the image. `networks.reach.EVERYWHERE` pixels away or more
            they mean the whole image, however large: attention, a mean and waves in closed form have no bound.

        Raises:
            DrumheadError: a number of steps below 0.

        Example:
            >>> dh.build("tetrominoes/nwm-linear").reach(64)  # an encoder of radius 4 and a pixel a step
            (-40, 168)
        """
        raise NotImplementedError

    def courant(self, images: Tensor) -> float | None:
        """Return dt over the largest stable dt; None for a network that is not a wave equation."""
        return None

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Be in evaluation mode for a while, so that looking does not move the statistics of a normalisation."""
        with evaluating(self):
            yield

    def check(self, images: Tensor, at: Tensor | None = None) -> None:
        """Refuse what is not a batch of images for this network, and pixels that they do not have."""
        k = self.config.image_channels
        if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != k or not images.numel():
            got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
            raise DrumheadError(
                f"images: got {got}; a tensor (b, {k}, y, x) that is not empty is needed: this model was built for "
                f"images of {k} channel{'s' * (k > 1)} (dh.to_images makes one from a uint8 array)"
            )
        dtype = next(self.parameters()).dtype
        if images.is_floating_point() and images.dtype != dtype and not torch.is_autocast_enabled(images.device.type):
            raise DrumheadError(f"images: got {images.dtype}, the model computes in {dtype}; use images.to({dtype})")
        if not images.is_floating_point():
            raise DrumheadError(
                f"images: got {images.dtype}; floating point in [0, 1] is needed (dh.to_images divides by 255)"
            )
        device = next(self.parameters()).device
        if images.device != device:
            raise DrumheadError(
                f"images: got {images.device}, the model is on {device}; use images.to({str(device)!r})"
            )
        if self.starved(images.shape):
            raise DrumheadError(
                f"images: got {tuple(images.shape)}, which leave batch normalisation one value a map to learn from; "
                "more or larger images are needed in training mode, or model.eval() first"
            )
        if at is not None:
            check_pixels("at", at, images)

    def starved(self, shape: Sequence[int]) -> bool:
        """Say whether images (b, k, y, x) leave a normalisation that learns one value a map, on whatever level."""
        rows, columns = (-(-side // self.coarsest) for side in shape[-2:])
        if not self.training or shape[0] * rows * columns > 1:
            return False
        return any(part.training for part in self.modules() if isinstance(part, _BatchNorm))
