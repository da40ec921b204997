"""What an analysis says, in words: the verdict, and what to beware of."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.neuro.patterns import CUSTOMARY
from drumhead.waves.fields import good
from drumhead.waves.summary import summary
from drumhead.waves.units import plain, said

if TYPE_CHECKING:
    from xarray import Dataset

    from drumhead.neuro.seen import Seen

SIGNIFICANT = 0.05
ONE_WAY = 0.5  # of a singularity, that a frame has on average, charges of both signs added up
SMALL = 0.25  # of a wavelength, below which an aperture cannot tell a wave from what swells everywhere at once
WHOLE = 1.0  # wavelength, below which speeds and wavelengths are rough
PERMITTED = 0.05  # of surrogate frames, that a detection may call waves
REPAIRED = 0.1  # of the phases: noise alone has 0.2 in 5-40 Hz
HELD = 0.7  # resultant of directions, below which their mean may be a way that no frame goes
WAYS = ("right", "right and down", "down", "left and down", "left", "left and up", "up", "right and up")
FREE = {
    "channel_shuffle": "order in space, which smooth noise has as well",
    "independent_phase": "relations between sites, which smooth noise has as well",
}


def verdict(a: "Seen") -> str:
    """Return what was found, in a sentence or two."""
    band, test = band_text(a), a.travels
    if test is None:
        return states_verdict(a)
    p = f"p = {test.p:.3g}" + (" or less" if test.p <= test.resolution * 1.001 else "")
    if test.null in FREE:
        there = "There is" if test.p <= SIGNIFICANT else "There is no sign of"
        return (
            f"{there} {FREE[test.null]}, in {band} ({p} against {test.null}). Whether it travels, only the null "
            "zero_lag can tell."
        )
    span = aperture(a)
    if test.p > SIGNIFICANT:
        if span < SMALL:
            return (
                f"The sites span {span:.2g} of a wavelength in {band}: too small to tell whether anything travels "
                f"({p})."
            )
        words = f"Nothing here travels in {band} more than chance lets it ({p})."
        if a.operator is not None and a.operator.identifiable:
            words += (
                f" Yet the sites are related as those of a medium with waves of {_told(a.operator)} "
                "are, which run all ways alike and so leave no lag."
            )
        return words
    words = f"Waves travel in {band} ({p} against surrogates without lags): {_way(a)}{_pace(a)}."
    if span < WHOLE and test.kind != "rotation":
        words += f" The sites span {'only ' if span < SMALL else ''}{span:.2g} of a wavelength, so "
        words += "nothing said of speed and wavelength holds." if span < SMALL else "speed and wavelength are rough."
    return words + _turning(a)


def _told(fit: Any) -> str:
    """Return the speed of a fitted medium."""
    return said(fit.speed.value, f"{fit.length}/s")


def states_verdict(a: "Seen") -> str:
    """Return what the states of a network do, which no test is told of."""
    here, chance = (100 * a.patterns.shares(null)["planar"] for null in (False, True))
    return (
        f"In {a.trials} sheets of hidden states, whose power lies in {band_text(a)}, phases run from place to place"
        f"{_pace(a).removeprefix(',')}. As a whole a sheet is one plane wave in {here:.0f} % of the frames "
        f"({chance:.0f} % by chance). What an image sets off is a transient, so no p is told."
    )


def warnings(a: "Seen") -> list[str]:
    """Return what a reader has to beware of."""
    found, patterns = list(a.warnings), a.patterns
    if patterns.customary > PERMITTED:
        found.append(
            f"Do not call frames of PGD > {CUSTOMARY:g} waves here: {100 * patterns.customary:.0f} % of the frames of "
            f"surrogates, in which nothing travels, exceed it. The level that 5 % of them exceed is "
            f"{patterns.level:.2f}."
        )
    if (repaired := float(a.phases.attrs.get("repaired_fraction", 0.0))) > REPAIRED:
        found.append(
            f"{100 * repaired:.0f} % of the phases were drawn over moments in which they would run backward; more than "
            f"{100 * REPAIRED:.0f} % speaks for noise, or for a band that is too wide."
        )
    if a.operator is not None and not a.operator.identifiable:
        found.append(f"The medium is not identified: {a.operator.verdict}")
    if bad := int((~good(a.x)).sum()):
        has = "has no numbers (NaN) and is" if bad == 1 else "have no numbers (NaN) and are"
        found.append(f"{bad} of {good(a.x).size} sites {has} left out everywhere.")
    return found


def aperture(a: "Seen") -> float:
    """Return how many wavelengths the sites span in the median frame that counts, of planes or of rings if more."""
    planes = a.patterns.planar.isel(time=a.patterns.kept)  # those whose speed and wavelength are told
    seen = [planes] + ([] if a.patterns.radial is None else [a.patterns.radial])
    return max(float(np.nanmedian(one["aperture_over_wavelength"])) for one in seen[: 1 + _from_a_source(a)])


def speeds(a: "Seen", null: bool = False) -> dict[str, Any]:
    """Return direction, speed and the rest of the frames that count, or of all frames of surrogates."""
    if null:
        return _typical(a.patterns.planar_null)
    return _typical(a.patterns.planar.isel(time=a.patterns.kept))


def ring_speeds(a: "Seen") -> dict[str, Any]:
    """Return speed, source and the rest of the frames in which sources were searched."""
    return {} if a.patterns.radial is None else _typical(a.patterns.radial)


def _typical(frames: "Dataset") -> dict[str, Any]:
    found: dict[str, Any] = summary(frames)
    for name in ("speed", "wavelength"):
        found[f"{name}_quartiles"] = [float(q) for q in np.nanpercentile(frames[name], (25, 75))]
    return found


def band_text(a: "Seen") -> str:
    """Return the band as people write it."""
    return f"{a.band[0]:.3g}-{a.band[1]:.3g} Hz"


def toward(angle: float) -> str:
    """Return where an angle from x toward y points.

    Example:
        >>> toward(0.0), toward(np.pi / 2), toward(-0.7)
        ('0° (right)', '90° (down)', '-40° (right and up)')
    """
    return f"{math.degrees(angle):.0f}° ({WAYS[round(angle / (math.pi / 4)) % 8]})"


def _from_a_source(a: "Seen") -> bool:
    """Say whether the test speaks for one source; what flows one way flows away from the edge it comes from, too."""
    shares = a.patterns.shares()
    return a.travels is not None and a.travels.kind == "source" and shares.get("radial", -1.0) >= shares["planar"]


def _way(a: "Seen") -> str:
    test = a.travels
    assert test is not None
    if test.kind == "rotation":
        way = "from x toward y" if test.charge > 0 else "from y toward x"
        return f"around a core near {_place(test.core, a.length)}, {way}"
    if _from_a_source(a):
        return f"{'away from a source' if test.outward else 'into a sink'} near {_place(test.source, a.length)}"
    if test.p_of["direction"] <= SIGNIFICANT:
        found = speeds(a)
        held = found["resultant"]
        spread = "" if held >= HELD else f" on the whole, but frame by frame not always (resultant {held:.2f} of 1)"
        return f"toward {toward(found['direction'])}{spread}"
    return "in directions that hold for a few cycles and then change"


def _place(at: tuple[float, float], length: str) -> str:
    return " and ".join(f"{name} = {said(value, length)}" for name, value in zip("yx", at, strict=True))


def _pace(a: "Seen") -> str:
    """Return speed and wavelength; "" of a wave that turns, which has neither: it is faster the farther out."""
    if a.travels is not None and a.travels.kind == "rotation":
        return ""
    found, unit = ring_speeds(a) if _from_a_source(a) else speeds(a), f"{a.length}/s"
    low, high = found["speed_quartiles"]
    return (
        f", at {said(found['speed'], unit)} (quartiles {plain(low)}-{plain(high)}), "
        f"{said(found['wavelength'], a.length)} long"
    )


def _turning(a: "Seen") -> str:
    """Return a sentence on waves that turn about a point; "" unless flow and singularities agree that there are any.

    Flow alone is not enough, since a plane wave goes around the corners that it passes.
    """
    here, chance, test = a.patterns.turning(), a.patterns.turning(null=True), a.travels
    if test is None or test.p_of["rotation"] > SIGNIFICANT or not here or here["one_way"] < ONE_WAY:
        return ""
    return (
        f" A wave turns about a point, always the same way round (rotation alone: p = {test.p_of['rotation']:.3g}; "
        f"singularities less their opposites: {here['one_way']:.2f} a frame, at most {chance['one_way']:.2f} in "
        "surrogates)."
    )
