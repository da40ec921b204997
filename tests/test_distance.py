"""Accuracy against distance: what is measured, kept, drawn and written, with networks that hardly learned."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import drumhead as dh
from drumhead import cli
from drumhead.reproduce import distance as module
from drumhead.reproduce import distance_page
from drumhead.reproduce.budgets import BUDGETS
from drumhead.reproduce.distance import Settings, distance
from drumhead.reproduce.plan import planned_runs
from drumhead.reproduce.tables import TABLES
from drumhead.sweep.local import launch
from drumhead.tasks.task import COUNTS

SMALL = Settings(distances=(16, 60, 90), images=3)
MODELS = {"wires": ["nwm-stack", "nwm-modes", "unet-4"], "pathfinder": ["nwm-stack"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train three networks on either task for a few steps, on few images."""
    with pytest.MonkeyPatch.context() as patch:
        for split in COUNTS:
            patch.setitem(COUNTS, split, 32)
        runs = tmp_path_factory.mktemp("runs")
        todo = [planned for name in MODELS for planned in planned_runs(TABLES[name], BUDGETS["smoke"], 1, MODELS[name])]
        assert launch([planned.item(runs) for planned in todo], 1, print) == 0
    return todo, runs


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, distance(*trained, (), out, say=lambda _: None, settings=SMALL)


def test_a_page_that_fails_leaves_the_old_files(trained, written, monkeypatch):
    out, _ = written
    old = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    monkeypatch.setattr(module, "report", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        distance(*trained, (), out, say=lambda _: None, settings=replace(SMALL, distances=(16,)))
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == old
    assert len(old) == 3


def test_every_network_is_measured_at_every_distance(written):
    out, whole = written
    assert json.loads((out / "distance.json").read_text()) == whole
    assert [(n["task"], n["name"], n["length"]) for n in whole["networks"]] == [
        (task, name, 60) for task, names in MODELS.items() for name in names
    ]
    for network in whole["networks"]:
        rows = [(row["distance"], row["how"]) for row in network["rows"]]
        longer = [] if network["name"] == "unet-4" else [(90, "last"), (90, "stretch")]
        assert rows == [(16, ""), (60, ""), (90, ""), *longer]
        assert all(0 <= row["foreground_accuracy"] <= 1 for row in network["rows"])
        assert all(row["images"] == 3 for row in network["rows"])
    stack = whole["networks"][0]["rows"]
    assert [row["steps"] for row in stack] == [12, 12, 12, 18, 18]
    assert stack[-1]["reach"] == stack[0]["reach"] + 3 * 6 * 4
    assert stack[0]["reach"] == min(-dh.build("wires/nwm-stack").reach(0)[0], dh.build("wires/nwm-stack").reach(0)[1])
    assert whole["environment"]["processor"]


def test_scores_are_those_of_the_network_on_these_images(trained, written):
    (planned, *_), runs = trained
    images, masks = dh.tasks.wires.arrays("test", length=90, count=3)
    model = dh.load(planned.place(runs)).listening(1.5, "stretch")
    right = (model.segment(dh.to_images(images)).numpy() == masks) & (masks > 0)
    expected = np.mean(right.sum((1, 2)) / (masks > 0).sum((1, 2)))
    assert written[1]["networks"][0]["rows"][-1]["foreground_accuracy"] == pytest.approx(expected)


def test_a_network_in_rounds_takes_as_many_as_each_image_needs(tmp_path):
    torch.manual_seed(0)
    small = dh.Stack(image_channels=1, classes=3, waves=(dh.Bottleneck(maps=8, stride=2),), rounds=4, fewest=2)
    model = dh.build(small).eval()
    dh.save(model, tmp_path / "rounds.safetensors", task="wires")
    settings = Settings(distances=(60, 90), images=3)
    (network,) = distance((), tmp_path, [str(tmp_path / "rounds.safetensors")], tmp_path / "out",
                          say=lambda _: None, settings=settings)["networks"]  # fmt: skip
    assert [(row["distance"], row["how"]) for row in network["rows"]] == [(60, ""), (90, ""), (90, "until still")]
    images, masks = dh.tasks.wires.arrays("test", length=90, count=3)
    found = model.until_still(dh.to_images(images))
    last = network["rows"][-1]
    assert last["rounds_mean"] == pytest.approx(found.rounds.double().mean())
    low, high = model.in_rounds(int(found.rounds.max())).reach(0)
    assert last["reach"] == min(-low, high) > network["rows"][1]["reach"]
    right = (found.labels.numpy() == masks) & (masks > 0)
    expected = np.mean(right.sum((1, 2)) / (masks > 0).sum((1, 2)))
    assert last["foreground_accuracy"] == pytest.approx(expected)
    assert "until still" in (tmp_path / "out" / "distance.md").read_text()


def test_a_line_of_longer_listening_begins_at_the_learned_length():
    rows = [{"distance": far, "how": how, distance_page.SCORE: far / 100} for far, how in
            ((16, ""), (60, ""), (90, ""), (90, "last"), (120, "last"))]  # fmt: skip
    far, scores = distance_page._line({"length": 60, "rows": rows}, "last")
    assert (far.tolist(), scores.tolist()) == ([60, 90, 120], [0.6, 0.9, 1.2])


def test_what_is_kept_is_not_measured_again(trained, written, monkeypatch):
    out, whole = written
    monkeypatch.setattr(module, "evaluate", lambda *_: pytest.fail("measured again"))
    again = distance(*trained, (), out, say=lambda _: None, settings=SMALL)
    assert again["networks"] == whole["networks"]
    monkeypatch.setattr(module, "evaluate", lambda *_: {"foreground_accuracy": float("nan")})
    more = Settings(distances=(*SMALL.distances, 24), images=3)
    added = distance(*trained, (), out, say=lambda _: None, settings=more)["networks"][0]["rows"]
    assert [row for row in added if row["distance"] != 24] == whole["networks"][0]["rows"]
    assert added[-1]["foreground_accuracy"] is None


def test_page_and_picture_show_it(trained, written):
    out, whole = written
    distance(*trained, (), out, say=lambda _: None, settings=SMALL)
    text = (out / "distance.md").read_text()
    assert "| network | seeds | parameters | sees | 16 | 60 | 90 |" in text
    stack = whole["networks"][0]
    assert f"| nwm-stack | 1 | {stack['parameters']:,} | {stack['rows'][0]['reach']} |" in text
    assert "| nwm-stack, last |" in text
    assert "| unet-4, last |" not in text
    assert "| nwm-modes | 1 | 27,435 | all |" in text
    assert "## pathfinder" in text
    with Image.open(out / "distance.png") as picture:
        assert picture.width > 700
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_the_command_measures_what_is_trained_and_runs_that_are_named(trained, tmp_path, monkeypatch, capsys):
    todo, runs = trained
    monkeypatch.setattr(module, "Settings", partial(Settings, distances=(16,), images=2))
    out, run = tmp_path / "out", todo[0].place(runs)
    for split in COUNTS:
        monkeypatch.setitem(COUNTS, split, 32)
    cli.main(["reproduce", "distance", "--models", "nwm-s*", "--runs", str(runs), "--out", str(out)])
    assert "done already" in capsys.readouterr().out
    assert len(json.loads((out / "distance.json").read_text())["networks"]) == 2
    cli.main(["reproduce", "distance", "--models", str(run), "--out", str(out)])  # its own files are replaced
    (network,) = json.loads((out / "distance.json").read_text())["networks"]
    assert (network["name"], network["seed"], network["path"]) == ("nwm-stack", 0, str(run / "weights.safetensors"))
    for arguments, message in (
        (["--models", "nwm-s*", "--no-train", "--runs", str(tmp_path)], "no network is trained yet"),
        (["--models", "vgg"], "wires has no such model"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["reproduce", "distance", *arguments, "--out", str(tmp_path / "other")])
        assert message in " ".join(capsys.readouterr().err.split())
    with pytest.raises(dh.DrumheadError, match="trained on tetrominoes; networks of wires or pathfinder"):
        distance((), runs, ["tetrominoes"], tmp_path)
