"""Modes: the patterns in which a drum moves as a whole, and how fast.

On the grid the membrane obeys u'' = -A u with A = c^2 times (4 u - the four neighbours), clamped pixels being zero. A
mode is an eigenvector of A and its eigenvalue Lambda = omega^2, in 1 / time^2. A square of side L = n + 1 has
(m, n = 1 .. L - 1)

    Lambda_mn = 4 c^2 (sin^2(m pi / 2 L) + sin^2(n pi / 2 L)),

and a symplectic Euler step of dt rings at the slightly higher omega with sin(omega dt / 2) = (dt / 2) sqrt(Lambda).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from drumhead.drum.membranes import Membrane, as_mask
from drumhead.errors import DrumheadError, positive, whole

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix


@dataclass(frozen=True, eq=False)
class Modes:
    """The lowest modes of a drum."""

    values: np.ndarray
    """(k,): Lambda = omega^2 of each, ascending, in 1 / time^2."""
    shapes: np.ndarray
    """(k, y, x): displacement, sum of squares 1, zero outside the drum."""


def laplacian(drum: "Membrane | np.ndarray", c: float = 1.0) -> "csc_matrix":
    """Return A = -c^2 laplacian of the clamped drum, sparse (n, n) over its n pixels in the order of the mask.

    Args:
        drum: a membrane or bool (y, x).
        c: speed of the waves in pixels per unit time.

    Example:
        >>> dh.drum.laplacian(np.ones((1, 3), bool)).toarray().tolist()
        [[4.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 4.0]]
    """
    from scipy import sparse

    mask = as_mask(drum)
    count, padded = int(mask.sum()), np.pad(mask, 1)
    number = np.full(padded.shape, -1)
    number[padded] = np.arange(count)
    rows, columns = [], []
    for near, far in ((number[:-1], number[1:]), (number[:, :-1], number[:, 1:])):
        both = (near >= 0) & (far >= 0)
        rows += [near[both], far[both]]
        columns += [far[both], near[both]]
    place = (np.concatenate(rows), np.concatenate(columns))
    neighbours = sparse.csc_matrix((np.ones(len(place[0])), place), shape=(count, count))
    return sparse.csc_matrix(positive("c", c) ** 2 * (4 * sparse.identity(count, format="csc") - neighbours))


def modes(drum: "Membrane | np.ndarray", count: int, c: float = 1.0) -> Modes:
    """Return the lowest modes, by a sparse shift-invert eigen-solve.

    Args:
        drum: a membrane or bool (y, x).
        count: how many, at most as many as pixels move.
        c: speed of the waves in pixels per unit time.

    Raises:
        DrumheadError: the mask does not fit or `count` is out of range.

    Example:
        >>> found = dh.drum.modes(dh.drum.shape("square", 10), 3)
        >>> np.allclose(found.values, dh.drum.square_values(10, 3))
        True
    """
    mask = as_mask(drum)
    values, vectors = _solve(mask, count, c, True)
    assert vectors is not None
    loudest = vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])]
    shapes = np.zeros((len(values), *mask.shape))
    shapes[:, mask] = (vectors * np.sign(loudest)).T
    return Modes(values, shapes)


def lowest(drum: "Membrane | np.ndarray", count: int, c: float = 1.0) -> np.ndarray:
    """Return the values of the lowest modes without their shapes, (count,)."""
    return _solve(as_mask(drum), count, c, False)[0]


def _solve(mask: np.ndarray, count: int, c: float, vectors: bool) -> tuple[np.ndarray, np.ndarray | None]:
    from scipy.linalg import eigh
    from scipy.sparse.linalg import eigsh

    pixels, count = int(mask.sum()), whole("count", count)
    if count > pixels:
        raise DrumheadError(f"count={count}: a drum of {pixels} pixels has {pixels} modes; ask for fewer")
    matrix = laplacian(mask, c)
    if pixels <= 128 or count > pixels // 3:  # Lanczos wants room
        if not vectors:
            return eigh(matrix.toarray(), eigvals_only=True, subset_by_index=(0, count - 1)), None
        values, found = eigh(matrix.toarray(), subset_by_index=(0, count - 1))
        return values, found
    # A start without symmetry, or the modes that lack it would be missed; fixed, so that the answer is the same again.
    start = np.random.default_rng(0).normal(size=pixels)
    if not vectors:
        return np.sort(eigsh(matrix, count, sigma=0, v0=start, return_eigenvectors=False)), None
    values, found = cast("tuple[np.ndarray, np.ndarray]", eigsh(matrix, count, sigma=0, v0=start))
    order = np.argsort(values)
    return values[order], found[:, order]


def count_below(drum: "Membrane | np.ndarray", value: float, c: float = 1.0) -> int:
    """Return N(value), how many modes have Lambda below it, without computing any mode.

    By Sylvester's law: as many as there are negative pivots when A - value is factorised. An independent check that
    an eigen-solver has missed none. A value that is an eigenvalue itself cannot be told.

    Args:
        drum: a membrane or bool (y, x).
        value: Lambda = omega^2, in 1 / time^2.
        c: speed of the waves in pixels per unit time.

    Example:
        >>> square = dh.drum.shape("square", 10)
        >>> dh.drum.count_below(square, 1.0), int((dh.drum.square_values(10, 81) < 1.0).sum())
        (6, 6)
    """
    from scipy.sparse import csc_matrix, identity
    from scipy.sparse.linalg import splu

    matrix, pixels = laplacian(drum, c), int(as_mask(drum).sum())
    shifted = csc_matrix(matrix - value * identity(pixels, format="csc"))
    factors = splu(shifted, diag_pivot_thresh=0.0, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    if not np.array_equal(factors.perm_r, factors.perm_c):
        raise DrumheadError(f"value={value}: too close to an eigenvalue to count below it; move it a little")
    return int((factors.U.diagonal() < 0).sum())


def ringing(values: np.ndarray, dt: float) -> np.ndarray:
    """Return the angular frequencies at which modes ring in symplectic Euler steps: 2 / dt arcsin(dt sqrt(Lambda) / 2).

    Args:
        values: Lambda = omega^2 of the modes, in 1 / time^2.
        dt: the step, in time.

    Raises:
        DrumheadError: dt is beyond the stable limit 2 / sqrt(Lambda).

    Example:
        >>> dh.drum.ringing(np.array([1.0, 4.0]), 0.1).round(4).tolist()
        [1.0004, 2.0033]
    """
    half = positive("dt", dt) * np.sqrt(values) / 2
    if (half > 1).any():
        raise DrumheadError(f"dt={dt:.4g} is beyond the stable limit {2 / float(np.sqrt(np.max(values))):.4g}")
    return 2 / dt * np.arcsin(half)


def square_values(side: int, count: int, c: float = 1.0) -> np.ndarray:
    """Return the lowest Lambda_mn of a square in closed form, (count,) ascending.

    Args:
        side: L, from rim to rim; L - 1 pixels a side move.
        count: how many, at most (L - 1)^2.
        c: speed of the waves in pixels per unit time.

    Example:
        >>> dh.drum.square_values(10, 3).round(3).tolist()  # 2 (pi / 10)^2, and a pair of twice and a half that
        [0.196, 0.48, 0.48]
    """
    one = 4 * c**2 * np.sin(np.arange(1, whole("side", side, 2)) * np.pi / (2 * side)) ** 2
    return np.sort((one[:, None] + one).ravel())[:count]
