"""Dynamics compared: the operators that carry an array from one moment to the next, and their spectra.

    propagators    1 - <A, B> / (|A| |B|),   A = C(lag) C(0)^-1 of each, site by site in one frame
    spectra        Wasserstein distance of the clouds of log eigenvalues, decay against frequency, of dynamic modes
    dsa            least angle of A and Q B Q^T over all rotations and reflections Q (Ostrow et al. 2023)

What they can see differs, and it follows from algebra. A recording played backward has C(lag)^T in place of C(lag), and
C(0)^-1 C(lag) has the same eigenvalues transposed: **no spectrum of a stationary recording knows which way time runs**.
A reflection turns a plane wave into the one that comes back, so DSA does not know it either unless the medium is
lopsided. Propagators do, because model and recording are seen by one array: reversal of a wave adds to the distance.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.neuro.vector import listed
from drumhead.waves.fields import good, rate
from drumhead.waves.units import Quantity, quantity

if TYPE_CHECKING:
    from xarray import DataArray

SAME = 1e-3  # that two sampling rates may differ; resampling meets one to the nearest ratio of small numbers
RIDGE = 1e-2  # of the mean variance, added to C(0): neighbours of a smooth array are nearly the same
WEIGHT = 1e-3  # of the recording's variance, below which a dynamic mode is noise


def propagators(
    one: "DataArray | Sequence[DataArray]", other: "DataArray | Sequence[DataArray]", lag: Quantity
) -> float:
    """Return how far the operators of two sets of trials are apart, 0 to 2.

        A = C(lag) (C(0) + r)^-1,   C(lag) = mean of x(t + lag) x(t)^T;   1 - <A - D, B - E> / (|A - D| |B - E|)

    D and E, the mean diagonals, are left out: that a site resembles itself says nothing about waves.

    Args:
        one: fields of one array, filtered to the band of interest.
        other: fields of the same sites and sampling rate.
        lag: about a quarter of a period.

    Raises:
        DrumheadError: other sites, or trials shorter than the lag.

    Example:
        >>> S, array = dh.waves.synth, dh.waves.synth.Array((6, 6), "0.4 mm", "500 Hz", "2 s")
        >>> x, y = (S.sensor_noise(S.plane(array, 20, 0.05, way), 1.0, seed=1) for way in (0.0, np.pi))
        >>> round(propagators(x, x, "10 ms"), 3), propagators(x, y, "10 ms") > 0.5
        (0.0, True)
    """
    a, b = listed(one), listed(other)
    known = good(a[0]) & good(b[0]) if a[0].shape[1:] == b[0].shape[1:] else None
    if known is None or abs(rate(a[0]) / rate(b[0]) - 1) > SAME:
        raise DrumheadError(
            f"propagators are compared site by site: got {a[0].shape[1:]} at {rate(a[0]):g} Hz and {b[0].shape[1:]} at "
            f"{rate(b[0]):g} Hz; observe the model with the recording's array first (drumhead.neuro.Observation)"
        )
    steps = round(quantity("lag", lag, "time") * rate(a[0]))
    first, second = (_operator(part, known, steps) for part in (a, b))
    return float(1 - (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))


def _operator(trials: "list[DataArray]", known: np.ndarray, steps: int) -> np.ndarray:
    """Return the operator without its mean diagonal."""
    now = later = np.zeros((known.sum(), known.sum()))
    for x in trials:
        values = x.values[:, known].astype(np.float64)
        if not 1 <= steps < len(values) // 2:
            raise DrumheadError(f"a lag of {steps} samples does not fit into a trial of {len(values)}")
        values = values - values.mean(0)
        now, later = now + values[:-steps].T @ values[:-steps], later + values[steps:].T @ values[:-steps]
    found = later @ np.linalg.inv(now + RIDGE * np.trace(now) / len(now) * np.eye(len(now)))
    return found - np.eye(len(now)) * np.trace(found) / len(now)


def spectra(
    one: "DataArray | Sequence[DataArray]", other: "DataArray | Sequence[DataArray]", rank: int = 8,
    window: Quantity = "100 ms",
) -> float:  # fmt: skip
    """Return the Wasserstein distance of the clouds of dynamic modes, in 1/s.

        points (2 pi f, decay), weighted with the variance that each mode explains

    Args:
        one: fields.
        other: fields, on any array.
        rank: of `drumhead.waves.dmd`; the same for both.
        window: of the same, about two periods.

    Raises:
        DrumheadError: PyDMD is not installed, or a rank or window that does not fit.

    Source:
        W. T. Redman et al., 2023, on eigenvalues of Koopman operators as a measure; Schmid 2010 for the modes.

    Example:
        >>> S, array = dh.waves.synth, dh.waves.synth.Array((6, 6), "0.4 mm", "500 Hz", "2 s")
        >>> x, y = (S.sensor_noise(S.plane(array, f, 0.1), 3.0, seed=1) for f in (20, 25))
        >>> round(spectra(x, y, rank=2) / (2 * np.pi))
        5
    """
    from scipy import sparse
    from scipy.optimize import linprog

    (a, wa), (b, wb) = (_cloud(listed(part), rank, window) for part in (one, other))
    cost = np.hypot(*(a[:, None] - b).transpose(2, 0, 1))
    n, m = cost.shape
    leaves = sparse.kron(sparse.identity(n), np.ones((1, m)))  # sparse: of n m carried masses each is in two sums
    arrives = sparse.kron(np.ones((1, n)), sparse.identity(m))
    plan = linprog(cost.ravel(), A_eq=sparse.vstack([leaves, arrives]), b_eq=np.concatenate([wa, wb]))
    return float(plan.fun)


def _cloud(trials: "list[DataArray]", rank: int, window: Quantity) -> tuple[np.ndarray, np.ndarray]:
    """Return angular frequency and decay of all modes (n, 2) and their weights, which sum to 1."""
    from drumhead.waves.dynamic_modes import dmd

    points, weights = [], []
    for x in trials:
        modes = dmd(x, rank, window)
        points.append(np.stack([2 * np.pi * modes["frequency"].values, modes["decay"].values], 1))
        weights.append(modes["variance"].values)
    point, weight = np.concatenate(points), np.concatenate(weights)
    kept = weight > WEIGHT
    if not kept.any():
        raise DrumheadError("no dynamic mode explains anything; take a longer window or a lower rank")
    return point[kept], weight[kept] / weight[kept].sum()


def dsa(
    one: "DataArray | Sequence[DataArray]", other: "DataArray | Sequence[DataArray]", rank: int = 10, delays: int = 5,
    interval: int = 1, iters: int = 500, seed: int = 0,
) -> float:  # fmt: skip
    """Return the dynamical similarity of two sets of trials, an angle in rad: 0 is the same up to a rotation.

        min over orthogonal Q of arccos(<A, Q B Q^T> / (|A| |B|)),   A of rank `rank`, of delayed copies of all sites

    Args:
        one: fields of one length and array.
        other: fields of one length and array, perhaps another one.
        rank: of both operators.
        delays: copies of the sites in a state, `interval` samples apart.
        interval: samples.
        iters: steps of the search for Q.
        seed: of its start.

    Raises:
        DrumheadError: dsa-metric is not installed, or trials too short for so many delays.

    Source:
        M. Ostrow, A. Eisen, L. Kozachkov, I. Fiete, NeurIPS 36, 2023; dsa-metric is theirs.
    """
    rank, delays = whole("rank", rank), whole("delays", delays)
    got = [_stacked(listed(part), delays * interval) for part in (one, other)]
    library = _library()
    import torch

    with torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own use of torch
        torch.manual_seed(seed)
        found = library.DSA(
            got[0], got[1], n_delays=delays, delay_interval=whole("interval", interval), rank=rank,
            score_method="angular", iters=whole("iters", iters),
        )  # fmt: skip
        return float(np.asarray(found.fit_score()).squeeze())


def _stacked(trials: "list[DataArray]", least: int) -> np.ndarray:
    """Return the good sites of trials (trial, time, site), each divided by the deviation of all."""
    count = min(x.sizes["time"] for x in trials)
    if count < 4 * least:
        raise DrumheadError(f"trials of {count} samples are too short for delays of {least} samples")
    values = np.stack([x.values[:count, good(x)].astype(np.float64) for x in trials])
    values -= values.mean(1, keepdims=True)
    return values / values.std()


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its dependencies
            import DSA
    except ImportError:
        raise DrumheadError("dsa needs dsa-metric, which is not installed: pip install 'drumhead[neuro]'") from None
    return DSA


def reversed_in_time(trials: "DataArray | Sequence[DataArray]") -> "list[DataArray]":
    """Return trials played backward: the control that a measure of travelling has to tell from the recording.

    Args:
        trials: a field (time, y, x), or several.

    Returns:
        As many fields, with the times that they had.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array((4, 5)))
        >>> bool((dh.neuro.reversed_in_time(x)[0].values == x.values[::-1]).all())
        True
    """
    return [x.copy(data=x.values[::-1].copy()) for x in listed(trials)]
