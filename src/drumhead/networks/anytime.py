"""Answers before the end: what a network would say after fewer steps, and stopping as soon as it is sure.

A readout that sums, averages or keeps the largest or last state has heard something at every step, so the same weights
answer at any time. They were trained for the whole series, so early answers are as good as they happen to be.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from drumhead.errors import DrumheadError, whole
from drumhead.physics.records import Several, Until


class Early(NamedTuple):
    """What a network said of each image, and when.

    Attributes:
        labels: int64 (b, y, x).
        steps: steps that each image took, int64 (b,).
        confidence: of each image at that time, (b,).
    """

    labels: Tensor
    steps: Tensor
    confidence: Tensor


def several(steps: Iterable[int]) -> list[int]:
    """Return numbers of steps as a list, or refuse what is none."""
    if not isinstance(steps, Iterable) or isinstance(steps, str):
        raise DrumheadError(f"steps={steps!r}: several numbers of steps are needed, such as (5, 10)")
    return [whole("steps", step, 0) for step in steps]


def checked(model: Any, steps: Iterable[int]) -> tuple[int, ...]:
    """Return the steps to answer after, in rising order."""
    asked = tuple(sorted({*several(steps)}))
    refused = [step for step in asked if not model.answers(step)]
    if refused or not asked:
        raise DrumheadError(
            f"steps={list(asked)}: this network of {model.steps} steps has no answer after "
            f"{', '.join(map(str, refused)) or 'none'}; a spectrum or a closed form answers at its end alone, "
            "else after any number of its steps"
        )
    return asked


@torch.no_grad()
def time_course(model: Any, images: Tensor, steps: Iterable[int]) -> Tensor:
    """Return the logits after each of these numbers of steps, (n, b, classes, y, x), from one run of the waves."""
    asked = checked(model, steps)
    if asked == (model.steps,):  # all that a closed form and a spectrum have
        return model(images)[None]
    start, features = model.encode(images)
    records = tuple(Until(model.readout.record(0, step), step) for step in asked)
    kept = model.run(start, Several(records), asked[-1])
    return torch.stack([model.finish(part, features, images.shape[-2:]) for part in kept])


@torch.no_grad()
def early(model: Any, images: Tensor, confidence: float, steps: Iterable[int]) -> Early:
    """Run until each image's `sureness` reaches `confidence`, looking after these numbers of steps."""
    if isinstance(confidence, bool) or not isinstance(confidence, Real) or not 0 <= confidence <= 1:
        raise DrumheadError(f"confidence={confidence!r}: a number from 0, which stops at once, to 1 is needed")
    asked = checked(model, {*steps, model.steps})
    if asked == (model.steps,):
        logits = model(images)
        took = torch.full((len(images),), model.steps, device=images.device)
        return Early(logits.argmax(1), took, sureness(logits))
    start, features = model.encode(images)
    left = torch.arange(len(images), device=images.device)
    labels = left.new_zeros(len(images), *images.shape[-2:])
    took, sure = left.new_zeros(len(images)), images.new_zeros(len(images))
    total: Tensor | None = None
    for begin, end in pairwise((0, *asked)):
        part, start = model.advance(start, model.readout.record(begin, end), end - begin)
        total = part if total is None else model.readout.join(total, part, begin, end)
        logits = model.finish(total, features, images.shape[-2:])
        now = sureness(logits)
        done = (now >= confidence) | (end == model.steps)
        labels[left[done]], sure[left[done]] = logits[done].argmax(1), now[done].to(sure)
        took[left[done]] = end
        left = left[~done]
        if not len(left):
            break
        start, features, total = (each(part, lambda tensor: tensor[~done]) for part in (start, features, total))  # noqa: B023
    return Early(labels, took, sure)


def sureness(logits: Tensor) -> Tensor:
    """Return an image's confidence, (b,): the mean largest probability of the pixels that are called an object.

    Background is most of an image and easy; where nothing else is seen, the mean over all pixels counts.
    """
    best = logits.amax(1)
    objects = (best > logits[:, 0]).flatten(1)
    objects = objects | ~objects.any(1, keepdim=True)
    return ((best - logits.logsumexp(1)).exp().flatten(1) * objects).sum(1) / objects.sum(1)


def each(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return the same structure of tuples, named tuples and states with each tensor changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    if hasattr(tree, "map"):
        return tree.map(change)
    if isinstance(tree, tuple):
        parts = (each(part, change) for part in tree)
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree
