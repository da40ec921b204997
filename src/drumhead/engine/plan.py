"""What an engine is asked to do, in plain numbers: the one recursion of `drumhead.propagate` and what to keep of it."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

SEGMENT = 12  # steps between checkpoints: 2 / SEGMENT planes of memory a step, errors of the reversal grow over as many

# Cells that damp more are not walked back: e^5 a segment leaves float32 gradients within 15 times the loop's error.
GROWTH = {torch.float32: 5.0, torch.float64: 20.0}

# Up to this share of all cells and so many bytes a call, their velocities are kept; beyond, segments are stored.
SHARE, ROOM = 0.5, 1 << 30


@dataclass(frozen=True)
class Rollout:
    """z <- decay z + gain (phi(W * y) - omega y), y <- y + dt z, with gain = offset + slope decay; T times.

    The first step takes the scalar gain `first_offset` and, if there is one, a decay map of its own.
    """

    steps: int
    dt: float
    offset: float
    slope: float
    first_offset: float
    tanh: bool
    boundary: str
    """"periodic", "fixed" or "reflecting"; absorbing is a margin that `propagate` adds and removes."""
    keep: str
    """"series": each `every`-th state; "project": basis (k, t) over time; "mix": basis (k, t, c) over time and
    channels; "max": the largest value and when it was."""
    every: int = 1
    segment: int = 0
    """Steps between the checkpoints that the backward pass needs; 0 keeps none."""
    reduced: bool = False
    """Products of "project" and "mix" in bfloat16, sums and state in float32, where an engine can."""
    forgetful: int = 0
    """Cells of an image, at most, whose damping is too strong to be walked back: their velocities z are kept."""
    stored: bool = False
    """Backward: recompute each segment forwards and store its states, instead of walking it back."""

    def forgets(self, dtype: torch.dtype) -> float:
        """Return the decay below which a cell is not walked back: its errors grow by 1 / decay at each step."""
        return math.exp(-GROWTH[dtype] / self.segment) if self.segment else 0.0

    def count(self, decay: Tensor) -> int:
        """Return how many cells of an image of (b, c, y, x) forget, at most."""
        return int(_forgetful(decay, self.forgets(decay.dtype)).sum((1, 2, 3)).max())

    def remembering(self, decay: Tensor) -> "Rollout":
        """Return the plan with the velocities of cells that forget, if keeping them pays and has room."""
        cells = self.count(decay)
        if not cells:
            return self
        pays = cells <= SHARE * decay[0].numel()
        fits = self.steps * len(decay) * cells * decay.element_size() <= ROOM
        least = float(decay.detach().min())  # below -1, y grows too, and walking it back loses as much
        calm = least >= -1 or self.segment * math.log(-least) <= GROWTH[decay.dtype]
        return replace(self, forgetful=cells) if pays and fits and calm else self

    def reversible(self, decay: Tensor) -> bool:
        """Say whether a segment can be walked back."""
        return self.forgetful > 0 or not _forgetful(decay, self.forgets(decay.dtype)).any()

    def segments(self) -> int:
        """Return how many checkpoints are kept."""
        return -(-self.steps // self.segment) if self.segment else 0

    def velocities(self, y0: Tensor) -> tuple[int, int, int]:
        """Return the shape of the velocities that are kept."""
        return (self.steps, y0.shape[0], self.forgetful)

    def kept(self, y0: Tensor, basis: Tensor | None, at: Tensor | None) -> tuple[int, ...]:
        """Return the shape of what is kept for an initial state (b, c, y, x); of some pixels (.., n, 1)."""
        b, c, *grid = y0.shape
        y, x = grid if at is None else (at.shape[1], 1)
        features = 0 if basis is None else basis.shape[0]
        match self.keep:
            case "series":
                return (b, self.steps // self.every, c, y, x)
            case "project":
                return (b, features, c, y, x)
            case "mix":
                return (b, features, y, x)
            case _:
                return (b, c, y, x)


def _forgetful(decay: Tensor, limit: float) -> Tensor:
    return ~(decay.detach() >= limit)  # NaN too
