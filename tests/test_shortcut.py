"""The short way through a layer of waves gives the numbers of the long one, and nobody who looks is passed by."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

import drumhead as dh
from drumhead.engine.plan import planning
from drumhead.networks import shortcut
from drumhead.networks.layers import Stepped
from drumhead.networks.readouts import TimeReadout
from drumhead.networks.stack import WaveStack

pytestmark = pytest.mark.skipif(dh.engine.available()["native"] != "yes", reason="the C engine is not there")
LAYERS = {
    "as in the presets": dh.Layer(),
    "linear": dh.Layer(nonlinearity="linear"),
    "euler": dh.Layer(integrator="euler", courant=0.0, dt=0.1),
    "a velocity": dh.Layer(velocity="image"),
    "dense": dh.Layer(coupling="dense"),
    "mixed": dh.Layer(coupling="mixed"),
    "no coupling": dh.Layer(coupling="none"),
    "periodic": dh.Layer(boundary="periodic"),
    "reflecting": dh.Layer(boundary="reflecting"),
    "free": dh.Layer(courant=0.0, dt=0.1),
    "large kernels": dh.Layer(kernel_size=5),
    "one sheet": dh.Layer(channels=1, bins=1, steps=1),
}


def made(layer=LAYERS["as in the presets"], **others):
    """Return a layer of a network whose weights are not those that it began with, and features for it."""
    torch.manual_seed(0)
    model = dh.build(dh.Stack(waves=(layer,), **others)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.layers[0], torch.rand(3, model.config.width, 7, 5)


def the_long_way(layer, x):
    return layer.heard(layer.start(x))


@torch.no_grad()
@pytest.mark.parametrize("name", LAYERS)
def test_the_numbers_are_those_of_the_long_way(name):
    layer, x = made(LAYERS[name])
    found = shortcut.heard(layer, x)
    assert found is not None
    assert torch.equal(found, the_long_way(layer, x))
    assert torch.equal(layer(x), layer.add(x, the_long_way(layer, x)))
    strided = torch.rand(3, 5, 7, x.shape[1]).movedim(-1, 1)
    assert torch.equal(shortcut.heard(layer, strided), the_long_way(layer, strided.contiguous()))


@torch.no_grad()
def test_every_layer_of_an_answer_takes_it(monkeypatch):
    taken = []
    native = shortcut._native
    monkeypatch.setattr(shortcut, "_native", lambda *given: (taken.append(1), native(*given))[1])
    stacks = ("tetrominoes/nwm-stack", 3), ("wires/nwm-rounds", 6), ("mnist/nwm-stack-l", 3)
    for name, layers in stacks:
        model = dh.build(name).eval()
        taken.clear()
        model(torch.rand(1, model.config.image_channels, 16, 16))
        assert len(taken) == layers
    pyramid = dh.build(dh.Stack(waves=(dh.Layer(), dh.Layer(stride=8), dh.Modes()))).eval()
    taken.clear()
    pyramid(torch.rand(1, 3, 24, 24))
    assert len(taken) == 2  # one of them coarser, and none in closed form


def own(name):
    """Return what replaces a method of a layer by one that calls it."""

    def replaced(layer):
        method = getattr(layer, name)
        setattr(layer, name, lambda *given: method(*given))

    return replaced


def no_medium_bias(layer):
    layer.medium.bias = None


HINDRANCES = {
    "a hook of the medium": lambda layer: layer.medium.register_forward_hook(lambda *_: None),
    "a medium that looks around": lambda layer: setattr(layer, "medium", nn.Conv2d(32, 48, 3, padding=1)),
    "no bias": no_medium_bias,
    "pruning": lambda layer: prune.random_unstructured(layer.medium, "weight", 0.5),
    "a parametrization": lambda layer: parametrize.register_parametrization(layer.medium, "weight", nn.Identity()),
    "a start of its own": own("start"),
    "a run of its own": own("run"),
    "a way to hear of its own": own("heard"),
    "a coupling of its own": own("coupling"),
    "another readout": lambda layer: setattr(layer, "readout", TimeReadout("max", 8, layer.steps)),
    "a record of its own": lambda layer: setattr(layer.readout, "record", lambda: dh.Max()),
    "a hook of the readout": lambda layer: layer.readout.register_forward_hook(lambda *_: None),
}


@torch.no_grad()
@pytest.mark.parametrize("name", HINDRANCES)
def test_a_layer_that_its_user_changed_takes_the_long_way(name):
    layer, x = made(width=32)
    HINDRANCES[name](layer)
    assert shortcut.heard(layer, x) is None
    assert torch.equal(layer.listened(x), the_long_way(layer, x))


@torch.no_grad()
def test_a_kernel_of_another_type_takes_the_long_way():
    layer, x = made()
    layer.kernel.data = layer.kernel.data.double()
    assert shortcut.heard(layer, x) is None


@torch.no_grad()
@pytest.mark.parametrize("name", ["encode", "begin", "run", "finish"])
def test_whoever_replaces_a_part_of_a_stack_is_asked_whatever_it_is(name):
    model, images, asked = dh.build("mnist/nwm-stack").eval(), torch.rand(1, 1, 16, 16), []
    method = getattr(model, name)
    setattr(model, name, lambda *given, **named: (asked.append(1), method(*given, **named))[1])
    assert model._parted()
    model(images)
    assert bool(asked) == (name != "begin")  # which `waves` and `time_course` ask, and an answer does not


@torch.no_grad()
def test_who_replaces_a_part_of_a_stack_is_asked():
    class Loud(WaveStack):
        def run(self, start, record, steps):
            return 2 * super().run(start, record, steps)

    quiet, images = dh.build("mnist/nwm-stack").eval(), torch.rand(1, 1, 16, 16)
    loud = Loud(quiet.config).eval()
    loud.load_state_dict(quiet.state_dict())
    assert not torch.equal(loud(images), quiet(images))
    finish = quiet.finish
    quiet.finish = lambda *given: 2 * finish(*given)
    torch.testing.assert_close(quiet(images), quiet.heard(images, dh.Last())[0], rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("around", ["eager", "autocast", "planning", "float64", "absorbing", "gradients"])
def test_what_is_asked_for_takes_the_long_way(around):
    layer, x = made(dh.Layer(boundary="absorbing") if around == "absorbing" else dh.Layer())
    if around == "float64":
        layer, x = layer.double(), x.double()
    context = {
        "eager": dh.engine.using("eager"),
        "autocast": torch.autocast("cpu", torch.bfloat16),
        "planning": planning(sheet=0),
        "gradients": torch.enable_grad(),
    }.get(around, nullcontext())
    with context:
        assert shortcut.heard(layer, x) is None
        assert torch.equal(layer.listened(x), the_long_way(layer, x))


@torch.no_grad()
def test_a_subclass_is_asked_itself():
    class Loud(Stepped):
        def heard(self, start):
            return 2 * super().heard(start)

    layer, x = made()
    quiet = layer.listened(x)
    layer.__class__ = Loud
    assert torch.equal(layer.listened(x), 2 * quiet)


@torch.no_grad()
def test_constants_take_the_long_way():
    for names in ({"omega": "constant"}, {"alpha": "constant"}):
        layer, x = made(dh.Layer(**names))
        assert torch.equal(layer.listened(x), the_long_way(layer, x))


@torch.no_grad()
@pytest.mark.parametrize(("part", "shape"), [("kernel", (16, 1, 4, 4)), ("kernel", (3, 1, 3, 3)), ("time_map", (8, 5))])
def test_a_parameter_of_another_shape_is_refused(part, shape):
    layer, x = made()
    owner = layer if part == "kernel" else layer.readout
    setattr(owner, part, nn.Parameter(torch.rand(shape)))
    with pytest.raises(dh.DrumheadError, match=r"kernel: got|basis: got"):
        shortcut.heard(layer, x)
