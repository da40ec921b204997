"""The wave operator of a recording: speed, natural frequency and damping, with intervals, or the reason why not."""

from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError, choose
from drumhead.neuro.verdict import RESOLVED, Estimate, Fit, objections
from drumhead.waves.fields import rate, square_pitch, unit_of_length
from drumhead.waves.filters import as_field
from drumhead.waves.units import band_edges

if TYPE_CHECKING:
    from collections.abc import Callable

    from xarray import DataArray

    from drumhead.neuro.lags import Lags
    from drumhead.neuro.operators import Likelihood
    from drumhead.neuro.search import Found
    from drumhead.neuro.whittle import Whittle

SIDE = 16  # sites along a side; of more, blocks are averaged
SMALL = 8  # sites along a side, on which minima are looked for first
PER_PITCH = (1, 2, 4, 0)  # oscillators along a pitch that are tried
LEAST = 8  # sites
OPERATOR = ("speed", "f0", "tau")


def fit(
    x: "DataArray", *, band: str | tuple[float, float] | None = None, avoid: tuple[tuple[float, float], ...] = (),
    per_pitch: int | None = None, progress: "Callable[[str], None] | None" = None,
) -> Fit:  # fmt: skip
    """Fit a damped wave operator, driven by noise, to a recording, and weigh it against operators without waves.

    The likelihood is exact in space (all sites at once, no leakage at the array's edges) and Whittle's in time; see
    `drumhead.neuro.whittle`, and `drumhead.neuro.operators` for what is weighed and what else is fitted.

    Args:
        x: a field on a grid, at least 15 s of it, as wideband as it was recorded: **never filtered to a band**, whose
            edges would be taken for the medium's. Sites that are NaN are missing. Grids of more than 16 a side are
            averaged in blocks.
        band: the frequencies to use, "1-40 Hz" or in Hz; by default from three periods a recording (or fs / 500) to
            0.4 fs.
        avoid: ranges in Hz to leave out, as ((49, 51),).
        per_pitch: oscillators along one pitch of the sites, 0 for a continuum; by default what fits best of 1, 2, 4
            and 0.
        progress: called with a word for each stage.

    Returns:
        Estimates with profile-likelihood intervals, widened where the model misses; AIC of all operators.

    Raises:
        DrumheadError: sites that are no grid, fewer than 8, a field that is constant, a band without frequencies.

    Source:
        P. Whittle, Arkiv foer Matematik 2, 1953; H. Akaike, IEEE Trans. Autom. Control 19, 1974; the damped wave
        equation of neural fields: P. L. Nunez, Mathematical Biosciences 21, 1974.

    Example:
        >>> array = dh.waves.synth.Array((6, 6), pitch="0.4 mm", fs="200 Hz", duration="16 s")
        >>> x = dh.waves.synth.medium(array, speed=0.05, f0=8, tau=0.1, seed=0)
        >>> found = dh.neuro.fit(x, per_pitch=1)
        >>> found.identifiable, round(found.speed.value, 3), found.best
        (True, 0.05, 'wave')
    """
    from drumhead.engine.threads import on_threads

    # Many small matrices gain nothing from more threads, and lose where processors are shared.
    with on_threads(1):
        return _fit(x, band, avoid, per_pitch, progress or (lambda word: None))


def _fit(
    x: "DataArray", band: str | tuple[float, float] | None, avoid: tuple[tuple[float, float], ...],
    per_pitch: int | None, tell: "Callable[[str], None]",
) -> Fit:  # fmt: skip
    """Return what `fit` does."""
    from drumhead.neuro.operators import BLURS, OPERATORS, Likelihood
    from drumhead.neuro.whittle import Whittle

    x = as_field(x, "fit")
    values, pitch, fs, limits = _read(x, band)
    if per_pitch is not None:
        choose("per_pitch", str(per_pitch), map(str, PER_PITCH))
    every, middle = (Whittle(part, fs, *limits, avoid) for part in (values, _middle(values)))
    fitted: dict[str, tuple[Likelihood, Found]] = {}
    lattices = PER_PITCH if per_pitch is None else (per_pitch,)
    for kind in OPERATORS:
        tell(f"fitting the operator: {kind}")
        tried = {(n, BLURS[0]): _search(kind, BLURS[0], middle, n) for n in lattices}
        # What the wave says of the lattice holds for all: AIC compares operators, not lattices.
        lattices = (min(tried, key=lambda key: tried[key].value)[0],)
        tried |= {(n, blur): _search(kind, blur, middle, n) for n in lattices for blur in BLURS[1:]}
        (n, blur), near = min(tried.items(), key=lambda one: one[1].value)
        fitted[kind] = _finish(Likelihood(kind, blur, every, _lags(every, n)), near, middle.sites / every.sites)
    return _judged(fitted, lattices[0], pitch, unit_of_length(x), limits, x.sizes["time"] / fs, fs, tell)


def _read(
    x: "DataArray", band: str | tuple[float, float] | None
) -> tuple[np.ndarray, float, float, tuple[float, float]]:
    """Return values (time, y, x) of at most 16 x 16 sites, their pitch, the sampling rate and the band."""
    if "site" in x.dims:
        raise DrumheadError(
            "fit: these sites lie anywhere; a wave operator is fitted to a grid (time, y, x), NaN where none is"
        )
    fs, pitch, sides = rate(x), square_pitch(x, "fit"), x.shape[1:]
    seconds = x.sizes["time"] / fs
    low, high = (max(3 / seconds, fs / 500), 0.4 * fs) if band is None else band_edges("band", band)
    if not 3 / seconds <= low < high < fs / 2 or (high - low) * seconds < 20:
        raise DrumheadError(
            f"fit: band={low:.3g} to {high:.3g} Hz; {seconds:.3g} s at {fs:g} Hz hold {3 / seconds:.3g} to {fs / 2:g} "
            f"Hz, and a band of less than {20 / seconds:.3g} Hz says nothing"
        )
    values = np.asarray(x.values, np.float64)
    side = -(-max(sides) // SIDE)
    if side > 1:
        values = _blocks(values, side)
    there = int(np.isfinite(values[0]).sum())
    if there < LEAST:
        raise DrumheadError(f"fit: {there} sites have numbers; at least {LEAST} are needed")
    if not np.nanmax(np.ptp(values, axis=0)) > 0:
        raise DrumheadError("fit: the field is constant at every site, so it tells no medium; take another one")
    return values, pitch * side, fs, (low, high)


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    """Return means of blocks of sites; what does not fill a block is left out."""
    rows, columns = (n // side * side for n in values.shape[1:])
    parts = values[:, :rows, :columns].reshape(len(values), rows // side, side, columns // side, side)
    count = np.isfinite(parts).sum((2, 4))
    return np.where(count > 0, np.nansum(parts, (2, 4)) / np.maximum(count, 1), np.nan)


def _middle(values: np.ndarray) -> np.ndarray:
    """Return the middle of a grid, for a first look, if enough of its sites are there."""
    cuts = [slice((n - min(n, SMALL)) // 2, (n + min(n, SMALL)) // 2) for n in values.shape[1:]]
    part = values[:, cuts[0], cuts[1]]
    return part if np.isfinite(part[0]).sum() >= LEAST else values


def _lags(recording: "Whittle", per_pitch: int) -> "Lags":
    from drumhead.neuro.lags import continuum_lags, lattice_lags

    return lattice_lags(recording.shape, per_pitch) if per_pitch else continuum_lags(recording.shape)


def _search(kind: str, blur: str, recording: "Whittle", per_pitch: int) -> "Found":
    """Return the lower minimum near the best two of many starts."""
    from drumhead.neuro.operators import Likelihood, starts
    from drumhead.neuro.search import minimise, value

    likelihood = Likelihood(kind, blur, recording, _lags(recording, per_pitch))
    best = sorted(starts(kind, recording.f[-1]), key=lambda one: value(likelihood, one))[:2]
    return min((minimise(likelihood, one, most=40) for one in best), key=lambda one: one.value)


def _finish(likelihood: "Likelihood", near: "Found", share: float) -> "tuple[Likelihood, Found]":
    """Return the minimum of all sites near that of a `share` of them."""
    from drumhead.neuro.search import alike, curvature, minimise, slope

    found = minimise(likelihood, near.at, near.scale * np.sqrt(share))
    return likelihood, minimise(likelihood, found.at, alike(curvature(slope(likelihood), found.at)), gain=1e-3)


def _judged(
    fitted: "dict[str, tuple[Likelihood, Found]]", per_pitch: int, pitch: float, length: str,
    limits: tuple[float, float], seconds: float, fs: float, tell: "Callable[[str], None]",
) -> Fit:  # fmt: skip
    """Return the fit with its intervals and objections."""
    from drumhead.neuro.search import LEVEL, interval

    likelihood, best = fitted["wave"]
    misfit = likelihood.misfit(best.at)
    # Where the model misses, the likelihood counts more evidence than there is.
    doubt = max(1.0, misfit)
    aic = {kind: 2 * (one.value / doubt + len(one.at)) for kind, (_, one) in fitted.items()}
    aic = {kind: value - min(aic.values()) for kind, value in aic.items()}
    estimates = {}
    for i, name in enumerate(OPERATOR):
        tell(f"how well the {name} is known")
        unit = pitch if name == "speed" else 1.0
        low, high = (float(np.exp(one)) * unit for one in interval(likelihood, best, i, LEVEL * doubt))
        estimates[name] = Estimate(float(np.exp(best.at[i])) * unit, low, high, low > 0 and high / low <= RESOLVED)
    speed, f0 = (estimates[name].value for name in OPERATOR[:2])
    top = np.hypot(f0, np.sqrt(8) * speed * per_pitch / pitch / (2 * np.pi)) if per_pitch else 0.0
    rest = {
        name: float(v if name == "colour" else np.exp(v)) for name, v in zip(likelihood.names, best.at, strict=True)
    }
    for name in OPERATOR:
        rest.pop(name)
    why = objections(aic, misfit, estimates, seconds, limits, fs, float(top))
    return Fit(
        **estimates,
        length=length,
        why=why,
        aic=aic,
        misfit=misfit,
        per_pitch=per_pitch,
        pitch=pitch,
        band=limits,
        nuisances=rest,
    )
