"""Waves whose answer is known.

standing_mode   a mode of a clamped square; closed form of both integrators (Strikwerda 2004)
dense_operator  the coupling as a matrix, built cell by cell with plain Python: an oracle for W * y
exact           the matrix exponential of the linear medium (scipy.linalg.expm)
"""

import math

import numpy as np
import scipy.linalg


def standing_mode(n: int, m: int, k: int) -> tuple[np.ndarray, float]:
    """Return mode (m, k) of a clamped square of n x n free pixels and its stiffness on the 5-point grid."""
    side = n + 1
    i = np.arange(1, n + 1)
    shape = np.sin(np.pi * m * i / side)[:, None] * np.sin(np.pi * k * i / side)[None, :]
    return shape, 4 * (math.sin(math.pi * m / 2 / side) ** 2 + math.sin(math.pi * k / 2 / side) ** 2)


def neighbour(i: int, size: int, boundary: str) -> int | None:
    if boundary == "periodic":
        return i % size
    if boundary == "fixed":
        return i if 0 <= i < size else None
    while not 0 <= i < size:
        i = -1 - i if i < 0 else 2 * size - 1 - i
    return i


def dense_operator(kernel: np.ndarray, channels: int, height: int, width: int, boundary: str) -> np.ndarray:
    """Return W as a matrix on the flattened (c, y, x)."""
    ry, rx = kernel.shape[-2] // 2, kernel.shape[-1] // 2
    size = (channels, height, width)
    out = np.zeros((math.prod(size),) * 2)
    for c in range(channels):
        sources = range(channels) if kernel.shape[1] == channels else [c]
        for j, source in enumerate(sources):
            for y in range(height):
                for x in range(width):
                    for dy in range(-ry, ry + 1):
                        for dx in range(-rx, rx + 1):
                            a, b = neighbour(y + dy, height, boundary), neighbour(x + dx, width, boundary)
                            if a is not None and b is not None:
                                row = np.ravel_multi_index((c, y, x), size)
                                column = np.ravel_multi_index((source, a, b), size)
                                out[row, column] += kernel[c, j, dy + ry, dx + rx]
    return out


def numpy_propagate(y, omega, alpha, kernel, steps, dt, z=None, nonlinearity="tanh", boundary="periodic"):
    """The paper's step written out in NumPy for one sample (c, y, x); returns (t, c, y, x)."""
    matrix = dense_operator(kernel, *y.shape, boundary)
    z = np.zeros_like(y) if z is None else z
    out = []
    for _ in range(steps):
        force = (matrix @ y.ravel()).reshape(y.shape)
        if nonlinearity == "tanh":
            force = np.tanh(force)
        z = z + dt * (force - omega * y - alpha * z)
        y = y + dt * z
        out.append(y)
    return np.stack(out)


def exact(y, omega, alpha, kernel, time, boundary="periodic", z=None):
    """The linear medium at a time, by the matrix exponential."""
    matrix = dense_operator(kernel, *y.shape, boundary)
    n = y.size
    generator = np.block([[np.zeros((n, n)), np.eye(n)], [matrix - np.diag(omega.ravel()), -np.diag(alpha.ravel())]])
    state = np.concatenate([y.ravel(), np.zeros(n) if z is None else z.ravel()])
    return (scipy.linalg.expm(generator * time) @ state)[:n].reshape(y.shape)
