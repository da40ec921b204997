"""How good a network is on a split: loss and scores."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from drumhead.files import without_nan, write_atomic
from drumhead.learn.data import Batches
from drumhead.learn.loss import Loss
from drumhead.learn.metrics import Segmentation
from drumhead.learn.processes import ALONE, Processes
from drumhead.learn.run import environment
from drumhead.networks.segmenter import Segmenter, evaluating
from drumhead.networks.tiles import WHOLE, Tiles, answer


def write(path: Path, model: Segmenter, task: str, split: str, images: int, scores: Mapping[str, Any],
          weights: str = "", more: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Write what was measured as JSON, with the versions and the machine.

    Args:
        path: the file, `scores.RESULT` in a run directory if it is of the whole test split.
        model: whose parameters are counted.
        task: its name.
        split: "train", "val" or "test".
        images: how many were measured.
        scores: from `evaluate`.
        weights: where somebody found them, if it was measured by hand (`scores.by_hand`).
        more: what else was asked for.
    """
    found = {
        **({"weights": weights} if weights else {}),
        "task": task,
        "split": split,
        "images": images,
        "parameters": sum(p.numel() for p in model.parameters()),
        **without_nan({**scores, **(more or {})}),
        "environment": environment(),
    }
    write_atomic(path, json.dumps(found, indent=1) + "\n")


@torch.no_grad()
def evaluate(
    model: nn.Module,
    split: Batches,
    classes: int,
    batch: int = 0,
    loss: Loss | None = None,
    tiles: Tiles = WHOLE,
    processes: Processes = ALONE,
    metric: Segmentation | None = None,
) -> dict[str, Any]:
    """Return cross-entropy over all pixels that count and the scores of `Segmentation`, in evaluation mode.

    Args:
        model: images -> logits.
        split: what to measure on.
        classes: number of labels, the background included.
        batch: images at a time; 0 takes `split.at_a_time()`.
        loss: what training lowers, if its classes have weights.
        tiles: how an image that is too large is taken apart.
        processes: share the batches; all know the loss, the first one the scores as well.
        metric: what counts, an empty one, for a caller who asks it for more afterwards.
    """
    # A process whose turn never comes has nothing to compute, so they do not do that together.
    metric = (metric or Segmentation(classes, sync_on_compute=False)).to(split.device)
    measure, total, weights = loss or Loss(), 0.0, 0.0
    with evaluating(model):
        for images, masks in split.in_order(batch or split.at_a_time(), processes):
            logits = answer(model, images, tiles).float()
            mean, weight = map(float, measure(logits, masks))
            total += mean * weight
            weights += weight
            metric.update(logits.argmax(1), masks)
    sums = processes.total(torch.tensor([total, weights], dtype=torch.float64, device=split.device))
    total, weights = sums.tolist()
    mean = total / weights if weights else math.nan
    for name in metric.metric_state:  # all of them are counts or sums
        setattr(metric, name, processes.total(getattr(metric, name)))
    return {"loss": mean if math.isfinite(mean) else math.nan, **(metric.compute() if processes.first else {})}
