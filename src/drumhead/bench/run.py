"""A whole benchmark: its sections one after the other, written after each, so that an interruption loses one."""

import datetime
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from drumhead.bench import machine, plots, report, sections
from drumhead.bench.plan import SECTIONS, WARMUPS, Plan
from drumhead.errors import DrumheadError
from drumhead.show.place import check_place
from drumhead.show.terminal import Progress

_RUN = {"speed": sections.speed, "memory": sections.steps, "side": sections.side}


def run(plan: Plan, out: Path, command: str, progress: Progress) -> dict[str, Any]:
    """Measure what the plan says, write it to the directory and return it.

    Args:
        plan: what to measure.
        out: directory for bench.json, bench.md and the plots.
        command: the command line, kept with the results.
        progress: shows how far it is.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(plan.threads or threads)
    try:
        results: dict[str, Any] = {
            "format": report.FORMAT,
            "schema": report.SCHEMA,
            "date": datetime.datetime.now().isoformat(timespec="seconds"),
            "command": command,
            "machine": machine.facts(),
            "plan": {**asdict(plan), "rounds": plan.samples, "warmups": WARMUPS, "optimizer": "not timed"},
            "left_out": [],
        }
        for name in plan.chosen(SECTIONS):
            results |= _RUN[name](plan, progress, results["left_out"])
            report.write(out, results)
            plots.save(out, results)
    finally:
        torch.set_num_threads(threads)
    return results


def place(out: Path | None, quick: bool) -> Path:
    """Return the directory to write to: the one that is given, or a new one named by date and processor."""
    if out is not None:
        if (out / report.JSON).exists():
            raise DrumheadError(f"{out} holds a benchmark already; choose another directory with --out")
        check_place(out)
        return out
    processor = re.sub(r"\W+", "-", machine.facts()["processor"]).strip("-").lower() or "unknown"
    base = f"{datetime.date.today().isoformat()}-{processor}{'-quick' if quick else ''}"
    number, path = 1, Path("benchmarks/results") / base
    while (path / report.JSON).exists():
        number += 1
        path = path.with_name(f"{base}-{number}")
    path.mkdir(parents=True, exist_ok=True)
    return path
