"""A training that breaks: it stops in that step, says where, and nothing that is not finite is kept."""

import math
from dataclasses import replace

import pytest
import torch

import drumhead as dh
from drumhead.learn import diverged, train, training
from drumhead.learn.guard import Copy
from drumhead.learn.run import Run
from drumhead.settings.config import TrainConfig
from drumhead.settings.presets import get_preset
from test_learn import same, tiny, weights


def small(preset, epochs=2, limit=8, model=None, **settings):
    config = get_preset(preset)
    schedule = {"epochs": epochs, "batch": 4, "limit": limit, "epoch_images": 0} | settings
    return replace(config, model=config.model.changed(**model or {}), train=replace(config.train, **schedule))


def finite(run):
    """Say whether whatever a run keeps is finite and can be loaded."""
    kept = [read for read in weights(run) if read]
    dh.load(run.path)
    return all(tensor.isfinite().all() for tensors in kept for tensor in tensors.values())


@pytest.fixture
def break_at(monkeypatch):
    """Let a training do something before a step, counted from 0, and return the states before each step."""
    before, step = [], training.Training._step

    def arrange(when, act, again=True):
        def broken(self, *batch):
            number = self.at.epoch * self.batches + self.at.batch
            if number == when and (again or len(before) == when):
                act(self.module)
            else:
                before.append({name: value.clone() for name, value in self.module.state_dict().items()})
            arrange.training = self
            return step(self, *batch)

        monkeypatch.setattr(training.Training, "_step", broken)
        return before

    yield arrange
    monkeypatch.undo()


def of_no_number(name):
    return lambda module: module.get_parameter(name).data.view(-1)[:1].fill_(math.nan)


def without_gradient(name):
    def act(module):
        def spoil(gradient):
            hook.remove()
            return gradient * math.nan

        hook = module.get_parameter(name).register_hook(spoil)

    return act


@pytest.mark.parametrize("looks_at_each", [True, False])
@pytest.mark.parametrize(
    ("act", "message"),
    [
        (of_no_number("head.layers.0.weight"), "loss is not a number .*: the weights head.layers.0.weight are not"),
        (without_gradient("encoder.medium.weight"), "gradient is not finite .* gradient of encoder.medium.weight is"),
    ],
)
def test_a_broken_run_keeps_what_is_good_and_goes_on(act, message, looks_at_each, break_at, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_looks_at_each", lambda device: looks_at_each)
    config = tiny(epochs=3, limit=32)  # four batches an epoch
    before = break_at(6, act)
    with pytest.raises(dh.DrumheadError, match=rf"{message}") as error:
        train.start(config, tmp_path / "run")
    said = str(error.value)
    assert "(epoch 2, batch 3 of 4, learning rate 0.0" in said
    assert "courant" in said
    assert f"{tmp_path / 'run'} keeps the weights of epoch 1 and its last checkpoint" in said
    now = break_at.training.module.state_dict()
    last = dict(before[5])  # before the step that was the last good one
    assert not same(last, now)
    assert all(now[name].isfinite().all() for name in now if name != "head.layers.0.weight")
    monkeypatch.undo()
    run = Run(tmp_path / "run")
    assert finite(run)
    assert [row["epoch"] for row in run.rows()] == [1]
    train.resume(run.path)
    whole = train.start(config, tmp_path / "whole")
    assert all(same(a, b) for a, b in zip(weights(whole), weights(run), strict=True))


@pytest.mark.parametrize("looks_at_each", [True, False])
def test_the_weights_are_those_of_the_last_good_step(looks_at_each, break_at, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_looks_at_each", lambda device: looks_at_each)
    monkeypatch.setattr(training, "LOOK_EVERY", 5)
    config = tiny(epochs=1, limit=160)  # twenty batches
    break_at(13, without_gradient("kernel"))
    with pytest.raises(dh.DrumheadError, match=r"batch 14 of 20"):
        train.start(config, tmp_path / "run")
    broken = {name: value.clone() for name, value in break_at.training.module.state_dict().items()}
    monkeypatch.undo()
    assert not (tmp_path / "run" / "last.ckpt").exists()
    before = break_at(-1, None)
    before.clear()
    train.start(config, tmp_path / "whole")
    assert same(before[13], broken)


def test_looking_rarely_gives_the_same_bits(break_at, tmp_path, monkeypatch):
    """A GPU goes back to its last look; what broke once, and does not break again, is as if it had not been."""
    config = tiny(epochs=2, limit=96)  # twelve batches an epoch, with a look after ten and at its end
    again = {3: 10, 11: 2, 16: 10}  # steps that are taken twice
    whole = train.start(config, tmp_path / "whole")
    monkeypatch.setattr(training, "_looks_at_each", lambda device: False)
    for when in (-1, 3, 11, 16):  # of 24: never, before the first look, after it, in the next epoch
        taken = break_at(when, without_gradient("head.layers.0.bias"), again=False)
        taken.clear()
        run = train.start(config, tmp_path / str(when))
        assert all(same(a, b) for a, b in zip(weights(whole), weights(run), strict=True)), when
        assert [row["train_loss"] for row in whole.rows()] == [row["train_loss"] for row in run.rows()]
        assert len(taken) == (24 if when < 0 else 23 + again[when])


def test_steps_of_networks_in_rounds_are_taken_once_more_with_as_many_rounds(break_at, tmp_path, monkeypatch):
    waves = (dh.Layer(channels=2, steps=2, bins=2),)
    model = {"waves": waves, "fine": 4, "width": 8, "rounds": 4, "fewest": 2, "late": 0.5, "taught": 0}
    config = small("wires/nwm-rounds", epochs=1, limit=24, model=model, validation_images=4)  # six batches
    whole = train.start(config, tmp_path / "whole")
    monkeypatch.setattr(training, "_looks_at_each", lambda device: False)
    taken = break_at(3, without_gradient("head.0.bias"), again=False)
    run = train.start(config, tmp_path / "run")
    assert len(taken) == 5 + 6
    assert all(same(a, b) for a, b in zip(weights(whole), weights(run), strict=True))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            small("tetrominoes/nwm-linear", model={"nonlinearity": "linear", "dt": 3.0}),
            r"batch 1 of 2, .*: the waves are not finite from step \d+ of 100 on; the largest courant is \d\.\d+, of "
            r"the waves: above 1 .* with a smaller --model\.dt \(0\.\d+ here\), a lower --train\.lr \(0\.00033\) or "
            r"--train\.clip 1: .* holds no weights yet",
        ),
        (
            small("tetrominoes/nwm-stack", model={"nonlinearity": "linear", "dt": 4.0, "courant": 0.0, "steps": 100}),
            r"the waves of layers\.0 are not finite from step \d+ of 100 on; the largest courant is \d\.\d+, of the "
            r"waves of layers\.0: above 1 .*--model\.courant 0\.9, .* or a lower --train\.clip \(0\.33\)",
        ),
        (small("tetrominoes/nwm-last", model={"steps": 4}, lr=1e9), r"the layer encoder\.\S+ \(Conv2d\) gives is not"),
        (small("tetrominoes/nwm-stack", lr=1e12), r"the layer \S+ \(\S+\) gives is not .*, which is stable"),
        (small("tetrominoes/unet-2", lr=1e6), r"after an epoch the loss on validation images is [\d.]+e\+\d\d "),
        (small("tetrominoes/cnn-4", lr=1e6), r"the gradient of layers\.8\.bias is the largest, up to \S+e\+\d\d\. "),
    ],
    ids=lambda value: value.preset if not isinstance(value, str) else "",
)
def test_a_real_divergence_names_its_layer(config, message, tmp_path):
    with pytest.raises(dh.DrumheadError, match=message):
        train.start(config, tmp_path / "run")
    run = Run(tmp_path / "run")
    assert not run.weights.exists()
    assert not run.rows()
    replaced = small("tetrominoes/cnn-2", epochs=1)
    assert train.start(replaced, run.path).config == replaced  # there was nothing to keep


def test_a_loss_that_is_no_number_on_validation_images_is_not_kept(break_at, tmp_path):
    def lose(module):
        module.head.norm.running_var.fill_(math.nan)

    break_at(3, lose)
    with pytest.raises(dh.DrumheadError, match=r"on validation images .*: what the layer head.norm \(BatchNorm2d\)"):
        train.start(tiny(epochs=2), tmp_path / "run")
    run = Run(tmp_path / "run")
    assert finite(run)
    assert [row["epoch"] for row in run.rows()] == [1]


def test_with_early_answers_the_same_way_is_gone_again(break_at, tmp_path):
    break_at(1, of_no_number("readout.time_map"))
    with pytest.raises(dh.DrumheadError, match=r"the weights readout\.time_map are not finite"):
        train.start(tiny(early=0.9), tmp_path / "run")


@pytest.mark.parametrize("name", ["tetrominoes/nwm-fast", "tetrominoes/nwm-stack", "tetrominoes/lstm-last"])
@pytest.mark.parametrize("training", [True, False])
def test_a_sound_network_has_no_culprit(name, training):
    model = dh.build(name).train(training)
    images = torch.rand(2, 3, 32, 32)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert diverged.culprit(model, images) is None
    assert same(before, model.state_dict())
    assert not any(part._forward_hooks for part in model.modules())
    diverged.courants(model, images)
    assert same(before, model.state_dict())
    found = diverged.courants(model.eval(), images)
    whole = model.courant(images)
    assert max(found.values()) == pytest.approx(whole) if whole else not found


def test_which_field_of_the_waves_broke_is_said():
    model = dh.build("tetrominoes/nwm-fast").eval()
    images = torch.rand(2, 3, 32, 32)
    model.encoder.omega_largest = math.inf
    assert diverged.culprit(model, images) == "omega of the waves is not finite"
    assert math.isnan(diverged.courants(model, images)["the waves"])
    assert "no courant of the waves, whose medium" in diverged.stable(diverged.courants(model, images))


def test_a_copy_is_of_its_moment():
    weight = torch.nn.Parameter(torch.ones(3))
    copy = Copy([weight])
    weight.data.fill_(2)
    copy.take()
    weight.data.fill_(math.nan)
    copy.give_back()
    assert weight.tolist() == [2, 2, 2]
    assert weight.requires_grad


def test_guessing_and_worse_is_no_divergence():
    assert not diverged.exploded(math.log(6), 6)
    assert not diverged.exploded(1e3, 6)  # an unlucky epoch at a large learning rate
    assert diverged.exploded(1e6, 6)
    assert TrainConfig().clip == 0
