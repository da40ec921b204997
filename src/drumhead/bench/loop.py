"""The Neural Wave Machine written the way its published code writes it: what our time is compared with.

Three encoders, an unrolled loop of separate elementwise operations that keeps every state, the whole series with
time moved last, a linear map over time, then the head on (pixels, features). Autograd records all of it. The
parameters are those of a drumhead model, so that logits and gradients must be equal and only the cost differs.

Source:
    arXiv 2502.06034 and its code, restated; nothing is copied.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.errors import DrumheadError
from drumhead.networks.encoders import SeparateEncoders
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import Segmenter

PAPER = {
    "family": "nwm",
    "readout": "linear",
    "encoder": "separate",
    "coupling": "dense",
    "boundary": "periodic",
    "nonlinearity": "tanh",
    "integrator": "euler",
    "courant": 0.0,
    "norm": False,
}


class Published(Segmenter):
    """The published loop on the parameters of `model`, which it shares.

    Args:
        model: a network like the presets */nwm-linear.

    Raises:
        DrumheadError: the network is not the paper's.

    Example:
        >>> from drumhead.bench.loop import Published
        >>> Published(dh.build("tetrominoes/nwm-linear"))(torch.rand(1, 3, 8, 8)).shape
        torch.Size([1, 6, 8, 8])
    """

    def __init__(self, model: Segmenter):
        super().__init__(model.config)
        settings = model.config.flat() | {"family": model.config.family}
        for name, needed in PAPER.items():
            if settings.get(name) != needed:
                raise DrumheadError(
                    f"model.{name}={settings.get(name)!r}: the published loop has {needed!r}; take a preset "
                    "*/nwm-linear"
                )
        assert isinstance(model, NeuralWaveMachine)
        assert isinstance(model.encoder, SeparateEncoders)
        self.model, self.encoder = model, model.encoder

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (b, classes, y, x) for images (b, k, y, x) in [0, 1]."""
        series = torch.stack(self._states(images), dim=1)  # (b, t, c, y, x)
        over_time = series.permute(0, 2, 3, 4, 1)
        heard = F.linear(over_time, self.model.readout.time_map)  # (b, c, y, x, k)
        b, _, height, width, _ = heard.shape
        pixels = heard.permute(0, 2, 3, 4, 1).reshape(b * height * width, -1)  # features ordered (k, c)
        for layer in self.model.head.layers:
            if isinstance(layer, nn.Conv2d):
                pixels = F.linear(pixels, layer.weight.flatten(1), layer.bias)
            else:
                pixels = torch.relu(pixels)
        return pixels.view(b, height, width, -1).permute(0, 3, 1, 2)

    def _states(self, images: Tensor) -> list[Tensor]:
        encoder, kernel, dt = self.encoder, self.model.kernel, self.model.dt
        radius = self.model.per_step
        omega = torch.relu(encoder.omega(images))
        alpha = torch.relu(encoder.alpha(images))
        y = torch.tanh(encoder.y0(images))
        z = torch.zeros_like(y)
        states = []
        for _ in range(self.model.steps):
            coupling = torch.tanh(F.conv2d(F.pad(y, (radius,) * 4, mode="circular"), kernel))
            force = coupling - omega * y - alpha * z
            z = z + dt * force
            y = y + dt * z
            states.append(y)
        return states
