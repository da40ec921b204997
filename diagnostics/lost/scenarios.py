"""What is killed: how it is started, started again, and what must come out to the same bits."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lost.looks import digest, in_sight, tensors
from lost.processes import Work, finish, verb

MODEL = ("--model.steps", 4, "--model.channels", 4, "--model.width", 4, "--model.bins", 2)


@dataclass(frozen=True)
class Scenario:
    """Commands that are killed."""

    work: Callable[[Path], list[Work]]
    """From a directory and what is in it, what to start there, all at once."""
    result: Callable[[Path], dict[str, str]]
    """What must be the same at the end: names and hashes."""
    environment: Callable[[Path], dict[str, str]]
    share: int
    """Of a hundred kills."""
    before: Callable[[Path], None] = field(default=lambda place: place.mkdir(parents=True))
    """Makes the directory; what is in it then stays or is replaced as a whole."""


def images(folder: Path, count: int = 20, side: int = 24) -> Path:
    """Make a directory of grey images, each with a bright square, for the task `folder`."""
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("background\nsquare\n")
    for number in range(count):
        mask = np.zeros((side, side), np.uint8)
        y, x = random.integers(0, side - 8, 2)
        mask[y : y + 8, x : x + 8] = 1
        image = (mask * 150 + random.integers(0, 60, mask.shape)).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number:02}.png")
    return folder


def begin(data: Path, out: Path, epochs: int = 8) -> Work:
    """Return a small training that writes a checkpoint at every look."""
    return verb(
        "train", "folder/nwm-fast", "--data", data, *MODEL, "--epochs", epochs, "--train.epoch-images", 24,
        "--train.batch", 1, "--train.checkpoint-minutes", 0, "--out", out,
    )  # fmt: skip


def go_on(out: Path) -> Work:
    """Return what goes on with a training."""
    return verb("train", "--resume", out)


def trained(place: Path) -> dict[str, str]:
    """Return all tensors of all runs of a directory, their rows and scores, without what says how long it took."""
    found = {}
    for path in sorted(place.rglob("*")):
        if path.name.startswith("."):
            continue
        if path.suffix == ".safetensors":
            values = tensors(path)
        elif path.name == "metrics.jsonl":
            values = {f"row {i}": _plain(line) for i, line in enumerate(path.read_text().splitlines())}
        elif path.name == "evaluation-test.json":
            values = {path.name: _plain(path.read_text())}
        else:
            continue
        found |= {f"{path.parent.relative_to(place)}/{name}": value for name, value in values.items()}
    return found


def _plain(text: str) -> str:
    about = json.loads(text)
    return json.dumps({k: v for k, v in about.items() if k not in ("seconds", "cpu_seconds", "environment")})


def files(place: Path) -> dict[str, str]:
    """Return the hashes of all files in sight."""
    return {str(path.relative_to(place)): digest(path) for path in in_sight(place) if path.name != "lock"}


def cache(place: Path) -> dict[str, str]:
    """Return the environment with a cache and temporary files of its own in a directory."""
    (place / "tmp").mkdir(parents=True, exist_ok=True)
    return {"XDG_CACHE_HOME": str(place / "cache"), "TMPDIR": str(place / "tmp")}


def borrow(root: Path) -> dict[str, str]:
    """Make a cache with links to what the user's has, so that nothing is compiled and drawn that need not be."""
    from drumhead.files import cache_dir

    for name in ("engine", "tasks"):
        target = root / "cache" / "drumhead" / name
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted((cache_dir() / name).glob("[!.]*.[ns][po]*")):
            try:
                os.link(path, target / path.name)
            except OSError:  # on another disk
                shutil.copy2(path, target / path.name)
    return cache(root)


def scenarios(root: Path, short: bool) -> dict[str, Scenario]:
    """Return all scenarios by name.

    Args:
        root: a directory for what they share: images, weights, a cache.
        short: smaller work, for a test.
    """
    shared, data = borrow(root), images(root / "data")
    weights = root / "small"
    finish([begin(data, weights, 1)], root / "prepare", shared)

    def train(place: Path) -> list[Work]:
        run = place / "run"
        return [go_on(run) if (run / "config.toml").exists() else begin(data, run, 3 if short else 8)]

    def sweep(place: Path) -> list[Work]:
        # Two at once on one directory, as on two machines that share it; `reproduce` fills its runs by the same code.
        sizes = [f"{name.removeprefix('--')}={value}" for name, value in zip(MODEL[::2], MODEL[1::2], strict=True)]
        small = (*sizes, "train.epochs=2", "train.epoch_images=24", "train.batch=1", "train.checkpoint_minutes=0")
        grid = () if short else ("--grid", "train.lr=1e-3,3e-3")
        return [
            verb(
                "sweep",
                "folder/nwm-fast",
                "--data",
                data,
                "--set",
                *small,
                *grid,
                "--seeds",
                2,
                "--out",
                place / "runs",
            )
        ] * 2

    def draw(place: Path) -> list[Work]:
        from drumhead import tasks

        name, split = ("wires", "test") if short else ("tetrominoes", "train")

        def work() -> None:
            tasks.get(name).arrays(split)

        return [work]

    def export(place: Path) -> list[Work]:
        return [verb("export", weights, "--out", place / "onnx", "--whole-only")]

    def older(place: Path) -> None:
        """Have an export of another network in its place."""
        place.mkdir(parents=True)
        if not short:
            if not (root / "older").exists():
                finish([begin(data, root / "other", 2)], root / "prepare", shared)
                finish(
                    [verb("export", root / "other", "--out", root / "older", "--whole-only")], root / "older", shared
                )
            shutil.copytree(root / "older", place / "onnx")

    return {
        "train": Scenario(train, trained, lambda _: shared, 50),
        "sweep": Scenario(sweep, trained, lambda _: shared, 14),
        "data": Scenario(draw, files, cache, 18),
        "engine": Scenario(lambda _: [prepare_engine], files, lambda p: cache(p) | {"DRUMHEAD_CFLAGS": "-O0"}, 10),
        "export": Scenario(export, files, lambda _: shared, 8, older),
    }


def prepare_engine() -> None:
    """Compile the engine, or find it."""
    from drumhead.engine.cpu import build

    found = build.search()
    if found.path is None:
        raise SystemExit(found.note)
