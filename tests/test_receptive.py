"""Receptive fields: exact support, growth, light cones, and the medium's response against a closed form."""

import csv
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

import drumhead as dh
from drumhead.cli import main
from drumhead.physics import dispersion
from drumhead.probe import field, receptive
from drumhead.probe.impulse import amplifying, impulse
from drumhead.probe.receptive import Settings, find, free_medium, receptive_field
from drumhead.settings.presets import get_preset
from drumhead.waves import fronts

TINY = Settings(images=2, cotangents=1, side=32, steps=(0, 1, 2, 4))


def network(name, **changes):
    """A preset with random weights and, for waves, a kernel without zeros: the whole box can be reached."""
    model = dh.build(get_preset(f"tetrominoes/{name}").model.changed(**changes))
    kernel = dict(model.named_parameters()).get("kernel")
    if kernel is not None:
        kernel.data += 0.1 * torch.rand_like(kernel)
    return model


def box(m):
    """First and last row and column of what is not exactly zero, from the centre."""
    rows, columns = np.flatnonzero(m.any(1)), np.flatnonzero(m.any(0))
    return tuple(int(i) - m.shape[0] // 2 for i in (rows[0], rows[-1], columns[0], columns[-1]))


@pytest.mark.parametrize(
    ("name", "changes", "read", "steps"),
    [
        ("nwm-linear", {}, "state", 0),
        ("nwm-linear", {}, "state", 1),
        ("nwm-linear", {}, "state", 7),
        ("nwm-linear", {"steps": 7}, "logits", 7),
        ("nwm-linear", {"steps": 9}, "logits", 5),
        ("nwm-linear", {"channels": 16}, "state", 3),
        ("nwm-last", {"channels": 16, "steps": 4}, "logits", 4),
        ("nwm-linear", {"kernel_size": 5}, "state", 3),
        ("nwm-linear", {"coupling": "none"}, "state", 12),
        ("nwm-last", {"boundary": "fixed"}, "logits", 6),
        ("nwm-fast", {}, "state", 0),
        ("nwm-fast", {}, "state", 4),
        ("nwm-fast", {}, "logits", 4),
        ("nwm-fast", {"coupling": "none"}, "logits", 20),
        ("lstm-linear", {}, "state", 5),
        ("lstm-linear", {"steps": 6}, "logits", 6),
        ("gru-last", {}, "state", 3),
        ("rnn-mean", {"channels": 8}, "logits", 4),
        ("cnn-4", {"channels": 16}, "logits", None),
        ("resnet-8", {}, "logits", None),
    ],
)
def test_the_gradient_fills_the_theoretical_box_and_is_zero_outside(name, changes, read, steps):
    model = network(name, **changes)
    m = field.field(model, torch.rand(6, 3, 64, 64), read, steps, cotangents=3)
    low, high = model.reach(32, steps)
    assert box(m) == (low - 32, high - 32, low - 32, high - 32)


def test_a_unet_sees_no_further_than_its_box():
    model = network("unet-2").eval()
    low, high = model.reach(112)
    m = field.field(model, torch.rand(1, 3, 224, 224), "logits", cotangents=1)
    outside = m.copy()
    outside[low : high + 1, low : high + 1] = 0
    assert not outside.any()
    assert m.any()


def test_without_coupling_the_radius_is_the_encoders_whatever_the_time():
    model = network("nwm-linear", coupling="none")
    boxes = {box(field.field(model, torch.rand(3, 3, 32, 32), "state", t)) for t in (1, 10, 50)}
    assert boxes == {(-4, 4, -4, 4)}
    assert {model.reach(0, t) for t in (0, 1, 100)} == {(-4, 4)}


@pytest.mark.parametrize("name", ["nwm-linear", "nwm-fast", "nwm-max", "nwm-fft", "lstm-linear", "cnn-4"])
def test_the_answer_at_one_cell_is_that_of_the_whole_network(name):
    model, images = network(name).eval(), torch.rand(2, 3, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(
            field.answer(model, images, getattr(model, "steps", 0)), model(images)[:, :, 10, 12], rtol=1e-4, atol=1e-5
        )


def test_the_map_is_the_jacobian_times_the_mean_of_a_normal_variable():
    model = network("nwm-linear", steps=3)
    images = torch.rand(1, 3, 16, 16)
    jacobian = torch.autograd.functional.jacobian(lambda x: model.waves(x)[0, -1, :, 8, 8], images)
    expected = (2 / torch.pi) ** 0.5 * jacobian.square().sum(0).sqrt().sum((0, 1))
    m = field.field(model, images, "state", cotangents=1000)
    assert np.abs(m - expected.numpy()).max() < 0.1 * expected.max()


def test_measured_radii_of_known_maps():
    one = np.zeros((32, 32))
    one[16, 16] = 3
    assert field.measure(one) == field.Size(0, 0, 0, 3)
    one[16, 26] = 1
    size = field.measure(one)
    assert (size.half, size.most, size.rms) == (0, 10, pytest.approx(5))
    assert field.measure(np.zeros((4, 4))).mass == 0
    disc = (fronts.from_middle((128, 128)) <= 40).astype(float)
    assert field.measure(disc).half == pytest.approx(40 / 2**0.5, abs=0.5)
    assert field.measure(disc).most == pytest.approx(40 * 0.95**0.5, abs=0.5)


@pytest.mark.parametrize("power", [1, 0.5, 0.1])
def test_growth_finds_the_exponent(power):
    steps = [0, 1, 2, 5, 10, 20]
    spread = np.array([0.0, *(np.array(steps[1:]) ** power)])
    sizes = [field.Size(0, 4 + s, float(np.hypot(3, s)), 1) for s in spread]
    fit = field.growth(steps, sizes, 128, 1, 20)
    assert (fit.spread, fit.edge) == (pytest.approx(power), pytest.approx(power))
    assert fit.spread_r2 == pytest.approx(1)
    assert field.growth(steps, sizes, 128, 10, 20) is None
    assert field.growth(steps, sizes, 12, 1, 20) is None, "no room left"


def test_waves_carry_the_receptive_field_outward():
    model = dh.build("tetrominoes/nwm-linear")  # the Laplacian: another kernel may amplify what stands near
    images = field.canvas(*dh.tasks.get("tetrominoes").arrays("test"), 64, 3)
    sizes = [field.measure(field.field(model, images, "state", t, 2)) for t in (0, 20, 50, 100)]
    assert all(near.rms < far.rms for near, far in pairwise(sizes))
    assert sizes[-1].most > sizes[0].most + 5


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("size", [(24, 24), (15, 22)])
def test_a_free_medium_answers_an_impulse_with_the_lattices_greens_function(integrator, size):
    kernel = dh.laplacian(1).double()
    y0 = torch.zeros(1, 1, *size, dtype=torch.float64)
    y0[..., size[0] // 2, size[1] // 2] = 1
    common = {"steps": 80, "dt": 0.5, "integrator": integrator}
    waves = dh.propagate(y0, 0.0, 0.0, kernel, nonlinearity="linear", **common)[0, :, 0].numpy()
    exact = dispersion.lattice(kernel[0, 0].numpy(), size, 80, 0.5, integrator=integrator)
    np.testing.assert_allclose(waves, exact, atol=1e-10)
    small = dh.propagate(1e-6 * y0, 0.0, 0.0, kernel, **common)[0, :, 0].numpy() / 1e-6
    np.testing.assert_allclose(small, exact, atol=1e-10)


def test_a_kick_of_the_velocity_has_its_closed_form_too():
    kernel, y0 = dh.laplacian(1).double(), torch.zeros(1, 1, 20, 20, dtype=torch.float64)
    z0 = y0.clone()
    z0[..., 10, 10] = 1
    waves = dh.propagate(y0, 0.0, 0.0, kernel, z0=z0, steps=60, dt=0.3, nonlinearity="linear")[0, :, 0].numpy()
    np.testing.assert_allclose(
        waves, dispersion.lattice(kernel[0, 0].numpy(), (20, 20), 60, 0.3, velocity=True), atol=1e-10
    )


@pytest.mark.parametrize(("scale", "speed"), [(1.0, 1.0), (4.0, 2.0), (0.25, 0.5)])
def test_the_front_of_a_free_medium_runs_at_the_speed_of_long_waves(scale, speed):
    kernel = scale * dh.laplacian(1).double()
    found = dispersion.speeds(kernel, 0.1)
    assert (found.long, found.group, found.limit) == (pytest.approx(speed), pytest.approx(speed, rel=1e-3), 10)
    waves = dispersion.lattice(kernel[0, 0].numpy(), (96, 96), round(42 / speed / 0.1), 0.1)
    measured, arrival = fronts.front(fronts.rings(waves[:, None]), 0.1)
    assert measured == pytest.approx(speed, rel=0.03)
    assert np.isfinite(arrival[3:35]).all()


@pytest.mark.parametrize("side", [4, 10])
def test_a_small_canvas_has_no_front_of_which_to_tell_a_speed(side):
    numbers, loudness = free_medium(Settings(side=side))
    assert numbers["contour_speed"] is None
    assert loudness.shape[0] == numbers["steps"]


def test_speeds_of_kernels_that_mix_push_outward_or_carry_nothing():
    dense = dh.laplacian(2, dense=True)
    dense[1, 1] *= 4
    assert dispersion.speeds(dense, 0.1).group == pytest.approx(2, rel=1e-3)
    turn = torch.linalg.qr(torch.randn(2, 2))[0]  # the same medium in another basis of channels
    mixed = torch.einsum("ab,bcij,dc->adij", turn, dense, turn)
    assert dispersion.speeds(mixed, 0.1).group == pytest.approx(2, rel=1e-3)
    outward = dh.laplacian(1)
    outward[0, 0, 1, 1] += 0.7  # omega = 0.7 makes it the Laplacian again
    assert dispersion.speeds(outward, 0.1).group == pytest.approx(1, rel=1e-3)
    assert dispersion.speeds(torch.zeros(2, 1, 1, 1), 0.1) == dispersion.Speeds(0, 0, 0)


def test_damping_gives_no_false_front_and_tanh_differs():
    loudness = np.exp(np.arange(20)[:, None] / 5) * np.exp(-np.arange(12))
    assert fronts.front(loudness, 0.1) is None, "every ring is still rising"
    assert fronts.front(loudness, 0.1, level=1e-3) is not None
    model = network("nwm-fast").eval()
    image = torch.rand(3, 64, 64)
    linear, tanh = (impulse(model, image, 12, kind).abs().sum() for kind in ("linear", "tanh"))
    assert not torch.isclose(tanh, linear, rtol=0.01)
    assert 0 <= amplifying(model, image[None]) <= 1
    assert amplifying(network("nwm-linear"), image[None]) is None


def test_a_canvas_repeats_images_around_a_pixel_of_an_object():
    images, masks = np.zeros((3, 8, 8, 1), np.uint8), np.zeros((3, 8, 8), np.uint8)
    images[1, 2, 5] = images[2, 0, 0] = 255
    masks[1, 2, 5] = masks[2, 0, 0] = 1
    canvas = field.canvas(images, masks, 20, 2)
    assert canvas.shape == (2, 1, 20, 20)
    assert (canvas[:, 0, 10, 10] == 1).all()
    assert canvas.sum() == 18, "a pixel every 8 of 20, in each direction"
    for wrong, number in ((7, 1), (20, 3), (20, 0)):
        with pytest.raises(dh.DrumheadError, match=r"needed|object"):
            field.canvas(images, masks, wrong, number)


def test_wrong_readings_are_refused():
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(dh.DrumheadError, match="no state over time"):
        field.field(network("cnn-2"), images, "state")
    for read, steps in (("logits", 0), ("logits", 21), ("state", -1), ("soul", 1)):
        with pytest.raises(dh.DrumheadError, match="steps="):
            field.field(network("nwm-fast"), images, read, steps)
    with pytest.raises(dh.DrumheadError, match="no answer"):
        field.field(network("nwm-fft"), images, "logits", 50)
    with pytest.raises(dh.DrumheadError, match="steps=-1"):
        network("nwm-linear").reach(3, -1)


def no_more(whole):
    raise OSError("no more")


def test_the_command_writes_every_file_and_measures_a_model_once(tmp_path, monkeypatch, rng):
    few = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8), rng.integers(0, 6, (3, 32, 32), dtype=np.uint8)
    task = replace(dh.tasks.get("tetrominoes"), make=lambda split: few)  # drawing all 12,000 images takes a while
    monkeypatch.setattr(dh.tasks, "get", lambda name: task)
    run = tmp_path / "runs" / "cpu" / "tetrominoes" / "nwm-fast" / "seed-0"
    dh.save(dh.build("tetrominoes/nwm-fast"), run / "weights.safetensors")
    said, out = [], tmp_path / "out"
    models = ["cnn-2", "tetrominoes-fast", "lstm-last", str(run)]
    receptive_field(models, out, runs=tmp_path / "runs", say=said.append, settings=TINY)
    for name in ("receptive-field.png", "radius.png", "greens.png"):
        with Image.open(out / name) as picture:
            assert picture.width > 500
        assert (out / name).stat().st_size < 200_000
    whole = json.loads((out / "receptive-field.json").read_text())
    names = ["cnn-2 (initial)", "nwm-fast (shipped)", "lstm-last (initial)", "nwm-fast (cpu)"]
    assert [model["name"] for model in whole["models"]] == names
    assert max(whole["free_medium"]["difference"].values()) < 1e-10
    rows = list(csv.DictReader((out / "receptive-field.csv").read_text().splitlines()))
    assert {row["model"] for row in rows} == set(names)
    for row in rows:  # a corner of the box; with stride 2 it reaches a pixel further on one side
        assert float(row["r50"]) <= float(row["r95"]) <= 2**0.5 * (float(row["bound"]) + 1), row
    text = (out / "receptive-field.md").read_text()
    assert all(f"| {name} |" in text for name in names)

    monkeypatch.setattr(field, "field", None)  # nothing is measured twice
    receptive_field(models, out, runs=tmp_path / "runs", say=said.append, settings=TINY)
    assert len(said) == 10

    kept = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    monkeypatch.setattr(receptive, "report", no_more)
    with pytest.raises(OSError, match="no more"):
        receptive_field(models[:1], out, runs=tmp_path / "runs", say=said.append, settings=TINY)
    assert kept == {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}  # all or nothing


def test_what_sees_the_whole_image_is_said_to(tmp_path, monkeypatch, rng):
    few = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8), rng.integers(0, 6, (2, 32, 32), dtype=np.uint8)
    task = replace(dh.tasks.get("tetrominoes"), make=lambda split: few)
    monkeypatch.setattr(dh.tasks, "get", lambda name: task)
    settings = replace(TINY, images=1, steps=(0, 1))
    receptive_field(["nwm-modes", "frame-pool", "cnn-2"], tmp_path, runs=tmp_path, settings=settings, say=str)
    rows = list(csv.DictReader((tmp_path / "receptive-field.csv").read_text().splitlines()))
    assert [row["bound"] for row in rows] == ["all"] * 4 + ["2"]
    lines = (tmp_path / "receptive-field.md").read_text().splitlines()
    bounds = {line.split(" | ")[0]: line.split(" | ")[4] for line in lines if "(initial)" in line}
    assert bounds == {"| nwm-modes (initial)": "all", "| frame-pool (initial)": "all", "| cnn-2 (initial)": "2"}


def test_default_models_are_presets_the_shipped_network_and_runs(tmp_path):
    run = tmp_path / "cpu" / "tetrominoes" / "unet-2" / "seed-0"
    dh.save(dh.build("tetrominoes/unet-2"), run / "weights.safetensors")
    names = [subject.name for subject in find([], tmp_path, Settings())]
    assert names[0] == "nwm-linear (initial)"
    assert names[-2:] == ["nwm-fast (shipped)", "unet-2 (cpu)"]


@pytest.mark.parametrize(
    ("model", "message"),
    [("nowhere/at-all", "no weights at"), ("mnist/cnn-2", "name models of tetrominoes"), (__file__, "safetensors")],
)
def test_models_that_do_not_fit_end_in_one_sentence(model, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["reproduce", "receptive-field", "--out", str(tmp_path / "out"), "--models", model])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("drumhead: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_command_lists_the_figure_and_calls_it(capsys, monkeypatch, tmp_path):
    main(["reproduce"])
    assert "receptive-field, a figure: How far from a pixel" in capsys.readouterr().out
    asked = []
    monkeypatch.setattr(receptive, "receptive_field", lambda models, out, **_: asked.append((models, out)))
    main(["reproduce", "receptive-field", "--out", str(tmp_path / "out"), "--models", "cnn-2"])
    assert asked == [(("cnn-2",), tmp_path / "out")]
