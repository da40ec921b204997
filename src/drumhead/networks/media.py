"""How one layer of waves is coupled, bounded and carried on, wherever its medium comes from."""

from typing import Any

import torch
from torch import Tensor, nn

from drumhead.engine.run import reduced
from drumhead.physics import stability
from drumhead.physics.medium import Medium
from drumhead.physics.propagate import propagate
from drumhead.physics.records import Record
from drumhead.settings.config import Waves

KERNEL_SHARE = 0.8  # of the stiffness that dt allows in a bounded medium; omega has the rest


def laplacian(layer: Waves) -> nn.Parameter:
    """Return the kernel that a layer begins with, and keeps if it is frozen."""
    kernel = stability.laplacian(layer.channels, size=layer.kernel_size, dense=layer.coupling == "dense")
    return nn.Parameter(kernel, requires_grad=not layer.frozen)


def allowed(layer: Waves) -> float:
    """Return the stiffness that dt allows, the same with and without coupling."""
    return (2 * layer.courant / layer.dt) ** 2


def largest_omega(layer: Waves) -> float | None:
    """Return the omega that keeps the medium stable; None if it is free."""
    return (1 - KERNEL_SHARE) * allowed(layer) if layer.courant else None


def bounded(layer: Waves, kernel: Tensor) -> Tensor:
    """Return the kernel, scaled down as far as dt asks for."""
    if not layer.courant:
        return kernel
    # Sums of |w| bound the stiffness (Gershgorin) and, unlike the exact value, cost nothing. Depthwise, each
    # channel has its own; dense, the Hermitian part mixes rows and columns.
    size, budget = kernel.abs().sum((2, 3)), KERNEL_SHARE * allowed(layer)
    size = size if layer.coupling == "depthwise" else ((size.sum(0) + size.sum(1)) / 2).max().view(1, 1)
    return kernel * (budget / size.clamp(min=budget))[:, :, None, None]


def carry(
    layer: Waves,
    kernel: Tensor,
    medium: Medium,
    z0: Tensor | None,
    record: Record,
    steps: int,
    return_state: bool = False,
) -> Any:
    """Return what a record keeps of the waves in a medium, and, if asked, their state, a y0 for those that follow."""
    rounded = reduced(kernel.device)
    with torch.autocast(kernel.device.type, enabled=False):  # errors of bfloat16 would add up over the steps
        omega, alpha, y0 = (field.to(kernel.dtype) for field in medium)
        return propagate(
            y0,
            omega,
            alpha,
            kernel,
            z0=None if z0 is None else z0.to(kernel.dtype),
            steps=steps,
            dt=layer.dt,
            nonlinearity=layer.nonlinearity,
            boundary=layer.boundary,
            integrator=layer.integrator,
            record=record,
            precision="bfloat16" if rounded else "float32",
            check_stability=False,  # reading values stalls a GPU; training reports `courant` instead
            return_state=return_state,
        )
