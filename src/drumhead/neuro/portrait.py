"""What one layer of a trained network would be in cortex: every oscillator's frequency, decay and waves, in SI units.

The medium is that of long, weak waves (`effective`): omega_eff = omega - m0 with the speed tensor C of each sheet. With

    omega_eff > alpha^2 / 4         the sheet rings there, at sqrt(omega_eff) / (2 pi T0)
    0 <= omega_eff <= alpha^2 / 4   it creeps back: overdamped
    omega_eff < 0                   it leaves its rest until tanh stops it: no frequency

A wave of frequency f is evanescent where omega_eff > (2 pi f T0)^2. What tanh lets through, N, slows waves of the
strength that was seen by sqrt(N). The mean frequency is that of the waves the network made, long and short.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro.cortex import Cortex
from drumhead.neuro.effective import Effective, effective
from drumhead.neuro.measured import BANDS_HZ
from drumhead.physics.material import Material

LOPSIDED = 0.05  # of a kernel, above which it is called not reciprocal


def medium_of(material: Material) -> Effective:
    """Return the medium that long waves feel of a layer, a dense kernel's bands at the median omega of its channels."""
    return effective(material.kernel, np.median(material.omega, 1))


def typical(materials: Iterable[Material]) -> tuple[float, float]:
    """Return kappa of the median sheet of some layers and omega_eff of the median oscillator that rings (or nan).

    What a calibration is anchored to.

    Args:
        materials: of some layers, from `networks.inside.material`.

    Raises:
        DrumheadError: no sheet carries waves.
    """
    media = [(one, medium_of(one)) for one in materials]
    kappa = np.concatenate([medium.kappa for _, medium in media])
    kappa = kappa[kappa > 0]
    if not kappa.size:
        raise DrumheadError("no sheet of this network carries waves: none of its kernels has a speed")
    omega = np.concatenate([medium.omega(one.omega).ravel() for one, medium in media])
    alpha = np.concatenate([medium.alpha(one.alpha).ravel() for one, medium in media])
    rings = omega > alpha**2 / 4
    return float(np.median(kappa)), float(np.median(omega[rings])) if rings.any() else float("nan")


@dataclass(frozen=True)
class Portrait:
    """A layer in cortex.

    Args:
        material: the layer, as `drumhead.networks.inside.material` finds it.
        cortex: the calibration; its pitch is that of this layer's oscillators.

    Example:
        >>> from drumhead.networks.inside import material
        >>> images = dh.to_images(dh.tasks.get("tetrominoes").arrays("test")[0][:4])
        >>> cortex = dh.neuro.Cortex("0.4 mm", speed="0.3 m/s")
        >>> layer = Portrait(material(dh.load("tetrominoes-fast"), [images]), cortex)
        >>> layer.shares["ring"] > 0.8, layer.shares["evanescent at 20 Hz"] > 0.9
        (True, True)
        >>> median = spread(layer.quantities["frequency"])["median"]
        >>> 120 < median < 180  # in Hz
        True
    """

    material: Material
    cortex: Cortex

    @cached_property
    def medium(self) -> Effective:
        """What long, weak waves feel, one a sheet: a channel, or a band of channels that mix."""
        return medium_of(self.material)

    @cached_property
    def omega(self) -> np.ndarray:
        """omega_eff of each sheet and place, (b, n)."""
        return self.medium.omega(self.material.omega)

    @cached_property
    def alpha(self) -> np.ndarray:
        """Damping of each sheet and place, (b, n)."""
        return self.medium.alpha(self.material.alpha)

    @cached_property
    def rings(self) -> np.ndarray:
        """Where long waves ring, (b, n)."""
        return self.omega > self.alpha**2 / 4

    @cached_property
    def quantities(self) -> dict[str, np.ndarray]:
        """In SI units, one a sheet (b,) or one a sheet and place (b, n); nan where there is none."""
        cortex, medium, one = self.cortex, self.medium, self.material
        kappa = np.where(medium.kappa > 0, medium.kappa, np.nan)[:, None]
        omega = np.where(self.rings, self.omega, np.nan)
        share = medium.weights @ one.gain
        pace = medium.weights @ one.pace
        with np.errstate(divide="ignore", invalid="ignore"):
            driven: Any = np.sqrt((np.square(pace)[:, None] - self.omega + 1j * self.alpha * pace[:, None]) / kappa)
            phases = np.where(np.square(pace)[:, None] > self.omega, pace[:, None] / driven.real, np.nan)
            return {
                "frequency": np.asarray(cortex.frequency(omega)),
                "alone": np.asarray(cortex.frequency(one.omega)),
                "tau": np.asarray(cortex.tau(self.alpha)),
                "quality": np.sqrt(omega) / self.alpha,
                "speed": np.asarray(cortex.speed(kappa[:, 0])),
                "slow": self.medium.speeds[:, 0] * cortex.pitch / cortex.t0,
                "fast": self.medium.speeds[:, 1] * cortex.pitch / cortex.t0,
                "anisotropy": self.medium.anisotropy,
                "wavelength": np.asarray(cortex.wavelength(omega, kappa)),
                "force": medium.weights @ one.force,
                "gain": share,
                "strong": np.asarray(cortex.speed(kappa * share)),
                "mean": np.asarray(cortex.hertz(pace)),
                "phases": np.asarray(cortex.speed(1.0) * phases),
                "way": np.asarray(cortex.metres(np.sqrt(kappa[:, 0]) * one.steps * one.dt)),
            }

    @cached_property
    def shares(self) -> dict[str, float]:
        """Shares of oscillators, 0 to 1: what they do left alone with long waves, and which waves cannot pass."""
        grows = self.omega < 0
        found = {"ring": self.rings.mean(), "overdamped": (~self.rings & ~grows).mean(), "leave rest": grows.mean()}
        for hertz in BANDS_HZ.values():
            found[f"evanescent at {hertz:g} Hz"] = (self.omega > self.cortex.omega(hertz)).mean()
        pace = (self.medium.weights @ self.material.pace)[:, None]
        found["evanescent at the mean frequency"] = (self.omega > pace**2).mean()
        found["one way outgrows damping"] = (np.nan_to_num(self.medium.growth)[:, None] > self.alpha).mean()
        found["sheets not reciprocal"] = (self.medium.lopsided > LOPSIDED).mean()
        return {name: float(share) for name, share in found.items()}

    def report(self) -> dict[str, Any]:
        """Return all numbers as plain values, SI units in the names, for a file."""
        one, cortex = self.material, self.cortex
        local = {name: values for name, values in self.quantities.items() if values.ndim > 1}
        sheets = {
            "axis_deg": np.degrees(self.medium.axis), "lopsided": self.medium.lopsided,
            "pull_per_time2": self.medium.pull, "drift_cells_per_time2": self.medium.drift,
            "tensor_cells2_per_time2": self.medium.tensor, "one_way_growth_per_time": self.medium.growth,
        }  # fmt: skip
        return {
            "layer": one.layer, "sheets": len(self.omega), "oscillators": list(one.size), "stride_px": one.stride,
            "pitch_m": cortex.pitch, "unit_of_time_s": cortex.t0, "boundary": one.boundary,
            "steps": one.steps, "dt": one.dt, "integrator": one.integrator or "closed form",
            "step_s": cortex.seconds(one.dt), "all_steps_s": cortex.seconds(one.dt * one.steps),
            "side_m": [cortex.metres(side) for side in one.size], "courant": one.courant,
            "of_all": {name: spread(values) for name, values in self.quantities.items()},
            "shares": self.shares,
            "of_each_sheet": {
                **{name: [spread(sheet) for sheet in values] for name, values in local.items()},
                **{name: values.tolist() for name, values in self.quantities.items() if name not in local},
                **{name: values.tolist() for name, values in sheets.items()},
            },
        }  # fmt: skip


def spread(values: Any) -> dict[str, float]:
    """Return median and quartiles of the numbers there are; nan if there are none.

    Example:
        >>> spread([1.0, 2.0, 3.0, float("nan")])
        {'median': 2.0, 'lower': 1.5, 'upper': 2.5}
    """
    known = np.asarray(values, float).ravel()
    known = known[~np.isnan(known)]
    how = "linear" if np.isfinite(known).all() else "nearest"  # between a number and infinity there is nothing
    found = np.percentile(known, (50, 25, 75), method=how) if known.size else np.full(3, np.nan)
    return dict(zip(("median", "lower", "upper"), map(float, found), strict=True))


def pooled(layers: Sequence[Portrait], name: str) -> dict[str, float]:
    """Return median and quartiles of a quantity over all layers."""
    return spread(np.concatenate([layer.quantities[name].ravel() for layer in layers]))
