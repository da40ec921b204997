"""Whether a network knows when it is right: calibration, and accuracy where it is sure.

Of every pixel, the confidence p in its label and whether the label is right. A network is calibrated if of the pixels
with confidence p the share p is right; the expected calibration error is the mean distance between both over bins,
each by its share of pixels (Naeini et al. 2015). Selective accuracy is that of the pixels it is surest of.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

PARTS = 134  # of a bin of the curve, that pixels are counted in: a ranking as good as this needs no list of pixels
SHARES = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0)


class Confidence(Metric):
    """Counts pixels by confidence and by whether they are right, and computes all that follows.

    Args:
        bins: of the calibration curve.
    """

    full_state_update = False
    counts: Tensor
    sums: Tensor

    def __init__(self, bins: int = 15):
        super().__init__()
        self.bins = bins
        self.add_state("counts", torch.zeros(2, bins * PARTS, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("sums", torch.zeros(bins, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, confidence: Tensor, right: Tensor) -> None:
        """Add pixels: confidence in [0, 1], and whether the label is right; both of one shape."""
        p, right = confidence.flatten().double().clamp(0, 1), right.flatten().long()
        fine = self.bins * PARTS
        place = (p * fine).long().clamp(max=fine - 1)
        self.counts += torch.bincount(right * fine + place, minlength=2 * fine).view(2, fine)
        self.sums += torch.bincount(place // PARTS, p, minlength=self.bins)

    def compute(self) -> dict[str, Any]:
        """Return `calibration_error`, `auroc` (of telling right from wrong), `calibration` and `selective`.

        calibration: for each bin that has pixels, their mean confidence, accuracy and share.
        selective: for each share of the pixels, the surest ones, their accuracy.
        """
        wrong, right = self.counts.double()
        both = wrong + right
        size, hit = (part.view(self.bins, PARTS).sum(1) for part in (both, right))
        bins = [
            {"confidence": float(p / n), "accuracy": float(a / n), "share": float(n / both.sum())}
            for p, a, n in zip(self.sums, hit, size, strict=True)
            if n
        ]
        surest, kept = right.flip(0).cumsum(0), both.flip(0).cumsum(0)
        selective = {}
        for share in SHARES:
            at = int((kept >= share * both.sum() - 0.5).int().argmax())
            selective[f"{share:g}"] = float(surest[at] / kept[at])
        # Of a right and a wrong pixel at random, how often the right one has more confidence; equal ones count half.
        below = wrong.cumsum(0) - wrong / 2
        pairs = wrong.sum() * right.sum()
        return {
            "calibration_error": sum(bin["share"] * abs(bin["confidence"] - bin["accuracy"]) for bin in bins)
            if bins
            else math.nan,
            "auroc": float((right * below).sum() / pairs) if pairs else float("nan"),
            "calibration": bins,
            "selective": selective,
        }
