"""Compare a trained network with and without bfloat16: scores on the test split, labels and logits.

Under torch.autocast the encoder's convolutions and the products of the time map and of the pointwise head are rounded
to bfloat16; sums, the waves and the logits stay float32.

python diagnostics/reduced_accuracy.py [OUT.json] [MODEL] [IMAGES]      (MODEL: what dh.load takes; IMAGES: 0 for all)
"""

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

import drumhead as dh
from drumhead.engine.cpu import library
from drumhead.learn.data import Split
from drumhead.learn.evaluate import evaluate

BATCH = 50


@torch.inference_mode()
def main(out: str | None = None, source: str = "tetrominoes-fast", images: str = "0") -> None:
    model = dh.load(source).eval()
    split = Split(*dh.tasks.get("tetrominoes").arrays("test"), torch.device("cpu"), int(images))
    classes = model.config.classes

    def reduced() -> AbstractContextManager:
        return torch.autocast("cpu", dtype=torch.bfloat16)

    result = {
        "model": source,
        "images": len(split),
        "torch": torch.__version__,
        "instruction_set": library.isa() if library.load() else None,
    }
    for name, context in (("float32", nullcontext), ("bfloat16", reduced)):
        with context():
            result[name] = evaluate(model, split, classes, BATCH)
    pixels = different = 0
    largest = largest_logit = squares = total = 0.0
    for x, _ in split.in_order(BATCH):
        exact = model(x)
        with reduced():
            rounded = model(x).float()
        difference = rounded - exact
        pixels += exact[:, 0].numel()
        different += int((exact.argmax(1) != rounded.argmax(1)).sum())
        largest = max(largest, float(difference.abs().max()))
        largest_logit = max(largest_logit, float(exact.abs().max()))
        squares += float(difference.double().square().sum())
        total += float(exact.double().square().sum())
    result["share_of_labels_that_differ"] = different / pixels
    result["largest_logit_difference"] = largest
    result["largest_logit"] = largest_logit
    result["relative_logit_difference"] = (squares / total) ** 0.5

    print("| | float32 | bfloat16 |\n|---|---|---|")
    for key in ("foreground_accuracy", "foreground_iou", "mean_iou", "dice", "loss"):
        print(f"| {key.replace('_', ' ')} | {result['float32'][key]:.5f} | {result['bfloat16'][key]:.5f} |")
    for key in (
        "share_of_labels_that_differ",
        "largest_logit_difference",
        "largest_logit",
        "relative_logit_difference",
    ):
        print(f"{key.replace('_', ' ')}: {result[key]:.3g}")
    if out:
        Path(out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
