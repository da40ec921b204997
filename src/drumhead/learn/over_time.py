"""What a time course gives: accuracy against steps and their cost, stopping when sure, confidence from the waves."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from drumhead.learn.confidence import Confidence
from drumhead.learn.data import Batches
from drumhead.learn.metrics import Segmentation
from drumhead.networks.anytime import sureness
from drumhead.networks.timed import Timed
from drumhead.read.classes import IGNORE

SURE = (0.8, 0.9, 0.95, 0.98, 0.99)
TURNS = 5  # timings of each, of which the least counts


def looks(model: Timed, most: int = 12) -> list[int]:
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
    model.eval()
    asked, few = looks(model), looks(model, 4)
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


@torch.no_grad()
def confidence(model: torch.nn.Module, split: Batches, batch: int) -> dict[str, Any]:
    """Return how far confidence can be trusted, of all pixels and of those that are given no background.

    softmax: the largest probability at the end. settled: of a network that answers at any time, the probability that
    the final label had, averaged over the time course; a pixel that was sure early is surer than one that came to it.
    """
    model.eval()
    early = looks(model) if isinstance(model, Timed) else []
    kinds = ["softmax"] + ["settled"] * (len(early) > 1)
    found = {(kind, where): Confidence().to(split.device) for kind in kinds for where in ("pixels", "objects")}
    for images, masks in split.in_order(batch):
        for kind, (p, labels) in _confidences(model, images, early).items():
            for where, seen in (("pixels", masks != IGNORE), ("objects", (masks != IGNORE) & (labels > 0))):
                found[kind, where].update(p[seen], (labels == masks)[seen])
    return {kind: {where: found[kind, where].compute() for where in ("pixels", "objects")} for kind in kinds}


def _confidences(model: torch.nn.Module, images: Tensor, early: Sequence[int]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return confidence and label of each pixel, (b, y, x), by kind."""
    if len(early) < 2:
        best, labels = model(images).softmax(1).max(1)
        return {"softmax": (best, labels)}
    assert isinstance(model, Timed)
    course = model.time_course(images, early).softmax(2)
    best, labels = course[-1].max(1)
    settled = course.gather(2, labels[None, :, None].expand(len(course), -1, -1, -1, -1)).mean((0, 2))
    return {"softmax": (best, labels), "settled": (settled, labels)}
