"""Do data ever limit training? Processor time an image for drawing, for reading again, for making batches, for a step.

    python diagnostics/data_rate.py docs/results/data-rate.json [TASK ...]

Images are drawn in a process of its own with an empty cache, and read in another one, which finds them there. Batches
of 16 are shifted at random, the dearest augmentation; a step is forward, backward and AdamW of `nwm-stack` and `unet-4`
on the same batches. One thread; medians of 20 batches, by turns.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TASKS = ("tetrominoes", "polygons", "multi-mnist", "wires", "pathfinder")
NETWORKS = ("nwm-stack", "unet-4")
BATCH, TURNS = 16, 20
ASK = """
import sys, time
from drumhead import tasks
task, began = tasks.get(sys.argv[1]), time.process_time()
images = sum(int(task.arrays(split)[0].max() > 0) * len(task.arrays(split)[0]) for split in ("train", "val", "test"))
print(1000 * (time.process_time() - began) / images)
"""


def asked(task: str, cache: str) -> float:
    """Return the processor time in ms an image that a new process takes to have all splits of a task."""
    command = [sys.executable, "-c", ASK, task]
    return float(
        subprocess.run(command, env=os.environ | {"XDG_CACHE_HOME": cache}, check=True, capture_output=True).stdout
    )


def steps(task: str) -> dict[str, float]:
    """Return processor time in ms an image of making batches and of steps on them, medians by turns."""
    import torch
    from torch.nn.functional import cross_entropy

    import drumhead as dh
    from drumhead.learn.crops import open_split
    from drumhead.settings.config import TrainConfig

    torch.set_num_threads(1)
    split = open_split(dh.tasks.get(task), "train", torch.device("cpu"))
    train = TrainConfig(batch=BATCH, augment="shift")
    models = {name: dh.build(f"{task}/{name}") for name in NETWORKS}
    optimizers = {name: torch.optim.AdamW(model.parameters()) for name, model in models.items()}
    spent: dict[str, list[float]] = {name: [] for name in ("batch", *NETWORKS)}
    batches = split.shuffled(train, 0)
    for turn in range(TURNS + 2):
        began = time.process_time()
        images, masks = next(batches)
        took = {"batch": time.process_time() - began}
        for name, model in models.items():
            began = time.process_time()
            optimizers[name].zero_grad()
            cross_entropy(model(images), masks).backward()
            optimizers[name].step()
            took[name] = time.process_time() - began
        if turn > 1:  # the first ones warm up
            for name, seconds in took.items():
                spent[name].append(1000 * seconds / BATCH)
    return {name: median(values) for name, values in spent.items()}


def main(out: Path, names: list[str]) -> None:
    """Measure and write."""
    from drumhead.files import write_atomic
    from drumhead.learn.run import environment

    found = {}
    for task in names or TASKS:
        with tempfile.TemporaryDirectory() as cache:
            found[task] = {"draw": asked(task, cache), "read": asked(task, cache), **steps(task)}
        print(task, {name: f"{value:.3f}" for name, value in found[task].items()}, flush=True)
    about = {**environment(), "command": ["python", "diagnostics/data_rate.py", "docs/results/data-rate.json"]}
    write_atomic(out, json.dumps({"ms_an_image": found, "environment": about}, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
