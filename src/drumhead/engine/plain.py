"""The engine's contract in plain PyTorch operations, for what a fused kernel cannot hold.

It runs on any device and in any floating type. On a GPU a propagation without gradients is captured once as a CUDA
graph, because launching several small kernels a step takes the processor longer than the GPU needs to run them.
"""

import functools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead import boundaries
from drumhead.engine.plan import Rollout


def forward(
    plan: Rollout,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run all steps; see `drumhead.engine.cuda.forward` for the arguments and what is returned."""
    inputs = (y0, z0, omega, decay, first_decay, kernel, basis)
    # A graph keeps the memory it was captured with, which checkpoints for a gradient would make large.
    if y0.device.type != "cuda" or plan.segment or torch.cuda.is_current_stream_capturing():
        return _forward(plan, *inputs)
    shapes = tuple(None if x is None else x.shape for x in inputs)
    stream = torch.cuda.current_stream(y0.device).cuda_stream
    graph, places, (out, saved, argmax) = _captured(plan, shapes, y0.dtype, y0.device, stream)
    for place, value in zip(places, inputs, strict=True):
        if value is not None:
            place.copy_(value)
    graph.replay()
    return out.clone(), saved.clone(), argmax.clone()


@functools.lru_cache(maxsize=4)  # each holds all its memory
def _captured(
    plan: Rollout, shapes: tuple[torch.Size | None, ...], dtype: torch.dtype, device: torch.device, stream: int
) -> tuple[torch.cuda.CUDAGraph, Any, tuple[Tensor, Tensor, Tensor]]:
    """Capture a propagation; `stream` keeps two streams from sharing one graph's memory."""
    places: Any = tuple(None if x is None else torch.zeros(x, dtype=dtype, device=device) for x in shapes)
    with torch.cuda.device(device):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            _forward(plan, *places)  # libraries choose their algorithms now: during the capture they may not
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = _forward(plan, *places)
    return graph, places, results


@torch.no_grad()
def _forward(
    plan: Rollout,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = (y0, z0, omega, decay, first_decay, kernel, basis)
    saved, out, index = [], None, torch.empty(0, dtype=torch.int32, device=y0.device)
    if plan.keep == "series":
        out = y0.new_empty(y0.shape[0], plan.steps // plan.every, *y0.shape[1:])
    start = y0, torch.zeros_like(y0) if z0 is None else z0
    for t, (y, z) in enumerate(_steps(plan, *start, inputs, 0, plan.steps)):
        if plan.segment and ((t + 1) % plan.segment == 0 or t + 1 == plan.steps):
            saved.append(torch.stack((y, z)))
        if plan.keep == "series":
            assert out is not None
            if (t + 1) % plan.every == 0:
                out[:, (t + 1) // plan.every - 1] = y
        elif plan.keep == "max":
            if out is None:
                out, index = y.clone(), torch.zeros_like(y, dtype=torch.int32)
            else:
                higher = ~(y <= out)
                out, index = torch.where(higher, y, out), torch.where(higher, t, index)
        else:
            part = _part(plan, basis, t, y)
            out = part if out is None else out.add_(part)
    assert out is not None
    return out, torch.stack(saved) if saved else y0.new_empty(0, 2, *y0.shape), index


def backward(
    plan: Rollout,
    grad_out: Tensor,
    y0: Tensor,
    z0: Tensor | None,
    omega: Tensor,
    decay: Tensor,
    first_decay: Tensor | None,
    kernel: Tensor,
    basis: Tensor | None,
    saved: Tensor,
    argmax: Tensor,
) -> tuple[Any, ...]:
    """Differentiate segment by segment from the checkpoints, by autograd; see `drumhead.engine.cuda.backward`."""
    medium = (omega, decay, first_decay, kernel, basis)
    leaves = [None if x is None else x.detach().requires_grad_() for x in medium]
    sums: list[Tensor | None] = [None if x is None else torch.zeros_like(x) for x in medium]
    g_y, g_z = torch.zeros_like(y0), torch.zeros_like(y0)
    length = plan.segment or plan.steps
    for begin in reversed(range(0, plan.steps, length)):
        end = min(begin + length, plan.steps)
        start = saved[begin // length - 1] if begin else (y0, torch.zeros_like(y0) if z0 is None else z0)
        y, z = (x.detach().requires_grad_() for x in start)
        with torch.enable_grad():
            total, last = 0, (y, z)
            for t, last in enumerate(_steps(plan, y, z, (None, None, *leaves), begin, end), begin):
                total = total + _share(plan, grad_out, leaves[-1], argmax, t, last[0])
            total = total + (last[0] * g_y).sum() + (last[1] * g_z).sum()
            wanted = [y, z, *(x for x in leaves if x is not None)]
            g_y, g_z, *rest = torch.autograd.grad(total, wanted, allow_unused=True, materialize_grads=True)
        parts = iter(rest)
        sums = [None if x is None else x + next(parts) for x in sums]
    return g_y, None if z0 is None else g_z, *sums, torch.zeros(len(y0), dtype=torch.float64, device=y0.device)


def _steps(plan: Rollout, y: Tensor, z: Tensor, inputs: tuple, begin: int, end: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (y, z) after each of the steps begin .. end - 1."""
    _, _, omega, decay, first_decay, kernel, _ = inputs
    groups = 1 if kernel.shape[1] == y.shape[1] else y.shape[1]
    radius = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)
    gain = plan.offset + plan.slope * decay
    for t in range(begin, end):
        coupling = F.conv2d(boundaries.pad(y, radius, plan.boundary), kernel, groups=groups)
        force = torch.addcmul(torch.tanh(coupling) if plan.tanh else coupling, omega, y, value=-1)
        if t == 0:
            z = (decay if first_decay is None else first_decay) * z + plan.first_offset * force
        else:
            z = torch.addcmul(decay * z, gain, force)
        y = torch.add(y, z, alpha=plan.dt)
        yield y, z


def _part(plan: Rollout, basis: Tensor | None, t: int, y: Tensor) -> Tensor:
    """Return what the state after step t adds to a projection."""
    assert basis is not None
    if plan.keep == "mix":
        return torch.einsum("kc,bcyx->bkyx", basis[:, t], y)
    return basis[:, t].view(1, -1, 1, 1, 1) * y[:, None]


def _share(plan: Rollout, grad_out: Tensor, basis: Tensor | None, argmax: Tensor, t: int, y: Tensor) -> Tensor | float:
    """Return the inner product of the output's gradient with what the state after step t gave to the output."""
    if plan.keep == "series":
        return (grad_out[:, (t + 1) // plan.every - 1] * y).sum() if (t + 1) % plan.every == 0 else 0.0
    if plan.keep == "max":
        return torch.where(argmax == t, grad_out * y, 0).sum()
    return (grad_out * _part(plan, basis, t, y)).sum()
