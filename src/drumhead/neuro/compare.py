"""A model and a recording, compared: the same array, the same code, and every distance between its floor and ceiling.

    1  observe    the model's field as the recording's array would have seen it
    2  physics    a vector of quantities for each window, and how far their distributions are apart
    3  operators  speed, natural frequency and decay of the medium, where a recording is long enough to tell
    4  dynamics   propagators site by site, and the spectra of dynamic modes

Each distance is set between that of the recording's halves (the ceiling: 1) and that of surrogates of the recording
(the null: 0). A recording that cannot be told from surrogates that do not travel gets no score against them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.neuro.ceiling import Distance, Together, distances
from drumhead.neuro.compare_media import Parameter, operators
from drumhead.neuro.dynamics import propagators, reversed_in_time, spectra
from drumhead.neuro.observe import Observation
from drumhead.neuro.vector import MEASURES, listed, vector
from drumhead.waves.fields import rate
from drumhead.waves.filters import bandpass
from drumhead.waves.nulls import surrogate
from drumhead.waves.units import Quantity, band_edges

if TYPE_CHECKING:
    from xarray import DataArray

BESIDE = ("zero_lag", "channel_shuffle")
PIECES = 8  # that one long recording is cut into


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        measures: one distance for each physical quantity.
        together: all of them in one.
        dynamics: by the name of the measure: value, ceiling and those of the controls.
        operators: parameters of the medium, one by one; empty where recordings are too short.
        notes: what to keep in mind.
        verdict: one sentence.
        settings: what was asked.
        windows: the vectors behind all this, by "model", "recording" and the names of the nulls: of each measure one
            number a window, and "trial".
    """

    measures: tuple[Distance, ...]
    together: Together
    dynamics: dict[str, dict[str, float]]
    operators: tuple[Parameter, ...]
    notes: tuple[str, ...]
    verdict: str
    settings: dict[str, Any] = field(default_factory=dict)
    windows: dict[str, dict[str, np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def score(self) -> float:
        """1: as like as another half of the recording; 0: as its surrogates; NaN where these are as like."""
        return self.together.score

    def report(self) -> dict[str, Any]:
        """Return everything as plain values, SI units in the names, for a file."""
        return {
            "verdict": self.verdict, "settings": self.settings,
            "together": {
                "times_ceiling": self.together.times, "times_ceiling_interval": [self.together.low, self.together.high],
                "times_ceiling_of_nulls": self.together.nulls, "score": self.together.score,
                "score_interval": [self.together.score_low, self.together.score_high], "scores": self.together.scores,
                "p_of_nulls": self.together.p,
            },
            "measures": {
                one.measure.name: {
                    "says": one.measure.says, "kind": one.measure.kind, "distance": one.value,
                    "distance_interval": [one.low, one.high], "ceiling": one.ceiling, "nulls": one.nulls,
                    "times_ceiling": one.times, "score": one.score,
                } for one in self.measures
            },
            "dynamics": self.dynamics, "operators": [one.report() for one in self.operators],
            "notes": list(self.notes),
        }  # fmt: skip


def compare(
    model: "DataArray | Sequence[DataArray]", recording: "DataArray | Sequence[DataArray]",
    band: str | tuple[float, float], *, observation: Observation | None = None, window: Quantity | None = None,
    nulls: tuple[str, ...] = BESIDE, dynamics: bool = True, fits: bool = True, splits: int = 40, seed: int = 0,
    notes: tuple[str, ...] = (),
) -> Comparison:  # fmt: skip
    """Compare a model's waves with recorded ones.

    Args:
        model: a field in cortical units (see `drumhead.neuro.Cortex`), or several: one for each image or trial.
        recording: a field, unfiltered, or several trials; one field is cut into 8 pieces, which then count as trials. A
            score needs six or more: of fewer, too few exchanges with surrogates are possible.
        band: what is compared, "5-40 Hz".
        observation: how the array sees the model; by default the recording's pitch, sites and sampling rate, without
            spread or noise. Give noise and spread if the recording has them: they change speeds and PGD.
        window: of the physical vector; see `vector`.
        nulls: surrogates of the recording; scores are taken with the first one. See `drumhead.waves.nulls`.
        dynamics: compare dynamics as well.
        fits: fit the medium's parameters where both are 15 s long or longer.
        splits: of the recording into halves.
        seed: of splits, surrogates and sensor noise.
        notes: what else to keep in mind, for the report.

    Raises:
        DrumheadError: arrays that do not fit, trials that are too short or too few.

    Example:
        >>> S, array = dh.waves.synth, dh.waves.synth.Array((6, 6), "0.4 mm", "250 Hz", "1.2 s")
        >>> def trials(speed, seed):
        ...     return [S.sensor_noise(S.plane(array, 20, speed, phase=i), 2.0, seed + i) for i in range(6)]
        >>> found = dh.neuro.compare(trials(0.12, 10), trials(0.1, 0), "10-40 Hz", fits=False, splits=12)
        >>> by_name = {one.measure.name: one for one in found.measures}
        >>> round(float(np.exp(by_name["speed"].value)), 1), by_name["frequency"].times < 3
        (1.2, True)
    """
    whole("splits", splits, 2)
    low, high = band_edges("band", band)
    there = ready(recording, band, window)
    observe = observation or Observation.of(there[0])
    here = whole_here = [observe(x, number + seed) for number, x in enumerate(listed(model))]
    if here[0].shape[1:] != there[0].shape[1:]:
        raise DrumheadError(
            f"the observation gives {here[0].shape[1:]} sites and the recording has {there[0].shape[1:]}; "
            "Observation.of(recording) fits"
        )
    here = _trials(here[0]) if len(here) == 1 else here
    fake = {null: [surrogate(x, null, seed + 1000 + i) for i, x in enumerate(there)] for null in nulls}
    vectors = {
        name: vector(part, (low, high), window) for name, part in {"model": here, "recording": there, **fake}.items()
    }
    plain = {name: {str(key): v.values for key, v in one.data_vars.items()} for name, one in vectors.items()}
    found, together = distances(
        plain["model"], plain["recording"], {null: plain[null] for null in nulls}, MEASURES, splits=splits, seed=seed
    )
    moving = _dynamics(here, there, fake, (low, high)) if dynamics else {}
    parameters, more = operators(whole_here, recording) if fits else ((), ())
    settings = {
        "band_hz": [low, high], "window_s": float(vectors["model"].attrs["window_s"]), "trials_of_model": len(here),
        "trials_of_recording": len(there), "windows_of_model": vectors["model"].sizes["window"],
        "windows_of_recording": vectors["recording"].sizes["window"], "sites": [int(n) for n in there[0].shape[1:]],
        "point_spread_m": observe.point_spread, "noise": observe.noise, "nulls": list(nulls), "splits": splits,
        "seed": seed,
    }  # fmt: skip
    said = _verdict(found, together, nulls)
    return Comparison(found, together, moving, parameters, (*notes, *more), said, settings, plain)


def ready(
    recording: "DataArray | Sequence[DataArray]", band: str | tuple[float, float], window: Quantity | None = None
) -> "list[DataArray]":
    """Return a recording's trials, or say why it cannot be compared with anything.

    Args:
        recording: as of `compare`.
        band: what is compared.
        window: of the physical vector.

    Raises:
        DrumheadError: a line of sites, or trials that are shorter than a window.
    """
    there = _trials(recording)
    rows, columns = there[0].shape[1:]
    if min(rows, columns) < 2:
        raise DrumheadError(
            f"compare: the recording is a line of {rows * columns} sites; rings and singularities, which are compared "
            "as well, need two rows and two columns or more. `drumhead waves` reads a line"
        )
    shortest = min(there, key=lambda x: x.sizes["time"])
    try:
        vector(shortest, band, window)  # refuses a trial without a window
    except DrumheadError as error:
        if len(listed(recording)) > 1:
            raise
        seconds = shortest.sizes["time"] / rate(shortest)
        raise DrumheadError(f"{error} (the recording is cut into {PIECES} pieces of {seconds:.3g} s)") from None
    return there


def _trials(recording: "DataArray | Sequence[DataArray]") -> "list[DataArray]":
    """Return trials, one long one cut into pieces."""
    trials = listed(recording)
    if len(trials) > 1:
        return trials
    size = trials[0].sizes["time"] // PIECES
    return [trials[0].isel(time=slice(i * size, (i + 1) * size)) for i in range(PIECES)]


def _dynamics(
    here: "list[DataArray]", there: "list[DataArray]", fake: "dict[str, list[DataArray]]", band: tuple[float, float]
) -> dict[str, dict[str, float]]:
    """Return distances of dynamics: of the model, of the recording's halves, of nulls and of time played backward."""
    middle = math.sqrt(band[0] * band[1])
    kept = {"model": here, "recording": there, **fake}
    kept = {name: [bandpass(x, band) for x in part] for name, part in kept.items()}
    one, other = kept["recording"][::2], kept["recording"][1::2]
    others = {"value": kept["model"], "ceiling": one, "reversed": reversed_in_time(one)}
    others |= {name: kept[name][::2] for name in fake}
    out = {"propagators": {name: propagators(part, other, 0.25 / middle) for name, part in others.items()}}
    try:
        span = min(2 / middle, 0.2 * min(x.sizes["time"] / rate(x) for x in (*here, *there)))
        out["spectra_per_s"] = {name: spectra(part, other, window=span) for name, part in others.items()}
    except DrumheadError:  # without PyDMD, or of trials that are too short for it
        pass
    return out


def _verdict(found: tuple[Distance, ...], together: Together, nulls: tuple[str, ...]) -> str:
    """Return one sentence."""
    known = sorted((one for one in found if np.isfinite(one.times)), key=lambda one: one.times)
    near, far = known[0], known[-1]
    where = f"farthest in {far.measure.name} ({far.times:.3g}), nearest in {near.measure.name} ({near.times:.3g})"
    if nulls and not np.isfinite(together.score):
        others = [f"against {null} it is {score:.2f}" for null, score in together.scores.items() if np.isfinite(score)]
        return (
            f"No score: this recording cannot be told from its surrogates ({nulls[0]}, p {together.p[nulls[0]]:.2g}), "
            f"so what they lack is not seen in it{', but ' if others else ''}{' and '.join(others)}; the model is "
            f"{together.times:.3g} times as far as the recording's halves, {where}."
        )
    score = f"{together.score:.2f} ({together.score_low:.2f} to {together.score_high:.2f})" if nulls else "none"
    return (
        f"The model is {together.times:.3g} times as far from the recording as the recording's halves are from each "
        f"other, {where}; score {score}, where 1 is another half of the recording and 0 its surrogates."
    )
