"""What a time course gives: accuracy against steps and their cost, and stopping when sure."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from drumhead.learn.data import Batches
from drumhead.learn.metrics import Segmentation
from drumhead.networks.anytime import sureness
from drumhead.networks.segmenter import evaluating
from drumhead.networks.timed import Timed

SURE = (0.8, 0.9, 0.95, 0.98, 0.99)
TURNS = 5  # timings of each, of which the least counts


def answer_steps(model: Timed, most: int = 12) -> list[int]:
    """Return the numbers of steps to answer after: at most so many, evenly spaced, the last one T."""
    even = {round(model.steps * (i + 1) / most) for i in range(most)} - {0}
    return sorted(step for step in even if model.answers(step))


@torch.no_grad()
def over_time(model: Timed, split: Batches, classes: int, batch: int) -> dict[str, Any]:
    """Return the scores of a network after fewer steps, and when it stops as soon as it is sure.

    Returns:
        `steps`: for each number of steps, the scores and `cost`, its processor time over that of the whole answer.
        `early`: for each confidence, looked for after each quarter of T, the scores, the mean of steps that images
        took, the share of them that stopped before the end, and `cost` likewise.
    """
    with evaluating(model):
        return _over_time(model, split, classes, batch)


def _over_time(model: Timed, split: Batches, classes: int, batch: int) -> dict[str, Any]:
    asked, few = answer_steps(model), answer_steps(model, 4)
    sample = next(split.in_order(batch))[0]
    whole = _least(lambda: model.segment(sample))
    found = {key: Segmentation(classes).to(sample.device) for key in (*asked, *map(str, SURE))}
    took: dict[float, list[Tensor]] = {sure: [] for sure in SURE}
    for images, masks in split.in_order(batch):
        course = dict(zip(asked, model.time_course(images, asked), strict=True))
        labels = {step: logits.argmax(1) for step, logits in course.items()}
        for step in asked:
            found[step].update(labels[step], masks)
        sureness_at = torch.stack([sureness(course[step]) for step in few])
        sureness_at[-1] = math.inf  # all stop at the end
        for sure in SURE:
            first = (sureness_at >= sure).int().argmax(0)  # what `model.early` would stop at
            stopped = torch.stack([labels[step] for step in few])[
                first, torch.arange(len(images), device=images.device)
            ]
            found[str(sure)].update(stopped, masks)
            took[sure].append(torch.tensor(few)[first.cpu()])
    rows = [
        {"steps": step, **found[step].compute(), "cost": _least(lambda s=step: model.early(sample, 0, (s,))) / whole}
        for step in asked
    ]
    early = [
        {
            "confidence": sure,
            **found[str(sure)].compute(),
            "mean_steps": float(torch.cat(took[sure]).double().mean()),
            "before_the_end": float((torch.cat(took[sure]) < model.steps).double().mean()),
            "cost": _least(lambda s=sure: model.early(sample, s, few)) / whole,
        }
        for sure in SURE
    ]
    return {"steps": rows, "early": early}


def _least(call: Callable[[], Any]) -> float:
    """Return the least processor time of a few calls, in seconds."""

    def once() -> float:
        began = time.process_time()
        call()
        return time.process_time() - began

    once()
    return min(once() for _ in range(TURNS))
