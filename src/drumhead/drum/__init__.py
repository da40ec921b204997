"""Drums: membranes of any shape, how they ring, and what can be heard of their shape. NumPy and SciPy, no torch."""

from drumhead.drum.area import Heard, Squares, area_heard, squares
from drumhead.drum.lines import Lines, lines
from drumhead.drum.membranes import Membrane, from_mask, read
from drumhead.drum.modes import Modes, count_below, laplacian, modes, ringing, square_values
from drumhead.drum.pairs import differences, gww, notched
from drumhead.drum.shapes import SHAPES, polygon, shape
from drumhead.drum.strike import innermost, lively, strike
from drumhead.drum.weyl import Weyl, counted, lattice_count, weyl
from drumhead.waves.spectra import fundamental, spectrum
