"""Dynamic mode decomposition: patterns that oscillate at one frequency each and decay, as the modes of a drum do.

    x(t, r) = Re sum of v(r) exp((2 pi i f - d) t)

The decomposition is taken of the lagged covariances instead of the signal. They follow the same equation,

    C(lag) = mean of x(t + lag) x(t)^T,     C(lag + step) = A C(lag),

whether the oscillations were struck once or are driven by noise all the time, and noise that is white in time is in
C(0) alone, which is not used. Of the signal itself, noise makes every decay too fast and driving makes it too slow.
"""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.waves.complex_modes import described, matrix, straightened
from drumhead.waves.fields import rate
from drumhead.waves.units import Quantity, quantity

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

LAGS = 64  # at most, of a window; more are thinned out


def dmd(x: "DataArray", rank: int = 8, window: Quantity = "100 ms") -> "Dataset":
    """Return the dynamic modes of a field: frequency, decay and a complex pattern each.

        C(lag + step) = A C(lag);   A v = mu v,   2 pi i f - d = log(mu) / step

    Args:
        x: a field.
        rank: of A: two for each oscillation, one for each plain decay. Too many split modes and add weak ones of noise,
            which come last; too few blend them.
        window: the longest lag, about two periods of the slowest mode, and no more than two decay times.
            Of a long one 64 lags are used, and frequencies above 32 / window fold back: filter them away first.

    Returns:
        Over "mode", the strongest first: frequency (Hz, 0 or more), decay (1/s, one over the time in which the
        amplitude falls to 1 / e; negative if it grows), variance (share of all, noise included, that the mode
        explains), and pattern, phase, travelling, smoothness and smoothness_shuffled as of `complex_pca`. In attrs:
        highest, the frequency above which others fold.

    Raises:
        DrumheadError: PyDMD is not installed, or a rank or window that does not fit.

    Source:
        Schmid, J. Fluid Mech. 656 (2010); Brunton et al., J. Neurosci. Methods 258 (2016), on recordings; Juang &
        Pappa, J. Guid. Control Dyn. 8 (1985), of stacked lags; PyDMD: Demo et al., J. Open Source Softw. 3 (2018).

    Example:
        >>> array = dh.waves.synth.Array((8, 8), pitch="1 mm", fs="500 Hz", duration="2 s")
        >>> wave = dh.waves.synth.plane(array, frequency=20, speed=0.16) * np.exp(-3 * array.times)
        >>> found = dh.waves.dmd(wave, rank=2)
        >>> round(float(found.frequency[0]), 3), round(float(found.decay[0]), 3), round(float(found.travelling[0]), 3)
        (20.0, 3.0, 1.0)
    """
    decompose = _decomposition()
    values, x, keep = matrix(x)
    if np.iscomplexobj(values) or not np.isfinite(values).all():
        raise DrumheadError("x has gaps or complex numbers; dmd takes a field, as drumhead.waves.field returns it")
    fs, rank = rate(x), whole("rank", rank)
    span = round(quantity("window", window, "time") * fs)
    step = max(1, -(-span // LAGS))
    count = span // step
    if count < 4 or len(values) < 4 * span:
        raise DrumheadError(
            f"window={window!r} is {span} of {len(values)} samples; at least 4 and at most a quarter are needed"
        )
    values = values - values.mean(0)
    patterns = _patterns(values, 2 * rank)
    lagged = _lagged(values @ patterns, step, count)
    mu, blocks = _modes(lagged, rank, decompose)
    powers = mu ** np.arange(1, count + 1)[:, None]  # (lag, mode)
    maps = np.einsum("lpm,lm->pm", blocks, powers[: len(blocks)].conj())  # what all lags say together
    maps /= np.linalg.norm(maps, axis=0)
    basis = (maps * powers[:, None]).reshape(-1, len(mu))
    parts = np.linalg.lstsq(basis, lagged.reshape(len(basis), -1), rcond=None)[0]  # C(lag) = sum of v mu^lag parts
    base = len(values) - step * count
    share = np.real((maps.T * parts).sum(1)) * base / (values[:base] ** 2).sum() * np.where(np.imag(mu) > 0, 2, 1)
    order = np.argsort(-share, kind="stable")
    order = order[np.imag(mu)[order] >= 0]  # the others are the mirror images of these
    rates = np.log(mu[order]) * fs / step
    out = described(straightened((patterns @ maps[:, order]).T), x, keep)
    out.attrs = {"rank": len(mu), "window": span / fs, "highest": fs / (2 * step)}
    return out.assign(
        frequency=("mode", np.imag(rates) / (2 * np.pi), {"units": "Hz"}),
        decay=("mode", -np.real(rates), {"units": "1/s"}),
        variance=("mode", share[order]),
    )


def _decomposition() -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return PyDMD's decomposition of two matrices of which one is the other a step later: eigenvalues and modes."""
    try:
        from pydmd import DMD
    except ImportError:
        raise DrumheadError("dmd needs PyDMD, which is not installed: pip install 'drumhead[neuro]'") from None

    def decompose(now: np.ndarray, next_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that strong and weak modes differ a lot is no news
            found = DMD(svd_rank=-1).fit(now, next_)
        return np.asarray(found.eigs, complex), np.asarray(found.modes, complex)

    return decompose


def _patterns(values: np.ndarray, count: int) -> np.ndarray:
    """Return the patterns (site, pattern) of the most variance; the modes of a given rank live in a few of them."""
    power, vectors = np.linalg.eigh((values.T @ values).astype(np.float64))
    if not power[-1] > 0:
        raise DrumheadError("x is constant at every site, so there are no modes")
    return vectors[:, power > 1e-12 * power[-1]][:, ::-1][:, :count]


def _lagged(reduced: np.ndarray, step: int, count: int) -> np.ndarray:
    """Return the covariances at `count` lags of `step` samples each, (lag, pattern, pattern).

    All lags are taken from the same first samples, so that a ringing that dies out gives exact exponentials.
    """
    base = len(reduced) - step * count
    return np.stack([reduced[i * step :][:base].T @ reduced[:base] for i in range(1, count + 1)]) / base


def _modes(lagged: np.ndarray, rank: int, decompose: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of a step and the modes (lag, pattern, mode) of lags that are stacked upon each other."""
    count, width = lagged.shape[:2]
    rows = count // 2
    columns = count - rows
    stacked = np.concatenate([np.concatenate(list(lagged[i : i + columns + 1]), 1) for i in range(rows)])
    left, strength, _ = np.linalg.svd(stacked[:, :-width], full_matrices=False)
    if rank > len(strength):
        raise DrumheadError(f"rank={rank}: {width} sites and {count} lags allow at most {len(strength)}")
    left = left[:, :rank][:, strength[:rank] > 1e-9 * strength[0]]  # what is weaker is rounding
    reduced = left.T @ stacked
    mu, modes = decompose(reduced[:, :-width], reduced[:, width:])
    seen = np.abs(mu) > 1e-9  # gone within one step
    return mu[seen], (left @ modes[:, seen]).reshape(rows, width, -1)
