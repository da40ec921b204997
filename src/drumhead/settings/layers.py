"""Settings of one layer: of waves, stepped or in closed form, or without any, for comparison in the same frame."""

import math
from dataclasses import dataclass
from typing import Literal

from drumhead.errors import DrumheadError, at_least
from drumhead.settings.base import Settings

Boundary = Literal["periodic", "fixed", "reflecting", "absorbing"]
Edge = Literal["periodic", "fixed", "reflecting"]  # without a medium that could absorb
Nonlinearity = Literal["tanh", "linear"]
Integrator = Literal["euler", "verlet"]
Coupling = Literal["dense", "depthwise", "none"]
LayerCoupling = Literal["dense", "depthwise", "mixed", "none"]
Medium = Literal["image", "constant"]
Velocity = Literal["rest", "image"]


@dataclass(frozen=True, kw_only=True)
class Spread(Settings):
    """What moves from pixel to pixel, a step at a time."""

    channels: int = 2
    """Oscillators per pixel (C), the channels of the wave, or maps of a recurrent state."""
    steps: int = 100
    """Time steps of the propagation (T)."""
    kernel_size: int = 3
    """Side of the kernel that couples neighbours, in pixels, odd."""
    boundary: Boundary = "periodic"
    """What a wave meets at the edge of the image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size % 2 == 0:
            raise DrumheadError(f"model.kernel_size={self.kernel_size}: an odd size is needed, such as 3")
        if self.kernel_size == 1:
            self.refuse_idle("model.kernel_size=1, which couples no neighbours", "boundary")


@dataclass(frozen=True, kw_only=True)
class Waves(Spread):
    """One layer of waves; the defaults are the paper's, with two channels."""

    dt: float = 0.1
    """Length of one step in model time. The stable limit is about 2 / sqrt(8 + omega)."""
    integrator: Integrator = "euler"
    """euler is the paper's first-order step; verlet is second order with exact damping, for large dt."""
    coupling: Coupling = "dense"
    """dense mixes channels, depthwise does not, none cuts the waves (the local control)."""
    frozen: bool = False
    """Keep the coupling kernel at its start, the five-point Laplacian, instead of learning it."""
    omega: Medium = "image"
    """image: each pixel's squared natural frequency is read from the image; constant: one learned number a
    channel, the same at every pixel of every image."""
    alpha: Medium = "image"
    """The same choice for the damping."""
    nonlinearity: Nonlinearity = "tanh"
    """Applied to the coupling force."""
    courant: float = 0.0
    """0 leaves the medium free, as in the paper. Otherwise kernel and omega are bounded so that dt never
    exceeds this fraction of the largest stable step."""
    stride: int = 1
    """1 or 2: pixels per oscillator in each direction (2 needs the stem encoder)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.dt < math.inf:
            raise DrumheadError(f"model.dt={self.dt}: a positive step is needed (the paper's is 0.1)")
        if not 0 <= self.courant <= 1:
            raise DrumheadError(f"model.courant={self.courant}: 0 (free medium) to 1 is possible; 0.9 is safe")
        if self.coupling == "none":
            beside = "model.coupling='none', which has no kernel"
            self.refuse_idle(beside, "kernel_size", "frozen", "boundary", "nonlinearity")
        if self.courant and self.integrator == "euler":
            raise DrumheadError(
                f"model.courant={self.courant} bounds the medium for --model.integrator verlet only, whose damping "
                "sets no limit; give --model.courant 0 for euler"
            )


@dataclass(frozen=True, kw_only=True)
class Layer(Waves):
    """A layer of a stack: waves in a medium that the features below it set; the defaults are those of `nwm-stack`."""

    channels: int = 16
    """Sheets of oscillators, which ring apart unless the coupling is dense."""
    steps: int = 12
    """Time steps of the propagation (T)."""
    dt: float = 0.5
    """Length of one step in model time."""
    integrator: Integrator = "verlet"
    coupling: LayerCoupling = "depthwise"  # type: ignore[assignment]
    """dense mixes sheets with a kernel for each pair, depthwise does not, mixed is depthwise and then one matrix
    between sheets (it costs what dense does), none cuts the waves (the local control)."""
    boundary: Boundary = "fixed"
    """What a wave meets at the edge of the image."""
    courant: float = 0.9
    stride: int = 4
    """Pixels per oscillator in each direction, a power of 2; the features have the least of all layers."""
    bins: int = 8
    """Combinations over time that are heard of each sheet (K)."""
    velocity: Velocity = "rest"
    """rest: waves start from a displacement alone; image: the features set the initial velocity too."""
    spread: bool = True
    """Begin with omega from nearly 0 to half of its largest over the sheets, so that most waves travel, instead of
    half of it in each, where most ring in place."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _power_of_two(self.stride)
        at_least(1, self.bins, "model.bins=")
        if self.frozen and self.coupling == "mixed":
            raise DrumheadError(
                "model.frozen=True keeps the kernel, and model.coupling='mixed' learns a matrix that mixes it: leave "
                "one of the two"
            )


@dataclass(frozen=True, kw_only=True)
class Modes(Settings):
    """A layer of a stack in closed form: linear waves in a medium that is the same everywhere, at `bins` times."""

    channels: int = 16
    """Sheets of oscillators."""
    bins: int = 8
    """Learned times at which each sheet is heard (K)."""
    reach: float = 16.0
    """Model time of the last of these times at the start: how many oscillators far a wave may have come."""
    boundary: Edge = "fixed"
    """What a wave meets at the edge of the image."""
    stride: int = 4
    """Pixels per oscillator in each direction, a power of 2; the features have the least of all layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _power_of_two(self.stride)
        at_least(1, self.bins, "model.bins=")
        if not 0 < self.reach < math.inf:
            raise DrumheadError(f"model.reach={self.reach}: a positive time is needed")


@dataclass(frozen=True, kw_only=True)
class Still(Settings):
    """A layer without waves, for comparison in the same frame."""

    stride: int = 4
    """Pixels per grid point in each direction, a power of 2; the features have the least of all layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _power_of_two(self.stride)


@dataclass(frozen=True, kw_only=True)
class Bottleneck(Still):
    """An inverted bottleneck: each of `maps` wide features is convolved with a kernel of its own."""

    maps: int = 96
    """Features inside the layer."""
    kernel_size: int = 7
    """Side of the kernel, in grid points, odd."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size % 2 == 0:
            raise DrumheadError(f"model.kernel_size={self.kernel_size}: an odd size is needed, such as 7")


@dataclass(frozen=True, kw_only=True)
class Context(Still):
    """An inverted bottleneck of 3x3 whose features also see their mean over the whole image."""

    maps: int = 64
    """Features inside the layer."""


@dataclass(frozen=True, kw_only=True)
class Attention(Still):
    """Self-attention between all grid points, with a 3x3 convolution for places and a pointwise network after it."""

    heads: int = 4
    """Heads, which share the features between them."""


def _power_of_two(stride: int) -> None:
    if stride < 1 or stride & (stride - 1):
        raise DrumheadError(f"model.stride={stride}: a power of 2 is needed, such as 4")
