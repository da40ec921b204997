"""Recordings as fields: NumPy, HDF5, Zarr, TIFF and NWB, each read as far as is asked for.

What a file knows (sampling rate, places of electrodes, unit) is taken from it; what it does not know has to be said.
Libraries are imported when a file needs them; `pip install "drumhead[neuro]"` brings all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError, reason, shown
from drumhead.neuro import arrays, nwb
from drumhead.neuro.lattice import lattice
from drumhead.neuro.opening import fits
from drumhead.waves.fields import field, slack
from drumhead.waves.filters import span
from drumhead.waves.units import Quantity, quantity

if TYPE_CHECKING:
    from xarray import DataArray

ENDINGS = {
    ".npy": "numpy", ".h5": "hdf5", ".hdf5": "hdf5", ".zarr": "zarr", ".tif": "tiff", ".tiff": "tiff", ".nwb": "nwb"
}  # fmt: skip

UNLIKE = 1e-3  # of a rate or pitch: what differs by more from the file's is told in the field's attrs


def read(
    path: str | Path, fs: Quantity | None = None, pitch: Quantity | None = None, *, series: str | None = None,
    start: Quantity | None = None, stop: Quantity | None = None, bad: Sequence[Any] = (), at: Any = None,
    order: str = "tyx",
) -> "DataArray":  # fmt: skip
    """Return a recording, or a part of it, as a field.

    Args:
        path: .npy, .h5, .zarr, .tif or .nwb; arrays are (time, y, x), or (time, channel) with places.
        fs: sampling rate, "500 Hz" or in Hz; needed where the file has none.
        pitch: distance of neighbouring sites or pixels, "0.4 mm" or in m; without it lengths are pixels, except in NWB,
            whose pixels need it. Channels have places instead.
        series: which array of the file; needed where there are several.
        start: read from this time on, "2 s" or in s.
        stop: read up to this time; what lies outside is not read.
        bad: sites to leave out: channel numbers, or (row, column) on a grid.
        at: places of the channels (channel, 2), y and x in m, where the file has none.
        order: of the axes of a film: "txy" if the second one is x, as in some NWB files, "yxt" if time comes last.

    Returns:
        The field; where fs or pitch differ from what the file says, attrs has its fs_of_file_hz or pitch_of_file_m.
        Of channels that lie on a grid attrs has the `channel` (rows, columns) at each place, -1 where none is.

    Raises:
        DrumheadError: a file, a series or a number that is missing or cannot be used; the message says what to do.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/film.npy"
        >>> np.save(path, np.random.default_rng(0).normal(size=(600, 8, 8)))
        >>> dh.neuro.read(path, fs="500 Hz", pitch="0.4 mm", stop="1 s").shape
        (500, 8, 8)
    """
    path = Path(path)
    if not path.exists():
        raise DrumheadError(f"{path} does not exist")
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise DrumheadError(f"{path}: recordings end in {', '.join(ENDINGS)}; save the array as .npy, for example")
    if sorted(order) != sorted("tyx"):
        raise DrumheadError(f"order={order!r}: the letters t, y and x in the order of the axes are needed, as 'txy'")
    try:
        found = _READERS[kind](path, series)
    except DrumheadError:
        raise
    except Exception as error:  # of what the libraries think of a damaged file
        raise DrumheadError(f"{path.name} is damaged: {reason(error)}; copy it again from where it came") from None
    try:
        return _field(path, found, fs, pitch, start, stop, bad, at, order)
    except MemoryError:
        raise DrumheadError(
            f"{path.name} needs more memory than there is; read a part with start= and stop= (--start, --stop)"
        ) from None
    finally:
        found.get("close", lambda: None)()


def _field(
    path: Path, found: dict[str, Any], fs: Quantity | None, pitch: Quantity | None, start: Quantity | None,
    stop: Quantity | None, bad: Sequence[Any], at: Any, order: str,
) -> "DataArray":  # fmt: skip
    """Return what a file that was opened holds as a field."""
    data = found["data"]
    if len(data.shape) not in (2, 3):
        raise DrumheadError(
            f"{path.name}: got the shape {tuple(data.shape)}; (time, y, x) or (time, channel) is needed"
        )
    if len(data.shape) == 2 and order != "tyx":
        raise DrumheadError(f"{path.name}: order={order!r} is of films, and this is (time, channel); leave it out")
    rate = _said("fs", fs, found, "frequency", path.name)
    if rate is None:
        if found.get("times") is not None:
            _even(np.asarray(found["times"], np.float64), path.name)
        raise DrumheadError(
            f"{path.name}: the sampling rate is missing: give fs=, as fs='500 Hz' (on the command line --fs 500)"
        )
    values = _part(found, order.index("t"), rate, start, stop, path.name)
    if not np.isrealobj(values) or values.dtype.kind not in "fiub":
        raise DrumheadError(f"{path.name}: got {values.dtype}; real numbers are needed")
    if "scale" in found:
        values = values * found["scale"] + found["offset"]
    if values.ndim == 3:
        values = values.transpose([order.index(axis) for axis in "tyx"])
    single = values.dtype.itemsize <= (4 if values.dtype.kind == "f" else 2)  # which holds no integer of 32 bits
    values = _without(values.astype(np.float32 if single else np.float64), bad)
    given, pitch = pitch, _said("pitch", pitch, found, "length", path.name)
    places = found.get("at", lambda: None)() if at is None else _numbers(at)
    if values.ndim == 2 and places is None:
        raise DrumheadError(
            f"{path.name}: (time, channel) {values.shape} without places: give at= (channel, 2) with y and x in m "
            "(--at places.npy), or reshape it to (time, y, x); a probe with contacts in order is (time, channel, 1)"
        )
    if found.get("film") and pitch is None:
        raise DrumheadError(
            f"{path.name}: the size of a pixel is missing: give pitch=, as pitch='20 um' (--pitch 20um)"
        )
    if values.ndim == 3 and at is not None:
        raise DrumheadError(
            f"{path.name}: at= is of channels, and this is (time, y, x) {values.shape}; leave it out (--at), and give "
            "pitch= (--pitch)"
        )
    if values.ndim == 2 and given is not None:
        raise DrumheadError(
            f"{path.name}: pitch= is of grids (time, y, x), and this is (time, channel) {values.shape}, whose places "
            "say how far apart channels are; leave it out (--pitch)"
        )
    if values.ndim == 2:
        out = _electrodes(values, places, rate, found.get("unit", ""), path.name)
    else:
        try:
            out = field(values, rate, pitch, unit=found.get("unit", ""))
        except DrumheadError as error:
            raise DrumheadError(f"{path.name}: {error}") from None
    return out.assign_attrs(_overruled(found, rate, pitch))


def _said(name: str, given: Quantity | None, found: dict[str, Any], kind: str, file: str) -> float | None:
    """Return what was given, or what the file says, in SI units; what it says wrongly does no harm if some is given."""
    try:
        if found.get(name) is not None:
            found[name] = quantity(name, found[name], kind)
    except DrumheadError as error:
        wrong = found.pop(name)
        if given is None:
            raise DrumheadError(
                f"{file} says {name}={shown(wrong)}; give {name}= instead (--{name}): {error}"
            ) from None
    return quantity(name, given, kind) if given is not None else found.get(name)


def _even(times: np.ndarray, name: str) -> None:
    """Refuse timestamps that lack numbers, run backward, stand still or have gaps."""
    mend = "resample it to even times, or read a part without gaps with start= and stop= (--start, --stop)"
    if not (known := np.isfinite(times)).all():
        raise DrumheadError(
            f"{name}: {(~known).sum()} of its {len(times)} timestamps are no numbers (NaN or infinite), the first one "
            f"at sample {int(np.argmin(known))}; {mend}"
        )
    steps = np.diff(times)
    step = (times[-1] - times[0]) / len(steps)
    if step <= 0:
        how = (
            f"run backward, from {times[0]:.6g} to {times[-1]:.6g} s" if step else f"begin and end at {times[0]:.6g} s"
        )
        raise DrumheadError(f"{name}: its timestamps {how}; mend them in the file, or save its data as .npy and say fs")
    off = np.abs(steps - step)
    if off.max() > slack(times, step):
        worst = int(np.argmax(off))
        raise DrumheadError(
            f"{name}: its timestamps are irregular ({steps[worst]:.6g} s after sample {worst}, {step:.6g} s on "
            f"average); {mend}"
        )


def _numbers(at: Any) -> np.ndarray:
    """Return places as numbers."""
    try:
        found = np.asarray(at)
        if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
            raise ValueError
        return found.astype(np.float64)
    except (TypeError, ValueError):
        raise DrumheadError("at: y and x in m of each channel are needed, as numbers (channel, 2)") from None


def _overruled(found: dict[str, Any], rate: float, pitch: float | None) -> dict[str, float]:
    """Return what the file says of rate and pitch where something else was given: fs_of_file_hz, pitch_of_file_m."""
    out = {}
    if "fs" in found and found["fs"] and abs(found["fs"] / rate - 1) > UNLIKE:
        out["fs_of_file_hz"] = float(found["fs"])
    if "pitch" in found and pitch is not None and abs(found["pitch"] / pitch - 1) > UNLIKE:
        out["pitch_of_file_m"] = float(found["pitch"])
    return out


def _electrodes(values: np.ndarray, places: np.ndarray, rate: float, unit: str, name: str) -> "DataArray":
    """Return channels on their grid, with holes, or as scattered sites."""
    if places.shape != (values.shape[1], 2):
        raise DrumheadError(
            f"{name}: {values.shape[1]} channels and places of the shape {places.shape}; (channel, 2) is needed"
        )
    found = lattice(places)
    if found is None:
        return field(values, rate, "1 m", at=places, unit=unit)
    index, pitch = found
    grid = np.full((len(values), *(index.max(0) + 1)), np.nan, values.dtype)
    on = index[:, 0] >= 0
    grid[:, index[on, 0], index[on, 1]] = values[:, on]
    channel = np.full(grid.shape[1:], -1)
    channel[index[on, 0], index[on, 1]] = np.flatnonzero(on)  # by which they go in their file
    return field(grid, rate, pitch, unit=unit).assign_attrs(channel=channel)


def _part(
    found: dict[str, Any], axis: int, rate: float, start: Quantity | None, stop: Quantity | None, name: str
) -> np.ndarray:
    """Return the frames that are asked for, read only these."""
    data, count = found["data"], found["data"].shape[axis]
    first = 0 if start is None else round(min(span("start", start) * rate, count))
    last = count if stop is None else round(min(span("stop", stop) * rate, count))
    if last - first < 2:
        asked = "" if start is None and stop is None else f"start={start}, stop={stop} leave "
        raise DrumheadError(
            f"{name}: {asked}{max(0, last - first)} of {count} samples ({count / rate:g} s); at least 2 are needed, so "
            f"{'ask for a longer part' if asked else 'say which axis is time, as order=yxt, if it is not the first'}"
        )
    if found.get("times") is not None:
        _even(np.asarray(found["times"][first:last], np.float64), name)
    fits(name, (*data.shape[:axis], last - first, *data.shape[axis + 1 :]), data.dtype)
    try:
        return np.asarray(data[(*[slice(None)] * axis, slice(first, last))])
    except MemoryError:
        raise
    except Exception as error:  # a damaged piece: each library has errors of its own
        raise DrumheadError(f"{name} is damaged: {reason(error)}; copy it again, or read another part of it") from None


def _without(values: np.ndarray, bad: Sequence[Any]) -> np.ndarray:
    if not isinstance(bad, Sequence | np.ndarray) or isinstance(bad, str):
        raise DrumheadError(f"bad={bad!r}: a list of sites is needed, as [12] (a channel) or [(3, 4)] (row and column)")
    for site in bad:
        place = tuple(np.atleast_1d(np.asarray(site)).tolist())
        there = len(place) == values.ndim - 1 and all(isinstance(i, int) for i in place)
        if not there or not all(0 <= i < n for i, n in zip(place, values.shape[1:], strict=True)):
            many = " x ".join(map(str, values.shape[1:]))
            what = "a channel as 12" if values.ndim == 2 else "row and column as (3, 4), 3,4 on the command line"
            raise DrumheadError(f"bad={site!r}: no such site; of {many}, counted from 0, {what}")
        values[(slice(None), *place)] = np.nan
    return values


_READERS = {
    "numpy": arrays.numpy, "hdf5": arrays.hdf5, "zarr": arrays.zarr, "tiff": arrays.tiff, "nwb": nwb.series_of
}  # fmt: skip
