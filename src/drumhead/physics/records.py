"""What to keep of a propagation: each record consumes the states y_1 .. y_T one by one.

A record sees a state once, as it is produced, so a long propagation can keep a few maps instead of the whole
series. Only `All`, `Every` and several in a tuple keep states; `Project` and `Fourier` hold at most `BLOCK` of them
at a time.
(Under autograd, eager mode keeps every state for the backward pass, whatever the record; the engines do not.)
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, tee
from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor

from drumhead.engine.operator import readable
from drumhead.errors import DrumheadError

BLOCK = 16  # states per matrix product: enough for BLAS to pay, few enough not to matter in memory


class Stream(NamedTuple):
    """A record in the words of the engines, which keep it without ever holding the series."""

    keep: str
    """"series" (each `every`-th state), "project" (basis (k, t)), "mix" (basis (k, t, c)) or "max"."""
    every: int = 1
    basis: Tensor | None = None
    finish: Callable[[Tensor], Any] = lambda kept: kept
    """What is left to do with what the engine kept."""
    at: Tensor | None = None
    """Keep only these pixels (b, n) of it."""

    def rising(self) -> Tensor | None:
        """Return these pixels if the C engine can keep them alone: in a projection, and if they are in order."""
        at = self.at
        if at is None or self.keep not in ("project", "mix") or not readable(at):
            return None
        return None if (at.diff() < 0).any() else at


def at_pixels(maps: Tensor, at: Tensor | None) -> Tensor:
    """Return maps (b, .., y, x) at flat pixel indices (b, n), as (b, .., n, 1); all of them for None."""
    if at is None:
        return maps
    flat = maps.flatten(-2)
    places = at.view(len(at), *(1 for _ in flat.shape[1:-1]), at.shape[1])
    return flat.gather(-1, places.expand(*flat.shape[:-1], -1))[..., None]


def check_indices(name: str, pixels: object) -> None:
    """Refuse what is no list of flat pixel indices for each image."""
    if not isinstance(pixels, Tensor) or pixels.ndim != 2 or not pixels.numel() or pixels.dtype != torch.int64:
        got = f"{pixels.dtype} {tuple(pixels.shape)}" if isinstance(pixels, Tensor) else type(pixels).__name__
        raise DrumheadError(f"{name}: got {got}; flat indices (b, n), int64, are needed")


class Record(ABC):
    """What `drumhead.propagate` returns: subclass it and define `collect` to keep something else."""

    @abstractmethod
    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Consume the states y_1 .. y_T, each of shape (b, c, y, x), and return what is kept of them."""

    def of(self, series: Tensor) -> Tensor:
        """Return what is kept of a series (b, t, c, y, x) that is there already."""
        return self.collect(iter(series.unbind(1)), series.shape[1])

    def stream(self, steps: int, like: Tensor) -> Stream | None:
        """Say to the engines what to keep; None leaves the record to the loop, which offers each state."""
        return None

    def check(self, steps: int, channels: int) -> None:  # noqa: B027 (most records fit everything)
        """Raise `DrumheadError` if the record does not fit a propagation of so many steps and channels."""


@dataclass(frozen=True)
class All(Record):
    """Keep every state: (b, t, c, y, x) with t = steps; index i holds y_{i+1}."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Stack the states along time."""
        return torch.stack(list(states), dim=1)

    def of(self, series: Tensor) -> Tensor:
        """Return the series itself."""
        return series

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Keep each state."""
        return Stream("series")


@dataclass(frozen=True)
class Every(Record):
    """Keep each k-th state, y_k, y_2k, ...: (b, steps // k, c, y, x).

    Args:
        k: spacing in steps, 1 <= k <= steps. Waves on a 3x3 kernel are oversampled when dt is far below the
            stable limit; keep k * dt below 1 to lose next to nothing.
    """

    k: int

    def check(self, steps: int, channels: int) -> None:
        """Refuse a spacing that would keep nothing."""
        if isinstance(self.k, bool) or not isinstance(self.k, Integral) or not 1 <= self.k <= steps:
            raise DrumheadError(f"Every({self.k!r}): a whole number from 1 to steps={steps} is needed")

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Stack each k-th state along time."""
        return torch.stack(list(islice(states, int(self.k) - 1, None, int(self.k))), dim=1)

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Keep each k-th state."""
        return Stream("series", int(self.k))


@dataclass(frozen=True)
class Last(Record):
    """Keep the last state y_T: (b, c, y, x)."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Return the last state."""
        return functools.reduce(lambda _, y: y, states)

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Keep each T-th state, of which there is one."""
        return Stream("series", steps, finish=lambda kept: kept.squeeze(1))


@dataclass(frozen=True)
class Mean(Record):
    """Keep the mean over time, sum_t y_t / T: (b, c, y, x)."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Sum as the states come, divide once."""
        return functools.reduce(torch.add, states) / steps

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Project on a constant."""
        return Stream("project", basis=like.new_full((1, steps), 1 / steps), finish=lambda kept: kept.squeeze(1))


@dataclass(frozen=True)
class Max(Record):
    """Keep the largest value over time, max_t y_t: (b, c, y, x)."""

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Keep a running maximum."""
        return functools.reduce(torch.maximum, states)

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Keep the maximum and, for the gradient, when it was; of equal values the first one counts."""
        return Stream("max")


@dataclass(frozen=True, eq=False)
class Project(Record):
    """Keep k linear combinations over time, p_k = sum_t basis[k, t] y_t: (b, k, c, y, x).

    Args:
        basis: (k, steps), of the states' dtype and on their device; gradients flow into it.
    """

    basis: Tensor

    def check(self, steps: int, channels: int) -> None:
        """Refuse a basis that does not have one column a step."""
        _check_basis(self, self.basis, steps=steps)

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

    def of(self, series: Tensor) -> Tensor:
        """Multiply the series as it lies."""
        return (self.basis @ series.flatten(2)).unflatten(2, series.shape[2:])

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Project on the basis."""
        return Stream("project", basis=self.basis)


@dataclass(frozen=True, eq=False)
class Mix(Record):
    """Keep k linear combinations over time and channels, p_k = sum_t sum_c basis[k, t, c] y_t[c]: (b, k, y, x).

    A time map followed by a linear layer over channels is one such map; it keeps k maps where `Project` keeps k c.

    Args:
        basis: (k, steps, c), of the states' dtype and on their device; gradients flow into it.
    """

    basis: Tensor

    def check(self, steps: int, channels: int) -> None:
        """Refuse a basis that does not have one number a step and channel."""
        _check_basis(self, self.basis, steps=steps, channels=channels)

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Add the contribution of each state as it comes."""
        parts = (torch.einsum("kc,bcyx->bkyx", self.basis[:, t], y) for t, y in enumerate(states))
        return functools.reduce(torch.add, parts)

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Combine on the basis."""
        return Stream("mix", basis=self.basis)


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

    def check(self, steps: int, channels: int) -> None:
        """Refuse bins beyond the Nyquist frequency."""
        number = isinstance(self.bins, Integral) and not isinstance(self.bins, bool)
        bins = self.indices(steps) if number or isinstance(self.bins, tuple) or self.bins is None else ()
        if not bins or any(not isinstance(k, Integral) or not 0 <= k <= steps // 2 for k in bins):
            raise DrumheadError(
                f"Fourier({self.bins!r}): {steps} steps have the bins 0 to {steps // 2}; "
                "give a number of bins, a tuple of them, or None for all"
            )

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Project on cosines and sines, then take the magnitude."""
        first = next(states)
        basis = self.turns(steps, first)
        cast = (y.to(basis.dtype) for y in chain([first], states))
        return magnitude(Project(basis).collect(cast, steps)).to(first.dtype)

    def stream(self, steps: int, like: Tensor) -> Stream | None:
        """Project on cosines and sines, then take the magnitude."""
        basis = self.turns(steps, like)
        return Stream("project", basis=basis, finish=magnitude) if basis.dtype == like.dtype else None

    def turns(self, steps: int, like: Tensor) -> Tensor:
        """Return cosines, then sines, at the bins: (2 k, steps)."""
        # Complex magnitudes exist in single and double precision only.
        exact = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32
        plain = like.is_cuda and type(like) is Tensor and not torch.compiler.is_compiling()
        return (_waves_on_a_gpu if plain else _waves)(self.indices(steps), steps, like.device, exact)


@dataclass(frozen=True, eq=False)
class At(Record):
    """Keep what another record keeps, at some pixels only: (.., n, 1) where that has (.., y, x).

    A loss at a few pixels needs no more, and the waves still run everywhere.

    Args:
        record: what to keep.
        pixels: flat indices y * width + x, int64 (b, n). In rising order `Project`, `Mix` and what is made of them
            cost the C engine only so many pixels. In any other order, for other records, with an absorbing boundary,
            on a GPU and under torch.compile all pixels are kept first: right, and nothing gained.

    Example:
        >>> y0, pixels = torch.rand(2, 1, 8, 8), torch.tensor([[0, 9, 63], [1, 2, 3]])
        >>> record = dh.At(dh.Last(), pixels)
        >>> dh.propagate(y0, 0.0, 0.0, dh.laplacian(1), steps=5, dt=0.5, record=record).shape
        torch.Size([2, 1, 3, 1])
    """

    record: Record
    pixels: Tensor

    def check(self, steps: int, channels: int) -> None:
        """Refuse pixels that are not a list of indices for each image."""
        if not isinstance(self.record, Record) or isinstance(self.record, At):
            raise DrumheadError(f"At(record): got {self.record!r}; another record such as dh.Last() is needed")
        check_indices("At(pixels)", self.pixels)
        self.record.check(steps, channels)

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Hand the other record states of these pixels."""
        return self.record.collect((at_pixels(y, self.pixels) for y in states), steps)

    def stream(self, steps: int, like: Tensor) -> Stream | None:
        """Keep the same of these pixels."""
        stream = self.record.stream(steps, like)
        return stream and stream._replace(at=self.pixels)


@dataclass(frozen=True, eq=False)
class Until(Record):
    """Keep what another record keeps of the first so many steps.

    Args:
        record: what to keep.
        steps: of a propagation of as many steps or more.
    """

    record: Record
    steps: int

    def check(self, steps: int, channels: int) -> None:
        """Refuse a propagation that ends before."""
        if isinstance(self.steps, bool) or not isinstance(self.steps, Integral) or not 1 <= self.steps <= steps:
            raise DrumheadError(f"Until(steps={self.steps!r}): 1 to {steps} steps are possible")
        self.record.check(self.steps, channels)

    def collect(self, states: Iterator[Tensor], steps: int) -> Tensor:
        """Hand the other record the first states, and let the others pass."""
        kept = self.record.collect(islice(states, self.steps), self.steps)
        for _ in states:
            pass
        return kept

    def of(self, series: Tensor) -> Tensor:
        """Hand the other record the first states."""
        return self.record.of(series[:, : self.steps])


@dataclass(frozen=True, eq=False)
class Several(Record):
    """Keep what several records keep of one run of the waves: a tuple, in their order; each is asked by itself.

    The series is held until the last of them has been served.
    """

    records: tuple[Record, ...]

    def check(self, steps: int, channels: int) -> None:
        """Refuse what one of them refuses."""
        for record in self.records:
            record.check(steps, channels)

    def collect(self, states: Iterator[Tensor], steps: int) -> Any:
        """Hand every record the same states, which two of them may return as they are."""
        copies, kept = tee(states, len(self.records)), []
        for record, copy in zip(self.records, copies, strict=True):
            part = record.collect(copy, steps)
            kept.append(part.clone() if any(part is other for other in kept) else part)
        return tuple(kept)

    def stream(self, steps: int, like: Tensor) -> Stream:
        """Keep each state, and serve the records from them, none of which shares memory with another."""

        def serve(series: Tensor) -> tuple[Any, ...]:
            kept = [record.of(series) for record in self.records]
            whole = next((i for i, part in enumerate(kept) if part is series), None)
            return tuple(part if i == whole else part.clone() for i, part in enumerate(kept))

        return Stream("series", finish=serve)


def _check_basis(record: Record, basis: Tensor, **sizes: int) -> None:
    name = f"{type(record).__name__}(basis)"
    if not isinstance(basis, Tensor) or tuple(basis.shape[1:]) != tuple(sizes.values()):
        got = tuple(basis.shape) if isinstance(basis, Tensor) else type(basis).__name__
        wanted = ", ".join(f"{axis}={size}" for axis, size in sizes.items())
        raise DrumheadError(f"{name}: got {got}; a tensor of shape (k, {wanted}) is needed")
    if not basis.shape[0]:
        raise DrumheadError(f"{name}: the basis has no rows, so nothing would be kept")


def _waves(bins: tuple[int, ...], steps: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    angle = 2 * math.pi / steps * (torch.tensor(bins, dtype=torch.float64)[:, None] * torch.arange(steps) % steps)
    return torch.cat([angle.cos(), -angle.sin()]).to(device, dtype)


# A copy from the host waits for the GPU and breaks a CUDA graph, which then holds this tensor's place.
_waves_on_a_gpu = functools.cache(torch.inference_mode(False)(_waves))


def magnitude(kept: Tensor) -> Tensor:
    """Return the magnitudes of projections (b, 2 k, ...) on cosines, then sines: (b, k, ...)."""
    real, imaginary = kept.chunk(2, dim=1)
    return torch.complex(real, imaginary).abs()
