"""How fast a medium carries a wave: the light cone, the Green's function of a medium, and a closed form to check it.

For a kernel w with the symbol L(k) = -sum_r w(r) cos(k . r), a linear wave of wave vector k obeys
y'' = -(L(k) + omega) y, and a small step dt turns its phase by dt sqrt(L + omega). Speeds, in grid points per time:

    long waves     c = sqrt(largest eigenvalue of the second moment, 1/2 sum_r w(r) r r^T); 1 for the Laplacian
    any wave       the largest group velocity |d sqrt(L + omega) / dk| over all k
    any influence  kernel radius / dt: nothing leaves the box of one radius a step

A trained kernel may push outward (L < 0 at some k), which omega has to hold back. The group velocity is that of the
medium which only just stands, omega = max(0, -min L); more omega makes waves slower. tanh has a slope of at most 1, so
it slows them too.
"""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

GRID = 128  # wave vectors per axis on which the group velocity is searched


@dataclass(frozen=True)
class Speeds:
    """Upper speeds of a medium, in grid points per unit time (one lies `stride` pixels from the next).

    Attributes:
        long: of long waves, the largest over channels and directions.
        group: the largest group velocity of the linear medium that only just stands.
        limit: of any influence, kernel radius / dt.
    """

    long: float
    group: float
    limit: float


def speeds(kernel: Tensor, dt: float) -> Speeds:
    """Return the speeds of a coupling kernel, (c, c, ky, kx) dense or (c, 1, ky, kx) depthwise.

    Of a kernel that is not symmetric, the Hermitian part counts; a dense one is taken branch by branch of its
    eigenvalues.

    Example:
        >>> s = speeds(dh.laplacian(1), 0.1)
        >>> round(s.long, 3), round(s.group, 2), s.limit
        (1.0, 1.0, 10.0)
    """
    w = kernel.detach().double().cpu().numpy()
    if w.shape[1] == 1 and len(w) > 1:  # channels that do not mix have no branches in common
        each = [speeds(channel, dt) for channel in kernel.detach()[:, None]]
        return Speeds(*(max(getattr(one, name) for one in each) for name in ("long", "group", "limit")))
    w = (w + w.transpose(1, 0, 2, 3)[..., ::-1, ::-1]) / 2
    places = _places(w)
    moments = 0.5 * np.einsum("ccij,ijr,ijs->crs", w, places, places)
    long = math.sqrt(max(np.linalg.eigvalsh(moments).max(), 0.0))
    # Between the symmetric points, where branches of a dense kernel touch and have no gradient.
    k = 2 * np.pi * (np.arange(GRID) + 0.5) / GRID - np.pi
    k = np.stack(np.meshgrid(k, k, indexing="ij"), -1)
    stiff, modes = np.linalg.eigh(_symbol(w, k))
    slopes = []
    for offset in np.moveaxis(places, -1, 0):
        change = 1j * _symbol(w * offset, k)
        slopes.append(np.einsum("pqai,pqab,pqbi->pqi", modes.conj(), change, modes).real)
    stiff = stiff - [min(_lowest(w, k, stiff, branch), 0.0) for branch in range(stiff.shape[-1])]
    turning = stiff > 1e-9 * np.abs(stiff).max()
    group = np.hypot(*slopes)[turning] / (2 * np.sqrt(stiff[turning]))
    return Speeds(long, float(group.max()) if group.size else 0.0, int(places.max()) / dt)


def symbol_of_channels(w: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return L(k) of each channel, (..., c), of a depthwise kernel (c, 1, ky, kx) at wave vectors (..., 2)."""
    return np.real(np.stack([_symbol(channel[None], k)[..., 0, 0] for channel in w], -1))


def _symbol(w: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return L(k), (..., c, c), of a kernel (c, c, ky, kx) at wave vectors (..., 2)."""
    turn = np.tensordot(k, _places(w), (-1, -1))
    return -np.einsum("abij,...ij->...ab", w, np.exp(1j * turn))


def _places(w: np.ndarray) -> np.ndarray:
    """Return r of each tap of a kernel, (ky, kx, 2)."""
    sides = (np.arange(side) - side // 2 for side in w.shape[-2:])
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1)


def _lowest(w: np.ndarray, k: np.ndarray, stiff: np.ndarray, branch: int) -> float:
    """Return the least L of a branch, exactly: near it the group velocity is a ratio of two small numbers."""
    from scipy.optimize import minimize

    start = k.reshape(-1, 2)[stiff[..., branch].argmin()]
    found = minimize(lambda at: np.linalg.eigvalsh(_symbol(w, at))[branch], start, method="Nelder-Mead",
                     options={"xatol": 1e-10, "fatol": 1e-15})  # fmt: skip
    return float(min(found.fun, stiff[..., branch].min()))


def lattice(kernel: np.ndarray, size: tuple[int, int], steps: int, dt: float, *, velocity: bool = False,
            integrator: str = "euler") -> np.ndarray:  # fmt: skip
    """Return the exact response of a free linear lattice on a torus to an impulse at its centre, by Fourier modes.

    With 2 - 2 cos theta = dt^2 L, y_n(k) = cos((n + 1/2) theta) / cos(theta / 2) for "euler" and cos(n theta) for
    "verlet" after a displacement, dt sin(n theta) / sin(theta) for "euler" after a velocity.

    Args:
        kernel: (ky, kx), symmetric; all steps must be stable.
        size: height and width of the torus.
        steps: T.
        dt: the step.
        velocity: kick z0 instead of y0 ("euler" only).
        integrator: "euler" or "verlet".

    Returns:
        float64 (t, y, x): y_1 .. y_T.
    """
    k = np.stack(np.meshgrid(*(2 * np.pi * np.fft.fftfreq(side) for side in size), indexing="ij"), -1)
    theta = np.arccos(np.clip(1 - dt**2 * symbol_of_channels(kernel[None, None], k)[..., 0] / 2, -1, 1))
    n = np.arange(1, steps + 1)[:, None, None]
    if velocity:
        with np.errstate(invalid="ignore"):
            modes = np.where(theta > 0, dt * np.sin(n * theta) / np.sin(theta), dt * n)
    elif integrator == "verlet":
        modes = np.cos(n * theta)
    else:
        modes = np.cos((n + 0.5) * theta) / np.cos(theta / 2)
    return np.roll(np.fft.ifft2(modes).real, (size[0] // 2, size[1] // 2), (1, 2))
