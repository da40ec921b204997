"""Results as JSON, with every sample, and as tables for people."""

import json
import statistics
from pathlib import Path
from typing import Any

from drumhead.bench.plan import CONTENDERS, MODES
from drumhead.errors import DrumheadError
from drumhead.files import from_json, write_atomic
from drumhead.show import pages

FORMAT, SCHEMA = "drumhead-bench", 1
QUIET = 0.3  # cores that other processes may use during a sample
JSON, MARKDOWN = "bench.json", "bench.md"


def write(out: Path, results: dict[str, Any]) -> None:
    """Write bench.json and bench.md, each whole or not at all."""
    write_atomic(out / JSON, json.dumps(results, indent=1) + "\n")
    write_atomic(out / MARKDOWN, markdown(results))


def read(path: Path) -> dict[str, Any]:
    """Read the results of a benchmark; refuse what is none."""
    if path.is_dir():
        path = path / JSON
    try:
        results = from_json(path.read_bytes())
    except FileNotFoundError:
        raise DrumheadError(f"{path} does not exist; a {JSON} written by 'drumhead bench' is needed") from None
    except ValueError as error:  # not text, not JSON, or nested too deeply
        raise DrumheadError(f"{path} is not JSON: {error}") from None
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise DrumheadError(f"{path} is not a benchmark of drumhead; a {JSON} written by 'drumhead bench' is needed")
    if results.get("schema") != SCHEMA:
        raise DrumheadError(
            f"{path} has schema {results.get('schema')!r}, this version of drumhead reads {SCHEMA}: measure anew"
        )
    try:
        _check(results)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DrumheadError(f"{path} is damaged ({error!r}); mend it, or measure anew") from None
    return results


def _check(results: dict[str, Any]) -> None:
    """Read all that two benchmarks are compared by."""
    results["machine"].keys()
    results["date"].encode()
    for row in (row for section in ("speed", "side") for row in results.get(section, [])):
        hash(same(row))
        MODES[row["mode"]]
        for kind in ("wall_s", "cpu_s"):
            milliseconds(row[kind])


def same(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a measurement is known by in another benchmark."""
    return tuple(row[name] for name in ("task", "mode", "contender", "side", "batch", "steps"))


def tables(results: dict[str, Any]) -> list[pages.Grid]:
    """Return the tables of what was measured."""
    groups = dict.fromkeys((row["task"], row["mode"]) for row in results.get("speed", []))
    out = [_speed(results, task, mode) for task, mode in groups]
    if results.get("memory"):
        out.append(_memory(results))
    if results.get("side"):
        out.append(_side(results))
    return out


def markdown(results: dict[str, Any]) -> str:
    """Return the whole report."""
    machine, plan = results["machine"], results["plan"]
    blocks: list[pages.Block] = [
        pages.Heading(f"Benchmark of {results['date'][:10]}", 1),
        pages.Text(
            f"`{results['command']}`, drumhead {machine['drumhead']} ({machine['commit'] or 'no commit known'})."
        ),
        pages.Text(
            f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} used, "
            f"{machine['memory_gb']} GB; {' '.join(machine['isa'])}; {machine['system']}; "
            f"Python {machine['python']}, torch {machine['torch']}."
        ),
        pages.Text(
            f"Contenders took turns for {plan['rounds']} rounds after {plan['warmups']} calls each that do not count. "
            "Given are the median and, in brackets, the quartiles. A ratio is taken within each round, so that slow "
            "phases of the machine cancel: 2.0x is half the time of the published code's loop. A training step is "
            "forward, cross-entropy and backward; the optimizer is the same for all and not timed. Images and labels "
            "are random."
        ),
    ]
    if plan["quick"]:
        text = "**A quick run on tiny images: it shows that the benchmark works and says nothing about speed.**"
        blocks.append(pages.Text(text))
    if busy := disturbed(results):
        blocks.append(pages.Text(f"**{busy}**"))
    named = pages.Items(tuple(f"`{name}`: {text}" for name, text in CONTENDERS.items()))
    left_out = pages.Items(tuple(map(_left_out, results["left_out"])))
    blocks += [named, *tables(results), *([pages.Heading("Left out"), left_out] if left_out.lines else [])]
    return pages.markdown(blocks)


def disturbed(results: dict[str, Any]) -> str | None:
    """Say how many samples were taken while other processes kept cores busy; None if it was quiet."""
    rows = [row for section in ("speed", "side") for row in results.get(section, [])]
    others = [value for row in rows for value in row["others_cores"] if value is not None]
    loud = [value for value in others if value > QUIET]
    if not loud:
        return None
    return (
        f"{len(loud)} of {len(others)} samples were taken while other processes used more than {QUIET} cores, up to "
        f"{max(loud):.1f}: the machine was not quiet."
    )


def _speed(results: dict[str, Any], task: str, mode: str) -> pages.Grid:
    rows = [row for row in results["speed"] if (row["task"], row["mode"]) == (task, mode)]
    first = rows[0]
    steps = next((f", T = {row['steps']}" for row in rows if row["steps"]), "")
    return pages.Grid(
        ("contender", "wall ms/image", "CPU ms/image", "ratio, wall", "ratio, CPU", "logits off by"),
        [
            (
                row["contender"],
                milliseconds(row["wall_s"]),
                milliseconds(row["cpu_s"]),
                times(row["wall_ratio"]),
                times(row["cpu_ratio"]),
                f"{row['deviation']:.0e}" if row["deviation"] else "-",
            )
            for row in rows
        ],
        f"{task}, {MODES[mode]} ({first['side']} x {first['side']}, {first['batch']} at a time{steps})",
    )


def _memory(results: dict[str, Any]) -> pages.Grid:
    rows = results["memory"]
    steps = sorted({row["steps"] for row in rows})
    found = {(row["contender"], row["mode"], row["steps"]): row["bytes_samples"] for row in rows}
    return pages.Grid(
        ("contender", *(f"T = {count}" for count in steps), "MB per image and step"),
        [
            (
                f"{item['contender']}, {MODES[item['mode']]}",
                *(_megabytes(found.get((item["contender"], item["mode"], count))) for count in steps),
                "-" if item["mb_per_image_and_step"] is None else f"{item['mb_per_image_and_step']:.4f}",
            )
            for item in results["memory_slopes"]
        ],
        f"Peak memory of one call in MB, median (extremes) of fresh processes "
        f"(tetrominoes network, {rows[0]['side']} x {rows[0]['side']}, {rows[0]['batch']} images)",
    )


def _side(results: dict[str, Any]) -> pages.Grid:
    rows = results["side"]
    sides = sorted({row["side"] for row in rows})
    found = {(row["contender"], row["side"]): row for row in rows}
    names = list(dict.fromkeys(row["contender"] for row in rows))

    def cell(name: str, side: int) -> str:
        row = found.get((name, side))
        if row is None:
            return "left out"
        ratio = None if name == "published" else row["wall_ratio"]
        return milliseconds(row["wall_s"]) + (f", {digits(ratio['median'])}x" if ratio else "")

    return pages.Grid(
        ("contender", *(f"{side} px" for side in sides)),
        [(name, *(cell(name, side) for side in sides)) for name in names],
        "Inference of one image against its side: wall ms and ratio (tetrominoes network)",
    )


def _left_out(item: dict[str, Any]) -> str:
    extent = [f"{item[name]} {unit}" for name, unit in (("side", "px"), ("steps", "steps")) if name in item]
    mode = f" ({MODES[item['mode']]})" if "mode" in item else ""
    where = ", ".join([item["section"], *([item["task"]] if "task" in item else []), *(f"from {x} on" for x in extent)])
    return f"`{item['contender']}`{mode}, {where}: {item['reason']}"


def milliseconds(spread: dict[str, float]) -> str:
    """Return seconds as milliseconds with their quartiles."""
    return f"{digits(1e3 * spread['median'])} ({digits(1e3 * spread['low'])}-{digits(1e3 * spread['high'])})"


def times(spread: dict[str, float] | None) -> str:
    """Return a ratio with its quartiles; a dash for none."""
    if spread is None:
        return "-"
    return f"{digits(spread['median'])}x ({digits(spread['low'])}-{digits(spread['high'])})"


def digits(value: float) -> str:
    """Return three digits, never fewer than the whole number has."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _megabytes(samples: list[float] | None) -> str:
    """Return bytes as megabytes: the median, and the extremes of several samples."""
    if samples is None:
        return "left out"
    low, median, high = (digits(f(samples) / 1e6) for f in (min, statistics.median, max))
    return median if len(samples) == 1 else f"{median} ({low}-{high})"
