"""The benchmark measures equal things, fairly, and keeps what it measured. Nothing here depends on how fast it is."""

import contextlib
import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import drumhead as dh
from drumhead import engine
from drumhead.bench import contenders, machine, measure, memory, report
from drumhead.bench.compare import compare, verdict
from drumhead.bench.loop import Published
from drumhead.bench.plan import SECTIONS, TASKS, WARMUPS, Plan
from drumhead.bench.run import place
from drumhead.settings.presets import get_preset
from test_cli import call


def gradients(network, images, labels):
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [(12, 12), (5, 9)])
def test_published_loop_is_the_same_network(task, size):
    model = dh.build(TASKS[task].network)
    published = Published(model)
    config = model.config
    images, labels = torch.rand(2, config.image_channels, *size), torch.randint(config.classes, (2, *size))
    torch.testing.assert_close(published(images), model(images), atol=1e-5, rtol=1e-5)
    ours = gradients(model, images, labels)
    theirs = gradients(published, images, labels)
    assert len(ours) == len(list(model.parameters()))
    for name, gradient in ours.items():
        torch.testing.assert_close(theirs[f"model.{name}"], gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "message"), [("nwm-fast", "encoder='stem'|readout|coupling"), ("lstm-linear", "lstm")]
)
def test_published_loop_refuses_other_networks(name, message):
    with pytest.raises(dh.DrumheadError, match=message):
        Published(dh.build(f"tetrominoes/{name}"))


def test_contenders_take_turns():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    samples = measure.interleave(calls, images=2, rounds=4, least_seconds=0.0)
    assert "".join(order) == "a" * WARMUPS + "b" * WARMUPS + "c" * WARMUPS + "abc" + "bca" + "cab" + "abc"
    assert all(len(sample.wall) == len(sample.cpu) == len(sample.others) == 4 for sample in samples.values())
    assert measure.interleave({}, images=1, rounds=2, least_seconds=0.0) == {}


def test_short_calls_are_repeated_and_counted_per_image(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(measure.time, "process_time", lambda: 2 * clock[0])

    def work():
        clock[0] += 0.125

    sample = measure.interleave({"work": work}, images=5, rounds=3, least_seconds=1.0)["work"]
    assert sample.calls == 8
    assert sample.wall == [0.025] * 3
    assert sample.cpu == [0.05] * 3


def test_ratios_are_taken_within_rounds():
    base, other = [1.0, 4.0, 2.0], [0.5, 2.0, 1.0]  # the machine was slow in the second round
    assert measure.ratio(base, other) == {"median": 2.0, "low": 2.0, "high": 2.0}
    assert measure.spread([1, 2, 3, 4, 5]) == {"median": 3.0, "low": 2.0, "high": 4.0}
    assert measure.slope([50, 100, 200], [8, 13, 23]) == pytest.approx(0.1)
    assert measure.slope([50], [8]) is None


def test_contenders_share_parameters_images_and_answers():
    case = contenders.Case("tetrominoes", side=32, batch=2, steps=5)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    made = contenders.assemble(["published", "eager", "unet", "unet-bf16"], case)
    torch.testing.assert_close(torch.get_rng_state(), state)
    assert made["published"].model.model is made["eager"].model
    assert contenders.deviations(made)["eager"] < 1e-5
    torch.testing.assert_close(made["unet"].infer(), made["unet-bf16"].infer().float(), atol=0.1, rtol=0.1)
    for contender in made.values():
        contender.train()
        assert contender.model.training
        assert all(p.grad is not None for p in contender.model.parameters())


def test_a_missing_engine_is_a_reason_and_another_is_used(monkeypatch):
    chosen = []

    @contextlib.contextmanager
    def using(backend):
        if backend == "native":
            raise dh.DrumheadError("no C compiler")
        chosen.append(backend)
        yield

    monkeypatch.setattr(engine, "using", using)
    reasons = contenders.missing(["eager", "native", "native-bf16"], "tetrominoes")
    assert reasons == {"native": "no C compiler", "native-bf16": "no C compiler"}
    assert set(chosen) == {"eager"}


def test_memory_is_measured_in_a_process_of_its_own():
    ballast = bytearray(300_000_000)  # would hide the child's peak from ru_maxrss
    case = contenders.Case("tetrominoes", side=32, batch=4, steps=100)
    size = memory.growth("published", "train", case, threads=1)
    del ballast
    states = 4 * case.steps * case.batch * 2 * case.side**2
    assert 3 * states < size < 60 * states
    with pytest.raises(dh.DrumheadError, match=r"process ended with 1: .*contender='nobody' is not known"):
        memory.growth("nobody", "train", case, threads=1)


def test_quick_run_end_to_end(tmp_path, capsys):
    words = ["tetrominoes", "published", "eager", "unet"]
    assert call("bench", "--quick", "--only", *words, "--out", tmp_path / "new") == 0
    shown = capsys.readouterr().out
    assert "training step" in shown
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"bench.json", "bench.md", "speed.png", "growth.png"}
    results = report.read(tmp_path / "new")
    assert set(SECTIONS) <= set(results)
    assert results["command"].startswith("drumhead bench --quick --only tetrominoes")
    assert {row["contender"] for row in results["speed"]} == {"published", "eager", "unet"}
    assert all(len(row["wall_samples_s"]) == 2 for row in results["speed"] + results["side"])
    assert results["machine"]["threads"] == torch.get_num_threads()
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert (tmp_path / "new" / "bench.md").read_text() == report.markdown(results)
    for name in ("speed", "growth"):
        with Image.open(tmp_path / "new" / f"{name}.png") as picture:
            assert picture.width > 600
    assert call("bench", "--out", tmp_path / "new") == 2
    assert "holds a benchmark already" in capsys.readouterr().err

    again = ["--quick", "--only", "speed", *words, "--rounds", 3, "--out", tmp_path / "again"]
    assert call("bench", *again, "--compare", tmp_path / "new" / "bench.json") == 0
    assert "against new" in capsys.readouterr().out
    assert "tetrominoes inference eager, CPU" in (tmp_path / "again" / "compare.md").read_text()
    assert call("bench", "--compare", tmp_path / "new", tmp_path / "again") == 0


def row(median, low, high, **about):
    times = {"median": median, "low": low, "high": high}
    about = {"task": "t", "mode": "infer", "contender": "eager", "side": 8, "batch": 2, "steps": 4, **about}
    return {**about, "wall_s": times, "cpu_s": times, "others_cores": [0.0]}


def test_compare_tells_changes_from_noise():
    facts = dict.fromkeys(machine.SAME, 1)
    old = {"date": "2001-01-01", "machine": facts, "speed": [row(1.0, 0.9, 1.1), row(1, 1, 1, contender="unet")]}
    new = {"date": "2002-01-01", "machine": {**facts, "cores": 8}, "speed": [row(0.5, 0.45, 0.55)]}
    table, warnings = compare(old, new)
    assert [cells[-2:] for cells in table.rows] == [("0.50", "faster")] * 2
    assert warnings[0] == "the machines differ in cores: 1 before, 8 now"
    assert warnings[1].startswith("1 measurements are in one of the two only")
    assert verdict(row(1.0, 0.8, 1.2)["wall_s"], row(1.3, 1.2, 1.4)["wall_s"]) == "within the spreads"
    assert verdict(row(1.0, 0.9, 1.1)["wall_s"], row(1.5, 1.4, 1.6)["wall_s"]) == "slower"


def test_a_busy_machine_is_reported():
    assert report.disturbed({"speed": [row(1, 1, 1)]}) is None
    busy = {**row(1, 1, 1), "others_cores": [0.0, 1.25, None]}
    assert report.disturbed({"side": [busy]}).startswith("1 of 2 samples were taken while other processes")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "old.json does not exist; a bench.json"),
        ("no json", "old.json is not JSON"),
        (b"\xff\xfe\x00", "old.json is not JSON"),
        ("[]", "is not a benchmark of drumhead"),
        ('{"schema": 1}', "is not a benchmark of drumhead"),
        ("[" * 100_000, "old.json is not JSON: it is nested too deeply"),
        ('{"format": "drumhead-bench", "schema": 1}', "old.json is damaged (KeyError('machine'))"),
        ('{"format": "drumhead-bench", "schema": 1, "machine": {}, "date": "", "speed": [[]]}', "old.json is damaged"),
        ('{"format": "drumhead-bench", "schema": 99}', "has schema 99, this version of drumhead reads 1"),
    ],
)
def test_unreadable_results_are_refused_before_the_work(content, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "old.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert call("bench", "--compare", "old.json") == 2
    assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {"old.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "speed", "tetris"], "--only tetris: not known; choose among speed, memory"),
        (["--rounds", "-1"], "--rounds -1: at least 1"),
        (["--compare", "a", "b", "c"], "--compare: got 3 files"),
    ],
)
def test_mistakes(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("bench", *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_each_day_and_processor_has_a_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = place(None, quick=False)
    (first / report.JSON).write_text("{}")
    second = place(None, quick=False)
    assert second.name == f"{first.name}-2"
    assert first.parent.as_posix() == "benchmarks/results"


def test_plan_takes_words_of_any_kind():
    plan = Plan(only=("memory", "native"))
    assert plan.chosen(SECTIONS) == ["memory"]
    assert plan.chosen(TASKS) == list(TASKS)
    assert replace(plan, quick=True).samples == 2
    assert get_preset(TASKS["tetrominoes"].network).model.waves[0].steps == plan.steps
