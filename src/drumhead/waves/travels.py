"""Whether it travels: one p-value that is fair to noise which is smooth in space and to waves which stand.

The analytic signal a of a band carries, along the edge from site i to its neighbour j, the flow

    m_ij = -Im <conj(a_i) a_j>,        positive where the phase falls from i to j: the wave goes there

Four statistics are made of it, each over the largest value it could have, sum <|a_i| |a_j|>:

    direction     |sum m e|                          flow that goes one way all the time (e: unit vector of the edge)
    persistence   the same within windows, averaged  flow whose direction holds for a while, then is another
    source        largest |sum m (e . r)| over places    flow away from, or toward, one place (r: unit vector from it)
    rotation      largest |sum m (e . t)| over places    flow around one place (t: r turned by 90 degrees, x toward y)

Their sizes under the null are those of surrogates. The recording and its surrogates are ranked by the largest of the
four in standard deviations from the mean of all, so that looking at four costs what it should.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import HERE, good, places, rate
from drumhead.waves.filters import as_field, unsloped
from drumhead.waves.neighbours import Edges, edges
from drumhead.waves.nulls import draws
from drumhead.waves.units import band_edges

if TYPE_CHECKING:
    from xarray import DataArray

KINDS = ("direction", "persistence", "source", "rotation")
CYCLES = 2.0  # of the band's middle in a window of `persistence`
FEW = 8  # independent frequencies in the band, below which a test says nothing


@dataclass(frozen=True)
class Travels:
    """What a test found.

    Attributes:
        p: of the whole question; at least `resolution`.
        resolution: 1 / (surrogates + 1).
        statistic: of each kind, from 0 to 1.
        p_of: of each kind, alone.
        kind: the one that is most above the mean of surrogates.
        null: which one.
        direction: of the mean flow, in rad from x toward y.
        source: the place (y, x) that the flow leaves or enters most, in the field's unit of length.
        outward: whether it leaves it.
        core: the place (y, x) that the flow goes around most.
        charge: 1 if it turns from x toward y, -1 if from y toward x, as in `charges`.
        null_95: of each kind, the 95th percentile of surrogates.
    """

    p: float
    resolution: float
    statistic: dict[str, float]
    p_of: dict[str, float]
    kind: str
    null: str
    direction: float
    source: tuple[float, float]
    outward: bool
    core: tuple[float, float]
    charge: int
    null_95: dict[str, float]


def travels(
    x: "DataArray", band: str | tuple[float, float], null: str = "zero_lag", n: int = 199, seed: int = 0
) -> Travels:
    """Test whether a band of a field travels, against surrogates that cannot.

    Args:
        x: a field, not filtered: a filter's edges would look alike everywhere.
        band: "10-30 Hz", or two frequencies in Hz.
        null: see `dh.waves.nulls`; "zero_lag" answers "does it travel?".
        n: surrogates; p is at least 1 / (n + 1).
        seed: of the surrogates.

    Raises:
        DrumheadError: no field, a band beyond half the sampling rate, a recording too short for it or constant.

    Source:
        Westfall and Young, Resampling-Based Multiple Testing (1993), for the largest of several statistics.

    Example:
        >>> array = dh.waves.synth.Array((8, 8), fs="500 Hz", duration="2 s")
        >>> x = dh.waves.synth.sensor_noise(dh.waves.synth.plane(array, 20, 0.1), snr=1, seed=0)
        >>> dh.waves.travels(x, "10-30 Hz", n=99).p
        0.01
    """
    whole("n", n, 19)
    x = as_field(x, "travels")
    net, where = edges(x), places(x)[good(x).ravel()]
    spectrum, chosen = in_band(x, band)
    sources, window = _sources(where), max(1, round(CYCLES * len(spectrum) / _cycles(x, band)))
    about = _about(net, sources)
    found, flow = _statistics(spectrum, net, about, window)
    others = draws(spectrum, null, seed, chosen)
    null_of = np.array([_statistics(next(others), net, about, window)[0] for _ in range(n)])
    together = np.vstack([found, null_of])
    # All rows count in mean and deviation: the recording is one among its surrogates if the null is true.
    scores = (together - together.mean(0)) / np.maximum(together.std(0), np.finfo(float).tiny)
    p = float((scores.max(1) >= scores[0].max()).mean())
    away, around = about @ flow
    source, core = (int(np.abs(most).argmax()) for most in (away, around))
    heading = (flow[:, None] * _unit(net.step)).sum(0)
    return Travels(
        p=p,
        resolution=1 / (n + 1),
        statistic=_named(found),
        p_of=_named((together >= found).mean(0)),
        kind=KINDS[int((found - null_of.mean(0)).argmax())],
        null=null,
        direction=float(np.arctan2(heading[0], heading[1])),
        source=(float(sources[source, 0]), float(sources[source, 1])),
        outward=bool(away[source] > 0),
        core=(float(sources[core, 0]), float(sources[core, 1])),
        charge=1 if around[core] > 0 else -1,
        null_95=_named(np.percentile(null_of, 95, axis=0)),
    )


def _named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(KINDS, values.tolist(), strict=True))


def in_band(x: "DataArray", band: str | tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients (f, n) of the good sites within a band, and their frequencies in cycles a sample."""
    (low, high), fs = band_edges("band", band), rate(x)
    if high >= fs / 2:
        raise DrumheadError(f"band={low:g}-{high:g} Hz: it reaches beyond half the sampling rate, {fs / 2:g} Hz")
    values = x.values[:, good(x)]
    f = np.fft.rfftfreq(len(values), 1 / fs)
    inside = (f >= low) & (f <= high)
    if inside.sum() < FEW:
        raise DrumheadError(
            f"band={low:g}-{high:g} Hz: {len(values) / fs:g} s hold {int(inside.sum())} independent frequencies of it; "
            f"at least {FEW} are needed, so a recording of {FEW / (high - low):.2g} s or a wider band"
        )
    flat = unsloped(values)
    loudest = np.abs(flat).max()
    if not loudest > 10 * np.finfo(flat.dtype).eps * np.ptp(values, axis=0).max():  # but for rounding
        raise DrumheadError("no channel changes over time, so nothing can travel")
    return np.fft.rfft(flat / loudest, axis=0)[inside], (f / fs)[inside]


def _cycles(x: "DataArray", band: str | tuple[float, float]) -> float:
    """Return how many periods of the band's middle the field is long."""
    return float(np.sqrt(np.prod(band_edges("band", band)))) * x.sizes["time"] / rate(x)


def _statistics(spectrum: np.ndarray, net: Edges, about: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the four statistics, and the mean flow along each edge (m,)."""
    a = np.fft.ifft(spectrum, axis=0)  # a sample for each frequency: all that the band holds
    first, second = a[:, net.first], a[:, net.second]
    flow = first.imag * second.real - first.real * second.imag
    size = np.abs(a)
    most = (size[:, net.first] * size[:, net.second]).sum()
    unit, mean = _unit(net.step), flow.mean(0)
    share = len(a) / most
    windows = len(a) // window
    vectors = (flow[: windows * window] @ unit).reshape(windows, window, 2).sum(1)
    held = np.hypot(*vectors.T).sum() / most
    return np.array([np.hypot(*(mean @ unit)) * share, held, *(np.abs(about @ mean).max(1) * share)]), mean


def _about(net: Edges, sources: np.ndarray) -> np.ndarray:
    """Return what makes flow away from each source, and flow around it, of flow along edges (2, s, m)."""
    away = net.middle[None] - sources[:, None]
    far = np.linalg.norm(away, axis=-1, keepdims=True)
    apart = far > HERE * far.max()
    away = np.where(apart, away / np.where(apart, far, 1), 0)
    around = np.stack([away[..., 1], -away[..., 0]], -1)
    return np.einsum("ksmi,mi->ksm", np.stack([away, around]), _unit(net.step))


def _sources(where: np.ndarray, across: int = 7) -> np.ndarray:
    """Return places to look for a source or a core (s, 2): a grid over the sites."""
    low, high = where.min(0), where.max(0)
    lines = [np.linspace(low[i], high[i], across if high[i] > low[i] else 1) for i in range(2)]
    return np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 2)


def _unit(step: np.ndarray) -> np.ndarray:
    return step / np.linalg.norm(step, axis=-1, keepdims=True)
