"""Draw what the runs of stacks reached against what they cost: `python docs/front.py`.

Scores are of the committed runs, costs those of `diagnostics/prices.py` on one thread: docs/images/front.png.
"""

import statistics
from dataclasses import replace

from tables import RESULTS, ROOT, better, price, read, runs

from drumhead.show.front import Point, save_front

SHORT = {"tetrominoes, 80,000 passes": "tetrominoes", "Multi-MNIST, 80,000": "multi-mnist"}  # title: task


def point(name: str, values: list[float], task: str) -> Point:
    """Return a network with the mean and the deviation of its seeds, and its costs."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    costs = (price(task, name, mode)["ratio"] for mode in ("train", "infer"))
    return Point(name, statistics.fmean(values), deviation, *costs)


def short(task: str) -> list[Point]:
    """Return the networks of a task after 80,000 passes, each under its better recipe."""
    found = better(task)
    return [point(name, [test["foreground_iou"] for test in tests], task) for name, (_, tests, _) in found.items()]


def shifted(task: str) -> list[Point]:
    """Return those after 320,000 passes of images shifted at random."""
    places = sorted((RESULTS / "reproduce" / "shift-16" / task).iterdir())
    found = {place.name: runs(f"shift-16/{task}/{place.name}") for place in places}
    return [point(name, [test["foreground_iou"] for test in tests], task) for name, tests in found.items()]


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
    points = [point(name, values, "wires") for name, values in rows.items()]
    for name, words in (("nwm-rounds", "waves, seed"), ("frame-rounds", "7x7 kernels")):
        of = [found["120"]["until_still"] for key, found in read(RESULTS / "stack" / "rounds.json")["networks"].items()
              if key.startswith(words)]  # fmt: skip
        one = point(name, [found["foreground"] for found in of], "wires")
        points.append(replace(one, infer=statistics.fmean(found["cost"] for found in of)))
    return points


if __name__ == "__main__":
    panels = {title: short(task) for title, task in SHORT.items()}
    panels["Multi-MNIST, shifted, 320,000"] = shifted("multi-mnist")
    save_front(ROOT / "docs" / "images" / "front.png", panels | {"wires twice as long, accuracy": far()})
