"""Series in NWB files: voltages of electrodes with their places, and films, whose pixels have no size there."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError, reason
from drumhead.neuro.opening import choose_series, load
from drumhead.waves.fields import slack

MICRON = 1e-6  # rel_x and rel_y are in µm by the standard


def series_of(path: Path, name: str | None) -> dict[str, Any]:
    """Return data, rate, unit and what finds the places of one series; `close` closes the file."""
    pynwb = load("pynwb", path)
    io = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken links and old schemas; what is needed and wrong is an error
            io = pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True)
            return {**_chosen(path, io, name, pynwb), "close": io.close}
    except Exception as error:  # HDF5's, the schema's and the file's own
        if io is not None:
            io.close()
        if isinstance(error, DrumheadError):
            raise
        raise DrumheadError(
            f"{path.name} cannot be read as NWB, with its rate and places as the standard says: {reason(error)}"
        ) from None


def _chosen(path: Path, io: Any, name: str | None, pynwb: Any) -> dict[str, Any]:
    """Return what is known of one series of a file that is open."""
    kinds = (pynwb.ecephys.ElectricalSeries, pynwb.image.ImageSeries)
    found = _named([item for item in io.read().objects.values() if isinstance(item, kinds)], io)
    shaped = {key: item for key, item in found.items() if getattr(item.data, "shape", None)}
    if found and (not shaped or (name in found and name not in shaped)):
        raise DrumheadError(f"{path.name}: its frames lie in an external file; save them as .tif or .npy and give that")
    item = shaped[choose_series(path, {key: value.data for key, value in shaped.items()}, name)]
    about = {"data": item.data, **_rate(item), "unit": str(item.unit or "")}
    scale = float(item.conversion or 1.0) * np.asarray(getattr(item, "channel_conversion", None) or 1.0, np.float64)
    if scale.ndim and scale.shape != item.data.shape[1:]:
        raise DrumheadError(
            f"{path.name}: {item.name} has {len(scale)} factors (channel_conversion) for the shape {item.data.shape}; "
            "repair the file, or save the series as .npy"
        )
    offset = float(getattr(item, "offset", 0.0) or 0.0)
    if np.any(scale != 1) or offset:
        about |= {"scale": scale, "offset": offset}
    if isinstance(item, pynwb.ecephys.ElectricalSeries):
        return about | {"at": lambda: _places(path, item)}
    return about | {"film": True}


def _named(items: list[Any], io: Any) -> dict[str, Any]:
    """Return series by their names, and those that share one by their paths, as acquisition/ElectricalSeries."""
    often = Counter(item.name for item in items)
    return {
        item.name if often[item.name] == 1 else io.manager.get_builder(item).path.removeprefix("root/"): item
        for item in items
    }


def _rate(item: Any) -> dict[str, Any]:
    """Return the rate of a series, and its timestamps if these tell it."""
    if item.rate is not None:
        return {"fs": float(item.rate)}
    if item.timestamps is None or len(item.timestamps) < 2:
        return {}
    times = np.asarray(item.timestamps, np.float64)
    steps = np.diff(times)
    mean = float(steps.mean())  # of even times the best; where there are gaps, a part without them may be read
    step = mean if np.abs(steps - mean).max() <= slack(times, mean) else float(np.nanmedian(steps))
    return {"fs": 1 / step, "times": item.timestamps} if step > 0 else {"times": item.timestamps}


def _places(path: Path, item: Any) -> np.ndarray:
    """Return y and x of the electrodes in m."""
    table = item.electrodes.to_dataframe()
    for y, x, factor in (("rel_y", "rel_x", MICRON), ("y", "x", MICRON)):
        if y in table and x in table:
            found = np.stack([table[y], table[x]], 1).astype(np.float64) * factor
            if np.isfinite(found).all() and np.ptp(found, axis=0).max() > 0:
                return found
    raise DrumheadError(
        f"{path.name}: its electrodes have no places (rel_x and rel_y in µm, or x and y): give at= (channel, 2) with "
        "y and x in m"
    )
