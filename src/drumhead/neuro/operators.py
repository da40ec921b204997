"""What a recording may be made of: four operators, driven by noise, seen through the same nuisances.

With Lambda what minus the Laplacian makes of a wave, in 1 / pitch^2, and Omega = 2 pi f,

    wave           y'' = c^2 Lap y - w0^2 y - (2 / tau) y'    1 / ((w0^2 + c^2 Lambda - Omega^2)^2 + (2 Omega / tau)^2)
    diffusion      y'  = D Lap y - g y                        1 / ((g + D Lambda)^2 + Omega^2)
    oscillators    a wave with c = 0                          1 / ((w0^2 - Omega^2)^2 + (2 Omega / tau)^2)
    noise          nothing                                    1

each times the drive, f^-colour B(width^2 Lambda): noise that is coloured in time and smooth in space (or seen by
electrodes through tissue), so that no operator wins only because the recording is smooth. B is exp(-w) or (1 + w)^-1.5,
whose covariances fall as a Gaussian and as an exponential of distance. To all are added
`shared`, which all sites have alike (a reference), and noise of each site, white and 1 / f.
"""

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from drumhead.neuro.lags import Lags
from drumhead.neuro.whittle import Whittle

if TYPE_CHECKING:
    from torch import Tensor

OPERATORS = {"wave": ("speed", "f0", "tau"), "diffusion": ("spread", "leak"), "oscillators": ("f0", "tau"), "noise": ()}
BLURS = ("gaussian", "exponential")
NUISANCES = ("colour", "width", "shared", "white", "pink")
REFERENCE = 10.0  # Hz, where coloured terms have their named strength
BOUNDS = {  # natural logarithms but for `colour`; lengths in pitches, times in s, strengths over the drive's variance
    "speed": (math.log(0.1), math.log(1e5)),
    "f0": (math.log(1e-2), math.log(1e4)),
    "tau": (math.log(1e-4), math.log(1e2)),
    "spread": (math.log(1e-3), math.log(1e7)),
    "leak": (math.log(1e-2), math.log(1e5)),
    "colour": (-3.0, 6.0),
    "width": (math.log(1e-2), math.log(30.0)),
    "shared": (math.log(1e-7), math.log(1e2)),
    "white": (math.log(1e-7), math.log(1e2)),
    "pink": (math.log(1e-7), math.log(1e2)),
}


def unknowns(kind: str) -> tuple[str, ...]:
    """Return the names of what is fitted, the operator's first."""
    return (*OPERATORS[kind], *NUISANCES)


def power_spectrum(kind: str, blurred: str, p: dict[str, "Tensor"], f: "Tensor", eigenvalue: "Tensor") -> "Tensor":
    """Return the power of a driven operator at frequencies f (Hz) and eigenvalues Lambda, which broadcast."""
    turn = 2 * math.pi * f
    blur = eigenvalue * (2 * p["width"]).exp()
    drive = (f / REFERENCE) ** -p["colour"] * (torch.exp(-blur) if blurred == "gaussian" else (1 + blur) ** -1.5)
    if kind == "noise":
        return drive
    if kind == "diffusion":
        return drive / ((p["leak"].exp() + p["spread"].exp() * eigenvalue) ** 2 + turn**2)
    stiff = (2 * math.pi * p["f0"].exp()) ** 2
    if kind == "wave":
        stiff = stiff + (2 * p["speed"]).exp() * eigenvalue
    return drive / ((stiff - turn**2) ** 2 + (2 * turn * (-p["tau"]).exp()) ** 2)


def starts(kind: str, high: float) -> list[np.ndarray]:
    """Return places to begin a search from, for a recording used up to a frequency (Hz)."""
    grids = {
        "speed": high * np.array([0.1, 0.3, 1, 3, 10, 30]),
        "f0": high * np.array([0.02, 0.06, 0.2]),
        "tau": np.array([4, 20]) / high,
        "spread": high * np.array([0.1, 1, 10, 100]),
        "leak": high * np.array([0.1, 1, 10]),
        "width": np.array([0.2] if kind == "wave" else [0.2, 2.0]),
    }
    rest = [0.5, *np.log([0.01, 0.1, 0.01])]
    return [
        np.array([*np.log(given[:-1]), rest[0], np.log(given[-1]), *rest[1:]])
        for given in itertools.product(*(grids[name] for name in (*OPERATORS[kind], "width")))
    ]


class Likelihood:
    """-log likelihood of a recording under one operator, as a function of its unknowns."""

    def __init__(self, kind: str, blurred: str, recording: Whittle, lags: Lags):
        self.kind, self.blurred, self.recording, self.names = kind, blurred, recording, unknowns(kind)
        self.eigenvalues = torch.tensor(lags.nodes)
        self.weights = torch.tensor(lags.weights.reshape(len(lags.nodes), -1))
        self.share = torch.tensor(recording.width / recording.width.sum())
        self.bins = torch.tensor(recording.f)
        self.f = recording.nodes.reshape(-1, 1)

    def __call__(self, values: "Tensor") -> "Tensor":
        """Return -log likelihood, with its slope."""
        return self.recording(*self.covariance(values))

    def covariance(self, values: "Tensor") -> tuple["Tensor", "Tensor"]:
        """Return the covariance of sites at each distance (bins, ny, nx) and each site's own noise (bins,)."""
        p = dict(zip(self.names, values, strict=True))
        power = power_spectrum(self.kind, self.blurred, p, self.f, self.eigenvalues)
        found = (power @ self.weights).reshape(len(self.bins), 2, *self.recording.shape).mean(1)
        found = found / (found[:, 0, 0] * self.share).sum()  # strengths below are over the drive's own variance
        slow = REFERENCE / self.bins
        return found + (p["shared"].exp() * slow)[:, None, None], p["white"].exp() + p["pink"].exp() * slow

    def misfit(self, values: np.ndarray) -> float:
        """Return how far the recording is from this model, 1 being chance."""
        with torch.no_grad():
            return self.recording.misfit(*self.covariance(torch.tensor(values)))
