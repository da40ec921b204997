"""The rings that fit phases best: a search over sources and wave numbers, and Newton's method from there."""

import numpy as np
from scipy.spatial import KDTree

from drumhead.waves.climb import climb, turned

FINE = 3  # wave numbers of the search across each lobe of the array
HERE = 1e-9  # of the largest distance: a source that is no farther is at the site, but for rounding
SOURCES = 400  # tried at most: more sites are thinned out


class Rings:
    """What finds the source and the s that make |sum_j exp(i (phi_j + s |r_j - source|))| largest.

    s > 0 where the rings run outward.

    Args:
        at: places of the sites (n, 2).

    Attributes:
        sources: places (m, 2) to try: on a grid its sites, elsewhere a grid about as dense.
    """

    def __init__(self, at: np.ndarray):
        self.at, self.low, self.high = at, at.min(0), at.max(0)
        pitch = float(np.median(KDTree(at).query(at, 2)[0][:, 1]))
        fine = 2 * np.pi / (FINE * (np.hypot(*(self.high - self.low)) + pitch))
        self.numbers = np.arange(int(np.pi / pitch / fine) + 1) * fine
        sides = self.high - self.low
        step = max(pitch, np.sqrt(sides[0] * sides[1] / SOURCES), sides.max() / SOURCES)
        y, x = (np.linspace(a, b, round((b - a) / step) + 1) for a, b in zip(self.low, self.high, strict=True))
        self.sources = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
        self.limit = np.array([fine, step / 2, step / 2])

    def search(self, unit: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for exp(i phi) (frame, site) and each of some sources (m, 2) the best s and |sum| (frame, m).

        With the real parts of both factors, one product of matrices serves s and -s.
        """
        away, n = distances(self.at, sources)[0], len(unit)
        parts = np.concatenate([np.real(unit), np.imag(unit)]).astype(np.float32)
        top = np.full((n, len(sources)), -np.inf, np.float32)
        best = np.zeros_like(top)
        for s in self.numbers:
            cosine, sine = np.cos(s * away).astype(np.float32), np.sin(s * away).astype(np.float32)
            by_cosine, by_sine = parts @ cosine, parts @ sine
            same = (by_cosine**2 + by_sine**2).reshape(2, n, -1).sum(0)
            other = 2 * (by_sine[:n] * by_cosine[n:] - by_cosine[:n] * by_sine[n:])
            height = same + np.abs(other)
            better = height > top
            top[better], best[better] = height[better], np.where(other >= 0, s, -s)[better]
        return best.astype(float), np.sqrt(np.maximum(top, 0))

    def fit(self, unit: np.ndarray, sources: np.ndarray, fixed: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return s (frame,) and the source (frame, 2): the best of some, or from there between the sites."""
        s, height = self.search(unit, sources)
        best = height.argmax(1)
        start = np.concatenate([np.take_along_axis(s, best[:, None], 1), sources[best]], 1)
        low, high = (np.full(2, -np.inf), np.full(2, np.inf)) if fixed else (self.low, self.high)

        def look(trial: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return self._hill(unit[rows], trial[:, 0], np.clip(trial[:, 1:], low, high))

        found = climb(look, start, self.limit * (1, not fixed, not fixed))
        return found[:, 0], np.clip(found[:, 1:], low, high)

    def _hill(self, unit: np.ndarray, s: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        away, y, x = distances(self.at, source)
        wave = unit * turned(s[:, None] * away.T)
        slopes = np.stack([away.T, -s[:, None] * y.T, -s[:, None] * x.T])  # of psi: by s, y and x of the source
        with np.errstate(invalid="ignore", divide="ignore"):
            total = wave.sum(1)
            wave = wave / total[:, None]
            first = np.einsum("fj,afj->fa", wave, slopes)
            second = np.stack([np.einsum("fj,afj->fa", wave * slope, slopes) for slope in slopes], 1)
            return np.log(np.abs(total)), -np.imag(first), np.real(first[:, :, None] * first[:, None] - second)


def distances(at: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far sites are from sources (site, source), and the y and x of the unit vector away; 0 at a source."""
    y, x = (at[:, None] - sources).transpose(2, 0, 1)
    away = np.hypot(y, x)
    apart = away > HERE * away.max()
    safe = np.where(apart, away, 1)
    return away, np.where(apart, y / safe, 0), np.where(apart, x / safe, 0)
