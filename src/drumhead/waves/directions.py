"""What a k-f spectrum says: which way the power goes, how much of it travels, and how fast."""

from typing import TYPE_CHECKING

import numpy as np

from drumhead.errors import DrumheadError, positive
from drumhead.waves.units import band_edges
from drumhead.waves.wavenumbers import needs

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

SPAN = 9  # frequencies in a row for a group speed: a tone is seen in fewer, under a window, and has none
AXES = {"x": 0.0, "y": np.pi / 2}


def direction_index(
    spectrum: "DataArray", axis: str | float = "x", band: str | tuple[float, float] | None = None
) -> "Dataset":
    """Return which way the power goes along an axis, and how much of it travels at all.

        asymmetry  (S(k) - S(-k)) / (S(k) + S(-k))
        log_ratio  log10 of the power forward over the power backward
        travelling mean of |A(k) - A(-k)| / (A(k) + A(-k)), A the root of S, weighted with the power

    Args:
        spectrum: of `kf`, of many segments: of one alone noise travels, too.
        axis: "x", "y", or the angle of forward, in rad from x toward y.
        band: frequencies that count, "8-13 Hz"; by default all.

    Returns:
        asymmetry (f, ky, kx); forward and backward (f), the power per Hz of the two half planes; and of the whole band
        index, (forward - backward) / (forward + backward), log_ratio and travelling: 0 for a standing wave, 1 for a
        plane one, and for `synth.mixture` the share. Rings and spirals go everywhere and count as standing.
        Wave numbers that are their own opposite (0 and the Nyquist one) go nowhere and are left out.

    Raises:
        DrumheadError: no k-f spectrum, an axis that is none, a band without frequencies.

    Source:
        Alamia & VanRullen, PLoS Biol. 17 (2019), forward and backward power, there as the largest of a quadrant.

    Example:
        >>> array = dh.waves.synth.Array((1, 16), pitch="1 mm", fs="200 Hz", duration="4 s")
        >>> S = dh.waves.kf(dh.waves.synth.mixture(array, 0.5, frequency=20, speed=0.08), segment="1 s")
        >>> found = dh.waves.direction_index(S, "x", band="15-25 Hz")
        >>> round(float(found.travelling), 2), round(float(found.log_ratio), 2)  # log10 of (1.5 / 0.5)^2 is 0.95
        (0.5, 0.95)
    """
    from xarray import Dataset

    needs(spectrum)
    if isinstance(axis, str) and axis not in AXES:
        raise DrumheadError(f"axis={axis!r}: 'x', 'y' or an angle in rad is needed")
    angle = AXES[axis] if isinstance(axis, str) else float(axis)
    if band is not None:
        low, high = band_edges("band", band)
        spectrum = spectrum.sel(f=(spectrum["f"] >= low) & (spectrum["f"] <= high))
        if not len(spectrum):
            raise DrumheadError(f"band={band!r}: the spectrum has no frequency there")
    power, (one, alone_y), (other, alone_x) = spectrum.values, _opposite(spectrum["ky"]), _opposite(spectrum["kx"])
    back = power[:, one][:, :, other]
    ky, kx = spectrum["ky"].values[:, None], spectrum["kx"].values
    longest = max(np.abs(ky).max(), np.abs(kx).max())
    alone = alone_y[:, None] | alone_x | (np.hypot(ky, kx) < 1e-9 * longest)
    ahead = np.cos(angle) * kx + np.sin(angle) * ky
    ahead = np.where(alone | (np.abs(ahead) < 1e-9 * longest), 0.0, ahead)
    if not ahead.any():
        raise DrumheadError(
            f"axis={axis!r}: the array is one site long there, so the spectrum has no way to go along it"
        )
    if not power.any():
        raise DrumheadError("the spectrum has no power at all; was the field constant?")
    area = float(np.prod([k[1] - k[0] for k in (ky.ravel(), kx) if len(k) > 1]))
    forward, backward = (power[:, sign * ahead > 0].sum(1) * area for sign in (1, -1))
    both, root, root_back = power + back, np.sqrt(power), np.sqrt(back)
    with np.errstate(invalid="ignore", divide="ignore"):
        asymmetry = np.where(both > 0, (power - back) / both, 0.0)
        share = np.where(both > 0, np.abs(root - root_back) / (root + root_back), 0.0)
        total, total_back = forward.sum(), backward.sum()
        numbers = {
            "index": (total - total_back) / (total + total_back),
            "log_ratio": np.log10(total / total_back),
            "travelling": (share * both)[:, ~alone].sum() / both[:, ~alone].sum(),
        }
    return Dataset(
        {"asymmetry": (spectrum.dims, asymmetry), "forward": ("f", forward), "backward": ("f", backward), **numbers},
        spectrum.coords,
        {"axis": angle, "segments": spectrum.attrs.get("segments", 1)},
    )


def ridge(spectrum: "DataArray", floor: float = 1e-3, contrast: float = 4.0) -> "Dataset":
    """Return the strongest wave number of each frequency, and the speeds that follow from it.

        phase speed 2 pi f / k, group speed 2 pi df/dk

    Args:
        spectrum: of `kf` for one plane wave at each frequency; of `azimuthal` for waves that go everywhere.
        floor: leave out frequencies whose peak is less than this share of the highest.
        contrast: leave out frequencies whose peak is less than so many times the median over k.

    Returns:
        Over f: k, phase_speed and group_speed (m/s, or px/s), of `kf` also ky, kx and direction (the wave's, in rad
        from x toward y), power of the peak, and clear, whether it passed; the others are NaN if not. A peak is
        placed by a parabola through the logarithm of the power; a group speed is the slope over 9 frequencies.

    Raises:
        DrumheadError: no spectrum of these, or a floor or contrast that is none.

    Source:
        Whitham, Linear and Nonlinear Waves, Wiley (1974), on both speeds.

    Example:
        >>> array = dh.waves.synth.Array((16, 16), pitch="1 mm", fs="200 Hz", duration="4 s")
        >>> wave = dh.waves.synth.plane(array, frequency=20, speed=0.1, direction=np.pi / 4)
        >>> top = dh.waves.ridge(dh.waves.kf(wave, segment="1 s")).sel(f=20)
        >>> round(float(top.phase_speed), 2), round(float(np.degrees(top.direction)))
        (0.1, 45)
    """
    from xarray import Dataset

    floor, contrast = positive("floor", floor), positive("contrast", contrast)
    rings = getattr(spectrum, "dims", ()) == ("f", "k")
    if not rings:
        needs(spectrum)
    power, f = spectrum.values, spectrum["f"].values
    flat = power.reshape(len(power), -1)
    peak = flat.max(1)
    clear = (peak > floor * peak.max(initial=0)) & (peak > contrast * np.median(flat, axis=1)) & (f > 0)
    at = np.unravel_index(flat.argmax(1), power.shape[1:])
    found = {
        str(name): np.where(clear, _summit(power, at, axis, spectrum[name].values, not rings), np.nan)
        for axis, name in enumerate(spectrum.dims[1:])
    }
    length = str(spectrum[spectrum.dims[-1]].attrs.get("units", "rad/px")).removeprefix("rad/")
    if not rings:
        found["k"] = np.hypot(found["ky"], found["kx"])
        found["direction"] = np.arctan2(found["ky"], found["kx"])
    k = found["k"]
    slope = _slope(f, k)
    for name, over, under in (("phase_speed", f, k), ("group_speed", 1.0, slope)):
        found[name] = 2 * np.pi * over / np.where(under == 0, np.nan, under)
    units = {"direction": "rad", "phase_speed": f"{length}/s", "group_speed": f"{length}/s"}
    values = {name: ("f", value, {"units": units.get(name, f"rad/{length}")}) for name, value in found.items()}
    return Dataset({**values, "power": ("f", peak), "clear": ("f", clear)}, {"f": spectrum["f"]}, spectrum.attrs)


def _opposite(k: "DataArray") -> tuple[np.ndarray, np.ndarray]:
    """Return where -k stands for each k, and which k is its own opposite without being 0: the Nyquist one."""
    count = len(k)
    place = (2 * (count // 2) - np.arange(count)) % count
    return place, (place == np.arange(count)) & (k.values != 0)


def _summit(power: np.ndarray, at: tuple[np.ndarray, ...], axis: int, k: np.ndarray, circular: bool) -> np.ndarray:
    """Return the place along an axis of the peaks at bins `at`, from a parabola through three logarithms."""
    here, each = at[axis], np.arange(len(power))
    if len(k) < 3:
        return k[here]
    sides = []
    for step in (-1, 0, 1):
        near = list(at)
        near[axis] = (here + step) % len(k)
        sides.append(np.log(np.maximum(power[(each, *near)], np.finfo(float).tiny)))
    bend = sides[0] - 2 * sides[1] + sides[2]
    shift = np.where(bend < 0, (sides[0] - sides[2]) / np.where(bend < 0, 2 * bend, 1), 0.0)
    if not circular:
        shift = np.where((here == 0) | (here == len(k) - 1), 0.0, shift)
    return k[here] + shift * (k[1] - k[0])


def _slope(f: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return dk/df by least squares over SPAN neighbouring frequencies, NaN unless all have a k."""
    out = np.full(len(f), np.nan)
    if len(f) >= SPAN:
        near = np.lib.stride_tricks.sliding_window_view(k, SPAN)
        off = np.arange(SPAN) - SPAN // 2
        out[SPAN // 2 : len(f) - SPAN // 2] = near @ off / (off**2).sum() / (f[1] - f[0])
    return out
