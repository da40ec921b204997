"""What an engine is asked to do: the one recursion of `drumhead.propagate`, what to keep of it, and its tensors."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

SEGMENT = 12  # steps between checkpoints: 2 / SEGMENT planes of memory a step, errors of the reversal grow over as many

# Oscillators that damp more are not walked back: e^5 a segment leaves float32 gradients within 15 times the loop's
# error.
GROWTH = {torch.float32: 5.0, torch.float64: 20.0}


class Fields(NamedTuple):
    """Tensors of a propagation. What broadcasts to y0 does so until `run` expands it; an engine's are contiguous."""

    y0: Tensor
    """(b, c, y, x)"""
    z0: Tensor | None
    """None: at rest."""
    omega: Tensor
    decay: Tensor
    """What a step leaves of z."""
    first_decay: Tensor | None
    """The same for the first step; None: decay."""
    kernel: Tensor
    """(c, c, ky, kx) dense or (c, 1, ky, kx) depthwise"""
    basis: Tensor | None = None
    """(k, T) to project, (k, T, c) to mix"""
    at: Tensor | None = None
    """Pixels (b, n) in rising order: keep only these of a projection. Only the C engine can."""


class Results(NamedTuple):
    """What an engine returns of a propagation; what is not asked for is empty."""

    out: Tensor
    """What the plan keeps."""
    end: Tensor
    """y and z after the last step, (2, b, c, y, x)."""
    saved: Tensor
    """Checkpoints (n, 2, b, c, y, x)."""
    argmax: Tensor
    """Steps of the maxima (b, c, y, x), int32."""
    velocities: Tensor
    """Those of oscillators that forget, (steps, b, n)."""


GIVEN = ("grad_out", "grad_end", *Results._fields[2:])
"""What an adjoint is given in the place of the results: gradients of the first two, empty where there is none."""


@dataclass(frozen=True)
class Plan:
    """z <- decay z + gain (phi(W * y) - omega y), y <- y + dt z, with gain = offset + slope decay; T times.

    The first step takes the scalar gain `first_offset` and, if there is one, a decay map of its own; unless others
    have gone before it.
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
    begun: bool = False
    """The first step is like the others: y0 and z0 are what such a step has left behind."""
    ends: bool = False
    """Return y and z after the last step, too."""
    segment: int = 0
    """Steps between the checkpoints that the backward pass needs; 0 keeps none."""
    reduced: bool = False
    """Products of "project" and "mix" in bfloat16, sums and state in float32, where an engine can."""
    limit: float = 0.0
    """Refuse gradients of states that were reconstructed worse than this, see `checking`; 0 does not ask."""

    # How the engines go about it, which costs time or memory and changes rounding alone; `planning` sets these.
    forgetful: int = 0
    """Oscillators of an image, at most, whose damping is too strong to be walked back: their velocities z are kept."""
    stored: bool = False
    """Backward: recompute each segment forwards and store its states, instead of walking it back."""
    growth: float = GROWTH[torch.float32]
    """Logarithm of how much the errors of a state may grow while a segment is walked back."""
    share: float = 0.5
    """Up to this share of all oscillators and `room` bytes a call, velocities are kept; beyond, segments are stored."""
    room: int = 1 << 30
    quad_channels: int = 8
    """Channels from which half the multiplications pay for the additions around them: four rows at once."""
    block: int = 20
    """States per matrix product of a projection."""
    sheet: int = 2**14
    """Oscillators of a plane, at most, whose sheets the C engine lets ring one after another."""

    def numbers(self) -> tuple[list[Any], ...]:
        """Return all of it in one list a type, which an operator's schema takes sooner than many arguments."""
        return tuple([getattr(self, name) for name in names] for names in NAMES.values())

    @classmethod
    def of(cls, *numbers: list[Any]) -> "Plan":
        """Return the plan again."""
        pairs = zip(NAMES.values(), numbers, strict=True)
        return cls(**{name: value for names, values in pairs for name, value in zip(names, values, strict=True)})

    def forgets(self) -> float:
        """Return the decay below which an oscillator is not walked back: its errors grow by 1 / decay at each step."""
        return math.exp(-self.growth / self.segment) if self.segment else 0.0

    def count(self, decay: Tensor) -> int:
        """Return how many oscillators of an image of (b, c, y, x) forget, at most."""
        return int(_forgetful(decay, self.forgets()).sum((1, 2, 3)).max())

    def by_sheets(self, fields: Fields) -> bool:
        """Say whether the C engine lets sheets ring one after another, as those can that are small and ring apart.

        Their adjoint makes the states of a segment once more and walks none back, so that no oscillator has to remember
        anything; the last checkpoint, which only walking back would begin with, stays empty.
        """
        y0, apart = fields.y0, fields.kernel.shape[1:] == (1, 3, 3)
        return y0.is_cpu and apart and self.boundary == "fixed" and y0.shape[2] * y0.shape[3] <= self.sheet

    def remembering(self, decay: Tensor) -> "Plan":
        """Return the plan with the velocities of oscillators that forget, if keeping them pays and has room."""
        count = self.count(decay)
        if not count:
            return self
        pays = count <= self.share * decay[0].numel()
        fits = self.steps * len(decay) * count * decay.element_size() <= self.room
        least = float(decay.detach().min())  # below -1, y grows too, and walking it back loses as much
        calm = least >= -1 or self.segment * math.log(-least) <= self.growth
        return replace(self, forgetful=count) if pays and fits and calm else self

    def reversible(self, decay: Tensor) -> bool:
        """Say whether a segment can be walked back."""
        return self.forgetful > 0 or not _forgetful(decay, self.forgets()).any()

    def segments(self) -> int:
        """Return how many checkpoints are kept."""
        return -(-self.steps // self.segment) if self.segment else 0

    def shapes(self, fields: Fields) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of the results; of some pixels (.., n, 1) is kept."""
        (b, c, *grid), basis, at = fields.y0.shape, fields.basis, fields.at
        y, x = grid if at is None else (at.shape[1], 1)
        features = 0 if basis is None else basis.shape[0]
        match self.keep:
            case "series":
                kept = (b, self.steps // self.every, c, y, x)
            case "project":
                kept = (b, features, c, y, x)
            case "mix":
                kept = (b, features, y, x)
            case _:
                kept = (b, c, y, x)
        state = (b, c, *grid)
        end, argmax = (2, *state) if self.ends else (0,), state if self.keep == "max" else (0,)
        return kept, end, (self.segments(), 2, *state), argmax, (self.steps, b, self.forgetful)

    def results(self, fields: Fields) -> Results:
        """Return memory for the results."""
        kinds = (torch.int32 if name == "argmax" else fields.y0.dtype for name in Results._fields)
        shapes = self.shapes(fields)
        return Results(*(fields.y0.new_empty(s, dtype=k) for s, k in zip(shapes, kinds, strict=True)))


NAMES = {kind: tuple(field.name for field in fields(Plan) if field.type is kind) for kind in (int, float, bool, str)}
_changes: ContextVar[tuple[tuple[str, Any], ...]] = ContextVar("changes", default=())


@contextmanager
def planning(**changes: Any) -> Iterator[None]:
    """Let the propagations of this thread or task be planned with other numbers of `Plan` for a while.

    Example:
        >>> with planning(segment=5):
        ...     pass  # dh.propagate(...)
    """
    token = _changes.set((*_changes.get(), *changes.items()))
    try:
        yield
    finally:
        _changes.reset(token)


@torch.compiler.assume_constant_result  # torch.compile knows no context variables: it takes what holds while it traces
def planned() -> tuple[tuple[str, Any], ...]:
    """Return the changes that `planning` asks for, later ones last."""
    return _changes.get()


def _forgetful(decay: Tensor, limit: float) -> Tensor:
    return ~(decay.detach() >= limit)  # NaN too
