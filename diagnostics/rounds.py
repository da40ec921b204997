"""How far does the news of the dot come with each round?

    python diagnostics/rounds.py OUT LENGTHS IMAGES NAME=SOURCE...

For each network in rounds and each length of wires, such as 60,120,240, or of paths, pathfinder/60,120,240, on the
first so many test images, or as many as a length asks for (480:20): the foreground accuracy and the share of the curve
with the dot that is right after each round, one for every six pixels, and when labels have stopped changing, and what
that costs. Writes OUT.json and OUT.png. A source that is an earlier OUT.json gives what it has under that name.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

import drumhead as dh
from drumhead.files import write_atomic
from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.run import environment
from drumhead.networks.still import Walk
from drumhead.reproduce.distance import KINDS
from drumhead.show.charts import Curve, Panel, colour_numbers, save_curves

TOGETHER = 10  # images at a time
MARKED = 1  # the class of the curve with the dot


@torch.no_grad()
def course(model, kind, length, count):
    """Return both scores after each round and when nothing changes, in the share of pixels of all images together.

    The cost of going on until nothing changes is processor time on one thread over that of a U-Net, by turns.
    """
    task = dh.tasks.get(kind if length == KINDS[kind].LENGTH else f"{kind}-{length}")
    images, masks = (part[:count] for part in task.arrays("test"))
    model, unet, rounds = model.eval(), dh.build("wires/unet-4").eval(), max(12, length // 6)
    right, total, took, costs = np.zeros((2, rounds + 1), int), np.zeros(2, int), [], []
    for i in range(0, count, TOGETHER):
        x, y = dh.to_images(images[i : i + TOGETHER]), torch.from_numpy(masks[i : i + TOGETHER])
        asked, walk = torch.stack([y > 0, y == MARKED]), Walk(model, x)
        for number in range(rounds):
            right[:, number] += (asked & (walk.round().argmax(1) == y)).sum((1, 2, 3)).numpy()
        before = time.process_time()
        unet.segment(x)
        between = time.process_time()
        still = model.until_still(x)
        costs.append((time.process_time() - between) / (between - before))
        took += still.rounds.tolist()
        right[:, rounds] += (asked & (still.labels == y)).sum((1, 2, 3)).numpy()
        total += asked.sum((1, 2, 3)).numpy()
    (*foreground, all_still), (*marked, marked_still) = (right / total[:, None]).tolist()
    until_still = {"foreground": all_still, "marked": marked_still, "rounds": took, "cost": float(np.median(costs))}
    about = {"side": images.shape[1], "images": count}
    return {**about, "foreground": foreground, "marked": marked, "until_still": until_still}


def main(out, lengths, count, *sources):
    """Measure and write."""
    torch.set_num_threads(1)
    keep_freed_memory()
    kind, _, lengths = lengths.rpartition("/")
    kind = kind or "wires"
    asked = (length.partition(":") for length in lengths.split(","))
    counts = {length: int(own or count) for length, _, own in asked}
    named = dict(source.split("=") for source in sources)
    found = {name: {} for name in named}
    for name, source in named.items():
        if source.endswith(".json"):
            found[name] = json.loads(Path(source).read_text())["networks"][name]
            continue
        for length, images in counts.items():
            found[name][length] = one = course(dh.load(source), kind, int(length), images)
            best = int(np.argmax(one["marked"]))
            still = one["until_still"]
            print(
                f"{name}, {length} pixels: marked {one['marked'][best]:.4f} after {best + 1} rounds, last "
                f"{one['marked'][-1]:.4f}, until still {still['marked']:.4f} in {np.mean(still['rounds']):.1f} at "
                f"{still['cost']:.1f} times the U-Net; foreground {one['foreground'][best]:.4f} and "
                f"{still['foreground']:.4f}", flush=True,
            )  # fmt: skip
    panels, colours = [], colour_numbers([*named])
    for length in counts:
        curves = [
            Curve(name, colours[name], ((np.arange(1, len(of[length]["marked"]) + 1), np.array(of[length]["marked"])),))
            for name, of in found.items() if length in of
        ]  # fmt: skip
        panels.append(
            Panel(
                "rounds",
                "marked wire, share right" if kind == "wires" else "path with the dot, share right",
                tuple(curves),
                title=f"{length} pixels",
            )
        )
    save_curves(Path(f"{out}.png"), panels)
    about = {"networks": found, "environment": environment()}
    write_atomic(Path(f"{out}.json"), json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
