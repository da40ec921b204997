"""Interleaved timing: round robin over the contenders, so that a slow phase of the machine meets all of them."""

import gc
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from drumhead.bench.plan import WARMUPS

READABLE = 0.2  # seconds; the system counts work in hundredths of a second


@dataclass
class Samples:
    """Seconds per image, one a round; each is the mean of `calls` calls.

    `others` is how many cores other processes used meanwhile: threads that wait for a core that somebody else has
    can make a sample many times slower. None where the system does not say, or the sample was too short for it.
    """

    calls: int = 1
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    others: list[float | None] = field(default_factory=list)


def interleave(
    calls: Mapping[str, Callable[[], object]],
    images: int,
    rounds: int,
    least_seconds: float,
    tick: Callable[[str], None] = lambda name: None,
) -> dict[str, Samples]:
    """Time each call once a round; each round begins with another contender.

    Args:
        calls: the work of each contender.
        images: how many images a call handles.
        rounds: samples of each contender, after `WARMUPS` calls that do not count.
        least_seconds: a sample repeats a short call until it lasts about this long.
        tick: is told the name of a contender after each of its samples and once after its warm-up.
    """
    names = list(calls)
    samples = {}
    for name in names:
        duration = math.inf
        for _ in range(WARMUPS):
            began = time.perf_counter()
            calls[name]()
            duration = min(duration, time.perf_counter() - began)
        samples[name] = Samples(calls=max(1, math.ceil(least_seconds / max(duration, 1e-6))))
        tick(name)
    for i in range(rounds):
        first = i % max(len(names), 1)
        for name in names[first:] + names[:first]:
            _sample(calls[name], samples[name], images)
            tick(name)
    return samples


def _sample(call: Callable[[], object], samples: Samples, images: int) -> None:
    gc.collect()
    before = _busy()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(samples.calls):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    after = _busy()
    others = None if before is None or after is None else max(0.0, (after - before - cpu) / wall)
    samples.others.append(others if wall >= READABLE else None)
    samples.wall.append(wall / samples.calls / images)
    samples.cpu.append(cpu / samples.calls / images)


def _busy() -> float | None:
    """Return the seconds that all cores together have worked since the system started."""
    try:
        user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = np.percentile(values, (25, 50, 75))
    return {"median": float(median), "low": float(low), "high": float(high)}


def ratio(base: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """Return how many times less each value is than the base of the same round, as a spread."""
    return spread([b / max(v, 1e-12) for b, v in zip(base, values, strict=True)])


def slope(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Return the slope of the line of least squares; None for fewer than two points."""
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else None
