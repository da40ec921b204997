"""What is to be said of a sheet whose edges are joined, which no cortex is: whether waves come around it, how loud."""

import math

from drumhead.waves.units import said

FAINT = 0.05  # of a wave, that may come around without being seen much


def joined_edges(boundary: str, side: float, pace: float, seconds: float, tau: float) -> tuple[str, ...]:
    """Return a warning about joined edges, or none where there are none.

    Args:
        boundary: of the sheet.
        side: the shorter one, in m.
        pace: of long waves, in m/s.
        seconds: how long the sheet is looked at.
        tau: time in s after which an amplitude has fallen to 1 / e.

    Example:
        >>> joined_edges("periodic", 0.0128, 0.3, 0.015, 0.003)[0].split(". ")[1]
        'In 15 ms a long wave runs 4.5 mm of a side of 12.8 mm, not all the way.'
    """
    if boundary != "periodic":
        return ()
    words = (
        "Edges are joined (boundary periodic): a wave that leaves at one side comes in at the other, as in no cortex."
    )
    if seconds * pace <= side:
        way, whole = said(seconds * pace, "m"), said(side, "m")
        return (f"{words} In {said(seconds, 's')} a long wave runs {way} of a side of {whole}, not all the way.",)
    left = math.exp(-side / pace / tau)
    faint = (
        f"{100 * left:.2g} % of it is" if left > 1e-4 else "less than 0.01 % of it is"
    ) + f" left by then (tau {said(tau, 's')})."
    advice = " Do not trust wavelengths and planes near the size of the sheet; train with another boundary."
    return (
        f"{words} A long wave comes around the side of {said(side, 'm')} after {said(side / pace, 's')}, and "
        f"{said(seconds, 's')} are looked at; {faint}{advice if left > FAINT else ''}",
    )
