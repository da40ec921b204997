"""The networks, and how they are made: encoder -> medium -> propagate -> readout -> logits.

`build` makes an untrained network, `load` a trained one; `save` writes a .safetensors file that carries its
config, so that a file is all that `load` needs.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from drumhead import stability
from drumhead.config import ModelConfig, from_dict, to_dict
from drumhead.encoders import Medium, SeparateEncoders, Stem
from drumhead.errors import DrumheadError, choose
from drumhead.presets import PRESETS, get_preset
from drumhead.propagate import propagate
from drumhead.readouts import Head, TimeReadout
from drumhead.records import All, Record

KERNEL_SHARE = 0.8  # of the stiffness that dt allows in a bounded medium; omega has the rest


class NeuralWaveMachine(nn.Module):
    """Segments an image by letting waves run through a medium that the image sets.

    omega, alpha, y0 = encoder(image);  y_1 .. y_T = propagate(...);  logits(pixel) = head(readout(y_1 .. y_T)).

    Args:
        config: all sizes and choices; `drumhead.build` takes a preset's name as well.

    Example:
        >>> model = dh.build("tetrominoes/nwm-fast")
        >>> model(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 6, 64, 64])

    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.kernel_budget, omega_largest = _budget(config) if config.courant else (math.inf, None)
        if config.encoder == "separate":
            self.encoder: nn.Module = SeparateEncoders(config)
        else:
            self.encoder = Stem(config, omega_largest)
        if config.coupling != "none":
            dense = config.coupling == "dense"
            self.kernel = nn.Parameter(stability.laplacian(config.channels, size=config.kernel_size, dense=dense))
        self.readout = TimeReadout(config)
        self.head = Head(config)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]; any height and width."""
        self._check(images)
        medium, features = self.encoder(images)
        heard = self.readout(self._propagate(medium, self.readout.record()))
        if self.config.skip:
            heard = torch.cat([heard, features], dim=1)
        return self.head(heard, images.shape[-2:])

    def medium(self, images: Tensor) -> Medium:
        """Return omega, alpha and y0, each (b, c, y, x), that the images set."""
        self._check(images)
        return self.encoder(images)[0]

    def waves(self, images: Tensor, steps: int | None = None) -> Tensor:
        """Return the series of waves, (b, t, c, y, x), one state a step from t = 1.

        Args:
            images: (b, k, y, x) in [0, 1].
            steps: how long to listen; the model's own T by default. More steps show the same medium for longer.

        """
        return self._propagate(self.medium(images), All(), steps)

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Return the label of every pixel, int64 (b, y, x), computed in evaluation mode without gradients."""
        with self._evaluating():
            return self(images).argmax(dim=1)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Be in evaluation mode for a while, so that looking does not move the statistics of the normalisation."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)

    @torch.no_grad()
    def courant(self, images: Tensor) -> float:
        """Return dt over the largest stable dt of the medium that the images set; above 1 it is unstable."""
        with self._evaluating():
            omega, alpha, _ = self.medium(images)
        limit = stability.stable_dt(self.coupling(), omega, alpha, integrator=self.config.integrator)
        return self.config.dt / limit

    def coupling(self) -> Tensor:
        """Return the coupling kernel as the waves see it: bounded if the config says so."""
        if self.config.coupling == "none":
            return next(self.parameters()).new_zeros(self.config.channels, 1, 1, 1)
        if math.isinf(self.kernel_budget):
            return self.kernel
        # Sums of |w| bound the stiffness (Gershgorin) and, unlike the exact value, cost nothing. Depthwise, each
        # channel has its own; dense, the Hermitian part mixes rows and columns.
        size = self.kernel.abs().sum((2, 3))
        size = size if self.config.coupling == "depthwise" else ((size.sum(0) + size.sum(1)) / 2).max().view(1, 1)
        return self.kernel * (self.kernel_budget / size.clamp(min=self.kernel_budget))[:, :, None, None]

    def _propagate(self, medium: Medium, record: Record, steps: int | None = None) -> Tensor:
        config = self.config
        kernel = self.coupling()
        with torch.autocast(kernel.device.type, enabled=False):  # errors of bfloat16 would add up over the steps
            omega, alpha, y0 = (field.to(kernel.dtype) for field in medium)
            return propagate(
                y0,
                omega,
                alpha,
                kernel,
                steps=config.steps if steps is None else steps,
                dt=config.dt,
                nonlinearity=config.nonlinearity,
                boundary=config.boundary,
                integrator=config.integrator,
                record=record,
                check_stability=False,  # reading values stalls a GPU; training reports `courant` instead
            )

    def _check(self, images: Tensor) -> None:
        k = self.config.image_channels
        if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != k or not images.numel():
            got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
            raise DrumheadError(
                f"images: got {got}; a tensor (b, {k}, y, x) is needed: this model was built for images of {k} "
                f"channel{'s' * (k > 1)} (dh.to_images makes one from a uint8 array)"
            )
        if not images.is_floating_point():
            raise DrumheadError(
                f"images: got {images.dtype}; floating point in [0, 1] is needed (dh.to_images divides by 255)"
            )


def _budget(config: ModelConfig) -> tuple[float, float]:
    """Split the stiffness that dt allows between the kernel and omega, the same with and without coupling."""
    total = (2 * config.courant / config.dt) ** 2
    return KERNEL_SHARE * total, (1 - KERNEL_SHARE) * total


def build(config: str | ModelConfig) -> NeuralWaveMachine:
    """Make an untrained network from a preset's name or a config.

    Args:
        config: a name from `drumhead.presets()` or a `ModelConfig`.

    Returns:
        The network, a `torch.nn.Module` with random weights; set `torch.manual_seed` before for the same ones.

    Raises:
        DrumheadError: the name is not known.

    Example:
        >>> sum(p.numel() for p in dh.build("tetrominoes/nwm-linear").parameters())
        176124

    """
    if isinstance(config, str):
        config = get_preset(config).model
    if not isinstance(config, ModelConfig):
        raise DrumheadError(f"build: got {type(config).__name__}; a preset's name or a ModelConfig is needed")
    return NeuralWaveMachine(config)


def save(model: NeuralWaveMachine, path: str | Path, **extra: str) -> None:
    """Write weights and config to one .safetensors file, whole or not at all.

    Args:
        model: the network.
        path: where to write.
        extra: further texts for the file's metadata, such as `preset` or `commit`.

    """
    from safetensors.torch import save as to_bytes

    from drumhead.files import write_atomic

    metadata = {"format": "drumhead", "model": json.dumps(to_dict(model.config)), **extra}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomic(Path(path), to_bytes(tensors, metadata))


def load(source: str | Path, *, format: str = "drumhead", readout: str = "linear") -> NeuralWaveMachine:
    """Load a trained network, in evaluation mode.

    Args:
        source: the name of shipped weights (`drumhead.model.shipped()` lists them), a run directory, or a file.
        format: "drumhead" for our .safetensors, "published" for the `cp.pt` state dict of the paper's code.
        readout: for "published" only: the readout that the weights were trained with, which that file does not
            say ("linear", "fft", "last", "mean" or "max").

    Returns:
        The network.

    Raises:
        DrumheadError: nothing of that name, or the file is not what it should be.

    Example:
        >>> model = dh.load("tetrominoes")
        >>> model.segment(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 64, 64])

    """
    choose("format", format, ("drumhead", "published"))
    if format == "published":
        from drumhead.published import load_published

        return load_published(Path(source), readout)
    path = find_weights(source)
    metadata, tensors = read_safetensors(path)
    if metadata.get("format") != "drumhead":
        raise DrumheadError(f"{path} carries no drumhead config; files written by drumhead.save do")
    model = build(from_dict(ModelConfig, json.loads(metadata["model"]), f"{path}: model"))
    fit(model, tensors, str(path))
    return model.eval()


def fit(model: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copy tensors into a model, naming the first that is missing, too many or of another shape."""
    own = model.state_dict()
    for name in sorted(own.keys() ^ tensors.keys()):
        raise DrumheadError(f"{where}: tensor {name} is {'missing' if name in own else 'not part of this model'}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise DrumheadError(
                f"{where}: tensor {name} has the shape {tuple(tensor.shape)}, the model {tuple(own[name].shape)}"
            )
    model.load_state_dict(tensors)


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and the tensors of a .safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DrumheadError(f"{path} is not a readable .safetensors file: {error}") from None


def shipped() -> dict[str, Path]:
    """Return the shipped weights by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "weights").glob("*.safetensors"))}


def find_weights(source: str | Path) -> Path:
    """Return the file that `load(source)` reads."""
    names = shipped()
    if str(source) in names:
        return names[str(source)]
    path = Path(source)
    if path.is_dir():
        path = path / "weights.safetensors"
    if path.is_file():
        return path
    hint = "; that is a preset's name: train it first, or use dh.build" if str(source) in PRESETS else ""
    raise DrumheadError(
        f"no weights at {str(source)!r}: give a run directory with weights.safetensors, a .safetensors file, or a "
        f"shipped name ({', '.join(names) or 'none in this installation'}){hint}"
    )
