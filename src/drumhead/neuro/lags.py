"""From a spectrum over wave numbers to the covariance of two sites: R(d) = sum over nodes of S(Lambda) W(Lambda, d).

Every operator here is isotropic: it knows a wave only by Lambda, the eigenvalue of minus the Laplacian. So the sum over
all wave vectors is done once, for each pair of sites, and what is left is a sum over Lambda:

    lattice     Lambda = 4 (sin^2(kx / 2) + sin^2(ky / 2)),   W(Lambda, d) = density of cos(k . d) there
    continuum   Lambda = k^2,                                 W(Lambda, d) = k J0(k |d|) dk / (2 pi)

in units of the pitch of the sites. Nodes are even in q = sqrt(Lambda): a damped wave's ridge is 1 / (c tau) wide there,
at any frequency.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import j0

TORUS = 1024  # oscillators a side, on which the lattice is summed: far beyond what a wave reaches before it fades
NODES = 800
FINEST = 5.0  # times 2 pi a pitch, where the continuum ends: what is left beyond has less than a percent of the power


@dataclass(frozen=True)
class Lags:
    """Nodes and weights.

    Attributes:
        nodes: Lambda, in 1 / pitch^2 (n,).
        weights: (n, ny, nx), for each distance in rows and columns.
        per_pitch: oscillators along one pitch; 0 says that there is no end to them.
    """

    nodes: np.ndarray
    weights: np.ndarray
    per_pitch: int


@cache
def lattice_lags(shape: tuple[int, int], per_pitch: int = 1) -> Lags:
    """Return the sums over a lattice of `per_pitch` oscillators along the pitch of the sites."""
    k = 2 * np.pi * np.arange(TORUS // 2 + 1) / TORUS
    share = np.full(len(k), 2.0 / TORUS)
    share[[0, -1]] /= 2
    line = 4 * np.sin(k / 2) ** 2
    q = np.sqrt(line[:, None] + line).ravel() * per_pitch
    edges = np.linspace(0, np.sqrt(8) * per_pitch, NODES)
    left = np.minimum((q / edges[1]).astype(int), NODES - 2)
    right = q / edges[1] - left  # of a point between two nodes, what the right one gets
    cosines = np.cos(k * np.arange(max(shape))[:, None] * per_pitch) * share
    side = max(shape)
    weights = np.empty((NODES, side, side))
    for dy in range(side):
        for dx in range(dy, side):
            values = np.outer(cosines[dy], cosines[dx]).ravel()
            one = np.bincount(left, values * (1 - right), NODES) + np.bincount(left + 1, values * right, NODES)
            weights[:, dy, dx] = weights[:, dx, dy] = one
    weights = np.ascontiguousarray(weights[:, : shape[0], : shape[1]])
    return Lags(edges**2, weights, per_pitch)


@cache
def continuum_lags(shape: tuple[int, int]) -> Lags:
    """Return the integral over all wave numbers of a medium without a lattice."""
    q = np.linspace(0, 2 * np.pi * FINEST, 2 * NODES)
    step = q[1]
    share = q * step
    share[-1] /= 2
    share[0] = step**2 / 12  # Euler and Maclaurin: the integrand starts with a slope
    r = np.hypot(np.arange(shape[0])[:, None], np.arange(shape[1]))
    return Lags(q**2, j0(q[:, None, None] * r) * (share / (2 * np.pi))[:, None, None], 0)
