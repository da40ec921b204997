"""Segmentation metrics from one state: a confusion matrix and two per-image sums.

Per image, averaged over images, as the paper does:
    foreground accuracy a = correct foreground pixels / foreground pixels,
    the paper's foreground IoU = a / (2 - a).
The second is a function of the first and never sees background painted as an object, so it is always shown
beside metrics that do: class-mean IoU and Dice over the foreground classes, pooled over all pixels.
"""

import torch
from torch import Tensor
from torchmetrics import Metric


class Segmentation(Metric):
    """Accumulates predictions and computes all scores, each between 0 and 1 (NaN where undefined).

    accuracy: share of correct pixels; foreground_accuracy: a; foreground_iou: a / (2 - a); mean_iou:
    intersection over union of every class that occurs in truth or prediction, background included, averaged;
    dice: 2 TP / (2 TP + FP + FN) of every foreground class that occurs, averaged. The first three are means
    over images (those with foreground, for the second and third), the last two pool all pixels.

    Args:
        classes: number of labels; label 0 is the background.
    """

    full_state_update = False
    confusion: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
        self.add_state("confusion", torch.zeros(classes, classes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("sums", torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(2, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, labels: Tensor, masks: Tensor) -> None:
        """Add a batch of predicted labels and true masks, each integer (b, y, x)."""
        labels, masks = labels.long().flatten(1), masks.long().flatten(1)
        pairs = masks * self.classes + labels
        self.confusion += torch.bincount(pairs.flatten(), minlength=self.classes**2).view(self.classes, -1)
        right, foreground = labels == masks, masks > 0
        self.sums[0] += right.double().mean(1).sum()
        size = foreground.sum(1)
        known = size > 0
        a = (right & foreground).sum(1)[known].double() / size[known]
        self.sums[1] += a.sum()
        self.sums[2] += (a / (2 - a)).sum()
        self.counts += torch.stack([torch.tensor(len(masks), device=size.device), known.sum()])

    def compute(self) -> dict[str, float]:
        """Return the scores of all that was added."""
        images, known = self.counts.tolist()
        undefined = float("nan")
        hit = self.confusion.diagonal().double()
        true, guessed = self.confusion.sum(1).double(), self.confusion.sum(0).double()
        occurs = true + guessed > 0
        iou = hit / (true + guessed - hit)
        dice = 2 * hit / (true + guessed)
        accuracy, a, a_iou = self.sums.tolist()
        return {
            "accuracy": accuracy / images if images else undefined,
            "foreground_accuracy": a / known if known else undefined,
            "foreground_iou": a_iou / known if known else undefined,
            "mean_iou": float(iou[occurs].mean()) if occurs.any() else undefined,
            "dice": float(dice[1:][occurs[1:]].mean()) if occurs[1:].any() else undefined,
        }
