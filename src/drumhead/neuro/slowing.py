"""Strong waves are slower: what tanh leaves of a coupling.

A force U cos(theta) through tanh is, in its fundamental, N(U) U cos(theta) with the describing function

    N(U) = 2 / U mean[tanh(U cos theta) cos theta]  =  1 - U^2 / 4 + ...,      -> 4 / (pi U)

so a wave whose coupling force W * y has the amplitude U runs as one in a medium of the kernel N W: its speed falls to
sqrt(N) of that of weak waves, and what the kernel does to omega to N. Good to 1 % in frequency for U <= 1.2; travelling
waves of U > 3 are not stable. Of any force s(t) the best factor is mean(tanh(s) s) / mean(s^2), which is N(U) for a
cosine. NumPy only.
"""

from typing import Any

import numpy as np

ANGLES = 512  # of a quarter turn, in the middle of their intervals: exact to rounding up to U = 100


def tanh_gain(amplitude: Any) -> Any:
    """Return N(U), the share of a cosine force of amplitude U that tanh lets through.

    N(U) = 2 / U mean over theta of tanh(U cos theta) cos theta

    Args:
        amplitude: U >= 0 of the coupling force W * y, without a unit as tanh takes it; a number or an array.

    Returns:
        Between 0 and 1.

    Source:
        Describing functions: Gelb and Vander Velde, Multiple-Input Describing Functions (1968).

    Example:
        >>> [round(dh.neuro.tanh_gain(u), 3) for u in (0.0, 0.5, 1.2, 3.0)]
        [1.0, 0.942, 0.755, 0.402]
    """
    strength = np.abs(np.asarray(amplitude, float))[..., None]
    turn = np.cos((np.arange(ANGLES) + 0.5) * (np.pi / 2 / ANGLES))
    weak = strength < 1e-4
    force = np.where(weak, 1.0, strength)
    share = 2 * (np.tanh(force * turn) * turn).mean(-1) / force[..., 0]
    found = np.where(weak[..., 0], 1 - strength[..., 0] ** 2 / 4, share)
    return found.item() if found.ndim == 0 else found


def gain_of(force: Any, axis: int = 0) -> Any:
    """Return the factor that comes nearest to tanh for a force (t, ...) over time: mean(tanh(s) s) / mean(s^2).

    Example:
        >>> s = 1.2 * np.cos(np.linspace(0, 2 * np.pi, 100, endpoint=False))
        >>> round(float(gain_of(s)), 3)
        0.755
    """
    force = np.asarray(force, float)
    power = np.square(force).sum(axis)
    return np.where(power > 0, (np.tanh(force) * force).sum(axis) / np.where(power > 0, power, 1.0), 1.0)
