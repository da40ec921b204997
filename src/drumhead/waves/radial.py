"""How much of each moment is rings about a source, where it is, and whether they run outward."""

from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.waves.climb import turned
from drumhead.waves.fields import unit_of_length
from drumhead.waves.frames import counting, inherited, mean, parts, phases, together, turning
from drumhead.waves.gradient import sloping
from drumhead.waves.rings import Rings, away_from
from drumhead.waves.units import Quantity, signed

if TYPE_CHECKING:
    from xarray import Dataset

LEAST = 5  # sites: rings have four parameters, and the fifth can disagree


def radial(ph: "Dataset", source: str | tuple[Quantity, Quantity] = "each", *, neighbours: int = 6) -> "Dataset":
    """Return for each time how well rings about a source fit, where it is, and how long and how fast the rings are.

    With the distances d_j = |r_j - source|, <.> the mean over sites and corr the correlation over sites,

        R = max over s and the source of |<exp(i (phi_j + s d_j))>|;   speed = 2 pi |<f_j>| / |s|
        sign = sign(s)                                                 1 outward, a source; -1 inward, a sink
        rho^2 = (a^2 + b^2 - 2 a b c) / (1 - c^2)                      a = corr(d, cos phi), b = corr(d, sin phi),
                                                                       c = corr(sin phi, cos phi)
        centred_pgd = <k_j . e_j> / <|k_j|>                            k_j = -grad phi, unit e_j away from the source

    Every site (at most 400; elsewhere, a grid as dense as the sites) is tried as a source with all wave numbers below
    pi a pitch; Newton's method goes on from the best one, between the sites and not beyond them.

    Args:
        ph: what `phase` returns.
        source: "each", a source of its own for each time; "one" for all times: the one with the largest mean R, and
            the median of where Newton's method goes from there; or a place (y, x), in m or as ("1.8 mm", "-0.4 mm"), in
            pixels of a field without a pitch; it may lie beyond the sites.
            A search finds something in any noise: compare with the same search of shuffled channels.
        neighbours: of sites anywhere, see `gradient`.

    Returns:
        source_y and source_x; R; sign; rho, from 0 to 1, which is no straight measure of quality: clean rings
        that span 0.45, 0.65 and 0.91 waves have 0.99, 0.98 and 0.91; centred_pgd, from -1 (inward) to 1 (outward);
        wavelength and speed; aperture_over_wavelength, how many waves lie between the nearest and the farthest site.

    Raises:
        DrumheadError: not what `phase` returns, a source that is none, or fewer than five good sites.

    Source:
        L. Muller, A. Reynaud, F. Chavane, A. Destexhe, Nat. Commun. 5, 2014, and Davis et al., Nature 587, 2020 (rho);
        R. Kempter, C. Leibold, G. Buzsaki, K. Diba, R. Schmidt, J. Neurosci. Methods 207, 2012 (the slope s).

    Example:
        >>> x = dh.waves.synth.target(dh.waves.synth.Array(), frequency=20, speed=0.1, source=(0.001, 0.0022))
        >>> r = dh.waves.summary(dh.waves.radial(dh.waves.phase(x, band="5-40 Hz"), source="one"))
        >>> [round(r[name], 4) for name in ("source_y", "source_x")], round(r["speed"], 2), r["sign"]
        ([0.001, 0.0022], 0.1, 1.0)
    """
    from xarray import Dataset

    phi = phases(ph, "radial")
    frequency = ph["frequency"].transpose(*phi.dims).values.reshape(phi.sizes["time"], -1)
    at, used = counting(phi, LEAST, "radial")
    flat = phi.values.reshape(len(frequency), -1)[:, used]
    slopes, rings, frames = sloping(phi, neighbours), Rings(at), list(parts(phi))
    length, named = unit_of_length(phi), isinstance(source, str)
    sources, fixed = rings.sources, not (named and source == "each")
    if named and source == "one":
        total = sum(rings.search(turning(flat[i])[0], sources)[2].sum(0) for i in frames)
        near = sources[[np.argmax(total)]]
        sources = np.median(np.concatenate([rings.fit(turning(flat[i])[0], near)[1] for i in frames]), axis=0)[None]
    elif fixed:
        sources = _place(source, length)
    found = []
    for i in frames:
        unit, there = turning(flat[i])
        s, places = rings.fit(unit, sources, fixed)
        ky, kx = (k.reshape(len(unit), -1)[:, used] for k in slopes(phi.values[i]))
        found.append(_measured(unit, there, frequency[i][:, used], ky, kx, rings.at, s, places))
    units = {"source_y": length, "source_x": length, "wavelength": length, "speed": f"{length}/s"}
    return Dataset(
        {name: ("time", values, {"units": units.get(name, "1")}) for name, values in together(found).items()},
        {"time": phi["time"]},
        inherited(ph) | {
            "sites": len(used), "source": source if named else "given",
            "R_definition": "largest |<exp(i (phi + s d))>| over s" + ("" if fixed else " and the source"),
            "sign_definition": "1 outward, -1 inward",
            "rho_definition": "circular-linear correlation of the phase with the distance from the source",
            "centred_pgd_definition": "<k . e> / <|k|>, e the unit vector away from the source",
            "aperture_definition": "largest less smallest distance from the source, over the wavelength",
        },
    )  # fmt: skip


def _measured(
    unit: np.ndarray, there: np.ndarray, f: np.ndarray, ky: np.ndarray, kx: np.ndarray, at: np.ndarray, s: np.ndarray,
    source: np.ndarray,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return the measures of some frames (frame, site) for rings of the wave numbers s about their sources."""
    away, y, x = (part.T for part in away_from(at, source))
    with np.errstate(invalid="ignore", divide="ignore"):
        wavelength = 2 * np.pi / np.abs(s)
        sloped = np.isfinite(ky) & np.isfinite(kx) & ((y != 0) | (x != 0))
        centred = mean(ky * y + kx * x, sloped) / mean(np.hypot(ky, kx), sloped)
        numbers = {
            "source_y": source[:, 0], "source_x": source[:, 1],
            "R": np.abs(mean(unit * turned(s[:, None] * away), there)),
            "sign": np.sign(s), "rho": rho_linear(away, unit, there), "centred_pgd": centred,
            "wavelength": wavelength, "speed": wavelength * np.abs(mean(f, there)),
            "aperture_over_wavelength": np.ptp(away, axis=1) / wavelength,
        }  # fmt: skip
    enough = there.sum(1) >= LEAST
    return {name: np.where(enough, values, np.nan) for name, values in numbers.items()}


def rho_linear(d: np.ndarray, unit: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the circular-linear correlation of distances with phases exp(i phi), over sites (frame, site)."""
    d, cosine, sine = (np.where(there, u - mean(u, there)[:, None], 0) for u in (d, np.real(unit), np.imag(unit)))
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b, c = (
            (u * v).sum(1) / np.sqrt((u * u).sum(1) * (v * v).sum(1))
            for u, v in ((d, cosine), (d, sine), (sine, cosine))
        )
        return np.sqrt(np.clip((a**2 + b**2 - 2 * a * b * c) / (1 - c**2), 0, 1))


def _place(source: object, unit: str) -> np.ndarray:
    """Return a place (1, 2) in the unit of the places, "m" or "px"."""
    try:
        if isinstance(source, str):
            raise ValueError
        place = [signed("source", part, "length") for part in source]  # pyright: ignore[reportGeneralTypeIssues]
        y, x = place
    except (TypeError, ValueError):
        raise DrumheadError(
            f"source={source!r}: 'each', 'one' or a place (y, x) in m or as ('1.8 mm', '0.4 mm') is needed"
        ) from None
    if unit != "m" and any(isinstance(part, str) for part in source):  # pyright: ignore[reportGeneralTypeIssues]
        raise DrumheadError(f"source={source!r}: this field has no pitch, so give numbers of pixels")
    return np.array([[y, x]])
