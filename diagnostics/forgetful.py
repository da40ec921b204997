"""What does it gain to keep the velocities of cells that forget, and what does it cost?

    python diagnostics/forgetful.py OUT.json [RUN ...]

Some cells of a medium damp too strongly to be walked back. For each size and share of such cells, by turns: the
processor time of a rollout and its adjoint (median of 9 rounds, one thread) where their velocities are kept and where
segments are run a second time and stored, the memory that the velocities take, and how far the two gradients differ.
Of each trained run: the share of such cells in 16 validation images, the least decay, and the wall time of a training
pass of four images (as fast as a fifth of 15 rounds, per image), with the loss at one pixel in eight and all threads.
"""

import json
import math
import statistics
import sys
import time
from itertools import product
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

import drumhead as dh
from drumhead import tasks
from drumhead.engine import plan
from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.run import environment
from drumhead.networks.images import to_images
from drumhead.settings.text import read_run

ROUNDS = 9
STORED, KEPT = 0, 1 << 30  # bytes
SIZES = ((2, 64, 100), (8, 64, 100), (16, 128, 100))  # channels, side, steps
LIMIT = math.exp(-plan.GROWTH[torch.float32] / plan.SEGMENT)  # decays below it are not walked back
SHARES = (0.001, 0.01, 0.2, 1.0)


def rollout(size: tuple[int, int, int], share: float, room: int) -> tuple[float, list[torch.Tensor]]:
    """Return the milliseconds and the gradients."""
    channels, side, steps = size
    generator = torch.Generator().manual_seed(0)
    y0, omega, alpha, chosen = (torch.rand(1, channels, side, side, generator=generator) for _ in range(4))
    alpha = torch.where(chosen < share, 5 + 8 * alpha, alpha)  # decay 1 - 0.1 alpha: 0.5 to -0.3
    kernel = torch.randn(channels, channels, 3, 3, generator=generator) * 0.3 / channels**0.5
    leaves = [tensor.requires_grad_() for tensor in (2 * y0 - 1, omega, alpha, kernel)]
    begin = time.process_time()
    with plan.planning(share=1.0, room=room):
        last = dh.propagate(*leaves, steps=steps, dt=0.1, record=dh.Last(), backend="native", check_stability=False)
    last.square().sum().backward()
    return 1e3 * (time.process_time() - begin), [leaf.grad for leaf in leaves]


def trained(run: str) -> dict[str, object]:
    """Return how much the medium of a run forgets, and what its training passes take."""
    model = dh.load(run).train()
    images, masks = tasks.get(read_run(Path(run) / "config.toml").task).arrays("val")
    x, labels = to_images(images[:16]), torch.from_numpy(masks[:4]).long().flatten(1)
    with torch.no_grad():
        decay = 1 - model.dt * model.medium(x).alpha  # Euler's
    at = torch.arange(labels.shape[1] // 8).expand(4, -1) * 8
    times: dict[int, list[float]] = {STORED: [], KEPT: []}
    for _ in range(15):
        for room, found in times.items():
            begin = time.perf_counter()
            with plan.planning(room=room):
                cross_entropy(model(x[:4], at).flatten(2), labels.gather(1, at)).backward()
            found.append(1e3 * (time.perf_counter() - begin) / 4)
    return {
        "run": "/".join(Path(run).parts[-4:]),
        "share": round(float((decay < LIMIT).float().mean()), 4),
        "least_decay": round(float(decay.min()), 3),
        "threads": torch.get_num_threads(),
        "stored_ms": round(sorted(times[STORED])[2], 1),
        "kept_ms": round(sorted(times[KEPT])[2], 1),
        "ratio": round(statistics.median(a / b for a, b in zip(times[STORED], times[KEPT], strict=True)), 2),
    }


def main() -> None:
    keep_freed_memory()
    runs = []
    for run in sys.argv[2:]:
        runs.append(trained(run))
        print(runs[-1], flush=True)
    torch.set_num_threads(1)
    rows = []
    for size, share in product(SIZES, SHARES):
        times, gradients = {STORED: [], KEPT: []}, {}
        for _ in range(ROUNDS):
            for room, found in times.items():
                milliseconds, gradients[room] = rollout(size, share, room)
                found.append(milliseconds)
        far = max(float((a - b).norm() / b.norm()) for a, b in zip(gradients[KEPT], gradients[STORED], strict=True))
        ratio = statistics.median(a / b for a, b in zip(times[STORED], times[KEPT], strict=True))
        channels, side, steps = size
        rows.append(
            {"channels": channels, "side": side, "steps": steps, "share": share}
            | {
                name: round(statistics.median(times[room]), 1)
                for name, room in (("stored_ms", STORED), ("kept_ms", KEPT))
            }
            | {"ratio": round(ratio, 2), "kept_mib": round(4 * share * channels * side**2 * steps / 2**20, 2)}
            | {"difference": float(f"{far:.1e}")}
        )
        print(rows[-1], flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(
            json.dumps({"runs": runs, "rows": rows, "environment": environment()}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
