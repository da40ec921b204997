"""The parts of `drumhead drum`: each computes, draws if there is a place to, and returns its numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from drumhead import drum
from drumhead.drum import Membrane
from drumhead.drum.weyl import SMALLEST
from drumhead.show import drums, hearing, movies, sound
from drumhead.show.pages import Grid
from drumhead.show.terminal import print_table

DT = 0.5  # step at speed 1; 0.707 is the limit
UNITS = (4, 8, 16, 32)  # resolutions of the isospectral pair
TURNS = (20, 33)  # degrees by which it is turned off the grid
CONTROL = 4  # pixels a unit of the pair that can be told apart
SEGMENTATION = (100, 0.1)  # steps of the paper's segmentation networks


def describe(membrane: Membrane) -> dict[str, Any]:
    """Say what the drum is."""
    from scipy import ndimage

    return {
        "name": membrane.name,
        "pixels": int(membrane.mask.sum()),
        "height": membrane.mask.shape[0],
        "width": membrane.mask.shape[1],
        "pieces": int(ndimage.label(membrane.mask)[1]),  # pyright: ignore[reportIndexIssue]
        "area": membrane.area,
        "perimeter": membrane.perimeter,
        "exact": membrane.exact,
    }


def ring(membrane: Membrane, modes: int, time: float, out: Path | None) -> dict[str, Any]:
    """Strike the drum at a lively pixel, listen at another, and compare what is heard with the modes."""
    found = drum.modes(membrane, modes)
    omega = drum.ringing(found.values, DT)
    struck, heard = _spots(membrane, found)
    steps = round(time / DT)
    series = drum.strike(membrane, struck, steps=steps, dt=DT, listen=[heard])[:, 0]
    lines = drum.lines(series, DT, omega)
    if out is not None:
        _draw(out, membrane, found, omega, series, struck, heard)
    return {
        "struck": struck,
        "heard": heard,
        "dt": DT,
        "steps": steps,
        "bin": 2 * np.pi / (steps * DT),
        "lambda": found.values.tolist(),
        "omega": omega.tolist(),
        "fundamental_heard": float(drum.fundamental(series, DT)),
        "lines": vars(lines),
    }


def _spots(membrane: Membrane, found: drum.Modes) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a pixel to strike, at which none of the lowest modes rests, and another such pixel away from it.

    Both lie on the piece that rings most in these: a wave does not leave its piece, and neither does a mode.
    """
    from scipy import ndimage

    pieces = ndimage.label(membrane.mask)[0]  # pyright: ignore[reportIndexIssue]
    energy = found.shapes**2
    piece = pieces == np.bincount(pieces.ravel(), energy[:8].sum(0).ravel()).argmax()
    here = np.flatnonzero((energy * piece).sum((1, 2)) > energy.sum((1, 2)) / 2)[:8]
    lowest = drum.Modes(found.values[here], found.shapes[here] * piece)
    struck = drum.lively(lowest)
    rows, columns = np.indices(piece.shape)
    away = np.hypot(rows - struck[0], columns - struck[1]) >= 0.3 * max(np.ptp(np.nonzero(piece), axis=1) + 1)
    near = lowest.shapes * (away if (away & piece).any() else True)
    return struck, drum.lively(drum.Modes(lowest.values, near))


def _draw(out: Path, membrane: Membrane, found: drum.Modes, omega: np.ndarray, series: np.ndarray,
          struck: tuple[int, int], heard: tuple[int, int]) -> None:  # fmt: skip
    name, inside = membrane.name, membrane.mask
    across = max(inside.shape)
    every = max(1, round(across / 48 / DT))  # a frame a pixel of travel, at 48 pixels
    width = max(2.0, across / 24)
    movie = drum.strike(membrane, struck, steps=120 * every, dt=DT, every=every, width=width)
    times = every * DT * np.arange(1, len(movie) + 1)
    drums.save_membrane(out / "membrane.png", inside, f"{name}: {int(inside.sum())} pixels move")
    shots = [round(len(movie) * f) - 1 for f in (0.03, 0.1, 0.2, 0.33, 0.5, 0.75, 1.0)]
    drums.save_wave(out / "wave.png", inside, movie[shots], times[shots].tolist(), struck, heard, f"a wave on {name}")
    movies.save_field(out / "wave.gif", movie, inside, times)
    bins = 2 * np.pi * np.arange(len(series) // 2 + 1) / (len(series) * DT)
    title = f"{name}: what the pixel at x = {heard[1]}, y = {heard[0]} hears"
    drums.save_spectrum(out / "spectrum.png", series, DT, omega, bins, drum.spectrum(series), title)
    drums.save_modes(
        out / "modes.png",
        inside,
        found.shapes,
        omega,
        f"the lowest modes of {name}: number and relative frequency",
    )
    sound.save_ringing(out / "sound.wav", series, DT, float(omega[0]))


def weigh(membrane: Membrane, size: float, every_shape: bool, out: Path | None) -> dict[str, Any]:
    """Hear area and perimeter by counting modes, of this drum and of the named ones."""
    others = [drum.shape(name, size) for name in drum.SHAPES if every_shape and name != membrane.name]
    others = [other for other in others if other.mask.sum() >= SMALLEST]
    rows, heard = [], drum.weyl(membrane)
    for other, result in [(membrane, heard), *((other, drum.weyl(other)) for other in others)]:
        row: dict[str, Any] = {
            **describe(other),
            "constant": other.constant,
            "modes": len(result.values),
            "lambda_max": float(result.values[-1]),
        }
        for how, fit in (("", result.smoothed), ("_counted", result.counted), ("_plain", result.plain)):
            for quantity, value, true in zip(("area", "perimeter"), fit, (other.area, other.perimeter), strict=False):
                row[f"{quantity}_heard{how}"] = value
                row[f"{quantity}_error{how}"] = 100 * (value / true - 1)
            row[f"constant_heard{how}"] = fit[2]
        rows.append(row)
    if out is not None:
        values, true = heard.values, (membrane.area, membrane.perimeter, heard.smoothed[2])
        plain = (true[0] * values - true[1] * np.sqrt(values)) / (4 * np.pi) + true[2]
        law = drum.counted(true, values)
        hearing.save_weyl(out / "weyl.png", values, law, plain, membrane.name, rows)
    return {"shapes": rows}


def squares(sides: tuple[int, ...], time: float, out: Path | None) -> dict[str, Any]:
    """Ask every pixel of squares for the area, long enough, and once as briefly as the segmentation networks listen."""
    results = drum.squares(sides, time=time)
    if out is not None:
        heard = [result.heard for result in results]
        hearing.save_areas(out / "area.png", sides, *([getattr(h, key) for h in heard] for key in
                           ("area", "low", "high", "plain")))  # fmt: skip
    rows = []
    for side, result in zip(sides, results, strict=True):
        h, true = result.heard, float(side**2)
        rows.append({
            "side": side, "pixels": h.area.size, "steps": result.steps, "dt": result.dt, "area": true,
            "heard_least": float(h.area.min()), "heard_most": float(h.area.max()),
            "low": float(h.low.min()), "high": float(h.high.max()), "plain": float(h.plain.mean()),
            "inside_bin": bool(((h.low <= true) & (true <= h.high)).all()),
            "worst_error": 100 * float(np.abs(h.area / true - 1).max()),
            "bin_error": 100 * float((h.high / h.area - 1).max()),
        })  # fmt: skip
    steps, dt = SEGMENTATION
    brief = drum.area_heard(drum.strike(np.ones((20, 20), bool), steps=steps, dt=dt), dt)
    return {
        "squares": rows,
        "brief": {
            "side": 21, "steps": steps, "dt": dt, "area": 441.0, "deaf": int(np.isnan(brief.area).sum()),
            "heard_least": float(np.nanmin(brief.area)), "heard_most": float(np.nanmax(brief.area)),
        },
    }  # fmt: skip


def pair(count: int, time: float, out: Path | None) -> dict[str, Any]:
    """Compare the isospectral pair on and off the lines of the grid, and the pair that can be told apart."""

    def compare(first: Membrane, second: Membrane) -> float:
        return float(drum.differences(first, second, min(count, int(first.mask.sum()), int(second.mask.sum()))).max())

    aligned = [compare(*drum.gww(unit)) for unit in UNITS]
    turned = {turn: [compare(*drum.gww(unit, turn)) for unit in UNITS] for turn in TURNS}
    ls = drum.notched(CONTROL)
    control = compare(*ls)
    if out is not None:
        shown = []
        for member in (*drum.gww(16), *ls):
            found = drum.modes(member, 30)
            omega = drum.ringing(found.values, DT)
            shown.append({"name": member.name, "inside": member.mask, "mode": found.shapes[4], "omega": omega})
            if member.name.startswith("gww"):
                struck, heard = _spots(member, found)
                steps = round(time / DT)
                series = drum.strike(member, struck, steps=steps, dt=DT, listen=[heard])[:, 0]
                sound.save_ringing(out / f"{member.name}.wav", series, DT, float(omega[0]))
        labels = {f"isospectral, turned by {turn} degrees": (UNITS, values) for turn, values in turned.items()}
        hearing.save_pair(out / "pair.png", shown, (UNITS, aligned), labels, control)
    return {
        "modes": count,
        "units": UNITS,
        "aligned": aligned,
        "turned": {str(turn): values for turn, values in turned.items()},
        "lambda": [(drum.modes(member, 10).values * UNITS[-1] ** 2).tolist() for member in drum.gww(UNITS[-1])],
        "control": {"names": [member.name for member in ls], "area": ls[0].area, "perimeter": ls[0].perimeter,
                    "pixels": [int(member.mask.sum()) for member in ls], "largest": control},
    }  # fmt: skip


def report(results: dict[str, Any]) -> None:
    """Print the tables."""
    name, ringing = results["drum"]["name"], results["ring"]
    omega, lines = ringing["omega"][0], ringing["lines"]
    if results["drum"]["pieces"] > 1:
        print(
            f"{name} is in {results['drum']['pieces']} pieces; a wave stays on the one that is struck, and what is "
            "heard of it says nothing of the lowest mode of another"
        )
    print(
        f"{name}: {results['drum']['pixels']} pixels; lowest mode at {omega:.5f}, heard at "
        f"{ringing['fundamental_heard']:.5f} in bins of {ringing['bin']:.5f}; every peak that stands alone is within "
        f"{lines['farthest']:.2f} bins of a mode"
    )
    columns = ("drum", "modes", "area", "heard", "error", "perimeter", "heard", "error")
    print_table(Grid(columns, [_counted(row) for row in results["weyl"]["shapes"]], "heard by counting modes"))
    if "area" in results:
        columns = ("side", "pixels", "area", "heard", "worst error", "uncertainty")
        rows = [_square(row) for row in results["area"]["squares"]]
        print_table(Grid(columns, rows, "squares: area heard at every pixel"), left=0)
    if "pair" in results:
        pairs = results["pair"]
        turned = pairs["turned"][str(TURNS[0])][-1]
        print(
            f"gww-1 and gww-2: their lowest {pairs['modes']} modes differ by at most {max(pairs['aligned']):.0e}; "
            f"turned off the grid by {turned:.1%}; two Ls of equal area and rim by {pairs['control']['largest']:.0%}"
        )


def _counted(row: dict[str, Any]) -> list[str]:
    cells = [row["name"], str(row["modes"])]
    for what in ("area", "perimeter"):
        true, heard, error = (row[what + word] for word in ("", "_heard", "_error"))
        rounded = round(error, 1) + 0.0  # never -0.0
        cells += [f"{'' if row['exact'] else '~'}{true:.0f}", f"{heard:.0f}", f"{rounded:+.1f} %"]
    return cells


def _square(row: dict[str, Any]) -> list[str]:
    low, high = row["heard_least"], row["heard_most"]
    between = f"{low:.1f}" if high - low < 0.05 else f"{low:.1f} to {high:.1f}"
    errors = (f"{row[which]:.2f} %" for which in ("worst_error", "bin_error"))
    return [str(row["side"]), str(row["pixels"]), f"{row['area']:.0f}", between, *errors]
