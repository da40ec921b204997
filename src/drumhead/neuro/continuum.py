"""Waves of a damped, coupled medium in closed form, where oscillators and steps are too small to matter.

    y'' = kappa Lap y - omega y - alpha y'        Omega(k) = sqrt(omega + kappa |k|^2 - alpha^2 / 4) - i alpha / 2

Free waves (a given k) fade at alpha / 2, whatever k. Waves that a source drives (a given Omega) fade in space instead:

    k^2 = (Omega^2 - omega + i alpha Omega) / kappa,      wavelength 2 pi / Re k,      decay length 1 / Im k

Below the cut-off, Omega^2 < omega, a driven wave does not travel: it is evanescent. Phases run at Omega / k >= c and
energy at c^2 k / Omega <= c, with c = sqrt(kappa): a speed that is read from phases is not c. NumPy only.

Angular frequencies are radians per unit of model time, wave numbers radians per oscillator, speeds oscillators per unit
time; `drumhead.neuro.Cortex` turns them into Hz, m and m/s.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError, positive


@dataclass(frozen=True)
class Continuum:
    """The dispersion of y'' = kappa Lap y - omega y - alpha y', exactly.

    Args:
        omega: squared natural frequency, 1 / time^2; below zero long waves grow.
        alpha: damping >= 0, 1 / time.
        kappa: coupling, oscillators^2 / time^2; the square of the speed of long undamped waves.

    Raises:
        DrumheadError: a number that is not finite, a coupling that is not above zero, damping below zero.

    Source:
        Any text on the Klein-Gordon equation with damping; as a model of cortex, Jirsa and Haken, Physical Review
        Letters 77 (1996) 960-963.

    Example:
        >>> medium = dh.neuro.Continuum(omega=0.05, alpha=0.01)
        >>> round(float(medium.phase_speed(0.2)), 3), round(float(medium.group_speed(0.2)), 3)
        (1.5, 0.667)
        >>> round(medium.decay_length(0.3), 1), medium.evanescent(0.2)
        (133.4, True)
    """

    omega: float
    alpha: float = 0.0
    kappa: float = 1.0

    def __post_init__(self) -> None:
        positive("kappa", self.kappa)
        if not (math.isfinite(self.omega) and math.isfinite(self.alpha) and self.alpha >= 0):
            raise DrumheadError(
                f"omega={self.omega!r}, alpha={self.alpha!r}: finite numbers are needed, and no damping below zero"
            )

    def stiffness(self, kx: Any, ky: Any = 0.0) -> Any:
        """Return what drives a mode back, A(k) = omega + kappa |k|^2."""
        return self.omega + self.kappa * (np.square(kx) + np.square(ky))

    def frequency(self, kx: Any, ky: Any = 0.0) -> Any:
        """Return the angular frequency of free waves (kx, ky); 0 where a mode fades or grows without turning."""
        return self._modes(self.stiffness(kx, ky))[0]

    def decay(self, kx: Any, ky: Any = 0.0) -> Any:
        """Return at which rate free waves fade, the slower one of a mode that does not turn; below zero they grow."""
        return self._modes(self.stiffness(kx, ky))[1]

    def phase_speed(self, kx: Any, ky: Any = 0.0) -> Any:
        """Return the speed of crests, Omega / |k|; at least sqrt(kappa) where omega >= alpha^2 / 4."""
        return self.frequency(kx, ky) / np.hypot(kx, ky)

    def group_speed(self, kx: Any, ky: Any = 0.0) -> Any:
        """Return the speed of a packet, |dOmega / dk|; nan where a mode does not turn."""
        turning = self.frequency(kx, ky)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(turning > 0, self._slope(turning), np.nan)
        return slope * np.hypot(*self._rise(kx, ky))

    @property
    def cutoff(self) -> float:
        """Angular frequency of the longest waves, sqrt(omega - alpha^2 / 4); 0 if they do not ring."""
        return float(self.frequency(0.0))

    def wavenumber(self, angular: Any) -> Any:
        """Return the complex wave number, along a row, of a wave that is driven at a real angular frequency."""
        root = np.sqrt(self._driven(angular) / self.kappa)
        return np.real(root) + 1j * abs(np.imag(root))

    def wavelength(self, angular: Any) -> Any:
        """Return the wavelength of a driven wave in oscillators, 2 pi / Re k."""
        with np.errstate(divide="ignore"):
            return number(2 * math.pi / np.real(self.wavenumber(angular)))

    def decay_length(self, angular: Any) -> Any:
        """Return after how many oscillators a driven plane wave has fallen to 1 / e, 1 / Im k."""
        with np.errstate(divide="ignore"):
            return number(1 / np.imag(self.wavenumber(angular)))

    def driven_speed(self, angular: Any) -> Any:
        """Return the speed of the crests of a driven wave, Omega / Re k, which is what a recording's phases show."""
        with np.errstate(divide="ignore"):
            return number(angular / np.real(self.wavenumber(angular)))

    def evanescent(self, angular: Any) -> Any:
        """Say whether a driven wave fades faster than it turns: Omega^2 < omega."""
        return number(np.real(self._driven(angular)) < 0)

    def _modes(self, stiff: Any) -> tuple[Any, Any]:
        """Return angular frequency and decay rate of modes that are driven back so strongly."""
        root: Any = np.sqrt(np.asarray(stiff - self.alpha**2 / 4, complex))
        return root.real, self.alpha / 2 - abs(root.imag)

    def _slope(self, turning: Any) -> Any:
        """Return dOmega / dA."""
        return 1 / (2 * turning)

    def _rise(self, kx: Any, ky: Any) -> tuple[Any, Any]:
        """Return dA / dk."""
        return 2 * self.kappa * np.asarray(kx, float), 2 * self.kappa * np.asarray(ky, float)

    def _driven(self, angular: Any) -> Any:
        """Return A(k) - omega of a wave that a source drives."""
        return np.square(np.asarray(angular, complex)) + 1j * self.alpha * np.asarray(angular) - self.omega


def number(value: Any) -> Any:
    """Return a Python number where there is one, else the array."""
    return value.item() if isinstance(value, np.generic) or np.ndim(value) == 0 else value
