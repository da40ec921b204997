"""What a layer of waves is made of and how strongly it is driven, as plain arrays: what images did to a network."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Material:
    """One layer of waves on some images: c channels, n places of all images together.

    Attributes:
        layer: its number in the network, 0 nearest to the image.
        kernel: coupling W, (c, 1, ky, kx) depthwise or (c, c, ky, kx) dense, in 1 / time^2.
        omega: squared natural frequency, (c, n), in 1 / time^2.
        alpha: damping, (c, n), in 1 / time.
        force: amplitude of W * y over time, sqrt(2) rms, (c, n); what tanh gets to see.
        gain: what tanh lets through of it, mean(tanh(s) s) / mean(s^2) over time, (c, n); 1 in a linear layer.
        pace: mean angular frequency of the waves, (c,), from how fast they change; nan where nothing moves.
        size: rows and columns of oscillators on the first image.
        stride: pixels that an oscillator is wide.
        steps: T.
        dt: model time between two states.
        integrator: "euler" or "verlet"; "" in closed form, which has no steps.
        boundary: what a wave meets at the edge.
        courant: dt over the largest stable one of all images; nan in closed form.
    """

    layer: int
    kernel: np.ndarray
    omega: np.ndarray
    alpha: np.ndarray
    force: np.ndarray
    gain: np.ndarray
    pace: np.ndarray
    size: tuple[int, int]
    stride: int
    steps: int
    dt: float
    integrator: str
    boundary: str
    courant: float
