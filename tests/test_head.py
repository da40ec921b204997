"""The head of a stack on two grids at once, and chains with their normalisations folded: torch's numbers, cheaper."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import drumhead as dh
from conftest import same_whatever_memory_held
from drumhead.engine.choose import pick
from drumhead.engine.cpu import library, pointwise
from drumhead.engine.pixelwise import lifted
from drumhead.engine.pixelwise import pointwise as pointwise_of
from drumhead.networks.chain import Chain

compiled = pytest.mark.skipif(library.load() is None, reason="no C compiler")


def problem(grid, size, dtype=torch.float64, fine=3, below=5, lift=2, batch=2):
    """Return features on both grids, the lift and a head."""
    coarse = [-(-side // grid) for side in size]
    maps = [torch.randn(batch, fine, *size), torch.randn(batch, below, *coarse)]
    head = nn.Sequential(nn.Conv2d(fine + lift, 6, 1), nn.ReLU(), nn.Conv2d(6, 3, 1)).to(dtype)
    return [x.to(dtype).requires_grad_() for x in maps], nn.Conv2d(below, lift * grid**2, 1).to(dtype), head


def as_written(fine, coarse, up, grid, head):
    raised = F.pixel_shuffle(up(coarse), grid)[..., : fine.shape[-2], : fine.shape[-1]]
    return head(torch.cat([fine, raised], 1))


def both(maps, up, grid, head):
    """Return logits and all gradients from the engine and from torch."""
    leaves, found = [*maps, *up.parameters(), *head.parameters()], []
    for answer in (lifted, as_written):
        with dh.engine.using("native" if answer is lifted else "eager"):
            logits = answer(*maps, up, grid, head)
        torch.manual_seed(1)
        gradients = torch.autograd.grad((logits * torch.randn_like(logits)).sum(), leaves)
        found.append([logits.detach(), *gradients])
    return found


@compiled
@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 37), st.integers(1, 70), st.booleans())
def test_two_grids_at_once_are_what_torch_makes_of_them(grid, height, width, double):
    dtype, far = (torch.float64, 1e-12) if double else (torch.float32, 1e-5)
    maps, up, head = problem(grid, (height, width), dtype)
    for got, want in zip(*both(maps, up, grid, head), strict=True):
        assert got.shape == want.shape
        assert float((got - want).abs().max()) <= far * max(1.0, float(want.abs().max()))


@compiled
def test_gradients_of_two_grids_are_derivatives():
    maps, up, head = problem(2, (3, 5), batch=1)
    layers = (up, head[0], head[2])
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]

    def logits(fine, coarse, *parameters):
        matrices = [p.flatten(1) for p in parameters[: len(weights)]]
        return pointwise.pointwise(fine, matrices, list(parameters[len(weights) :]), False, coarse)

    assert torch.autograd.gradcheck(logits, (*maps, *weights, *biases))


@compiled
def test_threads_change_no_bit():
    maps, up, head = problem(4, (61, 130), torch.float32)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            found.append(both(maps, up, 4, head)[0])
        finally:
            torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@compiled
def test_many_threads_share_the_tiles_of_one_image(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    x, few = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 1, 64)
    assert pick("auto", x, (x,), True) == "eager"  # waves: a thread an image
    head = nn.Sequential(nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 2, 1))
    taken = []
    monkeypatch.setattr(pointwise, "pointwise", lambda x, *others: taken.append(x.shape) or head(x))
    pointwise_of(x, head)
    pointwise_of(few, head)
    assert taken == [x.shape]


@compiled
def test_nothing_outside_a_tile_is_read(monkeypatch):
    """Scratch memory full of NaN instead of zeros: the same bits."""
    maps, up, head = problem(4, (7, 9), torch.float32)
    assert same_whatever_memory_held(monkeypatch, lambda: both(maps, up, 4, head)[0])


@compiled
@pytest.mark.parametrize("shape", [(2, 5, 2, 2), (2, 5, 3, 2), (1, 5, 2, 3), (2, 5, 2)])
def test_features_that_do_not_fit_are_refused(shape):
    (fine, _), up, head = problem(4, (7, 9), torch.float32)
    weights, biases = ([layer.weight.flatten(1) for layer in (up, head[0])], [up.bias, head[0].bias])
    with pytest.raises(dh.DrumheadError, match="coarse: got"):
        pointwise.pointwise(fine, weights, biases, False, torch.randn(shape))


HOOKED = {
    "up": lambda model, hook: model.up.register_forward_hook(hook),
    "head": lambda model, hook: model.head.register_forward_hook(hook),
    "a layer of the head": lambda model, hook: model.head[0].register_forward_hook(hook),
    "a convolution": lambda model, hook: model.fine[0].register_forward_hook(hook),
    "a normalisation": lambda model, hook: model.stem[0][1].register_forward_hook(hook),
    "a ReLU": lambda model, hook: model.stem[0][2].register_forward_hook(hook),
    "a layer's medium": lambda model, hook: model.layers[0].medium.register_forward_hook(hook),
    "the normalisation of what is heard": lambda model, hook: model.layers[0].norm.register_forward_hook(hook),
    "a layer's mixing": lambda model, hook: model.layers[0].mix.register_forward_hook(hook),
}


@pytest.mark.parametrize("name", HOOKED)
@pytest.mark.parametrize("learning", [False, True])
def test_a_hook_anywhere_counts(name, learning):
    model, calls = dh.build(dh.Stack(image_channels=1, classes=3)).eval(), []
    images = torch.rand(1, 1, 21, 34)
    hook = HOOKED[name](model, lambda module, given, out: calls.append(1) or 2 * out)
    found = []
    with hook, torch.set_grad_enabled(learning):
        for backend in ("auto", "eager"):
            with dh.engine.using(backend):
                found.append(model(images).detach())
    assert len(calls) == 2
    torch.testing.assert_close(*found, rtol=0, atol=1e-5 * float(found[1].abs().max()))
    assert not torch.allclose(found[0], model(images))


@compiled
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 300), st.integers(1, 40), st.booleans())
def test_adding_what_was_heard_in_one_pass_is_what_torch_makes_of_it(inner, pixels, outer, double):
    dtype, far = (torch.float64, 1e-12) if double else (torch.float32, 1e-5)
    onto, x, gain, shift, weight, bias = (
        torch.randn(shape, dtype=dtype)
        for shape in ((2, outer, 1, pixels), (2, inner, 1, pixels), inner, inner, (outer, inner), outer)
    )
    got = pointwise.added(onto, x, gain, shift, weight, bias)
    scaled = (gain[:, None, None] * x + shift[:, None, None]).relu()
    want = (onto + torch.einsum("oi,biyx->boyx", weight, scaled) + bias[:, None, None]).relu()
    assert float((got - want).abs().max()) <= far * max(1.0, float(want.abs().max()))


PHI = {"straight": lambda x: x, "tanh": torch.tanh, "sigmoid": lambda x: 1.3 * x.sigmoid(), "softplus": F.softplus}


@compiled
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(list(PHI)), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 300), st.booleans()
)
def test_bent_parts_are_what_torch_makes_of_them(names, each, pixels, double):
    dtype, far = (torch.float64, 1e-12) if double else (torch.float32, 2e-6)
    x, weight = torch.randn(2, 3, 1, pixels, dtype=dtype), torch.randn(each * len(names), 3, dtype=dtype)
    bias, offsets = torch.randn(len(weight), dtype=dtype), [float(i) - 2 for i in range(len(names))]
    got = pointwise.bent(x, weight, bias, [pointwise.BENDS.index(name) for name in names], offsets, 1.3)
    flat = torch.einsum("oi,biyx->boyx", weight, x) + bias[:, None, None]
    for name, part, offset, found in zip(names, flat.chunk(len(names), 1), offsets, got, strict=True):
        torch.testing.assert_close(found, PHI[name](part + offset), rtol=far, atol=far)


@compiled
@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_bends_keep_their_relative_precision_far_out_and_pass_nan_on(name):
    x = torch.cat([torch.linspace(-80, 80, 4001), torch.tensor([-1e30, -torch.inf, 1e30, torch.inf, torch.nan])])
    one = torch.ones(1, 1)
    got = pointwise.bent(x.view(1, 1, 1, -1), one, torch.zeros(1), [pointwise.BENDS.index(name)], [0.0], 1.0).flatten()
    want = (torch.sigmoid if name == "sigmoid" else F.softplus)(x.double())
    assert float(((got - want) / want)[:4001].abs().max()) < 4e-7
    torch.testing.assert_close(got[4001:].double(), want[4001:], rtol=0, atol=1e-30, equal_nan=True)


def test_bends_that_do_not_fit_are_refused():
    x, weight, bias = torch.randn(1, 2, 3, 3), torch.randn(4, 2), torch.randn(4)
    for bends, offsets in (([], []), ([0] * 3, [0.0] * 3), ([0, 9], [0.0, 0.0]), ([0, 1], [0.0]), ([0] * 5, [0.0] * 5)):
        with pytest.raises(dh.DrumheadError, match="bends="):
            pointwise.bent(x, weight, bias, bends, offsets, 1.0)
    with pytest.raises(dh.DrumheadError, match="gain: got"):
        pointwise.added(torch.randn(1, 4, 3, 3), x, torch.randn(3), torch.randn(2), weight, bias)


@compiled
def test_the_short_way_to_an_operator_gives_its_numbers(monkeypatch):
    model, images = stirred("multi-mnist/nwm-stack"), torch.rand(2, 1, 24, 20)
    with torch.no_grad():
        short = model(images)
        for place in ("engine.operator", "networks.shortcut"):
            monkeypatch.setattr(f"drumhead.{place}.unseen", lambda inputs: False)
        assert torch.equal(model(images), short)


NETWORKS = (
    "multi-mnist/nwm-stack", "multi-mnist/nwm-modes", "tetrominoes/nwm-fast", "tetrominoes/unet-2", "mnist/resnet-4"
)  # fmt: skip


def stirred(name):
    """A network whose normalisations are not those it began with."""
    model = dh.build(name)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 2)
            part.bias.data.normal_(0, 0.3)
    return model.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_normalisations_change_no_answer_and_are_never_stale(name):
    model, other = stirred(name), stirred(name)
    images = torch.rand(2, model.config.image_channels, 24, 20)
    for change in (lambda: None, lambda: model.load_state_dict(other.state_dict()), lambda: model.train()(images)):
        change()
        model.eval()
        with torch.no_grad():
            folded = model(images)
        plain = model(images)
        assert plain.requires_grad
        torch.testing.assert_close(folded, plain.detach(), rtol=0, atol=1e-5 * float(plain.detach().abs().max()))


@pytest.mark.parametrize("learning", [False, True])
def test_a_chain_is_a_sequential(learning):
    layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, affine=False)]
    layers += [nn.ReLU(), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1, bias=False), nn.ReLU(), nn.BatchNorm2d(2)]
    chain, plain = Chain(*layers).double(), nn.Sequential(*layers)
    for part in (chain, plain):
        x = torch.randn(2, 2, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        before = x.clone()
        with torch.set_grad_enabled(learning):
            part.train()(x)
            out = part.eval()(x)
        assert torch.equal(x, before)
        if part is chain:
            found = out
            with torch.set_grad_enabled(learning):
                chain(x)
    assert chain.state_dict().keys() == plain.state_dict().keys()
    with torch.set_grad_enabled(learning):
        torch.testing.assert_close(chain(x), plain(x), rtol=1e-12, atol=1e-12)
    assert found.shape == out.shape


def test_gradients_of_a_chain_are_derivatives():
    chain = Chain(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 1, 1), nn.BatchNorm2d(1)).double()
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(chain, x)
