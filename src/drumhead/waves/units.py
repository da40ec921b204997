"""Numbers with units at the edge, SI floats inside: "0.4 mm" is 0.0004 and "10-30 Hz" is (10.0, 30.0)."""

import math
import re
from numbers import Real

from drumhead.errors import DrumheadError

Quantity = str | float  # with a unit, or in SI units
UNITS = {
    "length": {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "nm": 1e-9},
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "min": 60.0},
    "frequency": {"Hz": 1.0, "kHz": 1e3, "mHz": 1e-3},
    "speed": {"m/s": 1.0, "cm/s": 1e-2, "mm/s": 1e-3, "mm/ms": 1.0, "um/ms": 1e-3, "µm/ms": 1e-3, "μm/ms": 1e-3},
}
SI = {"length": "m", "time": "s", "frequency": "Hz", "speed": "m/s"}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PREFIXES = ((1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""), (1e3, "k"), (1e6, "M"))


def quantity(name: str, value: Quantity, kind: str, zero: bool = False) -> float:
    """Return a positive quantity in SI units.

    Args:
        name: what to call it in a message.
        value: a number in SI units, or a text with its unit; a text without one is in SI units too.
        kind: "length", "time", "frequency" or "speed".
        zero: whether it may be zero.

    Raises:
        DrumheadError: no number above zero, or a unit of another kind.

    Example:
        >>> quantity("pitch", "0.4 mm", "length"), quantity("fs", 500, "frequency")
        (0.0004, 500.0)
    """
    got = signed(name, value, kind)
    if got < 0 or not (got or zero):
        least = "of zero or more" if zero else "above zero"
        raise DrumheadError(f"{name}={value!r}: a {kind} {least} such as {_EXAMPLES[kind]!r} is needed")
    return got


def signed(name: str, value: Quantity, kind: str) -> float:
    """Return a finite quantity of either sign in SI units, as a place has; the arguments are those of `quantity`.

    Example:
        >>> signed("source", "-0.4 mm", "length"), signed("source", 0, "length")
        (-0.0004, 0.0)
    """
    number = value
    if isinstance(value, str):
        found = re.fullmatch(rf"\s*({_NUMBER})\s*(\S*)\s*", value)
        factor = UNITS[kind].get(found[2] or SI[kind]) if found else None
        if found is None or factor is None:
            raise DrumheadError(
                f"{name}={value!r}: a {kind} such as {_EXAMPLES[kind]!r} is needed, in {', '.join(UNITS[kind])}"
            )
        number = float(found[1]) * factor
    if not isinstance(number, Real) or isinstance(number, bool) or not math.isfinite(number):
        raise DrumheadError(f"{name}={value!r}: a finite {kind} such as {_EXAMPLES[kind]!r} is needed")
    return float(number)


_EXAMPLES = {"length": "0.4 mm", "time": "2 ms", "frequency": "500 Hz", "speed": "0.3 m/s"}


def band_edges(name: str, value: str | tuple[float, float]) -> tuple[float, float]:
    """Return the edges of a band in Hz.

    Example:
        >>> band_edges("band", "10-30"), band_edges("band", "0.5-4 kHz"), band_edges("band", (5, 40))
        ((10.0, 30.0), (500.0, 4000.0), (5.0, 40.0))
    """
    if isinstance(value, str):
        found = re.fullmatch(rf"\s*({_NUMBER})\s*(?:-|–|to)\s*({_NUMBER})\s*(\S*)\s*", value)
        factor = UNITS["frequency"].get(found[3] or "Hz") if found else None
        if found is None or factor is None:
            raise DrumheadError(f"{name}={value!r}: two frequencies such as '10-30' or '10-30 Hz' are needed")
        value = (float(found[1]) * factor, float(found[2]) * factor)
    try:
        low, high = (float(edge) for edge in value)
    except (TypeError, ValueError):
        raise DrumheadError(f"{name}={value!r}: two frequencies in Hz such as (10, 30) are needed") from None
    if not 0 < low < high < math.inf:
        raise DrumheadError(f"{name}={value!r}: two frequencies are needed, the lower one first and above zero")
    return low, high


def said(value: float, unit: str, digits: int = 3) -> str:
    """Return a number with its unit as people write it.

    Example:
        >>> said(0.0004, "m"), said(0.31, "m/s"), said(0.0133, "s"), said(119.4, "Hz"), said(470, "px/s")
        ('0.4 mm', '0.31 m/s', '13.3 ms', '119 Hz', '470 px/s')
        >>> said(999.7, "Hz"), said(1834, "s")
        ('1 kHz', '1834 s')
    """
    if not math.isfinite(value):
        return f"{value} {unit}"
    factor, scaled = scale(float(f"{value:.{digits}g}"), unit)  # what 999.7 is rounded to has a prefix of its own
    return f"{plain(value / factor, digits)} {scaled}"


def plain(value: float, digits: int = 3) -> str:
    """Return a number with so many digits, without a power of ten: whole from 1000 to a million.

    Example:
        >>> plain(0.01234), plain(1834.2), plain(5.2e7)
        ('0.0123', '1834', '5.2e+07')
    """
    short = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in short and abs(value) < 1e6 else short


def scale(value: float, unit: str) -> tuple[float, str]:
    """Return by what to divide numbers of the size of `value`, and the unit that they then have.

    Example:
        >>> scale(0.0133, "s"), scale(0.31, "m/s")
        ((0.001, 'ms'), (1.0, 'm/s'))
    """
    if unit not in ("m", "s", "Hz") or not value:
        return 1.0, unit
    fits = [(f, p) for f, p in _PREFIXES if abs(value) >= f * (0.1 if p == "m" else 1)] or [_PREFIXES[0]]
    factor, prefix = fits[-1] if unit != "s" or abs(value) < 1e3 else (1.0, "")
    return factor, prefix + unit
