"""How large a step may be: the Courant limit of a coupled field of damped oscillators.

A mode of y'' = W * y - omega y - alpha y' obeys q'' = -lambda q - alpha q' with lambda <= max_k(-W(k)) + max(omega),
where W(k) is the kernel's Fourier transform (for a kernel that mixes channels, the largest eigenvalue of its Hermitian
part). tanh only weakens the coupling, so the bound holds for it too. One step multiplies (q, q') by a 2x2 matrix whose
eigenvalues stay in the unit disc when

    euler:   dt^2 lambda + 2 dt alpha <= 4        (damping is explicit)
    verlet:  dt^2 lambda <= 4                     (damping is exact)

A step beyond the limit makes the numbers grow although the medium does not. This is exact theory for symmetric
coupling. The limit says nothing about a medium that grows by itself (omega < 0, a kernel that pushes outward or is not
symmetric): no step can cure that.
"""

import math
from typing import get_args

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, choose, whole
from drumhead.physics.contract import as_tensor, check_kernel
from drumhead.settings.config import Integrator

GRID = 64  # wave vectors per axis, at least, on which the kernel's symbol is searched; misses under 1 % of its maximum


def stiffness(kernel: Tensor) -> Tensor:
    """Return max_k(-W(k)) >= 0 of a coupling kernel, in 1 / time^2; 8 for the 5-point Laplacian.

    Args:
        kernel: (c, c, ky, kx) dense or (c, 1, ky, kx) depthwise.
    """
    kernel = kernel.detach().to(torch.float64)
    ky, kx = kernel.shape[-2:]
    size = (max(GRID, 16 * ky), max(GRID, 16 * kx))
    centred = torch.zeros(*kernel.shape[:2], *size, dtype=kernel.dtype, device=kernel.device)
    centred[..., :ky, :kx] = kernel
    centred = centred.roll((-(ky // 2), -(kx // 2)), (-2, -1))
    symbol = -torch.fft.rfft2(centred)
    if kernel.shape[1] == 1:
        return symbol.real.max().clamp(min=0)
    symbol = symbol.permute(2, 3, 0, 1).flatten(0, 1)
    hermitian = (symbol + symbol.mH) / 2
    return torch.linalg.eigvalsh(hermitian).max().clamp(min=0)


def speed(kernel: Tensor) -> Tensor:
    """Return the speed of long waves in pixels per unit time, sqrt(sum_r w(r) |r|^2 / 4); 1 for the Laplacian.

    Averaged over the axes and the channel diagonal. At least 0.1, so that it stays
    differentiable for kernels that carry no waves.
    """
    ky, kx = kernel.shape[-2:]
    diagonal = kernel[:, 0] if kernel.shape[1] == 1 else torch.diagonal(kernel).permute(2, 0, 1)
    rows = torch.arange(ky, device=kernel.device) - ky // 2
    columns = torch.arange(kx, device=kernel.device) - kx // 2
    moment = (diagonal * (rows[:, None] ** 2 + columns[None, :] ** 2)).sum((-2, -1)) / 4
    return moment.mean().clamp(min=0.01).sqrt()


def stable_dt(kernel: Tensor, omega: Tensor | float = 0.0, alpha: Tensor | float = 0.0, *,
              integrator: str = "euler") -> float:  # fmt: skip
    """Return the largest stable step of a medium.

    With lambda = max_k(-W(k)) + max(omega): 2 / sqrt(lambda) for "verlet" and
    (sqrt(alpha^2 + 4 lambda) - alpha) / lambda for "euler", alpha at its largest.

    Args:
        kernel: (c, c, ky, kx) dense or (c, 1, ky, kx) depthwise.
        omega: squared natural frequency (tensor or number), 1 / time^2.
        alpha: damping (tensor or number), 1 / time.
        integrator: "euler" or "verlet".

    Returns:
        The limit in model time; infinity for a medium that nothing drives back, NaN for one with values that are
        infinite or undefined.

    Raises:
        DrumheadError: no such integrator, or a kernel that couples no sheets.

    Example:
        >>> import torch, drumhead as dh
        >>> round(dh.stable_dt(dh.laplacian(1), omega=1.0), 4)
        0.6667
    """
    choose("integrator", integrator, get_args(Integrator))
    check_kernel(kernel)
    if not kernel.isfinite().all():  # LAPACK finds no eigenvalues then
        return math.nan
    tops = [as_tensor(name, field, kernel).detach() for name, field in (("omega", omega), ("alpha", alpha))]
    highest, most = (float(field.max()) if field.isfinite().all() else math.nan for field in tops)
    if math.isnan(highest + most):
        return math.nan
    lam = float(stiffness(kernel)) + max(highest, 0.0)
    damping = max(most, 0.0) if integrator == "euler" else 0.0
    # (sqrt(d^2 + 4 lambda) - d) / lambda, written so that nothing cancels.
    bottom = math.sqrt(damping**2 + 4 * lam) + damping
    return 4 / bottom if bottom > 1e-12 else math.inf


def laplacian(channels: int, *, size: int = 3, dense: bool = False) -> Tensor:
    """Return the 5-point Laplacian as a coupling kernel: waves of speed 1 pixel per unit time.

    Args:
        channels: number of channels (c).
        size: odd side of the kernel, 3 or more; 1 gives zeros, for a field without coupling.
        dense: (c, c, size, size) with zeros between channels instead of depthwise (c, 1, size, size).

    Example:
        >>> dh.laplacian(2).shape
        torch.Size([2, 1, 3, 3])
    """
    channels, size = whole("channels", channels), whole("size", size)
    if size % 2 == 0:
        raise DrumheadError(f"size={size}: an odd size is needed, such as 3")
    stencil = torch.zeros(size, size)
    if size >= 3:
        m = size // 2
        stencil[m - 1 : m + 2, m] = stencil[m, m - 1 : m + 2] = 1.0
        stencil[m, m] = -4.0
    mixing = torch.eye(channels) if dense else torch.ones(channels, 1)
    return mixing[:, :, None, None] * stencil


def check_values(
    y: Tensor, z: Tensor | None, omega: Tensor, alpha: Tensor, kernel: Tensor, dt: float, integrator: str, margin: bool
) -> None:
    """Refuse a medium that is not physical and a step that is too long for it."""
    fields = {"y0": y, "z0": y if z is None else z, "omega": omega, "alpha": alpha, "kernel": kernel}
    for name, tensor in fields.items():
        if not torch.isfinite(tensor).all():
            raise DrumheadError(f"{name} has infinite or undefined values")
        if name in ("omega", "alpha") and (tensor < 0).any():
            raise DrumheadError(
                f"{name} has negative values (down to {float(tensor.min()):.4g}), which make waves grow; "
                "pass check_stability=False if that is meant"
            )
    limit = stable_dt(kernel, omega, alpha, integrator=integrator)
    if dt > limit * (1 + 1e-6):
        cure = "lower dt, omega or the kernel, or pass check_stability=False"
        if margin and integrator == "euler":
            cure = "the absorbing margin adds damping, which integrator='verlet' takes without a limit; or " + cure
        raise DrumheadError(
            f"dt={dt:.4g} is beyond the stable limit {limit:.4g} of this medium for integrator={integrator!r}: {cure}"
        )
