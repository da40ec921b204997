"""The rings that fit phases best: a search over sources and wave numbers, and Newton's method from there."""

import numpy as np
from scipy.spatial import KDTree

from drumhead.waves.climb import climb, turned
from drumhead.waves.fields import HERE

FINE = 3  # wave numbers of the search across each lobe of the array
NUMBERS = 1024  # wave numbers tried at most: sites in tight groups tell shorter waves than anybody looks for
SOURCES = 400  # tried at most: more sites are thinned out
FRAMES = 256  # searched at a time


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
        self.numbers = np.arange(min(int(np.pi / pitch / fine), NUMBERS) + 1) * fine
        sides = self.high - self.low
        step = max(pitch, np.sqrt(sides[0] * sides[1] / SOURCES), sides.max() / SOURCES)
        y, x = (np.linspace(a, b, round((b - a) / step) + 1) for a, b in zip(self.low, self.high, strict=True))
        self.sources = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
        self.limit = np.array([fine, step / 2, step / 2])
        self.middle = at.mean(0)
        y, x = (at - self.middle).T
        self.moments = np.stack([np.ones(len(y)), y, x, y * y + x * x, y * y, y * x])

    def search(self, unit: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for exp(i phi) (frame, site) the best s and source (frame,), and for each source |sum| (frame, m).

        With the real parts of both factors, one product of matrices serves s and -s. Few frames at a time, so that all
        that is in flight stays near the processor; one s at a time, since waves of all would fill the memory of a film.
        """
        away, n, m = away_from(self.at, sources)[0], len(unit), len(sources)
        parts = np.stack([np.real(unit), np.imag(unit)]).astype(np.float32)
        frames = [slice(first, first + FRAMES) for first in range(0, n, FRAMES)]
        blocks = [(rows, parts[:, rows].reshape(-1, len(away))) for rows in frames]
        tops = np.zeros((n, m), np.float32)
        best, which, most = np.zeros(n), np.zeros(n, int), np.full(n, -np.inf, np.float32)
        for s in self.numbers:
            angles = (s * away).astype(np.float32)
            wave = np.concatenate([np.cos(angles), np.sin(angles)], 1)
            for rows, block in blocks:
                count = len(block) // 2
                sums = block @ wave
                real, imaginary = sums[:count], sums[count:]
                other = real[:, m:] * imaginary[:, :m]
                other -= real[:, :m] * imaginary[:, m:]
                squares = np.square(sums, out=sums)
                height = squares[:count, :m] + squares[:count, m:]
                height += squares[count:, :m]
                height += squares[count:, m:]
                height += 2 * np.abs(other)
                np.maximum(tops[rows], height, out=tops[rows])
                at = height.argmax(1)
                top = np.take_along_axis(height, at[:, None], 1)[:, 0]
                better = np.flatnonzero(top > most[rows])
                turn = np.where(np.take_along_axis(other, at[:, None], 1)[:, 0] >= 0, s, -s)
                most[rows][better], which[rows][better], best[rows][better] = top[better], at[better], turn[better]
        return best, which, np.sqrt(tops)

    def fit(self, unit: np.ndarray, sources: np.ndarray, fixed: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return s (frame,) and the source (frame, 2): the best of some, or from there between the sites."""
        s, best, _ = self.search(unit, sources)
        start = np.concatenate([s[:, None], sources[best]], 1)
        low, high = (np.full(2, -np.inf), np.full(2, np.inf)) if fixed else (self.low, self.high)

        def look(trial: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return self._hill(unit[rows], trial[:, 0], np.clip(trial[:, 1:], low, high))

        found = climb(look, start, self.limit * (1, not fixed, not fixed))
        return found[:, 0], np.clip(found[:, 1:], low, high)

    def _hill(self, unit: np.ndarray, s: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the hill of `climb` over s and the source (v, u).

        Its phase is psi = s d, with d^2 = (y - v)^2 + (x - u)^2 of a site (y, x), so the derivatives are

            psi_s = d       psi_v = -s (y - v) / d       psi_u = -s (x - u) / d

        The slope takes their means and the bend the means of their products, <d^2>, -s <y - v>, s^2 <(y - v)^2 / d^2>
        and so on. Each is multiplied out into means of 1, y, x, ... over 1, d or d^2, of which one product of matrices
        gives those of all frames.
        """
        from_y, from_x = source[:, :1] - self.middle[0], source[:, 1:] - self.middle[1]
        y, x = self.moments[1:3, None, :] - np.stack([from_y, from_x])
        away = np.sqrt(y * y + x * x)
        near = np.divide(1, away, out=np.zeros_like(away), where=away > HERE * away.max())
        wave = unit * turned(s[:, None] * away)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = wave.sum(1)
            plain = _sums(wave, self.moments[:4]) / total  # <1>, <y>, <x>, <y^2 + x^2>
            wave *= near
            over = _sums(wave, self.moments[:4]) / total  # the same over d
            wave *= near
            over_squared = _sums(wave, self.moments) / total  # the same over d^2, and <y^2 / d^2>, <y x / d^2>
            height = np.log(np.abs(total))
        v, u = from_y[:, 0], from_x[:, 0]
        d = over[3] - 2 * (v * over[1] + u * over[2]) + (v * v + u * u) * over[0]  # <d> = <d^2 / d>
        y_over_d, x_over_d = over[1] - v * over[0], over[2] - u * over[0]  # <(y - v) / d>, <(x - u) / d>
        dd = plain[3] - 2 * (v * plain[1] + u * plain[2]) + v * v + u * u  # <d^2>
        dy, dx = plain[1] - v, plain[2] - u  # <d (y - v) / d>, <d (x - u) / d>
        one, y, x, squares, yy, yx = over_squared
        yy, yx, xx = (  # <(y - v)^2 / d^2>, <(y - v) (x - u) / d^2>, <(x - u)^2 / d^2>
            yy - 2 * v * y + v * v * one,
            yx - v * x - u * y + v * u * one,
            squares - yy - 2 * u * x + u * u * one,
        )
        first = np.stack([d, -s * y_over_d, -s * x_over_d], 1)
        second = np.stack([dd, -s * dy, -s * dx, s * s * yy, s * s * yx, s * s * xx])[[[0, 1, 2], [1, 3, 4], [2, 4, 5]]]
        return height, -np.imag(first), np.real(first[:, :, None] * first[:, None] - second.transpose(2, 0, 1))


def _sums(wave: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return the sums over sites (moment, frame) of complex waves (frame, site) times real moments (moment, site)."""
    return moments @ np.real(wave).T + 1j * (moments @ np.imag(wave).T)


def away_from(at: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far sites are from sources (site, source), and the y and x of the unit vector away; 0 at a source."""
    y, x = (at[:, None] - sources).transpose(2, 0, 1)
    away = np.hypot(y, x)
    apart = away > HERE * away.max()
    safe = np.where(apart, away, 1)
    return away, np.where(apart, y / safe, 0), np.where(apart, x / safe, 0)
