"""`drumhead reproduce distance`: networks that learned curves of one length, measured on shorter and longer ones.

Each is measured as it is, and beyond the length that it knows, if it can listen for longer, also with as many times as
many steps (`networks/listening.py`), or in as many rounds as each image needs (`networks/still.py`). Every number is
kept as soon as it is there, under a hash of the weights and of the settings, and not measured again.
"""

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from drumhead.errors import DrumheadError
from drumhead.files import read_json, report_folder, without_nan, write_atomic
from drumhead.learn.data import Split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.run import environment
from drumhead.networks.listening import ways
from drumhead.networks.model import load
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.still import UntilStill
from drumhead.networks.weights import find_weights, read_metadata
from drumhead.reproduce.distance_page import STILL, picture, report
from drumhead.reproduce.plan import PlannedRun
from drumhead.tasks import pathfinder, wires

KINDS = {"wires": wires, "pathfinder": pathfinder}
VERSION = 1  # of what is measured, when an answer stands still included: what an older version kept is measured again
TOGETHER = 8  # images at a time


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    distances: tuple[int, ...] = (16, 32, 60, 120, 240, 512)  # pixels along the curve
    images: int = 200  # at each distance
    side: int = 0  # of the images; 0 lets it grow with the distance


@dataclass(frozen=True)
class Subject:
    """A trained network: which it is, what it learned and where it lies."""

    name: str
    seed: int
    task: str  # "wires", or "wires-120" for another length than its own
    path: Path

    @property
    def kind(self) -> str:
        """The word of the task without its length."""
        return self.task.partition("-")[0]

    @property
    def length(self) -> int:
        """The length of the curves that it learned, in pixels."""
        return int(self.task.partition("-")[2] or KINDS[self.kind].LENGTH)


def distance(todo: Iterable[PlannedRun], runs: Path, paths: Sequence[str], out: Path, *,
             say: Callable[[str], None] = print, settings: Settings | None = None) -> dict[str, Any]:  # fmt: skip
    """Measure what is trained and write distance.json, distance.md and distance.png; return what is in the first.

    Args:
        todo: trained ones among these are measured.
        runs: directory of their runs.
        paths: further shipped names, run directories or .safetensors files, of networks trained on wires or pathfinder.
        out: directory to write.
        say: gets a line for each number.
        settings: what to measure; `Settings()` by default.

    Raises:
        DrumheadError: nothing is trained yet, or a network has learned another task.
    """
    settings, done, missing = settings or Settings(), [], []
    for planned in todo:
        (done if planned.item(runs).done else missing).append(planned)
    subjects = [*(_of_planned(planned, runs) for planned in done), *map(_of_path, paths)]
    if not subjects:
        raise DrumheadError(
            "no network is trained yet: leave out --no-train, or name shipped weights or run directories with --models"
        )
    networks = []
    for i, subject in enumerate(subjects, 1):
        say(f"network {i} of {len(subjects)}")
        networks.append(_measured(subject, settings, out / "kept", say))
    whole = {"settings": asdict(settings), "networks": networks, "missing": [*map(str, missing)]}
    whole["environment"] = {**environment(), "command": ["drumhead", *sys.argv[1:]]}
    whole = without_nan(whole)
    with report_folder(out) as folder:
        write_atomic(folder / "distance.json", json.dumps(whole, indent=1, allow_nan=False) + "\n")
        picture(whole, folder / "distance.png")
        write_atomic(folder / "distance.md", report(whole))
    say(f"written: {out}/distance.md, distance.json and distance.png")
    return whole


def _of_planned(planned: PlannedRun, runs: Path) -> Subject:
    return Subject(planned.row.name, planned.seed, planned.table.task, planned.place(runs) / "weights.safetensors")


def _of_path(source: str) -> Subject:
    path = find_weights(source)
    about = read_metadata(path)
    task = about.get("task", "")
    if task.partition("-")[0] not in KINDS:
        raise DrumheadError(
            f"{path} was trained on {task or 'a task without a name'}; networks of wires or pathfinder are needed"
        )
    seed = 0
    with contextlib.suppress(OSError, ValueError):
        seed = read_json(path.parent / "environment.json").get("seed", 0)
    return Subject(about.get("preset", path.stem).rpartition("/")[2], seed, task, path)


def _measured(subject: Subject, settings: Settings, place: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Return all numbers of one network; those that are new are kept one by one."""
    mark = hashlib.sha256(json.dumps([VERSION, settings.images, settings.side]).encode() + subject.path.read_bytes())
    kept = place / f"{subject.name}-{mark.hexdigest()[:16]}.json"
    known: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(OSError, ValueError):  # not there, or damaged: measure
        known = read_json(kept)
    model, rows = load(subject.path), []
    for far, how in _plan(model, subject.length, settings):
        key = f"{far} {how}".strip()
        if key not in known:
            say(f"{subject.task}/{subject.name}, seed {subject.seed}: {far} pixels{how and f', listening {how}'}")
            known[key] = _score(model, subject, far, how, settings)
            write_atomic(kept, json.dumps(known, indent=1) + "\n")
        rows.append(known[key])
    return {
        **asdict(subject), "path": str(subject.path), "kind": subject.kind, "length": subject.length,
        "family": model.config.family, "parameters": sum(p.numel() for p in model.parameters()), "rows": rows,
    }  # fmt: skip


def _plan(model: Segmenter, length: int, settings: Settings) -> Iterator[tuple[int, str]]:
    """Yield what to measure: a distance, and how to listen for longer, "" for as long as was learned."""
    known: tuple[str, ...] = ()
    with contextlib.suppress(DrumheadError):  # it has nothing that could last longer
        model.listening(2)
        known = tuple(STILL if how == "rounds" else how for how in ways(model))
    for far in settings.distances:
        for how in ("", *(known if far > length else ())):
            yield far, how


def _score(model: Segmenter, subject: Subject, far: int, how: str, settings: Settings) -> dict[str, Any]:
    """Return the scores at a distance, and how far the network can see then, in pixels of the image."""
    times = far / subject.length if how else 1.0
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, masks = KINDS[subject.kind].arrays("test", far, settings.side, settings.images)
    split = Split(images, masks, device)

    def scores(network: nn.Module) -> dict[str, Any]:
        return without_nan(evaluate(network, split, model.config.classes, split.at_a_time(TOGETHER)))

    if how == STILL:
        stops = UntilStill(model.to(device))
        found = scores(stops) | stops.summary()
        network, times = model.in_rounds(max(stops.took)), found["rounds_mean"] / model.rounds
    else:
        network = (model.listening(times, how) if how else model).to(device)
        found = scores(network)
    steps, reach = getattr(network, "steps", None), network.reach(0)
    return {"distance": far, "how": how, "times": times, "steps": steps, "reach": min(-reach[0], reach[1]),
            "side": images.shape[1], "images": len(images), **found}  # fmt: skip
