"""The contenders: each can take a training step and infer, on the same images with the same parameters."""

import copy
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from drumhead import engine
from drumhead.bench.loop import Published
from drumhead.bench.plan import CONTENDERS, TASKS
from drumhead.errors import DrumheadError, choose
from drumhead.networks.model import build
from drumhead.networks.segmenter import Segmenter
from drumhead.settings.presets import get_preset


@dataclass(frozen=True)
class Case:
    """The sizes on which the contenders meet."""

    task: str
    side: int
    batch: int
    steps: int


@dataclass
class Contender:
    """A network, its images and the way it is computed."""

    name: str
    model: Segmenter
    images: Tensor
    labels: Tensor

    def train(self) -> None:
        """Take a training step without its optimiser, which is the same for all: forward, loss, backward."""
        self.model.train()
        self.model.zero_grad()
        with engine.using(_backend(self.name)):
            with self._precision():
                logits = self.model(self.images)
            F.cross_entropy(logits.float(), self.labels).backward()

    def infer(self) -> Tensor:
        """Return the logits, in evaluation mode without gradients."""
        self.model.eval()
        with torch.no_grad(), engine.using(_backend(self.name)), self._precision():
            return self.model(self.images)

    def _precision(self) -> AbstractContextManager:
        return torch.autocast("cpu", torch.bfloat16) if self.name.endswith("-bf16") else nullcontext()


def _backend(name: str) -> str:
    return "native" if name.startswith("native") else "eager"


def assemble(names: Iterable[str], case: Case, bins: int = 0) -> dict[str, Contender]:
    """Make the contenders of a case; those with waves share one network.

    Args:
        names: of `plan.CONTENDERS`.
        case: the sizes.
        bins: features per channel of the readout; 0 lets them follow the steps.
    """
    for name in (names := list(names)):
        choose("contender", name, CONTENDERS)
    task = TASKS[case.task]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(get_preset(task.network).model.changed(steps=case.steps, bins=bins))
        unet = build(task.unet)
        config = network.config
        images = torch.rand(case.batch, config.image_channels, case.side, case.side)
        labels = torch.randint(config.classes, (case.batch, case.side, case.side))
    out = {}
    for name in names:
        if name == "unet-bf16":
            last = copy.deepcopy(unet).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            out[name] = Contender(name, last, images.contiguous(memory_format=torch.channels_last), labels)
        else:
            model = unet if name == "unet" else Published(network) if name == "published" else network
            out[name] = Contender(name, model, images, labels)
    return out


def missing(names: Iterable[str], task: str) -> dict[str, str]:
    """Return the contenders that cannot run here, with the reason: each tries a training step of a small case."""
    reasons = {}
    for name, contender in assemble(names, Case(task, side=32, batch=2, steps=4)).items():
        try:
            contender.train()
            contender.infer()
        except (DrumheadError, NotImplementedError, OSError) as error:
            reasons[name] = str(error)
    return reasons


def deviations(contenders: dict[str, Contender]) -> dict[str, float]:
    """Return how far the logits of each wave network are from the published loop's, relative to the largest."""
    if "published" not in contenders:
        return {}
    expected = contenders["published"].infer()
    return {
        name: float((contender.infer().float() - expected).abs().max() / expected.abs().max())
        for name, contender in contenders.items()
        if not name.startswith("unet")
    }
