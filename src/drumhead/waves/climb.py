"""Newton's way up a hill for many frames at once: how waves are fitted to phases.

A wave with the phases -psi_j(p) fits the phases phi_j as well as |S| is large, S = mean_j exp(i (phi_j + psi_j)), and
with psi_a = d psi / d p_a and <u> = sum_j u_j exp(i (phi_j + psi_j)) / sum_j exp(i (phi_j + psi_j)),

    log|S|      slope  g_a = -Im <psi_a>      bend  H_ab = Re(<psi_a> <psi_b> - <psi_a psi_b>)

where terms with second derivatives of psi, which vanish as the fit becomes good, are left out.
"""

from collections.abc import Callable

import numpy as np

ROUNDS = 30
ENOUGH = 1e-4  # of the largest step: Newton's next error is its square, so a smaller step is taken unseen
RIDGE = 1e-9  # of the largest bend, below which a direction counts as flat

Look = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def climb(look: Look, start: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return the parameters (frame, p) at the top of the hill on which each frame starts.

    Args:
        look: the height (frame,), slope (frame, p) and bend (frame, p, p) for the parameters of some frames, and which
            frames these are.
        start: (frame, p).
        limit: the largest step (p,); parameters are measured in it.
    """
    best, size = start.copy(), len(start)
    height, step = np.full(size, -np.inf), np.zeros_like(start)
    active = np.arange(size)
    for _ in range(ROUNDS):
        trial = best[active] + step[active] * limit
        seen, slope, bend = look(trial, active)
        better = seen > height[active]  # also once at the start, and never for frames of NaN
        up = active[better]
        best[up], height[up] = trial[better], seen[better]
        step[up] = _newton(slope[better] * limit, bend[better] * limit[:, None] * limit)
        step[active[~better]] /= 2  # too far: half way back
        last = np.abs(step[active]).max(1) <= ENOUGH
        best[active[last]] += step[active[last]] * limit
        active = active[~last]
        if not len(active):
            break
    return best


def turned(angle: np.ndarray) -> np.ndarray:
    """Return exp(i angle), several times as fast as by a complex exponential."""
    out = np.empty(angle.shape, complex)
    np.cos(angle, out=np.real(out))
    np.sin(angle, out=np.imag(out))
    return out


def _newton(slope: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Return steps uphill, -H^-1 g with all bends taken for downward ones, none longer than 1."""
    bends, axes = np.linalg.eigh(bend)
    bends, steepest = np.abs(bends), np.abs(bends).max(1, keepdims=True)
    along = np.einsum("fap,fa->fp", axes, slope) / np.maximum(bends, RIDGE * steepest + 1e-300)
    steps = np.einsum("fap,fp->fa", axes, along)
    return steps / np.maximum(1, np.abs(steps).max(1, keepdims=True))
