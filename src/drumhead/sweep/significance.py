"""Whether two combinations of a grid differ by more than their seeds do: permutation tests, and Holm's correction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MOST = 2**17  # arrangements that are all looked at; beyond, so many are drawn


@dataclass(frozen=True)
class Compared:
    """A score of a combination against that of the best one.

    Attributes:
        difference: its mean less the best one's, over the seeds that were compared.
        seeds: how many of its own were compared.
        paired: whether both have the same seeds, so that they were compared seed by seed.
        p: two-sided; None where there is nothing to test.
        least: the smallest p that so many seeds can give.
        drawn: whether p counts arrangements that were drawn, for there are too many.
        holm: p, corrected for all combinations that were compared with the best one.
    """

    difference: float
    seeds: int
    paired: bool
    p: float | None
    least: float
    drawn: bool = False
    holm: float | None = None


def permutation(a: Sequence[float], b: Sequence[float], paired: bool) -> float:
    """Return the two-sided p of the difference of two means, among all ways to exchange what has no name.

    Paired, each seed's two values may change places, 2^n ways. Otherwise all values may, in binomial(n + m, n) ways. Of
    more than 2^17 ways as many are drawn, the same ones each time.

    Args:
        a: a score over seeds.
        b: another's, in the same order of seeds if `paired`.
        paired: whether a value of one belongs to a value of the other.

    Example:
        >>> permutation([0.9, 0.8, 0.7], [0.8, 0.7, 0.5], paired=True)
        0.25
    """
    from scipy.stats import permutation_test

    def difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    kind = "samples" if paired else "independent"
    all_of_them: Any = np.inf
    most = all_of_them if ways(len(a), len(b), paired) <= MOST else MOST
    seed: Any = {"random_state": 0}  # the word of scipy before 1.15, which later ones take as well
    test = permutation_test((a, b), difference, permutation_type=kind, vectorized=True, n_resamples=most, batch=4096,
                            **seed)  # fmt: skip
    return float(test.pvalue)


def ways(n: int, m: int, paired: bool) -> int:
    """Return in how many ways the values of n and m seeds can be exchanged.

    Example:
        >>> ways(6, 6, paired=True), ways(6, 6, paired=False)
        (64, 924)
    """
    return 2**n if paired else math.comb(n + m, n)


def least_p(n: int, m: int, paired: bool) -> float:
    """Return the smallest two-sided p that n and m seeds can give.

    Example:
        >>> least_p(2, 2, paired=True), least_p(6, 6, paired=True)
        (0.5, 0.03125)
    """
    return min(1.0, 2 / ways(n, m, paired))


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for being several, by Holm's method: p_(k) times (m - k + 1), rising.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    out, largest = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[i]))
        out[i] = largest
    return out


def against_best(scores: Sequence[Mapping[int, float]], lower: bool = False) -> tuple[int, list[Compared | None]]:
    """Compare every combination with the one that has the best mean.

    Args:
        scores: of each combination, by seed; at least one of them has one.
        lower: whether less is better.

    Returns:
        The number of the best combination, and for each one how it compares; None for the best and where there is no
        score.
    """
    sign = -1 if lower else 1
    means = [sign * float(np.mean([*values.values()])) if values else -math.inf for values in scores]
    best = int(np.argmax(means))
    found = [None if i == best or not values else _compare(values, scores[best]) for i, values in enumerate(scores)]
    tested = [i for i, one in enumerate(found) if one is not None and one.p is not None]
    for i, corrected in zip(tested, holm([found[i].p for i in tested]), strict=True):  # type: ignore[union-attr,misc]
        one = found[i]
        if one is not None:
            found[i] = replace(one, holm=corrected)
    return best, found


def _compare(own: Mapping[int, float], best: Mapping[int, float]) -> Compared:
    """Compare seed by seed if at least two seeds are in both, else all with all."""
    common = sorted(own.keys() & best.keys())
    paired = len(common) > 1
    a, b = ([values[seed] for seed in common] if paired else [*values.values()] for values in (own, best))
    least = least_p(len(a), len(b), paired) if min(len(a), len(b)) > 1 else 1.0  # one seed has no spread
    p = permutation(a, b, paired) if least < 1 else None
    drawn = p is not None and ways(len(a), len(b), paired) > MOST
    return Compared(float(np.mean(a) - np.mean(b)), len(a), paired, p, least, drawn)
