"""How good a network is on a split: loss and scores."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from drumhead.learn.data import Split
from drumhead.learn.metrics import Segmentation


@torch.no_grad()
def evaluate(model: nn.Module, split: Split, classes: int, batch: int = 0) -> dict[str, Any]:
    """Return cross-entropy over all pixels and the scores of `Segmentation`, in evaluation mode.

    Args:
        model: images -> logits.
        split: what to measure on.
        classes: number of labels, the background included.
        batch: images at a time; 0 takes `split.at_a_time()`.
    """
    training = model.training
    model.eval()
    metric, loss = Segmentation(classes).to(split.images.device), 0.0
    for images, masks in split.in_order(batch or split.at_a_time()):
        logits = model(images).float()
        loss += float(F.cross_entropy(logits, masks)) * len(images)
        metric.update(logits.argmax(1), masks)
    model.train(training)
    loss /= len(split)
    return {"loss": loss if math.isfinite(loss) else math.nan, **metric.compute()}
