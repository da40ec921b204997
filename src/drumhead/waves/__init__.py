"""Instruments on any series (time, ..., y, x). NumPy and SciPy only."""
