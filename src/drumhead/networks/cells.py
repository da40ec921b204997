"""Convolutional recurrent cells, and the network that runs one for T steps and reads it out over time.

Nothing but the image sets the start; after that the cell hears only itself, so that its states can be compared with
waves. A cell maps (x, state) to the next state; the first tensor of the state is the hidden map h.

    lstm   i, f, g, o = conv([x, h]);  c <- sigmoid(f) c + sigmoid(i) tanh(g);  h <- sigmoid(o) tanh(c)
    gru    r, u = sigmoid(conv([x, h]));  h <- (1 - u) h + u tanh(conv([x, r h]))
    rnn    h <- relu(conv(x) + conv(h))
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.boundaries import pad
from drumhead.networks.encoders import stack
from drumhead.networks.reach import Interval, convolved
from drumhead.networks.readouts import Head, TimeReadout
from drumhead.networks.segmenter import pixelwise
from drumhead.networks.timed import Timed
from drumhead.physics.records import Record
from drumhead.settings.config import Recurrent

State = tuple[Tensor, ...]


class EdgeConv(nn.Conv2d):
    """A convolution whose edges are those of `drumhead.engine.boundaries`, for images of any size."""

    def __init__(self, inner: int, outer: int, config: Recurrent):
        super().__init__(inner, outer, config.kernel_size)
        self.boundary, self.radius = config.boundary, config.kernel_size // 2

    def forward(self, input: Tensor) -> Tensor:
        """Extend the edges, then convolve."""
        return super().forward(pad(input, (self.radius, self.radius), self.boundary))


class LSTMCell(nn.Module):
    """A convolutional LSTM without peepholes; state (h, c)."""

    states, hops = 2, 1

    def __init__(self, config: Recurrent):
        super().__init__()
        self.gates = EdgeConv(2 * config.channels, 4 * config.channels, config)

    def forward(self, x: Tensor, state: State) -> State:
        """Take one step."""
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        # The order of the gates is ours; a permutation of the channels of `gates` gives any other.
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class GRUCell(nn.Module):
    """A convolutional GRU; state (h,)."""

    states, hops = 1, 2  # its candidate convolves r h, and r at a neighbour has itself convolved h

    def __init__(self, config: Recurrent):
        super().__init__()
        self.gates = EdgeConv(2 * config.channels, 2 * config.channels, config)
        self.candidate = EdgeConv(2 * config.channels, config.channels, config)

    def forward(self, x: Tensor, state: State) -> State:
        """Take one step."""
        (h,) = state
        r, u = self.gates(torch.cat([x, h], 1)).sigmoid().chunk(2, 1)
        return ((1 - u) * h + u * self.candidate(torch.cat([x, r * h], 1)).tanh(),)


class RNNCell(nn.Module):
    """A convolutional Elman network with ReLU; state (h,)."""

    states, hops = 1, 1

    def __init__(self, config: Recurrent):
        super().__init__()
        self.of_input = EdgeConv(config.channels, config.channels, config)
        self.of_state = EdgeConv(config.channels, config.channels, config)

    def forward(self, x: Tensor, state: State) -> State:
        """Take one step."""
        (h,) = state
        return (F.relu(self.of_input(x) + self.of_state(h)),)


CELLS = {"lstm": LSTMCell, "gru": GRUCell, "rnn": RNNCell}


class RecurrentNetwork(Timed):
    """The paper's recurrent baselines: out <- mlp(h), x <- out, for T steps, read out like the waves.

    The image sets the first input, tanh of a network of depth 4, and each map of the state, a network of depth 3.

    Args:
        config: `cell` chooses the cell.
    """

    dt = 0.1  # a cell has no time of its own: that of the paper's waves, where a picture or a sound needs one

    def __init__(self, config: Recurrent):
        super().__init__(config)
        cell, self.steps, self.channels = CELLS[config.cell], config.steps, config.channels
        self.per_step = cell.hops * (config.kernel_size // 2)
        ends = (config.image_channels, config.width, config.channels)
        self.first = stack(*ends, depth=4)
        self.states = nn.ModuleList(stack(*ends, depth=3) for _ in range(cell.states))
        self.cell = cell(config)
        c = config.channels
        self.mlp = nn.Sequential(*pixelwise(c, (2 * c,), c))
        self.readout = TimeReadout(config.readout, config.bins, self.steps)
        self.head = Head(config, c * self.readout.features)

    def encode(self, images: Tensor, layer: int = -1) -> tuple[State, None]:
        """Return the first input of the cell, then the maps of its state."""
        return (self.begin(images), *(start(images) for start in self.states)), None

    def begin(self, images: Tensor) -> Tensor:
        """Return the first input of the cell, (b, c, y, x)."""
        return self.first(images).tanh()

    def seen(self, rows: Interval) -> Interval:
        """Return the rows of the image that the networks of the start see."""
        return convolved(rows, 4)

    def following(self, last: State) -> State:
        """Return the input of the cell and the maps of its state one step later."""
        out, *state = last
        state = self.cell(out, state)
        return (self.mlp(state[0]), *state)

    def run(self, start: State, record: Record, steps: int) -> Any:
        """Return what a record keeps of the cell's outputs."""
        return self.advance(start, record, steps)[0]

    def advance(self, start: State, record: Record, steps: int) -> tuple[Any, State]:
        """Return what a record keeps of the next outputs, and the input and state that follow."""
        last = start

        def outputs():
            nonlocal last
            for _ in range(steps):
                last = self.following(last)
                yield last[0]

        record.check(steps, self.channels)
        return record.collect(outputs(), steps), last
