"""`drumhead evaluate RUN`: measure a trained network on a task."""

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from drumhead.errors import DrumheadError, at_least, counted, none_ignored

if TYPE_CHECKING:
    from drumhead.show.pages import Grid


def evaluate(
    source: Annotated[str, tyro.conf.Positional],
    /,
    *,
    split: Literal["train", "val", "test"] = "test",
    task: str = "",
    data: str = "",
    limit: int = 0,
    batch: int = 0,
    tile: int = 0,
    cut: bool = False,
    rounds: int = 0,
    until_still: bool = False,
    over_time: bool = False,
    confidence: bool = False,
    json_out: Path | None = None,
) -> None:
    """Measure a trained network on a task.

    Args:
        source: a run directory, a .safetensors file or the name of shipped weights.
        split: the images to measure on.
        task: the task; by default the one that the network was trained on.
        data: directory of the folder task, or of MNIST's IDX files.
        limit: use only the first so many images; 0 uses all.
        batch: images at a time; 0 takes as many as make a million pixels, but no more than a run was trained with.
        tile: side of the squares that an image is answered in, in pixels, a multiple of 16 from 64 on, where memory
            is short; 0 takes images of up to two million pixels whole and larger ones in squares of 1024.
        cut: set the coupling to zero first, to see what the waves contribute.
        rounds: of a network that runs in rounds, take so many, 2 or more; 0 takes as many as it has.
        until_still: of a network that runs in rounds, take as many as each image needs: until no label has changed for
            five rounds, or --rounds (200) in all.
        over_time: also after fewer steps, and when the network stops as soon as it is sure: scores, processor time,
            and a picture beside the numbers. Of a stack it is the last layer that stops, which saves little.
        confidence: also how far its confidence can be trusted: calibration, accuracy of the surest pixels, and
            a picture beside the numbers.
        json_out: also write the numbers to this file; a run directory gets evaluation-SPLIT.json by itself.
    """
    at_least(0, batch, "--batch ")
    at_least(0, limit, "--limit ")

    from drumhead.networks.weights import find_weights, read_metadata

    path = find_weights(source)
    import torch

    from drumhead import tasks
    from drumhead.learn.confidence import confidence as trust
    from drumhead.learn.crops import check_files, open_split
    from drumhead.learn.evaluate import evaluate as measure
    from drumhead.learn.evaluate import write
    from drumhead.learn.metrics import Segmentation
    from drumhead.learn.over_time import over_time as course_of
    from drumhead.networks.model import load
    from drumhead.networks.still import UntilStill
    from drumhead.networks.still import asked as asked_for
    from drumhead.networks.tiles import tiles_of
    from drumhead.networks.timed import Timed
    from drumhead.show.anytime import save_confidence, save_over_time
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import Bar, print_table

    tiles = tiles_of(tile)
    model, metadata = load(path), read_metadata(path)
    most, in_run = 0, (path.parent / "config.toml").is_file()
    name = task or metadata.get("task", "")
    if in_run:
        from drumhead.settings.text import read_run

        run = read_run(path.parent / "config.toml")
        most = run.train.batch
        if not data and name == metadata.get("task"):
            data = run.data
    if not name:
        raise DrumheadError(f"{path} does not say what it was trained on; give --task, one of {tasks.names()}")
    chosen = tasks.get(name, data or None)
    if (chosen.image_channels, len(chosen.classes)) != (model.config.image_channels, model.config.classes):
        raise DrumheadError(
            f"task {name} has {counted(chosen.image_channels, 'image channel')} and {len(chosen.classes)} classes, the "
            f"model {model.config.image_channels} and {model.config.classes}"
        )
    none_ignored({"--over-time"} if over_time and until_still else (), "--until-still, which stops by itself,")
    if over_time and model.rounds > 1:
        raise DrumheadError(
            f"--over-time counts steps of the last layer, and {source} runs in rounds: --until-still gives each image "
            "as many rounds as it needs, and --rounds N answers after N"
        )
    model = asked_for(model, rounds, until_still)
    if cut:
        model = model.cut()
    if json_out:
        json_out.parent.mkdir(parents=True, exist_ok=True)  # an impossible place is refused before the work
        if json_out.exists() and not _is_own(json_out):
            raise DrumheadError(f"{json_out} is there already and no evaluation; choose another file with --json-out")
    if over_time and not (isinstance(model, Timed) and model.answers(1)):
        raise DrumheadError(
            f"--over-time: this {model.config.family} has no time course; networks with waves or cells have, but for "
            "those that hear a spectrum or end in closed form"
        )
    if (over_time or confidence) and not (json_out or in_run):
        print("no picture is drawn: these weights are in no run directory; give --json-out FILE, and it goes beside")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    check_files(chosen, Bar(), [split])
    images = open_split(chosen, split, device, limit)
    if over_time and images.largest > tiles.most:
        raise DrumheadError(
            f"--over-time: images of {images.largest:,} pixels are answered in tiles, which would stop one by one; "
            f"leave out {'--tile' if tile else '--over-time'}"
        )
    batch = batch or images.at_a_time(most)
    asked = UntilStill(model, most=model.rounds) if until_still else model
    metric = Segmentation(model.config.classes)
    scores: dict[str, Any] = measure(asked.to(device), images, model.config.classes, batch, tiles=tiles, metric=metric)
    took = asked.summary() if isinstance(asked, UntilStill) else {}
    rule = {"still": asked.still, "most": asked.most} if isinstance(asked, UntilStill) else {}

    changed = f"{f', {rounds} rounds' * (rounds > 0)}{', until still' * until_still}{', coupling cut' * cut}"
    title = f"{source} on {name}/{split}, {len(images)} images{changed}"
    rows = [(key.replace("_", " "), f"{value:.4f}") for key, value in (scores | took).items()]
    print_table(Grid(("metric", "value"), rows, title))
    classes = dict(zip(chosen.classes, metric.of_classes(), strict=True))
    print_table(_by_class(classes))

    more: dict[str, Any] = {"classes": classes}
    about = (
        f"{split}{f'-rounds{rounds}' * (rounds > 0)}{'-still' * until_still}{'-cut' * cut}"
        f"{f'-first{limit}' * (limit > 0)}"
    )
    beside = json_out or (path.parent / f"{about}.json" if in_run else None)
    if over_time and isinstance(model, Timed):
        more["over_time"] = found = course_of(model, images, model.config.classes, min(batch, 16))
        for grid in _over_time(**found):
            print_table(grid)
        if beside:
            picture = beside.with_name(f"over-time-{beside.stem}.png")
            save_over_time(picture, **found)
            print(f"written: {picture}")
    if confidence:
        more["confidence"] = trusted = trust(asked, images, batch, tiles)
        print_table(_confidence(trusted), left=2)
        if "settled" in trusted:
            print("settled: the probability that the final label had, averaged over the time course")
        if beside:
            picture = beside.with_name(f"confidence-{beside.stem}.png")
            save_confidence(picture, trusted)
            print(f"written: {picture}")

    out = json_out or (path.parent / f"evaluation-{about}.json" if in_run else None)
    if out:
        change = {"cut": cut, **({"rounds": rounds} if rounds else {}), **rule, **took}
        write(out, model, name, split, len(images), scores, str(source), {**change, **more})
        print(f"written: {out}")


def _by_class(classes: dict[str, dict[str, float]]) -> "Grid":
    """Return the scores of each class as a table; a class that neither occurs nor was found has none."""
    from drumhead.show.figures import caption
    from drumhead.show.pages import Grid

    columns = ("pixels", "recall", "precision", "iou", "dice")
    rows = [
        (caption(name), f"{scores['pixels']:,}", *("-" if math.isnan(scores[key]) else f"{scores[key]:.4f}"
                                                   for key in columns[1:]))
        for name, scores in classes.items()
    ]  # fmt: skip
    return Grid(("class", *columns), rows, "all pixels together")


def _over_time(steps: list[dict[str, Any]], early: list[dict[str, Any]]) -> list["Grid"]:
    """Return the scores after fewer steps, and those of stopping when sure, as tables."""
    from drumhead.show.pages import Grid

    shown = ("foreground_accuracy", "dice", "cost")
    words = tuple(name.replace("_", " ") for name in shown)
    rows = [(str(row["steps"]), *(f"{row[name]:.3f}" for name in shown)) for row in steps]
    stopped = [
        (f"{row['confidence']:g}", f"{row['mean_steps']:.1f}", *(f"{row[name]:.3f}" for name in shown)) for row in early
    ]
    return [
        Grid(("steps", *words), rows, "answers before the end; cost is processor time over the whole answer's"),
        Grid(("confidence", "mean steps", *words), stopped, "each image stops as soon as the network is so sure"),
    ]


def _confidence(found: dict[str, dict[str, dict[str, Any]]]) -> "Grid":
    """Return how far each kind of confidence can be trusted, as a table."""
    from drumhead.show.pages import Grid

    shares = ("0.5", "0.9", "0.99", "1")
    rows = [
        (kind, where, *(f"{scores[name]:.3f}" for name in ("calibration_error", "auroc")),
         *(f"{scores['selective'][share]:.3f}" for share in shares))
        for kind, each in found.items() for where, scores in each.items()
    ]  # fmt: skip
    columns = ("confidence", "of", "error", "AUROC", *(f"{float(share):.0%}" for share in shares))
    return Grid(columns, rows, "calibration error, AUROC of right against wrong, accuracy of the surest pixels")


def _is_own(path: Path) -> bool:
    """Say whether a file is what `evaluate` writes."""
    from drumhead.files import read_json

    with contextlib.suppress(OSError, ValueError):
        return "split" in read_json(path)
    return False


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(evaluate, prog="drumhead evaluate", args=arguments)
