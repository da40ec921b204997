"""Settings as they were kept before each family had its own: one flat table, in which most families ignored most."""

from dataclasses import fields
from typing import Any

from drumhead.settings.config import FAMILIES, NWM, Recurrent, Waves

_ALWAYS = {
    "family", "image_channels", "classes", "channels", "steps", "dt", "integrator", "coupling", "kernel_size",
    "boundary", "nonlinearity", "courant", "encoder", "width", "stride", "readout", "bins", "head", "skip", "norm",
}  # fmt: skip


def is_flat(values: dict[str, Any]) -> bool:
    """Say whether a model's settings are such a table: it always held those of all families."""
    return values.keys() >= _ALWAYS


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Return a flat table in today's form: the same network, without what it ignored."""
    cls, idle, steps = FAMILIES[values["family"]], set(), values["steps"]
    usual = isinstance(steps, int) and values["bins"] == steps // 2 + 1
    if usual or values["readout"] not in ("linear", "fft"):
        idle.add("bins")
    if values["kernel_size"] == 1:
        idle.add("boundary")
    if cls is Recurrent and values["boundary"] == "absorbing":
        values = {**values, "boundary": "reflecting"}  # what it was for a cell
    if cls is NWM and values["coupling"] == "none":
        idle |= {"kernel_size", "boundary", "nonlinearity"}
    layer = {item.name for item in fields(Waves)}
    known = layer.union(*({item.name for item in fields(family)} for family in FAMILIES.values()))
    own = {item.name for item in fields(cls)} | {"family"}
    kept = {name: value for name, value in values.items() if name not in idle}
    out = {name: value for name, value in kept.items() if name in own or name not in known}
    if cls is NWM:
        out["waves"] = [{name: value for name, value in kept.items() if name in layer}]
    return out
