"""The k-f spectrum: how much power goes where, at each frequency and wave number.

    S(f, k) = |sum over t and r of w x(t, r) exp(-i (2 pi f t - k . r))|^2

A wave cos(2 pi f t - k . r) stands at (f, +k), so +k means travelling toward + (an FFT as it comes puts it at -k). Wave
numbers are in rad/m: the phase speed is 2 pi f / k and the group speed 2 pi df/dk. An aperture of L tells wave numbers
apart that differ by 2 pi / L, and no better: waves longer than the aperture all look alike, whichever way they go.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import GRID, field, good, rate, spacing, unit_of_length
from drumhead.waves.units import Quantity, band_edges, quantity

if TYPE_CHECKING:
    from xarray import DataArray

SEGMENTS = 8  # half overlapping, when nothing else is asked


def kf(
    x: "DataArray", window: str | tuple = "hann", segment: Quantity | None = None, *,
    band: str | tuple[float, float] | None = None, pad: int = 2,
) -> "DataArray":  # fmt: skip
    """Return the power of a field at each frequency and wave number, averaged over segments of time.

        S(f, k) = |sum over t and r of w x exp(-i (2 pi f t - k . r))|^2 / sum of w^2, as a density

    Args:
        x: a field on a grid. Bad sites count as empty. What all sites share stands at k = 0 and, under a window, beside
            it; subtract x.mean(("y", "x")) first if it hides the rest.
        window: the taper along each axis, by SciPy's name: under "hann" a strong wave leaves weak ones far from it
            visible, "boxcar" parts those that lie near each other, ("dpss", 2.5) lies between.
        segment: length of the pieces that are averaged, "1 s": longer ones part frequencies that lie 1 / segment apart,
            more of them scatter less. They overlap by half. By default 8 fit into the recording.
        band: keep these frequencies alone, "5-40 Hz".
        pad: grid of wave numbers that much finer than 2 pi / L. It draws the same spectrum more smoothly.

    Returns:
        (f, ky, kx) in Hz and rad/m (rad/px without a pitch), one-sided in f: its sum times the steps of f, ky and kx is
        the variance; an axis of one site has no step. In attrs: resolution_f, resolution_ky and resolution_kx
        (2 pi / L), segments, window.

    Raises:
        DrumheadError: scattered sites, a segment longer than the recording, an empty band, an unknown window.

    Source:
        Capon, Proc. IEEE 57 (1969), on the k-f spectrum of arrays; Welch, IEEE Trans. Audio Electroacoust. 15 (1967).

    Example:
        >>> array = dh.waves.synth.Array((16, 16), pitch="1 mm", fs="200 Hz", duration="4 s")
        >>> S = dh.waves.kf(dh.waves.synth.plane(array, frequency=20, speed=0.1), segment="1 s")
        >>> top = S.where(S == S.max(), drop=True)
        >>> float(top.f[0]), round(float(top.kx[0])), float(abs(top.ky[0])), round(S.attrs["resolution_kx"])
        (20.0, 1178, 0.0, 393)
    """
    from scipy import fft
    from xarray import DataArray

    if set(getattr(x, "dims", ())) != set(GRID):
        got = ", ".join(map(str, getattr(x, "dims", ()))) or type(x).__name__
        raise DrumheadError(f"x: got {got}; a field on a grid is needed, of time, y, x (drumhead.waves.field)")
    x = field(x)
    fs, steps = rate(x), spacing(x)
    size = _segment(segment, len(x["time"]), fs)
    shape = (size, *x.shape[1:])
    tapers = [_taper(window, n) for n in shape]
    weight = tapers[1][:, None] * tapers[2] * good(x)
    values = np.nan_to_num(x.values)
    f = fft.rfftfreq(size, 1 / fs)
    low, high = (0.0, np.inf) if band is None else band_edges("band", band)
    kept = (f >= low) & (f <= high)
    if not kept.any():
        raise DrumheadError(
            f"band={band!r}: the spectrum has no frequency there; it has one every {fs / size:.4g} Hz, to {fs / 2:.4g}"
        )
    pad = whole("pad", pad)
    finer = [n * pad if n > 1 else 1 for n in shape[1:]]
    power = np.zeros((int(kept.sum()), *finer))
    starts = range(0, len(values) - size + 1, max(1, size // 2))
    for start in starts:
        piece = values[start : start + size]
        piece = (piece - piece.mean(0)) * tapers[0][:, None, None] * weight
        waves = np.asarray(fft.rfft(piece, axis=0))[kept]
        power += np.abs(np.asarray(fft.ifft2(waves, finer, norm="forward"))) ** 2  # exp(+ i k r): +k travels toward +
    once = np.isin(np.arange(len(f)), (0, size / 2))  # these have no negative twin
    power *= np.where(once, 1.0, 2.0)[kept][:, None, None]
    grids = [2 * np.pi * fft.fftfreq(n, step) for n, step in zip(finer, steps, strict=True)]
    reach = [2 * np.pi / step if n > 1 else 1.0 for n, step in zip(finer, steps, strict=True)]  # a line has no ky
    power /= len(starts) * (tapers[0] ** 2).sum() * (weight**2).sum() * np.prod(reach) * fs
    unit, length = x.attrs.get("units", ""), unit_of_length(x)
    coords: dict[str, Any] = {"f": ("f", f[kept], {"units": "Hz"})}
    for name, k in zip(("ky", "kx"), grids, strict=True):
        coords[name] = (name, fft.fftshift(k), {"units": f"rad/{length}"})
    attrs = {
        "units": f"{unit or '1'}^2/(Hz (rad/{length})^{sum(n > 1 for n in finer)})", "window": str(window),
        "segments": len(starts),
        "resolution_f": fs / size, "positive_k": "travels toward larger x and y",
        **{f"resolution_k{a}": k / n for a, n, k in zip("yx", shape[1:], reach, strict=True) if n > 1},
    }  # fmt: skip
    return DataArray(fft.fftshift(power, (1, 2)), coords, ("f", "ky", "kx"), "power", attrs)


def azimuthal(spectrum: "DataArray") -> "DataArray":
    """Return the spectrum S(f, |k|), the mean over all directions.

    Args:
        spectrum: of `kf`.

    Returns:
        (f, k): rings one step of the coarser axis wide, up to the nearer Nyquist wave number; k is their mean |k|.
        The inner side of a blurred ring is shorter, so its power is denser there: waves that go everywhere are read
        3 % too long at k = 6 x 2 pi / L, 12 % at 3 x 2 pi / L, and below that not at all.

    Raises:
        DrumheadError: no k-f spectrum, or one of a single site.

    Example:
        >>> array = dh.waves.synth.Array((32, 32), pitch="1 mm", fs="200 Hz", duration="4 s")
        >>> S = dh.waves.azimuthal(dh.waves.kf(dh.waves.synth.target(array, frequency=20, speed=0.1), segment="1 s"))
        >>> S.dims, round(float(dh.waves.ridge(S).phase_speed.sel(f=20)), 2)
        (('f', 'k'), 0.1)
    """
    from xarray import DataArray

    needs(spectrum)
    ky, kx = spectrum["ky"].values, spectrum["kx"].values
    away = np.hypot(ky[:, None], kx).ravel()
    long = [k for k in (ky, kx) if len(k) > 1]
    if not long:
        raise DrumheadError("a single site has no wave numbers to take the mean over")
    width = max(k[1] - k[0] for k in long)
    ring = np.rint(away / width).astype(int)
    ring[away > min(-k.min() for k in long) + width / 2] = -1
    inside = ring >= 0
    ring, count = ring[inside], np.bincount(ring[inside])

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(ring, values[inside], len(count)) / np.maximum(count, 1)

    power = np.stack([mean(each) for each in spectrum.values.reshape(len(spectrum), -1)])
    coords = {"f": spectrum["f"], "k": ("k", mean(away), spectrum["kx"].attrs)}
    return DataArray(power, coords, ("f", "k"), "power", spectrum.attrs)


def needs(spectrum: "DataArray") -> None:
    """Refuse what is no k-f spectrum."""
    dims = getattr(spectrum, "dims", ())
    if dims != ("f", "ky", "kx"):
        got = ", ".join(map(str, dims)) or type(spectrum).__name__
        raise DrumheadError(f"spectrum: got {got}; f, ky, kx are needed, as drumhead.waves.kf returns them")


def _segment(segment: Quantity | None, count: int, fs: float) -> int:
    """Return the number of samples of a segment."""
    if segment is None:
        return max(2, 2 * count // (SEGMENTS + 1))
    size = round(quantity("segment", segment, "time") * fs)
    if not 2 <= size <= count:
        raise DrumheadError(f"segment={segment!r} is {size} samples; 2 to {count}, all of the recording, are possible")
    return size


def _taper(window: str | tuple, count: int) -> np.ndarray:
    """Return a taper whose ends are not zero: a row of few sites has none to give away."""
    from scipy.signal import get_window

    try:
        return np.asarray(get_window(window, count + 2, fftbins=False))[1:-1]
    except (ValueError, TypeError) as error:
        raise DrumheadError(f"window={window!r}: {error}; 'hann', 'boxcar' and ('dpss', 2.5) are some") from None
