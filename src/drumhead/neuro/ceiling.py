"""A distance with its floor and its ceiling: how far halves of a recording are apart, and how far chance is.

    score = (d_null - d) / (d_null - d_ceiling)     1: like another half of the recording, 0: like its surrogates

Each round splits the recording's trials into halves A and B at random and compares B with A (the ceiling), with as many
of the model's trials (d), and with surrogates of A (the null), so that all three are of the same size. The numbers are
means over rounds; the intervals come from rounds in which the trials of each part are drawn again, with replacement:
trials, not windows or frames, which resemble each other.

A score needs a null that the recording differs from. If it does not differ, each trial and its surrogate can change
places; p is the share of such exchanges after which the two are as far apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro.distance import apart
from drumhead.neuro.vector import Measure

FEW = 4  # trials of a recording: halves of two
INTERVAL = (2.5, 97.5)  # percent
TELLS = 1.5  # times as far as the halves, that a null has to be for the score of one measure to mean anything
LEVEL = 0.05  # of p, up to which a recording differs from its surrogates
ROOM = 1.1  # times as far as the halves, that all measures of a null have to be: a score divides by the difference


@dataclass(frozen=True)
class Distance:
    """How far a model is from a recording in one measure.

    Attributes:
        measure: which one.
        value: d, in the measure's own unit (of a logarithm: 0.1 is 10 %).
        low: of its 95 % interval over trials.
        high: of the same.
        ceiling: the distance of the recording's halves.
        nulls: the distance of each kind of surrogate.
        times: d over the larger of ceiling and grain: 1 is as near as can be seen.
        score: see above, with the first null; NaN where that is no farther than 1.5 ceilings.
    """

    measure: Measure
    value: float
    low: float
    high: float
    ceiling: float
    nulls: dict[str, float]
    times: float
    score: float


@dataclass(frozen=True)
class Together:
    """All measures in one number, the geometric mean of how many times as far as the halves they are.

    Attributes:
        times: of the model; 1 is as near as can be seen.
        low: of its 95 % interval over trials.
        high: of the same.
        nulls: of each kind of surrogate.
        score: (log null - log times) / (log null - log ceiling), with the first null; NaN where it does not tell.
        score_low: of its interval.
        score_high: of the same.
        scores: with each of the nulls.
        p: of each null, that the recording is no different from it; a score needs 0.05 or less.
    """

    times: float
    low: float
    high: float
    nulls: dict[str, float]
    score: float
    score_low: float
    score_high: float
    scores: dict[str, float]
    p: dict[str, float]


Vectors = Mapping[str, np.ndarray]  # of each measure one number a window, and "trial"


def distances(
    model: Vectors, recording: Vectors, nulls: Mapping[str, Vectors], measures: tuple[Measure, ...], *,
    splits: int = 40, exchanges: int = 199, seed: int = 0,
) -> tuple[tuple[Distance, ...], Together]:  # fmt: skip
    """Return how far a model is from a recording in each measure and in all, with ceilings, nulls and intervals.

    Args:
        model: windows of the model's trials, as `drumhead.neuro.vector` finds them.
        recording: of the recording's; of four trials or more.
        nulls: windows of surrogates of the recording, trial by trial, by the name of the null.
        measures: which to use.
        splits: rounds for the numbers, and as many for the intervals.
        exchanges: of trials with their surrogates, for p.
        seed: of the splits.

    Raises:
        DrumheadError: too few trials to split.
    """
    trials, own = np.unique(recording["trial"]), np.unique(model["trial"])
    if len(trials) < FEW or len(own) < 2:
        raise DrumheadError(
            f"a recording of {len(trials)} trials and a model of {len(own)}: at least {FEW} and 2 are needed, to see "
            "how far halves of the recording are apart; cut it into more pieces or take shorter windows"
        )
    sets = [_by_trial(model), _by_trial(recording), *(_by_trial(null) for null in nulls.values())]
    names = ["model", "ceiling", *nulls]
    random = np.random.default_rng(seed)
    plain, drawn = (
        np.array([_round(sets, trials, own, measures, random, again) for _ in range(splits)]) for again in (False, True)
    )  # (round, measure, who)
    with np.errstate(invalid="ignore"):
        mean = _mean(plain, 0)
    grains = np.array([one.grain for one in measures])
    scale = np.fmax(mean[:, 1], grains)
    found = []
    for i, one in enumerate(measures):
        low, high = np.nanpercentile(drawn[:, i, 0], INTERVAL) if np.isfinite(drawn[:, i, 0]).any() else (np.nan,) * 2
        d, ceiling, others = mean[i, 0], mean[i, 1], mean[i, 2:]
        tells = len(others) and others[0] > TELLS * scale[i]
        score = float((others[0] - d) / (others[0] - ceiling)) if tells else np.nan
        found.append(
            Distance(one, float(d), float(low), float(high), float(ceiling),
                     dict(zip(names[2:], others.tolist(), strict=True)), float(d / scale[i]), score)
        )  # fmt: skip
    logs, logs_drawn = (_overall(part, scale, grains) for part in (mean[None], drawn))
    chance = {
        null: _exchanged(sets[1], one, measures, random, exchanges) for null, one in zip(nulls, sets[2:], strict=True)
    }
    tell = {null: chance[null] <= LEVEL for null in nulls}
    each = {null: float(_score(logs[:, [0, 1, i]])[0]) if tell[null] else np.nan for i, null in enumerate(nulls, 2)}
    score, scores = next(iter(each.values()), np.nan), _score(logs_drawn)
    scores = scores if np.isfinite(score) else scores * np.nan
    bounds = np.nanpercentile(scores, INTERVAL) if np.isfinite(scores).any() else (np.nan, np.nan)
    low, high = np.exp(np.nanpercentile(logs_drawn[:, 0], INTERVAL))
    others = dict(zip(names[2:], np.exp(logs[0, 2:]).tolist(), strict=True))
    all_of_it = Together(float(np.exp(logs[0, 0])), float(low), float(high), others, score, float(bounds[0]),
                         float(bounds[1]), each, chance)  # fmt: skip
    return tuple(found), all_of_it


def _by_trial(vectors: Vectors) -> dict[int, dict[str, np.ndarray]]:
    trial = vectors["trial"]
    return {int(t): {name: values[trial == t] for name, values in vectors.items()} for t in np.unique(trial)}


def _round(
    sets: list[dict[int, dict[str, np.ndarray]]], trials: np.ndarray, own: np.ndarray, measures: tuple[Measure, ...],
    random: np.random.Generator, again: bool,
) -> list[list[float]]:  # fmt: skip
    """Return the distance of B from the model, from A and from surrogates of A, in each measure."""
    order = random.permutation(trials)
    half = len(trials) // 2
    a, b = order[:half], order[half:]
    m = random.choice(own, min(half, len(own)), replace=False)
    if again:
        a, b, m = (random.choice(part, len(part)) for part in (a, b, m))
    parts = [(sets[0], m), (sets[1], a), *((one, a) for one in sets[2:])]
    out = []
    for measure in measures:
        there = _pool(sets[1], b, measure.name)
        out.append([apart(_pool(one, which, measure.name), there, measure.kind) for one, which in parts])
    return out


def _pool(one: dict[int, dict[str, np.ndarray]], which: np.ndarray, name: str) -> np.ndarray:
    return np.concatenate([one[int(t)][name] for t in which])


def _exchanged(
    recording: dict[int, dict[str, np.ndarray]], null: dict[int, dict[str, np.ndarray]], measures: tuple[Measure, ...],
    random: np.random.Generator, exchanges: int,
) -> float:  # fmt: skip
    """Return p of the hypothesis that trials and their surrogates can change places."""
    pairs = [(recording[t], null[t]) for t in recording]

    def far(swapped: np.ndarray) -> float:
        sides = [[pair[side ^ int(swap)] for pair, swap in zip(pairs, swapped, strict=True)] for side in (0, 1)]
        logs = []
        for one in measures:
            here, there = (np.concatenate([trial[one.name] for trial in side]) for side in sides)
            d = apart(here, there, one.kind)
            logs.append(np.log(max(d, one.grain)))
        return float(np.nanmean(logs))

    found = far(np.zeros(len(pairs), bool))
    others = [far(random.random(len(pairs)) < 0.5) for _ in range(exchanges)]
    return (1 + sum(other >= found - 1e-12 for other in others)) / (1 + exchanges)


def _overall(distance: np.ndarray, scale: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Return the mean log of times (round, who) over the measures that all have; nothing is nearer than a grain."""
    there = np.isfinite(distance).all(2, keepdims=True)
    logs = np.where(there, np.log(np.maximum(np.where(there, distance, 1), grain[:, None]) / scale[:, None]), 0)
    return logs.sum(1) / np.maximum(there.sum(1), 1)


def _score(logs: np.ndarray) -> np.ndarray:
    """Return the score of mean logs (round, who)."""
    if logs.shape[1] < 3:
        return np.full(len(logs), np.nan)
    room = logs[:, 2] - logs[:, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(room > np.log(ROOM), (logs[:, 2] - logs[:, 0]) / room, np.nan)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean of the numbers there are; NaN of none."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there, values, 0).sum(axis) / there.sum(axis)
