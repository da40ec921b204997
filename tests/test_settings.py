"""Settings: each family has its own, others are refused everywhere, and nothing is lost in files, old ones included."""

import copy
import json
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import drumhead as dh
from drumhead import cli
from drumhead.networks import media
from drumhead.networks.timed import Timed
from drumhead.networks.weights import read_safetensors
from drumhead.reproduce.tables import TABLES
from drumhead.settings.config import FAMILIES, ModelConfig, RunConfig
from drumhead.settings.presets import PRESETS, get_preset
from drumhead.settings.text import from_dict, read_run, to_dict, to_toml

RESULTS = Path(__file__).parent.parent / "docs" / "results"
OLD = sorted(path for path in RESULTS.rglob("config.toml") if "[[model.waves]]" not in path.read_text())
EXAMPLES = ("nwm-fast", "lstm-linear", "gru-fft", "rnn-max", "cnn-2", "resnet-8", "unet-4")
FOREIGN = {
    "nwm": ("depth", "cell"),
    "lstm": ("dt", "coupling", "omega", "courant", "stride", "skip", "norm", "encoder", "depth", "frozen"),
    "cnn": ("steps", "boundary", "kernel_size", "readout", "bins", "dt"),
    "resnet": ("channels", "steps", "boundary", "readout", "norm"),
    "unet": ("channels", "depth", "head", "steps", "boundary", "coupling", "readout"),
}
FLAT = {
    "family": "nwm", "image_channels": 3, "classes": 6, "channels": 2, "steps": 100, "dt": 0.1, "integrator": "euler",
    "coupling": "dense", "kernel_size": 3, "boundary": "periodic", "nonlinearity": "tanh", "courant": 0.0,
    "encoder": "separate", "width": 16, "stride": 1, "readout": "linear", "bins": 0, "head": [256, 256, 256],
    "skip": False, "norm": False,
}  # fmt: skip


def refused(*arguments, capsys):
    with pytest.raises(SystemExit) as leave:
        cli.main(list(arguments))
    assert leave.value.code == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


@pytest.mark.parametrize(("family", "name"), [(family, name) for family in FOREIGN for name in FOREIGN[family]])
def test_a_setting_of_another_family_is_refused_everywhere(family, name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preset = {"nwm": "nwm-fast", "lstm": "lstm-linear", "cnn": "cnn-2", "resnet": "resnet-8", "unet": "unet-4"}[family]
    cls, config = FAMILIES[family], get_preset(f"tetrominoes/{preset}").model
    listed = f"unknown setting {name}; the settings of {cls.__name__} are image_channels, classes, start, "
    with pytest.raises(dh.DrumheadError, match=listed):
        cls(**{name: 3})
    with pytest.raises(dh.DrumheadError, match=listed):
        config.changed(**{name: 3})
    if name != "cell":  # a key of the file is the family
        with pytest.raises(dh.DrumheadError, match=f"run.model: {listed}"):
            from_dict(RunConfig, {"model": {"family": family, name: 3}}, "run")
    flag = f"--model.{name.replace('_', '-')}"
    for words in ((flag, "3"), (f"{flag}=3",), (f"--model.no-{name}",)):
        assert listed in refused("train", f"tetrominoes/{preset}", *words, capsys=capsys)
    assert not list(tmp_path.iterdir())


def test_a_unet_has_no_boundary(capsys):
    error = refused("train", "tetrominoes/unet-4", "--model.boundary", "fixed", capsys=capsys)
    assert error == (
        "drumhead: tetrominoes/unet-4: unknown setting boundary; the settings of UNet are image_channels, classes, "
        "start, width\n"
    )


@pytest.mark.parametrize(
    ("flag", "hint"),
    [("sheets", "did you mean channels?"), ("waves.channels", "did you mean channels, which is said without 'waves.'"),
     ("step", "did you mean steps?"), ("colour", "late\n")],
)  # fmt: skip
def test_a_setting_that_is_nearly_right_is_named(flag, hint, capsys):
    assert hint in refused("train", "wires/nwm-stack", f"--model.{flag}", "24", capsys=capsys)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dh.ModelConfig(), "make one of NWM, Stack, Recurrent, CNN, ResNet, UNet"),
        (lambda: dh.ModelConfig(family="lstm"), "make one of NWM"),
        (lambda: dh.NWM(steps=3), r"unknown setting steps; .* waves \(each with channels, steps, "),
        (lambda: dh.Waves(wings=3), "unknown setting wings; the settings of Waves are channels, steps"),
        (lambda: dh.NWM(waves=(dh.Waves(), dh.Waves())), "several make a Stack"),
        (lambda: dh.NWM(waves=()), "a tuple of one layer"),
        (lambda: dh.NWM(waves=dh.Waves()), "a tuple of one layer"),
        (lambda: dh.NWM().changed(waves=dh.Waves()), "a tuple of one layer"),
        (lambda: dh.NWM().changed(waves=("nwm",), steps=3), "a tuple of one layer"),
        (lambda: dh.Stack().changed(waves=dh.Layer()), "a tuple of layers is needed"),
        (lambda: dh.Stack().changed(waves=("layer",), steps=3), "a tuple of layers is needed"),
        (lambda: dh.Layer(coupling="mixed", frozen=True), "frozen=True keeps the kernel, and model.coupling='mixed'"),
        (lambda: dh.NWM().changed(readout="last", bins=5), "bins=5 does nothing beside model.readout='last'"),
        (lambda: dh.Recurrent(readout="max", bins=5), "bins=5 does nothing"),
        (lambda: dh.Waves(coupling="none", kernel_size=5), "kernel_size=5 does nothing beside model.coupling='none'"),
        (lambda: dh.Waves(coupling="none", boundary="fixed"), "boundary='fixed' does nothing"),
        (lambda: dh.Waves(coupling="none", nonlinearity="linear"), "nonlinearity='linear' does nothing"),
        (lambda: dh.Waves(kernel_size=1, boundary="fixed"), "boundary='fixed' does nothing beside model.kernel_size=1"),
        (lambda: dh.Recurrent(kernel_size=1, boundary="fixed"), "boundary='fixed' does nothing"),
        (lambda: dh.Recurrent(boundary="absorbing"), "boundary='absorbing' is not known"),
        (lambda: dh.Recurrent(kernel_size=2), "an odd size"),
        (lambda: dh.Recurrent(readout="fft", bins=12), "20 steps have 11 frequency bins"),
        (lambda: dh.Recurrent(cell="nwm"), "model.cell='nwm' is not known"),
        (lambda: dh.CNN(depth=1), "at least 2"),
        (lambda: dh.CNN(head=(0,)), "hidden widths of at least 1"),
        (lambda: dh.ResNet(depth=5), "an even number"),
        (lambda: dh.UNet(width=0), "at least 1"),
        (lambda: from_dict(ModelConfig, {"family": "gru", "cell": "lstm"}), "is not the family 'gru'"),
        (lambda: from_dict(ModelConfig, {"family": "cnm"}), "config.family='cnm' is not known"),
        (lambda: from_dict(ModelConfig, {"waves": [{}, {}]}), "several make a Stack"),
        (lambda: from_dict(ModelConfig, FLAT | {"wings": 2}), "unknown setting wings"),
    ],
)
def test_what_does_nothing_or_is_wrong_is_refused(make, message):
    with pytest.raises(dh.DrumheadError, match=message):
        make()


def test_changed_reaches_the_model_and_every_layer():
    config = dh.NWM().changed(steps=7, classes=3, boundary="fixed")
    assert config == dh.NWM(classes=3, waves=(dh.Waves(steps=7, boundary="fixed"),))
    assert config.changed(waves=(dh.Waves(),), dt=0.05).waves == (dh.Waves(dt=0.05),)
    assert [dh.Recurrent(cell=cell).family for cell in ("lstm", "gru", "rnn")] == ["lstm", "gru", "rnn"]
    assert copy.deepcopy(config) == config


@pytest.mark.parametrize("preset", [f"tetrominoes/{name}" for name in EXAMPLES])
def test_help_shows_the_settings_of_the_family_alone_and_loads_no_torch(preset):
    code = (
        "import sys, drumhead.cli as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "train", preset, "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = {word.rstrip(",") for word in done.stdout.split() if word.startswith("--model.")}
    shown = {word.removeprefix("--model.").replace("-", "_") for word in shown if not word.startswith("--model.no-")}
    assert shown == get_preset(preset).model.flat().keys()


SOME = {
    "image_channels": st.integers(1, 4), "classes": st.integers(2, 20), "channels": st.integers(1, 9),
    "steps": st.integers(1, 200), "kernel_size": st.sampled_from([3, 5]), "dt": st.floats(1e-3, 2),
    "courant": st.floats(0.1, 1), "stride": st.sampled_from([1, 2]), "width": st.integers(1, 64),
    "depth": st.sampled_from([2, 4, 6]), "head": st.lists(st.integers(1, 300), max_size=3).map(tuple),
    "bins": st.integers(0, 9), "frozen": st.booleans(), "skip": st.booleans(), "norm": st.booleans(),
}  # fmt: skip


@st.composite
def configs(draw):
    config = get_preset(f"tetrominoes/{draw(st.sampled_from(EXAMPLES))}").model
    words = {item.name: get_args(item.type) for item in (*fields(config), *fields(dh.Waves))
             if get_origin(item.type) is Literal}  # fmt: skip
    for name in draw(st.lists(st.sampled_from(sorted(config.flat())), unique=True)):
        value = draw(st.sampled_from(words[name]) if name in words else SOME[name])
        try:
            config = config.changed(**{name: value})
        except dh.DrumheadError:
            continue
    return config


@given(configs())
def test_every_family_survives_toml_and_json(model):
    run = RunConfig(model=model)
    assert from_dict(RunConfig, tomllib.loads(to_toml(run))) == run
    assert from_dict(ModelConfig, json.loads(json.dumps(to_dict(model)))) == model


def test_a_file_says_its_family_and_its_layers_of_waves():
    text = to_toml(get_preset("tetrominoes/nwm-fast"))
    assert '[model]\nfamily = "nwm"\n' in text
    assert "\n[[model.waves]]\nchannels = 8\nsteps = 20\n" in text
    assert tomllib.loads(to_toml(get_preset("tetrominoes/gru-max")))["model"]["family"] == "gru"
    read = from_dict(RunConfig, tomllib.loads('[model]\nfamily = "nwm"\n[[model.waves]]\nsteps = 5\n'))
    assert read.model == dh.NWM().changed(steps=5)


@pytest.mark.parametrize("path", OLD, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_published_runs_are_read_as_the_networks_that_they_trained(path):
    model, values = read_run(path).model, tomllib.loads(path.read_text())["model"]
    assert model.family == values["family"]
    for name, value in model.flat().items():
        if name in values and name != "bins":  # new ones are at their defaults
            assert value == (tuple(values[name]) if isinstance(value, tuple) else values[name])
    network = dh.build(model)
    if isinstance(network, Timed) and network.time_map is not None:
        assert network.time_map.shape == (values["bins"] or values["steps"] // 2 + 1, values["steps"])


def test_published_runs_are_those_of_todays_tables():
    rows = {(table.task, row.name): row for table in TABLES.values() for row in table.rows}
    found = 0
    for path in OLD:
        task, name = path.parts[-4:-2]
        if (task, name) in rows and path.is_relative_to(RESULTS / "reproduce"):
            assert read_run(path).model == rows[task, name].model(task), path
            found += 1
    assert found > 50


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, dh.NWM()),
        ({"readout": "last", "bins": 11}, dh.NWM(readout="last")),
        ({"bins": 51}, dh.NWM()),
        ({"bins": 5}, dh.NWM(bins=5)),
        ({"coupling": "none", "boundary": "fixed", "kernel_size": 5}, dh.NWM(waves=(dh.Waves(coupling="none"),))),
        ({"family": "unet", "boundary": "fixed", "width": 3, "depth": 8, "frozen": True}, dh.UNet(width=3)),
        ({"family": "gru", "coupling": "none", "dt": 1.0, "kernel_size": 5},
         dh.Recurrent(cell="gru", steps=100, kernel_size=5)),
        ({"family": "lstm", "boundary": "absorbing"}, dh.Recurrent(steps=100, boundary="reflecting")),
        ({"family": "cnn", "readout": "last", "start": "he"}, dh.CNN(start="he")),
    ],
)  # fmt: skip
def test_flat_settings_become_those_of_their_family(settings, expected):
    assert from_dict(ModelConfig, FLAT | settings) == expected


@pytest.mark.parametrize(("name", "message"), [("family", "family='x' is not known"), ("steps", "wrong type")])
def test_broken_flat_settings_are_explained(name, message):
    with pytest.raises(dh.DrumheadError, match=message):
        from_dict(ModelConfig, FLAT | {name: "x"})


def test_weights_carry_the_new_form_and_the_shipped_ones_are_a_preset(tmp_path):
    model = dh.load("tetrominoes-fast")
    assert model.config == PRESETS["tetrominoes/nwm-fast"].model
    dh.save(model, tmp_path / "w.safetensors")
    assert json.loads(read_safetensors(tmp_path / "w.safetensors")[0]["model"])["waves"][0]["steps"] == 20
    assert dh.load(tmp_path / "w.safetensors").config == model.config


@pytest.mark.parametrize("name", ["nwm-fast", "lstm-last"])
def test_a_network_says_what_it_keeps_of_one_series(name):
    model, images = dh.build(f"tetrominoes/{name}").eval(), torch.rand(1, 3, 8, 8)
    logits, waves, last = model.heard(images, dh.All(), dh.Last())
    torch.testing.assert_close(logits, model(images))
    assert waves.shape == (1, model.steps, model.channels, 8 // model.stride, 8 // model.stride)
    torch.testing.assert_close(waves[:, -1], last)
    torch.testing.assert_close(model.waves(images, layer=0), waves)
    with pytest.raises(dh.DrumheadError, match="layer=1: this network has one layer"):
        model.waves(images, layer=1)
    with pytest.raises(dh.DrumheadError, match="steps=0: a whole number of at least 1 is needed"):
        model.waves(images, steps=0)


def test_looking_at_a_network_does_not_move_its_statistics():
    model, images = dh.build("tetrominoes/nwm-fast").train(), torch.rand(2, 3, 16, 16)
    before = copy.deepcopy(model.state_dict())
    model.medium(images), model.waves(images), model.courant(images), model.segment(images)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_waves_run_once_for_an_answer_and_all_that_is_kept_beside_it(monkeypatch):
    calls = []
    monkeypatch.setattr(media, "propagate", lambda *args, **kwargs: calls.append(1) or dh.propagate(*args, **kwargs))
    model, images = dh.load("tetrominoes-fast"), torch.rand(2, 3, 16, 16)
    logits, waves, _ = model.heard(images, dh.All(), dh.Max())
    assert calls == [1]
    torch.testing.assert_close(logits, model(images))
    assert torch.equal(waves, model.waves(images))


def test_cutting_takes_the_coupling_alone_and_leaves_the_network():
    model, images = dh.load("tetrominoes-fast"), torch.rand(1, 3, 8, 8)
    cut = model.cut()
    assert not cut.kernel.any()
    assert model.kernel.any()
    for part in ("omega", "alpha", "y0"):
        assert torch.equal(getattr(cut.medium(images), part), getattr(model.medium(images), part))
    for other in (dh.build("tetrominoes/unet-2"), dh.build("tetrominoes/lstm-last"), dh.build(
            dh.NWM().changed(coupling="none"))):  # fmt: skip
        with pytest.raises(dh.DrumheadError, match="no coupling to cut"):
            other.cut()


def test_numbers_of_numpy_become_those_of_python_and_others_are_refused(tmp_path):
    config = dh.NWM(width=np.int64(4), waves=(dh.Waves(dt=np.float32(0.5)),))
    assert (type(config.width), type(config.waves[0].dt)) == (int, float)
    dh.save(dh.build(config), tmp_path / "a.safetensors")
    assert dh.load(tmp_path / "a.safetensors").config == config
    for make in (
        lambda: dh.NWM(width=4.5), lambda: dh.NWM(skip=1), lambda: dh.Waves(dt=True), lambda: dh.Waves(stride=1.0),
        lambda: dh.UNet(width="4"),
    ):  # fmt: skip
        with pytest.raises(dh.DrumheadError, match="has the wrong type; "):
            make()
