"""Arrays in NumPy, HDF5, Zarr and TIFF files, opened and not yet read.

Each reader returns a dictionary: the array as `data`, and what the file knows of `fs` (Hz) and `pitch` (m).
"""

from pathlib import Path
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro.opening import choose_series, load
from drumhead.waves.units import quantity


def numpy(path: Path, series: str | None) -> dict[str, Any]:
    """Open a .npy file; pickled objects are refused."""
    _no_series(path, series)
    try:
        return {"data": np.load(path, mmap_mode="r", allow_pickle=False)}
    except (ValueError, OSError, EOFError) as error:
        raise DrumheadError(f"{path.name} is no array that NumPy can map: {error}") from None


def hdf5(path: Path, series: str | None) -> dict[str, Any]:
    """Open an HDF5 file; `series` is the path of the array in it."""
    h5py = load("h5py", path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DrumheadError(f"{path.name} is no HDF5 file: {error}") from None
    arrays: dict[str, Any] = {}
    file.visititems(lambda name, item: arrays.update({name: item}) if _is_series(item) else None)
    return _with_attributes(arrays[choose_series(path, arrays, series)])


def zarr(path: Path, series: str | None) -> dict[str, Any]:
    """Open a Zarr array, or one of a group."""
    library = load("zarr", path)
    try:
        opened = library.open(path, mode="r")
    except Exception as error:  # its own kinds of errors, which differ between versions
        raise DrumheadError(f"{path.name} is no Zarr array or group: {error}") from None
    if hasattr(opened, "shape"):
        _no_series(path, series)
        return _with_attributes(opened)
    arrays = {name: item for name, item in opened.members(max_depth=None) if _is_series(item)}
    return _with_attributes(arrays[choose_series(path, arrays, series)])


def tiff(path: Path, series: str | None) -> dict[str, Any]:
    """Open a TIFF stack, mapped if it is not compressed; ImageJ's frame interval is known."""
    tifffile = load("tifffile", path)
    try:
        with tifffile.TiffFile(path) as file:
            stack, about = file.series[int(series or 0)], file.imagej_metadata or {}
            data = tifffile.memmap(path, series=int(series or 0)) if stack.dataoffset is not None else stack.asarray()
    except (tifffile.TiffFileError, ValueError, IndexError, OSError) as error:
        raise DrumheadError(f"{path.name} has no stack {series or 0}: {error}") from None
    if data.ndim != 3:
        raise DrumheadError(
            f"{path.name}: a stack of the shape {data.shape}; one image a time, (time, y, x), is needed"
        )
    found: dict[str, Any] = {"data": data, "film": True}
    if about.get("finterval"):
        found["fs"] = 1 / float(about["finterval"])
    return found


def _is_series(item: Any) -> bool:
    return getattr(item, "ndim", 0) in (2, 3) and item.shape[0] > 1 and np.issubdtype(item.dtype, np.number)


def _with_attributes(data: Any) -> dict[str, Any]:
    """Return an array with the sampling rate and pitch that its attributes name in SI units."""
    found: dict[str, Any] = {"data": data}
    for key, names in (("fs", ("fs", "fs_hz")), ("pitch", ("pitch", "pitch_m"))):
        value = next((data.attrs[name] for name in names if name in data.attrs), None)
        if value is not None:
            found[key] = quantity(
                key, value.item() if hasattr(value, "item") else value, "frequency" if key == "fs" else "length"
            )
    return found


def _no_series(path: Path, series: str | None) -> None:
    if series is not None:
        raise DrumheadError(f"series={series!r}: {path.name} holds one array; leave it out")
