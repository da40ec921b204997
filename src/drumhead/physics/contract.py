"""What `drumhead.propagate` accepts, checked once at its door."""

import math
from collections.abc import Iterator
from numbers import Integral, Real

import torch
from torch import Tensor

from drumhead.engine.operator import readable
from drumhead.errors import DrumheadError, shown
from drumhead.physics.records import At, Record, Several, check_indices
from drumhead.physics.state import State


def check(
    start: State, omega: Tensor | float, alpha: Tensor | float, kernel: Tensor, steps: int, record: Record
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Refuse what does not fit; return omega, alpha and z as tensors of four dimensions, like y."""
    y0, dt = start.y, start.dt
    if not isinstance(y0, Tensor) or y0.ndim != 4 or not y0.is_floating_point() or not y0.numel():
        raise DrumheadError(f"y0: got {describe(y0)}; a non-empty floating-point tensor (b, c, y, x) is needed")
    if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1:
        raise DrumheadError(f"steps={steps!r}: a propagation needs a whole number of steps, at least one")
    if isinstance(dt, Tensor) or not (isinstance(dt, Real) and 0 < dt < math.inf):
        raise DrumheadError(f"dt={dt!r}: a positive number is needed, such as 0.1")
    channels, records = y0.shape[1], record.records if isinstance(record, Several) else (record,)
    if not records:
        raise DrumheadError("record=(): at least one record such as dh.All() or dh.Last() is needed")
    for one in records:
        if not isinstance(one, Record):
            raise DrumheadError(
                f"record={one!r}: a record such as dh.All() or dh.Last(), or several in a tuple, is needed"
            )
        one.check(int(steps), channels)
        for part in _parts(one):
            if isinstance(part, At):
                check_pixels("At(pixels)", part.pixels, y0)
            if isinstance(basis := getattr(part, "basis", None), Tensor):  # a user's record may call anything so
                check_kind("basis", basis, y0)
    check_kernel(kernel, channels)
    fields: dict[str, Tensor] = {}
    for name, field in (("omega", omega), ("alpha", alpha), ("z0", start.z)):
        if name == "z0" and field is None:
            continue
        field = as_tensor(name, field, y0)
        check_broadcast(name, field, y0)
        fields[name] = field.reshape((1,) * (4 - field.ndim) + tuple(field.shape))
    for name, tensor in (fields | {"kernel": kernel}).items():
        check_kind(name, tensor, y0)
    return fields["omega"], fields["alpha"], fields.get("z0")


def _parts(record: Record) -> Iterator[Record]:
    """Yield a record and those that it hands its states to."""
    yield record
    for inner in record.records if isinstance(record, Several) else (getattr(record, "record", None),):
        if isinstance(inner, Record):
            yield from _parts(inner)


def check_pixels(name: str, pixels: Tensor, maps: Tensor) -> None:
    """Refuse what are no flat indices (b, n) of pixels of maps (b, c, y, x), as far as their values may be asked."""
    check_indices(name, pixels)
    if pixels.shape[0] != maps.shape[0] or pixels.device != maps.device:
        raise DrumheadError(
            f"{name}: got {tuple(pixels.shape)} on {pixels.device}; (b={maps.shape[0]}, n) on {maps.device} is needed"
        )
    if readable(pixels):
        count = maps.shape[2] * maps.shape[3]
        least, most = map(int, pixels.aminmax())
        if least < 0 or most >= count:
            raise DrumheadError(f"{name}: got {least} to {most}; flat indices 0 to {count - 1} are needed")


def check_kernel(kernel: Tensor, channels: int | None = None) -> None:
    """Refuse what couples no sheets: of so many channels, or of as many as the kernel has."""
    shape = tuple(kernel.shape) if isinstance(kernel, Tensor) else ()
    c = shape[0] if channels is None and len(shape) == 4 else channels
    if len(shape) != 4 or not kernel.numel() or shape[:2] not in ((c, c), (c, 1)):
        size = "c" if c is None else c
        raise DrumheadError(
            f"kernel: got {describe(kernel)}; for {size} channels it has the shape "
            f"({size}, {size}, ky, kx) dense or ({size}, 1, ky, kx) depthwise"
        )
    check_odd(kernel)


def check_odd(kernel: Tensor) -> None:
    """Refuse a kernel that has no middle."""
    if any(side % 2 == 0 for side in kernel.shape[-2:]):
        raise DrumheadError(f"kernel: got the sides {tuple(kernel.shape[-2:])}; odd sides are needed, such as 3x3")


def as_tensor(name: str, field: object, like: Tensor) -> Tensor:
    """Return a number or an array as a tensor like another, and a tensor as it is."""
    if isinstance(field, Tensor):
        return field
    if isinstance(field, Real):
        return like.new_full((), float(field))  # made where the other is: a copy from the host breaks a CUDA graph
    try:
        return torch.as_tensor(field, dtype=like.dtype, device=like.device)
    except (TypeError, ValueError, RuntimeError):  # torch has one of each, by what it cannot take
        raise DrumheadError(f"{name}={shown(field)}: a number or a tensor of numbers is needed") from None


def check_broadcast(name: str, field: Tensor, y0: Tensor) -> None:
    """Refuse a field that cannot be expanded to y0."""
    sides = zip(reversed(field.shape), reversed(y0.shape), strict=False)
    if field.ndim > 4 or any(side not in (1, whole) for side, whole in sides):
        raise DrumheadError(
            f"{name}: got the shape {tuple(field.shape)}, which does not broadcast to y0's {tuple(y0.shape)}"
        )


def check_kind(name: str, tensor: Tensor, y0: Tensor) -> None:
    """Refuse a tensor of another type or on another device than y0."""
    if tensor.dtype != y0.dtype or tensor.device != y0.device:
        raise DrumheadError(
            f"{name} is {tensor.dtype} on {tensor.device}, y0 is {y0.dtype} on {y0.device}; "
            f"bring them together, for example with {name}.to(y0)"
        )


def describe(value: object) -> str:
    """Say what was got instead of a tensor that fits."""
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
