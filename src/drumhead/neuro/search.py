"""The least of a likelihood, and how far from it each unknown may be.

The unknowns differ in how sharply they are known by a factor of 10^5, so steps are taken where the curvature at the
start is alike in all directions: a quasi-Newton method then needs some ten evaluations. An interval is that of the
profile likelihood: all values of one unknown at which the others can be chosen so that -log likelihood rises by less
than half the 95 % quantile of chi squared. Unlike a curvature it says so when a value can as well be zero or endless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize

from drumhead.neuro.operators import BOUNDS, Likelihood

LEVEL = 1.92  # half of the 95 % quantile of chi squared with one degree of freedom
STEP = 1e-3  # of a logarithm, for curvatures
LOST = 1e15  # where the covariance cannot be factored
TRIES = 6  # to find where a profile crosses the level


@dataclass(frozen=True)
class Found:
    """A minimum: its place, its value, and what makes curvatures alike there, (n, n)."""

    at: np.ndarray
    value: float
    scale: np.ndarray


def value(likelihood: Likelihood, at: np.ndarray) -> float:
    """Return -log likelihood alone."""
    with torch.no_grad():
        found = _tried(likelihood, torch.tensor(at))
    return LOST if found is None else float(found)


def slope(likelihood: Likelihood) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return a function that gives -log likelihood and its gradient."""

    def call(values: np.ndarray) -> tuple[float, np.ndarray]:
        unknowns = torch.tensor(values, requires_grad=True)
        found = _tried(likelihood, unknowns)
        if found is None:
            return LOST, np.zeros(len(values))
        found.backward()
        assert unknowns.grad is not None
        return float(found.detach()), unknowns.grad.numpy()

    return call


def _tried(likelihood: Likelihood, unknowns: torch.Tensor) -> torch.Tensor | None:
    """Return -log likelihood; None where a covariance cannot be factored, or gives no number."""
    try:
        found = likelihood(unknowns)
    except RuntimeError:
        return None
    return found if torch.isfinite(found) else None


def curvature(call: Callable, at: np.ndarray) -> np.ndarray:
    """Return the second derivatives (n, n), from differences of gradients."""
    steps = np.eye(len(at)) * STEP
    rows = np.array([(call(at + step)[1] - call(at - step)[1]) / (2 * STEP) for step in steps])
    return (rows + rows.T) / 2


def alike(second: np.ndarray) -> np.ndarray:
    """Return what makes curvatures alike: flat or hollow directions count as known to one unit."""
    values, directions = np.linalg.eigh(second)
    return directions / np.sqrt(np.maximum(np.abs(values), 1.0))


def minimise(
    likelihood: Likelihood, start: np.ndarray, scale: np.ndarray | None = None, held: Sequence[int] = (),
    gain: float = 1e-2, most: int = 60,
) -> Found:  # fmt: skip
    """Return the nearest minimum.

    Args:
        likelihood: what to minimise.
        start: the unknowns.
        scale: what makes curvatures alike, if it is known from near by.
        held: places of unknowns that stay.
        gain: stop when a step gains less.
        most: evaluations at most.
    """
    low, high = np.array([BOUNDS[name] for name in likelihood.names]).T
    free = np.setdiff1d(np.arange(len(start)), held)
    call, start = slope(likelihood), np.clip(start, low, high)
    if scale is None:
        scale = alike(curvature(call, start))
    # Held ones stay: curvature of the others alone is the inverse of their part of the inverse.
    part = scale[free] if len(free) == len(start) else alike(np.linalg.inv(scale @ scale.T)[np.ix_(free, free)])

    def turned(steps: np.ndarray) -> tuple[float, np.ndarray]:
        at = start.copy()
        at[free] += part @ steps
        inside = np.clip(at, low, high)
        height, gradient = call(inside)
        # Beyond a bound the value grows gently, so that the way back is downhill.
        beyond = at - inside
        return height + float(beyond @ beyond), part.T @ np.where(beyond == 0, gradient, 2 * beyond)[free]

    found = optimize.minimize(
        turned, np.zeros(part.shape[1]), jac=True, method="L-BFGS-B",
        options={"maxfun": most, "ftol": gain / max(1.0, abs(value(likelihood, start))), "gtol": 1e-2},
    )  # fmt: skip
    at = start.copy()
    at[free] += part @ found.x
    at = np.clip(at, low, high)
    return Found(at, value(likelihood, at), scale)


def interval(likelihood: Likelihood, best: Found, which: int, level: float = LEVEL) -> tuple[float, float]:
    """Return where the profile of one unknown crosses the level on both sides; infinite where it does not."""
    bounds = BOUNDS[likelihood.names[which]]
    covariance = best.scale @ best.scale.T
    along = covariance[:, which] / covariance[which, which]  # how the others follow
    sides = []
    for sign, bound in zip((-1, 1), bounds, strict=True):
        step = sign * np.sqrt(2 * level * covariance[which, which])
        rise, at_end = np.inf, False
        for _ in range(TRIES):
            step = sign * min(abs(step), abs(bound - best.at[which]))
            held = minimise(likelihood, best.at + along * step, best.scale, [which], most=25)
            rise = max(held.value - best.value, 1e-3 * level)
            at_end = abs(step) >= abs(bound - best.at[which])
            if abs(rise / level - 1) < 0.1 or (at_end and rise < level):
                break
            step *= np.clip(np.sqrt(level / rise), 0.2, 5)
        sides.append(sign * np.inf if at_end and rise < level else best.at[which] + step)
    return float(sides[0]), float(sides[1])
