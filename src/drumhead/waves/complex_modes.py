"""Complex modes: patterns that oscillate, each with an amplitude and a phase at every site.

    x(t, r) = Re sum of v(r) c(t)           v the maps, c the time courses, arg v the lead in phase

A standing pattern swells everywhere at once: v is a real map times one number. In a travelling one the phase runs on
from site to site, and real and imaginary part are two patterns, equally strong and a quarter of a cycle apart:

    travelling = s_min / s_max, singular values of [Re v, Im v]       0 stands, 1 travels

This number does not know where the sites are: shuffled, they give the same. So `smoothness` is told beside it, how
alike neighbours are, with what shuffled sites would have.
"""

from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import GRID, SITES, good, rate
from drumhead.waves.neighbours import edges

if TYPE_CHECKING:
    from xarray import DataArray, Dataset


def complex_pca(x: "DataArray", modes: int = 5) -> "Dataset":
    """Return the patterns that hold most of the variance of a field's analytic signal.

        x + i H[x] = sum of v(r) c(t), the singular vectors of the matrix sites x times

    Args:
        x: a field, filtered to the band of interest: phases mean little across a wide one. Or its analytic signal,
            complex with the same dimensions, from which a cycle at both ends is better cut off.
        modes: how many; few, since each is free to mix what has the same variance.

    Returns:
        Over "mode", the strongest first: pattern (complex, over the sites, norm 1, NaN at bad ones), course (complex,
        over time), phase (rad, of the pattern: a wave that goes toward +x lags there), variance (share of all),
        frequency (Hz, mean over the course), travelling (0 stands, 1 travels), smoothness (1 where neighbours are
        equal) and smoothness_shuffled (its mean over all orders of the sites). Of a plane wave that is longer than the
        array little is seen to travel: 0.8 if it is 2.5 times as long, 0.5 if 4 times.

    Raises:
        DrumheadError: more modes than there are sites or times, a signal that is constant, fewer than three sites.

    Source:
        Horel, J. Clim. Appl. Meteorol. 23 (1984); Feeny, J. Sound Vib. 310 (2008), the travelling index; Bolt et al.,
        Nat. Neurosci. 25 (2022), on brain data.

    Example:
        >>> array = dh.waves.synth.Array((8, 8), pitch="1 mm", fs="200 Hz", duration="2 s")
        >>> mode = dh.waves.complex_pca(dh.waves.synth.mixture(array, 0.5, 20, speed=0.08)).isel(mode=0)
        >>> round(float(mode.travelling), 2), round(float(mode.frequency), 1), round(float(mode.variance), 3)
        (0.5, 20.0, 1.0)
    """
    signal, x, keep = _analytic(x)
    count = whole("modes", modes)
    if count > min(signal.shape):
        raise DrumheadError(f"modes={modes}: a field of {signal.shape[1]} sites and {len(signal)} times has fewer")
    few_sites = signal.shape[1] <= len(signal)
    gram = signal.T @ signal.conj() if few_sites else signal @ signal.conj().T
    power, vectors = np.linalg.eigh(gram.astype(np.complex128))
    power = np.maximum(power, 0)  # but for rounding it is
    total = power.sum()
    if not total > 0:
        raise DrumheadError("x is constant at every site, so there are no modes")
    vectors = vectors[:, ::-1][:, :count].T
    if not few_sites:
        vectors = vectors.conj() @ signal
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = straightened(vectors)
    course = vectors.conj() @ signal.T
    turn = np.angle((course[:, 1:] * course[:, :-1].conj()).sum(1))
    out = described(vectors, x, keep)
    return out.assign(
        course=(("mode", "time"), course, {"units": x.attrs.get("units", "")}),
        variance=("mode", power[::-1][:count] / total),
        frequency=("mode", turn * rate(x) / (2 * np.pi), {"units": "Hz"}),
    ).assign_coords(time=x["time"])


def travelling_index(maps: np.ndarray) -> np.ndarray:
    """Return s_min / s_max of the real and imaginary part of complex maps (mode, site): 0 stands, 1 travels.

        ((1 - h) / (1 + h))^(1/2),     h = |sum v^2| / sum |v|^2

    Example:
        >>> angle = 2 * np.pi * np.arange(8) / 8
        >>> maps = np.stack([np.cos(angle) + share * 1j * np.sin(angle) for share in (1, 0.5, 0)])
        >>> travelling_index(maps).round(6)
        array([1. , 0.5, 0. ])
    """
    alike = np.abs((maps**2).sum(-1)) / (np.abs(maps) ** 2).sum(-1)
    return np.sqrt(np.clip((1 - alike) / (1 + alike), 0.0, 1.0))


def smoothness(maps: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return how alike neighbours are in complex maps (mode, site), and how alike two sites are on average.

        2 Re sum of v_i conj(v_j) / sum of |v_i|^2 + |v_j|^2, over pairs of neighbours; then over all pairs

    A plane wave has the mean, over both axes, of the cosine of its phase step: more than 0.5 if it is 6 sites long.

    Example:
        >>> wave = np.exp(2j * np.pi * np.arange(12) / 6)[None]
        >>> near, any_two = smoothness(wave, (np.arange(11), np.arange(1, 12)))
        >>> near.round(6), any_two.round(3)
        (array([0.5]), array([-0.091]))
    """
    one, other = maps[:, pairs[0]], maps[:, pairs[1]]
    power = (np.abs(maps) ** 2).sum(1)
    both = (np.abs(one) ** 2 + np.abs(other) ** 2).sum(1)
    near = 2 * np.real(one * other.conj()).sum(1) / np.where(both > 0, both, np.nan)
    return near, (np.abs(maps.sum(1)) ** 2 / power - 1) / max(1, maps.shape[1] - 1)


def straightened(maps: np.ndarray) -> np.ndarray:
    """Return maps (mode, site) of norm 1, each turned so that its real part is as strong as can be."""
    maps = maps / np.linalg.norm(maps, axis=1, keepdims=True)
    maps = maps * np.exp(-0.5j * np.angle((maps**2).sum(1)))[:, None]
    real = np.real(maps)
    top = np.take_along_axis(real, np.abs(real).argmax(1)[:, None], 1)
    return maps * np.where(top < 0, -1, 1)


def described(maps: np.ndarray, x: "DataArray", keep: np.ndarray) -> "Dataset":
    """Return a Dataset of maps (mode, good site) back at their places, with what can be said of each."""
    from xarray import Dataset

    full = np.full((len(maps), keep.size), np.nan, np.complex128)
    full[:, keep.ravel()] = maps
    full = full.reshape(len(maps), *keep.shape)
    dims = ("mode", *(GRID if "x" in x.dims else SITES)[1:])
    phase = np.where(np.isfinite(full), np.angle(full), np.nan)
    beside = edges(x)
    near, shuffled = smoothness(maps, (beside.first, beside.second))
    return Dataset(
        {
            "pattern": (dims, full),
            "phase": (dims, phase, {"units": "rad"}),
            "travelling": ("mode", travelling_index(maps)),
            "smoothness": ("mode", near),
            "smoothness_shuffled": ("mode", shuffled),
        },
        {name: x[name] for name in ("y", "x")},
    )


def matrix(x: "DataArray") -> tuple[np.ndarray, "DataArray", np.ndarray]:
    """Return the values of the good sites (time, site), the field with its axes in order, and which sites are good."""
    got = getattr(x, "dims", ())
    dims = next((dims for dims in (GRID, SITES) if set(dims) == set(got)), None)
    if dims is None:
        got = ", ".join(map(str, got)) or type(x).__name__
        raise DrumheadError(f"x: got {got}; a field is needed, of time, y, x or time, site (drumhead.waves.field)")
    x = x.transpose(*dims)
    keep = good(x)
    return x.values.reshape(len(x), -1)[:, keep.ravel()], x, keep


def _analytic(x: "DataArray") -> tuple[np.ndarray, "DataArray", np.ndarray]:
    from scipy.signal import hilbert

    values, x, keep = matrix(x)
    if not np.isfinite(values).all():
        raise DrumheadError("x has gaps; fill them, cut them off, or set these sites to NaN at all times")
    if np.iscomplexobj(values):
        return values, x, keep
    mean = values.mean(0)
    return np.asarray(hilbert(values - mean, axis=0)), x, keep
