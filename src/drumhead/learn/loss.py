"""The loss: cross-entropy, with a weight for each class and none for pixels that are ignored."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead.errors import DrumheadError
from drumhead.read.classes import IGNORE
from drumhead.settings.config import TrainConfig


class Loss:
    """Cross-entropy: the sum of w_c log(1 / p_c) over pixels of class c, over the sum of their w_c.

    Args:
        weights: w of each class, float (classes,); None counts every pixel once.
    """

    def __init__(self, weights: Tensor | None = None):
        self.weights = weights
        self._of: Tensor | None = None  # the weight of each label, 0 where it is ignored
        if weights is not None:
            self._of = F.pad(weights, (0, IGNORE + 1 - len(weights)))

    def __call__(self, logits: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of logits (b, classes, y, x) for labels (b, y, x), and the weight of what it is a mean of.

        Where every pixel is ignored both are 0.
        """
        summed = F.cross_entropy(logits, masks, self.weights, ignore_index=IGNORE, reduction="sum")
        weight = (masks != IGNORE).sum() if self._of is None else self._of[masks].sum()
        return summed / weight.clamp(min=torch.finfo(torch.float32).tiny), weight


def class_weights(train: TrainConfig, counts: np.ndarray, device: torch.device) -> Tensor | None:
    """Return the weight of each class, float32 (classes,), or None for all the same.

    "balanced" gives class c the weight N / (C n_c), n_c of N pixels being its, C the classes that occur: each of them
    weighs as much as any other, and a pixel 1 on average.

    Args:
        train: says which.
        counts: n_c, the pixels of each class in the training images.
        device: where it is wanted.

    Raises:
        DrumheadError: another number of weights than there are classes.
    """
    if train.class_weights == "none":
        return None
    if train.class_weights == "balanced":
        occurs = counts > 0
        weights = np.where(occurs, counts.sum() / (occurs.sum() * np.maximum(counts, 1)), 0)
    else:
        weights = np.array(train.class_weights)
        if len(weights) != len(counts):
            raise DrumheadError(
                f"train.class_weights has {len(weights)} numbers; one for each of {len(counts)} classes is needed, the "
                "background first"
            )
    return torch.tensor(weights, dtype=torch.float32, device=device)
