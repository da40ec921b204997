"""A layer of a stack: features -> medium -> waves -> what is heard -> features.

    medium = conv_1x1(x);  y_1 .. y_T = propagate(medium);  heard = K combinations over time of each sheet
    x <- relu(x + norm(conv_1x1(relu(norm(heard)))))

Two kinds behind one interface: `Stepped`, whose medium the features set, and `Closed`, whose medium is the same
everywhere, so that its waves are known at all times at once. Both work on a grid of their own, as fine as the features
or coarser by a power of two. In rounds (`rounds.py`) a layer looks at one thing and adds to another.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.operator import transformed, unseen
from drumhead.networks import shortcut
from drumhead.networks.chain import RELU, added, chained, told
from drumhead.networks.encoders import Constant
from drumhead.networks.media import bounded, carry, grown, laplacian, largest_omega, medium_of, shrunk
from drumhead.networks.reach import EVERYWHERE
from drumhead.networks.readouts import TimeReadout
from drumhead.networks.rounds import Recall, Shown, normal, seen
from drumhead.physics import spectral, stability
from drumhead.physics.medium import Medium
from drumhead.physics.records import Record
from drumhead.settings.config import Layer, Modes

STORED = 2**25  # bytes of what a closed form keeps of its last call, at the most


def precise(numbers: Tensor) -> Tensor:
    """Return numbers in float32 or finer: torch has no transforms in half precision, and late phases would be lost."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))


class Start(NamedTuple):
    """What features set before the first step; each (b, c, y, x). A closed form has no medium of its own here."""

    y0: Tensor
    z0: Tensor | None
    medium: Medium | None


class WaveLayer(nn.Module):
    """What both kinds share; subclasses define `start`, `run` and `heard`.

    Attributes:
        per_step: oscillators that a step can carry anything.
        steps: T.
        dt: model time between two states.
    """

    per_step: int
    steps: int
    dt: float

    def __init__(self, channels: int, bins: int, width: int, coarser: int, again: bool = False):
        super().__init__()
        self.coarser = coarser
        self.recall = Recall(width) if again else None
        self.norm = normal(channels * bins, again)
        self.mix = nn.Conv2d(channels * bins, width, 1, bias=False)
        self.mixed = normal(width, again)

    def start(self, x: Tensor) -> Start:
        """Return what features (b, width, y, x) set before the first step."""
        raise NotImplementedError

    def run(self, start: Start, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves."""
        raise NotImplementedError

    def heard(self, start: Start) -> Tensor:
        """Return what is heard, (b, k, c, y, x)."""
        raise NotImplementedError

    def forward(self, x: Tensor, shown: Shown | None = None) -> Tensor:
        """Return the features with what the waves told added to them; `shown` is what a round sees of the stem's."""
        look, onto = seen(self, x, shown)
        return self.add(onto, self.listened(look))

    def listened(self, x: Tensor) -> Tensor:
        """Return what is heard, given the features that set the medium."""
        return self.heard(self.start(x))

    def add(self, x: Tensor, heard: Tensor) -> Tensor:
        """Return the features with what was heard added to them."""
        heard = heard.flatten(1, 2)
        if self.recall and self.coarser == 1:
            return told(x, heard, self.norm, self.mix, self.mixed)
        if self.recall:
            found = chained((self.norm, RELU, self.mix), heard)
            return chained((self.mixed, RELU), x + grown(found, x, self.coarser))
        if self.coarser == 1:
            assert isinstance(self.norm, nn.BatchNorm2d)
            assert isinstance(self.mixed, nn.BatchNorm2d)
            return added(x, heard, self.norm, self.mix, self.mixed)
        found = chained((self.norm, RELU, self.mix, self.mixed), heard)
        return (x + grown(found, x, self.coarser)).relu_()


class Stepped(WaveLayer):
    """Waves in a medium that the features set, a step at a time, in any engine.

    Args:
        layer: its settings.
        width: maps of the features.
        coarser: grid points of the features per oscillator in each direction.
        again: whether it runs in rounds.
    """

    def __init__(self, layer: Layer, width: int, coarser: int, again: bool = False):
        super().__init__(layer.channels, layer.bins, width, coarser, again)
        self.layer, self.steps, self.dt = layer, layer.steps, layer.dt
        self.per_step = 0 if layer.coupling == "none" else layer.kernel_size // 2
        self.largest = largest_omega(layer)
        c = layer.channels
        known = {"omega": layer.omega, "alpha": layer.alpha, "y0": "image", "z0": layer.velocity}
        self.parts = [part for part, source in known.items() if source == "image"]
        self.medium = nn.Conv2d(width, len(self.parts) * c, 1)
        start = torch.linspace(-5, 0, c) if layer.spread else torch.zeros(c)  # of omega, before a sigmoid
        if "omega" in self.parts:
            assert self.medium.bias is not None
            self.medium.bias.data[:c] = start
        else:
            self.omega = Constant(c, start)
        if "alpha" not in self.parts:
            self.alpha = Constant(c, 0.0)
        if layer.coupling != "none":
            self.kernel = laplacian(layer)
        if layer.coupling == "mixed":
            self.sheets = nn.Parameter(torch.eye(c) + torch.randn(c, c) * 0.1 / c**0.5)
        self.readout = TimeReadout("linear", layer.bins, layer.steps)

    @property
    def constant(self) -> list[str]:
        """What of omega and alpha the features do not set."""
        return [part for part in ("omega", "alpha") if part not in self.parts]

    def coupling(self) -> Tensor:
        """Return the coupling kernel as the waves see it: bounded if the settings say so."""
        if self.layer.coupling == "none":
            return self.medium.weight.new_zeros(self.layer.channels, 1, 1, 1)
        if self.layer.coupling == "mixed":
            return bounded(self.layer, self.sheets[:, :, None, None] * self.kernel[:, 0])
        return bounded(self.layer, self.kernel)

    def start(self, x: Tensor) -> Start:
        """Return the medium, displacement and velocity."""
        x = shrunk(x, self.coarser)
        constants = {part: getattr(self, part) for part in self.constant}
        medium, z0 = medium_of(self.medium, x, self.parts, self.largest, constants)
        return Start(medium.y0, z0, medium)

    def run(self, start: Start, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves."""
        assert start.medium is not None
        return carry(self.layer, self.coupling(), start.medium, start.z0, record, steps)

    def advance(self, start: Start, record: Record, steps: int) -> tuple[Any, Start]:
        """Return what a record keeps of the next states, and the medium with the state that they leave behind."""
        assert start.medium is not None
        kept, state = carry(self.layer, self.coupling(), start.medium, start.z0, record, steps, return_state=True)
        return kept, Start(start.y0, None, start.medium._replace(y0=state))

    def heard(self, start: Start) -> Tensor:
        """Return the learned combinations over time."""
        return self.run(start, self.readout.record(), self.steps)

    def listened(self, x: Tensor) -> Tensor:
        """Return what is heard, given the features that set the medium, the short way where it can be taken."""
        if type(self) is Stepped and not self.constant and not torch.is_grad_enabled():
            found = shortcut.heard(self, x)
            if found is not None:
                return found
        return super().listened(x)

    def courant(self, start: Start) -> float:
        """Return dt over the largest stable dt."""
        assert start.medium is not None
        omega, alpha, _ = start.medium
        return self.dt / stability.stable_dt(self.coupling(), omega, alpha, integrator=self.layer.integrator)


class Closed(WaveLayer):
    """Linear waves in closed form: y0 and z0 from the features, all learned times at once, no loop over time.

    Each sheet has its own omega, alpha and speed (oscillators per unit time) and hears at its own times.

    Args:
        layer: its settings.
        width: maps of the features.
        coarser: grid points of the features per oscillator in each direction.
        again: whether it runs in rounds.
    """

    dt = 0.5  # of movies: the waves themselves have no step
    per_step = EVERYWHERE  # and no light cone: every mode spans the grid
    laplacian: Tensor

    def __init__(self, layer: Modes, width: int, coarser: int, again: bool = False):
        super().__init__(layer.channels, layer.bins, width, coarser, again)
        self.layer, self.steps, c = layer, math.ceil(layer.reach / self.dt), layer.channels
        self.medium = nn.Conv2d(width, 2 * c, 1)
        self.omega = nn.Parameter(torch.linspace(-5, 0, c))  # these three through softplus
        self.alpha = nn.Parameter(torch.full((c,), -2.0))
        self.speed = nn.Parameter(torch.full((c,), 0.5))
        times = torch.arange(1, layer.bins + 1) * (layer.reach / layer.bins)
        self.times = nn.Parameter(times.log()[:, None].repeat(1, c))
        # Of the layer, so that it is where the layer is: a copy from the host breaks a CUDA graph.
        self.register_buffer("laplacian", stability.laplacian(1), persistent=False)
        self.stored: tuple[torch.Size, Tensor, tuple[Tensor, Tensor]] | None = None

    def start(self, x: Tensor) -> Start:
        """Return displacement and velocity."""
        y0, z0 = self.medium(shrunk(x, self.coarser)).tanh().chunk(2, dim=1)
        return Start(y0, z0, None)

    def _modes(self, size: torch.Size, times: Tensor, coupling: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """Return what becomes of y0 and z0 in each mode at times (t, c): two factors (t, c, modes in y, modes in x)."""
        learned = (self.omega, self.alpha, self.speed)
        omega, alpha, speed = (F.softplus(precise(value))[:, None, None] for value in learned)
        kernel = self.laplacian.to(times) * speed.square()[..., None] * coupling
        stiff = spectral.squared_frequencies(kernel, omega, size, self.layer.boundary, mirrored=True)
        return spectral.exact(stiff, alpha, times[:, :, None, None])

    def _stored(self, size: torch.Size, times: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same from the last call, if nothing that it depends on has another value now."""
        numbers = torch.cat([self.omega, self.alpha, self.speed, times.flatten()])
        kept = self.stored
        # Numbers of two types may be equal, what was computed of them is not.
        same = kept and kept[0] == size and kept[1].dtype == numbers.dtype and torch.equal(kept[1], numbers)
        if kept is None or not same:
            kept = (size, numbers, self._modes(size, times))
            self.stored = kept if sum(factor.nbytes for factor in kept[2]) <= STORED else None
        return kept[2]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "stored": None}  # a copy or a file has no use for it

    def at(self, start: Start, times: Tensor, coupling: Tensor | None = None) -> Tensor:
        """Return the waves at precise times (t, c), one list a sheet: (b, t, c, y, x) in the type of the weights.

        Args:
            start: y0 and z0.
            times: in model time.
            coupling: what W is multiplied by, a number; 0 cuts it, None leaves it.
        """
        boundary, size = self.layer.boundary, start.y0.shape[-2:]
        given = (start.y0, self.omega, self.alpha, self.speed, times)
        # The values are asked, which a GPU would wait for, and a graph or a transform of torch.func has none of.
        asks = coupling is None and times.is_cpu and unseen(given) and not transformed(given)
        with torch.autocast(start.y0.device.type, enabled=False):
            of_y, of_z = (
                self._stored(size, times) if asks else self._modes(size, times, 1.0 if coupling is None else coupling)
            )
            assert start.z0 is not None
            y, z = (spectral.forth(field.to(times.dtype), boundary, True)[:, None] for field in (start.y0, start.z0))
            return spectral.back(of_y * y + of_z * z, size, boundary, True).to(self.times.dtype)

    def run(self, start: Start, record: Record, steps: int) -> Any:
        """Return what a record keeps of the waves at whole multiples of dt."""
        record.check(steps, self.layer.channels)
        times = self.dt * torch.arange(1, steps + 1, device=start.y0.device, dtype=precise(self.times).dtype)
        return record.of(self.at(start, times[:, None].expand(-1, self.layer.channels)))

    def heard(self, start: Start, coupling: Tensor | None = None) -> Tensor:
        """Return the waves at the learned times; `coupling` as in `at`."""
        return self.at(start, precise(self.times).exp(), coupling)


def make_layer(layer: Layer | Modes, width: int, coarser: int, again: bool) -> Stepped | Closed:
    """Return the layer that its settings describe."""
    if isinstance(layer, Layer):
        return Stepped(layer, width, coarser, again)
    return Closed(layer, width, coarser, again)
