"""Waves on a CUDA device: one launch of `waves.cu` runs all steps with each image on one multiprocessor.

`Max` and series are recorded inside the kernel. Projections are matrix products, which cuBLAS does better than a loop
over time could: the kernel writes a block of steps to scratch memory, and one product takes it up.
"""

import ctypes
import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import torch
from torch import Tensor, backends

from drumhead.engine.gpu import driver, unfused
from drumhead.engine.plan import Fields, Plan, Results

SCRATCH = 2**28  # bytes of states between a kernel and a matrix product, unless 16 states need more
LEAST_STATES = 16
THREADS = 512  # at most in a block: with more, their own needs leave too few registers to the state
ITEMS = 4  # at least for a thread, if the plane has them: independent work hides the latency of shared memory
GROUP = 8  # channels at most that share one read of a neighbour
REGISTERS = 65536  # of a multiprocessor, since 2012

P = ParamSpec("P")
R = TypeVar("R")
Kind = Literal["forward", "adjoint"]

_POINTERS = (
    "y z omega decay first_decay kernel saved state series velocities g_series largest argmax g_largest "
    "g_y g_z g_omega g_decay g_first g_kernel error"
)
_NUMBERS = "channels height width steps begin end origin every frames segment begun"
_COEFFICIENTS = "dt offset slope first_offset"


class Task(ctypes.Structure):
    """The argument of both kernels, as in `waves.cu`."""

    _fields_ = (
        [(name, ctypes.c_void_p) for name in _POINTERS.split()]
        + [(name, ctypes.c_int) for name in _NUMBERS.split()]
        + [(name, ctypes.c_float) for name in _COEFFICIENTS.split()]
    )


@dataclass(frozen=True)
class Layout:
    """The macros a kernel is compiled with: how a block holds its planes. `waves.cu` explains each."""

    adjoint: int
    planes: int
    group: int
    ky: int
    kx: int
    tanh: int
    boundary: str
    threads: int
    cells: int
    held: int
    onchip: int
    buffers: int


def fits(plan: Plan, y0: Tensor, kernel: Tensor) -> bool:
    """Say whether the kernels can keep the planes of y0 on chip, the adjoint too if the plan saves for it."""
    limit = driver.shared_limit(y0.device) if y0.dtype == torch.float32 else 0
    kinds: tuple[Kind, ...] = ("forward", "adjoint") if plan.segment else ("forward",)
    return all(_arrange(kind, plan, y0, kernel, limit) is not None for kind in kinds)


@contextmanager
def _no_tf32() -> Iterator[None]:
    """Round no factor of convolutions and products, whatever the user chose."""
    with ExitStack() as stack:
        for older, newer in ((backends.cudnn, "cudnn.conv"), (backends.cuda.matmul, "cuda.matmul")):
            try:
                place, name, usual, exact = older, "allow_tf32", older.allow_tf32, False
            except RuntimeError:  # the user chose by torch's newer way, which forbids to ask by the older one
                place, name, exact = attrgetter(newer)(backends), "fp32_precision", "ieee"
                usual = place.fp32_precision
            setattr(place, name, exact)
            stack.callback(setattr, place, name, usual)
        yield


def _exactly(function: Callable[P, R]) -> Callable[P, R]:
    """Run without autograd, and in full precision inside an autocast too: over the steps errors would add up."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.no_grad(), torch.autocast("cuda", enabled=False), _no_tf32():
            return function(*args, **kwargs)

    return call


@_exactly
def forward(plan: Plan, fields: Fields) -> Results:
    """Run all steps; the fields are contiguous and none has pixels `at`."""
    y0, z0, basis = fields.y0, fields.z0, fields.basis
    if not fits(plan, y0, fields.kernel):
        return unfused.forward(plan, fields)
    results = plan.results(fields)
    state = results.end if plan.ends else y0.new_empty(2, *y0.shape)
    medium = _medium(fields) | dict(saved=results.saved, state=state)
    if plan.keep == "max":
        _launch("forward", plan, 0, plan.steps, y=y0, z=z0, largest=results.out, argmax=results.argmax, **medium)
    elif plan.keep == "series":
        series = dict(series=results.out, every=plan.every, frames=plan.steps // plan.every)
        _launch("forward", plan, 0, plan.steps, y=y0, z=z0, **series, **medium)
    else:
        assert basis is not None
        inner = _inner(plan, y0)
        out = results.out.zero_().view(y0.shape[0], -1, inner)
        y, z = y0, z0
        for begin, end in _blocks(plan, y0):
            states = y0.new_empty(y0.shape[0], end - begin, *y0.shape[1:])
            _launch("forward", plan, begin, end, y=y, z=z, series=states, **medium)
            out += basis[:, begin:end].flatten(1) @ states.view(y0.shape[0], -1, inner)
            y, z = state
    return results


@_exactly
def backward(plan: Plan, fields: Fields, given: Results) -> tuple[Tensor | None, ...]:
    """Run the exact adjoint of all steps, from the last to the first.

    Args:
        plan: as `forward` took it; with `stored`, or without segments, states are computed again, else reversed.
        fields: as `forward` took them.
        given: gradients of what the plan keeps and of the end, empty if there is none, then what `forward` returned.

    Returns:
        Gradients of the fields in their order, None for what is None, and for each image the largest difference,
        float64, between a state found by reversing and the checkpoint of it.
    """
    if not plan.segment:
        plan = replace(plan, segment=plan.steps, stored=True)
    y0, z0, _, _, first_decay, kernel, basis, _ = fields
    if not fits(plan, y0, kernel):
        return unfused.backward(plan, fields, given)
    grad_out, saved, batch = given.out, given.saved, y0.shape[0]
    blocks = batch * (1 if kernel.shape[1] == y0.shape[1] else y0.shape[1])
    g_y, g_z, g_omega, g_decay = (torch.zeros_like(y0) for _ in range(4))
    if given.end.numel():
        g_y, g_z = given.end.clone()
    g_first = None if first_decay is None else torch.zeros_like(y0)
    g_kernel = y0.new_zeros(blocks, kernel.numel() * batch // blocks)
    g_basis = None if basis is None else y0.new_zeros(batch, basis.shape[0], basis[0].numel())
    error = y0.new_zeros(blocks)
    state = torch.zeros(2, *y0.shape, dtype=y0.dtype, device=y0.device)
    medium = _medium(fields) | dict(state=state)
    sums = dict(g_y=g_y, g_z=g_z, g_omega=g_omega, g_decay=g_decay, g_first=g_first, g_kernel=g_kernel, error=error)
    inner = _inner(plan, y0)

    for begin, end in reversed(list(_blocks(plan, y0, backward=True))):
        states = rates = None
        y, z = (y0, z0) if begin == 0 else (None, None)
        if plan.stored:
            y, z = (y0, z0) if begin == 0 else saved[begin // plan.segment - 1]
            states, rates = (y0.new_empty(batch, end - begin, *y0.shape[1:]) for _ in range(2))
            _launch("forward", plan, begin, end, y=y, z=z, series=states, velocities=rates, **medium)
        elif basis is not None:
            states = y0.new_empty(batch, end - begin, *y0.shape[1:])
        if basis is not None:
            back = basis[:, begin:end].flatten(1).mT @ grad_out.view(batch, -1, inner)
            record = dict(g_series=back.contiguous())
        elif plan.keep == "max":
            record = dict(g_largest=grad_out, argmax=given.argmax)
        else:
            record = dict(g_series=grad_out, origin=0, every=plan.every, frames=plan.steps // plan.every)
        kept = dict(y=y, z=z, series=states, velocities=rates, saved=None if plan.stored else saved)
        _launch("adjoint", plan, begin, end, **kept, **record, **medium, **sums)
        if basis is not None:
            assert states is not None
            assert g_basis is not None
            width = g_basis.shape[2] // plan.steps
            part = grad_out.view(batch, -1, inner) @ states.view(batch, -1, inner).mT
            g_basis[:, :, begin * width : end * width] = part

    return (
        g_y,
        None if z0 is None else g_z,
        g_omega,
        g_decay,
        g_first,
        g_kernel.view(batch, *kernel.shape).sum(0),
        None if basis is None or g_basis is None else g_basis.sum(0).view_as(basis),
        error.view(batch, -1).amax(1).double(),
    )


def _medium(fields: Fields) -> dict[str, Tensor | None]:
    return {name: getattr(fields, name) for name in ("omega", "decay", "first_decay", "kernel")}


def _blocks(plan: Plan, y0: Tensor, backward: bool = False) -> Iterator[tuple[int, int]]:
    """Cut the steps into the launches that scratch memory asks for."""
    length = plan.steps
    if backward and plan.stored:
        length = plan.segment
    elif plan.keep in ("project", "mix"):
        length = max(LEAST_STATES, SCRATCH // (y0.numel() * y0.element_size()))
    for begin in range(0, plan.steps, length):
        yield begin, min(begin + length, plan.steps)


def _inner(plan: Plan, y0: Tensor) -> int:
    """How many numbers of an image a basis treats alike."""
    return y0[0, 0].numel() if plan.keep == "mix" else y0[0].numel()


def _launch(kind: Kind, plan: Plan, begin: int, end: int, **values: Tensor | int | None) -> None:
    """Run a kernel over the steps begin .. end - 1; frames are the states of these steps unless told otherwise."""
    y0, kernel = values["omega"], values["kernel"]
    assert isinstance(y0, Tensor)
    assert isinstance(kernel, Tensor)
    arranged = _arrange(kind, plan, y0, kernel, driver.shared_limit(y0.device))
    assert arranged is not None
    layout, shared = arranged
    task = Task(origin=begin, every=1, frames=end - begin, begin=begin, end=end, segment=plan.segment or plan.steps)
    task.channels, task.height, task.width = y0.shape[1:]
    for name in ("steps", "begun", *_COEFFICIENTS.split()):
        setattr(task, name, getattr(plan, name))
    for name, value in values.items():
        if isinstance(value, Tensor):
            assert value.is_contiguous(), name
            value = value.data_ptr()  # 0, null, for an empty one
        setattr(task, name, value)
    function = _function(layout, y0.device)
    driver.launch(function, y0.shape[0] * y0.shape[1] // layout.planes, layout.threads, shared, task, y0.device)


@functools.cache
def _function(layout: Layout, device: torch.device) -> ctypes.c_void_p:
    cubin = driver.compile_cubin(source(), macros(layout), driver.architecture(device))
    return driver.load(cubin, f"drumhead_{'adjoint' if layout.adjoint else 'forward'}", device)


def source() -> str:
    """Return the CUDA C of both kernels."""
    return (Path(__file__).parent / "waves.cu").read_text()


def macros(layout: Layout) -> dict[str, object]:
    """Return a layout as the macros of `waves.cu`."""
    return {field.name.upper(): getattr(layout, field.name) for field in fields(layout)}


def _arrange(kind: Kind, plan: Plan, y0: Tensor, kernel: Tensor, limit: int) -> tuple[Layout, int] | None:
    """Divide a block's work among threads and memories; return it with its bytes of shared memory, None if over."""
    return _layout(kind == "adjoint", tuple(y0.shape), tuple(kernel.shape), plan.tanh, plan.boundary, limit)


@functools.cache
def _layout(
    adjoint: bool, state: tuple[int, ...], kernel: tuple[int, ...], tanh: bool, boundary: str, limit: int
) -> tuple[Layout, int] | None:
    _, channels, height, width = state
    ky, kx = kernel[2:]
    planes = channels if kernel[1] == channels else 1
    group = max(g for g in range(1, GROUP + 1) if planes % g == 0)
    items = height * width * planes // group
    threads = min(THREADS, -(-items // (32 * ITEMS)) * 32)
    cells = -(-items // threads)

    weights = planes**2 * ky * kx
    plane = ((height + ky - 1) * (width + kx - 1)) | 1
    words = 2 * (weights + planes * plane) if adjoint else weights + planes * plane
    if adjoint:  # the last sums over the block need room too
        words = max(words, max(threads, planes**2 * ky) * kx, threads)
    buffers = 2 if not adjoint and 4 * (words + planes * plane) <= limit else 1
    words += (buffers - 1) * planes * plane
    if 4 * words > limit:
        return None

    # What a thread needs besides its fields, counted on the compiler's output with some margin.
    own = 40 + cells + group + (ky * kx if planes == 1 and ky * kx <= 25 else 0)
    if adjoint:
        own += 8 + -(-(planes**2 * ky) // threads) * kx
    count = 7 if adjoint else 3
    spare = max(0, min(255, REGISTERS // threads) - own)
    held = min(count, spare // (cells * group)) if cells * group <= 64 else 0
    onchip = min(count - held, (limit // 4 - words) // (planes * height * width))
    words += onchip * planes * height * width
    layout = Layout(
        int(adjoint), planes, group, ky, kx, int(tanh), boundary.upper(), threads, cells, held, onchip, buffers
    )
    return layout, 4 * words
