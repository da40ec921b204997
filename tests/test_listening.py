"""Listening for longer: the same weights, later states."""

import pytest
import torch

import drumhead as dh
from drumhead.networks.listening import HOW, extended

LAYERS = (dh.Layer(channels=4, steps=5, bins=3), dh.Layer(steps=6), dh.Modes())
SMALL = {
    "stack": dh.Stack(image_channels=1, classes=3, waves=LAYERS[:2]),
    "mixed": dh.Stack(image_channels=1, classes=3, waves=LAYERS),
    "nwm": dh.NWM(image_channels=1, classes=3, waves=(dh.Waves(steps=8),), head=(16,)),
    "fast": "wires/nwm-fast",
    "max": dh.NWM(image_channels=1, classes=3, waves=(dh.Waves(steps=8),), readout="max"),
    "lstm": dh.Recurrent(image_channels=1, classes=3, steps=6),
}  # fmt: skip


@pytest.mark.parametrize("how", HOW[:2])
@pytest.mark.parametrize("name", SMALL)
def test_once_as_long_is_the_same_and_longer_comes_farther(name, how, tmp_path):
    model, images = dh.build(SMALL[name]).eval(), torch.rand(1, 1, 24, 20)
    torch.testing.assert_close(model.listening(1, how)(images), model(images))
    longer = model.listening(2.5, how)
    assert longer.steps == round(2.5 * model.steps)
    assert not longer.training
    assert longer(images).shape == (1, 3, 24, 20)
    assert longer.reach(40)[1] > model.reach(40)[1]
    assert sum(p.numel() for p in longer.parameters()) >= sum(p.numel() for p in model.parameters())
    if not isinstance(model.config, dh.Stack):  # whose lower layers tell the last one something else
        torch.testing.assert_close(model.waves(images, steps=longer.steps), longer.waves(images))
    dh.save(longer, tmp_path / "longer.safetensors")
    assert torch.equal(dh.load(tmp_path / "longer.safetensors")(images), longer(images))


def test_the_last_window_is_what_the_map_makes_of_the_last_states():
    model, images = dh.build(SMALL["nwm"]).double().eval(), torch.rand(1, 1, 12, 12).double()
    longer = model.listening(3)
    assert longer.time_map.dtype == torch.float64
    omega, alpha, y0 = model.medium(images)
    heard = dh.propagate(y0, omega, alpha, model.kernel, steps=24, dt=0.1, record=dh.Project(longer.time_map))
    expected = torch.einsum("kt,btcyx->bkcyx", model.time_map, model.waves(images, steps=24)[:, -8:])
    torch.testing.assert_close(heard, expected)


def test_stretching_keeps_what_is_constant_and_the_share_of_the_time():
    time_map = torch.rand(3, 10).double()
    long = extended(time_map, 40, "stretch")
    torch.testing.assert_close(long.sum(1), time_map.sum(1))
    pulse = torch.zeros(10).double()
    pulse[4:6] = 1
    torch.testing.assert_close(long @ pulse.repeat_interleave(4), time_map @ pulse, atol=0.2, rtol=0)


def test_a_little_longer_is_as_many_whole_steps():
    model, images = dh.build("wires/nwm-stack").eval(), torch.rand(1, 1, 24, 20)
    assert torch.equal(model.listening(1.04)(images), model(images))
    assert [layer.steps for layer in model.listening(1.05).layers] == [13, 13, 13]


@pytest.mark.parametrize("more", [lambda model: model.listening(2), lambda model: model.in_rounds(7)])
def test_a_copy_keeps_what_learns_and_its_modes_and_draws_no_random_number(more):
    model = dh.build("wires/nwm-rounds").train()
    model.fine.eval().requires_grad_(False)
    torch.manual_seed(3)
    copy, drawn = more(model), torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)
    assert (copy.training, copy.fine.training) == (True, False)
    assert [name for name, weight in copy.named_parameters() if not weight.requires_grad] == [
        name for name, _ in model.named_parameters() if name.startswith("fine.")
    ]


def test_learned_times_of_a_closed_form_become_later():
    model = dh.build(dh.Stack(waves=(dh.Modes(),)))
    times = model.layers[0].times.exp()
    torch.testing.assert_close(model.listening(4, "stretch").layers[0].times.exp(), 4 * times)
    torch.testing.assert_close(model.listening(4, "last").layers[0].times.exp(), times + 3 * times.max())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dh.build("wires/unet-4").listening(2), "this unet has no waves to listen to"),
        (lambda: dh.build("wires/nwm-fft").listening(2), "a spectrum of more steps"),
        (lambda: dh.build("wires/nwm-stack").listening(0.5), "times=0.5: a number from 1"),
        (lambda: dh.build("wires/nwm-stack").listening(2, "first"), "how='first' is not known"),
        (lambda: dh.build("wires/nwm-stack").listening(2, "rounds"), "this stack runs its layers once, not in rounds"),
        (lambda: dh.build("wires/frame-7x7").listening(2), "has no layer with a time that could be longer"),
    ],
)
def test_what_cannot_listen_for_longer_says_why(make, message):
    with pytest.raises(dh.DrumheadError, match=message):
        make()
