"""The short way through a layer of waves, where nobody wants more of it than its numbers.

An answer to a small image is mostly Python: each call of the engine asks what its tensors are, who observes them and
what a propagation may be. Here all of that is asked once for a layer, and the same kernels compute the same numbers.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from drumhead.engine.choose import pick
from drumhead.engine.eager import coefficients
from drumhead.engine.modules import local, untouched
from drumhead.engine.operator import traced, unseen
from drumhead.engine.plan import Fields, Plan, planned
from drumhead.networks.media import bends, shrunk
from drumhead.networks.readouts import TimeReadout
from drumhead.settings.config import Layer

METHODS = frozenset(("start", "run", "heard", "coupling"))  # of the long way, which a user may have replaced


def heard(layer: Any, x: Tensor) -> Tensor | None:
    """Return what a layer of waves hears of features, by the C engine and without a gradient.

    Args:
        layer: a `Stepped` whose features set both omega and alpha.
        x: features, (b, width, y, x).

    Returns:
        (b, k, c, y, x) on the layer's own grid; None where the long way has to be taken.
    """
    if traced() or planned() or torch.is_autocast_enabled("cpu"):
        return None
    medium, readout = layer.medium, layer.readout
    built = local(medium) and untouched(readout, TimeReadout) and readout.kind == "linear"
    if not built or METHODS & layer.__dict__.keys() or "record" in readout.__dict__:
        return None
    if medium.bias is None or layer.layer.boundary == "absorbing" or x.ndim != 4:
        return None
    tensors = (x, medium.weight, medium.bias, readout.time_map)
    if not _plain(tensors, x) or pick("auto", x, tensors, True) != "native":
        return None
    kernel = layer.coupling()
    return _native(layer, shrunk(x, layer.coarser), *tensors[1:], kernel) if _plain((kernel,), x) else None


def _plain(tensors: tuple[Tensor, ...], like: Tensor) -> bool:
    """Say whether these are bare numbers of one type in the processor's memory, at which nobody looks."""
    return unseen(tensors) and all(tensor.dtype == like.dtype and tensor.is_cpu for tensor in tensors)


def _native(layer: Any, x: Tensor, weight: Tensor, bias: Tensor, basis: Tensor, kernel: Tensor) -> Tensor:
    """Read the medium, let waves run through it and listen: two calls of the C engine."""
    from drumhead.engine import ops
    from drumhead.engine.cpu import native, pointwise

    phis, offsets = bends(layer.parts, layer.largest)
    codes = [pointwise.BENDS.index(phi) for phi in phis]
    maps = pointwise.bent.direct(x, weight.flatten(1), bias, codes, offsets, layer.largest or 0.0)
    found = dict(zip(layer.parts, maps.unbind(0), strict=True))
    decay, first, *gain = coefficients(found["alpha"], layer.layer.dt, layer.layer.integrator)
    y0, z0, omega = found["y0"], found.get("z0"), found["omega"]
    fields = Fields(y0, z0, omega, decay, None if z0 is None else first, kernel.contiguous(), basis.contiguous())
    plan = _plan(layer.layer, layer.steps, *gain)
    ops.check(plan, fields)  # a parameter may have been given another shape, and C would read beyond it
    return native.forward(plan, fields).out


@lru_cache
def _plan(layer: Layer, steps: int, offset: float, slope: float, first_offset: float) -> Plan:
    return Plan(steps, layer.dt, offset, slope, first_offset, layer.nonlinearity == "tanh", layer.boundary, "project")
