"""Does a stack follow longer wires on half the grid, and if it has learned with a random number of steps?

    python diagnostics/wires_steps.py OUT.json FEWEST MOST

Two layers of MOST steps if both are the same, else of 20; each batch runs for a random number of them, and of more than
a layer's own the readout hears the last. 40,000 passes of wires of 60 pixels, then 60 test images of each length.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import drumhead as dh
from drumhead.files import write_atomic
from drumhead.networks.listening import extended
from drumhead.tasks import wires

PASSES, BATCH, RATE, SEED = 40_000, 16, 3e-3, 0
OWN = 20  # states that a readout knows where steps are drawn


def logits(model, images, steps):
    """Answer with every layer running for so many steps."""
    fine, x, _ = model.below(images, 0)
    for layer in model.layers:
        start, time_map = layer.start(x), layer.readout.time_map
        kept = time_map[:, -steps:] if steps < layer.steps else extended(time_map, steps, "last")
        x = layer.add(x, layer.run(start, dh.Project(kept), steps))
    return model.logits(fine, x, None)


def batch(images, masks):
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(masks).long()


@torch.no_grad()
def accuracy(model, images, masks, steps):
    """Return the foreground accuracy."""
    right = count = 0
    with model.evaluating():
        for i in range(0, len(images), 10):
            x, y = batch(images[i : i + 10], masks[i : i + 10])
            found, wanted = logits(model, x, steps).argmax(1), y > 0
            right, count = right + int((found == y)[wanted].sum()), count + int(wanted.sum())
    return round(right / count, 3)


def main(out, fewest, most):
    torch.manual_seed(SEED)
    layer = dh.Layer(stride=2, steps=most if fewest == most else OWN, bins=8)
    model = dh.build(dh.Stack(image_channels=1, classes=3, waves=(layer, layer))).train()
    optimizer, total = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01), PASSES // BATCH
    random = np.random.default_rng(SEED)
    images, masks = wires.arrays("train")
    order = np.concatenate([random.permutation(len(images)) for _ in range(-(-PASSES // len(images)))])
    learning, began = {}, time.process_time()
    for i in range(total):
        warm, past = (i + 1) / (0.05 * total), max(0.0, (i / total - 0.05) / 0.95)
        optimizer.param_groups[0]["lr"] = RATE * min(1, warm) * (1 + math.cos(math.pi * past)) / 2
        chosen = order[i * BATCH : (i + 1) * BATCH]
        x, y = batch(images[chosen], masks[chosen])
        optimizer.zero_grad()
        F.cross_entropy(logits(model, x, int(random.integers(fewest, most + 1))), y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (i + 1) % (total // 4) == 0:
            looked = accuracy(model, *(part[:200] for part in wires.arrays("val")), (fewest + most) // 2)
            learning[(i + 1) * BATCH] = looked
            print(
                f"{(i + 1) * BATCH} passes, {time.process_time() - began:.0f} s of processor time: {looked}", flush=True
            )
    steps = sorted({fewest, (fewest + most) // 2, most, 2 * most, 4 * most})
    far = {
        f"{length} pixels, {t} steps": accuracy(model, *wires.arrays("test", length, 0, 60), t)
        for length in (32, 60, 120, 240)
        for t in steps
    }
    found = {"steps": [fewest, most], "seed": SEED, "validation": learning, "test": far}
    write_atomic(out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
