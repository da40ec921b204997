"""Fit the rational tanh of src/drumhead/engine/cpu/csrc/vector.h and measure its error in float32.

    tanh(x) = x P(x^2) / Q(x^2),   P and Q of degree 4,   |x| <= 9

beyond which float32 cannot tell tanh from 1. The relative error is made as level as possible by Lawson's weighted least
squares (Lawson 1961) on the problem linearised around the last denominator (Loeb 1957).

python diagnostics/fit_tanh.py [OUT.json]
"""

import json
import sys
from pathlib import Path

import numpy as np

DEGREE, TOP = 4, 9.0
POINTS, ROUNDS = 4001, 400  # Chebyshev points on (0, TOP], and rounds of reweighting: the error has settled long before


def fit() -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest relative error in exact arithmetic and the coefficients of P and Q, constants first."""
    s = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, POINTS))
    x = TOP * s[s > 0]
    u = (x / TOP) ** 2
    target = np.tanh(x) / x
    powers = u[:, None] ** np.arange(DEGREE + 1)
    weights, denominator = np.ones_like(x), np.ones_like(x)
    best = (np.inf, np.zeros(DEGREE + 1), np.zeros(DEGREE + 1))
    for _ in range(ROUNDS):
        # P - target (Q - 1) = target, with Q(0) = 1; divided by target Q of the last round it is the relative error.
        scale = np.sqrt(weights) / (target * denominator)
        system = np.hstack([powers, -target[:, None] * powers[:, 1:]])
        solution = np.linalg.lstsq(system * scale[:, None], target * scale, rcond=None)[0]
        p, q = solution[: DEGREE + 1], np.concatenate([[1.0], solution[DEGREE + 1 :]])
        denominator = powers @ q
        error = np.abs(powers @ p / denominator / target - 1)
        if error.max() < best[0]:
            best = (error.max(), p, q)
        weights = weights * (error / error.max() + 1e-3)
        weights /= weights.sum()
    shrink = TOP ** (-2.0 * np.arange(DEGREE + 1))
    return best[0], best[1] * shrink, best[2] * shrink


def evaluate(p: np.ndarray, q: np.ndarray, x: np.ndarray, fused: bool) -> np.ndarray:
    """Evaluate in float32 as the engine does, with or without fused multiply-add (one rounding or two)."""

    def horner(coefficients: np.ndarray) -> np.ndarray:
        value = np.full_like(u, coefficients[-1])
        for c in coefficients[-2::-1].astype(np.float32):
            product = value.astype(np.float64) * u
            value = ((product if fused else product.astype(np.float32)) + c).astype(np.float32)
        return value

    x = np.clip(x.astype(np.float32), -TOP, TOP).astype(np.float32)
    u = x * x
    return x * horner(p) / horner(q)


def main(out: str | None = None) -> None:
    exact, p, q = fit()
    samples = np.linspace(-12, 12, 2_000_001).astype(np.float32)
    samples = samples[samples != 0]
    true = np.tanh(samples.astype(np.float64))
    result: dict[str, object] = {
        "p": [float(f"{c:.9g}") for c in p],
        "q": [float(f"{c:.9g}") for c in q],
        "relative_error_of_the_fit": exact,
    }
    for fused in (True, False):
        found = evaluate(p, q, samples, fused).astype(np.float64)
        name = "fused" if fused else "separate"
        result[f"relative_error_float32_{name}"] = float(np.abs(found / true - 1).max())
        result[f"largest_value_minus_1_{name}"] = float(np.abs(found).max() - 1)
    for key, value in result.items():
        print(f"{key}: {value if isinstance(value, list) else format(value, '.2e')}")
    if out:
        Path(out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
