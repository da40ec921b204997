"""Every setting of a model, a run and its data, as frozen dataclasses.

This file imports no torch, so that `drumhead VERB --help` stays instant. Each field's docstring is the help
text of its flag. A config goes to TOML (`config.toml` of a run) and back without loss.
"""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from drumhead.errors import DrumheadError, at_least, choose

Family = Literal["nwm", "lstm", "gru", "rnn", "cnn", "resnet", "unet"]
Readout = Literal["linear", "fft", "last", "mean", "max"]
Boundary = Literal["periodic", "fixed", "reflecting", "absorbing"]
Nonlinearity = Literal["tanh", "linear"]
Integrator = Literal["euler", "verlet"]
Coupling = Literal["dense", "depthwise", "none"]
Encoder = Literal["separate", "stem"]
Medium = Literal["image", "constant"]
Start = Literal["torch", "he"]
Optimizer = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine"]
Augment = Literal["none", "dihedral", "wrap"]
Precision = Literal["32-true", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class ModelConfig:
    """A segmentation network; the defaults are the paper's Neural Wave Machine with two channels."""

    family: Family = "nwm"
    """The kind of network: the Neural Wave Machine, a convolutional LSTM, GRU or RNN, the paper's CNN, a
    CNN with normalisation and residuals (resnet), or a U-Net."""
    image_channels: int = 3
    """Channels of the image: 1 for grey, 3 for colour."""
    classes: int = 6
    """Number of labels, the background included."""
    channels: int = 2
    """Oscillators per pixel (C): the channels of the wave."""
    steps: int = 100
    """Time steps of the propagation (T)."""
    dt: float = 0.1
    """Length of one step in model time. The stable limit is about 2 / sqrt(8 + omega)."""
    integrator: Integrator = "euler"
    """euler is the paper's first-order step; verlet is second order with exact damping, for large dt."""
    coupling: Coupling = "dense"
    """dense mixes channels, depthwise does not, none cuts the waves (the local control)."""
    kernel_size: int = 3
    """Side of the coupling kernel in pixels, odd."""
    frozen: bool = False
    """Keep the coupling kernel at its start, the five-point Laplacian, instead of learning it."""
    omega: Medium = "image"
    """image: each pixel's squared natural frequency is read from the image; constant: one learned number a
    channel, the same at every pixel of every image."""
    alpha: Medium = "image"
    """The same choice for the damping."""
    boundary: Boundary = "periodic"
    """What a wave meets at the edge of the image."""
    nonlinearity: Nonlinearity = "tanh"
    """Applied to the coupling force."""
    courant: float = 0.0
    """0 leaves the medium free, as in the paper. Otherwise kernel and omega are bounded so that dt never
    exceeds this fraction of the largest stable step."""
    encoder: Encoder = "separate"
    """separate: the paper's three networks for omega, alpha and y0; stem: one shared network."""
    width: int = 16
    """Channels inside the encoder (nwm, lstm, gru, rnn), the layers (cnn, resnet) or on the first level (unet)."""
    depth: int = 8
    """Convolutions of 3x3 of the cnn or resnet, which sees 2 depth + 1 pixels; even for the resnet."""
    stride: int = 1
    """1 or 2: pixels per oscillator in each direction (2 needs the stem encoder)."""
    readout: Readout = "linear"
    """What a pixel keeps of the wave: a learned time map, its spectrum, or its last, mean or largest state."""
    bins: int = 0
    """Features per channel of the linear and fft readouts; 0 means steps // 2 + 1."""
    head: tuple[int, ...] = (256, 256, 256)
    """Hidden widths of the pointwise network that turns features into logits."""
    skip: bool = False
    """Let the head also see the stem's features (needs the stem encoder)."""
    norm: bool = False
    """Batch normalisation in the stem and on what the head sees (needs the stem encoder)."""
    start: Start = "torch"
    """How the weights of convolutions are drawn: torch's default, as published, which shrinks a signal with every
    layer, or he, which keeps its size through ReLU (He et al. 2015). Recurrent cells keep torch's."""

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            choose(f"model.{name}", getattr(self, name), allowed)
        for name, least in (("image_channels", 1), ("classes", 2), ("channels", 1), ("steps", 1),
                            ("kernel_size", 1), ("width", 1), ("depth", 2), ("bins", 0)):  # fmt: skip
            at_least(least, getattr(self, name), f"model.{name}=")
        if not 0 < self.dt < math.inf:
            raise DrumheadError(f"model.dt={self.dt}: a positive step is needed (the paper's is 0.1)")
        if any(width < 1 for width in self.head):
            raise DrumheadError(f"model.head={self.head}: hidden widths of at least 1 are needed")
        if self.kernel_size % 2 == 0:
            raise DrumheadError(f"model.kernel_size={self.kernel_size}: an odd size is needed, such as 3")
        if self.family == "resnet" and self.depth % 2:
            raise DrumheadError(f"model.depth={self.depth}: a resnet needs an even number of convolutions")
        if self.stride not in (1, 2):
            raise DrumheadError(f"model.stride={self.stride}: 1 or 2 is possible")
        if not 0 <= self.courant <= 1:
            raise DrumheadError(f"model.courant={self.courant}: 0 (free medium) to 1 is possible; 0.9 is safe")
        if self.family != "nwm" and (self.encoder != "separate" or self.courant):
            raise DrumheadError(
                f"model.family={self.family!r} has no stem and no medium: leave model.encoder and courant"
            )
        if self.family != "nwm" and (self.frozen or "constant" in (self.omega, self.alpha)):
            raise DrumheadError(f"model.family={self.family!r} has no medium: leave model.frozen, omega and alpha")
        if self.frozen and self.coupling == "none":
            raise DrumheadError(
                "model.frozen keeps a kernel that --model.coupling none does not have: leave one of them"
            )
        if self.courant and self.integrator == "euler":
            raise DrumheadError(
                f"model.courant={self.courant} bounds the medium for --model.integrator verlet only, whose damping "
                "sets no limit; give --model.courant 0 for euler"
            )
        if self.encoder == "separate" and (self.skip or self.norm or self.stride != 1 or self.courant):
            raise DrumheadError(
                "model.skip, model.norm, model.stride=2 and model.courant need --model.encoder stem; "
                "the paper's separate encoders have none of them"
            )
        if self.readout == "fft" and self.bins > self.steps // 2 + 1:
            raise DrumheadError(f"model.bins={self.bins}: {self.steps} steps have {self.steps // 2 + 1} frequency bins")

    @property
    def has_time(self) -> bool:
        """Whether the network runs for a number of steps, and so has waves."""
        return self.family in ("nwm", "lstm", "gru", "rnn")

    @property
    def time_features(self) -> int:
        """Features per channel that the readout keeps (K)."""
        return (self.bins or self.steps // 2 + 1) if self.readout in ("linear", "fft") else 1


_CHOICES = {
    "family": get_args(Family),
    "readout": get_args(Readout),
    "boundary": get_args(Boundary),
    "nonlinearity": get_args(Nonlinearity),
    "integrator": get_args(Integrator),
    "coupling": get_args(Coupling),
    "encoder": get_args(Encoder),
    "omega": get_args(Medium),
    "alpha": get_args(Medium),
    "start": get_args(Start),
}


@dataclass(frozen=True)
class TrainConfig:
    """How to train; the defaults are the paper's protocol."""

    epochs: int = 300
    """Passes over the training images."""
    epoch_images: int = 0
    """Images in an epoch, taken in turn from one shuffling of all after another; 0 is all of them. An epoch ends
    with a validation and a row of metrics, so this says how often there is one."""
    validation_images: int = 0
    """Validate on only the first so many images; 0 uses all."""
    batch: int = 64
    """Images per step; an incomplete last batch is dropped."""
    lr: float = 1e-3
    """Largest learning rate."""
    optimizer: Optimizer = "adam"
    """adamw decouples the weight decay."""
    weight_decay: float = 0.0
    """Weight decay."""
    schedule: Schedule = "constant"
    """cosine: linear warm-up, then half a cosine down to zero."""
    warmup: float = 0.0
    """Share of all steps spent on the warm-up of the cosine schedule."""
    clip: float = 0.0
    """Largest gradient norm; 0 does not clip."""
    thin: int = 1
    """Take the loss at one random pixel of each run of so many, row by row; 1 takes it at all pixels. The gradient
    stays the same on average, and a pointwise head, most of the paper's arithmetic, costs as much less."""
    augment: Augment = "none"
    """dihedral: random flips and quarter turns (only where labels survive them); wrap: also random shifts
    with wrap-around."""
    seed: int = 0
    """Seeds the initial weights, the order of the images and the augmentation."""
    limit: int = 0
    """Use only the first so many images of each split, for a quick look; 0 uses all."""
    precision: Precision = "32-true"
    """bf16-mixed computes convolutions in bfloat16."""
    accelerator: Accelerator = "auto"
    """Where to train; auto takes a GPU if there is one."""
    checkpoint_minutes: float = 2.0
    """Time between two checkpoints inside an epoch; one is also written after each epoch."""

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 1), ("thin", 1), ("limit", 0), ("seed", 0), ("epoch_images", 0),
                            ("validation_images", 0)):  # fmt: skip
            at_least(least, getattr(self, name), f"train.{name}=")
        if not 0 < self.lr < math.inf:
            raise DrumheadError(f"train.lr={self.lr}: a positive learning rate is needed")
        for name in ("weight_decay", "clip", "checkpoint_minutes"):
            if not 0 <= getattr(self, name) < math.inf:
                raise DrumheadError(f"train.{name}={getattr(self, name)}: 0 or a positive number is needed")
        if self.seed >= 2**63:
            raise DrumheadError(f"train.seed={self.seed}: a seed below 2^63 is needed")
        if not 0 <= self.warmup < 1:
            raise DrumheadError(f"train.warmup={self.warmup}: a share of the steps, 0 to below 1, is needed")
        for name, allowed in _TRAIN_CHOICES.items():
            choose(f"train.{name}", getattr(self, name), allowed)


_TRAIN_CHOICES = {
    "optimizer": get_args(Optimizer),
    "schedule": get_args(Schedule),
    "augment": get_args(Augment),
    "precision": get_args(Precision),
    "accelerator": get_args(Accelerator),
}


@dataclass(frozen=True)
class RunConfig:
    """All that defines a run; written to `config.toml`, and enough to repeat it."""

    preset: str = "tetrominoes/nwm-linear"
    """Where the other settings started from."""
    task: str = "tetrominoes"
    """Images and masks: a task's name."""
    data: str = ""
    """Directory of the folder task, or of MNIST's IDX files; empty for the others."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The network."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""
