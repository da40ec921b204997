"""What `drumhead reproduce distance` writes of its numbers: a picture and a page. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from drumhead.networks.reach import in_words
from drumhead.show.charts import Curve, Panel, colour_numbers, save_curves
from drumhead.show.pages import Grid, Heading, Items, Picture, Text, markdown

SCORE = "foreground_accuracy"
STILL = "until still"  # how a network in rounds listens for longer: in as many as each image needs
STYLES = {"": "-", "last": "--", "stretch": "-.", STILL: "--"}  # of lines, by how a network listens for longer
Seeds = list[dict[str, Any]]  # one network, each of its seeds


def picture(whole: dict[str, Any], path: Path) -> None:
    """Draw accuracy against distance, one line a network and a way to listen, and where its light cone ends."""
    distances, panels = whole["settings"]["distances"], []
    colours = colour_numbers([network["name"] for network in whole["networks"]])
    for task, networks in _by_task(whole):
        curves = []
        for name, seeds in networks.items():
            for how in _ways(seeds):
                lines = tuple(_line(network, how) for network in seeds)
                reach = seeds[0]["rows"][0]["reach"]
                mark = reach if not how and reach <= max(distances) else None
                curves.append(Curve(_called(name, how), colours[name], lines, STYLES[how], mark))
        panels.append(
            Panel("pixels along the curve", SCORE.replace("_", " "), tuple(curves), log_x=True, title=task,
                  ticks=tuple(distances))
        )  # fmt: skip
    save_curves(path, panels)


def report(whole: dict[str, Any]) -> str:
    """Return the page, as Markdown."""
    settings, about = whole["settings"], whole["environment"]
    side = f"{settings['side']} x {settings['side']} pixels" if settings["side"] else "images that grow with it"
    blocks = [
        Heading("Accuracy against distance", 1),
        Text(f"`{' '.join(about['command'])}`"),
        Text(
            "Foreground accuracy of networks that learned curves of one length, on curves of other lengths: "
            f"{settings['images']} images a number, in {side}. Several seeds: the mean and, in brackets, the least and "
            "the largest. *Sees*: how many pixels of the image to each side an answer can depend on, the light cone of "
            "a network with waves; along a curve, which winds, that is more; *all* is the whole image. *last* and "
            "*stretch* are the same weights with as many times as many steps as the distance is longer: the readout "
            "hears the last of them, or all in slow motion. *until still*: the same weights in as many rounds as each "
            "image needs, until no label has changed for five."
        ),
        Picture("distance.png", "Accuracy against distance. Dotted: how far a network sees, if the axis goes so far."),
    ]
    for task, networks in _by_task(whole):
        columns = ("network", "seeds", "parameters", "sees", *(str(far) for far in settings["distances"]))
        rows = [_row(name, how, seeds, settings) for name, seeds in networks.items() for how in _ways(seeds)]
        blocks.append(Grid(columns, rows, task))
    if whole["missing"]:
        blocks += [Heading("Not trained yet"), Items(tuple(whole["missing"]))]
    machine = f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, GPU {about['gpu'] or 'none'}"
    blocks.append(
        Text(f"Measured on {machine}; torch {about['torch']}, drumhead {about['commit'] or about['drumhead']}.")
    )
    for network in whole["networks"]:
        if own := network.get("environment"):  # of numbers that were measured by themselves and put beside the others
            text = f"`{network['name']}` by `{' '.join(own['command'])}`, drumhead {own['commit'] or own['drumhead']}."
            blocks.append(Text(text))
    return markdown(blocks)


def _by_task(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Seeds]]]:
    """Yield each task, by the length that was learned, with its networks by name."""
    for task in dict.fromkeys(network["task"] for network in whole["networks"]):
        networks: dict[str, Seeds] = {}
        for network in whole["networks"]:
            if network["task"] == task:
                networks.setdefault(network["name"], []).append(network)
        yield task, networks


def _ways(seeds: Seeds) -> list[str]:
    return list(dict.fromkeys(row["how"] for row in seeds[0]["rows"]))


def _called(name: str, how: str) -> str:
    return f"{name}, {how}" if how else name


def _line(network: dict[str, Any], how: str) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and scores; a line of longer listening begins where the network's own time ends."""
    rows = [row for row in network["rows"] if row["how"] == how or (how and row["distance"] == network["length"])]
    return np.array([row["distance"] for row in rows]), np.array([row[SCORE] for row in rows], float)


def _row(name: str, how: str, seeds: Seeds, settings: dict[str, Any]) -> list[str]:
    cells = []
    for far in settings["distances"]:
        found = [row for network in seeds for row in network["rows"] if (row["distance"], row["how"]) == (far, how)]
        cells.append(_spread([row[SCORE] for row in found]))
    reaches = {in_words(row["reach"]) for network in seeds for row in network["rows"] if row["how"] == how}
    sees = reaches.pop() if len(reaches) == 1 else ""  # it grows with the steps
    return [_called(name, how), str(len(seeds)), f"{seeds[0]['parameters']:,}", sees, *cells]


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = f"{fmean(known):.3f}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.3f}-{max(known):.3f})"
