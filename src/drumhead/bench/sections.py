"""The three sections of a benchmark: speed, memory against steps, time against the side of the image."""

import contextlib
import statistics
from collections.abc import Mapping
from typing import Any

import torch

from drumhead.bench import machine, memory
from drumhead.bench.contenders import Case, assemble, deviations, missing
from drumhead.bench.measure import Samples, interleave, ratio, slope, spread
from drumhead.bench.plan import CONTENDERS, MEMORY_SERIES, MODES, SIDE_CONTENDERS, TASKS, Plan
from drumhead.errors import DrumheadError
from drumhead.show.terminal import Progress

Row = dict[str, Any]
MEMORY_SHARE = 0.7  # of the memory that is free: what a prediction may use
LONGEST = 20  # seconds: longer calls are not begun


def speed(plan: Plan, progress: Progress, left_out: list[Row]) -> dict[str, list[Row]]:
    """Time training steps and inference of all contenders on each task."""
    rows = []
    tasks, modes = plan.chosen(TASKS), plan.chosen(MODES)
    names = plan.chosen(CONTENDERS)
    with progress.section(len(tasks) * len(modes) * len(names) * (plan.samples + 1), name="speed"):
        for task in tasks:
            able = _able(names, task, "speed", left_out, progress)
            case = Case(task, plan.side_of(task), plan.batch_of(task), plan.steps)
            contenders = assemble(able, case)
            off = deviations(contenders)
            for mode in modes:
                calls = {name: getattr(contender, mode) for name, contender in contenders.items()}
                samples = interleave(
                    calls,
                    case.batch,
                    plan.samples,
                    plan.least_seconds,
                    lambda name, task=task, mode=mode: progress.tick(f"{task} {MODES[mode]} {name}"),
                )
                rows += [{**row, "deviation": off.get(row["contender"])} for row in _rows(samples, case, mode)]
    return {"speed": rows}


def side(plan: Plan, progress: Progress, left_out: list[Row]) -> dict[str, list[Row]]:
    """Time inference of one image against its side, with the network for tetrominoes."""
    rows = []
    names = [name for name in SIDE_CONTENDERS if name in plan.chosen(CONTENDERS)]
    with progress.section(len(names) * len(plan.sides) * (plan.samples + 1), name="side"):
        names = _able(names, "tetrominoes", "side", left_out, progress)
        pixel_bytes = {} if plan.quick else _pixel_bytes(names, plan.sides[1])
        pixel_seconds: dict[str, float] = {}
        for size in plan.sides:
            for name in list(names):
                reason = _too_much(size**2 * pixel_seconds.get(name, 0), size**2 * pixel_bytes.get(name, 0))
                if reason:
                    names.remove(name)  # larger images would cost still more
                    left_out.append({"section": "side", "contender": name, "side": size, "reason": reason})
                    progress.note(f"{name} is left out from {size} pixels on: {reason}")
            case = Case("tetrominoes", size, 1, plan.steps)
            calls = {name: contender.infer for name, contender in assemble(names, case).items()}
            samples = interleave(
                calls, 1, plan.samples, plan.least_seconds, lambda name, size=size: progress.tick(f"{size} px {name}")
            )
            rows += _rows(samples, case, "infer")
            pixel_seconds = {name: spread(sample.wall)["median"] / size**2 for name, sample in samples.items()}
    return {"side": rows}


def steps(plan: Plan, progress: Progress, left_out: list[Row]) -> dict[str, list[Row]]:
    """Measure peak memory against the number of steps, each in a fresh process."""
    rows, slopes = [], []
    modes, names = plan.chosen(MODES), plan.chosen(CONTENDERS)
    series = [(name, mode) for name, mode in MEMORY_SERIES if name in names and mode in modes]
    with progress.section(len(series) * len(plan.memory_steps) * plan.memory_samples, name="memory"):
        able = _able([name for name, _ in series], "tetrominoes", "memory", left_out, progress)
        for name, mode in [item for item in series if item[0] in able]:
            own: list[Row] = []
            for count in plan.memory_steps:
                case = Case("tetrominoes", plan.side_of("tetrominoes"), plan.memory_batch, count)
                try:
                    if own and (reason := _too_much(0, own[-1]["bytes"] * count / own[-1]["steps"])):
                        raise DrumheadError(reason)
                    own.append({**_about(case, name, mode), **_peak(plan, case, name, mode, progress)})
                except DrumheadError as error:
                    left_out.append({"section": "memory", "contender": name, "mode": mode, "steps": count,
                                     "reason": str(error)})  # fmt: skip
                    progress.note(f"{name} ({MODES[mode]}) is left out from {count} steps on: {error}")
                    break
            per_step = slope([row["steps"] for row in own], [row["bytes"] / row["batch"] / 1e6 for row in own])
            slopes.append({"contender": name, "mode": mode, "mb_per_image_and_step": per_step})
            rows += own
    return {"memory": rows, "memory_slopes": slopes}


def _peak(plan: Plan, case: Case, name: str, mode: str, progress: Progress) -> Row:
    samples = []
    for _ in range(plan.memory_samples):
        samples.append(memory.growth(name, mode, case, torch.get_num_threads()))
        progress.tick(f"{name} ({MODES[mode]}), {case.steps} steps")
    return {"bytes_samples": samples, "bytes": statistics.median(samples)}


def _able(names: list[str], task: str, section: str, left_out: list[Row], progress: Progress) -> list[str]:
    """Return the names of those that can run here, and note the others."""
    names = list(dict.fromkeys(names))
    reasons = missing(names, task)
    for name, reason in reasons.items():
        left_out.append({"section": section, "task": task, "contender": name, "reason": reason})
    for reason in dict.fromkeys(reasons.values()):
        those = ", ".join(name for name in reasons if reasons[name] == reason)
        progress.note(f"left out ({section}, {task}): {those}: {reason}")
    return [name for name in names if name not in reasons]


def _rows(samples: Mapping[str, Samples], case: Case, mode: str) -> list[Row]:
    """Return a row a contender: samples, spreads, and ratios to the published loop of the same rounds."""
    base = samples.get("published")
    rows = []
    for name, sample in samples.items():
        row: Row = {**_about(case, name, mode), "calls_per_sample": sample.calls, "others_cores": sample.others}
        for kind in ("wall", "cpu"):
            values = getattr(sample, kind)
            row[f"{kind}_samples_s"] = values
            row[f"{kind}_s"] = spread(values)
            row[f"{kind}_ratio"] = ratio(getattr(base, kind), values) if base else None
        rows.append(row)
    return rows


def _about(case: Case, name: str, mode: str) -> Row:
    waves = not name.startswith("unet")
    return {"task": case.task, "mode": mode, "contender": name, "side": case.side, "batch": case.batch,
            "steps": case.steps if waves else None}  # fmt: skip


def _pixel_bytes(names: list[str], size: int) -> dict[str, float]:
    """Return the peak memory of inference a pixel, which hardly depends on the size of the image."""
    case, out = Case("tetrominoes", size, 1, 100), {}
    for name in names:
        with contextlib.suppress(DrumheadError):  # then nothing is known, and nothing is predicted
            out[name] = memory.growth(name, "infer", case, torch.get_num_threads()) / size**2
    return out


def _too_much(seconds: float, size: float) -> str | None:
    """Say why a call would be too long or too large; None if it is not."""
    if seconds > LONGEST:
        return f"a call would take about {seconds:.0f} s, more than {LONGEST} s"
    free = MEMORY_SHARE * machine.free_memory()
    if size > free:
        return f"it would need about {size / 1e9:.1f} GB, more than the {free / 1e9:.1f} GB that may be used here"
    return None
