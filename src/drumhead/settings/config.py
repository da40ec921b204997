"""Every setting of a model, a run and its data, as frozen dataclasses.

This file imports no torch, so that `drumhead VERB --help` stays instant. Each field's docstring is the help
text of its flag. A config goes to TOML (`config.toml` of a run) and back without loss.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from drumhead.errors import DrumheadError, at_least, choose

Readout = Literal["linear", "fft", "last", "mean", "max"]
Boundary = Literal["periodic", "fixed", "reflecting", "absorbing"]
Edge = Literal["periodic", "fixed", "reflecting"]  # without a medium that could absorb
Nonlinearity = Literal["tanh", "linear"]
Integrator = Literal["euler", "verlet"]
Coupling = Literal["dense", "depthwise", "none"]
LayerCoupling = Literal["dense", "depthwise", "mixed", "none"]
Encoder = Literal["separate", "stem"]
Medium = Literal["image", "constant"]
Cell = Literal["lstm", "gru", "rnn"]
Velocity = Literal["rest", "image"]
Start = Literal["torch", "he"]
Optimizer = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine"]
Augment = Literal["none", "shift", "dihedral", "wrap"]
ClassWeights = Literal["none", "balanced"] | tuple[float, ...]
Precision = Literal["32-true", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "cuda"]

LEAST = {
    **dict.fromkeys(("image_channels", "channels", "steps", "kernel_size", "width", "epochs", "batch", "thin"), 1),
    **dict.fromkeys(("maps", "heads", "fine"), 1),
    **dict.fromkeys(("classes", "depth"), 2),
    **dict.fromkeys(("bins", "limit", "seed", "epoch_images", "validation_images", "crop"), 0),
}
"""The smallest value of each whole number."""


def refuse_unknown(cls: type, given: Iterable[str], where: str, known: Iterable[str] = ()) -> None:
    """Raise `DrumheadError` for names that are not settings of `cls`: its fields, or `known` if there are any."""
    names = [item.name for item in fields(cls)]
    unknown = sorted(set(given) - set(known or names))
    if unknown:
        kind = getattr(cls, "layer", None)
        layer = f" (each with {', '.join(item.name for item in fields(kind))})" if kind else ""
        raise DrumheadError(
            f"{where}: unknown setting {', '.join(unknown)}; the settings of {cls.__name__} are "
            f"{', '.join(name + layer * (name == 'waves') for name in names)}"
        )


class Settings:
    """Settings that know their names and words: others are refused, with those that there are."""

    where: ClassVar[str] = "model"

    def __new__(cls, *_values: Any, **settings: Any) -> Self:
        """Refuse a setting that there is not, before the dataclass would with less to say."""
        refuse_unknown(cls, settings, cls.__name__)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            self._check_number(item.name, item.type)
            if get_origin(item.type) is Literal:
                choose(f"{self.where}.{item.name}", getattr(self, item.name), get_args(item.type))
            elif item.name in LEAST:
                at_least(LEAST[item.name], getattr(self, item.name), f"{self.where}.{item.name}=")

    def _check_number(self, name: str, kind: Any) -> None:
        """Refuse what is no number of the kind; NumPy's become Python's, which JSON and TOML know."""
        wanted = {int: Integral, float: Real, bool: bool}.get(kind)
        value = getattr(self, name)
        if wanted and not (isinstance(value, wanted) and isinstance(value, bool) == (kind is bool)):
            raise DrumheadError(f"{self.where}.{name}={value!r} has the wrong type; {kind.__name__} is needed")
        if wanted and not isinstance(value, int | float):
            object.__setattr__(self, name, kind(value))

    def refuse_idle(self, beside: str, *names: str) -> None:
        """Refuse settings that are not at their defaults although they do nothing there."""
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if item.name in names and value != item.default:
                raise DrumheadError(
                    f"{self.where}.{item.name}={value!r} does nothing beside {beside}: leave one of the two "
                    f"({item.name} is {item.default!r} by default)"
                )


@dataclass(frozen=True, kw_only=True)
class _Spread(Settings):
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
class Waves(_Spread):
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
class _Still(Settings):
    """A layer without waves, for comparison in the same frame."""

    stride: int = 4
    """Pixels per cell in each direction, a power of 2; the features have the least of all layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _power_of_two(self.stride)


@dataclass(frozen=True, kw_only=True)
class Bottleneck(_Still):
    """An inverted bottleneck: each of `maps` wide features is convolved with a kernel of its own."""

    maps: int = 96
    """Features inside the layer."""
    kernel_size: int = 7
    """Side of the kernel, in cells, odd."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size % 2 == 0:
            raise DrumheadError(f"model.kernel_size={self.kernel_size}: an odd size is needed, such as 7")


@dataclass(frozen=True, kw_only=True)
class Context(_Still):
    """An inverted bottleneck of 3x3 whose features also see their mean over the whole image."""

    maps: int = 64
    """Features inside the layer."""


@dataclass(frozen=True, kw_only=True)
class Attention(_Still):
    """Self-attention between all cells, with a 3x3 convolution for places and a pointwise network after it."""

    heads: int = 4
    """Heads, which share the features between them."""


def _power_of_two(stride: int) -> None:
    if stride < 1 or stride & (stride - 1):
        raise DrumheadError(f"model.stride={stride}: a power of 2 is needed, such as 4")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """What all segmentation networks have; the class of a family, such as `NWM` or `UNet`, adds its own settings."""

    image_channels: int = 3
    """Channels of the image: 1 for grey, 3 for colour."""
    classes: int = 6
    """Number of labels, the background included."""
    start: Start = "torch"
    """How the weights of convolutions are drawn: torch's default, as published, which shrinks a signal with every
    layer, or he, which keeps its size through ReLU (He et al. 2015). Recurrent cells keep torch's."""

    def __new__(cls, *values: Any, **settings: Any) -> Self:
        """Refuse to be a network of no family."""
        if cls is ModelConfig:
            raise DrumheadError("ModelConfig is what all networks share; make one of NWM, Recurrent, CNN, ResNet, UNet")
        return super().__new__(cls, *values, **settings)

    def __post_init__(self) -> None:
        super().__post_init__()
        head = getattr(self, "head", ())
        if not isinstance(head, tuple) or not all(isinstance(width, int) for width in head):
            raise DrumheadError(f"model.head={head!r}: a tuple of hidden widths is needed, such as (16,)")
        if any(width < 1 for width in head):
            raise DrumheadError(f"model.head={head}: hidden widths of at least 1 are needed")

    @property
    def family(self) -> str:
        """The word for the kind of network: nwm, lstm, gru, rnn, cnn, resnet or unet."""
        return type(self).__name__.lower()

    def flat(self) -> dict[str, Any]:
        """Return every setting under the name that `changed` and the command line know."""
        return dict(vars(self))

    def changed(self, **settings: Any) -> Self:
        """Return a copy with other settings.

        Args:
            settings: fields of the model, or of its layers of waves, and then of every layer.

        Raises:
            DrumheadError: the family has no such setting, or not that value; the message lists what it has.

        Example:
            >>> dh.NWM(readout="last").changed(classes=11, steps=50).waves[0].steps
            50
        """
        return replace(self, **settings)


@dataclass(frozen=True, kw_only=True)
class _Heard(ModelConfig):
    """A network with a time loop: what it keeps of its series, and how it answers from that."""

    readout: Readout = "linear"
    """What a pixel keeps of the series: a learned time map, its spectrum, or its last, mean or largest state."""
    bins: int = 0
    """Features per channel of the linear and fft readouts; 0 means steps // 2 + 1."""
    head: tuple[int, ...] = (256, 256, 256)
    """Hidden widths of the pointwise network that turns features into logits."""
    width: int = 16
    """Channels inside the encoder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.flat()["steps"]
        if self.readout not in ("linear", "fft"):
            self.refuse_idle(f"model.readout={self.readout!r}, which keeps one number a channel", "bins")
        if self.readout == "fft" and self.bins > steps // 2 + 1:
            raise DrumheadError(f"model.bins={self.bins}: {steps} steps have {steps // 2 + 1} frequency bins")


@dataclass(frozen=True, kw_only=True)
class NWM(_Heard):
    """A Neural Wave Machine; the defaults are the paper's with two channels.

    Example:
        >>> dh.build(dh.NWM(waves=(dh.Waves(channels=4, steps=50),), readout="max")).steps
        50
    """

    layer: ClassVar[type] = Waves
    waves: tuple[Waves, ...] = (Waves(),)
    """The layers of waves, the first one nearest to the image; there can be one so far."""
    encoder: Encoder = "separate"
    """separate: the paper's three networks for omega, alpha and y0; stem: one shared network."""
    skip: bool = False
    """Let the head also see the stem's features (needs the stem encoder)."""
    norm: bool = False
    """Batch normalisation in the stem and on what the head sees (needs the stem encoder)."""

    def __post_init__(self) -> None:
        if not isinstance(self.waves, tuple) or [type(layer) for layer in self.waves] != [Waves]:
            raise DrumheadError(
                f"model.waves={self.waves!r}: a tuple of one layer, (Waves(...),), is needed; stacks of several layers "
                "cannot be built yet"
            )
        super().__post_init__()
        (layer,) = self.waves
        if layer.stride not in (1, 2):
            raise DrumheadError(f"model.stride={layer.stride}: 1 or 2 is possible")
        if self.encoder == "separate" and (self.skip or self.norm or layer.stride != 1 or layer.courant):
            raise DrumheadError(
                "model.skip, model.norm, model.stride=2 and model.courant need --model.encoder stem; "
                "the paper's separate encoders have none of them"
            )

    def flat(self) -> dict[str, Any]:
        """Return every setting, those of the last layer of waves among them."""
        own = super().flat()
        return own | vars(own.pop("waves")[-1])

    def changed(self, **settings: Any) -> Self:
        """Return a copy with other settings, of the model or of every layer of waves."""
        of_layers = {item.name: settings.pop(item.name) for item in fields(Waves) if item.name in settings}
        layers = tuple(replace(layer, **of_layers) for layer in settings.pop("waves", self.waves))
        return replace(self, waves=layers, **settings)


LAYERS: dict[str, type[Settings]] = {
    kind.__name__.lower(): kind for kind in (Layer, Modes, Bottleneck, Context, Attention)
}
"""The layers of a stack, by the word for each."""


@dataclass(frozen=True, kw_only=True)
class Stack(ModelConfig):
    """Layers of waves, each reading its medium from what the layer below heard; the defaults are `nwm-stack`'s.

    Example:
        >>> small = dh.Stack(waves=(dh.Layer(steps=20), dh.Modes()), image_channels=1)
        >>> dh.build(small)(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 6, 32, 32])
    """

    layer: ClassVar[type] = Layer
    waves: tuple[Layer | Modes | Bottleneck | Context | Attention, ...] = (Layer(), Layer(), Layer())
    """The layers, the first one nearest to the image: of waves, stepped or in closed form, or without any."""
    fine: int = 8
    """Maps at the image's own size, which the head sees beside what the layers heard."""
    width: int = 32
    """Maps of the features between the layers."""
    head: tuple[int, ...] = (16,)
    """Hidden widths of the pointwise network that turns features into logits."""

    def __post_init__(self) -> None:
        kinds = [type(layer) for layer in self.waves] if isinstance(self.waves, tuple) else []
        if not kinds or {*kinds} - {*LAYERS.values()}:
            raise DrumheadError(
                f"model.waves={self.waves!r}: a tuple of layers is needed, each one of "
                f"{', '.join(kind.__name__ for kind in LAYERS.values())}, as in (Layer(), Layer())"
            )
        if issubclass(kinds[-1], _Still) and not all(issubclass(kind, _Still) for kind in kinds):
            raise DrumheadError(
                f"model.waves: the last layer, {kinds[-1].__name__}, has no waves, but others have; put a "
                "Layer or Modes last, whose waves are heard"
            )
        super().__post_init__()
        if self.fine > self.width:
            raise DrumheadError(
                f"model.fine={self.fine}: at most model.width={self.width}, to which the stem widens it"
            )
        for layer in self.waves:
            if isinstance(layer, Attention) and self.width % layer.heads:
                raise DrumheadError(
                    f"model.heads={layer.heads}: they share model.width={self.width}, which they divide"
                )

    def flat(self) -> dict[str, Any]:
        """Return every setting, those of the last layer among them."""
        own = super().flat()
        return own | vars(own.pop("waves")[-1])

    def changed(self, **settings: Any) -> Self:
        """Return a copy with other settings, of the model or of every layer that has them."""
        known = {name for layer in self.waves for name in vars(layer)}
        refuse_unknown(type(self), settings, "model", {*vars(self), *known})
        own = {name: settings.pop(name) for name in vars(self) if name in settings}
        layers = tuple(
            replace(layer, **{name: value for name, value in settings.items() if name in vars(layer)})
            for layer in own.pop("waves", self.waves)
        )
        return replace(self, waves=layers, **own)


@dataclass(frozen=True, kw_only=True)
class Recurrent(_Spread, _Heard):
    """A convolutional recurrent network, the paper's counterpart of the waves; the defaults are its LSTM."""

    cell: Cell = "lstm"
    """The recurrent cell: a convolutional LSTM, GRU or Elman network. It is the family's name too."""
    steps: int = 20
    """Time steps (T)."""
    boundary: Edge = "periodic"
    """How an image goes on beyond its edge; a cell has no medium to absorb what arrives there."""

    @property
    def family(self) -> str:
        """The cell's word."""
        return self.cell


@dataclass(frozen=True, kw_only=True)
class _Deep(ModelConfig):
    """Convolutions one after another, then a pointwise head."""

    width: int = 16
    """Channels of the convolutions."""
    depth: int = 8
    """Convolutions of 3x3; the network sees 2 depth + 1 pixels. An even number for a resnet."""
    head: tuple[int, ...] = (256, 256, 256)
    """Hidden widths of the pointwise network that turns features into logits."""


@dataclass(frozen=True, kw_only=True)
class CNN(_Deep):
    """The paper's CNN."""

    channels: int = 2
    """Maps that the last of the convolutions narrows to."""


@dataclass(frozen=True, kw_only=True)
class ResNet(_Deep):
    """A CNN with normalisation and residuals."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth % 2:
            raise DrumheadError(f"model.depth={self.depth}: a resnet needs an even number of convolutions")


@dataclass(frozen=True, kw_only=True)
class UNet(ModelConfig):
    """A U-Net of four levels."""

    width: int = 4
    """Channels on the first level, the paper's 2 to 5; each level below has twice as many."""


FAMILIES: dict[str, type[ModelConfig]] = {
    "nwm": NWM,
    "stack": Stack,
    **dict.fromkeys(get_args(Cell), Recurrent),
    "cnn": CNN,
    "resnet": ResNet,
    "unet": UNet,
}


@dataclass(frozen=True)
class TrainConfig(Settings):
    """How to train; the defaults are the paper's protocol."""

    where: ClassVar[str] = "train"

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
    early: float = 0.0
    """Share of the batches that are answered after a random number of steps (of a stack, of its last layer), so that
    the network learns to answer before its end."""
    augment: Augment = "none"
    """shift: each image by up to an eighth of its sides, its edges repeated; dihedral: random flips and quarter turns
    of a batch (only where labels survive them); wrap: also random shifts with wrap-around."""
    crop: int = 0
    """Folder only: side of the squares in pixels, one cut at random from each image that is taken; smaller images are
    mirrored at their edges. 0 takes images of one size of up to 256 x 256 pixels whole and of others squares of up
    to 256, by the median of their shorter sides. Measured on are always whole images."""
    class_weights: ClassWeights = "none"
    """Weight of each class in the loss: balanced, so that rare classes count as much as frequent ones, or a number for
    each, the background first."""
    seed: int = 0
    """Seeds the initial weights, the order of the images and the augmentation."""
    limit: int = 0
    """Use only the first so many images of each split, for a quick look; 0 uses all."""
    precision: Precision = "32-true"
    """bf16-mixed rounds the factors of products to bfloat16; a processor that has no such products (`drumhead doctor`
    says) trains in float32 all the same."""
    accelerator: Accelerator = "auto"
    """Where to train; auto takes a GPU if there is one."""
    checkpoint_minutes: float = 2.0
    """Time between two checkpoints inside an epoch; one is also written after each epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.lr < math.inf:
            raise DrumheadError(f"train.lr={self.lr}: a positive learning rate is needed")
        for name in ("weight_decay", "clip", "checkpoint_minutes"):
            if not 0 <= getattr(self, name) < math.inf:
                raise DrumheadError(f"train.{name}={getattr(self, name)}: 0 or a positive number is needed")
        if self.seed >= 2**63:
            raise DrumheadError(f"train.seed={self.seed}: a seed below 2^63 is needed")
        if not 0 <= self.early < 1:
            raise DrumheadError(f"train.early={self.early}: a share of the batches, 0 to below 1, is needed")
        weights = self.class_weights
        if isinstance(weights, str) and weights not in ("none", "balanced"):
            raise DrumheadError(f"train.class_weights={weights!r}: none, balanced or a number for each class is needed")
        if not isinstance(weights, str) and not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
            raise DrumheadError(f"train.class_weights={weights}: numbers from 0 are needed, not all of them 0")
        if not 0 <= self.warmup < 1:
            raise DrumheadError(f"train.warmup={self.warmup}: a share of the steps, 0 to below 1, is needed")


@dataclass(frozen=True)
class RunConfig:
    """All that defines a run; written to `config.toml`, and enough to repeat it."""

    preset: str = "tetrominoes/nwm-linear"
    """Where the other settings started from."""
    task: str = "tetrominoes"
    """Images and masks: a task's name."""
    data: str = ""
    """Directory of the folder task, or of MNIST's IDX files; empty for the others."""
    model: ModelConfig = field(default_factory=NWM)
    """The network."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""
