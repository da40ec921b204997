"""Waves in closed form: a linear medium that is the same everywhere rings mode by mode, at any times, without a loop.

The transform that suits the boundary (Fourier on a torus, sines between clamped edges, cosines between mirrors) turns

    y'' = W * y - omega y - alpha y'      into      q'' = -A q - alpha q',      A(k) = omega - W(k)

for each mode k. With w = sqrt(A - alpha^2 / 4), real or imaginary,

    q(t) = exp(-alpha t / 2) [cos(w t) q0 + sin(w t) / w (p0 + alpha / 2 q0)]

is exact in time. A scheme of step dt multiplies (q, p) by a matrix M of 2 x 2 numbers a mode instead, so its states are
powers of M, which squaring finds in log2(steps) products. This is the oscillatory state-space model of the paper's
outlook with space made diagonal: the image acts through y0 and z0, not through the medium.
"""

import math
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from drumhead.engine.operator import exporting, readable, transformed
from drumhead.errors import DrumheadError, choose
from drumhead.physics import stability
from drumhead.physics.contract import as_tensor, check_broadcast, check_kind, check_odd, describe
from drumhead.settings.config import Edge

SHORT = 256  # grid points along an axis up to which a product with a matrix is faster than a fast transform
TERMS = 10  # of the series of cos and sin(x) / x below |x| = 1: the next one is 1e-19


def propagate_exact(
    y0: Tensor,
    omega: Tensor | float,
    alpha: Tensor | float,
    kernel: Tensor,
    *,
    times: Sequence[float] | Tensor,
    z0: Tensor | float | None = None,
    boundary: str = "periodic",
    dt: float | None = None,
    integrator: str | None = None,
    check_stability: bool = True,
) -> Tensor:
    """Return linear waves in a medium that is the same at every pixel, at any times at once.

    y'' = W * y - omega y - alpha y', solved mode by mode: exactly in time, or as a scheme of step `dt` would.

    Args:
        y0: initial displacement, (b, c, y, x), float32 or float64; any height and width >= 1.
        omega: squared natural frequency, a number or one a sheet (c,), >= 0, in 1 / time^2.
        alpha: damping, a number or one a sheet (c,), >= 0, in 1 / time. Any amount, overdamped too.
        kernel: coupling W, (c, 1, ky, kx) depthwise, odd sizes. On a torus any; with other boundaries mirror-symmetric
            along both axes, and "fixed" takes at most three rows and columns.
        times: t >= 0, (t,), in model time, in any order. With `dt`, whole multiples of it.
        z0: initial velocity, broadcastable to y0; zero by default.
        boundary: "periodic", "fixed" or "reflecting", as for `drumhead.propagate`.
        dt: None is exact in time; else the states are those of `drumhead.propagate(..., nonlinearity="linear", dt=dt)`,
            its error of dispersion included.
        integrator: with `dt`: "euler" (default) or "verlet".
        check_stability: refuse media with negative or non-finite values, and steps beyond the stable limit.

    Returns:
        (b, t, c, y, x), differentiable in y0, z0, omega, alpha, kernel and, without `dt`, in times.

    Raises:
        DrumheadError: an argument does not fit; the message says what is allowed.

    Source:
        arXiv 2502.06034, whose outlook names oscillatory state-space models, parallel over time.

    Example:
        >>> y0 = torch.zeros(1, 1, 33, 33)
        >>> y0[0, 0, 16, 16] = 1.0
        >>> dh.propagate_exact(y0, 0.0, 0.0, dh.laplacian(1), times=[0.0, 2.5, 1000.0]).shape
        torch.Size([1, 3, 1, 33, 33])
    """
    omega, alpha, z0 = _check(y0, omega, alpha, kernel, z0, boundary)
    late = as_tensor("times", times, y0.new_empty((), dtype=torch.float64))  # float32 knows no half step at 150,000
    times = late.to(y0)
    if times.ndim != 1 or not times.numel() or not bool((times.isfinite() & (times >= 0)).all()):
        raise DrumheadError(f"times={times.tolist()}: one or more finite numbers >= 0 are needed")
    if dt is None and integrator is not None:
        raise DrumheadError(f"integrator={integrator!r} does nothing without dt: leave it out, or give dt")
    step, scheme = 0.0 if dt is None else _step(dt), integrator or "euler"
    if check_stability and all(map(readable, (y0, omega, alpha, kernel))):
        stability.check_values(y0, z0, omega, alpha, kernel, step, scheme, margin=False)
    stiff = squared_frequencies(kernel, omega, y0.shape[-2:], boundary)
    if dt is None:
        of_y, of_z = exact(stiff, alpha, times[:, None, None, None])
    else:
        of_y, of_z = stepped(stiff, alpha, _steps(late, step), step, scheme)
    modes = of_y * forth(y0, boundary)[:, None]
    if z0 is not None:
        modes = modes + of_z * forth(z0, boundary)[:, None]
    return back(modes, y0.shape[-2:], boundary)


def squared_frequencies(
    kernel: Tensor, omega: Tensor, size: Sequence[int], boundary: str, mirrored: bool = False
) -> Tensor:
    """Return A of each mode, (c, modes in y, modes in x); complex for a kernel that is not `mirrored`."""
    (ky, kx), (height, width) = kernel.shape[-2:], size
    if boundary == "periodic":
        across = width if mirrored and exporting() else width // 2 + 1
        waves = [2 * math.pi / height * _whole(height, kernel), 2 * math.pi / width * _whole(across, kernel)]
    elif boundary == "fixed":
        waves = [math.pi / (n + 1) * (_whole(n, kernel) + 1) for n in (height, width)]
    else:
        waves = [math.pi / n * _whole(n, kernel) for n in (height, width)]
    w, sides = kernel[:, 0], zip(waves, (ky, kx), strict=True)
    turns = [k[:, None] * (_whole(side, kernel) - side // 2) for k, side in sides]
    (cos_y, cos_x), (sin_y, sin_x) = ([f(turn).to(kernel) for turn in turns] for f in (torch.cos, torch.sin))
    real = _both(cos_y, w, cos_x) - _both(sin_y, w, sin_x)
    # Of a kernel that is its own image in the centre A is real, but not what it becomes when the kernel moves.
    moves = kernel.requires_grad or transformed((kernel,))
    if mirrored or boundary != "periodic" or not (moves or _differ(kernel, kernel.flip(-2, -1))):
        return omega - real
    return omega - torch.complex(real, _both(sin_y, w, cos_x) + _both(cos_y, w, sin_x))


def _both(rows: Tensor, kernel: Tensor, columns: Tensor) -> Tensor:
    return rows @ kernel @ columns.mT


def _whole(n: int, like: Tensor) -> Tensor:
    """Return 0, .., n - 1 where a tensor is: a copy from the host breaks a CUDA graph."""
    return torch.arange(n, dtype=torch.float64, device=like.device)


def _differ(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() > 1e-6 * a.abs().max())


def exact(stiff: Tensor, alpha: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Return what y0 and z0 have become of each mode: two factors (t, c, modes in y, modes in x).

    Args:
        stiff: A, (c, modes in y, modes in x).
        alpha: damping (c, 1, 1).
        times: (t, 1, 1, 1), or (t, c, 1, 1) for times of each sheet's own.
    """
    t, half = times, alpha / 2
    square = stiff - half**2
    near = (square.abs() * t**2) < 1
    fall = -half * t
    cosine, sine = (_turned if square.is_complex() else _turned_or_faded)(torch.where(near, 1.0, square * t**2), fall)
    sine = sine * t
    small = torch.where(near, -square * t**2, 0.0)
    even, odd = torch.zeros_like(small), torch.zeros_like(small)
    for k in reversed(range(TERMS)):
        even, odd = even * small + 1 / math.factorial(2 * k), odd * small + 1 / math.factorial(2 * k + 1)
    cosine = torch.where(near, torch.exp(fall) * even, cosine)
    sine = torch.where(near, torch.exp(fall) * odd * t, sine)
    return cosine + half * sine, sine


def _turned(square: Tensor, fall: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(fall) cos(w) and exp(fall) sin(w) / w for complex w^2 = square."""
    turn = torch.sqrt(square)
    ahead, behind = torch.exp(fall + 1j * turn), torch.exp(fall - 1j * turn)
    return (ahead + behind) / 2, (ahead - behind) / (2j * turn)


def _turned_or_faded(square: Tensor, fall: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same for real w^2, in real numbers: cosh and sinh where it is negative, which must not overflow."""
    over, root = square < 0, square.abs().sqrt()
    slow = torch.where(over, root, 0.0)
    ahead, behind = torch.exp(fall + slow), torch.exp(fall - slow)
    still = torch.exp(fall)
    cosine = torch.where(over, (ahead + behind) / 2, still * root.cos())
    return cosine, torch.where(over, (ahead - behind) / 2, still * root.sin()) / root


def stepped(stiff: Tensor, alpha: Tensor, steps: Tensor, dt: float, integrator: str) -> tuple[Tensor, Tensor]:
    """Return the same after steps (t,), whole numbers >= 0, of a scheme: entries of powers of its matrix a mode."""
    choose("integrator", integrator, ("euler", "verlet"))
    alpha = alpha.to(stiff.dtype)
    first = decay = 1 - dt * alpha
    kick = gain = torch.full_like(decay, dt)
    if integrator == "verlet":
        first, decay = torch.exp(-dt / 2 * alpha), torch.exp(-dt * alpha)
        kick, gain = kick / 2, dt / 2 * (1 + decay)
    begun = (1 - dt * kick * stiff, dt * first, -kick * stiff, first)  # (y1, z1) from (y0, z0), row by row
    square = (1 - dt * gain * stiff, dt * decay, -gain * stiff, decay)
    count = (steps - 1).clamp(min=0)[:, None, None, None]
    power = None
    for bit in range(int(count.max()).bit_length()):
        if bit:
            square = _product(square, square)
        more = square if power is None else _product(square, power)
        like = (1.0, 0.0, 0.0, 1.0) if power is None else power
        taken = (count >> bit) & 1 == 1
        power = tuple(torch.where(taken, a, b) for a, b in zip(more, like, strict=True))
    whole = begun if power is None else _product(power, begun)
    none = steps[:, None, None, None] == 0
    return torch.where(none, 1.0, whole[0]), torch.where(none, 0.0, whole[1])


def _product(a: Sequence[Tensor], b: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]


def forth(y: Tensor, boundary: str, mirrored: bool = False) -> Tensor:
    """Return the modes of maps (.., y, x), of which those of `squared_frequencies` for the same kernel ring alone."""
    if boundary == "periodic" and not (mirrored and exporting()):
        return torch.fft.rfft2(y)
    transform = {"periodic": _turns, "fixed": _sines}.get(boundary, _cosines)
    return transform(transform(y).mT).mT


def back(modes: Tensor, size: Sequence[int], boundary: str, mirrored: bool = False) -> Tensor:
    """Return the maps of modes again."""
    if boundary == "periodic" and not (mirrored and exporting()):
        return torch.fft.irfft2(modes, s=tuple(size))
    if boundary == "periodic":
        return _turns(_turns(modes).mT).mT * (1 / (size[0] * size[1]))
    if boundary == "fixed":
        return _sines(_sines(modes).mT).mT * (4 / ((size[0] + 1) * (size[1] + 1)))
    return _from_cosines(_from_cosines(modes).mT).mT


def _turns(x: Tensor) -> Tensor:
    """Return sum_j x_j (cos + sin)(2 pi j k / n) along the last axis; twice is n times as much (Hartley)."""
    n = x.shape[-1]
    angle = 2 * math.pi / n * (_whole(n, x)[:, None] * _whole(n, x))
    return x @ (angle.cos() + angle.sin()).to(x)


def _sines(x: Tensor) -> Tensor:
    """Return sum_j x_j sin(pi (j + 1) (k + 1) / (n + 1)) along the last axis; twice is (n + 1) / 2 times as much."""
    n = x.shape[-1]
    if exporting() or n <= SHORT:
        whole = _whole(n, x) + 1
        return x @ torch.sin(math.pi / (n + 1) * whole[:, None] * whole).to(x)
    return -torch.fft.rfft(torch.nn.functional.pad(x, (1, 0)), n=2 * (n + 1)).imag[..., 1 : n + 1]


def _cosines(x: Tensor) -> Tensor:
    """Return sum_j x_j cos(pi (j + 1/2) k / n) along the last axis."""
    n = x.shape[-1]
    if exporting() or n <= SHORT:
        return x @ torch.cos(math.pi / n * (_whole(n, x)[:, None] + 0.5) * _whole(n, x)).to(x)
    return (torch.fft.rfft(x, n=2 * n)[..., :n] * _quarter(n, x).conj()).real


def _from_cosines(modes: Tensor) -> Tensor:
    n = modes.shape[-1]
    if exporting() or n <= SHORT:
        whole = _whole(n, modes)
        share = (1 + whole.clamp(max=1)) / n  # the first one half of the others
        turns = torch.cos(math.pi / n * whole[:, None] * (whole + 0.5)) * share[:, None]
        return modes @ turns.to(modes)
    scaled = modes * _quarter(n, modes)
    scaled = torch.cat([scaled[..., :1] / 2, scaled[..., 1:]], -1)
    return 4 * torch.fft.ifft(scaled, n=2 * n)[..., :n].real


def _quarter(n: int, like: Tensor) -> Tensor:
    """Return half a pixel's turn of each of n cosines."""
    angle = math.pi / (2 * n) * torch.arange(n, dtype=like.dtype, device=like.device)
    return torch.polar(torch.ones_like(angle), angle)


def _step(dt: float) -> float:
    if not (isinstance(dt, int | float) and 0 < dt < math.inf):
        raise DrumheadError(f"dt={dt!r}: a positive number is needed, or None to be exact in time")
    return float(dt)


def _steps(times: Tensor, dt: float) -> Tensor:
    exactly = times.detach().double() / dt
    steps = exactly.round()
    spare = (1e-5 + 2e-7 * steps).clamp(max=0.1)  # what float32 may have rounded away
    if not bool(((exactly - steps).abs() <= spare).all()):
        raise DrumheadError(f"times={times.tolist()}: with dt={dt}, whole multiples of it are needed")
    return steps.long()


def _check(
    y0: Tensor, omega: Tensor | float, alpha: Tensor | float, kernel: Tensor, z0: Tensor | float | None, boundary: str
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Refuse what does not fit; return omega and alpha as (c, 1, 1) and z0 like y0."""
    choose("boundary", boundary, get_args(Edge))
    if not isinstance(y0, Tensor) or y0.ndim != 4 or not y0.numel() or y0.dtype not in (torch.float32, torch.float64):
        raise DrumheadError(f"y0: got {describe(y0)}; a non-empty tensor (b, c, y, x) of float32 or float64 is needed")
    channels = y0.shape[1]
    if not isinstance(kernel, Tensor) or kernel.ndim != 4 or kernel.shape[:2] != (channels, 1):
        raise DrumheadError(
            f"kernel: got {describe(kernel)}; ({channels}, 1, ky, kx) is needed: sheets that do not mix"
        )
    check_odd(kernel)
    if boundary != "periodic":
        if not transformed((kernel,)) and any(_differ(kernel, kernel.flip(axis)) for axis in (-2, -1)):
            raise DrumheadError(
                f"kernel: with boundary={boundary!r} it has to be its own mirror image along both axes; 'periodic' "
                "takes any"
            )
        if boundary == "fixed" and max(kernel.shape[-2:]) > 3:
            raise DrumheadError(f"kernel: got the sides {tuple(kernel.shape[-2:])}; 'fixed' takes at most 3x3")
    media = []
    for name, value in (("omega", omega), ("alpha", alpha)):
        field = as_tensor(name, value, y0).to(y0)
        if field.ndim > 1 or field.numel() not in (1, channels):
            raise DrumheadError(
                f"{name}: got the shape {tuple(field.shape)}; a number or one a sheet, ({channels},), is needed: the "
                "medium is the same at every pixel (drumhead.propagate takes maps)"
            )
        media.append(field.expand(channels)[:, None, None])
    check_kind("kernel", kernel, y0)
    if z0 is None:
        return media[0], media[1], None
    z0 = as_tensor("z0", z0, y0)
    check_kind("z0", z0, y0)
    check_broadcast("z0", z0, y0)
    return media[0], media[1], z0.expand(y0.shape).contiguous()  # torch 2.6 transforms no number that is expanded
