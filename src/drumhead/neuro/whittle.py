"""The likelihood of a recording under a covariance of sites at each frequency: exact in space, Whittle's in time.

The Fourier coefficients z_f of a long, tapered, stationary recording are nearly independent between frequencies and
Gaussian, with the covariance Sigma(f) of the sites. Within a narrow bin of K frequencies, C = mean of Re(z z^H), and

    -log likelihood = sum over bins of K (log det Sigma + tr(Sigma^-1 C))

No Fourier transform over space is taken, so that a small array has no leakage, and a missing site is only missing.
A wave operator is the same in both directions, so Sigma is real. On a full grid it is also symmetric under reflection:
in even and odd combinations of rows and columns it falls into four blocks, each a quarter as large.

Sources: P. Whittle, Arkiv foer Matematik 2, 1953; N. R. Goodman, Annals of Mathematical Statistics 34, 1963.
"""

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.signal import windows

if TYPE_CHECKING:
    from torch import Tensor

TAPER = 0.1  # of the recording, half of it at each end
WIDE, FINE, RELATIVE = 0.5, 0.01, 0.04  # of a bin: Hz or, in slow recordings, of the highest frequency; or of its own


class Block(NamedTuple):
    """A part of all combinations of sites that Sigma keeps apart from the others.

    rows, columns: from distances along one axis to products of two combinations (h^2, n); sites: which of a grid's
    count (or all); cross: C of each bin (bins, m, m).
    """

    rows: "Tensor"
    columns: "Tensor"
    sites: "Tensor | None"
    cross: "Tensor"


class Whittle:
    """A recording, as its cross-spectra in bins of frequency.

    Args:
        values: (time, y, x), NaN where a site is missing.
        fs: sampling rate in Hz.
        low, high: the frequencies used, in Hz.
        avoid: ranges (from, to) in Hz to leave out.

    Attributes:
        f, width: of each bin, in Hz.
        counts: K of each bin, less what the taper takes.
        nodes: two frequencies in each bin, whose mean stands for the bin (bins, 2).
    """

    def __init__(
        self, values: np.ndarray, fs: float, low: float, high: float, avoid: tuple[tuple[float, float], ...] = ()
    ):
        there = np.isfinite(values[0])
        taper = windows.tukey(len(values), TAPER)
        power = (taper**2).sum()
        values = values - values.mean(0)
        self.scale = float(values[:, there].std())
        values = np.where(there, values / self.scale, 0.0)
        z = np.fft.rfft(values * taper[:, None, None], axis=0) / math.sqrt(power)
        f = np.fft.rfftfreq(len(values), 1 / fs)
        use = (f >= low) & (f <= high)
        for first, last in avoid:
            use &= (f < first) | (f > last)
        starts, stops = _bins(f, np.flatnonzero(use))
        self.f = np.array([f[a:b].mean() for a, b in zip(starts, stops, strict=True)])
        self.width = (stops - starts) / (len(values) / fs)
        share = power**2 / (len(values) * (taper**4).sum())
        self.counts = torch.tensor((stops - starts) * share, dtype=torch.float64)
        self.nodes = torch.tensor(self.f[:, None] + self.width[:, None] * np.array([-1, 1]) / (2 * math.sqrt(3)))
        self.shape, self.sites = (values.shape[1], values.shape[2]), int(there.sum())
        self.blocks = []
        whole = bool(there.all())
        sites = None if whole else np.flatnonzero(there)
        for rows in _combinations(values.shape[1], whole):
            for columns in _combinations(values.shape[2], whole):
                combined = np.einsum("fyx,yi,xj->fij", z, rows, columns).reshape(len(z), -1)
                cross = _cross(combined if sites is None else combined[:, sites], starts, stops)
                chosen = None if sites is None else torch.tensor(sites)
                self.blocks.append(Block(_products(rows), _products(columns), chosen, cross))
        self.numbers = float(self.counts.sum()) * self.sites

    def __call__(self, covariance: "Tensor", noise: "Tensor") -> "Tensor":
        """Return -log likelihood at the best scale of all.

        Args:
            covariance: of sites at each distance (bins, ny, nx).
            noise: variance of each site's own (bins,).
        """
        found = [self._block(block, covariance, noise) for block in self.blocks]
        trace = sum(float(one[1]) for one in found)
        value = sum(float(one[0]) for one in found) + self.numbers * (math.log(trace / self.numbers) + 1)
        # The gradient in closed form: less work than through the factorisation. The sum is zero, its slope is not.
        scale = self.numbers / trace
        slope = sum((one[2] * (one[3] - scale * one[4])).sum() for one in found)
        return value + slope - slope.detach()  # type: ignore[union-attr]

    def misfit(self, covariance: "Tensor", noise: "Tensor") -> float:
        """Return the mean squared error of the whitened cross-spectra over what chance allows: 1 of a true model."""
        trace = sum(float(self._block(block, covariance, noise)[1]) for block in self.blocks)
        error = expected = 0.0
        for block in self.blocks:
            factor = torch.linalg.cholesky(self._sigma(block, covariance, noise) * (trace / self.numbers))
            half = torch.linalg.solve_triangular(factor, block.cross, upper=False)
            white = torch.linalg.solve_triangular(factor, half.mT, upper=False)
            n = white.shape[-1]
            error += float((self.counts * (white - torch.eye(n, dtype=white.dtype)).square().sum((1, 2))).sum())
            expected += len(white) * n * (n + 1) / 2
        return error / expected

    def _sigma(self, block: Block, covariance: "Tensor", noise: "Tensor") -> "Tensor":
        rows, columns = math.isqrt(len(block.rows)), math.isqrt(len(block.columns))
        sigma = (block.rows @ covariance @ block.columns.T).reshape(-1, rows, rows, columns, columns)
        sigma = sigma.transpose(2, 3).reshape(-1, rows * columns, rows * columns)
        if block.sites is not None:
            sigma = sigma[:, block.sites][:, :, block.sites]
        return sigma + torch.diag_embed((noise + 1e-9 * covariance[:, 0, 0])[:, None].expand(-1, sigma.shape[-1]))

    def _block(self, block: Block, covariance: "Tensor", noise: "Tensor") -> tuple["Tensor", ...]:
        """Return K log det, K tr(Sigma^-1 C), Sigma, and the two parts of the slope at Sigma."""
        sigma = self._sigma(block, covariance, noise)
        with torch.no_grad():
            factor = torch.linalg.cholesky(sigma)
            inverse = torch.cholesky_inverse(factor)
            weighted = inverse * self.counts[:, None, None]
            inner = weighted @ block.cross
            logdet = (self.counts * 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)).sum()
            return logdet, inner.diagonal(dim1=1, dim2=2).sum(), sigma, weighted, inner @ inverse


def _bins(f: np.ndarray, use: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where bins start and stop: each of neighbouring frequencies that are used."""
    starts, least = [use[0]], min(WIDE, FINE * f[use[-1]])
    for before, now in itertools.pairwise(use):
        if now != before + 1 or f[now] - f[starts[-1]] >= max(least, RELATIVE * f[starts[-1]]):
            starts.append(now)
    stops = [use[np.searchsorted(use, start) - 1] + 1 for start in starts[1:]] + [use[-1] + 1]
    return np.array(starts), np.array(stops)


def _combinations(n: int, whole: bool) -> list[np.ndarray]:
    """Return even and odd combinations of a line of sites, (n, h) each, or each site by itself."""
    if not whole or n == 1:
        return [np.eye(n)]
    half = np.eye(n)[:, : n // 2]
    even, odd = (half + half[::-1]) / math.sqrt(2), (half - half[::-1]) / math.sqrt(2)
    return [np.hstack([even, np.eye(n)[:, n // 2 : n // 2 + n % 2]]), odd]


def _products(combination: np.ndarray) -> "Tensor":
    """Return what takes a covariance of distances (n,) to that of combinations (h^2,)."""
    n = len(combination)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    each = [combination.T @ (apart == d) @ combination for d in range(n)]
    return torch.tensor(np.stack([one.ravel() for one in each], 1))


def _cross(z: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> "Tensor":
    """Return the mean of Re(z z^H) over each bin."""
    parts = [z[a:b] for a, b in zip(starts, stops, strict=True)]
    return torch.tensor(np.stack([np.real(part.conj().T @ part) / len(part) for part in parts]))
