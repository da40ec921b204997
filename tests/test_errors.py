"""Mistakes at the boundary: each message says what was got and what to do."""

import numpy as np
import pytest
import torch

import drumhead as dh
from drumhead.physics.records import Until
from drumhead.settings.config import TrainConfig

Y0 = torch.zeros(1, 2, 4, 4)
GOOD = {"y0": Y0, "omega": 1.0, "alpha": 0.1, "kernel": dh.laplacian(2), "steps": 4, "dt": 0.1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps=0: a propagation needs a whole number of steps, at least one"),
        ({"steps": 2.5}, r"steps=2\.5"),
        ({"steps": True}, "steps=True"),
        ({"dt": 0}, "dt=0: a positive number"),
        ({"dt": float("nan")}, "dt=nan"),
        ({"dt": torch.tensor(0.1)}, "dt=tensor"),
        ({"dt": 0.9}, r"dt=0\.9 is beyond the stable limit 0\.6\d* .*lower dt.*check_stability=False"),
        ({"y0": Y0[0]}, r"y0: got torch.float32 of shape \(2, 4, 4\); .*\(b, c, y, x\)"),
        ({"y0": Y0.long()}, "y0: got torch.int64"),
        ({"y0": Y0[:0]}, "y0: got .* non-empty"),
        ({"y0": [1.0]}, "y0: got list"),
        ({"y0": Y0 + float("inf")}, "y0 has infinite or undefined values"),
        ({"omega": torch.ones(3, 1, 1)}, r"omega: got the shape \(3, 1, 1\), which does not broadcast"),
        ({"omega": torch.ones(2, 2, 4, 4)}, "omega: got the shape"),
        ({"alpha": torch.ones(1, 1, 1, 1, 1)}, "alpha: got the shape"),
        ({"omega": -1.0}, "omega has negative values"),
        ({"alpha": torch.tensor(float("nan"))}, "alpha has infinite"),
        ({"omega": torch.ones(1).double()}, r"omega is torch\.float64 .*omega\.to\(y0\)"),
        ({"omega": None}, "omega=None: a number or a tensor of numbers is needed"),
        ({"omega": "a"}, "omega='a': a number or a tensor"),
        ({"alpha": 1j}, "alpha=1j: a number or a tensor"),
        ({"z0": "a"}, "z0='a': a number or a tensor"),
        ({"z0": torch.ones(3)}, "z0: got the shape"),
        ({"z0": torch.full((1,), float("nan"))}, "z0 has infinite or undefined values"),
        (
            {"kernel": dh.laplacian(3)},
            r"kernel: got .*\(3, 1, 3, 3\); for 2 channels it has the shape \(2, 2, ky, kx\)",
        ),
        ({"kernel": torch.zeros(2, 1, 2, 3)}, r"odd sides are needed"),
        ({"kernel": None}, "kernel: got NoneType"),
        ({"boundary": "dirichlet"}, "boundary='dirichlet' is not known; choose one of 'periodic', 'fixed'"),
        ({"nonlinearity": "relu"}, "nonlinearity='relu'"),
        ({"integrator": "rk4"}, "integrator='rk4'"),
        ({"backend": "fpga"}, "backend='fpga' is not known; choose one of 'auto', 'eager', 'native', 'cuda'"),
        ({"backend": "cuda"}, "backend='cuda': the tensors are on cpu; use backend='auto' or 'eager'"),
        ({"precision": "int8"}, "precision='int8' is not known"),
        ({"record": dh.Mix(torch.zeros(3, 5, 2))}, r"Mix\(basis\): got \(3, 5, 2\)"),
        ({"record": dh.Mix(torch.zeros(3, 4, 3))}, r"channels=2"),
        ({"record": dh.At(dh.At(dh.Last(), torch.zeros(1, 1, dtype=torch.int64)), 3)}, r"At\(record\): got At"),
        ({"record": dh.At(dh.Last(), torch.zeros(1, 3))}, r"At\(pixels\): got torch.float32 \(1, 3\)"),
        ({"record": dh.At(dh.Last(), torch.full((1, 3), 10**6))}, r"At\(pixels\): got 1000000 to 1000000"),
        ({"record": Until(dh.At(dh.Last(), torch.full((1, 3), 99)), 2)}, r"At\(pixels\): got 99 to 99; .* 0 to 15"),
        ({"record": (dh.Last(), Until(dh.Project(torch.zeros(1, 2).double()), 2))}, r"basis is torch\.float64"),
        (
            {"record": dh.At(dh.Project(torch.zeros(1, 4).double()), torch.ones(1, 1).long())},
            r"basis is torch\.float64",
        ),
        ({"record": Until(dh.Last(), "2")}, r"Until\(steps='2'\): 1 to 4 steps"),
        ({"record": "all"}, r"record='all': a record such as dh\.All\(\)"),
        ({"record": dh.Every(5)}, r"Every\(5\): a whole number from 1 to steps=4"),
        ({"record": dh.Every(0)}, r"Every\(0\)"),
        ({"record": dh.Fourier(4)}, r"Fourier\(4\): 4 steps have the bins 0 to 2"),
        ({"record": dh.Fourier(0)}, r"Fourier\(0\)"),
        ({"record": dh.Project(torch.zeros(3, 5))}, r"Project\(basis\): got \(3, 5\).*\(k, steps=4\)"),
        ({"record": dh.Project(torch.zeros(0, 4))}, "no rows"),
        ({"record": dh.Project(torch.zeros(1, 4).double())}, r"basis is torch\.float64"),
    ],
)
def test_propagate_says_what_is_wrong(change, message):
    with pytest.raises(dh.DrumheadError, match=message):
        dh.propagate(**(GOOD | change))


def test_numbers_of_numpy_are_numbers():
    given = GOOD | {"steps": np.int64(4), "dt": np.float32(0.1), "record": dh.Fourier(np.int64(2))}
    assert dh.propagate(**given).shape == (1, 2, 2, 4, 4)


def test_a_record_may_call_a_method_basis():
    class First(dh.Record):
        def basis(self):
            return "the first state"

        def collect(self, states, steps):
            first, *_ = states
            return first

    assert dh.propagate(**(GOOD | {"record": First()})).shape == Y0.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dh.stable_dt(dh.laplacian(1), integrator="Euler"), "integrator='Euler' is not known"),
        (
            lambda: dh.stable_dt(dh.laplacian(1)[0]),
            r"kernel: got torch.float32 of shape \(1, 3, 3\); .*\(c, 1, ky, kx\)",
        ),
        (lambda: dh.stable_dt(torch.zeros(3, 2, 3, 3)), r"for 3 channels it has the shape \(3, 3, ky, kx\)"),
        (lambda: dh.stable_dt(torch.zeros(1, 1, 2, 2)), "odd sides are needed"),
        (lambda: dh.stable_dt(None), "kernel: got NoneType"),
        (lambda: dh.stable_dt(dh.laplacian(1), omega="a"), "omega='a': a number or a tensor"),
        (lambda: dh.laplacian(1, size=2), "an odd size"),
        (lambda: dh.laplacian("2"), "channels='2': a whole number"),
        (lambda: dh.laplacian(1.5), r"channels=1\.5: a whole number"),
        (lambda: dh.laplacian(1, size=0), "size=0: a whole number of at least 1"),
    ],
)
def test_helpers_say_what_is_wrong(call, message):
    with pytest.raises(dh.DrumheadError, match=message):
        call()


def test_stability_check_can_be_switched_off():
    out = dh.propagate(**(GOOD | {"dt": 0.9, "omega": -0.5}), check_stability=False)
    assert out.shape == (1, 4, 2, 4, 4)


def test_an_absorbing_margin_names_its_remedy():
    with pytest.raises(dh.DrumheadError, match="integrator='verlet' takes without a limit"):
        dh.propagate(**(GOOD | {"dt": 0.66, "boundary": "absorbing"}))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 1, 8, 8), r"images: got \(1, 1, 8, 8\); .*\(b, 3, y, x\)"),
        (torch.zeros(3, 8, 8), r"got \(3, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"got torch\.uint8; .*dh\.to_images"),
        (torch.zeros(1, 3, 8, 8, device="meta"), r"got meta, the model is on cpu; use images\.to\('cpu'\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.float64), r"got torch\.float64, the model computes in torch\.float32"),
    ],
)
def test_models_say_what_they_take(images, message):
    model = dh.build("tetrominoes/nwm-fast")
    for call in (model, model.medium, model.waves, model.segment):
        with pytest.raises(dh.DrumheadError, match=message):
            call(images)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 2}, "need --model.encoder stem"),
        ({"kernel_size": 4}, r"model\.kernel_size=4: an odd size"),
        ({"readout": "stft"}, r"model\.readout='stft' is not known; choose one of 'linear', 'fft'"),
        ({"readout": "fft", "bins": 60}, "100 steps have 51 frequency bins"),
        ({"classes": 1}, "at least 2"),
        ({"dt": -1.0}, "a positive step"),
        ({"dt": float("inf")}, "a positive step"),
        ({"head": (-3,)}, "hidden widths of at least 1"),
    ],
)
def test_configs_say_what_is_wrong(settings, message):
    with pytest.raises(dh.DrumheadError, match=message):
        dh.NWM().changed(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"clip": -1.0},
        {"weight_decay": -1.0},
        {"lr": 0.0},
        {"seed": 10**23},
        {"epochs": 0},
        {"warmup": 1.0},
        {"limit": -1},
    ],
)
def test_training_settings_say_what_is_wrong(settings):
    (name,) = settings
    with pytest.raises(dh.DrumheadError, match=rf"train\.{name}="):
        TrainConfig(**settings)


def test_a_wrong_preset_names_the_nearest():
    with pytest.raises(dh.DrumheadError, match="did you mean tetrominoes/nwm-linear"):
        dh.build("tetrominoes/nwm-liner")
    with pytest.raises(dh.DrumheadError, match="shipped name"):
        dh.load("no-such-run")
    with pytest.raises(dh.DrumheadError, match=r"uint8 of shape \(n, y, x, k\)"):
        dh.to_images(torch.zeros(2, 2).numpy())


def test_a_grey_stack_is_not_taken_for_one_image_of_many_channels():
    film = np.zeros((30, 56, 56), np.uint8)
    with pytest.raises(dh.DrumheadError, match=r"\(30, 56, 56\), which would be one image of 56 .*stack\[\.\.\., "):
        dh.to_images(film)
    assert dh.to_images(film[..., None]).shape == (30, 1, 56, 56)
    assert dh.to_images(film[None]).shape == (1, 56, 30, 56)
    assert dh.to_images(film[..., :4]).shape == (1, 4, 30, 56)
