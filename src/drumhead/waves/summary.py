"""Many frames in one number each, averaged as it should be."""

from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    from xarray import Dataset

LOGARITHMIC = ("speed", "wavelength")


def summary(p: "Dataset", keep: Any = None) -> dict[str, float]:
    """Return one number for each measure of many frames.

    Of directions the angle of <exp(i direction)>, and `resultant`, its length: 1 if all go one way, near 0 if any way.
    Of speeds and wavelengths exp(median(log)), which does the same to twice and to half; of all else the mean.

    Args:
        p: what `planar` or `radial` returns, or the epochs that `detect` does.
        keep: bool (time,), the frames to use, as `p.pgd > 0.5`; by default all that have numbers.

    Returns:
        `frames`, how many were used, and the numbers, in the units of `p`; what is words, as a kind, is left out.

    Raises:
        DrumheadError: no speeds, or no frame is left.

    Source:
        N. I. Fisher, Statistical Analysis of Circular Data, 1993.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(), frequency=20, speed=0.3, direction=np.pi)
        >>> s = dh.waves.summary(dh.waves.planar(dh.waves.phase(x, band="5-40 Hz")))
        >>> round(s["speed"], 2), round(abs(s["direction"]), 2), round(s["resultant"], 3)
        (0.3, 3.14, 1.0)
    """
    if "speed" not in getattr(p, "data_vars", ()):
        raise DrumheadError(
            f"summary takes what planar, radial or detect returns, got {type(p).__name__} without speeds; begin with "
            "dh.waves.planar(dh.waves.phase(x, '10-30 Hz'))"
        )
    use = ~np.isnan(p["speed"].values)
    if keep is not None:
        use &= np.asarray(keep, bool)
    if not use.any():
        raise DrumheadError("no frame is left to average; keep more of them, or find phases at more sites")
    out = {"frames": float(use.sum())}
    for name, variable in p.data_vars.items():
        if not np.issubdtype(variable.dtype, np.number):
            continue
        values = variable.values[use]
        values = values[~np.isnan(values)]
        if not len(values):
            out[str(name)] = np.nan
        elif name == "direction":
            mean = np.exp(1j * values).mean()
            out |= {"direction": float(np.angle(mean)), "resultant": float(np.abs(mean))}
        elif name in LOGARITHMIC:
            with np.errstate(divide="ignore"):
                out[str(name)] = float(np.exp(np.median(np.log(values))))
        else:
            out[str(name)] = float(values.mean())
    return out
