"""Series in NWB files: voltages of electrodes with their places, and films, whose pixels have no size there."""

from pathlib import Path
from typing import Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.neuro.opening import choose_series, load

UNEVEN = 1e-3  # of a step, that two timestamps may be off
MICRON = 1e-6  # rel_x and rel_y are in µm by the standard


def series_of(path: Path, name: str | None) -> dict[str, Any]:
    """Return data, rate, unit and what finds the places of one series; the file stays open while the data are read."""
    pynwb = load("pynwb", path)
    try:
        file = pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True).read()
    except Exception as error:  # HDF5's, the schema's and the file's own
        raise DrumheadError(f"{path.name} cannot be read as NWB: {error}") from None
    kinds = (pynwb.ecephys.ElectricalSeries, pynwb.image.ImageSeries)
    found = {item.name: item for item in file.objects.values() if isinstance(item, kinds)}
    if getattr(pynwb, "ophys", None):
        found |= {i.name: i for i in file.objects.values() if isinstance(i, pynwb.ophys.OnePhotonSeries)}
    shaped = {key: item for key, item in found.items() if getattr(item.data, "shape", None)}
    if found and (not shaped or (name in found and name not in shaped)):
        raise DrumheadError(f"{path.name}: its frames lie in an external file; save them as .tif or .npy and give that")
    item = shaped[choose_series(path, {key: value.data for key, value in shaped.items()}, name)]
    about = {"data": item.data, "fs": _rate(path, item), "unit": str(item.unit or "")}
    scale = float(item.conversion or 1.0) * np.asarray(getattr(item, "channel_conversion", None) or 1.0, np.float64)
    offset = float(getattr(item, "offset", 0.0) or 0.0)
    if np.any(scale != 1) or offset:
        about |= {"scale": scale, "offset": offset}
    if isinstance(item, pynwb.ecephys.ElectricalSeries):
        return about | {"at": lambda: _places(path, item)}
    return about | {"film": True}


def _rate(path: Path, item: Any) -> float | None:
    if item.rate:
        return float(item.rate)
    times = np.asarray(item.timestamps if item.timestamps is not None else [], np.float64)
    if len(times) < 2:
        return None
    steps = np.diff(times)
    step = (times[-1] - times[0]) / len(steps)
    if not step > 0 or np.abs(steps - step).max() > UNEVEN * step:
        worst = int(np.abs(steps - step).argmax())
        raise DrumheadError(
            f"{path.name}: the timestamps of {item.name} are irregular ({steps[worst]:.6g} s after sample {worst}, "
            f"{step:.6g} s on average); resample it to even times, or cut it at the gap with start= and stop="
        )
    return 1 / step


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
