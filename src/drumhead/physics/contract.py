"""What `drumhead.propagate` accepts, checked once at its door."""

import math
from numbers import Integral, Real
from typing import get_args

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, choose
from drumhead.physics import stability
from drumhead.physics.records import At, Record
from drumhead.settings.config import Boundary, Integrator, Nonlinearity


def check(
    y0: Tensor,
    omega: Tensor | float,
    alpha: Tensor | float,
    kernel: Tensor,
    z0: Tensor | None,
    steps: int,
    dt: float,
    nonlinearity: str,
    boundary: str,
    integrator: str,
    record: Record,
) -> tuple[Tensor, Tensor, Tensor]:
    """Refuse what does not fit; return omega, alpha and z0 as 4-d tensors like y0."""
    choose("nonlinearity", nonlinearity, get_args(Nonlinearity))
    choose("boundary", boundary, get_args(Boundary))
    choose("integrator", integrator, get_args(Integrator))
    if not isinstance(y0, Tensor) or y0.ndim != 4 or not y0.is_floating_point() or not y0.numel():
        raise DrumheadError(f"y0: got {_describe(y0)}; a non-empty floating-point tensor (b, c, y, x) is needed")
    if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1:
        raise DrumheadError(f"steps={steps!r}: a propagation needs a whole number of steps, at least one")
    if isinstance(dt, Tensor) or not (isinstance(dt, Real) and 0 < dt < math.inf):
        raise DrumheadError(f"dt={dt!r}: a positive number is needed, such as 0.1")
    if not isinstance(record, Record):
        raise DrumheadError(f"record={record!r}: a record such as dh.All() or dh.Last() is needed")
    record.check(int(steps), y0.shape[1])

    channels = y0.shape[1]
    if (
        not isinstance(kernel, Tensor)
        or kernel.ndim != 4
        or kernel.shape[:2]
        not in (
            (channels, channels),
            (channels, 1),
        )
    ):
        raise DrumheadError(
            f"kernel: got {_describe(kernel)}; for {channels} channels it has the shape "
            f"({channels}, {channels}, ky, kx) dense or ({channels}, 1, ky, kx) depthwise"
        )
    if any(side % 2 == 0 for side in kernel.shape[-2:]):
        raise DrumheadError(f"kernel: got the sides {tuple(kernel.shape[-2:])}; odd sides are needed, such as 3x3")
    fields = []
    for name, field in (("omega", omega), ("alpha", alpha), ("z0", 0.0 if z0 is None else z0)):
        if isinstance(field, Real):
            field = y0.new_full((), float(field))  # made where y0 is: a copy from the host would break a CUDA graph
        elif not isinstance(field, Tensor):
            field = torch.as_tensor(field, dtype=y0.dtype, device=y0.device)
        if field.ndim > 4 or any(
            a not in (1, b) for a, b in zip(reversed(field.shape), reversed(y0.shape), strict=False)
        ):
            raise DrumheadError(
                f"{name}: got the shape {tuple(field.shape)}, which does not broadcast to y0's {tuple(y0.shape)}"
            )
        fields.append(field.reshape((1,) * (4 - field.ndim) + tuple(field.shape)))
    pixels = record.pixels if isinstance(record, At) else None
    if pixels is not None and (pixels.shape[0] != y0.shape[0] or pixels.device != y0.device):
        raise DrumheadError(
            f"At(pixels): got {tuple(pixels.shape)} on {pixels.device}; (b={y0.shape[0]}, n) on {y0.device} is needed"
        )
    if pixels is not None and pixels.is_cpu and not torch.compiler.is_compiling():
        count = y0.shape[2] * y0.shape[3]
        if pixels.min() < 0 or pixels.max() >= count:
            raise DrumheadError(
                f"At(pixels): got {int(pixels.min())} to {int(pixels.max())}; flat indices 0 to {count - 1} are needed"
            )
    basis = getattr(record, "basis", None)
    for name, tensor in zip(("omega", "alpha", "z0", "kernel", "basis"), [*fields, kernel, basis], strict=True):
        if tensor is not None and (tensor.dtype != y0.dtype or tensor.device != y0.device):
            raise DrumheadError(
                f"{name} is {tensor.dtype} on {tensor.device}, y0 is {y0.dtype} on {y0.device}; "
                f"bring them together, for example with {name}.to(y0)"
            )
    return fields[0], fields[1], fields[2]


def _describe(value: object) -> str:
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def check_values(
    y0: Tensor, z0: Tensor, omega: Tensor, alpha: Tensor, kernel: Tensor, dt: float, integrator: str, absorbing: bool
) -> None:
    """Refuse a medium that is not physical and a step that is too long for it."""
    for name, tensor in (("y0", y0), ("z0", z0), ("omega", omega), ("alpha", alpha), ("kernel", kernel)):
        if not torch.isfinite(tensor).all():
            raise DrumheadError(f"{name} has infinite or undefined values")
        if name in ("omega", "alpha") and (tensor < 0).any():
            raise DrumheadError(
                f"{name} has negative values (down to {float(tensor.min()):.4g}), which make waves grow; "
                "pass check_stability=False if that is meant"
            )
    limit = stability.stable_dt(kernel, omega, alpha, integrator=integrator)
    if dt > limit * (1 + 1e-6):
        cure = "lower dt, omega or the kernel, or pass check_stability=False"
        if absorbing and integrator == "euler":
            cure = "the absorbing margin adds damping, which integrator='verlet' takes without a limit; or " + cure
        raise DrumheadError(
            f"dt={dt:.4g} is beyond the stable limit {limit:.4g} of this medium for integrator={integrator!r}: {cure}"
        )
