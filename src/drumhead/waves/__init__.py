"""Instruments on any series (time, y, x): where its waves go, how fast, and whether they could be chance.

NumPy, SciPy and xarray only; no torch, no network. Units are SI inside; "0.4 mm" and "10-30 Hz" are read at the edge.
"""

from drumhead.waves import synth
from drumhead.waves.fields import field
from drumhead.waves.filters import bandpass, resample, trim
from drumhead.waves.gradient import gradient
from drumhead.waves.nulls import NULLS, surrogate
from drumhead.waves.phase import phase
from drumhead.waves.planar import planar
from drumhead.waves.radial import radial
from drumhead.waves.summary import summary
from drumhead.waves.travels import Travels, travels
