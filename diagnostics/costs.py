"""Measure what a training image costs each network: `python diagnostics/costs.py OUT.json TASK/NETWORK...`.

One thread, batches of 4, the loss at one pixel in 8, Adam, as `drumhead reproduce --budget cpu` trains, without
validation, schedule and clipping. Processor time, which other programs change little.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import drumhead as dh
from drumhead import tasks
from drumhead.learn.data import Split
from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.run import environment
from drumhead.reproduce.budgets import BUDGETS
from drumhead.segmenter import at_pixels

WARM, SECONDS = 3, 8.0


def milliseconds(preset: str) -> float:
    """Return the processor time of one training image."""
    train = BUDGETS["cpu"].train
    split = Split(*tasks.get(preset.split("/")[0]).arrays("train"), torch.device("cpu"), 1024)
    model = dh.build(preset).train()
    optimizer = torch.optim.Adam(model.parameters(), train.lr)
    images = began = 0
    for i, (x, y) in enumerate(split.shuffled(train, 0)):
        if i == WARM:
            images, began = 0, time.process_time()
        if i > WARM and time.process_time() - began > SECONDS:
            break
        at = split.pixels(train, 0, i, len(x))
        optimizer.zero_grad()
        F.cross_entropy(model(x, at), at_pixels(y[:, None], at)[:, 0]).backward()
        optimizer.step()
        images += len(x)
    return 1000 * (time.process_time() - began) / images


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep_freed_memory()
    out, presets = Path(sys.argv[1]), sys.argv[2:]
    found = {}
    for preset in presets:
        found[preset] = round(milliseconds(preset), 1)
        print(preset, found[preset], flush=True)
        out.write_text(json.dumps({"milliseconds": found, "environment": environment()}, indent=1) + "\n")
