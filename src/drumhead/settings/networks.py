"""Settings of each family of networks."""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self, get_args

from drumhead.errors import DrumheadError, shown
from drumhead.settings.base import Settings, refuse_unknown
from drumhead.settings.layers import Attention, Bottleneck, Context, Edge, Layer, Modes, Spread, Still, Waves

Readout = Literal["linear", "fft", "last", "mean", "max"]
Encoder = Literal["separate", "stem"]
Cell = Literal["lstm", "gru", "rnn"]
Start = Literal["torch", "he"]


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
            kinds = ", ".join(dict.fromkeys(kind.__name__ for kind in FAMILIES.values()))
            raise DrumheadError(f"ModelConfig is what all networks share; make one of {kinds}")
        return super().__new__(cls, *values, **settings)

    def __post_init__(self) -> None:
        super().__post_init__()
        head = getattr(self, "head", ())
        if not isinstance(head, tuple) or not all(isinstance(width, int) for width in head):
            raise DrumheadError(f"model.head={shown(head)}: a tuple of hidden widths is needed, such as (16,)")
        if any(width < 1 for width in head):
            raise DrumheadError(f"model.head={shown(head)}: hidden widths of at least 1 are needed")

    @property
    def family(self) -> str:
        """The word for the kind of network: nwm, stack, lstm, gru, rnn, cnn, resnet or unet."""
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
    """The one layer of waves; several make a `Stack`."""
    encoder: Encoder = "separate"
    """separate: the paper's three networks for omega, alpha and y0; stem: one shared network."""
    skip: bool = False
    """Let the head also see the stem's features (needs the stem encoder)."""
    norm: bool = False
    """Batch normalisation in the stem and on what the head sees (needs the stem encoder)."""

    def __post_init__(self) -> None:
        self._check(self.waves)
        super().__post_init__()
        (layer,) = self.waves
        if layer.stride not in (1, 2):
            raise DrumheadError(f"model.stride={layer.stride}: 1 or 2 is possible")
        if self.encoder == "separate" and (self.skip or self.norm or layer.stride != 1 or layer.courant):
            raise DrumheadError(
                "model.skip, model.norm, model.stride=2 and model.courant need --model.encoder stem; "
                "the paper's separate encoders have none of them"
            )

    @staticmethod
    def _check(waves: object) -> None:
        """Refuse what is not one layer of waves."""
        if not isinstance(waves, tuple) or [type(layer) for layer in waves] != [Waves]:
            raise DrumheadError(
                f"model.waves={shown(waves)}: a tuple of one layer, (Waves(...),), is needed; several make a Stack"
            )

    def flat(self) -> dict[str, Any]:
        """Return every setting, those of the last layer of waves among them."""
        own = super().flat()
        return own | vars(own.pop("waves")[-1])

    def changed(self, **settings: Any) -> Self:
        """Return a copy with other settings, of the model or of every layer of waves."""
        of_layers = {item.name: settings.pop(item.name) for item in fields(Waves) if item.name in settings}
        waves = settings.pop("waves", self.waves)
        self._check(waves)
        return replace(self, waves=tuple(replace(layer, **of_layers) for layer in waves), **settings)


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
    rounds: int = 1
    """How often the layers run, with the same weights: the next round goes on from what one has found. A trained
    network can take more of them, and its news then come farther (`model.listening`)."""
    fewest: int = 1
    """Fewest rounds in training, which draws a number from these to `rounds` for each batch, so that any will do."""
    taught: int = 0
    """How many of the last rounds a gradient goes back through; those before them are taken as they come, which costs
    less and teaches a round to go on from whatever it finds. 0 goes back through all."""
    late: float = 0.0
    """Share of the batches in training, 0 to 1, of which rounds have already seen a part, the rest being black: what
    comes to light then is late, as news from afar is, and a round learns not to settle on an answer before it."""

    def __post_init__(self) -> None:
        kinds = self._check(self.waves)
        if issubclass(kinds[-1], Still) and not all(issubclass(kind, Still) for kind in kinds):
            raise DrumheadError(
                f"model.waves: the last layer, {kinds[-1].__name__}, has no waves, but others have; put a "
                "Layer or Modes last, whose waves are heard"
            )
        super().__post_init__()
        if self.fewest > self.rounds:
            raise DrumheadError(
                f"model.fewest={self.fewest}: training draws from so many to model.rounds={self.rounds}, which is less"
            )
        if self.taught >= self.rounds:
            self.refuse_idle(f"model.rounds={self.rounds}, no more than these", "taught")
        if self.rounds == 1:
            self.refuse_idle("model.rounds=1", "late")
        if not 0 <= self.late <= 1:
            raise DrumheadError(f"model.late={self.late}: a share of the batches is needed, 0 to 1")
        if self.fine > self.width:
            raise DrumheadError(
                f"model.fine={self.fine}: at most model.width={self.width}, to which the stem widens it"
            )
        for layer in self.waves:
            if isinstance(layer, Attention) and self.width % layer.heads:
                raise DrumheadError(
                    f"model.heads={layer.heads}: they share model.width={self.width}, which they divide"
                )

    @staticmethod
    def _check(waves: object) -> list[type]:
        """Return the kinds of some layers, or refuse what are none."""
        kinds: list[type] = [type(layer) for layer in waves] if isinstance(waves, tuple) else []
        if not kinds or {*kinds} - {*LAYERS.values()}:
            raise DrumheadError(
                f"model.waves={shown(waves)}: a tuple of layers is needed, each one of "
                f"{', '.join(kind.__name__ for kind in LAYERS.values())}, as in (Layer(), Layer())"
            )
        return kinds

    def flat(self) -> dict[str, Any]:
        """Return every setting, those of the last layer among them."""
        own = super().flat()
        return own | vars(own.pop("waves")[-1])

    def changed(self, **settings: Any) -> Self:
        """Return a copy with other settings, of the model or of every layer that has them."""
        self._check(settings.get("waves", self.waves))
        known = {name for layer in self.waves for name in vars(layer)}
        refuse_unknown(type(self), settings, "model", {*vars(self), *known})
        own = {name: settings.pop(name) for name in vars(self) if name in settings}
        layers = tuple(
            replace(layer, **{name: value for name, value in settings.items() if name in vars(layer)})
            for layer in own.pop("waves", self.waves)
        )
        return replace(self, waves=layers, **own)


@dataclass(frozen=True, kw_only=True)
class Recurrent(Spread, _Heard):
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
