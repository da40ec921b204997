"""The one time loop: waves through a medium.

    y'' = phi(W * y) - omega y - alpha y'

Both integrators are one recursion with different coefficients,

    z <- decay z + gain (phi(W * y) - omega y),      y <- y + dt z,

    euler (the paper's symplectic Euler):  decay = 1 - dt alpha       gain = dt
    verlet (kick-drift, second order):     decay = exp(-dt alpha)     gain = dt (1 + decay) / 2
        and a half kick to start:          decay = exp(-dt alpha / 2) gain = dt / 2

so the loop below is the definition that every faster engine is checked against.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead import boundaries, contract, stability
from drumhead.errors import choose
from drumhead.records import All, Record


def propagate(
    y0: Tensor,
    omega: Tensor | float,
    alpha: Tensor | float,
    kernel: Tensor,
    *,
    steps: int,
    dt: float,
    z0: Tensor | None = None,
    nonlinearity: str = "tanh",
    boundary: str = "periodic",
    integrator: str = "euler",
    record: Record | None = None,
    backend: str = "auto",
    check_stability: bool = True,
) -> Tensor:
    """Let waves run through a medium and return what the record keeps of them.

    y'' = phi(W * y) - omega y - alpha y', in `steps` steps of length `dt`; y_1 .. y_T are recorded, y_0 is not.

    Args:
        y0: initial displacement, (b, c, y, x), floating point; any height and width >= 1.
        omega: squared natural frequency, broadcastable to y0, >= 0, in 1 / time^2.
        alpha: damping, broadcastable to y0, >= 0, in 1 / time.
        kernel: coupling W, (c, c, ky, kx) dense or (c, 1, ky, kx) depthwise, odd sizes;
            `drumhead.laplacian` gives waves of speed 1 pixel per unit time.
        steps: number of steps T >= 1. A wave moves at most `speed * dt * steps` pixels: choose at least the
            size of what is to be heard.
        dt: step in model time. The paper uses 0.1; 0.9 times `drumhead.stable_dt` does the most per step.
        z0: initial velocity, broadcastable to y0; zero by default.
        nonlinearity: "tanh" (bounds the coupling force, the paper's) or "linear" (the wave equation).
        boundary: "periodic" (the paper's), "fixed", "reflecting" or "absorbing"; see `drumhead.boundaries`.
        integrator: "euler" (the paper's, first order) or "verlet" (second order, exact damping).
        record: what to keep: `All()` (default), `Every(k)`, `Last()`, `Mean()`, `Max()`, `Project(basis)` or
            `Fourier(bins)`.
        backend: "auto" or "eager"; both are this loop for now.
        check_stability: refuse steps beyond the stable limit and media with negative or non-finite values.
            It reads the values, so switch it off in inner loops and on a GPU.

    Returns:
        (b, t, c, y, x) for All and Every, (b, c, y, x) for Last, Mean and Max, (b, k, c, y, x) for Project
        and Fourier. Differentiable in y0, omega, alpha, kernel, z0 and the basis.

    Raises:
        DrumheadError: an argument does not fit; the message says what is allowed.

    Source:
        arXiv 2502.06034 for the equation and the Euler step; Hairer, Lubich and Wanner, Geometric Numerical
        Integration (2006), for the Verlet step with damping split off.

    Example:
        >>> import torch, drumhead as dh
        >>> y0 = torch.zeros(1, 1, 33, 33)
        >>> y0[0, 0, 16, 16] = 1.0
        >>> waves = dh.propagate(y0, 0.0, 0.0, dh.laplacian(1), steps=40, dt=0.5)
        >>> waves.shape
        torch.Size([1, 40, 1, 33, 33])
    """
    record = All() if record is None else record
    choose("backend", backend, ("auto", "eager"))
    omega, alpha, z0 = contract.check(
        y0, omega, alpha, kernel, z0, steps, dt, nonlinearity, boundary, integrator, record
    )

    steps, dt = int(steps), float(dt)  # NumPy's numbers are welcome too
    absorbing = boundary == "absorbing"
    if absorbing:
        size = y0.shape[-2:]
        y0, z0 = boundaries.surround(y0, "zeros"), boundaries.surround(z0.expand(y0.shape), "zeros")
        omega = boundaries.surround(_spread(omega, size), "replicate")
        alpha = boundaries.surround(_spread(alpha, size), "replicate")
        alpha = alpha + boundaries.margin_damping(size, stability.speed(kernel), alpha)
        boundary = "fixed"

    if check_stability:
        contract.check_values(y0, z0, omega, alpha, kernel, dt, integrator, absorbing)
    states = _march(y0, z0, omega, alpha, kernel, steps, dt, nonlinearity, boundary, integrator)
    if absorbing:
        states = map(boundaries.crop, states)
    return record.collect(states, steps)


def _march(
    y: Tensor,
    z: Tensor,
    omega: Tensor,
    alpha: Tensor,
    kernel: Tensor,
    steps: int,
    dt: float,
    nonlinearity: str,
    boundary: str,
    integrator: str,
) -> Iterator[Tensor]:
    """Yield y_1 .. y_T."""
    groups = 1 if kernel.shape[1] == y.shape[1] else y.shape[1]
    radius = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)

    def force(y: Tensor) -> Tensor:
        coupling = F.conv2d(boundaries.pad(y, radius, boundary), kernel, groups=groups)
        if nonlinearity == "tanh":
            coupling = torch.tanh(coupling)
        return torch.addcmul(coupling, omega, y, value=-1)

    decay, gain, first_decay, first_gain = _coefficients(alpha, dt, integrator)
    z = first_decay * z + first_gain * force(y)
    y = y + dt * z
    yield y
    for _ in range(steps - 1):
        z = torch.addcmul(decay * z, gain, force(y))
        y = torch.add(y, z, alpha=dt)
        yield y


def _coefficients(alpha: Tensor, dt: float, integrator: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Decay and gain of each step, and of the first one."""
    if integrator == "euler":
        decay, gain = 1 - dt * alpha, torch.full_like(alpha[:1, :1, :1, :1], dt)
        return decay, gain, decay, gain
    half = torch.exp(-dt / 2 * alpha)
    decay = half * half
    return decay, dt / 2 * (1 + decay), half, torch.full_like(half[:1, :1, :1, :1], dt / 2)


def _spread(field: Tensor, size: torch.Size) -> Tensor:
    """Expand a broadcastable field to the grid's height and width."""
    return field.expand(*field.shape[:2], *size)
