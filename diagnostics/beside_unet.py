"""What does a stack cost beside a U-Net, before and after a change?

    python diagnostics/beside_unet.py OUT.json BEFORE/src AFTER/src

Each turn is a fresh process for each of the two sources, on one thread; in it both networks train (batches of 16,
AdamW) and answer (batches of 1 and 8) by turns, on noise of 128 x 128 pixels. Milliseconds of the processor an image.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

NETWORKS = ("multi-mnist/unet-4", "multi-mnist/nwm-stack")
CASES = {"training, 16": (True, 16, 1), "inference, 1": (False, 1, 12), "inference, 8": (False, 8, 2)}
TURNS, ROUNDS = 3, 4


def call(preset: str, learn: bool, batch: int) -> Callable[[], object]:
    """Return what takes a training step, or answers."""
    import torch
    import torch.nn.functional as F

    import drumhead as dh

    torch.manual_seed(0)
    model = dh.build(preset).train(learn)
    images, masks = torch.rand(batch, 1, 128, 128), torch.randint(11, (batch, 128, 128))
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), masks).backward()
        optimizer.step()

    return step if learn else torch.no_grad()(lambda: model(images))


def measure() -> dict[str, list[float]]:
    """Return milliseconds an image of each network and case, one for each round."""
    import torch

    from drumhead.learn.memory import keep_freed_memory

    torch.set_num_threads(1)
    keep_freed_memory()
    calls = {
        f"{preset}, {case}": (call(preset, learn, batch), batch, repeats)
        for case, (learn, batch, repeats) in CASES.items()
        for preset in NETWORKS
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS + 1):  # the first one warms
        for name, (work, batch, repeats) in calls.items():
            began = time.process_time()
            for _ in range(repeats):
                work()
            found[name].append(round(1000 * (time.process_time() - began) / batch / repeats, 3))
    return {name: times[1:] for name, times in found.items()}


def main(out: Path, *sources: str) -> None:
    runs: dict[str, list[dict[str, list[float]]]] = {source: [] for source in sources}
    for _ in range(TURNS):
        for source, done in runs.items():
            environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
            command = [sys.executable, __file__]
            done.append(json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout))
    rows = []
    for when, done in zip(("before", "after"), runs.values(), strict=True):
        for case in CASES:
            unet, stack = ([t for run in done for t in run[f"{preset}, {case}"]] for preset in NETWORKS)
            rows.append({
                "when": when, "case": case, "unet_ms": unet, "stack_ms": stack, "least_unet_ms": min(unet),
                "least_stack_ms": min(stack), "ratio_of_least": round(min(stack) / min(unet), 2),
                "median_ratio": round(statistics.median(s / u for s, u in zip(stack, unet, strict=True)), 2),
            })  # fmt: skip
            print(*(rows[-1][key] for key in rows[-1] if not isinstance(rows[-1][key], list)))
    out.write_text(json.dumps({"turns": TURNS, "rounds": ROUNDS, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(json.dumps(measure()))
    else:
        main(Path(sys.argv[1]), *sys.argv[2:])
