"""`drumhead reproduce receptive-field`: measure models one by one, keep each, then write the pictures and tables."""

import contextlib
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drumhead import tasks
from drumhead.errors import DrumheadError
from drumhead.files import report_folder, write_atomic
from drumhead.learn.run import environment
from drumhead.networks.model import build, load
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.reach import EVERYWHERE
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.timed import Timed
from drumhead.networks.weights import find_weights, shipped
from drumhead.physics import dispersion
from drumhead.physics.propagate import propagate
from drumhead.physics.stability import laplacian
from drumhead.probe import field
from drumhead.probe.impulse import amplifying, impulse
from drumhead.probe.report import report
from drumhead.settings.presets import PRESETS, get_preset
from drumhead.settings.text import to_dict
from drumhead.show import receptive as show
from drumhead.show.figures import caption
from drumhead.show.pages import csv_text
from drumhead.waves import fronts

VERSION = 4  # of what is measured: what an older version kept is measured again
INITIAL = ("nwm-linear", "lstm-linear", "nwm-fast", "cnn-8", "resnet-8", "unet-4")
SHOWN = (0, 1, 5, 10, 20, 50, 100)  # T of the maps
LEVEL = 1e-3  # of the loudest: the contour whose speed is measured
HEARD = (1, 2, 5, 10, 20, 50, 100)  # T of the logits


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    task: str = "tetrominoes"  # whose test images the models see
    images: int = 8  # how many
    cotangents: int = 4  # random weights of the channels for each image
    side: int = 128  # of the canvas in pixels
    steps: tuple[int, ...] = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)  # T of the states; 0 first
    seed: int = 0  # of images, pixels, cotangents and initial weights


@dataclass(frozen=True)
class Subject:
    """A network to measure: `name` in the report, and where it came from."""

    name: str
    source: str
    trained: bool
    model: Segmenter


def receptive_field(models: Sequence[str], out: Path, *, runs: Path = Path("runs/reproduce"),
                    say: Callable[[str], None] = print, settings: Settings | None = None) -> None:  # fmt: skip
    """Measure receptive fields and write receptive-field.{png,json,csv,md}, radius.png and greens.png.

    What was measured of a model is kept in `out`/kept, under a hash of its weights and the settings, and not measured
    again.

    Args:
        models: presets (measured at their initial weights), shipped names, run directories or .safetensors files. By
            default some presets, the shipped network of the task (of one layer if there is one) and every
            `runs`/*/TASK/*/seed-0 with weights.
        out: directory to write.
        runs: where run directories are looked for.
        say: gets a line for each model.
        settings: what to measure; `Settings()` by default.

    Raises:
        DrumheadError: a model is not found or does not fit the task's images, or another process writes to `out`.
    """
    settings = settings or Settings()
    subjects = find(models, runs, settings)
    images = field.canvas(*tasks.get(settings.task).arrays("test"), settings.side, settings.images, settings.seed)
    found = []
    for number, subject in enumerate(subjects, 1):
        say(f"[{number}/{len(subjects)}] {subject.name}: {subject.source}")
        result, arrays = _kept(subject, images, settings, out / "kept")
        found.append(({**result, **_growth(result, settings.side)}, arrays))
    results = [result for result, _ in found]
    free, waves = free_medium(settings)
    whole = {"settings": asdict(settings), "free_medium": free, "models": results}
    whole["environment"] = {**environment(), "command": ["drumhead", *sys.argv[1:]]}
    with report_folder(out) as folder:
        show.save_maps(folder / "receptive-field.png", _maps(found, settings), min(48, settings.side // 2 - 1))
        show.save_radius(folder / "radius.png", [_curve(result) for result in results], settings.side)
        show.save_greens(folder / "greens.png", _responses(found, free, waves))
        write_atomic(folder / "receptive-field.json", json.dumps(whole, indent=1, allow_nan=False) + "\n")
        write_atomic(folder / "receptive-field.csv", _table(results))
        write_atomic(folder / "receptive-field.md", report(whole))
    say(f"written: {out}/receptive-field.md, with pictures, .json and .csv")


def find(models: Sequence[str], runs: Path, settings: Settings) -> list[Subject]:
    """Return the networks to measure, by name or path; the default ones if none is given."""
    if not models:
        found = sorted(path.parent for path in runs.glob(f"*/{settings.task}/*/seed-0/weights.safetensors"))
        # The published figure shows one layer; of a stack, T counts the steps of the last one alone.
        ours = [name for name in (f"{settings.task}-fast", settings.task) if name in shipped()][:1]
        models = [*(f"{settings.task}/{name}" for name in INITIAL), *ours, *map(str, found)]
    subjects: list[Subject] = []
    for source in dict.fromkeys(models):
        subject = _subject(source, runs, settings)
        config, task = subject.model.config, tasks.get(settings.task)
        if config.image_channels != task.image_channels:
            raise DrumheadError(
                f"{source}: this network takes images of {config.image_channels} channels, those of {settings.task} "
                f"have {task.image_channels}; name models of {settings.task}"
            )
        names = {other.name for other in subjects}
        name = subject.name if subject.name not in names else f"{subject.name} [{len(names) + 1}]"
        subjects.append(replace(subject, name=caption(name)))
    return subjects


def _subject(source: str, runs: Path, settings: Settings) -> Subject:
    preset = source if source in PRESETS else f"{settings.task}/{source}"
    if preset in PRESETS and source not in shipped() and not Path(source).exists():
        torch.manual_seed(settings.seed)
        model = build(get_preset(preset).model)
        return Subject(f"{preset.partition('/')[2]} (initial)", f"preset {preset}, seed {settings.seed}", False, model)
    path = find_weights(source)
    model = load(path)
    if source in shipped():
        return Subject(f"{_kind(model)} (shipped)", f"shipped weights {source}", True, model)
    place = path.parent.resolve()
    if place.is_relative_to(runs.resolve()):  # BUDGET/TASK/NAME/seed-N
        budget, _, name, seed = (*place.relative_to(runs.resolve()).parts, "", "", "", "")[:4]
        if name:
            seed = "" if seed in ("", "seed-0") else f" {seed}"
            return Subject(f"{name} ({budget}{seed})", f"run {source}", True, model)
    return Subject(place.name if path.name == "weights.safetensors" else path.stem, str(source), True, model)


def _kind(model: Segmenter) -> str:
    """Return the name of the preset that a network's config comes from, or its family."""
    names = (name for name, run in PRESETS.items() if run.model == model.config)
    return next(names, model.config.family).partition("/")[2] or model.config.family


def measured(
    subject: Subject, images: torch.Tensor, settings: Settings
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the numbers of one network and the arrays that its pictures need."""
    model, centre, rows, arrays = subject.model, settings.side // 2, [], {}
    start, fastest, steps, dt = None, None, None, 0.0
    plan: list[tuple[str, int | None]] = [("logits", None)]
    if isinstance(model, Timed):
        start, steps, dt = model.reach(centre, 0), model.steps, model.dt
        hearing = sorted({t for t in settings.steps if t in HEARD and t < model.steps} | {model.steps})
        plan = [("state", t) for t in settings.steps]
        plan += [("logits", t) for t in hearing if model.answers(t)]
    if isinstance(model, NeuralWaveMachine):
        fastest = dispersion.speeds(model.coupling(), model.dt)
    for read, t in plan:
        m = field.field(model, images, read, t, settings.cotangents, settings.seed)
        size = field.measure(m)
        box = model.reach(centre, t)
        cone = None if fastest is None or t is None else fastest.group * model.stride * dt * t
        beyond = None
        if start is not None and size.mass:
            low, high = max(start[0], 0), start[1] + 1
            beyond = float(1 - m[low:high, low:high].sum() / size.mass)
        low, high = box[0] - centre, box[1] - centre
        rows.append({"read": read, "steps": t, **asdict(size), "beyond": beyond, "cone": cone,
                     "bound": max(-low, high), "box": [low, high]})  # fmt: skip
        arrays[f"{read}-{t}"] = m.astype(np.float32) if size.mass > 1e-30 else (m / (size.mass or 1)).astype(np.float32)
    result = {
        "name": subject.name, "source": subject.source, "trained": subject.trained,
        "family": model.config.family,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": steps, "dt": dt, "stride": model.stride,
        "rows": rows, "speeds": None, "responses": {}, "amplifying": None,
    }  # fmt: skip
    if isinstance(model, NeuralWaveMachine) and fastest is not None:
        result |= {"speeds": asdict(fastest), "amplifying": amplifying(model, images)}
        for kind in dict.fromkeys(("linear", model.layer.nonlinearity)):
            result["responses"][kind], loudness, arrival = _response(model, images, kind, fastest.group)
            arrays[f"loudness-{kind}"] = loudness.astype(np.float32)
            arrays[f"arrival-{kind}"] = arrival.astype(np.float32)
    return result, arrays


def _growth(result: dict[str, Any], side: int) -> dict[str, Any]:
    """Return the fits over the last ten-fold of the time that a network listens, and of all times."""
    rows = [row for row in result["rows"] if row["read"] == "state"]
    if not rows:
        return {"growth": None, "growth_all": None}
    steps = [row["steps"] for row in rows]
    sizes = [field.Size(row["half"], row["most"], row["rms"], row["mass"]) for row in rows]
    own, whole = (field.growth(steps, sizes, side, last // 10, last) for last in (result["steps"], max(steps)))
    return {"growth": own and asdict(own), "growth_all": whole and asdict(whole)}


def _response(model: NeuralWaveMachine, images: torch.Tensor, kind: str,
              speed: float) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:  # fmt: skip
    """Return the front of the response to an impulse, its loudness averaged over images, and the times of arrival."""
    side = images.shape[-1] // model.stride
    steps = model.steps if speed < 1e-3 else round(0.9 * side / 2 / (speed * model.dt))
    steps = min(max(steps, 10), 600)
    squares = sum(fronts.rings(impulse(model, image, steps, kind).numpy()) ** 2 for image in images)
    loudness = np.sqrt(squares / len(images))
    found, contour = fronts.front(loudness, model.dt), fronts.front(loudness, model.dt, LEVEL)
    _, arrival = found or contour or (None, np.full(loudness.shape[1], np.nan))
    numbers = {"steps": steps, "speed": found and found[0], "contour": contour and contour[0],
               "predicted": speed, "reached": int(np.isfinite(arrival).sum())}  # fmt: skip
    return numbers, loudness, arrival


def free_medium(settings: Settings) -> tuple[dict[str, Any], np.ndarray]:
    """Compare `dh.propagate` in a free medium with the closed form on the torus; return numbers and the loudness."""
    side, dt = settings.side, 0.1
    steps = round(0.9 * side / 2 / dt)
    kernel = laplacian(1).double()
    y0 = torch.zeros(1, 1, side, side, dtype=torch.float64)
    amplitude = 1e-6  # tanh is linear to 1e-11 here
    y0[..., side // 2, side // 2] = amplitude
    exact = dispersion.lattice(kernel[0, 0].numpy(), (side, side), steps, dt)
    differences = {}
    for kind in ("linear", "tanh"):
        waves = propagate(y0, 0.0, 0.0, kernel, steps=steps, dt=dt, nonlinearity=kind)[0, :, 0].numpy() / amplitude
        differences[kind] = float(np.abs(waves - exact).max())
    loudness = fronts.rings(exact[:, None])
    found, contour = fronts.front(loudness, dt), fronts.front(loudness, dt, LEVEL)  # None on a small canvas
    return {"side": side, "steps": steps, "dt": dt, "difference": differences,
            "front_speed": found and found[0], "contour_speed": contour and contour[0],
            "predicted": dispersion.speeds(kernel, dt).group}, loudness  # fmt: skip


def _kept(subject: Subject, images: torch.Tensor, settings: Settings, place: Path) -> tuple[dict[str, Any], dict]:
    """Return what was measured before of the same weights and settings, else measure and keep it."""
    mark = hashlib.sha256(json.dumps([VERSION, asdict(settings), to_dict(subject.model.config)]).encode())
    for name, tensor in sorted(subject.model.state_dict().items()):
        mark.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    path = place / f"{re.sub(r'[^A-Za-z0-9.]+', '-', subject.name)}-{mark.hexdigest()[:16]}.npz"
    names = {"name": subject.name, "source": subject.source, "trained": subject.trained}
    with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as file:  # not there, or damaged: measure
        arrays = {name: file[name] for name in file.files}
        return {**json.loads(str(arrays.pop("result"))), **names}, arrays
    result, arrays = measured(subject, images, settings)
    content = io.BytesIO()
    saved: dict[str, Any] = {"result": np.array(json.dumps(result)), **arrays}
    np.savez_compressed(content, **saved)
    write_atomic(path, content.getvalue())
    return result, arrays


def _panel(title: str, read: str, t: int | None, result: dict[str, Any], arrays: dict) -> show.Panel:
    for row in result["rows"]:
        if (row["read"], row["steps"]) == (read, t):
            return show.Panel(title, arrays[f"{read}-{t}"], row["cone"], tuple(row["box"]))
    return show.Panel(title, None)


def _maps(found: list[tuple[dict[str, Any], dict]], settings: Settings) -> list:
    shown = [t for t in settings.steps if t in SHOWN] or list(settings.steps)
    rows, single = [], []
    for network in found:
        result, steps = network[0], network[0]["steps"]
        if steps is None:
            single.append(_panel(result["name"], "logits", None, *network))
            continue
        panels = [_panel("" if rows else f"T = {t}", "state", t, *network) for t in shown]
        panels.append(_panel(f"logits, T = {steps}", "logits", steps, *network))
        rows.append((result["name"].replace(" (", "\n("), panels))
    width = len(shown) + 1
    for i in range(0, len(single), width):
        rows.append(("without\ntime", single[i : i + width]))
    return rows


def _curve(result: dict[str, Any]) -> show.Curve:
    states = [row for row in result["rows"] if row["read"] == "state" and row["steps"]]
    heard = [row for row in result["rows"] if row["read"] == "logits"]
    return show.Curve(  # NaN where nothing arrived
        result["name"], [row["steps"] for row in states], [row["half"] or np.nan for row in states],
        [row["most"] or np.nan for row in states], [row["bound"] for row in states],
        [(row["steps"] or 0, row["half"] or np.nan, row["most"] or np.nan) for row in heard], result["steps"] or 0,
    )  # fmt: skip


def _responses(found: list[tuple[dict[str, Any], dict]], free: dict[str, Any],
               loudness: np.ndarray) -> list[show.Response]:  # fmt: skip
    front = fronts.front(loudness, free["dt"]) or (None, None)
    out = [show.Response("free medium, linear", loudness, free["dt"], free["predicted"], *front)]
    for result, arrays in found:
        for kind, row in result["responses"].items():
            word = f"contour {LEVEL:g}" if row["speed"] is None else "front"
            out.append(show.Response(f"{result['name']}: {kind}", arrays[f"loudness-{kind}"], result["dt"],
                                     row["predicted"], row["speed"] or row["contour"], arrays[f"arrival-{kind}"],
                                     word))  # fmt: skip
    return out


def _table(results: list[dict[str, Any]]) -> str:
    keys = ("half", "most", "rms", "bound", "cone", "beyond", "mass")
    columns = ("model", "trained", "read", "steps", "r50", "r95", *keys[2:])
    rows = [
        (result["name"], result["trained"], row["read"], row["steps"],
         *(_cell(key, row[key]) for key in keys))
        for result in results
        for row in result["rows"]
    ]  # fmt: skip
    return csv_text(columns, rows)


def _cell(key: str, value: float | None) -> str:
    return "" if value is None else "all" if key == "bound" and value >= EVERYWHERE else f"{value:.6g}"
