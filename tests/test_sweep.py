"""Sweeps: grids, names, states, workers that are stopped and fail, and the report with its tests."""

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import drumhead as dh
from conftest import call
from drumhead.files import held, hold
from drumhead.learn import train, training
from drumhead.learn.scores import RESULT
from drumhead.networks.weights import read_safetensors
from drumhead.settings.config import NWM, TrainConfig, Waves
from drumhead.settings.presets import PRESETS, get_preset
from drumhead.settings.text import read_run, to_toml
from drumhead.show.terminal import Progress
from drumhead.sweep import local, slurm
from drumhead.sweep.finished import gather
from drumhead.sweep.grid import parse
from drumhead.sweep.items import LOCK, run_name
from drumhead.sweep.plan import Combinations, Sweep, differing, read, write
from drumhead.sweep.significance import against_best, holm, least_p, permutation
from drumhead.sweep.slurm import Wishes
from drumhead.sweep.work import attempt, complete

pytestmark = pytest.mark.timeout(900)  # workers import torch and train, beside whatever else the machine does
FAST = "tetrominoes/nwm-fast"
TINY = ("model.steps=2", "train.epochs=2", "train.limit=16", "train.validation_images=8", "train.batch=8")


def tensors(place):
    return read_safetensors(place / "weights.safetensors")[1]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def finish(item, **scores):
    """Write the small files of a finished run by hand, without weights."""
    item.place.mkdir(parents=True)
    (item.place / "config.toml").write_text(to_toml(item.config))
    count = item.config.train.epochs
    rows = [
        {"epoch": i, "images": 64 * i, "seconds": 2.0 * i, "cpu_seconds": 1.5 * i, "val_loss": 1 / i,
         "val_foreground_accuracy": i / count}
        for i in range(1, count + 1)
    ]  # fmt: skip
    (item.place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (item.place / RESULT).write_text(json.dumps({"parameters": 1234, "images": 32, **scores}))


def test_a_grid_is_all_combinations_of_values_the_first_seed_of_all_first():
    configs = Combinations(
        (FAST, "tetrominoes/unet-4"), ("train.lr=1e-3,2e-3", "nwm-*:model.steps=4,8"), TINY[1:], 2
    ).configs()
    got = [(c.preset, c.train.seed, c.train.lr, getattr(c.model, "waves", [None])[0]) for c in configs]
    expected = [
        *((FAST, lr, steps) for lr, steps in itertools.product((1e-3, 2e-3), (4, 8))),
        *(("tetrominoes/unet-4", lr, None) for lr in (1e-3, 2e-3)),
    ]
    assert [(preset, lr, waves and waves.steps) for preset, _, lr, waves in got] == expected * 2
    assert [seed for _, seed, _, _ in got] == [0] * 6 + [1] * 6
    assert {config.train.epochs for config in configs} == {2}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("lr=1",), "'lr=1' is no setting with values; write it as in train.lr=1e-3,3e-3"),
        (("train.lr=",), "no setting with values"),
        (("train.lr=1,",), "has an empty value"),
        (("train.lr=1e-3,0.001",), "the value 0.001 twice"),
        (("train.seed=1,2",), "--seeds 3 makes three runs"),
        (("train.lr=1,2", "train.lr=3"), "is given train.lr twice"),
        (("cnn-*:train.lr=1,2",), "none of tetrominoes/nwm-fast, tetrominoes/unet-4 is meant"),
        (("train.warmup=0.1",), "tetrominoes/unet-4: train.warmup does nothing beside train.schedule='constant'"),
        (("train.lr=0,-1", "nwm-fast:model.steps=x"), "model.steps='x' has the wrong type"),
        (("train.lr=0,-1",), "train.lr=-1.0: a positive learning rate is needed; tetrominoes/unet-4: train.lr=0.0"),
        (("model.stps=1",), "unknown setting stps"),
    ],
)
def test_what_is_wrong_is_said_at_once(texts, message, tmp_path, capsys):
    arguments = (FAST, "tetrominoes/unet-4", "--out", tmp_path / "sweep")
    assert call("sweep", *arguments, *itertools.chain(*(("--grid", text) for text in texts))) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what to run: presets"),
        ((FAST,), "say where the runs go: --out DIR"),
        (("tetrominoes/nwm-fats", "--out", "x"), "did you mean tetrominoes/nwm-fast"),
        ((FAST, "--out", "x", "--set", "train.lr=1,2"), "one value is needed; --grid takes several"),
        ((FAST, "--out", "x", "--seeds", "0"), "a whole number of at least 1 is needed"),
        ((FAST, "--out", "x", "--jobs", "0"), "--jobs 0: at least 1 is needed"),
        ((FAST, "--out", "x", "--partition", "gpu"), "--launcher joblib would ignore --partition"),
        ((FAST, "--out", "x", "--dry-run", "--jobs", "2"), "--dry-run would ignore --jobs"),
        (("folder/nwm-fast", "--out", "x"), "the folder task needs its directory: --data DIR"),
        (("nothing.toml", "--out", "x"), "nothing.toml does not exist"),
        ((FAST, "--out", "x", "--launcher", "slurm", "--minutes", "0"), "--minutes 0: at least 1 is needed"),
        ((FAST, "--out", "x", "--launcher", "slurm", "--sbatch", "account"), "an option of sbatch and its value"),
    ],
)
def test_mistakes_are_one_sentence(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("sweep", *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_what_is_nested_too_deeply_is_one_sentence(tmp_path, capsys):
    deep = tmp_path / "deep.toml"
    deep.write_text(f"x = {'[' * 10_000}")
    assert call("sweep", deep, "--out", tmp_path / "x") == 2
    assert "deep.toml is not valid TOML" in capsys.readouterr().err
    assert call("sweep", FAST, "--grid", f"train.lr={'[' * 10_000}", "--out", tmp_path / "x") == 2
    assert "train.lr='[[[[" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [deep]


@pytest.mark.parametrize("text", ["{", "5", "[" * 100_000])
def test_a_damaged_list_of_jobs_is_told(text, tmp_path):
    (tmp_path / slurm.FOLDER).mkdir()
    (tmp_path / slurm.FOLDER / "12.json").write_text(text)
    with pytest.raises(dh.DrumheadError, match=r"12\.json is damaged .* delete it when 'squeue -j 12' shows none"):
        slurm.queued(tmp_path)


def test_names_follow_the_settings_and_nothing_else():
    names = {run_name(config) for config in PRESETS.values()}
    assert len(names) == len(PRESETS)
    config = get_preset(FAST)
    assert run_name(replace(config, data="/elsewhere")) == run_name(config)
    assert re.fullmatch("[0-9a-f]{10}", run_name(config))
    again = read_text(to_toml(config))
    assert run_name(again) == run_name(config)
    for other in (
        replace(config, train=replace(config.train, lr=1e-4)),
        replace(config, model=config.model.changed(steps=7)),
        replace(config, preset="tetrominoes/other"),
    ):
        assert run_name(other) != run_name(config)


def read_text(text):
    import tomllib

    from drumhead.settings.config import RunConfig
    from drumhead.settings.text import from_dict

    return from_dict(RunConfig, tomllib.loads(text))


def test_a_setting_at_its_default_is_not_in_a_name():
    """A new setting would otherwise rename every run there is."""
    config = replace(get_preset(FAST), model=NWM(waves=(Waves(channels=3),)), train=TrainConfig(lr=0.5))
    from drumhead.sweep.items import _chosen

    assert _chosen(replace(config, data="", preset="a", task="b")) == {
        "": "RunConfig", "preset": "a", "task": "b",
        "model": {"": "NWM", "waves": [{"": "Waves", "channels": 3}], "head": [256, 256, 256]},
        "train": {"": "TrainConfig", "lr": 0.5},
    }  # fmt: skip


def test_values_are_numbers_words_and_lists():
    assert parse("train.lr=1e-3,3e-3").values == (1e-3, 3e-3)
    assert parse("train.optimizer=adam,adamw").values == ("adam", "adamw")
    assert parse("model.skip=true,false").values == (True, False)
    assert parse("model.head=[],[8],[8,8]").values == ((), (8,), (8, 8))
    assert parse("*/nwm-fast:train.weight-decay=0").name == "train.weight_decay"


def test_combinations_are_added_and_those_that_others_contain_are_left_out(tmp_path):
    first, more = (
        Combinations((FAST,), ("train.lr=1e-3,2e-3",), TINY),
        Combinations((FAST,), ("train.lr=1e-3,2e-3",), TINY, 2),
    )
    other = Combinations(("tetrominoes/unet-4",), (), TINY[1:])
    sweep = Sweep().adding(first).adding(other).adding(more)
    assert sweep.cells == (other, more)
    assert len(sweep.items(tmp_path)) == 5
    write(sweep, tmp_path)
    assert read(tmp_path) == sweep == read(tmp_path / "sweep.toml")
    assert [item.place for item in Sweep().adding(first).items(tmp_path)] == [
        item.place for item in Sweep().adding(more).items(tmp_path)[:2]
    ]


def test_settings_that_differ_are_those_of_one_preset():
    configs = Combinations((FAST, "tetrominoes/unet-4"), ("nwm-*:model.steps=4,8",)).configs()
    assert differing(configs) == [{"model.steps": 4}, {"model.steps": 8}, {}]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two learning rates by two workers."""
    out = tmp_path_factory.mktemp("sweep") / "runs"
    command = ("sweep", FAST, "--grid", "train.lr=1e-3,2e-3", "--set", *TINY, "--jobs", 2, "--out", out)
    assert call(*command) == 0
    return out, command


def test_workers_fill_a_sweep_to_the_bits_of_a_plain_training(swept, tmp_path, capfd):
    out, command = swept
    items = read(out).items(out)
    assert [item.state for item in items] == ["done", "done"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    plain = train.start(items[0].config, tmp_path / "plain")
    torch.set_num_threads(threads)
    assert same(tensors(plain.path), tensors(items[0].place))
    about = json.loads((items[1].place / "environment.json").read_text())
    assert about["threads"] == 1
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.name != "sweep.toml"}
    assert call(*command) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "2 of 2 runs are done" in capfd.readouterr().out


def test_a_dry_run_shows_states_and_makes_nothing(swept, capsys, monkeypatch):
    out, _ = swept
    monkeypatch.setenv("COLUMNS", "200")
    before = sorted(out.rglob("*"))
    assert call("sweep", FAST, "--grid", "train.lr=1e-3,2e-3,4e-3", "--set", *TINY, "--out", out, "--dry-run") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if FAST in line]
    assert [(row[0], row[2], row[-1]) for row in rows] == [
        (item.place.name, f"{item.config.train.lr:g}", state)
        for item, state in zip(Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3,4e-3",), TINY)).items(out),
                               ("done", "done", "new"), strict=True)
    ]  # fmt: skip
    assert sorted(out.rglob("*")) == before


def test_runs_that_differ_by_little_are_two(tmp_path, capsys):
    words = ("--grid", "train.lr=0.001,0.0010000001", "--set", *TINY, "--out", tmp_path)
    items = Sweep().adding(Combinations((FAST,), ("train.lr=0.001,0.0010000001",), TINY)).items(tmp_path)
    assert len({item.title for item in items}) == 2
    for item in items:
        finish(item, foreground_accuracy=0.5)
    assert call("sweep", FAST, *words) == 0
    said = capsys.readouterr().out
    assert "\n2 done\n" in said
    assert "what is not done" not in said


def test_a_dry_run_needs_no_torch(tmp_path):
    code = (
        "import sys; from drumhead import cli\n"
        f"cli.main(['sweep', {FAST!r}, '--grid', 'train.lr=1,2', '--out', {str(tmp_path / 'x')!r}, '--dry-run'])\n"
        "assert 'torch' not in sys.modules and 'joblib' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_every_state_is_told(tmp_path):
    items = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3,3e-3,4e-3,5e-3",), TINY)).items(tmp_path)
    done, begun, failed, running, _new = items
    finish(done, foreground_accuracy=0.5, environment={"command": ["drumhead", "sweep", "--out", "weights"]})
    begun.place.mkdir()
    (begun.place / "config.toml").write_text(to_toml(begun.config))
    failed.place.mkdir()
    (failed.place / "failed.txt").write_text("out of luck\n\nTraceback ...")
    with hold(running.place / LOCK):
        assert [item.state for item in items] == ["done", "begun", "failed", "running", "new"]
        assert complete(running, Progress()) == "held"
    assert running.state == "new"
    assert failed.failure == "out of luck"
    (done.place / RESULT).write_text(json.dumps({"weights": "x"}))  # as `drumhead evaluate` does
    assert done.state == "begun"


def test_a_run_that_fails_leaves_the_others_alone(tmp_path, capfd):
    out = tmp_path / "runs"
    # So large a rate makes the loss no number in the first epoch.
    command = ("sweep", FAST, "--grid", "train.lr=1e30,1e-3", "--set", *TINY, "train.clip=0", "--out", out, "--jobs", 2)
    assert call(*command) == 1
    bad, good = read(out).items(out)
    assert (bad.state, good.state) == ("failed", "done")
    assert "the loss is not a number any more" in bad.failure
    assert f"failed: {bad.title}" in capfd.readouterr().err
    assert "Traceback" not in (bad.place / "failed.txt").read_text()  # it is the user's to mend
    assert call(*command) == 1  # it is tried again
    assert bad.state == "failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_during_the_last_validation_stops_a_sweep(number, tmp_path, monkeypatch):
    one, other = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3",), TINY)).items(tmp_path)
    evaluate, validated = training.evaluate, []

    def signalled(*arguments, **more):
        validated.append(1)
        if len(validated) == one.config.train.epochs:
            os.kill(os.getpid(), number)
        return evaluate(*arguments, **more)

    monkeypatch.setattr(training, "evaluate", signalled)
    said = []
    with pytest.raises(KeyboardInterrupt):
        local.launch([one, other], 1, said.append)
    assert (one.state, other.state, said) == ("begun", "new", ["[1/2] " + one.title])
    assert len((one.place / "metrics.jsonl").read_text().splitlines()) == one.config.train.epochs
    before = tensors(one.place)
    assert attempt(one, Progress()).how == "done"  # the same command measures it
    assert same(tensors(one.place), before)


def test_an_error_of_ours_keeps_its_traceback(tmp_path, monkeypatch):
    (item,) = Sweep().adding(Combinations((FAST,), (), TINY)).items(tmp_path)
    monkeypatch.setattr(train, "start", lambda *_: 1 / 0)
    assert attempt(item, Progress()).why == "ZeroDivisionError: division by zero"
    text = (item.place / "failed.txt").read_text()
    assert text.startswith("ZeroDivisionError: division by zero\n\nTraceback")
    assert item.state == "failed"


def test_a_run_of_other_settings_is_refused_before_any_begins(capsys, tmp_path):
    (item,) = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3",), TINY)).items(tmp_path)
    finish(item, foreground_accuracy=0.5)
    other = replace(item.config, train=replace(item.config.train, lr=0.5))
    (item.place / "config.toml").write_text(to_toml(other))
    assert call("sweep", FAST, "--grid", "train.lr=1e-3,2e-3", "--set", *TINY, "--out", tmp_path) == 2
    assert f"{item.place} holds a run with other settings" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
    assert read_run(item.place / "config.toml") == other


def children(pid):
    """Return the ids of the processes that one has started, where the system says so."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()] if listed.exists() else []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not hasattr(os, "setpgid"), reason="signals")
@pytest.mark.parametrize("end", ["interrupt", "kill"])
def test_workers_that_are_stopped_write_a_checkpoint_of_their_last_step(end, tmp_path):
    out = tmp_path / "runs"
    long = [*TINY[:1], "train.epochs=400", *TINY[2:]]
    grid = ["sweep", FAST, "--grid", "train.lr=1e-3,2e-3", "--set", *long, "train.checkpoint_minutes=60"]
    command = [sys.executable, "-m", "drumhead", *grid, "--jobs", "2", "--out", str(out)]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        until = time.monotonic() + 800  # as long as the machine is busy
        while len(list(out.glob("*/metrics.jsonl"))) < 2:
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        workers = children(process.pid)
        process.send_signal(signal.SIGINT if end == "interrupt" else signal.SIGKILL)
        process.wait(400)
        ended = time.monotonic()
    finally:
        process.kill()
        process.wait()
    text = (tmp_path / "said").read_text()
    items = read(out).items(out)
    if end == "interrupt":
        assert process.returncode == 130, text
        assert "interrupted; the same command goes on" in text
    while any(held(item.place / LOCK) for item in items):  # its orphans see that it is gone
        assert time.monotonic() < until
        time.sleep(0.1)
    while any(map(alive, workers)):  # nor do they wait for further work
        assert time.monotonic() < until
        time.sleep(0.1)
    assert time.monotonic() - ended < 120, "loky lets idle workers go after 300 s"
    assert "Traceback" not in text, text
    for item in items:
        assert item.state == "begun"
        metadata, _ = read_safetensors(item.place / "last.ckpt" / "state.safetensors")
        position = json.loads(metadata["position"])
        assert 1 <= position["epoch"] < 400
        assert position["batch"] >= 1  # of the last step, not of the end of an epoch


def test_a_worker_that_is_killed_is_told(tmp_path, monkeypatch):
    items = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3",), TINY)).items(tmp_path)
    monkeypatch.setattr(local, "_work", _die)
    with pytest.raises(dh.DrumheadError, match="a worker was ended from outside, perhaps because memory ran out"):
        local.launch(items, 2, print)


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_is_not_installed_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.setitem(sys.modules, "submitit", None)
    arguments = (FAST, "--grid", "train.lr=1e-3,2e-3", "--set", *TINY, "--out", tmp_path / "x")
    assert call("sweep", *arguments, "--jobs", 2) == 2
    assert "several jobs at a time need joblib: pip install 'drumhead[cluster]'" in capsys.readouterr().err
    assert call("sweep", *arguments, "--launcher", "slurm") == 2
    assert "--launcher slurm needs submitit" in capsys.readouterr().err


def test_wishes_are_checked():
    assert Wishes(more=("account=me",)).more == ("account=me",)
    with pytest.raises(dh.DrumheadError, match="--cpus 0: at least 1 is needed"):
        Wishes(cpus=0)


def by_enumeration(a, b, paired):
    """Return the two-sided p from all arrangements, written down as it is defined."""
    a, b = np.array(a), np.array(b)
    seen = a.mean() - b.mean()
    if paired:
        signs = np.array(list(itertools.product((1, -1), repeat=len(a))))
        null = (signs * (a - b)).mean(1)
    else:
        both = np.concatenate([a, b])
        null = []
        for chosen in itertools.combinations(range(len(both)), len(a)):
            rest = np.delete(both, chosen)
            null.append(both[list(chosen)].mean() - rest.mean())
        null = np.array(null)
    upper, lower = (null >= seen - 1e-12).mean(), (null <= seen + 1e-12).mean()
    return min(1.0, 2 * min(upper, lower))


@pytest.mark.parametrize(("n", "m", "paired"), [(2, 2, True), (6, 6, True), (3, 3, False), (2, 4, False)])
def test_permutation_tests_are_exact(n, m, paired, rng):
    for _ in range(3):
        a, b = rng.random(n), rng.random(m)
        assert permutation(a, b, paired) == pytest.approx(by_enumeration(a, b, paired))
    assert permutation(np.arange(n) + 1e3, np.arange(m) / 7, paired) == pytest.approx(least_p(n, m, paired))


def test_too_many_arrangements_are_drawn_and_the_same_each_time(rng, tmp_path):
    a, b = rng.random(18), rng.random(18)
    assert permutation(a, b, paired=True) == permutation(a, b, paired=True)
    assert permutation(a, b, paired=True) == pytest.approx(by_enumeration(a, b, paired=True), abs=0.01)
    found = against_best([dict(enumerate(a)), dict(enumerate(b)), {0: 0.0, 1: 0.0}])[1]
    assert [one and one.drawn for one in sorted(filter(None, found), key=lambda one: one.seeds)] == [False, True]
    sweep = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3",), TINY, 18))
    for item in sweep.items(tmp_path / "runs"):
        finish(item, foreground_accuracy=(a if item.config.train.lr == 1e-3 else b)[item.config.train.seed])
    assert call("report", tmp_path / "runs", "--out", tmp_path / "report") == 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert len(re.findall(r" \(drawn\) \|", text)) == 1
    assert "131,072 arrangements drawn" in text


def test_holm_is_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_combinations_are_compared_with_the_best_seed_by_seed_where_they_can_be():
    best, found = against_best([{0: 0.5, 1: 0.6}, {0: 0.9, 1: 0.8}, {5: 0.1, 6: 0.2}, {}, {0: 0.3}])
    assert best == 1
    assert [one and (one.paired, one.p is None) for one in found] == [
        (True, False), None, (False, False), None, (False, True),
    ]  # fmt: skip
    assert found[0].difference == pytest.approx(-0.3)
    assert (found[0].p, found[2].p) == pytest.approx((1 / 2, 1 / 3))  # of two signs each; of six ways to part four
    assert (found[0].holm, found[2].holm) == pytest.approx((2 / 3, 2 / 3))
    assert against_best([{0: 0.5}, {0: 0.25}], lower=True)[0] == 1


@pytest.fixture
def by_hand(tmp_path):
    """Six seeds of three rates, one much worse, one run failed, one not begun."""
    out = tmp_path / "runs"
    sweep = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3,3e-3",), TINY, 6))
    write(sweep, out)
    for item in sweep.items(out):
        mean = {1e-3: 0.9, 2e-3: 0.895, 3e-3: 0.3}[item.config.train.lr]
        seed = item.config.train.seed
        wobble = (0.0113, -0.0107, 0.02, 0.0009, -0.02, 0.0031)[seed]  # no two arrangements tie
        a = mean + wobble * (1 if item.config.train.lr != 2e-3 else -1)
        if item.config.train.lr == 3e-3 and seed == 5:
            continue
        finish(item, foreground_accuracy=a, foreground_iou=a / (2 - a), dice=a, loss=1 - a)
    ended = next(i for i in sweep.items(out) if (i.config.train.lr, i.config.train.seed) == (3e-3, 4))
    (ended.place / RESULT).unlink()
    (ended.place / "failed.txt").write_text("out of memory\n")
    return out


def test_a_report_has_table_curves_and_tests(by_hand, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert call("report", by_hand, "--out", tmp_path / "report") == 0
    said = capsys.readouterr().out
    text = (tmp_path / "report" / "report.md").read_text()
    rows = re.findall(r"^\| nwm-fast \| (.*) \|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    assert [cell[0] for cell in cells] == ["0.001", "0.002", "0.003"]
    assert [cell[1] for cell in cells] == ["6", "6", "4"]
    assert cells[0][2] == "0.9008 (0.8800-0.9200)"
    assert cells[0][-3] == "best"
    groups = gather(by_hand).groups
    scores = [list(group.values("foreground_accuracy").values()) for group in groups]
    assert float(cells[1][-2]) == pytest.approx(by_enumeration(scores[0], scores[1], True), rel=0.01)
    assert cells[2][-2] == f"{2 / 2 ** len(scores[2]):.2g}"
    assert f"With {len(scores[2])} seeds no test can be below" in said
    assert "out of memory" in text
    assert ": not begun" in text
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "report.md", "report.html", "results.csv", "curves.png",
    }  # fmt: skip
    table = list(csv.DictReader((tmp_path / "report" / "results.csv").read_text().splitlines()))
    assert len(table) == 16
    assert {row["train.lr"] for row in table} == {"0.001", "0.002", "0.003"}


def test_two_seeds_cannot_show_anything_and_the_report_says_so(tmp_path, capsys):
    out = tmp_path / "runs"
    sweep = Sweep().adding(Combinations((FAST,), ("train.lr=1e-3,2e-3",), TINY, 2))
    for item in sweep.items(out):  # no sweep.toml: any directory of runs will do
        finish(item, foreground_accuracy=item.config.train.lr * 100, loss=1.0)
    assert call("report", out, "--out", tmp_path / "report", "--score", "loss") == 0
    assert "With 2 seeds no test can be below 0.5." in capsys.readouterr().out
    for item in sweep.items(out):
        if item.config.train.seed:
            (item.place / "config.toml").unlink()
    assert call("report", out, "--out", tmp_path / "report") == 0
    assert "With one seed there is no test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda out: None, "is not a directory; name one that holds runs"),
        (lambda out: out.mkdir(), "holds no finished run, so there is nothing to report; sweep and"),
        (lambda out: write(Sweep().adding(Combinations((FAST,))), out), "holds no finished run"),
    ],
)
def test_a_report_of_nothing_is_refused(make, message, tmp_path, capsys):
    make(tmp_path / "runs")
    assert call("report", tmp_path / "runs", "--out", tmp_path / "report") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_damaged_result_is_named(by_hand, tmp_path, capsys):
    next(by_hand.glob(f"*/{RESULT}")).write_text("{")
    assert call("report", by_hand, "--out", tmp_path / "report") == 2
    assert "is damaged" in capsys.readouterr().err


def test_images_are_drawn_once_however_many_ask_at_once(tmp_path):
    """Four processes start together on an empty cache; the first one draws, and the others read what it wrote."""
    (tmp_path / "code.py").write_text("drawn")
    code = (
        "import os, sys, time, numpy as np; from drumhead.tasks.cache import kept\n"
        "def draw():\n"
        f"    open({str(tmp_path / 'calls')!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(2)\n"
        "    return [np.arange(6)]\n"
        "sys.stdin.readline()\n"
        f"(found,) = kept(['six'], draw, {str(tmp_path / 'code.py')!r})\n"
        "print(found.sum(), isinstance(found.base, np.memmap))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True) for _ in range(4)
    ]  # fmt: skip
    said = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        said.append(process.communicate(timeout=120)[0].split())
        assert process.returncode == 0
    assert {words[0] for words in said} == {"15"}
    calls = (tmp_path / "calls").read_text().split()
    assert len(calls) == 1
    assert sum(words[1] == "True" for words in said) == 3
    assert [path.suffix for path in (tmp_path / "cache" / "drumhead" / "tasks").iterdir()] == [".npy"]


def test_reproduce_works_with_the_same_workers(tmp_path, capfd):
    arguments = ("reproduce", "tetrominoes", "--models", "unet-2", "unet-3", "--runs", tmp_path / "runs", "--no-report")
    assert call(*arguments, "--jobs", 2) == 0
    said = capfd.readouterr().out
    assert "[1/2] tetrominoes/unet-2, budget smoke, seed 0: done" in said
    assert "[2/2] tetrominoes/unet-3, budget smoke, seed 0: done" in said
    assert len(list(Path(tmp_path / "runs").rglob(RESULT))) == 2
    assert call(*arguments, "--jobs", 2) == 0
    assert capfd.readouterr().out.count("done already") == 2
