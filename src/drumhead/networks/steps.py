"""What somebody else's loop over time runs: one step of the waves, and what is heard after it."""

import torch
from torch import Tensor, nn

from drumhead.engine.eager import coefficients, pulled, step
from drumhead.networks.readouts import TimeReadout
from drumhead.physics.absorbing import inside
from drumhead.physics.records import Fourier, magnitude
from drumhead.settings.config import Waves

AROUND = ("y_around", "z_around", "omega_around", "alpha_around")  # with the margin of an absorbing boundary


class Step(nn.Module):
    """One step of the recursion of `engine/eager.py`; the first one of Verlet's is half a kick.

    Args:
        layer: its settings.
        kernel: coupling as the waves see it.
    """

    def __init__(self, layer: Waves, kernel: Tensor):
        super().__init__()
        self.layer, self.absorbs = layer, layer.boundary == "absorbing"
        self.register_buffer("kernel", kernel.detach().clone())
        self.kernel: Tensor
        medium = AROUND if self.absorbs else ("y", "z", "omega", "alpha")
        self.inputs = (*medium, *["first"] * (layer.integrator == "verlet"), *["coupling"] * (layer.coupling != "none"))
        self.outputs = ("y", "z", *medium[:2]) if self.absorbs else ("y", "z")

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return y and z; `first` is 1 in the first step, else 0; `coupling` scales W * y."""
        y, z, omega, alpha, *_ = tensors
        given = dict(zip(self.inputs, tensors, strict=True))
        decay, half, offset, slope, first_gain = coefficients(alpha, self.layer.dt, self.layer.integrator)
        gain = offset + slope * decay if slope else y.new_full((), offset)
        if half is not None:
            first = given["first"] > 0
            decay, gain = torch.where(first, half, decay), torch.where(first, first_gain, gain)
        pull = torch.zeros_like(y)
        if "coupling" in given:
            boundary = "fixed" if self.absorbs else self.layer.boundary  # beyond the margin
            pull = given["coupling"] * pulled(y, self.kernel, boundary)
            pull = pull.tanh() if self.layer.nonlinearity == "tanh" else pull
        y, z = step(y, z, omega, decay, gain, pull, self.layer.dt)
        if not self.absorbs:
            return y, z
        inner = inside()
        return y[inner], z[inner], y, z


class Hear(nn.Module):
    """What a readout keeps, one state after another, (b, k, c, y, x): at any time the answer so far can be read."""

    def __init__(self, readout: TimeReadout):
        super().__init__()
        self.readout = readout
        self.inputs = {"last": ("y",), "max": ("heard", "y")}.get(readout.kind, ("heard", "y", "step"))
        if readout.kind == "fft":
            like = torch.zeros(())
            self.register_buffer("turns", Fourier(readout.bins or None).turns(readout.steps, like))
            self.turns: Tensor

    def silence(self, y: Tensor) -> Tensor:
        """Return what is heard before the first step."""
        count = self.readout.features * (2 if self.readout.kind == "fft" else 1)
        nothing = -torch.inf if self.readout.kind == "max" else 0.0
        return y.new_full((y.shape[0], count, *y.shape[1:]), nothing)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return what is heard with step number `step`, from 0, added to it."""
        given, kind = dict(zip(self.inputs, tensors, strict=True)), self.readout.kind
        y = given["y"][:, None]
        if kind == "last":
            return y
        heard = given["heard"]
        if kind == "max":
            return torch.maximum(heard, y)
        step = given["step"]
        if kind in ("linear", "fft"):
            basis = self.turns if kind == "fft" else self.readout.time_map
            return heard + basis.index_select(1, step.view(1)).view(1, -1, 1, 1, 1) * y
        return (heard * step + y) / (step + 1)

    def told(self, heard: Tensor) -> Tensor:
        """Return what the network makes its answer from."""
        return magnitude(heard) if self.readout.kind == "fft" else heard
