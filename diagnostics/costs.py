"""Measure what a training image costs each network: `python diagnostics/costs.py OUT.json TASK/NETWORK...`.

One thread, batches of 4, the loss at one pixel in 8, Adam, as `drumhead reproduce --budget cpu` trains, without
validation, schedule and clipping. Processor time, which other programs change little.
"""

import json
import sys
import time
from pathlib import Path

import torch
from training_steps import training_steps

from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.run import environment
from drumhead.reproduce.budgets import BUDGETS

WARM, SECONDS = 3, 8.0


def milliseconds(preset: str) -> float:
    """Return the processor time of one training image."""
    train = BUDGETS["cpu"].train
    run = training_steps(preset, train.batch, train.thin, "cpu")
    for _ in range(WARM):
        next(run)
    images, began = 0, time.process_time()
    while time.process_time() - began < SECONDS:
        next(run)
        images += train.batch
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
