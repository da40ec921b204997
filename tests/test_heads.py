"""What a user makes of a network's layers runs as written, engine or not; what `dh.save` takes of it."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import drumhead as dh
from drumhead.engine.cpu import library

NAMES = ("tetrominoes/nwm-last", "multi-mnist/nwm-linear", "tetrominoes/nwm-fast", "mnist/lstm-last", "mnist/cnn-4")


class Doubled(nn.Conv2d):
    """A layer of a class of its own."""

    def forward(self, input):
        return 2 * super().forward(input)


class Beside(nn.Module):
    """A layer in a wrapper with a few weights beside it, as adapters are."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.low = layer, nn.Conv2d(layer.in_channels, layer.out_channels, 1, bias=False)

    def forward(self, x):
        return self.layer(x) + self.low(x)


class Half(nn.Module):
    """A parametrization."""

    def forward(self, weight):
        return weight / 2


def layers(model):
    """Return the pointwise layers that end a network, and whatever stands between them."""
    return model.head.layers if hasattr(model, "head") else model.layers


def swap(kind, make, model):
    for index, layer in enumerate(layers(model)):
        if isinstance(layer, kind):
            layers(model)[index] = make(layer)


def like(kind, **options):
    def make(layer):
        made = kind(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding, **options)
        made.load_state_dict({**layer.state_dict(), **{k: v for k, v in made.state_dict().items() if k != "weight"}})
        return made

    return make


def last(model):
    return layers(model)[-1]


class Absolute(nn.ReLU):
    """An activation of a class of its own."""

    def forward(self, input):
        return input.abs()


def without_bias(layer):
    return nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding, bias=False)


def look_around(model):
    inner = last(model).in_channels
    layers(model).insert(-1, nn.Conv2d(inner, inner, 3, padding=1))


def forward_of_its_own(model):
    run = last(model).forward
    last(model).forward = lambda x: run(x).tanh()


CHANGES = {
    "gelu": lambda model: swap(nn.ReLU, lambda _: nn.GELU(), model),
    "no activation": lambda model: swap(nn.ReLU, lambda _: nn.Identity(), model),
    "an activation of its own class": lambda model: swap(nn.ReLU, lambda _: Absolute(), model),
    "normalisation": lambda model: layers(model).insert(-1, nn.GroupNorm(1, last(model).in_channels)),
    "one more activation": lambda model: layers(model).append(nn.Softplus()),
    "a layer of its own class": lambda model: swap(nn.Conv2d, like(Doubled), model),
    "no bias": lambda model: swap(nn.Conv2d, without_bias, model),
    "a 3x3 convolution": look_around,
    "in a wrapper": lambda model: layers(model).append(Beside(layers(model).pop(-1))),
    "pruning": lambda model: prune.l1_unstructured(last(model), "weight", 0.5),
    "weight norm": lambda model: parametrizations.weight_norm(layers(model)[0]),
    "a parametrization": lambda model: parametrize.register_parametrization(last(model), "bias", Half()),
    "a hook": lambda model: last(model).register_forward_hook(lambda module, inputs, out: out.sin()),
    "a hook before": lambda model: last(model).register_forward_pre_hook(lambda module, inputs: (inputs[0].cos(),)),
    "a hook on the whole": lambda model: layers(model).register_forward_hook(lambda module, inputs, out: 3 * out),
    "a hook of gradients": lambda model: last(model).register_full_backward_hook(lambda module, to, of: (2 * to[0],)),
    "a forward of its own": forward_of_its_own,
    "a frozen layer": lambda model: last(model).requires_grad_(False),
    "in double": lambda model: model.double(),
}  # fmt: skip


def step_twice(model, images, backend):
    """Return the logits after two steps of training, and the weights."""
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01)
    with dh.engine.using(backend):
        for _ in range(2):
            optimiser.zero_grad()
            logits = model(images)
            if not logits.requires_grad:
                break
            logits.square().mean().backward()
            optimiser.step()
        return model(images).detach(), model.state_dict()


@pytest.mark.skipif(library.load() is None, reason="no C compiler")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_done_to_a_layer_runs_as_written(name, change):
    found = []
    for backend in ("auto", "eager"):
        torch.manual_seed(0)
        model = dh.build(name)
        CHANGES[change](model)
        dtype = next(model.parameters()).dtype
        images = torch.rand(2, model.config.image_channels, 8, 10, generator=torch.manual_seed(1)).to(dtype)
        found.append(step_twice(model, images, backend))
    (logits, weights), (expected, wanted) = found
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    for key, weight in wanted.items():
        torch.testing.assert_close(weights[key], weight, rtol=1e-4, atol=1e-5 + 1e-4 * float(weight.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_hooks_see_every_pass(name):
    seen = {}
    model = dh.build(name).eval()
    for key, module in model.named_modules():
        module.register_forward_hook(lambda module, inputs, out, key=key: seen.__setitem__(key, seen.get(key, 0) + 1))
    images = torch.rand(1, model.config.image_channels, 8, 8)
    with dh.engine.using("auto"):
        model(images)
    auto, steps = dict(seen), seen.clear()
    with dh.engine.using("eager"):
        model(images)
    assert auto == seen, steps
    assert seen


def test_a_hook_on_every_module_sees_the_head():
    seen, model = [], dh.build("tetrominoes/nwm-last").eval()
    hook = nn.modules.module.register_module_forward_hook(lambda module, inputs, out: seen.append(module))
    try:
        model(torch.rand(1, 3, 8, 8))
    finally:
        hook.remove()
    assert all(any(layer is module for module in seen) for layer in model.head.layers)


@pytest.mark.parametrize("name", ["tetrominoes/nwm-fast", "multi-mnist/nwm-linear", "mnist/cnn-4", "mnist/unet-2"])
def test_some_pixels_of_a_changed_network_are_those_of_all(name):
    model = dh.build(name).eval()
    if hasattr(model, "head") or hasattr(model, "layers"):
        CHANGES["a 3x3 convolution"](model)
    else:
        model.last = nn.Conv2d(model.last.in_channels, 11, 3, padding=1)
    images = torch.rand(2, model.config.image_channels, 8, 8)
    at = torch.tensor([[0, 9, 63], [1, 2, 40]])
    whole = model(images).flatten(2).gather(2, at[:, None].expand(-1, model.config.classes, -1))
    torch.testing.assert_close(model(images, at)[..., 0], whole, rtol=1e-4, atol=1e-5)


def wrapped(model):
    yield "compiled", torch.compile(model, backend="eager")
    yield "DataParallel", nn.DataParallel(model)
    yield "AveragedModel", torch.optim.swa_utils.AveragedModel(model)
    yield "twice", nn.DataParallel(torch.compile(model, backend="eager"))


def test_save_takes_networks_out_of_their_wrappers(tmp_path):
    model = dh.build("tetrominoes/nwm-fast").eval()
    images = torch.rand(1, 3, 8, 8)
    for name, network in wrapped(model):
        dh.save(network, tmp_path / "m.safetensors")
        assert torch.equal(dh.load(tmp_path / "m.safetensors")(images), model(images)), name
    model.head = torch.compile(model.head, backend="eager")
    dh.save(model, tmp_path / "m.safetensors")
    assert set(dh.load(tmp_path / "m.safetensors").state_dict()) == set(dh.load("tetrominoes").state_dict())


def test_save_takes_a_network_of_fabric(tmp_path):
    from lightning_fabric import Fabric

    model = dh.build("tetrominoes/nwm-fast")
    dh.save(Fabric(accelerator="cpu", devices=1).setup(model), tmp_path / "m.safetensors")
    dh.load(tmp_path / "m.safetensors")


def test_save_refuses_what_could_not_be_loaded(tmp_path):
    path = tmp_path / "m.safetensors"
    for change in ("pruning", "weight norm", "no bias"):
        model = dh.build("tetrominoes/nwm-last")
        CHANGES[change](model)
        with pytest.raises(dh.DrumheadError, match=r"save: tensor head\.layers.* is (missing|not part).*remove"):
            dh.save(model, path)
    model = dh.build("tetrominoes/nwm-last")
    model.head.layers[-1] = nn.Conv2d(256, 9, 1)
    with pytest.raises(dh.DrumheadError, match="has the shape"):
        dh.save(model, path)
    with pytest.raises(dh.DrumheadError, match=r"got Linear; a network such as dh.build makes"):
        dh.save(nn.Linear(2, 2), path)
    assert not path.exists()
