"""A field: what every instrument takes, a series over time at sites that are a grid or anywhere in the plane.

    grid     xarray.DataArray (time, y, x)     coordinates time in s, y and x in m
    sites    xarray.DataArray (time, site)     the same, y and x being coordinates of the site

Without a pitch, lengths are counted in pixels and say so ("px"). A site that has no number at any time is a bad
channel and is left out everywhere; a gap in a good one is refused. y grows downward, as rows do, and directions are
angles from x toward y.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.waves.units import Quantity, quantity

if TYPE_CHECKING:
    from xarray import DataArray

GRID, SITES = ("time", "y", "x"), ("time", "site")
SMALL, LARGE = 1e-100, 1e100  # of numbers that are squared and summed in float64
SINGLE = 1e15  # and its inverse, the same of float32
FAR = 1000.0  # times as far out as half of the sites: another unit, or a place that nobody filled in
UNEVEN = 1e-3  # of a step, that two neighbouring times or places may be off
HERE = 1e-9  # of the largest distance: what is no farther is in the same place, but for rounding
SQUARE = 1e-2  # of the distance of columns, that that of rows may differ by on a square grid


def field(
    data: Any, fs: Quantity | None = None, pitch: Quantity | None = None, *, at: Any = None, mask: Any = None,
    unit: str = "", name: str = "signal",
) -> "DataArray":  # fmt: skip
    """Return a series as a field, with its coordinates in s and m.

    Args:
        data: (time, y, x) on a grid, (time, site) elsewhere, or a DataArray with these dimensions.
        fs: sampling rate, "500 Hz" or in Hz; needed unless a DataArray has times.
        pitch: distance of neighbours on the grid, "0.4 mm" or in m; without it lengths are pixels.
        at: places of the sites (site, 2), y and x in m (in pixels without a pitch).
        mask: bool, True where a site counts: (y, x) or (site,).
        unit: of the signal, as "V".
        name: of the signal.

    Returns:
        float64, or float32 if the data are and their squares are within its range too. Sites without numbers are NaN.

    Raises:
        DrumheadError: a shape, times, places or values that cannot be used; the message says what is needed.

    Example:
        >>> x = dh.waves.field(np.random.default_rng(0).normal(size=(1000, 10, 10)), fs="1 kHz", pitch="0.4 mm")
        >>> x.dims, float(x.time[-1]), float(x.x[1]), x.x.attrs["units"]
        (('time', 'y', 'x'), 0.999, 0.0004, 'm')
    """
    from xarray import DataArray

    given = data if isinstance(data, DataArray) else None
    if given is not None:
        dims = GRID if set(GRID) <= set(given.dims) else SITES
        if set(given.dims) != set(dims):
            raise DrumheadError(
                f"a field has the dimensions time, y, x or time, site; got {', '.join(map(str, given.dims))}"
            )
        given = given.transpose(*dims)
        name, unit = str(given.name or name), unit or given.attrs.get("units", "")
    try:
        values = np.asarray(data if given is None else given.values)
    except ValueError:
        raise DrumheadError("data: rows of unequal length; an array (time, y, x) or (time, site) is needed") from None
    if values.ndim != (2 if at is not None or (given is not None and given.ndim == 2) else 3) or not values.size:
        raise DrumheadError(
            f"data: got the shape {values.shape}; a grid is (time, y, x), and sites are (time, site) with their places "
            "in at= (site, 2)"
        )
    if np.iscomplexobj(values) or not np.issubdtype(values.dtype, np.number):
        raise DrumheadError(f"data: got {values.dtype}; real numbers are needed")
    values = _without(values.astype(np.float32 if values.dtype == np.float32 else np.float64), mask)
    values = values.astype(_precision(values), copy=False)
    length = "m" if pitch is not None or (given is not None and unit_of_length(given) == "m") else "px"
    coords: dict[str, Any] = {"time": ("time", _times(given, len(values), fs), {"units": "s"})}
    if values.ndim == 3:
        for axis, name_of in ((1, "y"), (2, "x")):
            coords[name_of] = (name_of, _places(given, name_of, values.shape[axis], pitch), {"units": length})
        out = DataArray(values, coords, GRID, name, {"units": unit})
        spacing(out)
        return out
    places = _sites(given, at, values.shape[1])
    for axis, name_of in enumerate("yx"):
        coords[name_of] = ("site", places[:, axis], {"units": length})
    return DataArray(values, coords, SITES, name, {"units": unit})


def rate(x: "DataArray") -> float:
    """Return the sampling rate in Hz."""
    times = x["time"].values
    if len(times) < 2:
        raise DrumheadError(f"a field of {len(times)} times has no sampling rate; at least 2 are needed")
    return (len(times) - 1) / float(times[-1] - times[0])


def spacing(x: "DataArray") -> tuple[float, float]:
    """Return the distance of rows and of columns, in the unit of the places."""
    return _step(x["y"].values, "y"), _step(x["x"].values, "x")


def pitches(x: "DataArray") -> tuple[float, ...]:
    """Return the distances of neighbours on a grid: of rows and of columns, or of the sites of a line; () of one site.

    Example:
        >>> x = dh.waves.field(np.random.default_rng(0).normal(size=(100, 32, 1)), fs="1 kHz", pitch="50 um")
        >>> len(pitches(x)), spacing(x)[1]  # one column has no neighbour, so its distance says nothing
        (1, 1.0)
    """
    return tuple(step for step, n in zip(spacing(x), x.shape[1:], strict=True) if n > 1)


def square_pitch(x: "DataArray", what: str) -> float:
    """Return the distance of neighbours on a grid whose rows are as far apart as its columns, or on a line of sites.

    Args:
        x: a field on a grid.
        what: needs that, for the message.

    Raises:
        DrumheadError: rows and columns that differ by more than 1 %.
    """
    found = pitches(x) or (1.0,)
    down, across, length = found[0], found[-1], unit_of_length(x)
    if abs(down / across - 1) > SQUARE:
        raise DrumheadError(
            f"{what}: rows are {down:.4g} {length} apart and columns {across:.4g} {length}; a grid whose sites are "
            "equally far apart both ways is needed"
        )
    return across


def places(x: "DataArray") -> np.ndarray:
    """Return the places of all sites (n, 2), y and x, rows of a grid one after another."""
    if "site" in x.dims:
        return np.stack([x["y"].values, x["x"].values], 1)
    return np.stack(np.meshgrid(x["y"].values, x["x"].values, indexing="ij"), -1).reshape(-1, 2)


def good(x: "DataArray") -> np.ndarray:
    """Return which sites count, bool (y, x) or (site,)."""
    return np.isfinite(np.asarray(x.isel(time=0).values))


def unit_of_length(x: "DataArray") -> str:
    """Return "m" or "px"."""
    return str(x["x"].attrs.get("units", "px")) if "x" in x.coords else "px"


def slack(values: np.ndarray, step: float) -> float:
    """Return how far the distance of two neighbours may be off: a part of a step, or what rounding makes of them.

    Args:
        values: times or places, one after another.
        step: their mean distance.

    Example:
        >>> slack(np.arange(3.0), 1.0), slack(1.7e9 + np.arange(3) * 1e-5, 1e-5) < 1e-6
        (0.001, True)
    """
    return max(UNEVEN * step, 2 * float(np.spacing(np.abs(values).max())))


def _without(values: np.ndarray, mask: Any) -> np.ndarray:
    """Return the values with NaN at all sites that do not count."""
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != values.shape[1:] or mask.dtype != bool:
            raise DrumheadError(
                f"mask: got {mask.dtype} of shape {mask.shape}; bool of shape {values.shape[1:]} is needed"
            )
        values = np.where(mask, values, np.nan).astype(values.dtype)
    finite = np.isfinite(values)
    some, every = finite.any(0), finite.all(0)
    if not every.any():
        raise DrumheadError("no site has numbers at all times, so there is nothing to look at")
    if (some & ~every).any():
        where, when = np.argwhere(some & ~every)[0].tolist(), int(np.argmin(finite.all(tuple(range(1, finite.ndim)))))
        many = int((some & ~every).sum())
        raise DrumheadError(
            f"{many} {'site has' if many == 1 else 'sites have'} gaps (NaN or infinite), the first one {where}, from "
            f"time {when}; fill the gaps, cut them off, or leave these sites out with mask= (--bad)"
        )
    values[:, ~every] = np.nan
    return values


def _precision(values: np.ndarray) -> type:
    """Return the kind of numbers that can hold the squares of the values."""
    loudest = float(np.nanmax(np.abs(values)))
    if loudest and not SMALL < loudest < LARGE:
        raise DrumheadError(
            f"data: the largest value is {loudest:.3g}, whose square no number can hold; give them in another unit"
        )
    single = values.dtype == np.float32 and (not loudest or 1 / SINGLE < loudest < SINGLE)
    return np.float32 if single else np.float64


def _times(given: "DataArray | None", count: int, fs: Quantity | None) -> np.ndarray:
    if fs is not None:
        return np.arange(count) / quantity("fs", fs, "frequency")
    if given is None or "time" not in given.coords:
        raise DrumheadError("the sampling rate is missing: give fs=, as fs='500 Hz' (on the command line --fs 500)")
    times = np.asarray(given["time"].values)
    if times.dtype.kind in "mM":  # dates, or spans of time
        times = (times - times[0]) / np.timedelta64(1, "s")
    times = np.asarray(times, np.float64)
    if not (known := np.isfinite(times)).all():
        raise DrumheadError(
            f"time: entry {int(np.argmin(known))} is {times[np.argmin(known)]}, no number of seconds; mend it first"
        )
    _step(times, "time")
    return times


def _places(given: "DataArray | None", name: str, count: int, pitch: Quantity | None) -> np.ndarray:
    if pitch is not None:
        return np.arange(count) * quantity("pitch", pitch, "length")
    if given is not None and name in given.coords:
        return np.asarray(given[name].values, np.float64)
    return np.arange(count, dtype=np.float64)


def _sites(given: "DataArray | None", at: Any, count: int) -> np.ndarray:
    if at is None and given is not None:
        if not {"y", "x"} <= set(given.coords):
            raise DrumheadError(
                f"data: {count} sites without places; give at= (site, 2), or y and x as coordinates of the sites"
            )
        found = places(given)
    else:
        found = np.asarray(at, np.float64)
    if found.shape != (count, 2) or not np.isfinite(found).all():
        raise DrumheadError(f"at: got the shape {found.shape}; a finite y and x for each of {count} sites are needed")
    if len(np.unique(found, axis=0)) < count:
        raise DrumheadError("at: two sites lie in the same place")
    if count > 2:
        away = np.linalg.norm(found - np.median(found, axis=0), axis=1)
        far = int(away.argmax())
        if away[far] > FAR * np.median(away):
            raise DrumheadError(
                f"at: site {far} lies {away[far] / np.median(away):.3g} times as far from the middle as half of the "
                "sites do; give its place in the unit of the others, or leave it out"
            )
    return found


def _step(values: np.ndarray, name: str) -> float:
    """Return the distance of neighbours, which must be even."""
    steps = np.diff(values)
    if not len(steps):
        return 1.0
    step = (values[-1] - values[0]) / len(steps)
    if (steps < 0).all():
        raise DrumheadError(f"{name} falls from entry to entry, and has to rise; sort it first: x.sortby({name!r})")
    if not step > 0 or np.abs(steps - step).max() > slack(values, step):
        worst = int(np.abs(steps - step).argmax())
        raise DrumheadError(
            f"{name} is not evenly spaced: {steps[worst]:.6g} after entry {worst}, {step:.6g} on average; "
            "resample it first" + ("" if name == "time" else ", or give the sites with their places")
        )
    return float(step)
