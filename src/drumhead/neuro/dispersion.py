"""The waves that a network really carries: oscillators and steps of finite size, exactly, for both integrators.

A step of `drumhead.engine.eager` on a linear mode of stiffness A, z <- D z - g A y and y <- y + h z, is the recursion

    y_{n+1} = S y_n - D y_{n-1},      S = 1 + D - h g A,      A(k) = omega + 4 kappa (sin^2 kx/2 + sin^2 ky/2)

    euler     D = 1 - h alpha         g = h
    verlet    D = exp(-h alpha)       g = h (1 + D) / 2

whose roots mu, mu^2 - S mu + D = 0, are exp(-(decay + i Omega) h). Where they are complex,

    cos(Omega h) = S / (2 sqrt D),    decay = -ln(D) / (2 h)      (verlet: alpha / 2, as in the continuum)

A source at Omega drives the k for which mu = exp(-i Omega h) is a root: A(k) = (1 + D - mu - D / mu) / (h g).
The largest step is where S meets -(1 + D). NumPy only.
"""

import math
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from drumhead.errors import choose, positive
from drumhead.neuro.continuum import Continuum
from drumhead.settings.config import Integrator


@dataclass(frozen=True)
class Discrete(Continuum):
    """The dispersion of the medium as it is stepped on its grid; the same questions as `Continuum` answers.

    Args:
        omega: squared natural frequency, 1 / time^2.
        alpha: damping >= 0, 1 / time.
        kappa: coupling, oscillators^2 / time^2: kappa times the 5-point Laplacian.
        dt: the step h.
        integrator: "euler" (the paper's) or "verlet".

    Raises:
        DrumheadError: a number or a name that is not allowed; a step beyond the limit is no error, `stable` says it.

    Source:
        Von Neumann's analysis: Strikwerda, Finite Difference Schemes and Partial Differential Equations (2004).

    Example:
        >>> medium = dh.neuro.Discrete(omega=1.0, alpha=0.1, dt=0.1)  # what the paper's networks begin with
        >>> round(float(medium.frequency(0.5)), 4), round(float(medium.continuum.frequency(0.5)), 4)
        (1.118, 1.1169)
        >>> round(medium.largest_step, 4), medium.stable
        (0.6556, True)
        >>> cortex = dh.neuro.Cortex("0.4 mm", speed="0.3 m/s")
        >>> round(cortex.hertz(medium.cutoff)), round(cortex.metres(medium.wavelength(cortex.angular("150 Hz"))), 4)
        (120, 0.0032)
    """

    dt: float = 0.1
    integrator: str = "euler"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("dt", self.dt)
        choose("integrator", self.integrator, get_args(Integrator))

    @property
    def continuum(self) -> Continuum:
        """The same medium without oscillators and steps."""
        return Continuum(self.omega, self.alpha, self.kappa)

    @property
    def largest_step(self) -> float:
        """The largest stable step, as `drumhead.stable_dt` computes it of a kernel.

        With A = omega + 8 kappa: 2 / sqrt(A) for "verlet", and (sqrt(alpha^2 + 4 A) - alpha) / A for "euler", whose
        explicit damping tightens it.
        """
        stiff = max(float(self.stiffness(math.pi, math.pi)), 0.0)
        explicit = self.alpha if self.integrator == "euler" else 0.0
        return 4 / (math.sqrt(explicit**2 + 4 * stiff) + explicit) if stiff or explicit else math.inf

    @property
    def stable(self) -> bool:
        """Whether the step is below the largest one."""
        return self.dt < self.largest_step

    @property
    def fastest(self) -> float:
        """The largest angular frequency of all modes; what samples the states has to be twice as fast."""
        return float(self.frequency(math.pi, math.pi))

    def stiffness(self, kx: Any, ky: Any = 0.0) -> Any:
        """Return what drives a mode back, A(k) = omega + 4 kappa (sin^2 kx/2 + sin^2 ky/2)."""
        return self.omega + 4 * self.kappa * (np.sin(np.divide(kx, 2)) ** 2 + np.sin(np.divide(ky, 2)) ** 2)

    def recursion(self, kx: Any, ky: Any = 0.0) -> tuple[Any, float]:
        """Return S and D of y_{n+1} = S y_n - D y_{n-1}, the autoregression that the states of a mode are."""
        held, kick = self._scheme()
        return 1 + held - self.dt * kick * self.stiffness(kx, ky), held

    def wavenumber(self, angular: Any) -> Any:
        """Return the complex wave number, along a row, of a wave that is driven at a real angular frequency."""
        turn = 2 * np.arcsin(np.sqrt(self._driven(angular) / (4 * self.kappa)))
        return turn.real + 1j * abs(turn.imag)

    def _scheme(self) -> tuple[float, float]:
        """Return D and g."""
        if self.integrator == "euler":
            return 1 - self.dt * self.alpha, self.dt
        held = math.exp(-self.dt * self.alpha)
        return held, self.dt * (1 + held) / 2

    def _modes(self, stiff: Any) -> tuple[Any, Any]:
        held, kick = self._scheme()
        half = np.asarray(1 + held - self.dt * kick * np.asarray(stiff), complex) / 2
        root = np.sqrt(half**2 - held)
        with np.errstate(divide="ignore"):
            either = np.log(np.stack([half + root, half - root]))
        slower = np.where(either[0].real >= either[1].real, either[0], either[1]) / self.dt
        return abs(slower.imag), -slower.real

    def _slope(self, turning: Any) -> Any:
        held, kick = self._scheme()
        return kick / (2 * math.sqrt(abs(held)) * np.sin(turning * self.dt))

    def _rise(self, kx: Any, ky: Any) -> tuple[Any, Any]:
        return 2 * self.kappa * np.sin(kx), 2 * self.kappa * np.sin(ky)

    def _driven(self, angular: Any) -> Any:
        held, kick = self._scheme()
        turn = np.exp(-1j * np.asarray(angular) * self.dt)
        return (1 + held - turn - held / turn) / (self.dt * kick) - self.omega
