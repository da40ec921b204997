"""How much of each moment is one plane wave, where it goes and how fast."""

from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import choose
from drumhead.waves.climb import turned
from drumhead.waves.fields import unit_of_length
from drumhead.waves.frames import counting, inherited, mean, parts, phases, rho_circular, together, turning
from drumhead.waves.gradient import Slopes, sloping
from drumhead.waves.planes import Planes

if TYPE_CHECKING:
    from xarray import Dataset

METHODS = {
    "plane": "2 pi |<f>| / |k|, k of the plane that fits best",
    "ratio": "<|d phi / dt|> / |<grad phi>| (Rubino, Robbins and Hatsopoulos 2006)",
    "local": "median over sites of |d phi / dt| / |grad phi|: biased low by noise",
}
LEAST = 4  # sites: a plane has three parameters, and the fourth can disagree


def planar(ph: "Dataset", method: str = "plane", *, neighbours: int = 6) -> "Dataset":
    """Return for each time how planar the wave is, where it goes, how long and how fast it is.

    With the local wave vectors k_j = -grad phi (see `gradient`), <.> the mean over sites and f_j the frequencies,

        pgd = |<k_j>| / <|k_j|>        phase gradient directionality: 1 if all agree
        plane                          k maximises R = |<exp(i (phi_j + k . r_j))>|; speed = 2 pi |<f_j>| / |k|
        ratio                          k = <k_j>; speed = 2 pi <|f_j|> / |k|
        local                          direction of <k_j>; speed = median 2 pi |f_j| / |k_j|, and wavelength alike

    and direction = atan2(k_y, k_x), wavelength = 2 pi / |k|. The plane is searched on a fine grid of wave vectors (a
    zero-padded Fourier transform, or a sum for sites anywhere) and refined by Newton's method.

    Args:
        ph: what `phase` returns.
        method: "plane" holds up best in noise; "ratio" is the common one; "local" takes noise for short, slow waves: at
            three times the noise it gave 0.98, 0.85 and 0.49 of the speed of waves of 12, 37 and 100 pixels on
            10 x 10 sites (20 Hz, band 5-40 Hz), where the plane gave 1.00 of each.
        neighbours: of sites anywhere, see `gradient`.

    Returns:
        pgd; direction in rad, from x toward y; wavelength in m and speed in m/s (px and px/s without a pitch); ky and
        kx; R and rho2, how well the plane fits (rho2: the squared circular correlation of phases and plane, adjusted
        for two slopes); aperture_over_wavelength, how many waves the sites span along the direction: the fewer,
        the less noise blurs all else. The definitions are in attrs. On a line of sites, all is along the line.

    Raises:
        DrumheadError: not what `phase` returns, an unknown method, or fewer than four good sites.

    Source:
        D. Rubino, K. A. Robbins, N. G. Hatsopoulos, Nat. Neurosci. 9, 2006 (pgd, ratio); H. Zhang, A. J. Watrous,
        A. Patel, J. Jacobs, Neuron 98, 2018 (plane); S. R. Jammalamadaka, A. SenGupta, Topics in Circular Statistics,
        2001 (rho).

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(), frequency=20, speed=0.3, direction=1.0)
        >>> p = dh.waves.planar(dh.waves.phase(x, band="5-40 Hz"))
        >>> [round(float(p[name].median()), 2) for name in ("speed", "direction", "pgd", "aperture_over_wavelength")]
        [0.3, 1.0, 1.0, 0.33]
    """
    from xarray import Dataset

    choose("method", method, METHODS)
    phi = phases(ph, "planar")
    frequency = ph["frequency"].transpose(*phi.dims).values
    at, used = counting(phi, LEAST, "planar")
    slopes, planes = sloping(phi, neighbours), Planes(phi, at, used)
    found = together([_measured(phi.values[i], frequency[i], slopes, planes, method) for i in parts(phi)])
    length = unit_of_length(phi)
    units = {"direction": "rad", "wavelength": length, "speed": f"{length}/s", "ky": f"rad/{length}"}
    units["kx"] = units["ky"]
    return Dataset(
        {name: ("time", values, {"units": units.get(name, "1")}) for name, values in found.items()},
        {"time": phi["time"]},
        inherited(ph) | {
            "method": method, "sites": len(used), "shortest_wavelength": slopes.shortest,
            "pgd_definition": "|<grad phi>| / <|grad phi|> over sites (Rubino, Robbins and Hatsopoulos 2006)",
            "direction_definition": "where the wave goes, in rad from x toward y (y grows downward)",
            "speed_definition": METHODS[method],
            "R_definition": "largest |<exp(i (phi + k . r))>| over k",
            "rho2_definition": "1 - (1 - rho^2) (n - 1) / (n - 3), rho the circular correlation of phases and plane",
            "aperture_definition": "extent of the sites along the direction, over the wavelength",
        },
    )  # fmt: skip


def directionality(ky: np.ndarray, kx: np.ndarray) -> np.ndarray:
    """Return pgd (frame,), |<k>| / <|k|>, of wave vectors (frame, *sites); NaN of none."""
    ky, kx = (k.reshape(len(k), -1) for k in (ky, kx))
    there = np.isfinite(ky) & np.isfinite(kx)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.hypot(mean(ky, there), mean(kx, there)) / mean(np.hypot(ky, kx), there)


def _measured(
    phi: np.ndarray, frequency: np.ndarray, slopes: Slopes, planes: Planes, method: str
) -> dict[str, np.ndarray]:
    """Return the measures of some frames (time, *sites)."""
    ky, kx = (k.reshape(len(phi), -1)[:, planes.used] for k in slopes(phi))
    unit, there = turning(phi.reshape(len(phi), -1)[:, planes.used])
    f = frequency.reshape(len(phi), -1)[:, planes.used]
    sloped, n = np.isfinite(ky) & np.isfinite(kx), there.sum(1)
    plane = planes(unit)
    R, rho = _fit(unit, there, planes.at, plane)
    k = plane if method == "plane" else np.stack([mean(ky, sloped), mean(kx, sloped)], 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.hypot(*k.T)
        wavelength = 2 * np.pi / length
        speed = wavelength * (np.abs(mean(f, there)) if method == "plane" else mean(np.abs(f), there))
        if method == "local":
            size = np.hypot(ky, kx)
            wavelength, speed = (_median(2 * np.pi / size * by, sloped) for by in (1, np.abs(f)))
        pgd = directionality(ky, kx)
        rho2 = 1 - (1 - rho**2) * (n - 1) / (n - 3)
        aperture = np.ptp((k / length[:, None]) @ planes.at.T, axis=1) / wavelength
    numbers = {
        "pgd": pgd, "direction": np.arctan2(k[:, 0], k[:, 1]), "wavelength": wavelength, "speed": speed,
        "ky": k[:, 0], "kx": k[:, 1], "R": R, "rho2": rho2, "aperture_over_wavelength": aperture,
    }  # fmt: skip
    return {name: np.where(n >= LEAST, values, np.nan) for name, values in numbers.items()}


def _fit(unit: np.ndarray, there: np.ndarray, at: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return R, and the circular correlation of the phases with those of the plane."""
    fitted = turned(-(k @ at.T))
    total = mean(unit * fitted.conj(), there)
    return np.abs(total), rho_circular(unit, fitted * turned(np.angle(total))[:, None], there)


def _median(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the median over sites of the values that are there, NaN of none."""
    values = np.sort(np.where(there, values, np.inf), axis=1)
    n = there.sum(1)
    low, high = (np.take_along_axis(values, np.maximum(i, 0)[:, None], 1)[:, 0] for i in ((n - 1) // 2, n // 2))
    return np.where(n > 0, (low + high) / 2, np.nan)
