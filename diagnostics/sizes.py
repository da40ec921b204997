"""How good is a network for tetrominoes on images, and with pieces, of other sizes than it was trained on?

    python diagnostics/sizes.py OUT.json [MODEL ...]        (MODEL: what dh.load takes; both shipped ones by default)

The task's own generator draws the images (`dh.tasks.tetrominoes.drawn`), as densely filled as the published ones:
first images of SIDES with pieces as they were learned, then images of 64 pixels with pieces whose cells have CELLS
pixels. Of each kind about as many pixels as IMAGES images of 64 x 64 have, and 20 images at least, none published.
"""

import json
import sys
from pathlib import Path

import torch

import drumhead as dh
from drumhead.files import write_atomic
from drumhead.learn.data import Split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.run import environment
from drumhead.tasks import tetrominoes

SIDES, CELLS = (32, 48, 64, 80, 96, 128, 192, 256), (5, 6, 7, 8, 10, 12)
MODELS, IMAGES, SEED = ("tetrominoes", "tetrominoes-fast"), 400, 1
SCORES = ("foreground_accuracy", "foreground_iou", "mean_iou", "dice", "boundary_f")


def measured(model: torch.nn.Module, side: int, cell: int) -> dict[str, float]:
    """Return how many images were drawn, and the scores on them."""
    count = max(20, IMAGES * tetrominoes.SIZE**2 // side**2)
    split = Split(*tetrominoes.drawn(count, side, cell, SEED), torch.device("cpu"))
    found = evaluate(model, split, len(tetrominoes.CLASSES), max(1, 40 * 64**2 // side**2))
    return {"images": count, **{name: round(found[name], 4) for name in SCORES}}


def main(out: Path, models: tuple[str, ...]) -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    result = {"seed": SEED, "networks": {}, "environment": environment()}
    for name in models:
        model = dh.load(name)
        of = {"side": {side: measured(model, side, tetrominoes.CELL) for side in SIDES},
              "cell": {cell: measured(model, tetrominoes.SIZE, cell) for cell in CELLS}}  # fmt: skip
        result["networks"][name] = of
        for kind, rows in of.items():
            for size, scores in rows.items():
                print(f"{name}, {kind} {size}: {scores}", flush=True)
    write_atomic(out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or MODELS)
