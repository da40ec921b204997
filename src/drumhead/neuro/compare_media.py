"""The medium of a model and of a recording: speed, natural frequency and decay, each found by the same fit.

    apart = |log a - log b| / sqrt(s_a^2 + s_b^2),     s: a quarter of a 95 % interval of the logarithm

which is 2 where 95 % intervals of one size just do not hold each other's value. A parameter that a recording does not
tell, because its interval goes to 0 or to infinity, is not compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drumhead.errors import DrumheadError
from drumhead.neuro.vector import listed
from drumhead.neuro.verdict import LONG, keys
from drumhead.waves.fields import rate, unit_of_length

if TYPE_CHECKING:
    from xarray import DataArray

NAMES = ("speed", "f0", "tau")


@dataclass(frozen=True)
class Parameter:
    """One parameter of the medium.

    Attributes:
        name: "speed", "f0" or "tau".
        model: value, low and high.
        recording: value, low and high.
        apart: in standard deviations of both; NaN where one is not identifiable.
        length: unit of length of both, "m" or "px".
    """

    name: str
    model: tuple[float, float, float]
    recording: tuple[float, float, float]
    apart: float
    length: str = "m"

    def report(self) -> dict[str, Any]:
        """Return plain values, the unit in the name."""
        return {"name": keys(self.length)[self.name], "model": list(self.model), "recording": list(self.recording),
                "standard_deviations_apart": self.apart}  # fmt: skip


def operators(
    model: "DataArray | Sequence[DataArray]", recording: "DataArray | Sequence[DataArray]"
) -> tuple[tuple[Parameter, ...], tuple[str, ...]]:
    """Return the parameters of both media beside each other, and notes about what could not be fitted.

    Args:
        model: a field or trials; the longest one is fitted.
        recording: the same, wideband: filters would be taken for a medium.
    """
    units = {unit_of_length(x) for one in (model, recording) for x in listed(one)}
    if len(units) > 1:
        return (), ("no fit of the medium: one has lengths in m and the other in px; give both a pitch",)
    longest = [max(listed(one), key=lambda x: x.sizes["time"]) for one in (model, recording)]
    lasting = [x.sizes["time"] / rate(x) for x in longest]
    if min(lasting) < LONG:
        return (), (f"no fit of the medium: {min(lasting):.3g} s in one piece, and {LONG:g} s are needed",)
    from drumhead.neuro.fit import fit

    try:
        one, other = (fit(x) for x in longest)
    except DrumheadError as error:
        return (), (f"no fit of the medium: {error}",)
    out = []
    for name in NAMES:
        a, b = getattr(one, name), getattr(other, name)
        known = a.identifiable and b.identifiable
        out.append(Parameter(name, _three(a), _three(b), _apart(a, b) if known else math.nan, *units))
    told = [f"the {who}: {found.verdict}" for who, found in (("model", one), ("recording", other))]
    return tuple(out), tuple(told)


def _three(one: Any) -> tuple[float, float, float]:
    return float(one.value), float(one.low), float(one.high)


def _apart(one: Any, other: Any) -> float:
    """Return the difference of logarithms over the deviations that the intervals say."""
    if not all(0 < x < math.inf for e in (one, other) for x in (e.value, e.low, e.high)):
        return math.nan
    variance = sum((math.log(e.high / e.low) / 4) ** 2 for e in (one, other))
    return abs(math.log(one.value / other.value)) / math.sqrt(variance) if variance else math.nan
