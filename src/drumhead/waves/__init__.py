"""Instruments on any series (time, y, x): where its waves go, how fast, and whether they could be chance.

NumPy, SciPy and xarray, and PyDMD for `dmd`; no torch, no network. Units are SI inside; "0.4 mm" and "10-30 Hz" are
read at the edge.
"""

from drumhead.waves import synth
from drumhead.waves.complex_modes import complex_pca
from drumhead.waves.directions import direction_index, ridge
from drumhead.waves.dynamic_modes import dmd
from drumhead.waves.epochs import detect
from drumhead.waves.fields import field
from drumhead.waves.filters import bandpass, resample, trim
from drumhead.waves.gradient import gradient
from drumhead.waves.nulls import NULLS, surrogate
from drumhead.waves.phase import phase
from drumhead.waves.planar import planar
from drumhead.waves.radial import radial
from drumhead.waves.singularities import charges, singularities
from drumhead.waves.summary import summary
from drumhead.waves.travels import Travels, travels
from drumhead.waves.wavenumbers import azimuthal, kf
