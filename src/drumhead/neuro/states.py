"""The hidden states of a network as trials: what its waves look like to the instruments made for cortex.

They are few and a transient: an image strikes the sheets and they ring down. So phases are those of the states as they
are, neither filtered nor mended; no test is told, since surrogates are stationary; and nothing is fitted, since the
weights say what the medium is.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro.analysis import Analysis, plane_of
from drumhead.neuro.around import joined_edges
from drumhead.neuro.patterns import Look, together
from drumhead.neuro.portrait import Portrait, pooled
from drumhead.show.terminal import Progress
from drumhead.waves.fields import field
from drumhead.waves.nulls import surrogate
from drumhead.waves.phase import phase
from drumhead.waves.planar import planar
from drumhead.waves.singularities import singularities

if TYPE_CHECKING:
    from xarray import DataArray

SHEETS = 16  # looked at, spread over channels and images
FEWEST = 8  # states, below which there is no wave to see
INNER = (0.05, 0.95)  # share of the power that lies below the edges of the band that is told
STILL = 1e-6  # of the liveliest sheet's variance, below which one does not move


def of_states(states: np.ndarray, layer: Portrait, seed: int = 0, progress: Progress | None = None) -> Analysis:
    """Return what the instruments say of a layer's states, sheet by sheet.

        phases of x - mean over time -> local speeds, pgd, singularities, beside zero-lag surrogates; k-f spectrum

    Args:
        states: (n, t, c, y, x), one a step.
        layer: the layer in cortex, whose calibration gives s and m.
        seed: of the surrogates.
        progress: shows the sheets.

    Returns:
        An `Analysis` without test and fit; its curve is f = sqrt(f0^2 + (c k / 2 pi)^2) of the median sheet.

    Raises:
        DrumheadError: fewer than eight states, sheets in which nothing moves, or too small ones.
    """
    material, cortex = layer.material, layer.cortex
    if states.shape[1] < FEWEST or min(states.shape[-2:]) < 4:
        raise DrumheadError(
            f"{states.shape[1]} states of {states.shape[-2]} x {states.shape[-1]} oscillators: the report on states "
            f"needs at least {FEWEST} states of 4 x 4; leave out --out, or take another layer or larger images"
        )
    trials = _sheets(states, cortex.seconds(material.dt), cortex.pitch)
    band = _band(trials)
    show, looks, null = progress or Progress(), [], []
    with show.section(len(trials), name="sheets"):
        for i, x in enumerate(trials):
            show.tick("look at states", i)
            looks.append(_look(x))
            null.append(_look(surrogate(x, "zero_lag", seed=seed + i)))
        show.tick("", len(trials))
    spectrum, top = plane_of(trials, band[1])
    liveliest = max(trials, key=lambda x: float(x.var()))
    f0, c = (pooled([layer], name)["median"] for name in ("frequency", "speed"))
    return Analysis(
        liveliest, band, together(looks, null, 2 / sum(band)), phase(liveliest, method="hilbert", edges=0),
        spectrum=spectrum, ridge=top,
        curve=lambda k: np.hypot(np.nan_to_num(f0), c * np.asarray(k) / (2 * np.pi)), trials=len(trials), seed=seed,
        left_out=_left_out(states.shape[1]), warnings=edge_warnings(layer),
    )  # fmt: skip


def comes_around(layer: Portrait) -> bool:
    """Say whether long waves meet themselves: edges are joined and the waves run longer than side / c."""
    way = pooled([layer], "way")["median"]
    return layer.material.boundary == "periodic" and way > layer.cortex.metres(min(layer.material.size))


def edge_warnings(layer: Portrait) -> tuple[str, ...]:
    """Return what is to be said of a sheet whose edges are joined, which no cortex is."""
    one, cortex = layer.material, layer.cortex
    speed, tau = (pooled([layer], name)["median"] for name in ("speed", "tau"))
    return joined_edges(one.boundary, cortex.metres(min(one.size)), speed, cortex.seconds(one.steps * one.dt), tau)


def _look(x: "DataArray") -> Look:
    """Return patterns of a sheet, its speed from place to place: states have no noise, and their waves are short."""
    phases = phase(x, method="hilbert", edges=0)
    return planar(phases, "local"), None, singularities(phases)


def _sheets(states: np.ndarray, step: float, pitch: float) -> "list[DataArray]":
    """Return sheets that move as fields, without their means over time: phases are about zero."""
    moving = states - states.mean(1, keepdims=True)
    liveliness = moving.var((1, 3, 4))  # (n, c)
    images, channels = np.nonzero(liveliness > STILL * liveliness.max())
    if not len(images):
        raise DrumheadError("nothing moves in these states, so there are no waves to look at")
    chosen = np.unique(np.linspace(0, len(images) - 1, SHEETS).round().astype(int))
    return [field(moving[images[i], :, channels[i]].astype(np.float64), 1 / step, pitch) for i in chosen]


def _band(trials: "list[DataArray]") -> tuple[float, float]:
    """Return between which frequencies nine tenths of the power lie."""
    power: Any = sum((np.abs(np.fft.rfft(x.values, axis=0)) ** 2).sum((1, 2)) for x in trials)
    times = trials[0]["time"].values
    f = np.fft.rfftfreq(len(times), times[1] - times[0])
    below = np.cumsum(power[1:]) / power[1:].sum()
    low, high = (float(f[1:][np.searchsorted(below, share)]) for share in INNER)
    return (low, high) if high > low else (low / 2, high * 1.5)


def _left_out(steps: int) -> dict[str, str]:
    why = f"what an image sets off, {steps} states, is a transient"
    return {
        "travels": f"{why}, and surrogates are stationary: a p-value would not be fair",
        "radial": "waves start at every edge in the image, so no one source describes a whole sheet",
        "modes": f"{why}: it holds too few periods for complex modes",
        "operator": f"{why}, and the weights say what the medium is: see the table of the layer",
    }
