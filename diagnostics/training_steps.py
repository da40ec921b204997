"""Training steps to be timed, for `costs.py` and `gpu_steps.py`."""

from collections.abc import Generator

import torch
import torch.nn.functional as F

import drumhead as dh
from drumhead import tasks
from drumhead.learn.data import Split
from drumhead.learn.graphs import capture, release
from drumhead.networks.segmenter import at_pixels
from drumhead.settings.config import TrainConfig


def training_steps(preset: str, batch: int, thin: int, device: str, graphs: bool = False) -> Generator[None]:
    """Take a step for each next(): make a batch, run forward, loss, backward and Adam.

    Args:
        preset: the network and its task.
        batch: images a step.
        thin: take the loss at one pixel in so many.
        device: "cpu" or "cuda".
        graphs: capture the passes, on a GPU.
    """
    settings = TrainConfig(batch=batch, thin=thin)
    split = Split(*tasks.get(preset.split("/")[0]).arrays("train"), torch.device(device), 2048)
    torch.manual_seed(0)
    model = dh.build(preset).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), settings.lr)
    captured = False
    batches = ((epoch, i, *batch) for epoch in range(1000) for i, batch in enumerate(split.shuffled(settings, epoch)))
    try:
        for epoch, i, x, y in batches:
            at = split.pixels(settings, epoch, i, batch)
            inputs = (x,) if at is None else (x, at)
            captured = captured or (graphs and capture(model, *inputs))
            optimizer.zero_grad()
            F.cross_entropy(model(*inputs), at_pixels(y[:, None], at)[:, 0]).backward()
            optimizer.step()
            yield
    finally:
        release(model)
