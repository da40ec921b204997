"""An analysis as plain numbers for a file: units in the names, None with a reason where there is nothing."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.files import without_nan
from drumhead.neuro.findings import aperture, ring_speeds, speeds, verdict, warnings
from drumhead.neuro.verdict import keys
from drumhead.waves.fields import good, pitches, rate

if TYPE_CHECKING:
    from drumhead.neuro.seen import Seen


def numbers(a: "Seen") -> dict[str, Any]:
    """Return all numbers of an analysis."""
    return without_nan(
        {
            "found": verdict(a),
            "warnings": warnings(a),
            "left_out": dict(a.left_out),
            "data": _data(a),
            "travels": _travels(a),
            "planar": _planar(a),
            "radial": _radial(a),
            "singularities": _turns(a),
            "modes": _modes(a),
            "kf": _ridge(a),
            "operator": _operator(a),
        }
    )


def _missing(a: "Seen", part: str, keys: tuple[str, ...]) -> dict[str, Any]:
    return {**dict.fromkeys(keys), "reason": a.left_out.get(part, "")}


def _data(a: "Seen") -> dict[str, Any]:
    known = good(a.x)
    return {
        "sites": int(known.sum()),
        "bad_sites": int((~known).sum()),
        "shape": list(a.x.shape[1:]),
        "trials": a.trials,
        "fs_hz": rate(a.x),
        "duration_s": a.x.sizes["time"] / rate(a.x),
        f"pitch_{a.length}": list(pitches(a.x)) if "site" not in a.x.dims else None,
        "band_hz": list(a.band),
        "edges_dropped_s": a.phases.attrs.get("edges_s"),
        "repaired_share": a.phases.attrs.get("repaired_fraction"),
        "seed": a.seed,
    }


def _travels(a: "Seen") -> dict[str, Any]:
    test = a.travels
    if test is None:
        return _missing(a, "travels", ("p", "statistic", "null"))
    return {
        "p": test.p,
        "resolution": test.resolution,
        "statistic": test.statistic,
        "null": test.null,
        "surrogates": a.surrogates,
        "kind": test.kind,
        "p_of": test.p_of,
        "null_95": test.null_95,
        "direction_deg": math.degrees(test.direction),
        f"source_{a.length}": list(test.source),
        "outward": test.outward,
        f"core_{a.length}": list(test.core),
        "charge": test.charge,
    }


def _planar(a: "Seen") -> dict[str, Any]:
    patterns, length, found = a.patterns, a.length, speeds(a)
    pgd, chance = (one["pgd"].values for one in (patterns.planar, patterns.planar_null))
    return {
        "frames": len(pgd),
        "pgd_mean": float(np.nanmean(pgd)),
        "share": patterns.shares()["planar"],
        "aperture_over_wavelength": aperture(a),
        "share_above_null_95": float(patterns.marked.mean()),
        "frames_that_count": int(found["frames"]),
        f"speed_{length}_s": found["speed"],
        f"speed_{length}_s_quartiles": found["speed_quartiles"],
        f"wavelength_{length}": found["wavelength"],
        f"wavelength_{length}_quartiles": found["wavelength_quartiles"],
        "direction_deg": math.degrees(found["direction"]),
        "resultant": found["resultant"],
        "null": {
            "frames": len(chance),
            "pgd_mean": float(np.nanmean(chance)),
            "pgd_95": patterns.level,
            "share_above_0.5": patterns.customary,
            "share": patterns.shares(null=True)["planar"],
            "resultant": speeds(a, null=True)["resultant"],
        },
    }


def _radial(a: "Seen") -> dict[str, Any]:
    found, length = ring_speeds(a), a.length
    if not found:
        return _missing(a, "radial", ("share", "outward", "null"))
    shares = a.patterns.shares()
    return {
        "frames": int(found["frames"]),
        "share": shares["radial"],
        "outward": shares["outward"],
        f"speed_{length}_s": found["speed"],
        f"speed_{length}_s_quartiles": found["speed_quartiles"],
        "null": {name: share for name, share in a.patterns.shares(null=True).items() if name != "planar"},
    }


def _turns(a: "Seen") -> dict[str, Any]:
    found, chance = a.patterns.turning(), a.patterns.turning(null=True)
    if not found:
        return _missing(a, "singularities", ("per_frame", "null"))
    return {**found, "null": chance}


def _modes(a: "Seen") -> list[dict[str, Any]]:
    if a.modes is None:
        return []
    names = {
        "variance": "variance_share", "frequency": "frequency_hz", "travelling": "travelling",
        "smoothness": "smoothness", "smoothness_shuffled": "smoothness_shuffled",
    }  # fmt: skip
    return [{new: float(a.modes[old][i]) for old, new in names.items()} for i in range(a.modes.sizes["mode"])]


def _ridge(a: "Seen") -> dict[str, Any]:
    if a.ridge is None:
        return _missing(a, "kf", ("f_hz", f"k_rad_{a.length}", f"phase_speed_{a.length}_s"))
    clear = a.ridge["clear"].values
    return {
        "f_hz": a.ridge["f"].values[clear].tolist(),
        f"k_rad_{a.length}": a.ridge["k"].values[clear].tolist(),
        f"phase_speed_{a.length}_s": a.ridge["phase_speed"].values[clear].tolist(),
    }


def _operator(a: "Seen") -> dict[str, Any]:
    if a.operator is not None:
        return a.operator.report()
    names = keys(a.length).values()
    return {**_missing(a, "operator", (*names, *(f"{name}_interval" for name in names))), "identifiable": False}
