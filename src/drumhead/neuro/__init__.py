"""From electrodes and films to fields, what is found in them, and what a network's medium would be in cortex.

    recordings   recording (arrays, nwb, opening, lattice), suspects; observe: the array, as what it does to waves
    fit          fit (whittle, operators, lags, search, verdict); of weights cortex, continuum, dispersion, effective,
                 slowing, portrait, around, measured
    comparison   compare (vector, ceiling, distance, dynamics, compare_media, compare_tables), responses
    report       analysis and states look (patterns, seen); findings, numbers, tables, page and plates tell

In brackets stands what a file is made of.
"""

from drumhead.neuro.analysis import Analysis, analyse
from drumhead.neuro.compare import Comparison, compare
from drumhead.neuro.continuum import Continuum
from drumhead.neuro.cortex import Cortex, damping, quality
from drumhead.neuro.dispersion import Discrete
from drumhead.neuro.dynamics import dsa, propagators, reversed_in_time, spectra
from drumhead.neuro.effective import Effective, bands, effective
from drumhead.neuro.fit import fit
from drumhead.neuro.measured import RANGES, Measured
from drumhead.neuro.observe import Observation
from drumhead.neuro.portrait import Portrait, pooled, spread, typical
from drumhead.neuro.recording import read
from drumhead.neuro.responses import explained, noise_ceiling, rdm, rsa
from drumhead.neuro.slowing import gain_of, tanh_gain
from drumhead.neuro.suspects import mains, suspects
from drumhead.neuro.vector import MEASURES, vector
from drumhead.neuro.verdict import Estimate, Fit
