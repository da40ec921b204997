"""Layers that run in rounds: what a round is, any number of them, and what does not depend on how loud a wave is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import drumhead as dh
from conftest import call
from drumhead.learn import train, training
from drumhead.learn.diverged import courants
from drumhead.networks.rounds import PixelNorm, covered
from drumhead.settings.presets import get_preset
from test_learn import StopAfter, same, weights

ROOT = Path(__file__).parent.parent
LAYER = dh.Layer(channels=4, steps=5, bins=3, stride=2)
ROUNDS = {
    "waves": dh.Stack(image_channels=1, classes=3, waves=(LAYER,), rounds=4, fewest=2),
    "two layers": dh.Stack(image_channels=1, classes=3, waves=(dh.Bottleneck(maps=8), LAYER), rounds=3),
    "closed form": dh.Stack(image_channels=1, classes=3, waves=(dh.Modes(channels=4, bins=2, stride=8),), rounds=2),
    "kernels": dh.Stack(image_channels=1, classes=3, waves=(dh.Bottleneck(maps=8, stride=2),), rounds=4, fewest=2),
    "attention": dh.Stack(image_channels=1, classes=3, waves=(dh.Attention(), dh.Context(maps=8)), rounds=2),
}


def normalised(x, norm):
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2], norm.weight.flatten(), norm.bias.flatten(), 0.01).movedim(-1, 1)


def test_a_round_is_what_its_equations_say():
    model, images = dh.build(ROUNDS["waves"]).double().eval(), torch.rand(2, 1, 20, 26).double()
    (layer,) = model.layers
    for norm in (layer.norm, layer.mixed):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    fine = model.fine(images)
    first, recall = model.stem(fine), layer.recall
    x = torch.zeros_like(first)
    for number in range(4):
        torch.testing.assert_close(model.below(images, number)[1], x)
        seen, kept = recall.first(first).chunk(2, 1)
        omega, alpha, y0 = layer.start((recall.look(x) + seen).relu()).medium
        series = dh.propagate(
            y0, omega, alpha, layer.coupling(), steps=5, dt=0.5, integrator="verlet", boundary="fixed",
        )  # fmt: skip
        torch.testing.assert_close(model.waves(images, layer=number), series)
        heard = torch.einsum("kt,btcyx->bkcyx", model.time_map, series).flatten(1, 2)
        x = normalised(x + kept + layer.mix(normalised(heard, layer.norm).relu()), layer.mixed).relu()
    torch.testing.assert_close(model(images), model.logits(fine, x, None))


def test_the_norm_of_a_pixel_knows_no_other_and_no_loudness():
    norm, x = PixelNorm(6).double(), torch.randn(2, 6, 3, 4, dtype=torch.float64, requires_grad=True)
    torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    torch.testing.assert_close(norm(x), normalised(x, norm))
    assert torch.autograd.gradcheck(norm, (x,))
    torch.testing.assert_close(norm(1000 * x), norm(100 * x), atol=1e-3, rtol=0)
    torch.testing.assert_close(norm(x)[:, :, :1, :2], norm(x[:, :, :1, :2]))


@pytest.mark.parametrize("name", ROUNDS)
def test_more_rounds_are_the_same_weights_for_longer(name, tmp_path):
    model, images = dh.build(ROUNDS[name]).eval(), torch.rand(1, 1, 24, 20)
    rounds = model.config.rounds
    longer = model.listening(2.5)
    assert longer.config.rounds == round(2.5 * rounds)
    assert sum(p.numel() for p in longer.parameters()) == sum(p.numel() for p in model.parameters())
    assert len(longer.path) == longer.config.rounds * len(model.config.waves)
    for count in (1, rounds, 2 * rounds):  # a round does not know how many follow
        few = model.listening(2).below(images, count * len(model.layers))
        torch.testing.assert_close(few, longer.below(images, count * len(model.layers)))
    assert not torch.equal(longer(images), model(images))
    assert longer.reach(40)[1] >= model.reach(40)[1]
    torch.testing.assert_close(model.listening(1)(images), model(images))
    dh.save(longer, tmp_path / "longer.safetensors")
    assert torch.equal(dh.load(tmp_path / "longer.safetensors")(images), longer(images))


@pytest.mark.parametrize("name", ROUNDS)
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    model = dh.build(ROUNDS[name])
    F.cross_entropy(model(torch.rand(2, 1, 24, 24)), torch.randint(3, (2, 24, 24))).backward()
    assert not [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("name", ["waves", "kernels"])
def test_training_draws_how_many_rounds_and_an_answer_does_not(name, monkeypatch):
    model, images, counts = dh.build(ROUNDS[name]), torch.rand(2, 1, 16, 16), []
    (layer,) = model.layers
    layer.register_forward_hook(lambda *_: counts.append(1))
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        seen.add(model.drawn())
        torch.manual_seed(seed)
        counts.clear()
        drawn = model.drawn()
        torch.manual_seed(seed)
        model(images)
        assert len(counts) == drawn
    assert seen == {2, 3, 4}
    model.eval()
    assert {model.drawn() for _ in range(20)} == {4}
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize("name", ["two layers", "kernels"])
def test_a_gradient_goes_back_through_the_last_rounds_alone(name):
    config = replace(ROUNDS[name], rounds=3, fewest=3)
    torch.manual_seed(0)
    whole = dh.build(config).double()
    part = dh.build(replace(config, taught=2)).double()
    part.load_state_dict(whole.state_dict())
    images = torch.rand(2, 1, 16, 16).double()
    logits = part(images)
    torch.testing.assert_close(logits, whole(images))
    part.zero_grad(), logits.square().sum().backward()
    fine = whole.fine(images)
    first = whole.stem(fine)
    shown, x = whole.shown(first), whole.begun(first)
    for number, layer in enumerate(whole.path):
        x = x.detach() if number == len(whole.layers) else x
        x = layer(x, shown[number % len(shown)])
    whole.zero_grad(), whole.logits(fine, x, None).square().sum().backward()
    for (key, one), other in zip(part.named_parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=key, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("name", ["waves", "two layers", "kernels"])
def test_so_many_rounds_are_taught_as_the_settings_say(name):
    model, grads = dh.build(replace(ROUNDS[name], rounds=6, fewest=6, taught=2)), []
    for layer in model.layers:
        layer.recall.register_forward_hook(lambda *_: grads.append(torch.is_grad_enabled()))
    model(torch.rand(2, 1, 16, 16))
    each = len(model.layers)
    assert grads == [False] * 4 * each + [True] * 2 * each


@pytest.mark.parametrize("name", ["waves", "kernels"])
def test_a_part_of_an_image_comes_late_in_training_alone(name):
    model, images = dh.build(replace(ROUNDS[name], late=1.0)), torch.rand(2, 1, 32, 32)
    plain = dh.build(ROUNDS[name])
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(model.eval()(images), plain.eval()(images))
    torch.manual_seed(0)
    _, x, shown = model.train().entered(images)
    plain.train().entered(images)
    assert all(torch.equal(one, other) for one, other in zip(model.buffers(), plain.buffers(), strict=True))
    torch.manual_seed(0)
    torch.rand(())  # whether a part is late
    layers = plain.drawn()
    with torch.no_grad():
        _, start, of_part = plain.eval().entered(covered(images))
        torch.testing.assert_close(x, plain.through(start, of_part, layers))
    assert not x.requires_grad
    assert all(part.requires_grad for own in shown for part in own)


def test_a_share_of_the_batches_comes_late():
    model, images = dh.build(replace(ROUNDS["kernels"], late=0.5)), torch.rand(1, 1, 8, 8)
    late = [bool(model.entered(images)[1].any()) for _ in range(40)]
    assert 5 < sum(late) < 35


def test_batches_of_which_some_come_late_are_not_alike():
    alike = {"rounds": 2, "fewest": 2}
    assert not dh.build(replace(ROUNDS["waves"], **alike)).varies
    model = dh.build(replace(ROUNDS["waves"], **alike, late=0.5))
    assert model.varies  # so that no graph keeps what one of them did
    assert {model.drawn() for _ in range(9)} == {2}


def test_looking_leaves_every_part_in_its_mode():
    model = dh.build(replace(ROUNDS["waves"], late=1.0)).train()
    model.stem.eval()
    model(torch.rand(1, 1, 16, 16))
    model.waves(torch.rand(1, 1, 16, 16))
    assert model.training
    assert model.layers.training
    assert not any(part.training for part in model.stem.modules())


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3), (2, 2), (3, 5)])
def test_a_small_image_is_neither_all_covered_nor_not_at_all(size):
    for _ in range(30):
        shown = covered(torch.ones(1, 1, *size))
        assert shown.any()
        assert (shown == 0).any() or min(size) == 1


def test_a_cover_hides_one_side():
    torch.manual_seed(0)
    images, sides = torch.rand(3, 1, 40, 60) + 1, set()
    for _ in range(60):
        shown = covered(images) > 0
        assert torch.equal(shown[0], shown[2])
        rows, columns = shown[0, 0].any(1), shown[0, 0].any(0)
        assert torch.equal(shown[0, 0], rows[:, None] & columns)
        assert 0.24 < shown.float().mean() < 0.76
        sides.add((bool(rows[0]), bool(rows[-1]), bool(columns[0]), bool(columns[-1])))
    assert sides == {(False, True, True, True), (True, False, True, True), (True, True, False, True),
                     (True, True, True, False)}  # fmt: skip


def test_a_broken_round_is_named():
    model = dh.build(ROUNDS["two layers"]).eval()
    said = [*courants(model, torch.rand(1, 1, 16, 16))]
    assert len(said) == 3
    assert all(f"the waves of layers.1 in round {number}" in words for number, words in enumerate(said, 1))


def test_fewer_rounds_than_were_taught():
    model, images = dh.build(replace(ROUNDS["waves"], rounds=8, taught=6)).eval(), torch.rand(1, 1, 16, 16)
    for rounds in (2, 6, 7):
        few = model.in_rounds(rounds)
        assert (few.config.rounds, few.config.taught) == (rounds, 6 if rounds == 7 else 0)
        torch.testing.assert_close(few.below(images, rounds)[1], model.below(images, rounds)[1])


def test_layers_are_counted_through_all_rounds():
    model, images = dh.build(ROUNDS["two layers"]).eval(), torch.rand(1, 1, 16, 16)
    assert model.sounding == [1, 3, 5]
    torch.testing.assert_close(model.waves(images, layer=5), model.waves(images))
    assert not torch.allclose(model.waves(images, layer=1), model.waves(images, layer=3))
    omega, _, _ = model.medium(images, layer=3)
    assert omega.shape == (1, 4, 8, 8)
    with pytest.raises(dh.DrumheadError, match="layer=4: this layer has no waves"):
        model.waves(images, layer=4)
    with pytest.raises(dh.DrumheadError, match="the layers 0 to 5"):
        model.waves(images, layer=6)
    assert model.courant(images) <= 0.9 + 1e-5
    assert model.cut().courant(images) <= 0.9 + 1e-5
    waves = model.cut().waves(images)
    assert waves.isfinite().all()


def test_the_answer_depends_on_nothing_beyond_its_reach():
    model, images = dh.build(ROUNDS["waves"].changed(steps=2)).eval(), torch.rand(1, 1, 1, 160)
    low, high = model.reach(80)
    assert 0 < low < high < 159
    before = model(images)[..., 80]
    far = images.clone()
    far[..., :low], far[..., high + 1 :] = 0, 0
    torch.testing.assert_close(model(far)[..., 80], before)


def test_an_interrupted_run_draws_the_same_rounds(tmp_path, monkeypatch):
    config = get_preset("wires/nwm-rounds")
    config = replace(
        config, model=config.model.changed(steps=2),
        train=replace(config.train, epochs=2, limit=16, batch=4, epoch_images=0, validation_images=4),
    )  # fmt: skip
    whole = train.start(config, tmp_path / "whole")
    monkeypatch.setattr(training, "LOOK_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        train.start(config, tmp_path / "parts", StopAfter(3))
    monkeypatch.undo()
    parts = train.resume(tmp_path / "parts")
    assert all(same(a, b) for a, b in zip(weights(whole), weights(parts), strict=True))


def test_evaluate_and_segment_take_another_number_of_rounds(tmp_path, capsys):
    config = get_preset("wires/nwm-rounds")
    model = dh.build(config.model.changed(steps=2, channels=4))
    dh.save(model, tmp_path / "net.safetensors", task="wires")
    words = (tmp_path / "net.safetensors", "--limit", 2, "--json-out")
    assert call("evaluate", *words, tmp_path / "own.json") == 0
    assert call("evaluate", *words, tmp_path / "more.json", "--rounds", 9) == 0
    assert "2 images, 9 rounds" in capsys.readouterr().out
    own, more = (json.loads((tmp_path / name).read_text()) for name in ("own.json", "more.json"))
    assert (own.get("rounds"), more["rounds"]) == (None, 9)
    assert own["loss"] != more["loss"]
    image = ROOT / "src" / "drumhead" / "samples" / "wires"
    assert call("segment", image, "--model", words[0], "--rounds", 9, "--out", tmp_path / "out") == 0
    assert list((tmp_path / "out").glob("*-waves.gif"))
    capsys.readouterr()
    assert call("evaluate", *words, tmp_path / "no.json", "--rounds", 1) == 2
    assert "rounds=1: a whole number of at least 2 is needed" in capsys.readouterr().err
    assert call("evaluate", "wires-stack", "--limit", 2, "--rounds", 2) == 2
    assert "runs its layers once, not in rounds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0}, r"model.rounds=0: at least 1 is needed"),
        ({"rounds": 2, "fewest": 3}, r"model.fewest=3: training draws from so many to model.rounds=2"),
        ({"rounds": 4, "taught": 4}, r"model.taught=4 does nothing beside model.rounds=4, no more than these"),
        ({"fewest": 2}, r"model.fewest=2: training draws"),
        ({"late": 0.5}, r"model.late=0.5 does nothing beside model.rounds=1"),
        ({"rounds": 2, "late": 1.5}, r"model.late=1.5: a share of the batches is needed, 0 to 1"),
        ({"rounds": 2, "late": float("nan")}, r"model.late=nan: a share"),
        ({"rounds": 1001}, r"at most 1000 is possible"),
        ({"rounds": 2.0}, r"model.rounds=2.0 has the wrong type"),
    ],
)
def test_rounds_that_there_cannot_be(settings, message):
    with pytest.raises(dh.DrumheadError, match=message):
        dh.Stack(**settings)
