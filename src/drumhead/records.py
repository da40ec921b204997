"""What to keep of a propagation: each record consumes the states y_1 .. y_T one by one.

A record sees a state once, as it is produced, so a long propagation can keep a few maps instead of the whole
series. Only `All` and `Every` keep states; `Project` and `Fourier` hold at most `BLOCK` of them at a time.
(Under autograd, eager mode keeps every state for the backward pass, whatever the record.)
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from numbers import Integral

import torch
from torch import Tensor

from drumhead.errors import DrumheadError

BLOCK = 16  # states per matrix product: enough for BLAS to pay, few enough not to matter in memory


class Record(ABC):
    """What `drumhead.propagate` returns: subclass it and define `collect` to keep something else."""

    @abstractmethod
    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Consume the states y_1 .. y_T, each of shape (b, c, y, x), and return what is kept of them."""

    def check(self, steps: int) -> None:  # noqa: B027 (most records fit any number of steps)
        """Raise `DrumheadError` if the record does not fit a propagation of so many steps."""


@dataclass(frozen=True)
class All(Record):
    """Keep every state: (b, t, c, y, x) with t = steps; index i holds y_{i+1}."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Stack the states along time."""
        return torch.stack(list(states), dim=1)


@dataclass(frozen=True)
class Every(Record):
    """Keep each k-th state, y_k, y_2k, ...: (b, steps // k, c, y, x).

    Args:
        k: spacing in steps, 1 <= k <= steps. Waves on a 3x3 kernel are oversampled when dt is far below the
            stable limit; keep k * dt below 1 to lose next to nothing.
    """

    k: int

    def check(self, steps: int) -> None:
        """Refuse a spacing that would keep nothing."""
        if isinstance(self.k, bool) or not isinstance(self.k, Integral) or not 1 <= self.k <= steps:
            raise DrumheadError(f"Every({self.k!r}): a whole number from 1 to steps={steps} is needed")

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Stack each k-th state along time."""
        return torch.stack(list(islice(states, int(self.k) - 1, None, int(self.k))), dim=1)


@dataclass(frozen=True)
class Last(Record):
    """Keep the last state y_T: (b, c, y, x)."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Return the last state."""
        return functools.reduce(lambda _, y: y, states)


@dataclass(frozen=True)
class Mean(Record):
    """Keep the mean over time, sum_t y_t / T: (b, c, y, x)."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Sum as the states come, divide once."""
        return functools.reduce(torch.add, states) / steps


@dataclass(frozen=True)
class Max(Record):
    """Keep the largest value over time, max_t y_t: (b, c, y, x)."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Keep a running maximum."""
        return functools.reduce(torch.maximum, states)


@dataclass(frozen=True, eq=False)
class Project(Record):
    """Keep k linear combinations over time, p_k = sum_t basis[k, t] y_t: (b, k, c, y, x).

    Args:
        basis: (k, steps), of the states' dtype and on their device; gradients flow into it.
    """

    basis: Tensor

    def check(self, steps: int) -> None:
        """Refuse a basis that does not have one column a step."""
        if not isinstance(self.basis, Tensor) or self.basis.ndim != 2 or self.basis.shape[1] != steps:
            got = tuple(self.basis.shape) if isinstance(self.basis, Tensor) else type(self.basis).__name__
            raise DrumheadError(f"Project(basis): got {got}; a tensor of shape (k, steps={steps}) is needed")
        if not self.basis.shape[0]:
            raise DrumheadError("Project(basis): the basis has no rows, so nothing would be kept")

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Add the contribution of one block of states at a time."""
        first = next(states)
        block, total, start = [first], None, 0
        while block:
            block += islice(states, BLOCK - len(block))
            # Time first makes this one large matrix product, three times as fast as one a sample.
            part = self.basis[:, start : start + len(block)] @ torch.stack(block).flatten(1)
            total = part if total is None else total + part
            start += len(block)
            block = list(islice(states, 1))
        assert total is not None
        return total.unflatten(1, first.shape).transpose(0, 1)


@dataclass(frozen=True)
class Fourier(Record):
    """Keep the magnitude of the discrete Fourier transform over time: (b, k, c, y, x).

    F_k = |sum_t y_t exp(-2 pi i k t / T)|, unnormalised, as `torch.fft.rfft(series, dim=1).abs()`;
    bin k is the angular frequency 2 pi k / (T dt).

    Args:
        bins: how many bins from 0 upward, or the bins themselves, each 0 <= k <= T // 2; None takes all
            T // 2 + 1. Few low bins are enough when dt is far below the stable limit.
    """

    bins: int | tuple[int, ...] | None = None

    def indices(self, steps: int) -> tuple[int, ...]:
        """Return the bins kept of a propagation of so many steps."""
        if self.bins is None:
            return tuple(range(steps // 2 + 1))
        return tuple(self.bins) if isinstance(self.bins, tuple) else tuple(range(int(self.bins)))

    def check(self, steps: int) -> None:
        """Refuse bins beyond the Nyquist frequency."""
        bins = self.indices(steps)
        if not bins or any(not isinstance(k, Integral) or not 0 <= k <= steps // 2 for k in bins):
            raise DrumheadError(
                f"Fourier({self.bins!r}): {steps} steps have the bins 0 to {steps // 2}; "
                "give a number of bins, a tuple of them, or None for all"
            )

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Project on cosines and sines, then take the magnitude."""
        first = next(states)
        # Complex magnitudes exist in single and double precision only.
        exact = first.dtype if first.dtype in (torch.float32, torch.float64) else torch.float32
        k = torch.tensor(self.indices(steps), dtype=torch.float64)
        angle = 2 * math.pi / steps * (k[:, None] * torch.arange(steps) % steps)
        basis = torch.cat([angle.cos(), -angle.sin()]).to(first.device, exact)
        cast = (y.to(exact) for y in _chain(first, states))
        real, imaginary = Project(basis).collect(cast, steps).chunk(2, dim=1)
        return torch.complex(real, imaginary).abs().to(first.dtype)


def _chain(first: Tensor, rest: Iterator[Tensor]) -> Iterator[Tensor]:
    yield first
    yield from rest
