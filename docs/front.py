"""Draw what the runs of stacks reached against what they cost: `python docs/front.py`.

Scores are of the committed runs, costs those of `diagnostics/prices.py` on one thread: docs/images/front.png.
"""

import statistics
from dataclasses import replace

from tables import RESULTS, ROOT, better, price, read, runs

from drumhead.show.front import Point, save_front

SHORT = {"tetrominoes, 80,000 passes": "tetrominoes", "Multi-MNIST, 80,000": "multi-mnist"}  # title: task
NEAR = ("alike", "layers-4", "steps-6", "steps-20", "stride-8", "pyramid", "bins-4", "bins-12", "mixed")
TABLE_ONLY = (*(f"nwm-stack-{name}" for name in NEAR), "nwm-modes-layers-2", "nwm-modes-sheets-32", "unet-2")


def point(name: str, values: list[float], task: str) -> Point:
    """Return a network with the mean, the least and the largest of its seeds, and its costs."""
    costs = (price(task, name, mode)["ratio"] for mode in ("train", "infer"))
    return Point(name, statistics.fmean(values), min(values), max(values), *costs)


def points(found: dict[str, list[dict]], task: str) -> list[Point]:
    """Return networks, given the test scores of their seeds."""
    return [point(name, [test["foreground_iou"] for test in tests], task) for name, tests in found.items()]


def short(task: str) -> list[Point]:
    """Return the networks of a task after 80,000 passes, each under its better recipe."""
    return points({name: tests for name, (_, tests, _) in better(task).items() if name not in TABLE_ONLY}, task)


def shifted(task: str) -> list[Point]:
    """Return those after 320,000 passes of images shifted at random."""
    places = sorted((RESULTS / "reproduce" / "shift-16" / task).iterdir())
    return points({place.name: runs(f"shift-16/{task}/{place.name}") for place in places}, task)


def far() -> list[Point]:
    """Return the share of the foreground that is right of wires twice as long as those learned.

    Networks in rounds take as many as each image needs, and their inference costs what that does.
    """
    rows: dict[str, list[float]] = {}
    for network in read(RESULTS / "stack" / "distance" / "distance.json")["networks"]:
        if "rounds" in network["name"]:  # below
            continue
        (row,) = (row for row in network["rows"] if row["distance"] == 2 * network["length"] and not row["how"])
        rows.setdefault(network["name"], []).append(row["foreground_accuracy"])
    found = [point(name, values, "wires") for name, values in rows.items()]
    measured = read(RESULTS / "stack" / "rounds.json")["networks"]
    for name, words in (("nwm-rounds", "waves, seed"), ("frame-rounds", "7x7 kernels")):
        of = [lengths["120"]["until_still"] for key, lengths in measured.items() if key.startswith(words)]
        one = point(name, [still["foreground"] for still in of], "wires")
        found.append(replace(one, infer=statistics.fmean(still["cost"] for still in of)))
    return found


if __name__ == "__main__":
    panels = {title: short(task) for title, task in SHORT.items()}
    panels["Multi-MNIST, shifted, 320,000"] = shifted("multi-mnist")
    save_front(ROOT / "docs" / "images" / "front.png", panels | {"wires twice as long, foreground accuracy": far()})
