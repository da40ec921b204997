"""As many rounds as an image needs: a network in rounds goes on until its labels have stopped changing.

    n = the first round r with  labels(r) = labels(r - 1) = ... = labels(r - still),  or `most`

News on its way changes some label in nearly every round, so that an answer which has stood still for a few has heard
all it will hear. Each image of a batch stops by itself, and costs nothing from then on.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from drumhead.errors import DrumheadError, whole
from drumhead.networks.anytime import each
from drumhead.networks.listening import check_rounds, in_rounds

STILL, MOST = 5, 200


class Still(NamedTuple):
    """What a network said of each image when its labels had stopped changing.

    Attributes:
        labels: int64 (b, y, x).
        rounds: how many each image took, with those in which nothing changed, int64 (b,).
        changing: whether its labels were still changing at the end, bool (b,).
        logits: (b, classes, y, x).
    """

    labels: Tensor
    rounds: Tensor
    changing: Tensor
    logits: Tensor


class Walk:
    """Images on their way through the rounds of a network.

    Args:
        model: one that runs in rounds.
        images: (b, k, y, x) in [0, 1].
    """

    def __init__(self, model: Any, images: Tensor):
        self.model = model
        self.fine, self.x, shown = model.entered(images)
        self.shown = tuple(shown)

    def round(self) -> Tensor:
        """Go one round on, and return the logits after it, (b, classes, y, x)."""
        self.x = self.model.through(self.x, self.shown, len(self.shown))
        logits: Tensor = self.model.logits(self.fine, self.x, None)
        return logits

    def keep(self, which: Tensor) -> None:
        """Go on with these images alone."""
        self.fine, self.shown, self.x = each((self.fine, self.shown, self.x), lambda tensor: tensor[which])


@torch.no_grad()
def until_still(model: Any, images: Tensor, still: int = STILL, most: int = MOST) -> Still:
    """Return what a network says when its labels have stopped changing; see `Segmenter.until_still`."""
    check_settings(model, still, most)
    walk, left = Walk(model, images), torch.arange(len(images), device=images.device)
    rounds, changing = torch.full_like(left, most), torch.ones_like(left, dtype=torch.bool)
    logits = walk.round()
    out, labels, same = logits.new_empty(logits.shape), logits.argmax(1), torch.zeros_like(left)
    for number in range(2, most + 1):
        logits = walk.round()
        before, labels = labels, logits.argmax(1)
        same = (same + 1) * (labels == before).flatten(1).all(1)
        done = same >= still
        if done.any() or number == most:
            rounds[left[done]], changing[left[done]], out[left] = number, False, logits
            go = ~done
            walk.keep(go)
            left, labels, same = left[go], labels[go], same[go]
        if not len(left):
            break
    return Still(out.argmax(1), rounds, changing, out)


def check_settings(model: Any, still: int, most: int) -> None:
    """Refuse a network that runs once, and numbers with which no image could stop."""
    check_rounds(model)
    if whole("most", most, 2) <= whole("still", still, 1):
        raise DrumheadError(
            f"most={most}: more than still={still} rounds are needed to see that labels have not changed for so many"
        )


def asked(model: Any, rounds: int, until_still: bool) -> Any:
    """Return a network in as many rounds as --rounds asks for, which --until-still takes at most; 0 leaves the choice.

    It is itself where neither asks for anything.
    """
    if until_still and 0 < rounds <= STILL:
        raise DrumheadError(
            f"--rounds {rounds}: with --until-still more than {STILL} are needed, since it stops when no label has "
            "changed for so many, or 0"
        )
    return in_rounds(model, rounds or MOST) if rounds or until_still else model


class UntilStill(nn.Module):
    """A network whose logits are those of `until_still`, for what takes any network.

    Args:
        module: one that runs in rounds.
        still: see `Segmenter.until_still`.
        most: the same.

    Attributes:
        took: the rounds of all images so far (of all tiles, where an image is taken apart), in order.
        changing: whether they were still changing at the end.
    """

    def __init__(self, module: nn.Module, still: int = STILL, most: int = MOST):
        super().__init__()
        check_settings(module, still, most)
        self.module, self.still, self.most = module, still, most
        self.took: list[int] = []
        self.changing: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (b, classes, y, x)."""
        found = until_still(self.module, images, self.still, self.most)
        self.took += found.rounds.tolist()
        self.changing += found.changing.tolist()
        return found.logits

    def summary(self) -> dict[str, float]:
        """Return the mean and the median of the rounds taken, and the share of images that were still changing."""
        took = torch.tensor(self.took, dtype=torch.float64)
        return {
            "rounds_mean": float(took.mean()),
            "rounds_median": float(took.median()),
            "still_changing": sum(self.changing) / len(self.changing),
        }
