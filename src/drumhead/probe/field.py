"""The effective receptive field: which pixels of the image move what a network holds at one pixel, and how much.

For a reading u (c numbers at one pixel: the state y_T, or the logits) and an image x, Luo et al. (2016) backpropagate a
unit gradient from the pixel to the image. A reading of several channels needs weights: their plain sum can cancel. So
draw v ~ N(0, 1)^c a few times and average

    m(r) = mean over images and v of  sum over colours |d (v . u) / d x(r)|,

which estimates sqrt(2 / pi) times the Euclidean norm over channels of the Jacobian, summed over colours, whatever basis
the channels are in. Computed in float64, since the gradient of a recurrent network may fade by tens of orders of
magnitude; that of waves does not, so they take float32 and the engine, six times faster.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from drumhead import engine
from drumhead.errors import DrumheadError
from drumhead.networks.cells import RecurrentNetwork
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.timed import Timed
from drumhead.physics.records import All
from drumhead.waves.fronts import from_middle

CHUNK = 2  # images at a time: the loop keeps every state for the way back


def canvas(images: np.ndarray, masks: np.ndarray, side: int, number: int, seed: int = 0) -> Tensor:
    """Return images that repeat in both directions, each moved so that its centre is a random pixel of an object.

    A repeated image leaves a wave twice the room or more before a torus closes, without an edge or an empty margin.

    Args:
        images: uint8 (n, y, x, k).
        masks: uint8 (n, y, x); 0 is the background. Images without an object are passed over.
        side: height and width of the canvas in pixels, even; the centre is at side // 2.
        number: how many to return.
        seed: of the choice of images and pixels.

    Returns:
        float64 tensor (number, k, side, side) in [0, 1].

    Raises:
        DrumheadError: an odd side, or too few images with an object.
    """
    if side < 2 or side % 2 or number < 1:
        raise DrumheadError(f"side={side}, images={number}: an even side and an image or more are needed")
    full = np.flatnonzero((masks > 0).any((1, 2)))
    if len(full) < number:
        raise DrumheadError(f"images={number}: only {len(full)} images have an object")
    random = np.random.default_rng(seed)
    out = []
    for index in random.choice(full, number, replace=False):
        y, x = random.choice(np.argwhere(masks[index] > 0))
        rows = (np.arange(side) - side // 2 + y) % images.shape[1]
        columns = (np.arange(side) - side // 2 + x) % images.shape[2]
        out.append(images[index][rows[:, None], columns])
    return torch.from_numpy(np.stack(out).transpose(0, 3, 1, 2) / 255.0)


def state(model: Timed, images: Tensor, steps: int) -> Tensor:
    """Return y_T (b, c, y, x) after T = `steps` steps; T = 0 is the start that the encoder sets."""
    return model.waves(images, steps)[:, -1] if steps else model.begin(images)


def answer(model: Segmenter, images: Tensor, steps: int) -> Tensor:
    """Return the logits (b, classes) at the centre after T = `steps` steps: the readout and head of one place only."""
    height, width = images.shape[-2:]
    y, x, s = height // 2, width // 2, model.stride
    if not isinstance(model, NeuralWaveMachine | RecurrentNetwork):
        return model(images, torch.full((len(images), 1), y * width + x))[:, :, 0, 0]
    start, features = model.encode(images)
    place = (..., slice(y // s, y // s + 1), slice(x // s, x // s + 1))
    series: Tensor = model.run(start, All(), steps)  # type: ignore[arg-type]
    heard = model.readout.record(0, steps).of(series[place])
    features = None if features is None else features[place]
    return model.finish(heard, features, torch.Size((s, s)))[:, :, y % s, x % s]


def field(model: Segmenter, images: Tensor, read: str = "state", steps: int | None = None, cotangents: int = 4,
          seed: int = 0) -> np.ndarray:  # fmt: skip
    """Return the effective receptive field of a network at the centre of the images.

    Args:
        model: the network; measured in evaluation mode, and left as it is.
        images: (b, k, y, x) in [0, 1].
        read: "state" (y_T at the centre's place) or "logits" (what the whole network says after T steps).
        steps: T; the network's own by default. Ignored by a network without time.
        cotangents: random weights v for each image.
        seed: of those weights.

    Returns:
        m, float64 (y, x), in units of the reading per unit of brightness.

    Raises:
        DrumheadError: there is no such reading at that T.

    Example:
        >>> m = field(dh.build("tetrominoes/cnn-2"), torch.rand(1, 3, 16, 16), "logits")
        >>> m.shape, bool((m[:6] == 0).all())
        ((16, 16), True)
    """
    family, s = model.config.family, model.stride
    if steps is None:
        steps = model.steps if isinstance(model, Timed) else 0
    if read == "state" and not isinstance(model, Timed):
        raise DrumheadError(f"a {family} has no state over time: read its logits")
    if read not in ("state", "logits") or steps < 0 or cotangents < 1:
        raise DrumheadError(
            f"read={read!r}, steps={steps}, cotangents={cotangents}: 'state' or 'logits', 0 steps or more and a "
            "cotangent or more are needed"
        )
    if read == "logits" and isinstance(model, Timed) and not model.answers(steps):
        raise DrumheadError(f"steps={steps}: a {family}-{model.readout.kind} of {model.steps} steps has no answer")
    dtype = torch.float32 if isinstance(model, NeuralWaveMachine) else torch.float64
    model = deepcopy(model).to(dtype).eval().requires_grad_(False)
    images = images.to(dtype)
    height, width = images.shape[-2:]
    y, x = height // 2, width // 2
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(height, width, dtype=torch.float64)
    with engine.exactly_local():  # what cannot be seen has a gradient of exactly zero
        for chunk in images.split(CHUNK):
            chunk = chunk.clone().requires_grad_(True)
            if read == "state" and isinstance(model, Timed):
                reading = state(model, chunk, steps)[:, :, y // s, x // s]
            else:
                reading = answer(model, chunk, steps)
            for left in range(cotangents - 1, -1, -1):
                v = torch.randn(reading.shape, generator=generator, dtype=torch.float64).to(dtype)
                (gradient,) = torch.autograd.grad(reading, chunk, v, retain_graph=left > 0)
                total += gradient.abs().sum((0, 1))
    return (total / (len(images) * cotangents)).numpy()


@dataclass(frozen=True)
class Size:
    """How large a receptive field is: radii in pixels around the centre (Euclidean), 0 where nothing arrives."""

    half: float  # r50, the smallest radius whose disc holds 50 % of the sum of m
    most: float  # r95, the same for 95 %
    rms: float  # sqrt(sum m r^2 / sum m)
    mass: float  # the sum of m


def measure(m: np.ndarray) -> Size:
    """Return the radii of a map whose centre is at (height // 2, width // 2).

    Example:
        >>> measure(np.eye(5))  # a diagonal: centre, then two pixels each at sqrt(2) and sqrt(8)
        Size(half=1.414..., most=2.828..., rms=2.0, mass=5.0)
    """
    distance, total = from_middle(m.shape), float(m.sum())
    if not total > 0:
        return Size(0.0, 0.0, 0.0, 0.0)
    order = np.argsort(distance, axis=None, kind="stable")
    inside, far = np.cumsum(m.ravel()[order]), distance.ravel()[order]
    half, most = (float(far[min(np.searchsorted(inside, share * total * (1 - 1e-12)), len(far) - 1)])
                  for share in (0.5, 0.95))  # fmt: skip
    return Size(half, most, math.sqrt(float((m * distance**2).sum()) / total), total)


@dataclass(frozen=True)
class Growth:
    """Two power laws, a T^p, fitted on logarithms: p is 1 for waves, 1/2 for diffusion.

    Neither is a verdict alone: a drift moves the edge like a wave, and a front that thins out spreads like diffusion.
    """

    spread: float  # p of sqrt(rms(T)^2 - least rms^2): variances of successive blurs add up
    spread_r2: float  # share of the variance of its logarithm that the line explains
    edge: float  # p of r95(T) - least r95: the edge of a disc moves by what a front adds
    edge_r2: float  # the same share
    steps: tuple[int, ...]  # the T that were used


def growth(steps: Sequence[int], sizes: Sequence[Size], side: int, first: int, last: int) -> Growth | None:
    """Fit how a receptive field grows with T beyond what the encoder sees.

    The least field of all T, nearly always the one at T = 0, is what the encoder sees. A T at which r95 comes nearer
    than a quarter to the canvas's edge is left out: it has no room to grow.

    Args:
        steps: T, one a size.
        sizes: the fields at these T.
        side: of the canvas in pixels.
        first: the smallest T to use.
        last: the largest.

    Returns:
        The fit; None with fewer than three T to fit.
    """
    if not all(size.mass for size in sizes):
        return None
    least_rms, least_most = min(size.rms for size in sizes), min(size.most for size in sizes)
    used, spread, edge = [], [], []
    for t, size in zip(steps, sizes, strict=True):
        roomy = size.most <= 0.75 * side / 2
        if max(first, 1) <= t <= last and roomy and size.rms > least_rms and size.most > least_most:
            used.append(t)
            spread.append(math.sqrt(size.rms**2 - least_rms**2))
            edge.append(size.most - least_most)
    if len(used) < 3:
        return None
    (p, p_r2), (q, q_r2) = _power(used, spread), _power(used, edge)
    return Growth(p, p_r2, q, q_r2, tuple(used))


def _power(t: list[int], values: list[float]) -> tuple[float, float]:
    x, y = np.log(t), np.log(values)
    slope, offset = np.polyfit(x, y, 1)
    left, whole = ((y - slope * x - offset) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return float(slope), float(1 - left / whole) if whole else 1.0
