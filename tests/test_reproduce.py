"""Tables of networks: what there is to train, what came of it, and the reports of both."""

import csv
import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

import drumhead as dh
from conftest import call
from drumhead.files import hold
from drumhead.learn import train
from drumhead.reproduce import report
from drumhead.reproduce.budgets import BUDGETS
from drumhead.reproduce.estimates import core_seconds, cost, milliseconds, passes, train_images
from drumhead.reproduce.paper import PUBLISHED, Score, background_accuracy
from drumhead.reproduce.plan import planned_runs
from drumhead.reproduce.results import Result, background_only, collect, summarise, welch
from drumhead.reproduce.tables import TABLES
from drumhead.settings.presets import PRESETS
from drumhead.settings.text import read_run, to_toml
from drumhead.show.networks import save_gallery
from drumhead.show.pages import Grid, Heading, Text, markdown, webpage
from drumhead.sweep.finished import Finished
from drumhead.sweep.local import launch
from drumhead.tasks import mnist, multi_mnist, polygons, tetrominoes

SMOKE, PAPER = BUDGETS["smoke"], BUDGETS["paper"]


def make(planned, root, fg, epochs=3, measured=True):
    """Write the small files of a run by hand, without weights."""
    path = planned.place(root)
    path.mkdir(parents=True)
    (path / "config.toml").write_text(to_toml(planned.config))
    rows = [
        {"epoch": i, "images": 64 * i, "seconds": 2.0 * i, "cpu_seconds": 1.5 * i, "val_loss": 1 / i, "courant": None,
         "val_foreground_iou": fg * i / epochs}
        for i in range(1, epochs + 1)
    ]  # fmt: skip
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    machine = {"processor": "a processor", "cores": 2, "threads": 1, "commit": f"c0ffee{planned.seed}", "torch": "2"}
    (path / "environment.json").write_text(json.dumps(machine))
    if measured:
        scores = {"accuracy": 0.9, "foreground_accuracy": fg, "foreground_iou": fg / (2 - fg), "mean_iou": 0.5,
                  "dice": 0.6, "loss": None, "parameters": 1234, "images": 32, "environment": machine}  # fmt: skip
        (path / "evaluation-test.json").write_text(json.dumps(scores))
    return path


@pytest.fixture
def by_hand(tmp_path):
    """Three seeds of two networks, one of them collapsed once, one planned half trained, one not begun."""
    todo = planned_runs(TABLES["tetrominoes"], SMOKE, 3, ["nwm-linear", "unet-4", "cnn-2"])
    scores = {"nwm-linear": (0.9, 0.8, 0.85), "unet-4": (0.5, 0.0, 0.6)}
    for planned in todo:
        if planned.row.name in scores:
            make(planned, tmp_path, scores[planned.row.name][planned.seed])
        elif planned.seed == 0:
            make(planned, tmp_path, 0.1, epochs=1, measured=False)
    return todo, tmp_path


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_network_of_a_table_can_be_built(table):
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    assert set(table.core) <= set(names)
    for planned in planned_runs(table, PAPER, 1):
        assert f"{table.task}/{planned.row.preset}" in PRESETS
        assert planned.config.train == replace(PAPER.train, seed=0)
        dh.build(planned.config.model)


def test_the_same_network_has_the_same_directory_in_every_table():
    places = {}
    for table in TABLES.values():
        for planned in planned_runs(table, PAPER, 1):
            place = planned.place(Path("runs"))
            assert places.setdefault(place, planned.config) == planned.config
    assert len({(config.task, config.model) for config in places.values()}) == len(places)  # and no other network has


def test_all_networks_get_their_first_seed_before_any_gets_a_second():
    todo = planned_runs(TABLES["tetrominoes"], SMOKE, 2, ["unet-*"])
    assert [(c.row.name, c.seed) for c in todo] == [(f"unet-{w}", seed) for seed in (0, 1) for w in (2, 3, 4, 5)]


def test_published_numbers_belong_to_networks_of_the_tables_and_count_their_parameters():
    for task, networks in PUBLISHED.items():
        assert set(networks) <= {row.name for row in TABLES[task].rows}
        for name, paper in networks.items():
            assert paper.parameters == sum(p.numel() for p in dh.build(f"{task}/{name}").parameters()), name
            low, median, high = paper.extremes
            assert low <= median <= high
            assert low - 0.01 <= paper.foreground_iou.mean <= high + 0.01


def test_a_published_collapse_is_seen_in_the_least_seed():
    for networks in PUBLISHED.values():
        for name, paper in networks.items():
            assert (paper.collapsed > 0) == (paper.extremes[0] == 0), name


def test_passes_are_those_of_the_trainings():
    counts = {"tetrominoes": tetrominoes.COUNTS["train"], "mnist": mnist.TRAIN}
    counts |= {"multi-mnist": multi_mnist.COUNTS["train"], "polygons": polygons.COUNTS["train"]}
    assert {name: train_images(name) for name in counts} == counts
    assert passes(planned_runs(TABLES["tetrominoes"], PAPER, 1)[0]) == 300 * 156 * 64
    for table in TABLES.values():
        assert passes(planned_runs(table, SMOKE, 1)[0]) == 128


def test_costs_add_up():
    todo = planned_runs(TABLES["tetrominoes"], BUDGETS["cpu"], 3, ["unet-4", "nwm-linear"])
    each = [milliseconds(planned) for planned in todo[:2]]
    assert cost(todo).hours == pytest.approx(3 * sum(each) * 80_000 / 3.6e6)
    one_by_one = planned_runs(TABLES["tetrominoes"], BUDGETS["hour"], 1, ["nwm-linear"])[0]
    assert milliseconds(one_by_one) == 51
    assert cost(planned_runs(TABLES["tetrominoes"], PAPER, 1, ["gru-*"])).hours == 0
    assert str(cost(planned_runs(TABLES["tetrominoes"], PAPER, 1, ["cnn-[248]"]))).startswith("over ")


def test_seconds_of_a_gpu_run_are_estimates():
    planned = planned_runs(TABLES["tetrominoes"], BUDGETS["hour"], 1, ["unet-4"])[0]
    history = [{"images": 1250, "cpu_seconds": 7.0}, {"images": 2500, "cpu_seconds": 15.0}]
    result = Result(planned, Finished(Path("run"), planned.config, {}, history, {"gpu": None}))
    assert core_seconds(result, history[-1]) == 15
    assert (
        core_seconds(replace(result, run=replace(result.run, environment={"gpu": "NVIDIA H200"})), history[-1])
        == 2500 * 16 / 1000
    )


def test_summaries_are_numpys(rng):
    values = rng.random(7)
    got = summarise(values.tolist())
    assert (got.n, got.low, got.high) == (7, values.min(), values.max())
    assert got.mean == pytest.approx(values.mean())
    assert got.std == pytest.approx(values.std(ddof=1))
    assert got.median == pytest.approx(np.median(values))
    assert summarise([0.5]).std is None
    assert summarise([None, 0.25, None]).n == 1
    assert summarise([None]) is None


def test_welch_is_scipys_test_of_the_raw_numbers(rng):
    ours, theirs = rng.normal(0.5, 0.1, 4), rng.normal(0.4, 0.3, 10)
    got = welch(summarise(ours.tolist()), Score(theirs.mean(), theirs.std(ddof=1)), 10)
    expected = stats.ttest_ind(ours, theirs, equal_var=False)
    assert (got.t, got.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert welch(summarise([0.5]), Score(0.4, 0.1), 10) is None
    assert welch(summarise([0.5, 0.5]), Score(0.4, 0.0), 10) is None
    assert welch(summarise([0.5, 0.6]), Score(0.4), 10) is None


def test_background_only_is_counted_or_published():
    whole, few = planned_runs(TABLES["tetrominoes"], PAPER, 1)[0], planned_runs(TABLES["tetrominoes"], SMOKE, 1)[0]
    masks = dh.tasks.get("tetrominoes").arrays("test")[1]
    assert background_only(whole) == pytest.approx((masks == 0).mean(), abs=1e-6) == background_accuracy("tetrominoes")
    assert background_only(few) == (masks[:32] == 0).mean()


def test_cells_are_collected(by_hand):
    todo, root = by_hand
    results = collect(todo, root)
    first, second = results.lines
    assert (first.row.name, first.collapsed, second.row.name, second.collapsed) == ("nwm-linear", 0, "unet-4", 1)
    iou = [fg / (2 - fg) for fg in (0.9, 0.8, 0.85)]
    assert first.summary("foreground_iou").mean == pytest.approx(np.mean(iou))
    paper = PUBLISHED["tetrominoes"]["nwm-linear"].foreground_iou
    expected = stats.ttest_ind_from_stats(np.mean(iou), np.std(iou, ddof=1), 3, paper.mean, paper.std, 10, False)
    assert first.welch.p == pytest.approx(expected.pvalue)
    assert second.welch is None
    assert first.spent("cpu_seconds").mean == 4.5
    assert [f"{m.planned.row.name} {m.planned.seed}: {m.why}" for m in results.missing] == [
        "cnn-2 0: at 1 of 2 epochs", "cnn-2 1: not begun", "cnn-2 2: not begun",
    ]  # fmt: skip
    assert "nwm-fft" in {row.name for row in results.untouched}


def test_further_seeds_and_networks_count_and_other_settings_do_not(by_hand):
    todo, root = by_hand
    one = [planned for planned in todo if planned.seed == 0 and planned.row.name == "unet-4"]
    assert [len(line.results) for line in collect(one, root).lines] == [3, 3]
    config = read_run(one[0].place(root) / "config.toml")
    other = replace(config, data="elsewhere")
    (one[0].place(root) / "config.toml").write_text(to_toml(other))
    assert len(collect(one, root).all) == 6  # where the data lay is no setting of the network
    other = replace(config, train=replace(config.train, lr=0.5))
    (one[0].place(root) / "config.toml").write_text(to_toml(other))
    results = collect(one, root)
    assert len(results.all) == 5
    assert "other settings" in results.missing[0].why


def test_seeds_that_are_asked_for_are_reported_alone(by_hand, tmp_path, capsys):
    todo, root = by_hand
    one = [planned for planned in todo if planned.seed == 0 and planned.row.name == "unet-4"]
    results = collect(one, root, further=False)
    assert [result.planned.seed for result in results.all] == [0, 0]  # of nwm-linear and unet-4
    assert [(item.planned.row.name, item.planned.seed) for item in results.missing] == [
        ("nwm-linear", 1), ("nwm-linear", 2), ("unet-4", 1), ("unet-4", 2),
    ]  # fmt: skip
    assert {item.why for item in results.missing} == {"finished, left out by --seeds"}
    for flags, seeds in ((["--seeds", 2], {"0", "1"}), ([], {"0", "1", "2"})):  # smoke trains one
        assert call("reproduce", "tetrominoes", *flags, "--no-train", "--runs", root, "--out", tmp_path / "out") == 0
        rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
        assert {row["seed"] for row in rows} == seeds
        assert ("left out by --seeds" in capsys.readouterr().out) == bool(flags)


def test_what_is_missing_is_a_line_a_network(tmp_path):
    todo = planned_runs(TABLES["tetrominoes"], SMOKE, 12, ["nwm-fast", "unet-[23]"])
    begun = {("unet-2", 0): 1, ("unet-2", 4): 1, ("unet-2", 6): 2}
    for planned in todo:
        key = (planned.row.name, planned.seed)
        if key in begun:
            make(planned, tmp_path, 0.1, begun[key], measured=False)
        elif key in (("nwm-fast", 0), ("nwm-fast", 1), ("nwm-fast", 5)):
            make(planned, tmp_path, 0.5)
        elif key == ("unet-3", 11):
            make(replace(planned, budget=replace(SMOKE, train=replace(SMOKE.train, lr=0.5))), tmp_path, 0.5)
    assert report.by_network(collect(todo, tmp_path).missing) == [
        "nwm-fast: seeds 2 to 4, 6 to 11 not begun",
        "unet-2: seeds 0, 4 at 1 of 2 epochs; seeds 1 to 3, 5, 7 to 11 not begun; seed 6 trained, not measured",
        "unet-3: seeds 0 to 10 not begun; seed 11 trained with other settings, left out "
        f"(in {tmp_path}/smoke/tetrominoes/unet-3)",
    ]


def test_a_report_needs_no_weights(by_hand, tmp_path):
    todo, root = by_hand
    out = tmp_path / "report"
    done = report.write(collect(todo, root), out, "drumhead reproduce tetrominoes")
    assert {path.name for path in out.iterdir()} == {
        "report.md", "report.html", "results.csv", "summary.csv", "bars.png", "curves.png",
    }  # fmt: skip
    text = (out / "report.md").read_text()
    assert "`drumhead reproduce tetrominoes`" in text
    assert "Not at equal passes: our networks saw 128 images, the paper's 2,995,200, 23,400 times" in text
    assert "0.9768 ± 0.0067 (10)" in text
    assert "- cnn-2: seed 0 at 1 of 2 epochs; seeds 1, 2 not begun\n" in text
    assert "no weights here, so no pictures of what the networks do" in done.notes
    assert str(todo[0].place(root)) in text
    assert "c0ffee2" in text
    assert "a processor, 2 cores, 1 thread" in text
    for heading in ("foreground accuracy", "foreground IoU", "class-mean IoU", "Dice"):
        assert heading in text
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert [(row["network"], row["seed"], row["collapsed"]) for row in rows][3:] == [
        ("unet-4", "0", "0"), ("unet-4", "1", "1"), ("unet-4", "2", "0"),
    ]  # fmt: skip
    assert {row["boundary_f"] for row in rows} == {""}
    summary = {row["network"]: row for row in csv.DictReader((out / "summary.csv").read_text().splitlines())}
    assert float(summary["nwm-linear"]["foreground_accuracy_std"]) == pytest.approx(0.05)
    assert summary["unet-4"]["welch_p"] == ""
    page = (out / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == 2
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_a_report_that_fails_leaves_the_old_one(by_hand, tmp_path, monkeypatch):
    todo, root = by_hand
    out = tmp_path / "report"
    report.write(collect(todo, root), out, "old")
    old = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(report, "webpage", lambda *_: 1 / 0)  # the last file
    with pytest.raises(ZeroDivisionError):
        report.write(collect(todo, root), out, "new")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == old
    monkeypatch.undo()
    with hold(out / ".lock"), pytest.raises(dh.DrumheadError, match="another process writes there; wait until it ends"):
        report.write(collect(todo, root), out, "new")


def test_a_report_of_nothing_is_refused(tmp_path):
    todo = planned_runs(TABLES["tetrominoes"], SMOKE, 1, ["unet-4"])
    with pytest.raises(dh.DrumheadError, match=r"nothing to report \(unet-4: seed 0 not begun\); train first"):
        report.write(collect(todo, tmp_path), tmp_path / "out", "x")
    assert not (tmp_path / "out").exists()


def test_weights_of_a_run_that_goes_on_may_be_measured_without_ending_it(tmp_path):
    (planned,) = planned_runs(TABLES["tetrominoes"], SMOKE, 1, ["unet-4"])
    make(planned, tmp_path, 0.5, epochs=SMOKE.train.epochs - 1)  # `drumhead evaluate` wrote its file
    assert not planned.item(tmp_path).done
    assert f"at {SMOKE.train.epochs - 1} of {SMOKE.train.epochs} epochs" in collect([planned], tmp_path).missing[0].why


def test_a_score_of_earlier_weights_does_not_end_a_run(tmp_path):
    (planned,) = planned_runs(TABLES["tetrominoes"], SMOKE, 1, ["unet-4"])
    result = make(planned, tmp_path, 0.5, epochs=SMOKE.train.epochs) / "evaluation-test.json"
    assert planned.item(tmp_path).done
    result.write_text(json.dumps({"weights": "runs/x", **json.loads(result.read_text())}))  # as `evaluate` does
    assert not planned.item(tmp_path).done


def test_what_ended_a_run_is_told(by_hand):
    todo, root = by_hand
    begun, other = (next(planned for planned in todo if (planned.row.name, planned.seed) == key).place(root)
                    for key in (("cnn-2", 0), ("unet-4", 2)))  # fmt: skip
    (begun / "failed.txt").write_text("out of memory\n")
    result = other / "evaluation-test.json"
    result.write_text(json.dumps({"weights": "runs/x", **json.loads(result.read_text())}))  # as `evaluate` does
    assert {item.why for item in collect(todo, root).missing} == {
        "failed: out of memory", "not begun", "measured by `drumhead evaluate`, perhaps with earlier weights",
    }  # fmt: skip


def test_a_damaged_result_is_named(by_hand, tmp_path):
    todo, root = by_hand
    (todo[0].place(root) / "evaluation-test.json").write_text("{")
    with pytest.raises(dh.DrumheadError, match=r"evaluation-test\.json is damaged"):
        collect(todo, root)


def test_pages_escape_what_they_show(tmp_path):
    blocks = [Heading("a < b", 1), Text("`x & y` is **loud**"), Grid(("n", "v"), (("a", "1"),))]
    page = webpage(blocks, tmp_path)
    assert "<title>a &lt; b</title>" in page
    assert "<code>x &amp; y</code> is <strong>loud</strong>" in page
    assert "| n | v |\n| --- | ---: |\n| a | 1 |" in markdown(blocks)


def test_a_gallery_holds_more_networks_than_a_band(tmp_path):
    images, truth = np.zeros((2, 8, 8, 1), np.uint8), np.zeros((2, 8, 8), int)
    save_gallery(tmp_path / "a.png", images, truth, {f"n{i}": truth for i in range(19)}, ["background", "thing"])
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.height > 6 * 100


@pytest.fixture(scope="module")
def smoked(tmp_path_factory):
    root = tmp_path_factory.mktemp("smoke")
    command = ["reproduce", "tetrominoes", "--models", "nwm-fast", "unet-4", "--runs", root / "runs"]
    assert call(*command, "--out", root / "report") == 0
    return root, command


def test_a_smoke_run_ends_with_pictures(smoked):
    root, _ = smoked
    names = {path.name for path in (root / "report").iterdir()}
    pictures = {"gallery.png", "states.png", "spectra.png", "time-maps.png", "media.png", "waves-nwm-fast.gif"}
    assert pictures | {"report.md", "report.html", "bars.png", "curves.png"} <= names
    for name in pictures:
        with Image.open(root / "report" / name) as picture:
            assert picture.width > 300
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    with Image.open(root / "report" / "waves-nwm-fast.gif") as movie:
        assert movie.n_frames == 20
    text = (root / "report" / "report.md").read_text()
    assert "says nothing about any network" in text
    assert "25,228" in text


def test_a_finished_run_is_not_trained_again(smoked, capsys):
    root, command = smoked
    weights = list((root / "runs").rglob("*"))
    before = {path: path.stat().st_mtime_ns for path in weights if path.is_file() and path.name != ".lock"}
    assert call(*command, "--no-report") == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert capsys.readouterr().out.count("done already") == 2


def test_a_run_that_another_process_holds_is_left_alone(smoked, tmp_path):
    todo = planned_runs(TABLES["tetrominoes"], SMOKE, 1, ["unet-4"])
    path = todo[0].place(tmp_path)
    path.mkdir(parents=True)
    said = []
    with (path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert launch([todo[0].item(tmp_path)], 1, said.append) == 0
    assert said == ["[1/1] tetrominoes/unet-4, budget smoke, seed 0: another process has it"]
    assert not (path / "config.toml").exists()


def test_a_run_with_other_settings_is_not_overwritten(smoked, tmp_path):
    root, _ = smoked
    shutil.copytree(root / "runs", tmp_path / "runs")
    todo = planned_runs(TABLES["tetrominoes"], SMOKE, 1, ["unet-4"])
    place = todo[0].place(tmp_path / "runs")
    (place / "evaluation-test.json").unlink()
    config = todo[0].config
    (place / "config.toml").write_text(to_toml(replace(config, train=replace(config.train, lr=0.5))))
    assert launch([todo[0].item(tmp_path / "runs")], 1, print) == 1
    assert "other settings" in (place / "failed.txt").read_text()
    assert read_run(place / "config.toml").train.lr == 0.5


def test_a_run_that_fails_leaves_the_others_alone(smoked, tmp_path, capsys):
    root, command = smoked
    shutil.copytree(root / "runs", tmp_path / "runs")
    damaged, other = (next((tmp_path / "runs").rglob(f"{name}/seed-0")) for name in ("nwm-fast", "unet-4"))
    for place in (damaged, other):
        (place / "evaluation-test.json").unlink()
    (damaged / "weights.safetensors").write_bytes(b"nothing")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert call(*command[:-1], tmp_path / "runs", "--no-report") == 2
    finally:
        torch.set_num_threads(threads)
    assert "1 of 2 runs failed; what ended each is above, and in its failed.txt" in capsys.readouterr().err
    assert str(damaged / "weights.safetensors") in (damaged / "failed.txt").read_text()
    result = json.loads((other / "evaluation-test.json").read_text())
    assert result["environment"]["threads"] == 2  # one training at a time may have the machine


def test_a_full_disk_ends_a_run_with_a_sentence(tmp_path, monkeypatch):
    item = planned_runs(TABLES["tetrominoes"], SMOKE, 1, ["unet-4"])[0].item(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights")

    monkeypatch.setattr(train, "start", full)
    assert launch([item], 1, print) == 1
    assert item.failure == "weights: No space left on device; make room, then the same command goes on"


def test_damaged_weights_leave_the_rest_of_the_report(smoked, tmp_path, capsys):
    root, command = smoked
    shutil.copytree(root / "runs", tmp_path / "runs")
    next((tmp_path / "runs").rglob("nwm-fast/seed-0/weights.safetensors")).write_bytes(b"nothing")
    assert call(*command[:-1], tmp_path / "runs", "--no-train", "--out", tmp_path / "report") == 0
    assert "no pictures of nwm-fast" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert "gallery.png" in names
    assert "states.png" not in names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tetrominos"], "table='tetrominos' is not known; choose one of 'tetrominoes'"),
        (["tetrominoes", "--models", "nwm-fats"], "--models nwm-fats: tetrominoes has no such model; it has nwm-fast"),
        (["tetrominoes", "--jobs", "0"], "--jobs 0: at least 1 is needed"),
        (["tetrominoes", "--seeds", "-1"], "--seeds -1: at least 0 is needed"),
        (["tetrominoes", "--no-train"], "runs/reproduce does not exist; name the directory"),
        (["tetrominoes", "--no-train", "--no-report"], "leave nothing to do; drop --no-report to report"),
    ],
)
def test_mistakes_are_one_sentence(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("reproduce", *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_tables_are_listed_without_torch(smoked):
    root, _ = smoked
    code = (
        "import sys; from drumhead import cli\n"
        f"cli.main(['reproduce', '--runs', {str(root / 'runs')!r}])\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "COLUMNS": "150"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    for table in TABLES.values():
        assert table.name in done.stdout
    assert "2,995,200" in done.stdout
    assert "nwm-fast (0), unet-4 (0)" in done.stdout
    for word in ("receptive-field", "front", "distance"):
        assert re.search(rf"^{word}\b.*: ", done.stdout, re.MULTILINE)
