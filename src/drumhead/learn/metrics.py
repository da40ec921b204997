"""Segmentation metrics from one state: a confusion matrix, per-image sums and counts along the boundaries.

Per image, averaged over images, as the paper does:
    foreground accuracy a = correct foreground pixels / foreground pixels,
    the paper's foreground IoU = a / (2 - a).
The second is a function of the first and never sees background painted as an object, so it is always shown
beside metrics that do: class-mean IoU and Dice over the foreground classes, pooled over all pixels, and boundary F.
Pixels whose true label is `IGNORE` count nowhere; an image of nothing else is no image.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from drumhead.read.classes import IGNORE


class Segmentation(Metric):
    """Accumulates predictions and computes all scores, each between 0 and 1 (NaN where undefined).

    accuracy: share of correct pixels; foreground_accuracy: a; foreground_iou: a / (2 - a); mean_iou:
    intersection over union of every class that occurs in truth or prediction, background included, averaged;
    dice: 2 TP / (2 TP + FP + FN) of every foreground class that occurs, averaged; boundary_f: 2 P R / (P + R) of every
    foreground class that occurs, averaged, where P is the share of its predicted boundary pixels within one pixel (also
    diagonally) of a true one and R the share of true ones within one pixel of a predicted one. A class that occurs in
    truth or prediction alone counts as 0. The first three are means over images (those with foreground, for the second
    and third), the others pool all pixels.

    Args:
        classes: number of labels; label 0 is the background.
        settings: those of every `torchmetrics.Metric`.
    """

    full_state_update = False
    confusion: Tensor
    sums: Tensor
    counts: Tensor
    edges: Tensor

    def __init__(self, classes: int, **settings: Any):
        super().__init__(**settings)
        self.classes = classes
        self.add_state("confusion", torch.zeros(classes, classes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("sums", torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(2, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("edges", torch.zeros(4, classes - 1, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, labels: Tensor, masks: Tensor) -> None:
        """Add a batch of predicted labels and true masks, each integer (b, y, x)."""
        known = masks != IGNORE
        labels, masks = labels.long(), masks.long()
        self._add_edges(torch.where(known, labels, IGNORE), masks)
        labels, masks, known = labels.flatten(1), masks.flatten(1), known.flatten(1)
        pairs = masks * self.classes + labels
        self.confusion += torch.bincount(pairs[known], minlength=self.classes**2).view(self.classes, -1)
        seen = known.sum(1)
        right = ((labels == masks) & known).sum(1)
        self.sums[0] += (right[seen > 0].double() / seen[seen > 0]).sum()
        a = foreground_accuracy(labels, masks)
        self.sums[1] += a.sum()
        self.sums[2] += (a / (2 - a)).sum()
        self.counts += torch.tensor([int((seen > 0).sum()), len(a)], device=masks.device)

    def _add_edges(self, labels: Tensor, masks: Tensor) -> None:
        """Count boundary pixels by class: predicted, those near a true one, true, those near a predicted one."""
        guessed, true = (_boundary(maps, self.classes) for maps in (labels, masks))
        near = [F.max_pool2d(maps, 3, stride=1, padding=1) for maps in (true, guessed)]
        counts = (guessed, guessed * near[0], true, true * near[1])
        self.edges += torch.stack([maps.sum((0, 2, 3)).long() for maps in counts])

    def compute(self) -> dict[str, float]:
        """Return the scores of all that was added."""
        accuracy, a, a_iou = (self.sums / self.counts[[0, 1, 1]]).tolist()
        each = self._of_each()
        iou, dice = each["iou"], each["dice"]
        occurs = ~iou.isnan()
        guessed_edge, guessed_near, true_edge, true_near = self.edges.double()
        precision, recall = (near / size.clamp(min=1) for near, size in
                             ((guessed_near, guessed_edge), (true_near, true_edge)))  # fmt: skip
        boundary = 2 * precision * recall / (precision + recall).clamp(min=1e-300)
        edged = guessed_edge + true_edge > 0
        return {
            "accuracy": accuracy,
            "foreground_accuracy": a,
            "foreground_iou": a_iou,
            "mean_iou": float(iou[occurs].mean()),  # nan where there is nothing to average
            "dice": float(dice[1:][occurs[1:]].mean()),
            "boundary_f": float(boundary[edged].mean()),
        }

    def of_classes(self) -> list[dict[str, float]]:
        """Return the scores of each class by itself, over all pixels that were added; NaN where undefined.

        pixels: that have this label; recall: the share of them that was found; precision: the share of what was called
        so that is; iou and dice as above.
        """
        columns = {"pixels": self.confusion.sum(1), **self._of_each()}
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _of_each(self) -> dict[str, Tensor]:
        """Return the scores of `of_classes` that follow from the confusion matrix, (classes,)."""
        hit, true, guessed = (part.double() for part in
                              (self.confusion.diagonal(), self.confusion.sum(1), self.confusion.sum(0)))  # fmt: skip
        return {
            "recall": hit / true,
            "precision": hit / guessed,
            "iou": hit / (true + guessed - hit),
            "dice": 2 * hit / (true + guessed),
        }


def foreground_accuracy(labels: Tensor, masks: Tensor) -> Tensor:
    """Return a of each image that has foreground, float64, from labels and masks (b, pixels)."""
    foreground = (masks > 0) & (masks != IGNORE)
    size = foreground.sum(1)
    known = size > 0
    return ((labels == masks) & foreground).sum(1)[known].double() / size[known]


def _boundary(maps: Tensor, classes: int) -> Tensor:
    """Return, for each foreground class, its pixels with another label right, left, above or below: float (b, c, y, x).

    Beyond the image and where a pixel is ignored everything continues, so neither edge is a boundary.
    """
    inside = (maps[:, None] == torch.arange(1, classes, device=maps.device)[:, None, None]).float()
    padded = F.pad(torch.maximum(inside, (maps[:, None] == IGNORE).float()), (1, 1, 1, 1), mode="replicate")
    rows, columns = padded[..., 1:-1], padded[..., 1:-1, :]
    around = rows[..., :-2, :] * rows[..., 2:, :] * columns[..., :-2] * columns[..., 2:]
    return inside * (1 - around)
