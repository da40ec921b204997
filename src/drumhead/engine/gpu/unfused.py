"""The engine's contract in plain PyTorch operations, for what a fused kernel cannot hold.

It runs on any device, in single and double precision. On a GPU a propagation without gradients is captured once as a
CUDA graph, because launching several small kernels a step takes the processor longer than the GPU needs to run them.
"""

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

from drumhead.engine import boundaries
from drumhead.engine.eager import march
from drumhead.engine.plan import Fields, Plan, Results

_alone = threading.Lock()  # threads on one stream share a graph's places: one from its copies to its results at a time


def forward(plan: Plan, fields: Fields) -> Results:
    """Run all steps."""
    if not _captures(plan, fields.y0):
        return _forward(plan, fields)
    y0, shapes = fields.y0, tuple(None if x is None else x.shape for x in fields)
    stream = torch.cuda.current_stream(y0.device).cuda_stream
    with _alone:
        graph, places, results = _captured(plan, shapes, y0.dtype, y0.device, stream)
        for place, value in zip(places, fields, strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        graph.replay()
        return Results(*(result.clone() for result in results))


def _captures(plan: Plan, y0: Tensor) -> bool:
    """Say whether a graph runs it, which keeps the memory it was captured with: checkpoints would make that large."""
    return y0.device.type == "cuda" and not plan.segment and not torch.cuda.is_current_stream_capturing()


@functools.lru_cache(maxsize=1)  # it holds all its memory
def _captured(
    plan: Plan, shapes: tuple[torch.Size | None, ...], dtype: torch.dtype, device: torch.device, stream: int
) -> tuple[torch.cuda.CUDAGraph, Fields, Results]:
    """Capture a propagation; `stream` keeps two streams from sharing one graph's memory."""
    with torch.cuda.device(device), torch.inference_mode(False):  # later calls write into the places
        places = Fields._make(None if x is None else torch.zeros(x, dtype=dtype, device=device) for x in shapes)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            _forward(plan, places)  # libraries choose their algorithms now: during the capture they may not
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = _forward(plan, places)
    return graph, places, results


@torch.no_grad()
def _forward(plan: Plan, fields: Fields) -> Results:
    results, basis = plan.results(fields), fields.basis
    out, end, saved, argmax, _ = results
    for t, (y, z, _) in enumerate(march(plan, fields)):
        if plan.segment and ((t + 1) % plan.segment == 0 or t + 1 == plan.steps):
            torch.stack((y, z), out=saved[t // plan.segment])
        if plan.ends and t + 1 == plan.steps:
            torch.stack((y, z), out=end)
        if plan.keep == "series":
            if (t + 1) % plan.every == 0:
                out[:, (t + 1) // plan.every - 1] = y
        elif plan.keep == "max":
            higher = ~(y <= out) if t else torch.ones_like(y, dtype=torch.bool)
            out.copy_(torch.where(higher, y, out))
            argmax.masked_fill_(higher, t)
        elif t:
            out.add_(_part(plan, basis, t, y))
        else:
            out.copy_(_part(plan, basis, t, y))
    return results


@torch.no_grad()
def backward(plan: Plan, fields: Fields, given: Results) -> tuple[Any, ...]:
    """Run the exact adjoint segment by segment from the checkpoints; see `drumhead.engine.gpu.cuda.backward`.

    An operator's inside has no autograd, and by hand most of the work is done for a whole segment at once.
    """
    y0, z0, omega, decay, first_decay, kernel, basis, _ = fields
    gain = plan.offset + plan.slope * decay
    pull_back, correlate = _adjoint(plan, y0, kernel)
    g_y, g_z, g_omega, g_decay = (torch.zeros_like(y0) for _ in range(4))
    if given.end.numel():
        g_y, g_z = given.end
    g_first = None if first_decay is None else torch.zeros_like(y0)
    g_kernel, g_basis = torch.zeros_like(kernel), None if basis is None else torch.zeros_like(basis)
    length = plan.segment or plan.steps
    for begin in reversed(range(0, plan.steps, length)):
        end = min(begin + length, plan.steps)
        start = given.saved[begin // length - 1] if begin else (y0, torch.zeros_like(y0) if z0 is None else z0)
        again = fields._replace(y0=start[0], z0=start[1])
        after_y, after_z, coupling = zip(*march(plan, again, begin, end), strict=True)
        y, z, coupling = (torch.stack(part) for part in ((start[0], *after_y), (start[1], *after_z), coupling))
        shares = _shares(plan, given, basis, begin, end)
        kicks, pulls = torch.empty_like(coupling), torch.empty_like(coupling)
        for t in reversed(range(begin, end)):
            i = t - begin
            d, strength = decay, gain
            if t == 0 and not plan.begun:
                d, strength = decay if first_decay is None else first_decay, plan.first_offset
            share = shares[i]
            g = g_y if share is None else g_y + share
            kick = torch.add(g_z, g, alpha=plan.dt, out=kicks[i])
            pull = torch.mul(kick, strength, out=pulls[i])
            g_y = torch.addcmul(g, omega, pull, value=-1)
            if plan.tanh:
                pull.addcmul_(pull * coupling[i], coupling[i], value=-1)
            g_y += pull_back(pull)
            g_z = d * kick
        first = int(begin == 0 and not plan.begun)  # the first step has a gain, and perhaps a decay, of its own
        later = slice(first, None)
        force = torch.addcmul(coupling, omega, y[:-1], value=-1)
        g_omega -= gain * (kicks[later] * y[:-1][later]).sum(0)
        g_decay += (kicks[later] * torch.add(z[:-1][later], force[later], alpha=plan.slope)).sum(0)
        if first:
            g_omega -= plan.first_offset * kicks[0] * y[0]
            (g_decay if g_first is None else g_first).add_(kicks[0] * z[0])
        g_kernel += correlate(y[:-1].flatten(0, 1), pulls.flatten(0, 1))
        if g_basis is not None:
            g_basis[:, begin:end] = _basis_gradient(plan, given.out, y[1:])
    error = torch.zeros(len(y0), dtype=torch.float64, device=y0.device)
    return g_y, None if z0 is None else g_z, g_omega, g_decay, g_first, g_kernel, g_basis, error


def _layout(kernel: Tensor, y: Tensor) -> tuple[int, tuple[int, int]]:
    """Return the groups of a kernel's convolution and how far it reaches."""
    groups = 1 if kernel.shape[1] == y.shape[1] else y.shape[1]
    return groups, (kernel.shape[-2] // 2, kernel.shape[-1] // 2)


def _adjoint(plan: Plan, y0: Tensor, kernel: Tensor) -> tuple[Callable[..., Tensor], ...]:
    """Return the transpose of W *, and the gradient of W from states and a gradient of W * y."""
    groups, radius = _layout(kernel, y0)
    flipped = (kernel if groups > 1 else kernel.transpose(0, 1)).flip(2, 3)
    images = [
        boundaries.pad(torch.eye(side, dtype=y0.dtype, device=y0.device)[None, None], (r, 0), plan.boundary)[0, 0]
        for side, r in zip(y0.shape[-2:], radius, strict=True)
        if plan.boundary == "reflecting"
    ]

    def pull_back(q: Tensor) -> Tensor:
        if not images:
            return F.conv2d(boundaries.pad(q, radius, plan.boundary), flipped, groups=groups)
        rows, columns = images  # the mirror is not symmetric at its edge: sum what each pixel sent to its images
        return rows.mT @ F.conv_transpose2d(q, kernel, groups=groups) @ columns

    def correlate(y: Tensor, q: Tensor) -> Tensor:
        return conv2d_weight(boundaries.pad(y, radius, plan.boundary), kernel.shape, q, groups=groups)

    return pull_back, correlate


def _shares(plan: Plan, given: Results, basis: Tensor | None, begin: int, end: int) -> Sequence[Tensor | None] | Tensor:
    """Return what the output's gradient is for the state after each of the steps begin .. end - 1; None: nothing."""
    grad_out = given.out
    if plan.keep == "series":
        kept = range(plan.every - 1, plan.steps, plan.every)
        return [grad_out[:, t // plan.every] if t in kept else None for t in range(begin, end)]
    if plan.keep == "max":
        return [torch.where(given.argmax == t, grad_out, 0) for t in range(begin, end)]
    assert basis is not None
    if plan.keep == "mix":
        return torch.einsum("ktc,bkyx->tbcyx", basis[:, begin:end], grad_out)
    return torch.einsum("kt,bkcyx->tbcyx", basis[:, begin:end], grad_out)


def _basis_gradient(plan: Plan, grad_out: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of a basis over steps, given the states (t, b, c, y, x) after them."""
    return torch.einsum("bkyx,tbcyx->ktc" if plan.keep == "mix" else "bkcyx,tbcyx->kt", grad_out, y)


def _part(plan: Plan, basis: Tensor | None, t: int, y: Tensor) -> Tensor:
    """Return what the state after step t adds to a projection."""
    assert basis is not None
    if plan.keep == "mix":
        return torch.einsum("kc,bcyx->bkyx", basis[:, t], y)
    return basis[:, t].view(1, -1, 1, 1, 1) * y[:, None]
