"""What an engine is asked to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rollout:
    """Everything about a propagation but its tensors."""

    steps: int
    dt: float
    offset: float
    slope: float
    first_offset: float
    tanh: bool
    boundary: str
    keep: str
    every: int = 1
    segment: int = 0
    stored: bool = False
