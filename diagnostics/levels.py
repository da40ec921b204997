"""How many steps should travel over the grid together? Times rollouts and their adjoints for several sizes.

    python diagnostics/levels.py [OUT.json]

Each size is timed with 1, 2, 4 and 8 levels in turn, three rounds, and the fastest of each is kept: wall ms an image.
"""

import json
import sys
import time
from pathlib import Path

import torch

import drumhead as dh
from drumhead.engine.plan import planning

SIZES = (  # threads, images, channels, side, depthwise, precision, steps
    (2, 4, 16, 128, False, "bfloat16", 60),
    (2, 4, 16, 128, False, "float32", 60),
    (1, 1, 16, 256, False, "bfloat16", 40),
    (1, 1, 2, 512, False, "float32", 60),
    (1, 1, 8, 512, True, "float32", 40),
    (1, 1, 2, 1024, False, "float32", 40),
)


def times(threads, images, channels, side, depthwise, precision, steps):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    state = (images, channels, side, side)
    tensors = torch.randn(state), torch.rand(state), 0.3 * torch.rand(state)
    kernel = 0.1 * torch.randn(channels, 1 if depthwise else channels, 3, 3)
    fastest = {}
    for _ in range(3):
        for levels in (1, 2, 4, 8):
            leaves = [tensor.clone().requires_grad_() for tensor in (*tensors, kernel)]
            options = {"record": dh.Last(), "check_stability": False, "backend": "native", "precision": precision}
            begin = time.perf_counter()
            with planning(quad_channels=sys.maxsize, near=0, levels=levels):  # four rows at once do not travel
                last = dh.propagate(*leaves, steps=steps, dt=0.1, **options)
            middle = time.perf_counter()
            last.sum().backward()
            took = [1e3 * (middle - begin) / images, 1e3 * (time.perf_counter() - middle) / images]
            fastest[levels] = list(map(min, took, fastest.get(levels, took)))
    return fastest


def main():
    rows = []
    for size in SIZES:
        found = times(*size)
        names = ("threads", "images", "channels", "side", "depthwise", "precision", "steps")
        rows.append(dict(zip(names, size, strict=True)) | {"forward and backward, ms an image, by levels": found})
        print(size, {k: f"{f:.1f} / {b:.1f}" for k, (f, b) in found.items()}, flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
