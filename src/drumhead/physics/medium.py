"""The medium of a wave: what an image sets before the waves run."""

from typing import NamedTuple

from torch import Tensor


class Medium(NamedTuple):
    """What an image sets before the waves run; each (b, c, y, x)."""

    omega: Tensor
    """Squared natural frequency, 1 / time^2."""
    alpha: Tensor
    """Damping, 1 / time."""
    y0: Tensor
    """Initial displacement."""
