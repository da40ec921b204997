"""Responses to the same stimuli: whether both put the same ones far apart, and whether one predicts the other.

Responses are arrays (stimulus, trial, site) or (stimulus, trial, site, time); a model's features are (stimulus, ...).

    rdm         distances of all pairs of stimuli; crossnobis has the mean 0 where nothing differs, however noisy
    rsa         correlation of two such matrices, between the ceilings that the recording's own noise sets
    explained   share of what is reliable at each site that a ridge regression on the features predicts, held out
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError, choose, whole

METHODS = ("crossnobis", "correlation")
STRENGTHS = np.logspace(-3, 6, 19)  # of the ridge, for features of variance 1
RELIABLE = 0.1  # below this a site repeats nothing, and a share of it is a share of noise


@dataclass(frozen=True)
class Similarity:
    """How alike two representations are.

    Attributes:
        value: Spearman's correlation of the distances of all pairs of stimuli.
        lower: what half of the recording's trials reach with the other half; a model above it is as good as data.
        upper: the most that any model could reach with so many trials, sqrt(2 r / (1 + r)) of the halves' r.
        p: share of permutations of the model's stimuli that are as good, at least 1 / (n + 1).
        null_95: their 95th percentile.
    """

    value: float
    lower: float
    upper: float
    p: float
    null_95: float


@dataclass(frozen=True)
class Explained:
    """What features predict of each site, (site,) or (site, time).

    Attributes:
        share: r^2 / reliability with the sign of r, of held-out stimuli; 1 is all that repeats, NaN where nothing does.
        correlation: r of held-out predictions and the mean over trials.
        reliability: of the mean over trials, 2 r / (1 + r) of halves (Spearman and Brown).
        p: share of permutations of the stimuli with so high an r.
    """

    share: np.ndarray
    correlation: np.ndarray
    reliability: np.ndarray
    p: np.ndarray


def rdm(responses: Any, method: str = "crossnobis") -> np.ndarray:
    """Return the distances of all pairs of stimuli, (stimulus, stimulus).

        crossnobis    mean over trials a != b of (x_i^a - x_j^a) . (x_i^b - x_j^b) / sites, each in units of its noise
        correlation   1 - r of the means over trials

    Args:
        responses: (stimulus, trial, site[, time]), finite; a site and a time are a feature each.
        method: crossnobis needs two trials or more, and trials that were recorded independently.

    Raises:
        DrumheadError: a shape or a method that does not fit.

    Source:
        A. Walther et al., NeuroImage 137, 2016 (crossnobis); N. Kriegeskorte, M. Mur, P. Bandettini, Front. Syst.
        Neurosci. 2, 2008.

    Example:
        >>> random = np.random.default_rng(0)
        >>> seen = random.normal(size=(5, 1, 30)) + random.normal(size=(5, 8, 30))
        >>> found = rdm(seen)
        >>> found.shape, bool(abs(found[np.triu_indices(5, 1)].mean() - 2) < 0.6)
        ((5, 5), True)
    """
    choose("method", method, METHODS)
    x = _responses(responses, 2 if method == "crossnobis" else 1)
    if method == "correlation":
        return 1 - np.corrcoef(x.mean(1))
    n = x.shape[1]
    noise = np.sqrt(x.var(1, ddof=1).mean(0))
    x = x / np.where(noise > 0, noise, 1)
    every, each = _squares(x.sum(1)), sum(_squares(x[:, a]) for a in range(n))
    return (every - each) / (n * (n - 1) * x.shape[2])


def rsa(
    features: Any, responses: Any, method: str = "crossnobis", *, splits: int = 20, n: int = 999, seed: int = 0
) -> Similarity:
    """Return how alike a model's and a recording's representation of the same stimuli are.

    Args:
        features: the model's, (stimulus, ...); their distances are squared, or 1 - r, as the method is. Or a matrix of
            distances (stimulus, stimulus) that is symmetric with zeros on its diagonal.
        responses: (stimulus, trial, site[, time]), of four trials or more.
        method: of the recording's distances.
        splits: of trials into halves.
        n: permutations.
        seed: of both.

    Source:
        H. Nili et al., PLoS Comput. Biol. 10, 2014, ceilings; M. Schuett et al., eLife 12, 2023.

    Example:
        >>> random = np.random.default_rng(0)
        >>> signal = random.normal(size=(12, 1, 40))
        >>> found = rsa(signal[:, 0], signal + random.normal(size=(12, 6, 40)))
        >>> found.value > 0.7, found.p  # `upper` is 0.79
        (True, 0.001)
    """
    x = _responses(responses, 4)
    if len(x) < 4:
        raise DrumheadError(f"{len(x)} stimuli: at least 4 are needed")
    mine, theirs = _distances(features, len(x), method), rdm(x, method)
    random, pairs = np.random.default_rng(seed), np.triu_indices(len(x), 1)
    halves = []
    for _ in range(whole("splits", splits)):
        order = random.permutation(x.shape[1])
        half = len(order) // 2
        halves.append(_spearman(*(rdm(x[:, part], method)[pairs] for part in (order[:half], order[half:]))))
    r = float(np.mean(halves))
    value = _spearman(mine[pairs], theirs[pairs])
    orders = [random.permutation(len(x)) for _ in range(whole("n", n, 19))]
    null = np.array([_spearman(mine[np.ix_(order, order)][pairs], theirs[pairs]) for order in orders])
    p = (1 + int((null >= value).sum())) / (1 + n)
    upper = float(np.sqrt(max(0.0, 2 * r / (1 + r))))
    return Similarity(value, r, upper, p, float(np.percentile(null, 95)))


def noise_ceiling(rdms: Any) -> tuple[float, float]:
    """Return lower and upper ceiling of several recordings' distances: each with the mean of the others, and of all.

    Args:
        rdms: (recording, stimulus, stimulus), of animals or sessions.

    Source:
        H. Nili et al., PLoS Comput. Biol. 10, 2014.

    Example:
        >>> one = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5)))
        >>> [round(x, 9) for x in noise_ceiling([one, 2 * one, one**2])]
        [1.0, 1.0]
    """
    from scipy.stats import rankdata

    rdms = np.asarray(rdms, float)
    if rdms.ndim != 3 or rdms.shape[1] != rdms.shape[2] or len(rdms) < 2:
        raise DrumheadError(f"rdms: got the shape {rdms.shape}; two or more (stimulus, stimulus) are needed")
    pairs = np.triu_indices(rdms.shape[1], 1)
    ranks = np.array([rankdata(one[pairs]) for one in rdms])
    others = (ranks.sum(0) - ranks) / (len(ranks) - 1)
    lower = np.mean([_spearman(one, other) for one, other in zip(ranks, others, strict=True)])
    return float(lower), float(np.mean([_spearman(one, ranks.mean(0)) for one in ranks]))


def explained(
    features: Any, responses: Any, *, folds: int = 5, splits: int = 20, n: int = 99, seed: int = 0
) -> Explained:
    """Return how much of what repeats at each site features predict, of stimuli that the fit has not seen.

    A ridge regression for each site, its strength found by leaving out one stimulus at a time inside the stimuli that
    it is fitted to (nested cross-validation).

    Args:
        features: (stimulus, ...), the model's.
        responses: (stimulus, trial, site[, time]), of two trials or more.
        folds: of stimuli, held out in turn.
        splits: of trials into halves, for the reliability.
        n: permutations of the stimuli.
        seed: of all.

    Raises:
        DrumheadError: scikit-learn is not installed, or shapes that do not fit.

    Source:
        A. Hoerl, R. Kennard, Technometrics 12, 1970 (ridge); O. Schoppe et al., Front. Comput. Neurosci. 10, 2016, and
        C. Spearman, W. Brown, Br. J. Psychol. 3, 1910 (reliability).

    Example:
        >>> random = np.random.default_rng(0)
        >>> x = random.normal(size=(60, 5))
        >>> y = (x @ random.normal(size=(5, 3)))[:, None] + random.normal(size=(60, 8, 3))
        >>> found = explained(x, y, n=19)
        >>> bool((abs(found.share - 1) < 0.1).all()), found.p
        (True, array([0.05, 0.05, 0.05]))
    """
    y, x = _responses(responses, 2), _features(features, len(responses))
    if len(x) < 2 * whole("folds", folds, 2):
        raise DrumheadError(f"{len(x)} stimuli: at least {2 * folds} are needed for folds={folds}")
    x = x.reshape(len(x), -1)
    random = np.random.default_rng(seed)
    deviation = x.std(0)
    x = ((x - x.mean(0)) / np.where(deviation > 0, deviation, 1))[:, deviation > 0]
    mean, place = y.mean(1), np.arange(len(x)) % folds
    fold = random.permutation(place)
    reliability = _reliability(y, splits, random)
    r = _held_out(x, mean, fold)
    null = np.array([_held_out(x, mean[random.permutation(len(x))], fold) for _ in range(whole("n", n, 19))])
    p = (1 + (null >= r).sum(0)) / (1 + n)
    share = np.where(reliability > RELIABLE, np.sign(r) * r**2 / np.maximum(reliability, RELIABLE), np.nan)
    return Explained(*(part.reshape(np.shape(responses)[2:]) for part in (share, r, reliability, p)))


def _held_out(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return the correlation of held-out predictions and y (stimulus, target), for each target."""
    try:
        from sklearn.linear_model import RidgeCV
    except ImportError:
        raise DrumheadError("explained needs scikit-learn: pip install 'drumhead[neuro]'") from None
    out = np.empty_like(y)
    for k in np.unique(fold):
        fitted = RidgeCV(STRENGTHS, alpha_per_target=True).fit(x[fold != k], y[fold != k])
        out[fold == k] = fitted.predict(x[fold == k]).reshape(-1, y.shape[1])
        out[fold == k] -= y[fold != k].mean(0)  # the mean of the others, high where a fold's own is low
    return _correlation(out, y)


def _reliability(y: np.ndarray, splits: int, random: np.random.Generator) -> np.ndarray:
    """Return 2 r / (1 + r) of halves of the trials for each target."""
    found = []
    for _ in range(whole("splits", splits)):
        order = random.permutation(y.shape[1])
        half = len(order) // 2
        found.append(_correlation(y[:, order[:half]].mean(1), y[:, order[half:]].mean(1)))
    r = np.clip(np.mean(found, 0), -0.99, 1)
    return 2 * r / (1 + r)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation of columns; 0 where one is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return (a * b).sum(0) / np.where(size > 0, size, 1)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import rankdata

    return float(_correlation(rankdata(a)[:, None], rankdata(b)[:, None])[0])


def _squares(x: np.ndarray) -> np.ndarray:
    """Return the squared distances of all rows."""
    size = (x**2).sum(1)
    return size[:, None] + size - 2 * x @ x.T


def _features(features: Any, count: int) -> np.ndarray:
    """Return features (stimulus, ...) of as many stimuli as there are responses to."""
    x = np.asarray(features, float)
    if x.ndim < 2 or len(x) != count or not np.isfinite(x).all():
        raise DrumheadError(
            f"features: got the shape {x.shape}; finite numbers (stimulus, ...) of {count} stimuli are needed"
        )
    return x


def _distances(features: Any, count: int, method: str) -> np.ndarray:
    x = _features(features, count)
    if x.shape == (count, count) and np.allclose(x, x.T) and not np.diag(x).any():
        return x
    x = x.reshape(count, -1)
    return _squares(x) if method == "crossnobis" else 1 - np.corrcoef(x)


def _responses(responses: Any, trials: int) -> np.ndarray:
    """Return responses (stimulus, trial, feature)."""
    x = np.asarray(responses, float)
    if x.ndim not in (3, 4) or x.shape[1] < trials or len(x) < 2 or not np.isfinite(x).all():
        raise DrumheadError(
            f"responses: got the shape {x.shape}; finite numbers (stimulus, trial, site) or (stimulus, trial, site, "
            f"time), of two stimuli and {trials} trials or more, are needed; leave bad sites out"
        )
    return x.reshape(*x.shape[:2], -1)
