"""Draw what the runs of stacks reached against what they cost: `python docs/front.py`.

Scores are of the committed runs, costs those of `diagnostics/prices.py` on one thread: docs/images/front.png.
"""

import statistics
from dataclasses import replace

from tables import RESULTS, ROOT, price, read, runs

from drumhead.show.front import Point, save_front

PANELS = {  # title: recipe, task
    "tetrominoes, 80,000 passes": ("batch-16", "tetrominoes"),
    "Multi-MNIST, 80,000": ("batch-16", "multi-mnist"),
    "Multi-MNIST, shifted, 320,000": ("shift-16", "multi-mnist"),
}


def point(name: str, values: list[float], task: str) -> Point:
    """Return a network with the mean and the deviation of its seeds, and its costs."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    costs = (price(task, name, mode)["ratio"] for mode in ("train", "infer"))
    return Point(name, statistics.fmean(values), deviation, *costs)


def trained(recipe: str, task: str) -> list[Point]:
    """Return the networks of a task that were trained under a recipe."""
    found = []
    for place in sorted((RESULTS / "reproduce" / recipe / task).iterdir()):
        tests = runs(f"{recipe}/{task}/{place.name}")
        found.append(point(place.name, [test["foreground_iou"] for test in tests], task))
    return found


def far() -> list[Point]:
    """Return the share of the foreground that is right of wires twice as long as those learned.

    Networks in rounds take as many as each image needs, and their inference costs what that does.
    """
    rows: dict[str, list[float]] = {}
    for network in read(RESULTS / "stack" / "distance" / "distance.json")["networks"]:
        (row,) = (row for row in network["rows"] if row["distance"] == 2 * network["length"] and not row["how"])
        rows.setdefault(network["name"], []).append(row["foreground_accuracy"])
    points = [point(name, values, "wires") for name, values in rows.items()]
    for name, words in (("nwm-rounds", "waves, seed"), ("frame-rounds", "7x7 kernels, seed")):
        of = [found["120"]["until_still"] for key, found in read(RESULTS / "stack" / "rounds.json")["networks"].items()
              if key.startswith(words) and "half" not in key]  # fmt: skip
        one = point(name, [found["foreground"] for found in of], "wires")
        points.append(replace(one, infer=statistics.fmean(found["cost"] for found in of)))
    return points


if __name__ == "__main__":
    panels = {title: trained(*where) for title, where in PANELS.items()}
    save_front(ROOT / "docs" / "images" / "front.png", panels | {"wires twice as long, accuracy": far()})
