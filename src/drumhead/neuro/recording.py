"""Recordings as fields: NumPy, HDF5, Zarr, TIFF and NWB, each read as far as is asked for.

What a file knows (sampling rate, places of electrodes, unit) is taken from it; what it does not know has to be said.
Libraries are imported when a file needs them; `pip install "drumhead[neuro]"` brings all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro import arrays, nwb
from drumhead.neuro.lattice import lattice
from drumhead.waves.fields import field
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
            whose electrodes have places and whose pixels need it.
        series: which array of the file; needed where there are several.
        start: read from this time on, "2 s" or in s.
        stop: read up to this time; what lies outside is not read.
        bad: sites to leave out: channel numbers, or (row, column) on a grid.
        at: places of the channels (channel, 2), y and x in m, where the file has none.
        order: "txy" for films whose second axis is x, as some NWB files have.

    Returns:
        The field; where fs or pitch differ from what the file says, attrs has its fs_of_file_hz or pitch_of_file_m.

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
    if order not in ("tyx", "txy"):
        raise DrumheadError(f"order={order!r}: 'tyx' or 'txy' is needed")
    found = _READERS[kind](path, series)
    rate = quantity("fs", fs, "frequency") if fs is not None else found.get("fs")
    if rate is None:
        raise DrumheadError(
            f"{path.name}: the sampling rate is missing: give fs=, as fs='500 Hz' (on the command line --fs 500)"
        )
    values = _part(found["data"], rate, start, stop, path.name)
    if "scale" in found:
        values = values * found["scale"] + found["offset"]
    if order == "txy" and values.ndim == 3:
        values = values.transpose(0, 2, 1)
    if not np.isrealobj(values) or values.dtype.kind not in "fiub":
        raise DrumheadError(f"{path.name}: got {values.dtype}; real numbers are needed")
    values = _without(values.astype(np.float32 if values.dtype.itemsize <= 4 else np.float64), bad)
    pitch = pitch if pitch is not None else found.get("pitch")
    places = found.get("at", lambda: None)() if at is None else np.asarray(at, np.float64)
    if values.ndim == 2 and places is None:
        raise DrumheadError(
            f"{path.name}: (time, channel) {values.shape} without places: give at= (channel, 2) with y and x in m "
            "(--at places.npy), or reshape it to (time, y, x); a probe with contacts in order is (time, channel, 1)"
        )
    if found.get("film") and pitch is None:
        raise DrumheadError(
            f"{path.name}: the size of a pixel is missing: give pitch=, as pitch='20 um' (--pitch 20um)"
        )
    if values.ndim == 2:
        out = _electrodes(values, places, rate, found.get("unit", ""), path.name)
    else:
        out = field(values, rate, pitch, unit=found.get("unit", ""))
    return out.assign_attrs(_overruled(found, rate, pitch))


def _overruled(found: dict[str, Any], rate: float, pitch: Quantity | None) -> dict[str, float]:
    """Return what the file says of rate and pitch where something else was given: fs_of_file_hz, pitch_of_file_m."""
    out = {}
    if "fs" in found and found["fs"] and abs(found["fs"] / rate - 1) > UNLIKE:
        out["fs_of_file_hz"] = float(found["fs"])
    if "pitch" in found and pitch is not None and abs(found["pitch"] / quantity("pitch", pitch, "length") - 1) > UNLIKE:
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
    return field(grid, rate, pitch, unit=unit)


def _part(data: Any, rate: float, start: Quantity | None, stop: Quantity | None, name: str) -> np.ndarray:
    """Return the frames that are asked for, read only these."""
    count = data.shape[0]
    first = 0 if start is None or start == 0 else round(quantity("start", start, "time") * rate)
    last = count if stop is None else min(count, round(quantity("stop", stop, "time") * rate))
    if last - first < 2:
        raise DrumheadError(
            f"{name}: start={start}, stop={stop} leave {max(0, last - first)} of {count} samples ({count / rate:g} s)"
        )
    return np.asarray(data[first:last])


def _without(values: np.ndarray, bad: Sequence[Any]) -> np.ndarray:
    for site in bad:
        place = (
            (site,) if isinstance(site, int | np.integer) and values.ndim == 2 else tuple(np.atleast_1d(site).tolist())
        )
        if len(place) != values.ndim - 1 or not all(0 <= i < n for i, n in zip(place, values.shape[1:], strict=True)):
            raise DrumheadError(f"bad={site!r}: no such site; the recording has the shape {values.shape[1:]} of sites")
        values[(slice(None), *place)] = np.nan
    return values


_READERS = {
    "numpy": arrays.numpy, "hdf5": arrays.hdf5, "zarr": arrays.zarr, "tiff": arrays.tiff, "nwb": nwb.series_of
}  # fmt: skip
