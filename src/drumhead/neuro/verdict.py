"""What a fit found, and whether to believe it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from drumhead.waves.units import plain, scale

LONG = 15.0  # s of a wideband recording: less leaves frequency and damping open
MARGIN = 10.0  # of AIC, by which waves must be better than all else
RESOLVED = 2.0  # upper over lower end of an interval, above which a quantity is not known
POOR = 2.0  # misfit, above which no number is to be trusted


@dataclass(frozen=True)
class Estimate:
    """A quantity with its 95 % interval; `identifiable` if the recording knows it."""

    value: float
    low: float
    high: float
    identifiable: bool

    def said(self, unit: str) -> str:
        """Return it as people write it, with as many digits as tell the ends of the interval apart.

        Example:
            >>> from drumhead.neuro.verdict import Estimate
            >>> Estimate(0.1, 0.0998, 0.1002, True).said("m/s"), Estimate(9.99, 9.73, 10.3, True).said("Hz")
            ('0.1 m/s (0.0998 to 0.1002 m/s)', '9.99 Hz (9.73 to 10.3 Hz)')
        """
        factor, scaled = scale(self.value, unit)
        value, low, high = (one / factor for one in (self.value, self.low, self.high))
        digits = next((n for n in (3, 4, 5) if len({plain(one, n) for one in (value, low, high)}) == 3), 3)
        return f"{plain(value, digits)} {scaled} ({plain(low, digits)} to {plain(high, digits)} {scaled})"


def keys(length: str) -> dict[str, str]:
    """Return what speed, f0 and tau are called in files, the unit in the name.

    Example:
        >>> from drumhead.neuro.verdict import keys
        >>> keys("px")
        {'speed': 'speed_px_s', 'f0': 'f0_hz', 'tau': 'tau_s'}
    """
    return {"speed": f"speed_{length}_s", "f0": "f0_hz", "tau": "tau_s"}


@dataclass(frozen=True)
class Fit:
    """What a recording says of the operator y'' = c^2 Lap y - (2 pi f0)^2 y - (2 / tau) y' + noise.

    Attributes:
        speed: c, of fronts and of short waves, in `length` a second; crests of longer waves run faster.
        f0: natural frequency of the longest waves, in Hz.
        tau: time in s after which an amplitude has fallen to 1 / e.
        length: "m", or "px" without a pitch.
        why: what stands against it; empty if all three are known and waves are the best account.
        aic: of each operator, less the least: 0 is the best.
        misfit: mean squared error of the whitened cross-spectra over what chance allows; 1 is a perfect model.
        per_pitch: oscillators along a pitch; 0 for a continuum.
        pitch: of the sites that were fitted, in `length`.
        band: the frequencies used, in Hz.
        nuisances: the rest of what was fitted.
    """

    speed: Estimate
    f0: Estimate
    tau: Estimate
    length: str
    why: tuple[str, ...]
    aic: dict[str, float]
    misfit: float
    per_pitch: int
    pitch: float
    band: tuple[float, float]
    nuisances: dict[str, float]

    @property
    def identifiable(self) -> bool:
        """Whether all three are known and waves are the best account."""
        return not self.why

    @property
    def best(self) -> str:
        """The operator with the least AIC."""
        return min(self.aic, key=self.aic.__getitem__)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.why:
            return f"Unidentifiable: {'; '.join(self.why)}."
        return (
            f"A damped wave medium: speed {self.speed.said(f'{self.length}/s')}, "
            f"natural frequency {self.f0.said('Hz')}, decay time {self.tau.said('s')}."
        )

    def curve(self, k: Any) -> np.ndarray:
        """Return the frequency in Hz of free waves of wave number k (rad/m, rad/px) along a row; nan if overdamped."""
        k = np.asarray(k, float)
        if self.per_pitch:
            step = self.pitch / self.per_pitch
            k = 2 / step * np.sin(np.clip(k * step / 2, -math.pi / 2, math.pi / 2))
        squared = (2 * math.pi * self.f0.value) ** 2 + (self.speed.value * k) ** 2 - self.tau.value**-2
        with np.errstate(invalid="ignore"):
            return np.sqrt(squared) / (2 * math.pi)

    def report(self) -> dict[str, Any]:
        """Return all of it for JSON, with units in the names."""
        out: dict[str, Any] = {}
        for name, key in keys(self.length).items():
            one: Estimate = getattr(self, name)
            out |= {key: one.value, f"{key}_interval": [one.low, one.high], f"{key}_identifiable": one.identifiable}
        return out | {
            "identifiable": self.identifiable, "verdict": self.verdict, "why": list(self.why), "best": self.best,
            "aic": self.aic, "misfit": self.misfit, "cells_per_pitch": self.per_pitch or "continuum",
            f"pitch_{self.length}": self.pitch, "band_hz": list(self.band), "nuisances": self.nuisances,
        }  # fmt: skip


def objections(
    aic: dict[str, float], misfit: float, estimates: dict[str, Estimate], seconds: float, band: tuple[float, float],
    fs: float, top: float,
) -> tuple[str, ...]:  # fmt: skip
    """Return what stands against a fit: its reasons to be called unidentifiable.

    Args:
        aic: of each operator.
        misfit: of the wave.
        estimates: of the wave.
        seconds: of recording.
        band: the frequencies used, in Hz.
        fs: sampling rate in Hz.
        top: frequency of the shortest waves of the fitted lattice, in Hz; 0 for a continuum.
    """
    others = {name: value - aic["wave"] for name, value in aic.items() if name != "wave"}
    rival = min(others, key=others.__getitem__)
    f0, words = estimates["f0"], []
    if seconds < LONG:
        words.append(f"{seconds:.3g} s of recording, at least {LONG:g} s are needed")
    if others[rival] < MARGIN:
        words.append(
            f"{_CALLED[rival]} {'is a better account' if others[rival] < 0 else 'is as good an account'} "
            f"(AIC {others[rival]:+.3g})"
        )
    if misfit > POOR:
        words.append(f"the model misses the recording {misfit:.2g} times as much as chance would")
    if f0.low < band[0] or f0.high > band[1]:
        words.append(f"the natural frequency may lie outside the {band[0]:.3g} to {band[1]:.3g} Hz that were looked at")
    unknown = [_CALLED[name] for name, one in estimates.items() if not one.identifiable]
    if unknown:
        words.append(f"the {' and the '.join(unknown)} cannot be told within a factor of {RESOLVED:g}")
    if top > fs / 2:
        words.append(f"waves of this medium reach {top:.3g} Hz, more than half the sampling rate of {fs:g} Hz")
    return tuple(words)


_CALLED = {
    "diffusion": "diffusion", "oscillators": "a set of oscillators without coupling",
    "noise": "smooth noise without an operator", "speed": "speed", "f0": "natural frequency", "tau": "decay time",
}  # fmt: skip
