"""Phase singularities: the points about which a wave turns, found by counting turns of the phase around four sites.

    charge = - (1 / 2 pi) sum of the wrapped phase differences around a loop, from x toward y

A phase advances with time, so a wave that turns from x toward y lags in that direction: its charge is positive, as in
`synth.spiral`. The count is a whole number and needs no threshold, but noise has singularities too, born and dying in
pairs of opposite charge. What tells a spiral wave is that it lasts, that it is seen from farther away, and that there
are more of them than in surrogate data.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import GRID, rate, spacing, unit_of_length
from drumhead.waves.tracks import joined
from drumhead.waves.units import Quantity, quantity

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

BLOCK = 1 << 21  # phases looked at together


def charges(phase: "DataArray | Dataset", ring: int = 0) -> "DataArray":
    """Return the topological charge inside each square of 2 x 2 sites.

        q = - (1 / 2 pi) sum of wrapped phase differences around the square, from x toward y

    Args:
        phase: phases in rad (time, y, x), or a Dataset that has them as "phase"; NaN where there is none.
        ring: go around a larger square instead, this many sites farther out on each side, centred on the same place.
            It holds all singularities inside, and does not look at the sites there.

    Returns:
        (time, y, x), at the middle of each square: -1, 0 or 1 (a larger ring can hold more), NaN where a site of the
        loop has no phase.

    Raises:
        DrumheadError: no phases on a grid, or a grid too small for the ring.

    Source:
        Winfree, When Time Breaks Down, Princeton University Press (1987); Iyer & Gray, Ann. Biomed. Eng. 29 (2001).

    Example:
        >>> array = dh.waves.synth.Array((9, 9), pitch="1 mm", fs="500 Hz", duration="1 s")
        >>> y, x = array.around(None)
        >>> turning = array.field(2 * np.pi * 10 * array.times - np.arctan2(y - 2e-4, x - 2e-4))
        >>> q = dh.waves.charges(turning)
        >>> q.shape, float(abs(q[7]).sum()), float(q[7, 4, 4])
        ((500, 8, 8), 1.0, 1.0)
    """
    from xarray import DataArray

    given = _phases(phase)
    side = 2 * whole("ring", ring, 0) + 1
    middle = {name: given[name].values for name in "yx"}
    least = min(map(len, middle.values()))
    if least <= side:
        raise DrumheadError(
            f"ring={ring}: a loop of {side + 1} x {side + 1} sites does not fit on a grid of {given.shape[1:]}"
            + ("; at least 2 x 2 sites are needed" if side == 1 else f"; at most {(least - 2) // 2} is possible")
        )
    coords: dict[str, Any] = {"time": given["time"]}
    for name, at in middle.items():
        coords[name] = (name, (at[side:] + at[:-side]) / 2, given[name].attrs)
    found = _turns(np.asarray(given.values), side)
    return DataArray(found, coords, GRID, "charge", {"positive": "turns from x toward y", "ring": ring})


def singularities(
    phase: "DataArray | Dataset", lifetime: Quantity | None = None, ring: int = 0, *, reach: Quantity | None = None,
    gaps: int = 1,
) -> "Dataset":  # fmt: skip
    """Return the singularities of each time, joined over time into trajectories.

        a singularity is followed by the nearest one of its charge, at most `reach` away, in the next sample

    Args:
        phase: phases in rad (time, y, x), or a Dataset that has them as "phase".
        lifetime: keep only trajectories that last as long, "20 ms"; about a period, in which a wave turns once.
        ring: keep only what has the same charge on a square this many sites farther out (see `charges`); 1 or 2 leave
            out pairs that stand close together, and what is nearer to the edge than that.
        reach: how far a singularity may move from a sample to the next, in m (in px without a pitch); by default the
            diagonal of one square. Large ones join strangers, small ones break trajectories.
        gaps: samples in which a singularity may be missing in the middle of its trajectory.

    Returns:
        Over "point", one for each singularity and time: t (s), y, x, charge and track, the number of its trajectory.
        Over "trajectory", in the order of birth: birth and death (s, first and last seen), lifetime (s, one sample is
        1 / fs), turn (the charge). Over "time": number of singularities and net, the sum of their charges. In attrs:
        rate, the trajectories born per second, and what was asked.

    Raises:
        DrumheadError: as `charges`, or a reach or a lifetime that is none.

    Source:
        Rogers, IEEE Trans. Biomed. Eng. 51 (2004), tracks; Xu et al., Nat. Hum. Behav. 7 (2023), on brain data.

    Example:
        >>> array = dh.waves.synth.Array((9, 9), pitch="1 mm", fs="500 Hz", duration="1 s")
        >>> y, x = array.around((3.2e-3, 4.6e-3))
        >>> turning = array.field(2 * np.pi * 10 * array.times + np.arctan2(y, x))
        >>> found = dh.waves.singularities(turning, lifetime="100 ms")
        >>> found.sizes["trajectory"], int(found.turn[0]), float(found.lifetime[0]), float(found.y[0])
        (1, -1, 1.0, 0.0035)
    """
    from xarray import Dataset

    given = _phases(phase)
    fs, length = rate(given), unit_of_length(given)
    q = charges(given)
    far = 1.001 * float(np.hypot(*spacing(given))) if reach is None else _length(reach, length)
    longer = 0.0 if lifetime is None else quantity("lifetime", lifetime, "time")
    frame, row, column = np.nonzero(np.nan_to_num(q.values))
    charge = q.values[frame, row, column]
    if ring:
        outside = np.zeros_like(q.values)  # too near to the edge to tell
        outside[:, ring : q.shape[1] - ring, ring : q.shape[2] - ring] = charges(given, ring).values
        kept = outside[frame, row, column] == charge
        frame, row, column, charge = frame[kept], row[kept], column[kept], charge[kept]
    y, x, t = q["y"].values[row], q["x"].values[column], q["time"].values
    trajectory = joined(frame, np.stack([y, x], 1), charge, far, whole("gaps", gaps, 0))
    count = int(trajectory.max(initial=-1)) + 1
    first, last = np.full(count, len(t)), np.zeros(count, int)
    np.minimum.at(first, trajectory, frame)
    np.maximum.at(last, trajectory, frame)
    lasting = (last - first + 1) / fs
    enough = lasting >= longer * (1 - 1e-9)
    kept = enough[trajectory]
    number = np.cumsum(enough) - 1
    turn = np.zeros(count, np.int8)
    turn[trajectory] = charge
    seconds = {"units": "s"}
    return Dataset(
        {
            "t": ("point", t[frame[kept]], seconds),
            "y": ("point", y[kept], {"units": length}),
            "x": ("point", x[kept], {"units": length}),
            "charge": ("point", charge[kept].astype(np.int8)),
            "track": ("point", number[trajectory[kept]]),
            "birth": ("trajectory", t[first[enough]], seconds),
            "death": ("trajectory", t[last[enough]], seconds),
            "lifetime": ("trajectory", lasting[enough], seconds),
            "turn": ("trajectory", turn[enough]),
            "number": ("time", np.bincount(frame[kept], minlength=len(t))),
            "net": ("time", np.bincount(frame[kept], charge[kept], len(t)).astype(int)),
        },
        {"time": q["time"]},
        {"rate": int(enough.sum()) * fs / len(t), "least_lifetime": longer, "ring": ring, "reach": far, "gaps": gaps},
    )


def _phases(phase: "DataArray | Dataset") -> "DataArray":
    """Return phases (time, y, x)."""
    from xarray import DataArray, Dataset

    if isinstance(phase, Dataset) and "phase" in phase:
        phase = phase["phase"]
    if not isinstance(phase, DataArray) or set(phase.dims) != set(GRID) or np.iscomplexobj(phase.values):
        got = ", ".join(map(str, phase.dims)) if isinstance(phase, DataArray) else type(phase).__name__
        raise DrumheadError(
            f"phase: got {got}; phases in rad on a grid are needed, a DataArray (time, y, x) or a Dataset with 'phase'"
        )
    return phase.transpose(*GRID)


def _length(value: Quantity, unit: str) -> float:
    if unit != "m" and isinstance(value, str):
        raise DrumheadError(f"reach={value!r}: this field has no pitch, so give a number of pixels")
    return quantity("reach", value, "length")


def _turns(phase: np.ndarray, side: int) -> np.ndarray:
    """Return the charge inside every square of `side` steps.

    A wrapped difference is the difference less 2 pi times its nearest whole number of turns. Around a loop the
    differences add up to nothing, so the turns that were taken off are all that is left: no rounding, ever.
    """
    out = np.empty((len(phase), *(n - side for n in phase.shape[1:])), np.float32)
    step = max(1, BLOCK // phase[0].size)
    for i in range(0, len(phase), step):
        turns = phase[i : i + step] / (2 * np.pi)
        along_x, along_y = (_summed(np.rint(np.diff(turns, axis=axis)), side, axis) for axis in (2, 1))
        out[i : i + step] = along_x[:, :-side] + along_y[:, :, side:] - along_x[:, side:] - along_y[:, :, :-side]
    return out


def _summed(steps: np.ndarray, side: int, axis: int) -> np.ndarray:
    """Return the sums of `side` steps in a row; NaN stays where it is."""
    return steps if side == 1 else np.lib.stride_tricks.sliding_window_view(steps, side, axis).sum(-1)
