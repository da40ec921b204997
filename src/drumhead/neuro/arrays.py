"""Arrays in NumPy, HDF5, Zarr and TIFF files, opened and not yet read.

Each reader returns a dictionary: the array as `data`, and what the file says of `fs` and `pitch`.
`close`, where there is one, closes it.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError, reason
from drumhead.neuro.opening import SHOWN, choose_series, fits, load
from drumhead.waves.units import UNITS

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what is wrong is said in a sentence

SECONDS = UNITS["time"] | {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "µsec": 1e-6}
"""ImageJ's units of time; a rate in another one has to be said."""


def numpy(path: Path, series: str | None) -> dict[str, Any]:
    """Open a .npy file; pickled objects are refused."""
    _no_series(path, series)
    try:
        with np.errstate(all="ignore"):  # of a shape whose size runs over, which is refused
            data = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # of the header, which is Python's syntax, and of .npz, a zip
        raise DrumheadError(f"{path.name} is no array that NumPy can map: {reason(error)}") from None
    if not isinstance(data, np.ndarray):
        with data:
            names = ", ".join(data.files[:SHOWN])
        raise DrumheadError(f"{path.name} holds several arrays (.npz): {names}; save one of them with np.save")
    return {"data": data}


def hdf5(path: Path, series: str | None) -> dict[str, Any]:
    """Open an HDF5 file; `series` is the path of the array in it."""
    h5py = load("h5py", path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DrumheadError(f"{path.name} is no HDF5 file: {reason(error)}") from None
    arrays: dict[str, Any] = {}
    try:
        file.visititems(lambda name, item: arrays.update({name: item}) if _is_series(item) else None)
        return {**_with_attributes(arrays[choose_series(path, arrays, series)]), "close": file.close}
    except BaseException as error:
        file.close()
        if isinstance(error, RuntimeError):
            raise DrumheadError(f"{path.name} is damaged: {reason(error)}; copy it again from where it came") from None
        raise


def zarr(path: Path, series: str | None) -> dict[str, Any]:
    """Open a Zarr array, or one of a group."""
    library = load("zarr", path)
    try:
        opened = library.open(path, mode="r")
    except Exception as error:  # its own kinds of errors, which differ between versions
        raise DrumheadError(f"{path.name} is no Zarr array or group: {reason(error)}") from None
    if hasattr(opened, "shape"):
        _no_series(path, series)
        return _with_attributes(opened)
    arrays = {name: item for name, item in opened.members(max_depth=None) if _is_series(item)}
    return _with_attributes(arrays[choose_series(path, arrays, series)])


def tiff(path: Path, series: str | None) -> dict[str, Any]:
    """Open a TIFF stack, mapped if it is not compressed; ImageJ's frame interval and its unit are known."""
    tifffile = load("tifffile", path)
    try:
        with tifffile.TiffFile(path) as file:
            number, about = int(series or 0), file.imagej_metadata or {}
            stack = file.series[number]
            colours = "S" in stack.axes or "C" in stack.axes
            mapped = stack.dataoffset is not None
            if not mapped:
                fits(path.name, stack.shape, stack.dtype, "save it without compression, which can be read in parts")
            # "r": the default maps to write, which a read-only file refuses, and which lengthens one that is cut short.
            data = tifffile.memmap(path, series=number, mode="r") if mapped else stack.asarray()
    except DrumheadError:
        raise
    except Exception as error:  # a damaged file can raise anything
        raise DrumheadError(f"{path.name}: its stack {series or 0} cannot be read: {reason(error)}") from None
    if data.ndim != 3 or colours:
        raise DrumheadError(
            f"{path.name}: a stack of the shape {data.shape}, {stack.axes}; one grey image a time, (time, y, x), is "
            "needed; save one channel as a stack"
        )
    found: dict[str, Any] = {"data": data, "film": True}
    step, unit = about.get("finterval") or 0, str(about.get("tunit") or "sec")
    if isinstance(step, int | float) and step > 0 and unit in SECONDS:
        found["fs"] = 1 / (step * SECONDS[unit])
    return found


def _is_series(item: Any) -> bool:
    return getattr(item, "ndim", 0) in (2, 3) and max(item.shape) > 1 and np.issubdtype(item.dtype, np.number)


def _with_attributes(data: Any) -> dict[str, Any]:
    """Return an array with the sampling rate and pitch that its attributes name, as they stand there."""
    found: dict[str, Any] = {"data": data}
    for key, names in (("fs", ("fs", "fs_hz")), ("pitch", ("pitch", "pitch_m"))):
        value = next((data.attrs[name] for name in names if name in data.attrs), None)
        if value is not None and np.size(value) == 1:  # of several numbers nobody knows which
            value = np.asarray(value).item()
            found[key] = value.decode(errors="replace") if isinstance(value, bytes) else value
    return found


def _no_series(path: Path, series: str | None) -> None:
    if series is not None:
        raise DrumheadError(f"series={series!r}: {path.name} holds one array; leave it out")
