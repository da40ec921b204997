"""What all instruments saw, in one place: what findings, numbers and pictures are made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drumhead.neuro.patterns import Patterns
from drumhead.waves.fields import unit_of_length
from drumhead.waves.travels import Travels

if TYPE_CHECKING:
    from xarray import DataArray, Dataset


@dataclass(frozen=True)
class Seen:
    """What was found in a recording, or in the states of a network.

    Attributes:
        x: the field that was looked at; of several trials one.
        band: in Hz.
        patterns: frame by frame, with those of surrogates.
        phases: of `x`.
        modes: what `dh.waves.complex_pca` returns of the band, the strongest first.
        travels: the test, if there was one.
        spectrum: power over frequency and |k|, (f, k).
        ridge: the strongest wave number of each of its frequencies.
        operator: what `dh.neuro.fit` returns, if a medium was fitted.
        curve: the frequency in Hz of waves of a wave number, of the medium that was fitted or is known.
        left_out: parts that make no sense here, and why.
        warnings: what a reader has to know beside what the numbers say.
        trials: how many fields.
        seed: of all surrogates.
        surrogates: of the test.
    """

    x: "DataArray"
    band: tuple[float, float]
    patterns: Patterns
    phases: "Dataset"
    modes: "Dataset | None" = None
    travels: Travels | None = None
    spectrum: "DataArray | None" = None
    ridge: "Dataset | None" = None
    operator: Any = None
    curve: Callable[[Any], Any] | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    trials: int = 1
    seed: int = 0
    surrogates: int = 0

    @property
    def length(self) -> str:
        """The unit of lengths, "m" or "px"."""
        return unit_of_length(self.x)
