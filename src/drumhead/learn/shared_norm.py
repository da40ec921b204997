"""Batch normalisation over the batches of all processes, on any device.

    y = g (x - m) / sqrt(v + eps) + b,   m, v: mean and variance over all processes
    dx = g / sqrt(v + eps) (dy - mean(dy) - n mean(dy n)),   n = (x - m) / sqrt(v + eps)

torch's own (`torch.nn.SyncBatchNorm`) needs a GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

OVER = (0, 2, 3)  # images, rows and columns


@contextmanager
def shared(model: nn.Module, size: int) -> Iterator[None]:
    """Let the normalisations of a network learn from all processes for a while; alone, leave them as they are.

    Args:
        model: every process has it and sends a share of the same batch through it.
        size: how many processes there are.
    """
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm)] if size > 1 else []
    for norm in norms:
        norm.__dict__["forward"] = partial(_forward, norm)
    try:
        yield
    finally:
        unshare(model)


def unshare(model: nn.Module) -> None:
    """Let each process have statistics of its own again."""
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            part.__dict__.pop("forward", None)


def _forward(norm: _BatchNorm, x: Tensor) -> Tensor:
    if not norm.training:
        return type(norm).forward(norm, x)
    normal, mean, variance, count = _Normal.apply(x, norm.eps)  # type: ignore[misc]
    with torch.no_grad():
        if norm.running_mean is not None and norm.running_var is not None:
            assert norm.num_batches_tracked is not None
            assert norm.momentum is not None
            norm.num_batches_tracked += 1
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
            unbiased = variance * count / (count - 1)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
    y = torch.addcmul(norm.bias[:, None, None], norm.weight[:, None, None], normal) if norm.affine else normal
    return y.to(x.dtype)


class _Normal(torch.autograd.Function):
    """n, and m, v and the number of values that they are of."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        variances, means = torch.var_mean(x, OVER, correction=0)
        own = torch.cat([means, variances, means.new_full((1,), x.numel() // x.shape[1])])
        every = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(every, own)
        means, variances, counts = torch.stack(every).split([len(means), len(means), 1], dim=1)
        count = counts.sum()
        share = counts / count
        mean = (share * means).sum(0)
        variance = (share * (variances + (means - mean).square())).sum(0)  # within processes and between them
        inverse = (variance + eps).rsqrt()
        normal = (x - mean[:, None, None]) * inverse[:, None, None]
        ctx.save_for_backward(normal, inverse, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return normal, mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        normal, inverse, count = ctx.saved_tensors
        dy = gradients[0]
        sums = torch.stack([dy.sum(OVER), (dy * normal).sum(OVER)])
        torch.distributed.all_reduce(sums)
        of_dy, of_both = (sums / count)[:, :, None, None]
        return inverse[:, None, None] * (dy - of_dy - normal * of_both), None
