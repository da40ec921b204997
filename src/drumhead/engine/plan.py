"""What an engine is asked to do, in plain numbers: the one recursion of `drumhead.propagate` and what to keep of it."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

SEGMENT = 12  # steps between checkpoints: 2 / SEGMENT planes of memory a step, errors of the reversal grow over as many
SHORTER = (6, 4, 3, 2, 1)  # where damping is too strong for that
ROOM = 1 << 30  # bytes of checkpoints up to which shorter segments are taken

# e^7 over a segment still leaves gradients in float32 at 1e-5; beyond that a segment is stored instead.
GROWTH = {torch.float32: 7.0, torch.float64: 20.0}


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
    """Products of the coupling in bfloat16, sums and state in float32, where an engine can."""
    stored: bool = False
    """Backward: recompute each segment forwards and store its states, instead of walking it back."""

    def reversible(self, decay: Tensor) -> bool:
        """Say whether a segment can be walked back: its errors grow by 1 / decay at each step."""
        return self.segment <= _longest(decay)

    def walkable(self, decay: Tensor, y0: Tensor) -> "Rollout":
        """Return the plan with segments short enough to be walked back, if their checkpoints have room; else itself."""
        longest = _longest(decay)
        if self.segment <= longest:
            return self
        fitting = (n for n in SHORTER if n <= min(longest, self.segment))
        shorter = replace(self, segment=next(fitting, self.segment))
        return shorter if 2 * shorter.segments() * y0.numel() * y0.element_size() <= ROOM else self

    def segments(self) -> int:
        """Return how many checkpoints are kept."""
        return -(-self.steps // self.segment) if self.segment else 0

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


def _longest(decay: Tensor) -> float:
    """Return the length of the longest segment that can be walked back."""
    least = float(decay.detach().min())
    if not least > 0:  # NaN too
        return 0
    return math.inf if least >= 1 else GROWTH[decay.dtype] / -math.log(least)
