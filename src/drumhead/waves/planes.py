"""The plane wave that fits phases best: a search over all wave vectors, and Newton's method from there."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.spatial import KDTree

from drumhead.waves.climb import climb, turned
from drumhead.waves.fields import spacing

if TYPE_CHECKING:
    from xarray import DataArray

FINE = 4  # points of the search across each lobe of the array, along either axis
MOST = 100_000  # wave vectors tried on sites anywhere: those in tight groups tell shorter waves than anybody looks for
COLUMNS = 1024  # wave vectors tried at a time on sites anywhere


class Planes:
    """What finds k, the top of |sum_j exp(i (phi_j + k . r_j))|, for phases at the sites of a field.

    Args:
        phi: the field (time, *sites).
        at: places of the sites that count (n, 2).
        used: their numbers among all.
    """

    def __init__(self, phi: "DataArray", at: np.ndarray, used: np.ndarray):
        self.at, self.used = at - at.mean(0), used
        y, x = self.at.T
        self.moments = np.stack([np.ones(len(y)), y, x, y * y, y * x, x * x], 1)
        if "site" not in phi.dims:
            steps, self.shape = spacing(phi), phi.shape[1:]
            self.sizes = [1 if n == 1 else int(fft.next_fast_len(FINE * n) or 0) for n in self.shape]
            self.ky, self.kx = (2 * np.pi * fft.fftfreq(n, d) for n, d in zip(self.sizes, steps, strict=True))
            self.limit = 2 * np.pi / (np.array(self.sizes) * steps)
            return
        self.shape = ()
        axes = np.linalg.svd(self.at, full_matrices=False)[2]  # of the array: sites on a line have one
        pitch = float(np.median(KDTree(at).query(at, 2)[0][:, 1]))
        extent = np.ptp(self.at @ axes.T, axis=0)
        fine = 2 * np.pi / (FINE * (extent + pitch))
        most = np.where(extent > 1e-6 * extent.max(), np.pi / pitch / fine, 0)
        most = np.floor(most * min(1, np.sqrt(MOST / np.prod(2 * most + 1))))
        one, two = (np.arange(-m, m + 1) * d for m, d in zip(most, fine, strict=True))
        q = np.stack(np.meshgrid(one, two, indexing="ij"), -1).reshape(-1, 2)
        self.k = q[np.hypot(*q.T) <= np.pi / pitch] @ axes
        self.limit = np.full(2, fine.min())

    def __call__(self, unit: np.ndarray) -> np.ndarray:
        """Return k (frame, 2), y and x, for exp(i phi) (frame, site), which is 0 where there is no phase."""
        start = self._on_grid(unit) if self.shape else self._anywhere(unit)
        return climb(lambda k, rows: self._hill(unit[rows], k), start, self.limit)

    def _on_grid(self, unit: np.ndarray) -> np.ndarray:
        full = np.zeros((len(unit), *self.shape), np.complex64)
        full.reshape(len(unit), -1)[:, self.used] = unit
        rows = np.asarray(fft.ifft(full, self.sizes[1], axis=2))  # before the padding along y: rows of zeros stay zero
        waves = np.asarray(fft.ifft(rows, self.sizes[0], axis=1))
        height = (np.real(waves) ** 2 + np.imag(waves) ** 2).reshape(len(unit), -1)
        row, column = np.divmod(height.argmax(1), self.sizes[1])
        return np.stack([self.ky[row], self.kx[column]], 1)

    def _anywhere(self, unit: np.ndarray) -> np.ndarray:
        unit = unit.astype(np.complex64)
        best, top = np.zeros((len(unit), 2)), np.full(len(unit), -np.inf)
        for first in range(0, len(self.k), COLUMNS):
            k = self.k[first : first + COLUMNS]
            height = np.abs(unit @ turned(self.at @ k.T).astype(np.complex64))
            which = height.argmax(1)
            found = np.take_along_axis(height, which[:, None], 1)[:, 0]
            better = found > top
            best[better], top[better] = k[which[better]], found[better]
        return best

    def _hill(self, unit: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        wave = unit * turned(k @ self.at.T)
        sums = np.real(wave) @ self.moments + 1j * (np.imag(wave) @ self.moments)
        with np.errstate(invalid="ignore", divide="ignore"):
            _, y, x, yy, yx, xx = (sums / sums[:, :1]).T
            height = np.log(np.abs(sums[:, 0]))
        bend = np.real(np.stack([y * y - yy, y * x - yx, y * x - yx, x * x - xx], -1)).reshape(-1, 2, 2)
        return height, -np.imag(np.stack([y, x], 1)), bend
