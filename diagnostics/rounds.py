"""How far does the news of the dot come with each round?

    python diagnostics/rounds.py OUT LENGTHS IMAGES NAME=SOURCE...

For each network in rounds and each length of wires, such as 60,120,240, the foreground accuracy and the share of the
marked wire that is right after each round, one for every six pixels, on so many test images: OUT.json and OUT.png.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

import drumhead as dh
from drumhead.files import write_atomic
from drumhead.learn.run import environment
from drumhead.show.charts import Curve, Panel, colour_numbers, save_curves
from drumhead.tasks import wires

TOGETHER = 10  # images at a time
MARKED = 1  # the class of the wire with the dot


@torch.no_grad()
def course(model, length, count):
    """Return both scores after each round, in the share of pixels of all images together."""
    images, masks = wires.arrays("test", length, 0, count)
    model = model.in_rounds(max(12, length // 6)).eval()
    each = len(model.layers)
    right, total = np.zeros((2, model.config.rounds), int), np.zeros(2, int)
    for i in range(0, count, TOGETHER):
        x, y = dh.to_images(images[i : i + TOGETHER]), torch.from_numpy(masks[i : i + TOGETHER])
        asked = torch.stack([y > 0, y == MARKED])
        fine = model.fine(x)
        first = model.stem(fine)
        shown, state = model.shown(first), model.begun(first)
        for number, layer in enumerate(model.path):
            state = layer(state, shown[number % each])
            if (number + 1) % each == 0:
                good = model.logits(fine, state, None).argmax(1) == y
                right[:, number // each] += (asked & good).sum((1, 2, 3)).numpy()
        total += asked.sum((1, 2, 3)).numpy()
    foreground, marked = (right / total[:, None]).tolist()
    return {"side": images.shape[1], "foreground": foreground, "marked": marked}


def main(out, lengths, count, *sources):
    """Measure and write."""
    lengths, named = [*map(int, lengths.split(","))], dict(source.split("=") for source in sources)
    found = {name: {} for name in named}
    for name, source in named.items():
        for length in lengths:
            found[name][length] = one = course(dh.load(source), length, int(count))
            best = int(np.argmax(one["marked"]))
            print(f"{name}, {length} pixels: marked {one['marked'][best]:.4f} after {best + 1} rounds, last "
                  f"{one['marked'][-1]:.4f}; foreground {one['foreground'][best]:.4f}", flush=True)  # fmt: skip
    panels, colours = [], colour_numbers([*named])
    for length in lengths:
        curves = [
            Curve(name, colours[name], ((np.arange(1, len(of[length]["marked"]) + 1), np.array(of[length]["marked"])),))
            for name, of in found.items()
        ]
        panels.append(Panel("rounds", "marked wire, share right", tuple(curves), title=f"{length} pixels"))
    save_curves(Path(f"{out}.png"), panels)
    about = {"images": int(count), "networks": found, "environment": environment()}
    write_atomic(Path(f"{out}.json"), json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
