"""Whether a network knows when it is right: calibration, and accuracy where it is sure.

Of every pixel, the confidence p in its label and whether the label is right. A network is calibrated if of the pixels
with confidence p the share p is right; the expected calibration error is the mean distance between both over bins,
each by its share of pixels (Naeini et al. 2015). Selective accuracy is that of the pixels it is surest of.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from drumhead.learn.data import Batches
from drumhead.learn.over_time import answer_steps
from drumhead.networks.segmenter import evaluating
from drumhead.networks.tiles import WHOLE, Tiles, windows
from drumhead.networks.timed import Timed
from drumhead.read.classes import IGNORE

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
        """Add pixels: confidence in [0, 1], 0 if it is no number, and whether the label is right; both of one shape."""
        p, right = confidence.flatten().double().nan_to_num(0).clamp(0, 1), right.flatten().long()
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


@torch.no_grad()
def confidence(model: torch.nn.Module, split: Batches, batch: int, tiles: Tiles = WHOLE) -> dict[str, Any]:
    """Return how far confidence can be trusted, of all pixels and of those that are called an object.

    softmax: the largest probability at the end. settled: of a network that answers at any time, the probability that
    the final label had, averaged over the time course; a pixel that was sure early is surer than one that came to it.

    Args:
        model: images -> logits.
        split: what to measure on.
        batch: images at a time.
        tiles: how an image that is too large is taken apart.
    """
    early = answer_steps(model) if isinstance(model, Timed) else []
    kinds = ["softmax"] + ["settled"] * (len(early) > 1)
    found = {(kind, where): Confidence().to(split.device) for kind in kinds for where in ("pixels", "objects")}
    with evaluating(model):
        for images, masks in split.in_order(batch):
            for tile, kept, own in _parts(model, images, tiles):
                truth = masks[kept]
                for kind, (p, labels) in _confidences(model, tile, early).items():
                    p, labels = p[own], labels[own]
                    for where, seen in (("pixels", truth != IGNORE), ("objects", (truth != IGNORE) & (labels > 0))):
                        found[kind, where].update(p[seen], (labels == truth)[seen])
    return {kind: {where: found[kind, where].compute() for where in ("pixels", "objects")} for kind in kinds}


def _parts(model: torch.nn.Module, images: Tensor, tiles: Tiles) -> Iterator[tuple[Tensor, Any, Any]]:
    """Yield what is answered at once, and the pixels that it answers for: in the image, and in itself."""
    height, width = images.shape[-2:]
    if not tiles.apart(height, width):
        yield images, ..., ...
        return
    for rows, columns in windows(model, height, width, tiles):
        kept, own = (..., rows.kept, columns.kept), (..., rows.inside, columns.inside)
        yield images[..., rows.seen, columns.seen], kept, own


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
