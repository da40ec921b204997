"""One number turns a model into cortex: T0, the seconds of one unit of model time. Everything else follows from it.

    T0 = sqrt(kappa) pitch / speed                    pitch: what one oscillator covers, kappa: the coupling

    f0 = sqrt(omega) / (2 pi T0)      tau = 2 T0 / alpha      c = sqrt(kappa) pitch / T0      step = h T0
    Q  = sqrt(omega) / alpha          lambda0 = c / f0 = 2 pi sqrt(kappa / omega) pitch

omega is a *squared* angular frequency. No calibration changes Q and lambda0 / pitch, which do not depend on T0.
NumPy only.
"""

import math
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError, positive
from drumhead.neuro.continuum import number
from drumhead.waves.units import Quantity, quantity, said

_ASKED = "give two of pitch=, speed= and a clock, which is t0= or f0= with omega="


class Cortex:
    """A calibration: what lengths and times of a model are in cortex, and back.

    T0 = sqrt(kappa) pitch / speed, or sqrt(omega) / (2 pi f0); any two of pitch, speed and T0 say the third.

    Args:
        pitch: distance of neighbouring oscillators, "0.4 mm" or in m. In a stack an oscillator is `stride` pixels wide.
        speed: of long waves in a medium of coupling kappa, "0.3 m/s" or in m/s.
        t0: seconds of one unit of model time, "1.33 ms" or in s.
        f0: the frequency, "20 Hz" or in Hz, at which an oscillator of this `omega` shall ring.
        omega: squared angular frequency in 1 / time^2; with f0 alone.
        kappa: squared speed of long waves in oscillators^2 / time^2; 1 for `drumhead.laplacian`.

    Attributes:
        pitch: in m.
        t0: in s.
        kappa: as given; what `speed` and `wavelength` take if they are told nothing else.

    Raises:
        DrumheadError: too little or too much is given, or a number that is not positive.

    Source:
        The damped wave equation of neural fields: Nunez, Mathematical Biosciences 21 (1974) 279-297; Jirsa and Haken,
        Physical Review Letters 77 (1996) 960-963.

    Example:
        >>> cortex = dh.neuro.Cortex("0.4 mm", speed="0.3 m/s")
        >>> cortex
        Cortex(pitch='0.4 mm', t0='1.33 ms', kappa=1)
        >>> round(cortex.frequency(1.0), 1), round(cortex.tau(0.1), 4), round(cortex.seconds(100 * 0.1), 4)
        (119.4, 0.0267, 0.0133)
        >>> round(cortex.omega("20 Hz"), 4)  # the omega that rings at 20 Hz here
        0.0281
    """

    def __init__(
        self,
        pitch: Quantity | None = None,
        *,
        speed: Quantity | None = None,
        t0: Quantity | None = None,
        f0: Quantity | None = None,
        omega: float | None = None,
        kappa: float = 1.0,
    ):
        if t0 is not None and f0 is not None:
            raise DrumheadError(f"t0={t0!r} and f0={f0!r} both set the clock; {_ASKED}")
        if (f0 is None) != (omega is None):
            given, missing = ("f0", "omega") if omega is None else ("omega", "f0")
            raise DrumheadError(
                f"{given} is given without {missing}: a clock is set as f0='20 Hz', omega=1.0, which says that an "
                "oscillator of this omega rings at 20 Hz"
            )
        known = {"pitch": pitch, "speed": speed, "t0" if f0 is None else "f0": t0 if f0 is None else f0}
        got = [name for name, value in known.items() if value is not None]
        if len(got) != 2:
            few = f"only {got[0]}" if got else "nothing"
            raise DrumheadError(
                f"{few} is given; {_ASKED}"
                if len(got) < 2
                else f"{', '.join(got)} are given, one too many: they could contradict each other; {_ASKED}"
            )
        self.kappa, root = positive("kappa", kappa), math.sqrt(positive("kappa", kappa))
        length = None if pitch is None else quantity("pitch", pitch, "length")
        pace = None if speed is None else quantity("speed", speed, "speed")
        clock = None if t0 is None else quantity("t0", t0, "time")
        if f0 is not None and omega is not None:
            clock = math.sqrt(positive("omega", omega)) / (2 * math.pi * quantity("f0", f0, "frequency"))
        if length is None:
            assert pace is not None
            assert clock is not None
            length = pace * clock / root
        if clock is None:
            assert pace is not None
            clock = root * length / pace
        self.pitch, self.t0 = length, clock

    def __repr__(self) -> str:
        return f"Cortex(pitch={said(self.pitch, 'm')!r}, t0={said(self.t0, 's')!r}, kappa={self.kappa:g})"

    # From the model to cortex. Numbers give numbers, arrays give arrays.

    def frequency(self, omega: Any, alpha: Any = 0.0) -> Any:
        """Return the frequency in Hz of an oscillator, sqrt(omega - alpha^2 / 4) / (2 pi T0); nan where none rings."""
        with np.errstate(invalid="ignore"):
            return self.hertz(np.sqrt(np.subtract(omega, np.square(alpha) / 4.0)))

    def hertz(self, angular: Any) -> Any:
        """Return an angular frequency of the model, in radians per unit time, in Hz."""
        return number(np.divide(angular, 2 * math.pi * self.t0))

    def tau(self, alpha: Any) -> Any:
        """Return the time in s after which an amplitude has fallen to 1 / e, 2 T0 / alpha."""
        with np.errstate(divide="ignore"):
            return number(np.divide(2 * self.t0, alpha))

    def speed(self, kappa: Any = None) -> Any:
        """Return the speed in m/s of long waves, sqrt(kappa) pitch / T0; phases of waves run faster than this."""
        return number(np.sqrt(self.kappa if kappa is None else kappa) * (self.pitch / self.t0))

    def wavelength(self, omega: Any, kappa: Any = None) -> Any:
        """Return the natural wavelength in m, c / f0 = 2 pi sqrt(kappa / omega) pitch."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.metres(2 * math.pi * np.sqrt(np.divide(self.kappa if kappa is None else kappa, omega)))

    def seconds(self, time: Any) -> Any:
        """Return a time of the model, such as dt or steps * dt, in s."""
        return number(np.multiply(time, self.t0))

    def metres(self, oscillators: Any) -> Any:
        """Return a length in oscillators, such as the side of a sheet, in m."""
        return number(np.multiply(oscillators, self.pitch))

    # And back. Texts with units are welcome.

    def omega(self, frequency: Any) -> Any:
        """Return the omega of an undamped oscillator of this frequency, (2 pi T0 f)^2."""
        return number(np.square(self.angular(frequency)))

    def angular(self, frequency: Any) -> Any:
        """Return a frequency in radians per unit of model time."""
        return number(np.multiply(_si("frequency", frequency, "frequency"), 2 * math.pi * self.t0))

    def alpha(self, tau: Any) -> Any:
        """Return the damping of this decay time, 2 T0 / tau."""
        return number(np.divide(2 * self.t0, _si("tau", tau, "time")))

    def coupling(self, speed: Any) -> Any:
        """Return the kappa of this speed, (speed T0 / pitch)^2."""
        return number(np.square(np.multiply(_si("speed", speed, "speed"), self.t0 / self.pitch)))

    def time(self, seconds: Any) -> Any:
        """Return a time in units of model time."""
        return number(np.divide(_si("seconds", seconds, "time"), self.t0))

    def oscillators(self, metres: Any) -> Any:
        """Return a length in oscillators."""
        return number(np.divide(_si("metres", metres, "length"), self.pitch))


def quality(omega: Any, alpha: Any) -> Any:
    """Return Q = sqrt(omega) / alpha, whatever the calibration: how many radians an oscillator turns in half its tau.

    Example:
        >>> dh.neuro.quality(1.0, 0.1)
        10.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return number(np.divide(np.sqrt(omega), alpha))


def damping(omega: Any, quality: Any) -> Any:
    """Return the alpha that gives an oscillator this Q, sqrt(omega) / Q.

    Args:
        omega: squared natural frequency, 1 / time^2.
        quality: Q, without a unit.

    Example:
        >>> dh.neuro.damping(omega=4.0, quality=2.0)
        1.0
    """
    return number(np.divide(np.sqrt(omega), quality))


def _si(name: str, value: Any, kind: str) -> Any:
    return quantity(name, value, kind) if isinstance(value, str) else value
