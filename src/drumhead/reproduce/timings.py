"""What networks cost beside each other: a training step and inference, by turns in one process.

One thread is timed by the processor's clock, which other work on the machine does not move. Of several threads that
clock counts those that wait by spinning as well, so they are timed by the wall clock, on a machine that rests.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from drumhead.engine.threads import on_threads
from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.run import environment
from drumhead.networks.model import build
from drumhead.reproduce.front import BASE
from drumhead.reproduce.tables import Row
from drumhead.settings.presets import get_preset
from drumhead.tasks import get

TRAIN, INFER = 16, 8  # images


def prices(
    rows: Sequence[Row], task: str, rounds: int, threads: int = 1, tick: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Return for each network milliseconds an image, of processor time or real time, and ratios to the U-Net's.

    Args:
        rows: networks; the U-Net with c = 4 is among them in any case.
        task: whose images it is measured on: their size matters, not what they show.
        rounds: timings of each, one a round; a ratio compares two of the same round.
        threads: of torch while it measures; of one, processor time is taken, of more, real time.
        tick: is told the name of each network after each of its timings.

    Returns:
        By name "train" and "infer", each the median in milliseconds and the median and quartiles of the ratios.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    keep_freed_memory()
    with on_threads(threads):
        named = {BASE: Row(BASE, BASE), **{row.name: row for row in rows}}
        calls = {name: _calls(row, task) for name, row in named.items()}
        found: dict[str, Any] = {
            name: dict(zip(("train", "infer"), by_mode, strict=True))
            for name, by_mode in zip(
                calls, zip(*(_by_turns(calls, mode, rounds, tick, clock) for mode in (0, 1)), strict=True), strict=True
            )
        }
    return {
        **found,
        "about": {"rounds": rounds, "threads": threads, "clock": clock.__name__, "environment": environment()},
    }


def _calls(row: Row, task: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return a training step of 16 images and inference of 8."""
    config, size = row.model(task), get(task).size
    assert size  # a folder's images have many, and it is not on the front
    torch.manual_seed(0)
    model, settings = build(config), get_preset(f"{task}/nwm-stack").train
    optimizer = torch.optim.AdamW(model.parameters(), settings.lr, weight_decay=settings.weight_decay)
    images = torch.rand(TRAIN, config.image_channels, *size)
    masks = torch.randint(config.classes, (TRAIN, *size))

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(images), masks).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()

    def infer() -> None:
        model.eval()
        with torch.no_grad():
            model(images[:INFER])

    return train, infer


def _by_turns(
    calls: dict[str, tuple[Callable[[], Any], ...]],
    mode: int,
    rounds: int,
    tick: Callable[[str], None],
    clock: Callable[[], float],
) -> Iterable[dict[str, Any]]:
    """Return each network's times in one mode, in the order of `calls`."""
    images = (TRAIN, INFER)[mode]
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(-2, rounds):  # two turns that do not count
        for name, call in calls.items():
            began = clock()
            call[mode]()
            if turn >= 0:
                times[name].append(1000 * (clock() - began) / images)
            tick(name)
    for own in times.values():
        ratios = [mine / base for mine, base in zip(own, times[BASE], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if rounds > 1 else ratios * 3
        yield {"milliseconds": statistics.median(own), "ratio": middle, "low": low, "high": high}
