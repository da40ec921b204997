"""Training that begins with weights: those of another run, a file or a shipped network."""

import shutil
from dataclasses import replace

import pytest
import torch

import drumhead as dh
from drumhead.learn import train, training
from drumhead.show.terminal import Progress
from test_learn import StopAfter, same, tiny, weights


class Notes(Progress):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return train.start(tiny(epochs=1), tmp_path_factory.mktemp("runs") / "source").path


def begun(config, source, **settings):
    return replace(config, train=replace(config.train, weights=str(source), **settings))


@pytest.mark.parametrize("where", ["", "weights.safetensors"])
def test_the_first_step_is_from_those_weights(source, where, tmp_path, monkeypatch):
    first = []
    step = training.Training._step

    def look(self, *batch):
        first.append({key: value.clone() for key, value in self.module.state_dict().items()})
        return step(self, *batch)

    monkeypatch.setattr(training.Training, "_step", look)
    notes = Notes()
    run = train.start(begun(tiny(epochs=1), source / where), tmp_path / "run", notes)
    wanted = dh.load(source).state_dict()
    assert same(first[0], wanted)
    assert any(f"beginning with {len(wanted)} of {len(wanted)} tensors" in note for note in notes.notes)
    assert run.config.train.weights == str(source / where)


def test_what_does_not_fit_is_drawn_anew(source, tmp_path):
    notes, config = Notes(), begun(tiny(epochs=1), source)
    config = replace(config, model=config.model.changed(head=(16, 16)))
    run = train.start(config, tmp_path / "run", notes)
    (note,) = [note for note in notes.notes if "beginning" in note]
    assert "the others are drawn anew: head" in note
    assert dh.load(run.path).config == config.model


def test_a_run_goes_on_where_it_was_when_its_source_is_gone(source, tmp_path, monkeypatch):
    shutil.copytree(source, tmp_path / "source")
    config = begun(tiny(epochs=2), tmp_path / "source")
    whole = train.start(config, tmp_path / "whole")
    monkeypatch.setattr(training, "LOOK_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        train.start(config, tmp_path / "parts", StopAfter(2))
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "source")
    parts = train.resume(tmp_path / "parts")
    assert all(same(a, b) for a, b in zip(weights(whole), weights(parts), strict=True))


def test_a_relative_path_is_kept_as_it_is(source, tmp_path, monkeypatch):
    monkeypatch.chdir(source.parent)
    run = train.start(begun(tiny(epochs=1), source.name), tmp_path / "run")
    assert run.config.train.weights == source.name  # as it was given: a sweep compares settings


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", "train.weights=mnist: no convolution of that stack has the sizes of one of this nwm"),
        ("nothing/here", "no weights at 'nothing/here'"),
    ],
)
def test_weights_that_cannot_be_begun_with_leave_no_run(name, message, tmp_path):
    with pytest.raises(dh.DrumheadError, match=message):
        train.start(begun(tiny(), name), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_rounds_begin_with_the_weights_of_fewer():
    few = dh.build("wires/nwm-rounds")
    many = dh.build(replace(few.config, rounds=12, taught=6))
    many.load_state_dict(few.state_dict())
    x = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(many.eval()(x), few.eval().in_rounds(12)(x))
