"""What each network starts from: how much its features and answers differ between pixels, and where the gradient goes.

    python diagnostics/starts.py OUT.json [NAME ...]

For each preset and seed, on 16 training images of tetrominoes: the standard deviation over foreground pixels of the
logits (how much of the image reaches the answer), and the norm of the loss's gradient in the head and before it.
Medians and ranges over seeds are printed.
"""

import json
import statistics
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

import drumhead as dh
from drumhead.learn.run import environment

NAMES = ("nwm-linear", "nwm-fft", "nwm-last", "lstm-linear", "cnn-8", "resnet-8", "unet-4", "nwm-fast")
SEEDS = range(10)


def look(name: str, seed: int, images: torch.Tensor, masks: torch.Tensor) -> dict[str, float]:
    """Return the numbers of one start."""
    torch.manual_seed(seed)
    model = dh.build(f"tetrominoes/{name}")
    logits = model(images)
    F.cross_entropy(logits, masks).backward()
    inside = logits.detach().movedim(1, -1)[masks > 0]
    split = {"head": 0.0, "body": 0.0}
    for key, parameter in model.named_parameters():
        in_head = key.startswith("head") or (name.startswith("unet") and key.startswith("last"))
        if name.startswith("cnn"):
            in_head = int(key.split(".")[1]) >= 2 * model.config.depth
        part = "head" if in_head else "body"
        if parameter.grad is not None:
            split[part] += float(parameter.grad.square().sum())
    return {
        "logit_deviation": float(inside.std(0).mean()),
        "gradient_of_head": split["head"] ** 0.5,
        "gradient_before_head": split["body"] ** 0.5,
    }


def main(out: str, *names: str) -> None:
    """Measure and print a table."""
    torch.set_num_threads(1)
    images, masks = dh.tasks.get("tetrominoes").arrays("train")
    batch = dh.to_images(images[:16]), torch.from_numpy(masks[:16]).long()
    result = {}
    for name in names or NAMES:
        found = [look(name, seed, *batch) for seed in SEEDS]
        result[name] = {key: [item[key] for item in found] for key in found[0]}
        row = "  ".join(f"{key} {statistics.median(values):.2g} ({min(values):.2g}-{max(values):.2g})"
                        for key, values in result[name].items())  # fmt: skip
        print(f"{name:<12} {row}", flush=True)
    Path(out).write_text(json.dumps({"starts": result, "environment": environment()}, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
