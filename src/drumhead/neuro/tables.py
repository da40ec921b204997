"""Portraits of layers as tables: every number with its unit, beside what was measured, and what would change it."""

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np

from drumhead.neuro.cortex import Cortex
from drumhead.neuro.measured import BANDS_HZ, MESOSCOPIC, RANGES, Measured
from drumhead.neuro.portrait import Portrait, pooled, spread
from drumhead.show.pages import Grid
from drumhead.waves.units import said, scale

ROWS = (  # of the spread over all sheets and places
    ("natural frequency f0", "frequency", "Hz"),
    ("of one oscillator alone", "alone", "Hz"),
    ("mean frequency of the waves", "mean", "Hz"),
    ("decay time tau", "tau", "s"),
    ("quality Q", "quality", ""),
    ("speed c of long weak waves", "speed", "m/s"),
    ("along the slow axis", "slow", "m/s"),
    ("along the fast axis", "fast", "m/s"),
    ("fast over slow", "anisotropy", ""),
    ("what tanh lets through", "gain", ""),
    ("speed at that strength", "strong", "m/s"),
    ("phase speed at the mean frequency", "phases", "m/s"),
    ("natural wavelength c / f0", "wavelength", "m"),
    ("way of a long wave in all steps", "way", "m"),
)
OF_RANGES = {"speed": "phases", "frequency": "frequency", "wavelength": "wavelength"}  # what is set beside what


def spread_text(found: dict[str, float], factor: float = 1.0) -> str:
    """Return median and quartiles of numbers, each divided by a factor.

    Example:
        >>> spread_text({"median": 119.4, "lower": 90.0, "upper": 140.2})
        '119 (90-140)'
    """
    if not isfinite(found["median"]):
        return "-"
    median, lower, upper = (f"{found[name] / factor:.3g}" for name in ("median", "lower", "upper"))
    return f"{median} ({lower}-{upper})"


def overview(layers: Sequence[Portrait], title: str) -> Grid:
    """Return a table of all layers, a column each: median (quartiles) over sheets and places, and shares."""

    def row(name: str, of: Callable[[Portrait], str]) -> tuple[str, ...]:
        return (name, *map(of, layers))

    rows = [
        row("sheets of oscillators", lambda p: f"{len(p.omega)} of {p.material.size[0]} x {p.material.size[1]}"),
        row("side", lambda p: said(p.cortex.metres(p.material.size[1]), "m")),
        row("an oscillator", lambda p: f"{said(p.cortex.pitch, 'm')}, {p.material.stride} px"),
        row("unit of model time T0", lambda p: said(p.cortex.t0, "s")),
        row("a step", lambda p: said(p.cortex.seconds(p.material.dt), "s") if p.material.integrator else "none"),
        row("all steps", lambda p: said(p.cortex.seconds(p.material.dt * p.material.steps), "s")),
    ]
    for name, key, unit in ROWS:
        factor, scaled = scale(pooled(layers, key)["median"], unit)
        label = f"{name} ({scaled})" if unit else name
        rows.append(row(label, lambda p, key=key, factor=factor: spread_text(spread(p.quantities[key]), factor)))
    for name in layers[0].shares:
        rows.append(row(f"{name} (%)", lambda p, name=name: f"{100 * p.shares[name]:.0f}"))
    return Grid(("median (quartiles)", *(f"layer {p.material.layer}" for p in layers)), rows, title)


def sheets(layer: Portrait) -> list[Grid]:
    """Return two tables of one layer, a row each sheet: what varies from place to place, and its kernel."""
    found, medium = layer.quantities, layer.medium
    columns, units = ["sheet", "ring (%)"], []
    for name, key, unit in (("f0", "frequency", "Hz"), ("tau", "tau", "s"), ("Q", "quality", "")):
        factor, scaled = scale(pooled([layer], key)["median"], unit)
        columns.append(f"{name} ({scaled})" if unit else name)
        units.append((key, factor))
    places, kernels = [], []
    for i in range(len(layer.omega)):
        spreads = (spread_text(spread(found[key][i]), factor) for key, factor in units)
        places.append((str(i), f"{100 * layer.rings[i].mean():.0f}", *spreads))
        numbers = [found["slow"][i], found["fast"][i], np.degrees(medium.axis[i]), medium.pull[i]]
        gain = _number(spread(found["gain"][i])["median"])
        kernels.append((str(i), *map(_number, numbers), f"{medium.lopsided[i]:.2f}", gain))
    which = f"layer {layer.material.layer}, sheet by sheet"
    of_kernels = "slow (m/s)", "fast (m/s)", "fast axis (°)", "adds to omega", "lopsided", "tanh passes"
    return [
        Grid(columns, places, f"{which}: median (quartiles) over places"),
        Grid(
            ("sheet", *of_kernels), kernels, f"{which}: its kernel; angles from x toward y, lopsided is not reciprocal"
        ),
    ]


def beside(layers: Sequence[Portrait]) -> Grid:
    """Return a table of what was measured in cortex, with the network's own median beside each range."""
    rows = []
    for one in RANGES:
        found = pooled(layers, OF_RANGES[one.quantity])
        rows.append(
            (f"{one.quantity}, {one.where}", one.source, _range(one),
             _said(found["median"], one.unit), one.says(found["median"]))
        )  # fmt: skip
    title = "beside what was measured: phase speed, f0 and c / f0, medians of all layers"
    return Grid(("measured", "source", "range", "here", "which is"), rows, title)


def changes(layers: Sequence[Portrait], cortex: Cortex) -> Grid | None:
    """Return a table of what would bring the median f0 into a band; None where nothing rings.

    f0 = sqrt(omega) c / (2 pi sqrt(kappa) pitch), so either the pitch grows as f0 falls, or the speed falls with it.
    """
    f0 = pooled(layers, "frequency")["median"]
    if not f0 > 0:
        return None
    rows = []
    for name, hertz in BANDS_HZ.items():
        pitch, speed = cortex.pitch * f0 / hertz, cortex.speed() * hertz / f0
        rows.append((name, said(pitch, "m"), said(speed, "m/s"), MESOSCOPIC.says(speed)))
    here = said(cortex.speed(), "m/s"), said(cortex.pitch, "m")
    title = (
        f"what would bring f0 from {said(f0, 'Hz')} there: a pitch, still at {here[0]}, or a speed, still at {here[1]}"
    )
    return Grid(("f0", "pitch", "or speed", "which is, within one area"), rows, title)


def _range(one: Measured) -> str:
    factor, unit = scale(one.high, one.unit)
    return f"{one.low / factor:.3g}-{one.high / factor:.3g} {unit}"


def _said(value: float, unit: str) -> str:
    return said(float(value), unit) if isfinite(value) else "-"


def _number(value: float) -> str:
    return f"{float(value):.3g}" if isfinite(value) else "-"
