"""How one layer of waves is coupled, bounded, carried on and set on a grid, wherever its medium comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from drumhead.engine.pixelwise import bent
from drumhead.engine.run import reduced
from drumhead.physics import stability
from drumhead.physics.medium import Medium
from drumhead.physics.propagate import propagate
from drumhead.physics.records import Record
from drumhead.settings.config import Waves

DAMPING = -2.0  # added to what the features say of alpha, so that waves begin with little damping
KERNEL_SHARE = 0.8  # of the stiffness that dt allows in a bounded medium; omega has the rest


def shrunk(x: Tensor, coarser: int) -> Tensor:
    """Return features as a grid so much coarser sees them."""
    return F.avg_pool2d(x, coarser, ceil_mode=True) if coarser > 1 else x


def grown(told: Tensor, x: Tensor, coarser: int) -> Tensor:
    """Return what a grid so much coarser found, on the grid of the features x."""
    if coarser == 1:
        return told
    # By the factor and not to the size: where that is no multiple, `shrunk` has its last cell hang over the edge.
    whole = F.interpolate(told, scale_factor=float(coarser), mode="bilinear", align_corners=False)
    return whole[..., : x.shape[-2], : x.shape[-1]]


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


def medium_of(
    layer: nn.Conv2d, x: Tensor, parts: Sequence[str], largest: float | None, constants: Mapping[str, nn.Module]
) -> tuple[Medium, Tensor | None]:
    """Return the medium and the initial velocity that a 1x1 convolution of features sets.

    omega = largest sigmoid(.), or softplus(.) if it is free;  alpha = softplus(. - 2);  y0, z0 = tanh(.)

    Args:
        layer: the convolution; its maps are those of the parts, one after another.
        x: features (b, k, y, x).
        parts: "y0", and some of "omega", "alpha" and "z0".
        largest: omega; None if it is free.
        constants: what is learned in the place of omega or alpha that are not among the parts.

    Returns:
        The medium, and z0 or None, each (b, c, y, x).
    """
    phis, offsets = bends(parts, largest)
    maps = bent(x, layer, phis, offsets, largest or 0.0)
    if maps is None:
        told = zip(parts, layer(x).chunk(len(parts), dim=1), strict=True)
        maps = [_bend(part, value, largest) for part, value in told]
    found = dict(zip(parts, maps, strict=True))
    found |= {part: _bend(part, constant(x), largest) for part, constant in constants.items()}
    return Medium(found["omega"], found["alpha"], found["y0"]), found.get("z0")


def bends(parts: Sequence[str], largest: float | None) -> tuple[list[str], list[float]]:
    """Return what the parts of a medium are bent by, as the C engine knows it, and what is added before."""
    return [_phi(part, largest) for part in parts], [DAMPING * (part == "alpha") for part in parts]


def _phi(part: str, largest: float | None) -> str:
    """Return the name of what a part of the medium is bent by, as the C engine knows it."""
    return {"omega": "softplus" if largest is None else "sigmoid", "alpha": "softplus"}.get(part, "tanh")


def _bend(part: str, value: Tensor, largest: float | None) -> Tensor:
    """Return the same bend by torch."""
    phi, value = _phi(part, largest), value + DAMPING if part == "alpha" else value
    if phi == "sigmoid":
        assert largest is not None
        return largest * value.sigmoid()
    return F.softplus(value) if phi == "softplus" else value.tanh()


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
