"""What a trained kernel is as a medium: what long waves feel of it.

A kernel W acts on exp(i k . r) as its symbol K(k) = sum_r W(r) exp(i k . r), which for long waves is

    K(k) = m0 + i m1 . k - k^T M2 k / 2,      m0 = sum W,   m1 = sum W r,   M2 = sum W r r^T

so that Omega^2 + i alpha Omega = omega_eff + k^T C k - i m1 . k with

    omega_eff = omega - m0      what brings the whole sheet back; below zero it leaves its rest until tanh stops it
    C = M2 / 2                  the speed tensor: squared speeds along a fast and a slow axis
    m1                          not reciprocal: waves along -m1 grow, and along m1 shrink, up to |m1| / c per unit time

Growth above alpha outgrows the damping. A depthwise kernel has one such medium a channel. A dense one mixes channels,
so its media are its bands: eigenvectors of its reciprocal part at the omega it is given. NumPy only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError

LONG = 0.05  # radians per oscillator: of the waves whose bands are compared with those of k = 0
STRAIGHT = 0.1  # relative change of a band's tensor from LONG to twice of it that is still a tensor
DIRECTIONS = ((1.0, 0.0), (0.0, 1.0), (np.sqrt(0.5), np.sqrt(0.5)), (np.sqrt(0.5), -np.sqrt(0.5)))  # y and x


@dataclass(frozen=True)
class Effective:
    """The medium that long waves feel, one for each of b channels or bands. Vectors are (y, x), as arrays are.

    Attributes:
        pull: omega_eff - omega = -m0, (b,), 1 / time^2.
        drift: m1, (b, 2), oscillators / time^2.
        tensor: C, (b, 2, 2), oscillators^2 / time^2; nan for a band without one, where two touch.
        weights: share of each channel in a band, (b, c); rows add up to 1.
        lopsided: |W - W'| / |W + W'| with W' the kernel the other way round; 0 is reciprocal, 1 goes one way only.
    """

    pull: np.ndarray
    drift: np.ndarray
    tensor: np.ndarray
    weights: np.ndarray
    lopsided: np.ndarray

    def omega(self, omega: Any) -> np.ndarray:
        """Return omega_eff (b, ...) where the channels have these omega (c, ...)."""
        return np.tensordot(self.weights, np.asarray(omega, float), 1) + _along(self.pull, np.ndim(omega))

    def alpha(self, alpha: Any) -> np.ndarray:
        """Return the damping (b, ...) where the channels have these alpha (c, ...)."""
        return np.tensordot(self.weights, np.asarray(alpha, float), 1)

    @property
    def kappa(self) -> np.ndarray:
        """Mean squared speed, trace(C) / 2, (b,); not above zero where no wave runs."""
        return np.trace(self.tensor, axis1=1, axis2=2) / 2

    @property
    def speeds(self) -> np.ndarray:
        """Speed along the slow and the fast axis, (b, 2), oscillators / time; nan where no wave runs."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(_values(self.tensor)[0])

    @property
    def axis(self) -> np.ndarray:
        """Direction of the fast axis, (b,), radians from x toward y, in [0, pi)."""
        fast = _values(self.tensor)[1][:, :, 1]
        return np.arctan2(fast[:, 0], fast[:, 1]) % np.pi

    @property
    def anisotropy(self) -> np.ndarray:
        """Fast speed over slow speed, (b,); 1 in a medium that is the same in all directions."""
        return self.speeds[:, 1] / self.speeds[:, 0]

    @property
    def growth(self) -> np.ndarray:
        """The most that waves of one direction grow per unit time, |m1| / c, (b,); compare it with alpha."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.hypot(*self.drift.T) / np.sqrt(np.where(self.kappa > 0, self.kappa, np.nan))


def effective(kernel: Any, omega: Any = 0.0) -> Effective:
    """Return the medium that long waves feel of a coupling kernel.

    omega_eff = omega - m0, C = M2 / 2, m1: see the top of this file.

    Args:
        kernel: (c, 1, ky, kx) depthwise or (c, c, ky, kx) dense, as an array or a tensor, in 1 / time^2.
        omega: of each channel, (c,) or a number; a dense kernel's bands depend on it.

    Raises:
        DrumheadError: no kernel, or omega is not one number a channel.

    Source:
        Long-wave expansion of a convolution, as in Coombes, Waves, bumps, and patterns in neural field theories,
        Biological Cybernetics 93 (2005) 91-108.

    Example:
        >>> found = dh.neuro.effective(dh.laplacian(1) * torch.tensor([[0.5, 1.0, 0.5]]))  # weaker along x
        >>> found.pull, found.speeds.round(3), found.axis  # fast along y
        (array([1.]), array([[0.707, 1.   ]]), array([1.57079633]))
    """
    w = np.asarray(kernel.detach().cpu() if hasattr(kernel, "detach") else kernel, float)
    if w.ndim != 4 or w.shape[1] not in (1, w.shape[0]) or not all(side % 2 for side in w.shape[2:]) or not w.size:
        raise DrumheadError(
            f"kernel: got the shape {w.shape}; (c, 1, ky, kx) or (c, c, ky, kx) with odd sides is needed"
        )
    omega = np.asarray(omega, float)
    if omega.shape not in ((), (1,), (len(w),)):
        raise DrumheadError(f"omega: got the shape {omega.shape}; a number or ({len(w)},), one a channel, is needed")
    return _channels(w[:, 0]) if w.shape[1] == 1 else _bands(w, np.broadcast_to(omega, len(w)))


def bands(kernel: Any, omega: Any, alpha: Any, ky: float, kx: float) -> np.ndarray:
    """Return the complex Omega of all free waves of one k: (Omega^2 + i alpha Omega - omega + K(k)) v = 0.

    Args:
        kernel: (c, 1, ky, kx) or (c, c, ky, kx).
        omega: of each channel, (c,) or a number.
        alpha: of each channel, (c,) or a number.
        ky: wave number along y, radians per oscillator.
        kx: along x.

    Returns:
        (2 c,), by rising real part, exp(i (k . r - Omega t)): a positive real part travels along k, a positive
        imaginary part grows.

    Example:
        >>> found = dh.neuro.bands(dh.laplacian(2), 1.0, [0.1, 0.2], 0.0, np.pi / 2)  # two channels, each its damping
        >>> found.round(3)
        array([-1.731-0.05j, -1.729-0.1j ,  1.729-0.1j ,  1.731-0.05j])
    """
    w = np.asarray(kernel.detach().cpu() if hasattr(kernel, "detach") else kernel, float)
    c = len(w)
    w = w if w.shape[1] == c else w * np.eye(c)[:, :, None, None]
    zero, one = np.zeros((c, c)), np.eye(c)
    stiff = np.diag(np.broadcast_to(np.asarray(omega, float), c)) - _symbol(w, (ky, kx))
    damp = np.diag(np.broadcast_to(np.asarray(alpha, float), c))
    found = 1j * np.linalg.eigvals(np.block([[zero, one], [-stiff, -damp]]))  # of exp(s t), s = -i Omega
    return found[np.lexsort((found.imag, found.real.round(9)))]


def _channels(w: np.ndarray) -> Effective:
    """Return the medium of each channel of a kernel (c, ky, kx)."""
    places = _places(w)
    turned = w[:, ::-1, ::-1]
    odd, even = (np.sqrt(np.square(part).sum((1, 2))) for part in (w - turned, w + turned))
    return Effective(
        -w.sum((1, 2)),
        np.einsum("cij,ijr->cr", w, places),
        np.einsum("cij,ijr,ijs->crs", w, places, places) / 2,
        np.eye(len(w)),
        odd / np.maximum(even, np.finfo(float).tiny),
    )


def _bands(w: np.ndarray, omega: np.ndarray) -> Effective:
    """Return the medium of each band of a kernel (c, c, ky, kx)."""
    back = w.transpose(1, 0, 2, 3)[..., ::-1, ::-1]
    even, odd = (w + back) / 2, (w - back) / 2
    still = np.diag(omega)

    def stiff(k: tuple[float, float]) -> np.ndarray:
        return np.linalg.eigvalsh(still - _symbol(even, k))

    rest, modes = np.linalg.eigh(still - even.sum((2, 3)))
    near, far = (
        np.array([(stiff((y * k, x * k)) - rest) / k**2 for y, x in DIRECTIONS]) for k in (LONG, 2 * LONG)
    )  # fmt: skip
    bent = abs(far - near).max(0) > STRAIGHT * abs(near).max(0) + 1e-6
    tensor = np.empty((len(rest), 2, 2))
    tensor[:, 0, 0], tensor[:, 1, 1] = near[0], near[1]
    tensor[:, 0, 1] = tensor[:, 1, 0] = (near[2] - near[3]) / 2
    tensor[bent] = np.nan
    share = np.square(modes).T
    first = np.einsum("ab,adij,db,ijr->br", modes, odd, modes, _places(w))
    size = np.sqrt(np.square(odd).sum() / max(np.square(even).sum(), np.finfo(float).tiny))
    return Effective(rest - share @ omega, first, tensor, share, np.full(len(rest), size))


def _symbol(w: np.ndarray, k: tuple[float, float]) -> np.ndarray:
    """Return K(k), (c, c), of a kernel (c, c, ky, kx)."""
    return np.einsum("abij,ij->ab", w, np.exp(1j * (_places(w) @ np.asarray(k))))


def _places(w: np.ndarray) -> np.ndarray:
    """Return r of each tap, (ky, kx, 2)."""
    sides = (np.arange(side) - side // 2 for side in w.shape[-2:])
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1)


def _values(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, rising, and eigenvectors of tensors, nan where one is nan."""
    known = np.asarray(np.isfinite(tensor).all((1, 2)))
    values, vectors = np.linalg.eigh(np.where(known[:, None, None], tensor, np.eye(2)))
    return np.where(known[:, None], values, np.nan), np.where(known[:, None, None], vectors, np.nan)


def _along(values: np.ndarray, ndim: int) -> np.ndarray:
    return values.reshape(-1, *(1,) * (ndim - 1))
