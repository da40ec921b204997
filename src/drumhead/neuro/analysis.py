"""All instruments on one recording: whether it travels, which way and how fast, and what medium it runs in."""

from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.neuro.findings import verdict
from drumhead.neuro.numbers import numbers
from drumhead.neuro.patterns import Look, look, thinned, together, why_no_rings
from drumhead.neuro.seen import Seen
from drumhead.neuro.suspects import mains, of_mains, suspects
from drumhead.neuro.verdict import LONG
from drumhead.show.terminal import Progress
from drumhead.waves.complex_modes import complex_pca
from drumhead.waves.directions import ridge
from drumhead.waves.fields import good, rate
from drumhead.waves.filters import as_field, filter_of
from drumhead.waves.nulls import surrogate
from drumhead.waves.phase import phase
from drumhead.waves.travels import travels
from drumhead.waves.units import band_edges
from drumhead.waves.wavenumbers import azimuthal, kf

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

TESTED = ("zero_lag", "channel_shuffle", "independent_phase")
"""Nulls that take away what travels; the others keep the lags between sites and answer other questions."""

MODES = 3
PERIODS = 16  # of the band's lower edge in a segment of the k-f spectrum
WIDER = 2.0  # times the band's upper edge, up to which the k-f plane reaches
FINE = 4  # grid of wave numbers, times as fine as 2 pi over the aperture
ENOUGH = 2000  # frames of surrogates, for a 95th percentile that is steady
MOST = 8  # surrogates looked at
FEWEST = 3  # sites that change, for a gradient
HUM = 1.0  # Hz to both sides of a line of the mains, that the fit does without


class Analysis(Seen):
    """What was found in a recording, or in the states of a network; its numbers and datasets are those of `Seen`."""

    @property
    def found(self) -> str:
        """What was found, in a sentence or two."""
        return verdict(self)

    def report(self) -> dict[str, Any]:
        """Return all numbers as plain values for JSON, units in the names."""
        return numbers(self)


def analyse(
    x: "DataArray", band: str | tuple[float, float], null: str = "zero_lag", n: int = 199, seed: int = 0, *,
    fit: bool = True, progress: Progress | None = None,
) -> Analysis:  # fmt: skip
    """Return what all instruments say of one recording, each beside what surrogates give.

        travels (p) -> phases -> planar, radial, singularities, of the recording and of zero-lag surrogates
        -> complex modes -> k-f spectrum and its ridge -> the medium (c, f0, tau)

    Args:
        x: a field, not filtered; bad sites are NaN.
        band: where waves are looked for, "10-30 Hz" or in Hz.
        null: of the test: zero_lag, channel_shuffle or independent_phase. Frames are always set beside zero_lag.
        n: surrogates of the test; p is at least 1 / (n + 1).
        seed: of all surrogates; the same seed gives the same numbers.
        fit: fit c, f0 and tau to what lies on a grid and lasts 15 s or longer.
        progress: shows the stages.

    Returns:
        An `Analysis`: `found` says it in words, `report()` in numbers.

    Raises:
        DrumheadError: no field, sites that differ in nothing but loudness, a band that does not fit, a null that keeps
            what travels.

    Example:
        >>> array = dh.waves.synth.Array((6, 6), fs="250 Hz", duration="2 s")
        >>> x = dh.waves.synth.sensor_noise(dh.waves.synth.plane(array, 20, speed=0.1), snr=2, seed=0)
        >>> found = dh.neuro.analyse(x, "10-30 Hz", n=19)
        >>> found.travels.p, round(found.report()["planar"]["speed_m_s"], 2)
        (0.05, 0.1)
    """
    if null not in TESTED:
        raise DrumheadError(
            f"null={null!r}: {', '.join(TESTED)} take away what travels; others keep the lags between sites, so they "
            "answer another question"
        )
    whole("n", n, 19)
    x = as_field(x, "analyse")
    low, high = band_edges("band", band)
    filter_of(x, (low, high))  # refuses a band that does not fit before anything takes time
    _differ(x)
    left_out = {"operator": why} if (why := _why_no_fit(x, fit)) else {}
    lines = mains(x)
    show, operator, beware = progress or Progress(), None, [*suspects(x, (low, high)), *of_mains(lines, (low, high))]
    with show.section(5 - bool(why), name="waves"):
        show.tick("test against surrogates", 0)
        test = travels(x, (low, high), null, n, seed)
        show.tick("find phases and patterns", 1)
        phases = phase(x, (low, high))
        seen = look(phases, high)
        show.tick("look at surrogates", 2)
        chance = _chance(x, (low, high), seen[0].sizes["time"], seed)
        show.tick("decompose", 3)
        modes = complex_pca(_signal(phases, high), min(MODES, int(good(x).sum())))
        spectrum, top = plane_of([x], high, low)
        if not why:
            show.tick("fit the medium", 4)
            try:
                operator = _fit(x, tuple((f - HUM, f + HUM) for f, _ in lines))
                if lines:
                    beware.append(_left_for(lines))
            except DrumheadError as error:  # the fit's own reasons
                left_out["operator"] = str(error)
        show.tick("")
    if seen[1] is None:
        left_out["radial"] = why_no_rings(phases["phase"])
        if "line" in left_out["radial"]:
            beware.append(
                "The sites lie on one line, so direction, speed and wavelength are along it: a wave that meets the "
                "line at an angle is slower and shorter than told."
            )
    if seen[2] is None:
        left_out["singularities"] = "a phase turns around squares of sites, and these sites have none"
    if spectrum is None:
        left_out["kf"] = "wave numbers are read from a grid, and these sites lie anywhere"
    return Analysis(
        x, (low, high), together([seen], chance, 2 / (low + high)), phases, modes, test, spectrum, top, operator,
        None if operator is None else operator.curve, left_out, tuple(beware), seed=seed,
        surrogates=n,
    )  # fmt: skip


def plane_of(
    trials: "list[DataArray]", high: float, low: float | None = None
) -> "tuple[DataArray | None, Dataset | None]":
    """Return power over frequency and |k|, the mean of some trials, and its ridge; None for sites anywhere.

    Args:
        trials: fields of one shape.
        high: upper edge of the band in Hz; twice as much is looked at.
        low: lower edge; without one a trial is one segment.
    """
    if "site" in trials[0].dims:
        return None, None
    fs, seconds = rate(trials[0]), trials[0].sizes["time"] / rate(trials[0])
    segment = seconds if low is None else min(PERIODS / low, seconds / 2)
    reach = (0.5 / segment, min(WIDER * high, fs / 2))
    total = kf(trials[0], segment=segment, band=reach, pad=FINE)
    for x in trials[1:]:
        total = total + kf(x, segment=segment, band=reach, pad=FINE).values
    found = azimuthal(total / len(trials))
    return found, ridge(found)


def _chance(x: "DataArray", band: tuple[float, float], frames: int, seed: int) -> list[Look]:
    """Return what is seen in surrogates, in as many as give enough frames."""
    count = int(np.clip(np.ceil(ENOUGH / frames), 1, MOST))
    drawn = (surrogate(x, "zero_lag", seed=seed + 1 + i) for i in range(count))
    return [look(phase(one, band), band[1], count) for one in drawn]


def _signal(phases: "Dataset", high: float) -> "DataArray":
    """Return the analytic signal again, in fewer frames."""
    some = thinned(phases, high)
    return some["amplitude"] * np.exp(1j * some["phase"])


def _differ(x: "DataArray") -> None:
    """Refuse sites that are still, or all the same: phases without gradients have no direction or PGD."""
    values = x.values[:, good(x)]
    sites = values.shape[1]
    moving = int((np.ptp(values, axis=0) > 0).sum())
    if sites >= FEWEST > moving:
        raise DrumheadError(
            f"{moving or 'none'} of {sites} sites changes at all, and at least {FEWEST} have to; is it the right array "
            "of its file?"
        )
    if sites >= FEWEST and (values == values[:, :1]).all():
        raise DrumheadError(
            f"all {sites} sites have the same numbers at all times: there is nothing between them to look at; was one "
            "channel read for all?"
        )


def _why_no_fit(x: "DataArray", fit: bool) -> str:
    """Return why no medium is fitted; "" if one is."""
    seconds = x.sizes["time"] / rate(x)
    if not fit:
        return "it was not asked for"
    if "site" in x.dims:
        return "a medium is fitted to sites on a grid, and these lie anywhere"
    if seconds < LONG:
        return f"{seconds:.3g} s are too short: natural frequency and damping stay open in less than {LONG:g} s"
    return ""


def _fit(x: "DataArray", avoid: tuple[tuple[float, float], ...]) -> Any:
    from drumhead.neuro.fit import fit

    return fit(x, avoid=avoid)


def _left_for(lines: tuple[tuple[float, float], ...]) -> str:
    which = ", ".join(f"{f:g}" for f, _ in lines)
    return f"The mains stand out at {which} Hz; the medium was fitted without {HUM:g} Hz to both sides of them."
