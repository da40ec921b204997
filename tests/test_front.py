"""Accuracy against cost: what is planned, which recipe counts, what is written, and prices by turns."""

import json
import time
from pathlib import Path

import pytest
import torch

import drumhead as dh
from drumhead.reproduce import front, timings
from drumhead.reproduce.budgets import recipes
from drumhead.reproduce.timings import prices
from drumhead.show.front import Point, _front, save_front
from test_reproduce import call, make


def test_every_network_of_the_front_can_be_built_on_every_task():
    assert len({row.name for row in front.ROWS}) == len(front.ROWS)
    for task in front.TASKS:
        todo = front.plan(task, "cpu", 1, (), "")
        assert len(todo) == 2 * len(front.ROWS)
        places = {planned.place(Path("runs")) for planned in todo}
        assert len(places) == len(todo)
    assert len({row.model("wires") for row in front.ROWS}) == len(front.ROWS)
    for row in front.ROWS:
        assert dh.build(row.model("mnist"))(torch.rand(1, 1, 20, 20)).shape == (1, 11, 20, 20)
    for budget, task in (("cpu", "mnist"), ("paper", "mnist"), ("paper", "wires")):
        four, sixteen = recipes(budget, task)
        assert (four.train.batch, four.train.lr, sixteen.train.batch, sixteen.train.lr) == (4, 1e-3, 16, 3e-3)
        assert {four.train.augment, sixteen.train.augment} == {
            "shift" if (budget, task) == ("paper", "mnist") else "none"
        }
        assert four.passes(10_000) == sixteen.passes(10_000) == {"cpu": 80_000, "paper": 320_000}[budget]


def test_each_network_counts_under_its_better_recipe(tmp_path, monkeypatch):
    todo = front.plan("mnist", "cpu", 2, ("unet-4", "nwm-stack"), "")
    scores = {
        ("unet-4", "batch-4"): (0.9, 0.7),
        ("unet-4", "batch-16"): (0.75, 0.0),
        ("nwm-stack", "batch-16"): (0.95,),
    }
    for planned in todo:
        known = scores.get((planned.row.name, planned.budget.name), ())
        if planned.seed < len(known):
            make(planned, tmp_path / "runs", known[planned.seed], epochs=8)
    stack, unet = front.better(todo, tmp_path / "runs")
    assert (stack.line.row.name, stack.recipe.name, stack.others) == ("nwm-stack", "batch-16", {})
    assert (unet.line.row.name, unet.recipe.name) == ("unet-4", "batch-4")
    assert unet.mean == pytest.approx((0.9 / 1.1 + 0.7 / 1.3) / 2)
    assert unet.others == {"batch-16": pytest.approx(0.75 / 1.25 / 2)}
    costs = {"mnist": {"unet-4": {"train": {"ratio": 1.0}, "infer": {"ratio": 1.0}}}}
    grid = front.write({"mnist": [stack, unet]}, costs, tmp_path / "out", "a command")["mnist"]
    assert [row[0] for row in grid.rows] == ["nwm-stack", "unet-4"]
    assert grid.rows[1][-2:] == ("1.00", "1.00")
    assert grid.rows[0][-2:] == ("-", "-")
    numbers = json.loads((tmp_path / "out" / "front.json").read_text())
    assert numbers["tasks"]["mnist"]["unet-4"]["foreground_iou"] == [0.9 / 1.1, 0.7 / 1.3]
    assert (tmp_path / "out" / "front.png").stat().st_size > 10_000
    old = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(front, "webpage", lambda *_: 1 / 0)  # the last file
    with pytest.raises(ZeroDivisionError):
        front.write({"mnist": [unet]}, costs, tmp_path / "out", "another command")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == old
    with pytest.raises(dh.DrumheadError, match="no run of the front is finished"):
        front.write({"mnist": []}, {}, tmp_path / "none", "a command")
    assert (
        front.plan("mnist", "cpu", 2, ("unet-4",), "", "batch-16") == front.plan("mnist", "cpu", 2, ("unet-4",), "")[2:]
    )
    with pytest.raises(dh.DrumheadError, match="--recipe='batch-1' is not known; choose one of 'batch-4', 'batch-16'"):
        front.plan("mnist", "cpu", 1, (), "", "batch-1")
    with pytest.raises(dh.DrumheadError, match="the front has the budgets smoke, cpu, paper"):
        front.plan("mnist", "hour", 1, (), "")


def test_recipes_are_compared_on_the_seeds_that_both_have(tmp_path):
    todo = front.plan("mnist", "cpu", 2, ("unet-4",), "")
    scores = {("batch-4", 0): 0.9, ("batch-4", 1): 0.1, ("batch-16", 0): 0.8}  # seed 1 is hard, and batch-16 lacks it
    for planned in todo:
        if (known := scores.get((planned.budget.name, planned.seed))) is not None:
            make(planned, tmp_path / "runs", known, epochs=8)
    (unet,) = front.better(todo, tmp_path / "runs")
    assert unet.recipe.name == "batch-4"
    assert unet.mean < unet.others["batch-16"]  # and both stand with all their seeds


def test_recipes_that_share_no_seed_are_compared_on_their_own():
    assert front.on_common_seeds({"a": {0: 0.5, 1: 0.7}, "b": {2: 0.9}}) == {"a": pytest.approx(0.6), "b": 0.9}
    assert front.on_common_seeds({"a": {0: 0.5, 1: 0.7}, "b": {1: 0.9}}) == {"a": 0.7, "b": 0.9}


def test_prices_are_beside_the_unet():
    found = prices([row for row in front.ROWS if row.name in ("unet-2", "frame-3x3")], "wires", 2)
    assert {*found} == {"unet-4", "unet-2", "frame-3x3", "about"}
    assert found["unet-4"]["train"]["ratio"] == found["unet-4"]["infer"]["ratio"] == 1
    assert found["unet-2"]["train"]["milliseconds"] > 0


def test_two_threads_are_timed_by_the_wall_since_one_of_them_may_wait_by_spinning(monkeypatch):
    clocks = []
    monkeypatch.setattr(timings, "_by_turns", lambda calls, mode, rounds, tick, clock: clocks.append(clock) or [{}])
    for threads in (1, 2):
        prices([], "wires", 1, threads)
    assert clocks == [time.process_time] * 2 + [time.perf_counter] * 2


def test_better_networks_lie_higher_and_all_are_in_the_picture(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("drumhead.show.front.save_figure", lambda figure, path: drawn.append(figure))
    points = [
        Point("unet-4", 0.9, 0.6, 1.0, 1.0, 1.0),
        Point("nwm-stack", 0.99, 0.99, 0.99, 0.4, 0.01),
        Point("frame-7x7", 1.0, 1.0, 1.0, 150.0, 2.0),
        Point("cnn-8", 0.0, 0.0, 0.0, 3.0, 3.0),
    ]
    save_front(tmp_path / "front.png", {"wires": points})
    for axes, mode in zip(drawn[0].axes, ("train", "infer"), strict=True):
        places = {}
        for container, point in zip(axes.containers, points, strict=True):
            ((x, y),) = axes.transData.transform(container[0].get_xydata())
            box = axes.get_window_extent()
            assert box.x0 < x < box.x1
            assert box.y0 < y < box.y1
            assert container[0].get_xydata()[0, 0] == getattr(point, mode)
            places[point.name] = y
        assert sorted(places, key=places.get) == ["cnn-8", "unet-4", "nwm-stack", "frame-7x7"]
        labels = [text.get_text() for text in axes.get_yticklabels()]
        assert "0.9" in labels
        assert "0.99" in labels


def test_the_front_is_what_nothing_cheaper_reaches():
    assert _front([(2, 0.9), (1, 0.8), (3, 0.85), (1, 0.7), (4, 0.95)]) == [(1, 0.8), (2, 0.9), (4, 0.95)]


def test_minutes_are_for_three_networks_and_any_that_are_asked_for():
    assert {planned.row.name for planned in front.plan("wires", "smoke", 1, (), "")} == set(front.SMOKE)
    assert len(front.plan("wires", "smoke", 1, ("*",), "")) == len(front.ROWS)


def test_one_command_trains_measures_and_reports(tmp_path, capsys):
    words = ("reproduce", "front", "--seeds", 1, "--runs", tmp_path / "runs", "--out", tmp_path / "out")
    assert call(*words, "--models", "frame-3x3") == 0
    assert "frame-3x3" in capsys.readouterr().out
    assert (tmp_path / "out" / "front.html").exists()
    assert call(*words, "--no-train") == 0
    assert call("reproduce", "tetrominoes", "--task", "mnist") == 2
    assert call("reproduce", "front", "--task", "stars") == 2
