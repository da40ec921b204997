"""Stacks of wave layers: what a layer is, how far it hears, what is left without coupling, and files."""

import pickle
import tomllib
from copy import deepcopy

import pytest
import torch

import drumhead as dh
from drumhead.networks import layers, media
from drumhead.networks.layers import Closed, Start, Stepped
from drumhead.settings.config import RunConfig
from drumhead.settings.presets import get_preset
from drumhead.settings.text import from_dict, to_toml

MIXED = dh.Stack(
    image_channels=1, classes=3,
    waves=(dh.Layer(channels=4, steps=5, bins=3), dh.Modes(channels=3, bins=2, stride=8), dh.Layer(
        channels=5, steps=6, bins=4, stride=8, velocity="image", coupling="dense", omega="constant", alpha="constant")),
)  # fmt: skip
STACKS = {
    "small": dh.Stack(image_channels=1, classes=3), "mixed": MIXED,
    "modes": dh.Stack(image_channels=1, classes=3, waves=(dh.Modes(),)),
    "full size": dh.Stack(image_channels=1, classes=3, waves=(dh.Layer(stride=1), dh.Layer(stride=2))),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_any_size_any_layer_and_one_run_for_all_that_is_kept(name):
    model, images = dh.build(STACKS[name]).eval(), torch.rand(2, 1, 21, 34)
    logits, series, last = model.heard(images, dh.All(), dh.Last())
    assert logits.shape == (2, 3, 21, 34)
    torch.testing.assert_close(logits, model(images))
    torch.testing.assert_close(series[:, -1], last)
    torch.testing.assert_close(series, model.waves(images))
    assert series.shape[1:3] == (model.steps, model.channels)
    for i, layer in enumerate(model.config.waves):
        waves = model.waves(images, layer=i, steps=4)
        assert waves.shape[:3] == (2, 4, layer.channels)
        assert waves.shape[-2:] == (-(-21 // layer.stride), -(-34 // layer.stride))
    with pytest.raises(dh.DrumheadError, match="this network has the layers 0 to"):
        model.waves(images, layer=9)
    with pytest.raises(dh.DrumheadError, match="steps=0: a whole number of at least 1 is needed"):
        model.waves(images, steps=0)
    before = {key: value.clone() for key, value in model.train().state_dict().items()}
    model.waves(images)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    model.eval()
    at = torch.tensor([[0, 5, 713], [1, 2, 3]])
    torch.testing.assert_close(model(images, at)[..., 0], logits.flatten(2).gather(2, at[:, None].expand(-1, 3, -1)))


def test_its_parameters_are_those_of_the_pilot():
    small = get_preset("multi-mnist/nwm-stack").model
    for config, count in (
        (small, 29347), (small.changed(width=48, channels=24), 55619), ("multi-mnist/nwm-modes", 27571)
    ):  # fmt: skip
        assert sum(p.numel() for p in dh.build(config).parameters()) == count


@pytest.mark.parametrize("name", STACKS)
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    model = dh.build(STACKS[name])
    loss = torch.nn.functional.cross_entropy(model(torch.rand(2, 1, 24, 24)), torch.randint(3, (2, 24, 24)))
    loss.backward()
    silent = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_waves_run_once_a_layer(monkeypatch):
    calls = []
    monkeypatch.setattr(media, "propagate", lambda *args, **how: calls.append(1) or dh.propagate(*args, **how))
    model = dh.build(STACKS["small"]).eval()
    model.heard(torch.rand(1, 1, 16, 16), dh.All(), dh.Max())
    assert len(calls) == 3


def test_the_closed_form_is_that_of_its_numbers():
    model, x = dh.build(STACKS["modes"]).eval(), torch.rand(2, 32, 7, 6)
    (layer,) = model.layers
    assert isinstance(layer, Closed)
    layer.times.data += 0.1 * torch.rand_like(layer.times)
    start = layer.start(x)
    heard = layer.heard(start)
    softplus = torch.nn.functional.softplus
    kernel = dh.laplacian(16) * softplus(layer.speed).square().view(-1, 1, 1, 1)
    for k in range(8):
        for c in range(16):
            one = dh.propagate_exact(
                start.y0[:, c : c + 1], softplus(layer.omega[c]), softplus(layer.alpha[c]), kernel[c : c + 1].detach(),
                times=layer.times[k, c].exp()[None], z0=start.z0[:, c : c + 1], boundary="fixed",
            )  # fmt: skip
            torch.testing.assert_close(heard[:, k, c], one[:, 0, 0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["small", "mixed", "modes"])
def test_half_precision_answers_in_its_own_type(name, dtype):
    torch.manual_seed(0)
    model, images = dh.build(STACKS[name]).eval(), torch.rand(2, 1, 24, 20)
    logits, waves = model(images), model.waves(images)
    model, images = model.to(dtype), images.to(dtype)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            found = model.heard(images, dh.All())
        assert [kept.dtype for kept in found] == [dtype, dtype]
        for kept, wanted in zip(found, (logits, waves), strict=True):
            assert (kept - wanted).abs().max() <= 0.03 * wanted.abs().max()
    model.train()(images).float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_autocast_leaves_the_waves_of_a_closed_form_in_full_precision():
    layer, start = dh.build(STACKS["modes"]).layers[0], Start(*torch.rand(2, 1, 16, 7, 6), None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer.run(start, dh.All(), 4)
    assert torch.equal(found, layer.run(start, dh.All(), 4))


@pytest.mark.parametrize("name", ["small", "mixed", "full size"])
def test_nothing_is_heard_from_beyond_its_reach(name):
    config = STACKS[name]
    if name == "mixed":  # a closed form has no light cone
        config = config.changed(waves=(config.waves[0], config.waves[2]))
    config = config.changed(steps=2)
    model = dh.build(config).eval()
    images = torch.rand(1, 1, 160, 160, requires_grad=True)
    with dh.engine.exactly_local():
        model(images, torch.tensor([[80 * 160 + 83]])).sum().backward()
    rows = images.grad[0, 0].abs().sum(1).nonzero()
    low, high = model.reach(80)
    assert low <= int(rows.min())
    assert int(rows.max()) <= high
    assert high - low < 160
    assert dh.build(STACKS["modes"]).reach(80)[1] > 10**6


def test_a_network_of_one_layer_knows_its_number():
    model, images = dh.build("tetrominoes/nwm-fast"), torch.rand(1, 3, 16, 16)
    assert torch.equal(model.medium(images, layer=0).omega, model.medium(images).omega)
    with pytest.raises(dh.DrumheadError, match="layer=1: this network has one layer"):
        model.medium(images, layer=1)
    with pytest.raises(dh.DrumheadError, match="0 to 5, those of 6 rounds one after another"):
        dh.build("wires/nwm-rounds").waves(torch.rand(1, 1, 16, 16), layer=9)


def test_the_medium_of_a_layer_is_what_its_waves_run_in():
    model, images = dh.build("wires/nwm-stack").eval(), torch.rand(2, 1, 32, 40)
    for number in range(3):
        layer, (omega, alpha, y0) = model.at_layer(number), model.medium(images, layer=number)
        start = model.encode(images, number)[0]
        assert torch.equal(y0, start.y0)
        given = layer.layer
        waves = dh.propagate(
            y0, omega, alpha, layer.coupling(), z0=start.z0, steps=given.steps, dt=given.dt, boundary=given.boundary,
            integrator=given.integrator, nonlinearity=given.nonlinearity, check_stability=False,
        )  # fmt: skip
        torch.testing.assert_close(waves, model.waves(images, layer=number), rtol=1e-4, atol=1e-5)
    with pytest.raises(dh.DrumheadError, match="layer=0: this layer is in closed form"):
        dh.build("wires/nwm-modes").eval().medium(images, layer=0)


def test_cutting_leaves_each_oscillator_alone():
    images = torch.rand(1, 1, 160, 160)
    moved = images.clone()
    moved[0, 0, :, :40] = 0
    for name in ("small", "mixed"):
        model = dh.build(STACKS[name]).eval()
        for layer in model.layers:  # so that what comes from far is no rounding error
            if isinstance(layer, Stepped):
                layer.kernel.data *= 1.5
        cut = model.cut()
        far = (..., slice(None), slice(110, 160))
        # Of a closed form the way to its modes and back leaves rounding.
        torch.testing.assert_close(cut(images)[far], cut(moved)[far], atol=0 if name == "small" else 1e-5, rtol=0)
        assert not torch.equal(model(images), cut(images))


def test_media_are_stable_and_travel_at_the_start():
    model, images = dh.build(STACKS["small"]).eval(), torch.rand(2, 1, 32, 32)
    assert model.courant(images) <= 0.9
    assert dh.build(STACKS["modes"]).courant(images) is None
    omega = model.encode(images)[0].medium.omega.mean((0, 2, 3))
    assert omega[0] < 0.1 * omega[-1]


@pytest.mark.parametrize("name", STACKS)
def test_files_hold_every_layer(name, tmp_path):
    run = RunConfig(model=STACKS[name])
    assert from_dict(RunConfig, tomllib.loads(to_toml(run))) == run
    model, images = dh.build(STACKS[name]).eval(), torch.rand(1, 1, 16, 16)
    dh.save(model, tmp_path / "w.safetensors")
    again = dh.load(tmp_path / "w.safetensors")
    assert again.config == STACKS[name]
    assert torch.equal(again(images), model(images))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dh.Stack(waves=()), "each one of Layer"),
        (lambda: dh.Stack(waves=(dh.Waves(),)), "each one of Layer"),
        (lambda: dh.Layer(stride=3), "a power of 2 is needed"),
        (lambda: dh.Layer(bins=0), "bins=0: at least 1"),
        (lambda: dh.Modes(bins=0), "bins=0: at least 1"),
        (lambda: dh.Stack(fine=0), "fine=0: at least 1"),
        (lambda: dh.Stack(fine=100), "fine=100: at most model.width=32"),
        (lambda: dh.Stack(head=3), "head=3: a tuple of hidden widths"),
        (lambda: dh.build(dh.Stack()).listening(float("nan")), "a number from 1 to 1000"),
        (lambda: dh.Modes(reach=0.0), "a positive time is needed"),
        (lambda: dh.Modes(boundary="absorbing"), "'absorbing' is not known"),
        (
            lambda: dh.Stack().changed(readout="fft"),
            "unknown setting readout.*each with channels, .*, bins, velocity, spread",
        ),
        (lambda: from_dict(RunConfig, {"model": {"family": "stack", "waves": [{"kind": "rings"}]}}), "'rings' is not"),
    ],
)
def test_what_is_no_stack_is_refused(make, message):
    with pytest.raises(dh.DrumheadError, match=message):
        make()


def test_a_setting_counts_for_every_layer_that_has_it():
    changed = MIXED.changed(steps=9, bins=2, width=16)
    assert [getattr(layer, "steps", None) for layer in changed.waves] == [9, None, 9]
    assert {layer.bins for layer in changed.waves} == {2}
    assert changed.width == 16


# Layers without waves
CONTROLS = {
    name: get_preset(f"wires/{name}").model for name in ("frame-3x3", "frame-7x7", "frame-pool", "frame-attention")
}
CONTROLS["coarser"] = dh.Stack(
    image_channels=1,
    classes=3,
    waves=(dh.Bottleneck(maps=8), dh.Attention(stride=8, heads=2), dh.Context(stride=16, maps=8)),
)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_answer_at_any_size_and_learn(name):
    torch.manual_seed(0)
    model = dh.build(CONTROLS[name])
    images, at = torch.rand(2, 1, 21, 34), torch.tensor([[0, 5, 713], [1, 2, 3]])
    torch.nn.functional.cross_entropy(model(images), torch.randint(3, (2, 21, 34))).backward()
    assert all(p.grad is not None for p in model.parameters())
    logits = model.eval()(images)
    torch.testing.assert_close(model(images, at)[..., 0], logits.flatten(2).gather(2, at[:, None].expand(-1, 3, -1)))
    run = RunConfig(model=CONTROLS[name])
    assert from_dict(RunConfig, tomllib.loads(to_toml(run))) == run
    for call in (lambda: model.waves(images), model.cut):
        with pytest.raises(dh.DrumheadError, match=r"has no (waves|coupling)"):
            call()


@pytest.mark.parametrize("name", ["frame-3x3", "frame-7x7"])
def test_kernels_see_no_farther_than_their_reach(name):
    model = dh.build(CONTROLS[name]).eval()
    images = torch.rand(1, 1, 160, 160, requires_grad=True)
    model(images, torch.tensor([[80 * 160 + 83]])).sum().backward()
    rows = images.grad[0, 0].abs().sum(1).nonzero()
    low, high = model.reach(80)
    assert low <= int(rows.min())
    assert int(rows.max()) <= high


@pytest.mark.parametrize("size", [80, 82, 90, 162])
def test_a_coarse_grid_that_does_not_divide_the_image_lies_where_it_should(size):
    grids = (dh.Bottleneck(kernel_size=1, stride=2), dh.Bottleneck(kernel_size=1, stride=16))
    model = dh.build(dh.Stack(waves=grids, image_channels=1, classes=3)).double().eval()
    images = torch.rand(1, 1, size, 16, dtype=torch.double, requires_grad=True)
    logits, widest = model(images), 0
    for pixel in range(0, size, 3):
        (found,) = torch.autograd.grad(logits[0, :, pixel].square().sum(), images, retain_graph=True)
        rows = found[0, 0].abs().sum(1).nonzero()
        low, high = model.reach(pixel)
        assert low <= int(rows.min())
        assert int(rows.max()) <= high
        widest = max(widest, int(rows.max() - rows.min()))
    assert 32 <= widest < size - 1
    ramp = torch.arange(-(-size // 4), dtype=torch.double).expand(1, 1, 3, -1)
    grown = media.grown(ramp, torch.zeros(1, 1, 9, size), 4)[0, 0, 0]
    middles = (torch.arange(size).double() + 0.5) / 4 - 0.5
    torch.testing.assert_close(grown, middles.clamp(0, ramp.shape[-1] - 1))


def test_attention_is_that_of_its_formula():
    layer = dh.build(CONTROLS["frame-attention"]).double().eval().layers[0]
    x = torch.randn(1, 32, 3, 5, dtype=torch.float64)
    y = x + layer.place(x)
    cells = layer.asked(layer.norm(y))[0].flatten(1).T  # (cell, 3 heads parts)
    heads = []
    for h in range(4):
        q, k, v = (cells[:, 32 * i + 8 * h : 32 * i + 8 * h + 8] for i in range(3))
        heads.append((q @ k.T / 8**0.5).softmax(-1) @ v)
    found = y + layer.found(torch.cat(heads, 1).T.reshape(1, 32, 3, 5))
    torch.testing.assert_close(layer.told(x), found + layer.thought(found))


def test_waves_may_stand_on_layers_without():
    mixed = dh.build(dh.Stack(image_channels=1, classes=3, waves=(dh.Bottleneck(), dh.Layer())))
    images = torch.rand(1, 1, 16, 16)
    assert mixed.waves(images).shape == (1, 12, 16, 4, 4)
    assert mixed.cut()(images).shape == (1, 3, 16, 16)
    with pytest.raises(dh.DrumheadError, match="layer=0: this layer has no waves"):
        mixed.waves(images, layer=0)
    with pytest.raises(dh.DrumheadError, match="put a Layer or Modes last"):
        dh.Stack(waves=(dh.Layer(), dh.Bottleneck()))
    with pytest.raises(dh.DrumheadError, match="kernel_size=4: an odd size"):
        dh.Bottleneck(kernel_size=4)


def test_modes_are_stored_at_inference_and_never_stale():
    model, images = dh.build(STACKS["modes"]).eval(), torch.rand(1, 1, 24, 20)
    (layer,) = model.layers

    def both():
        with torch.no_grad():
            found = model(images)
            torch.testing.assert_close(model(images), found, atol=0, rtol=0)
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=1e-5)
        return found

    first = both()
    with torch.no_grad():
        kept = layer.stored[2][0]
        model(images)
        assert layer.stored[2][0] is kept
    for name in ("omega", "alpha", "speed", "times"):
        getattr(layer, name).data += 0.3  # which no version counter notices
        assert not torch.equal(both(), first), name
    assert both().shape == first.shape
    with torch.no_grad():
        assert model(torch.rand(1, 1, 32, 32)).shape == (1, 3, 32, 32)
    assert not [key for key in model.state_dict() if "stored" in key]
    before = first.clone()
    with torch.no_grad():
        model.waves(images)
        waves = model.double().waves(images.double())  # at times that are the same numbers in both types
        layer.stored = None
        assert torch.equal(model.waves(images.double()), waves)
    model.float().train()
    torch.nn.functional.cross_entropy(model(images), torch.randint(3, (1, 24, 20))).backward()
    assert torch.equal(before, first)


def test_what_modes_store_stays_with_them_and_is_small(monkeypatch):
    model, images = dh.build(STACKS["modes"]).eval(), torch.rand(1, 1, 24, 20)
    (layer,), fresh = model.layers, len(pickle.dumps(model))
    with torch.no_grad():
        model(images)
    assert layer.stored is not None
    assert len(pickle.dumps(model)) == fresh
    assert deepcopy(model).layers[0].stored is None
    monkeypatch.setattr(layers, "STORED", 1000)
    with torch.no_grad():
        model(torch.rand(1, 1, 32, 32))
    assert layer.stored is None


@torch.no_grad()
def test_modes_store_nothing_of_transforms_of_torch_func():
    model, images = dh.build(STACKS["modes"]).eval(), torch.rand(1, 1, 24, 20)
    plain = model(images)
    weights = {name: torch.stack([value, value + 0.1]) for name, value in model.named_parameters()}
    for _ in range(2):
        each = torch.func.vmap(lambda own: torch.func.functional_call(model, own, (images,)))(weights)
        torch.testing.assert_close(each[0], plain, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model(images), plain, atol=0, rtol=0)
    speed = "layers.0.speed"

    def of(value):
        return torch.func.functional_call(model, {speed: value}, (images,))

    value = model.get_parameter(speed).detach()
    _, tangent = torch.func.jvp(of, (value,), (torch.ones_like(value),))
    with torch.enable_grad():
        _, wanted = torch.func.jvp(of, (value,), (torch.ones_like(value),))
    torch.testing.assert_close(tangent, wanted)
    assert tangent.abs().max() > 1e-4


def test_mixed_coupling_is_depthwise_and_then_a_matrix():
    torch.manual_seed(0)
    layer = Stepped(dh.Layer(channels=5, coupling="mixed", courant=0), 32, 1)
    y = torch.randn(2, 5, 9, 8)
    apart = torch.nn.functional.conv2d(y, layer.kernel, padding=1, groups=5)
    mixed = torch.einsum("ij,bjyx->biyx", layer.sheets, apart)
    torch.testing.assert_close(torch.nn.functional.conv2d(y, layer.coupling(), padding=1), mixed)
    model = dh.build(dh.Stack(image_channels=1, classes=3, waves=(dh.Layer(coupling="mixed"),)))
    assert model.courant(torch.rand(1, 1, 32, 32)) <= 0.9
    torch.nn.functional.cross_entropy(model(torch.rand(2, 1, 24, 24)), torch.randint(3, (2, 24, 24))).backward()
    assert model.layers[0].sheets.grad.any()
    with pytest.raises(dh.DrumheadError, match="coupling"):
        dh.Waves(coupling="mixed")
