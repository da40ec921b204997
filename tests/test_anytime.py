"""Answers before the end, and stopping when sure: against the same network run from the start."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import drumhead as dh
from conftest import call
from drumhead.learn import confidence as trust
from drumhead.learn.confidence import Confidence
from drumhead.learn.data import Split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.over_time import over_time
from drumhead.learn.train import start
from drumhead.networks.anytime import sureness
from drumhead.networks.tiles import tiles_of
from drumhead.physics.records import Until
from drumhead.settings.config import TrainConfig
from drumhead.settings.presets import get_preset

WAVES = dh.Waves(channels=3, steps=9)
NETWORKS = {
    **{
        kind: dh.NWM(waves=(WAVES,), readout=kind, head=(8,), width=4, classes=3)
        for kind in ("linear", "last", "mean", "max")
    },
    "absorbing": dh.NWM(waves=(dh.Waves(steps=9, boundary="absorbing"),), head=(8,), classes=3),
    "verlet": dh.NWM(waves=(dh.Waves(steps=9, dt=0.4, integrator="verlet"),), head=(8,), classes=3),
    "gru": dh.Recurrent(cell="gru", steps=9, head=(8,), classes=3),
    "lstm": dh.Recurrent(cell="lstm", steps=9, readout="max", head=(8,), classes=3),
    "stack": dh.Stack(classes=3, waves=(dh.Layer(steps=4), dh.Layer(steps=9, stride=8, velocity="image"))),
}


def shortened(model, steps):
    """Return the logits of the network after fewer steps, by its own parts and from the start."""
    images = torch.linspace(0, 1, 4 * 3 * 15 * 13).view(4, 3, 15, 13)
    start, features = model.encode(images)
    series = model.run(start, dh.All(), model.steps)[:, :steps]
    readout = model.readout
    kept = dh.Project(readout.time_map[:, :steps]) if readout.kind == "linear" else readout.record()
    return images, model.finish(kept.of(series), features, images.shape[-2:])


@pytest.mark.parametrize("name", NETWORKS)
def test_an_early_answer_is_that_of_a_shorter_series(name):
    torch.manual_seed(3)
    model = dh.build(NETWORKS[name]).eval()
    with torch.no_grad():
        images, wanted = shortened(model, 5)
        course = model.time_course(images, (9, 5, 1))
        assert course.shape == (3, 4, 3, 15, 13)
        torch.testing.assert_close(course[1], wanted, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(course[2], model(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_stopping_early_says_what_the_time_course_said_then(name):
    torch.manual_seed(3)
    model, images = dh.build(NETWORKS[name]).eval(), torch.rand(6, 3, 15, 13)
    course = model.time_course(images, (2, 5, 9))
    sure = torch.stack([sureness(logits) for logits in course])
    between = sure[0].sort().values[2:4].mean()  # some are sure at once, others are not
    labels, steps, confidence = model.early(images, float(between), (2, 5))
    assert 2 in steps
    assert steps.max() > 2
    for i in range(6):
        when = next((k for k in range(2) if sure[k, i] >= between), 2)
        assert steps[i] == (2, 5, 9)[when]
        torch.testing.assert_close(confidence[i], sure[when, i])
        assert torch.equal(labels[i], course[when, i].argmax(0))
    labels, steps, _ = model.early(images, confidence=1)
    assert steps.tolist() == [9] * 6
    assert torch.equal(labels, model.segment(images))
    assert model.early(images, confidence=0).steps.tolist() == [2] * 6


def test_what_answers_only_at_its_end_says_so():
    images = torch.rand(1, 3, 16, 16)
    closed = dh.build(dh.Stack(classes=3, waves=(dh.Modes(),)))
    spectrum = dh.build(dh.NWM(waves=(WAVES,), readout="fft", head=(8,)))
    for model in (closed, spectrum):
        with pytest.raises(dh.DrumheadError, match="answers at its end alone"):
            model.time_course(images, (2,))
    for model in (closed, spectrum):
        assert model.early(images).steps.tolist() == [model.steps]
        torch.testing.assert_close(model.time_course(images, [model.steps])[0], model.eval()(images))
    for confidence in (float("nan"), 2, -1, "a", None, True):
        with pytest.raises(dh.DrumheadError, match="a number from 0"):
            spectrum.early(images, confidence)
    for steps in ([1.5], 3, None, ["a"]):
        with pytest.raises(dh.DrumheadError, match="steps"):
            dh.build(NETWORKS["max"]).time_course(images, steps)
        with pytest.raises(dh.DrumheadError, match="steps"):
            dh.build(NETWORKS["max"]).early(images, steps=steps)
    for steps in ((), (0,), (10,)):
        with pytest.raises(dh.DrumheadError, match="9 steps has no answer after"):
            dh.build(NETWORKS["max"]).time_course(images, steps)


def test_until_keeps_of_the_first_steps():
    y0, kernel = torch.rand(1, 2, 5, 5), dh.laplacian(2)
    series = dh.propagate(y0, 1.0, 0.1, kernel, steps=7, dt=0.3)
    for record in (dh.Max(), dh.Mean(), dh.Last(), dh.Project(torch.rand(2, 4))):
        for backend in ("auto", "eager"):
            kept = dh.propagate(y0, 1.0, 0.1, kernel, steps=7, dt=0.3, record=Until(record, 4), backend=backend)
            torch.testing.assert_close(kept, record.of(series[:, :4]))
    with pytest.raises(dh.DrumheadError, match="1 to 7 steps are possible"):
        dh.propagate(y0, 1.0, 0.1, kernel, steps=7, dt=0.3, record=Until(dh.Max(), 8))


def test_a_batch_can_be_answered_early_and_the_whole_stays_as_it_is():
    for name in ("linear", "gru", "stack"):
        model, images = dh.build(NETWORKS[name]).eval(), torch.rand(2, 3, 15, 13)
        course = model.time_course(images, (4, 9))
        torch.testing.assert_close(model(images, steps=4), course[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model(images, steps=9), model(images))
        at = torch.tensor([[0, 7], [3, 100]])
        picked = course[0].flatten(2).gather(2, at[:, None].expand(-1, 3, -1))
        torch.testing.assert_close(model(images, at, steps=4)[..., 0], picked, atol=1e-5, rtol=1e-4)


def test_training_early_is_told_by_seed_and_batch(tmp_path):
    split = Split(np.zeros((4, 8, 8, 1), np.uint8), np.zeros((4, 8, 8), np.uint8), torch.device("cpu"))
    train = TrainConfig(early=0.5, seed=3)
    drawn = [split.steps(train, epoch, batch, 6) for epoch in range(10) for batch in range(20)]
    assert drawn == [split.steps(train, epoch, batch, 6) for epoch in range(10) for batch in range(20)]
    assert {*drawn} == {None, 1, 2, 3, 4, 5, 6}
    assert 70 < drawn.count(None) < 130
    assert split.steps(TrainConfig(), 0, 0, 6) is None
    for preset in ("tetrominoes/unet-2", "tetrominoes/nwm-fft", "tetrominoes/nwm-modes"):
        config = replace(get_preset(preset), train=TrainConfig(epochs=1, early=0.5, limit=8, batch=2))
        with pytest.raises(dh.DrumheadError, match="answers at its end alone"):
            start(config, tmp_path / preset.replace("/", "-"))


# How far confidence can be trusted


def test_confidence_is_what_torchmetrics_says():
    from torchmetrics.functional.classification import binary_auroc, binary_calibration_error

    random = np.random.default_rng(0)
    p = random.beta(4, 1, 20_000).round(3)
    right = random.random(20_000) < p**1.5
    metric = Confidence()
    for part in np.array_split(np.arange(20_000), 7):
        metric.update(torch.from_numpy(p[part]), torch.from_numpy(right[part]))
    found, p, right = metric.compute(), torch.from_numpy(p), torch.from_numpy(right).long()
    assert found["auroc"] == pytest.approx(float(binary_auroc(p, right)), abs=1e-3)
    assert found["calibration_error"] == pytest.approx(float(binary_calibration_error(p, right, n_bins=15)), abs=2e-3)
    order = p.argsort(descending=True)
    for share, accuracy in found["selective"].items():
        count = round(float(share) * 20_000)
        assert accuracy == pytest.approx(float(right[order[:count]].double().mean()), abs=5e-3)
    nothing = Confidence()
    nothing.update(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    assert np.isnan(nothing.compute()["calibration_error"])
    assert found["selective"]["1"] == pytest.approx(float(right.double().mean()), abs=1e-12)


@pytest.mark.parametrize("name", ["tetrominoes/nwm-stack", "tetrominoes/cnn-2"])
def test_confidence_of_large_images_is_measured_tile_by_tile(name, rng, monkeypatch):
    model = dh.build(name)
    images = rng.integers(0, 256, (2, 160, 96, 3), dtype=np.uint8)
    masks = rng.integers(0, 6, (2, 160, 96))
    split = Split(images, masks, torch.device("cpu"))
    whole, shapes, given = trust.confidence(model, split, 2), [], trust._confidences

    def watched(model, images, early):
        shapes.append(tuple(images.shape[-2:]))
        return given(model, images, early)

    monkeypatch.setattr(trust, "_confidences", watched)
    apart = trust.confidence(model, split, 2, tiles_of(64))
    assert set(shapes) == {(64, 64)}
    assert [*apart] == [*whole] == (["softmax", "settled"] if name.endswith("stack") else ["softmax"])
    for kind, by_place in whole.items():
        for where, scores in by_place.items():
            assert apart[kind][where]["calibration_error"] == pytest.approx(scores["calibration_error"], abs=0.02)
    if name.endswith("cnn-2"):  # its reach is within a tile's margin
        assert apart["softmax"]["pixels"]["auroc"] == pytest.approx(whole["softmax"]["pixels"]["auroc"], abs=1e-6)


@pytest.mark.parametrize("look", [
    lambda model, split: evaluate(model, split, 3), lambda model, split: trust.confidence(model, split, 2),
    lambda model, split: over_time(model, split, 3, 2),
])  # fmt: skip
def test_looking_leaves_each_part_in_its_mode(look):
    model = dh.build(NETWORKS["stack"]).train()
    model.fine.eval()
    blank = np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 16, 16), np.uint8)
    before = {name: value.clone() for name, value in model.named_buffers()}
    look(model, Split(*blank, torch.device("cpu")))
    assert (model.training, model.fine.training, model.fine[1].training, model.stem.training) == (1, 0, 0, 1)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_confidence_that_is_no_number_counts_as_none():
    found = Confidence()
    found.update(torch.tensor([math.nan, 1.0, 1.0, 0.5]), torch.tensor([False, True, True, True]))
    assert found.compute()["selective"]["0.5"] == 1
    assert found.compute()["calibration"][0] == {"confidence": 0, "accuracy": 0, "share": 0.25}


def test_images_that_are_never_sure_take_all_steps_and_those_that_are_stop_at_the_first_look():
    model = dh.build(NETWORKS["stack"]).eval()
    images, masks = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8), np.zeros((3, 16, 16), np.uint8)
    split = Split(images, masks, torch.device("cpu"))
    last = model.head[-1]
    for loud, steps, before in ((0.0, 9, 0), (1.0, 2, 1)):  # a quarter of nine steps is 2
        last.weight.data.zero_()
        last.bias.data = loud * torch.tensor([100.0, 0, 0])
        for row in over_time(model, split, 3, 2)["early"]:
            assert (row["mean_steps"], row["before_the_end"]) == (steps, before)


def test_evaluate_shows_time_course_and_confidence(tmp_path, capsys):
    out = tmp_path / "numbers.json"
    words = ["evaluate", "tetrominoes-fast", "--limit", "3", "--over-time", "--confidence", "--json-out", str(out)]
    assert call(*words) == 0
    numbers = json.loads(out.read_text())
    steps = numbers["over_time"]["steps"]
    assert steps[-1]["steps"] == 20
    assert steps[-1]["foreground_accuracy"] == pytest.approx(numbers["foreground_accuracy"], abs=1e-6)
    assert [row["confidence"] for row in numbers["over_time"]["early"]] == [0.8, 0.9, 0.95, 0.98, 0.99]
    assert 0 <= numbers["confidence"]["softmax"]["objects"]["calibration_error"] <= 1
    for name in ("over-time-numbers.png", "confidence-numbers.png"):
        assert (tmp_path / name).stat().st_size > 10_000
    assert call("evaluate", "tetrominoes", "--limit", "2", "--over-time", "--tile", "64") == 2
    assert "answered in tiles, which would stop one by one; leave out --tile" in capsys.readouterr().err
    dh.save(dh.build("tetrominoes/unet-2"), tmp_path / "u.safetensors", task="tetrominoes")
    assert call(*["evaluate", str(tmp_path / "u.safetensors"), "--limit", "2", "--over-time"]) == 2
    assert "has no time course" in capsys.readouterr().err
    assert call(*["evaluate", str(tmp_path / "u.safetensors"), "--limit", "2", "--confidence"]) == 0
