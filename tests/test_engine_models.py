"""Whole networks with and without the engine: the same logits, the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import drumhead as dh
from conftest import compiles
from drumhead.engine.cpu import library
from drumhead.networks.readouts import Head
from drumhead.settings.presets import get_preset

pytestmark = pytest.mark.skipif(library.load() is None, reason="no C compiler")

NAMES = (
    "tetrominoes/nwm-linear", "tetrominoes/nwm-fft", "tetrominoes/nwm-last", "tetrominoes/nwm-mean",
    "tetrominoes/nwm-max", "tetrominoes/nwm-fast", "multi-mnist/nwm-linear", "mnist/lstm-linear", "polygons/cnn-4",
)  # fmt: skip


def run(model, images, backend, autocast=False):
    model.zero_grad()
    with dh.engine.using(backend), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        logits = model(images).float()
    torch.nn.functional.cross_entropy(logits, torch.zeros_like(logits[:, 0]).long()).backward()
    return logits.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", NAMES)
def test_engines_change_no_network(name):
    torch.manual_seed(0)
    model = dh.build(name)
    images = torch.rand(2, model.config.image_channels, 14, 18)
    logits, gradients = run(model, images, "auto")
    expected, wanted = run(model, images, "eager")
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert len(gradients) == len(wanted)
    for gradient, want in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, want, rtol=0, atol=1e-4 * float(want.abs().max()) + 1e-9)


def test_a_time_map_and_a_layer_become_one_where_that_is_cheaper(monkeypatch):
    kept = []
    propagate = dh.propagate.__globals__["run"]
    monkeypatch.setattr(
        "drumhead.physics.propagate.run", lambda plan, fields: kept.append(plan.keep) or propagate(plan, fields)
    )
    for name in ("tetrominoes/nwm-linear", "multi-mnist/nwm-linear", "tetrominoes/nwm-fast"):
        model = dh.build(name)
        model.segment(torch.rand(1, model.config.image_channels, 8, 8))
    assert kept == ["project", "mix", "project"]


@pytest.mark.parametrize("name", ["tetrominoes/nwm-linear", "multi-mnist/nwm-linear"])
def test_bfloat16_stays_close(name):
    torch.manual_seed(0)
    model = dh.build(name)
    images = torch.rand(2, model.config.image_channels, 16, 32)
    logits, gradients = run(model, images, "auto", autocast=True)
    expected, wanted = run(model, images, "eager")
    assert float((logits - expected).norm() / expected.norm()) < 0.05
    far = [float((a - b).norm() / b.norm()) for a, b in zip(gradients, wanted, strict=True) if b.norm() > 1e-6]
    assert sum(far) / len(far) < 0.2


class Louder(nn.Conv2d):
    def forward(self, input):
        return 2 * super().forward(input)


class Prouder(Head):
    def forward(self, features, size, at=None):
        return 2 * super().forward(features, size, at)


class Adapted(nn.Module):
    """A layer beside a learned product of low rank."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.low = nn.Sequential(nn.Conv2d(layer.in_channels, 1, 1), nn.Conv2d(1, layer.out_channels, 1))

    def forward(self, x):
        return self.layer(x) + self.low(x)


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


def doubling(times):
    """A forward hook that counts and doubles."""
    return lambda module, given, out: times.append(type(module)) or 2 * out


def own_forward(module, real):
    module.forward = lambda *given: 2 * real(*given)


CHANGES = {
    "nothing": lambda head, times: None,
    "an activation": lambda head, times: head.layers.__setitem__(1, nn.LeakyReLU(0.2)),
    "a normalisation": lambda head, times: head.layers.insert(1, nn.BatchNorm2d(8)),
    "dropout": lambda head, times: head.layers.insert(2, nn.Dropout(0.5)),
    "dropout in place of ReLU": lambda head, times: head.layers.__setitem__(3, nn.Dropout(0.5)),
    "groups": lambda head, times: head.layers.__setitem__(2, nn.Conv2d(8, 8, 1, groups=2)),
    "neighbours": lambda head, times: head.layers.__setitem__(2, nn.Conv2d(8, 8, 3, padding=1)),
    "neighbours first": lambda head, times: head.layers.__setitem__(0, nn.Conv2d(28, 8, 3, padding=1)),
    "padding": lambda head, times: head.layers.__setitem__(4, nn.Conv2d(8, 5, 1, padding=1)),
    "stride": lambda head, times: head.layers.__setitem__(4, nn.Conv2d(8, 5, 1, stride=2)),
    "no bias": lambda head, times: head.layers.__setitem__(2, nn.Conv2d(8, 8, 1, bias=False)),
    "no bias first": lambda head, times: head.layers.__setitem__(0, nn.Conv2d(28, 8, 1, bias=False)),
    "a subclass": lambda head, times: head.layers.__setitem__(2, Louder(8, 8, 1)),
    "a wrapped layer": lambda head, times: head.layers.__setitem__(2, nn.Sequential(head.layers[2])),
    "an adapter": lambda head, times: head.layers.__setitem__(0, Adapted(head.layers[0])),
    "no ReLU": lambda head, times: head.layers.__delitem__(1),
    "ReLU last": lambda head, times: head.layers.append(nn.ReLU()),
    "one ReLU for all": lambda head, times: head.layers.__setitem__(3, head.layers[1]),
    "one layer": lambda head, times: setattr(head, "layers", nn.Sequential(nn.Conv2d(28, 5, 1))),
    "a layer in place of the Sequential": lambda head, times: setattr(head, "layers", Louder(28, 5, 1)),
    "a normalisation before": lambda head, times: setattr(head, "norm", nn.GroupNorm(4, 28)),
    "another head": lambda head, times: setattr(head, "__class__", Prouder),
    "a frozen layer": lambda head, times: head.layers[2].requires_grad_(False),
    "pruning": lambda head, times: prune.l1_unstructured(head.layers[2], "weight", 0.5),
    "pruning first": lambda head, times: prune.l1_unstructured(head.layers[0], "weight", 0.5),
    "weight norm": lambda head, times: parametrizations.weight_norm(head.layers[0]),
    "spectral norm": lambda head, times: parametrizations.spectral_norm(head.layers[4]),
    "a forward of a layer": lambda head, times: own_forward(head.layers[2], head.layers[2].forward),
    "a forward of the layers": lambda head, times: own_forward(head.layers, head.layers.forward),
    "a forward of the head": lambda head, times: own_forward(head, head.forward),
    "a hook of a layer": lambda head, times: head.layers[2].register_forward_hook(doubling(times)),
    "a hook of an activation": lambda head, times: head.layers[1].register_forward_hook(doubling(times)),
    "a hook of the layers": lambda head, times: head.layers.register_forward_hook(doubling(times)),
    "a hook of the norm": lambda head, times: head.norm.register_forward_hook(doubling(times)),
    "a hook of the head": lambda head, times: head.register_forward_hook(doubling(times)),
    "a hook before": lambda head, times: head.layers[0].register_forward_pre_hook(
        lambda module, given: times.append(0) or (2 * given[0],)
    ),
    "a hook of gradients": lambda head, times: head.layers[2].register_full_backward_hook(
        lambda module, inner, outer: times.append(0) or (2 * inner[0],)
    ),
    "a hook of gradients before": lambda head, times: head.layers[4].register_full_backward_pre_hook(
        lambda module, outer: times.append(0) or (2 * outer[0],)
    ),
    "a hook of all": lambda head, times: nn.modules.module.register_module_forward_hook(
        lambda module, given, out: times.append(type(module)) or (2 * out if type(module) is nn.ReLU else None)
    ),
}  # fmt: skip
LISTENING = {
    "a hook of the readout": lambda model, times: model.readout.register_forward_hook(doubling(times)),
    "a time map of two": lambda model, times: parametrize.register_parametrization(
        model.readout, "time_map", Doubled()
    ),
    "a kernel of two": lambda model, times: parametrize.register_parametrization(model, "kernel", Doubled()),
}


def small():
    """A network whose time map and first layer become one."""
    return dh.build(get_preset("multi-mnist/nwm-linear").model.changed(steps=12, channels=4, head=(8, 8)))


def trained(change, backend):
    """Return all that two steps of training and an answer at some pixels give, and how often hooks ran."""
    torch.manual_seed(0)
    model, times, found = small(), [], []
    images, at = torch.rand(2, 1, 10, 9), torch.tensor([[0, 7, 44], [3, 50, 89]])
    hook = change(model, times)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    try:
        with dh.engine.using(backend):
            for _ in range(2):
                optimizer.zero_grad()
                logits = model(images)
                logits.square().mean().backward()
                found += [logits.detach().clone(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
                optimizer.step()
            model.eval()
            with torch.no_grad():
                everywhere = model(images)
                if everywhere.shape[-2:] == images.shape[-2:]:
                    wanted = everywhere.flatten(2).gather(2, at[:, None].expand(-1, everywhere.shape[1], -1))
                    torch.testing.assert_close(model(images, at)[..., 0], wanted)
    finally:
        if hasattr(hook, "remove"):
            hook.remove()
    return found, times


@pytest.mark.parametrize("name", [*CHANGES, *LISTENING])
def test_what_a_user_makes_of_a_head_runs_as_written(name):
    change = LISTENING.get(name) or (lambda model, times: CHANGES[name](model.head, times))
    found, times = trained(change, "auto")
    expected, wanted = trained(change, "eager")
    assert times == wanted
    assert bool(times) is ("hook" in name)
    assert len(found) == len(expected)
    for got, want in zip(found, expected, strict=True):
        largest = float(want.abs().max())
        if largest < 2e-6:  # of a bias before a normalisation, which has no gradient: rounding, of either
            assert got.abs().max() < 1e-5
            continue
        torch.testing.assert_close(got, want, rtol=0, atol=1e-4 * largest + 1e-6)


def test_hooks_of_a_head_see_what_its_layers_gave():
    model, seen = small(), {}
    for name, layer in model.head.layers.named_children():
        layer.register_forward_hook(lambda module, given, out, name=name: seen.update({name: (given[0], out)}))
    logits = model(torch.rand(1, 1, 8, 8))
    assert list(seen) == ["0", "1", "2", "3", "4"]
    assert torch.equal(seen["4"][1], logits)
    assert torch.equal(seen["1"][1], F.relu(seen["0"][1]))


def test_one_map_says_what_its_two_halves_say():
    model, images = small(), torch.rand(2, 1, 10, 9)
    series = model.waves(images)
    apart = model.head(model.readout(model.readout.record().collect(iter(series.unbind(1)), 12)), images.shape[-2:])
    for backend in ("auto", "eager"):
        with dh.engine.using(backend):
            torch.testing.assert_close(model(images), apart, rtol=0, atol=1e-5 * float(apart.detach().abs().max()))


@pytest.mark.parametrize(
    ("name", "part", "last"), [("cnn-2", "layers", "11"), ("resnet-4", "head", "6"), ("unet-2", "", "last")]
)
def test_other_networks_run_as_written_too(name, part, last):
    images, at = torch.rand(2, 3, 12, 12), torch.tensor([[0, 7, 44], [3, 50, 89]])
    model, times = dh.build(f"tetrominoes/{name}").eval(), []
    layers = model.get_submodule(part)
    before = layers.get_submodule(last)
    layers.add_module(last, nn.Conv2d(before.in_channels, before.out_channels, 3, padding=1))
    layers.register_forward_hook(doubling(times))
    answers = []
    for backend in ("auto", "eager"):
        with dh.engine.using(backend):
            logits = model(images)
            wanted = logits.flatten(2).gather(2, at[:, None].expand(-1, 6, -1))
            torch.testing.assert_close(model(images, at)[..., 0], wanted)
        answers.append(logits)
    torch.testing.assert_close(*answers)
    assert len(times) == 4


def test_many_heads_hear_the_same_waves():
    """torch.func.vmap batches the weights and not what they are applied to."""
    model, images = small(), torch.rand(2, 1, 8, 8)
    weights = {"head.layers.4.weight": torch.stack([model.head.layers[4].weight, 2 * model.head.layers[4].weight])}
    answers = torch.func.vmap(lambda weights: torch.func.functional_call(model, weights, (images,)))(weights)
    for answer, weight in zip(answers, weights["head.layers.4.weight"], strict=True):
        wanted = torch.func.functional_call(model, {"head.layers.4.weight": weight}, (images,))
        torch.testing.assert_close(answer, wanted, rtol=1e-4, atol=1e-6)


@compiles
@pytest.mark.parametrize("name", ["an activation", "pruning", "a hook of a layer"])
def test_a_compiled_network_runs_its_head_as_written(name):
    torch._dynamo.reset()  # torch takes one network's graph for another's with hooks
    model, times = small(), []
    CHANGES[name](model.head, times)
    images, compiled = torch.rand(2, 1, 8, 8), torch.compile(model, backend="eager")
    with dh.engine.using("eager"):
        wanted = model(images)
    torch.testing.assert_close(compiled(images), wanted, rtol=0, atol=1e-5 * float(wanted.detach().abs().max()))
    assert len(times) == 2 * ("hook" in name)
