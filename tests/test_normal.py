"""The normalisation of each pixel in C: against torch's own words, in every size, and by torch's rules."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import drumhead as dh
from conftest import makes_one_graph, run_with_isa, same_whatever_memory_held
from drumhead.engine import pixelwise
from drumhead.engine.cpu import library, normal, pointwise, team
from drumhead.networks.chain import told
from drumhead.networks.rounds import PixelNorm

pytestmark = pytest.mark.skipif(library.load() is None, reason="no C compiler")


def fields(*shape, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    maps = shape[1]
    made = (torch.randn(shape, dtype=dtype), torch.randn(maps, 1, 1, dtype=dtype), torch.randn(maps, 1, 1, dtype=dtype))
    return [tensor.requires_grad_() for tensor in made]


def outcome(backend, tensors, rectify, eps=0.01):
    with dh.engine.using(backend):
        y = pixelwise.normal(*tensors, eps, rectify)
    weights = torch.arange(y.numel(), dtype=y.dtype).view(y.shape).cos()
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), tensors)]


def compare(shape, rectify, dtype=torch.float64, tolerance=1e-12, seed=0):
    tensors = fields(*shape, dtype=dtype, seed=seed)
    exact = outcome("eager", [tensor.double().detach().requires_grad_() for tensor in tensors], rectify)
    for found, wanted in zip(outcome("native", tensors, rectify), exact, strict=True):
        assert found.shape == wanted.shape
        assert (found - wanted).abs().max() <= tolerance * max(1, float(wanted.abs().max()))


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize("shape", [(2, 8, 5, 7), (1, 3, 1, 1), (3, 128, 8, 8), (2, 32, 9, 30), (1, 1, 4, 70)])
def test_it_is_what_torch_computes(shape, rectify):
    compare(shape, rectify)
    compare(shape, rectify, torch.float32, 2e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 12), st.integers(1, 90), st.booleans(), st.integers(0, 99))
def test_every_size(b, maps, height, width, rectify, seed):
    compare((b, maps, height, width), rectify, seed=seed)


def test_gradcheck():
    for rectify in (False, True):
        with dh.engine.using("native"):
            assert torch.autograd.gradcheck(lambda *t, on=rectify: pixelwise.normal(*t, 0.01, on), fields(2, 5, 3, 7))


@pytest.mark.parametrize("isa", library.ISAS)
def test_every_instruction_set_gives_the_same(isa):
    code = """
import torch; from test_normal import compare
for shape in ((2, 8, 5, 7), (1, 3, 1, 1), (3, 128, 8, 8), (2, 33, 9, 30)):
    for rectify in (False, True):
        compare(shape, rectify)
        compare(shape, rectify, torch.float32, 2e-5)
"""
    run_with_isa(isa, code)


def test_threads_change_no_bit(monkeypatch):
    tensors, before, found = fields(3, 17, 20, 21, dtype=torch.float32), torch.get_num_threads(), []
    try:
        for openmp in (team._openmp, lambda: None):
            monkeypatch.setattr(team, "_openmp", openmp)
            for threads in (1, 2, 5):
                torch.set_num_threads(threads)
                found.append(outcome("native", tensors, True))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


def test_operator_keeps_torchs_rules():
    for rectify in (False, True):
        torch.library.opcheck(normal.normal, (*fields(2, 5, 3, 7), 0.01, rectify))


def test_not_a_number_stays_where_it_is():
    x, gain, shift = (tensor.detach() for tensor in fields(1, 4, 3, 5, dtype=torch.float32))
    x[0, 2, 1, 3] = torch.nan
    with dh.engine.using("native"):
        found = pixelwise.normal(x, gain, shift, 0.01, True)
    wanted = torch.zeros(3, 5, dtype=torch.bool)
    wanted[1, 3] = True
    assert torch.equal(found.isnan(), wanted.expand(1, 4, 3, 5))


def test_maps_in_any_layout():
    x, gain, shift = fields(2, 6, 8, 10)
    (plain,) = outcome("native", (x, gain, shift), False)[:1]
    turned = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    (other,) = outcome("native", (turned, gain, shift), False)[:1]
    assert torch.equal(plain, other)


@torch.no_grad()
def test_no_images_and_negated_ones():
    norm, x = PixelNorm(6), torch.randn(2, 6, 3, 4)
    assert norm(x[:0]).shape == (0, 6, 3, 4)
    assert normal.normal(x[:0], norm.weight, norm.bias, 0.01, True).shape == (0, 6, 3, 4)
    torch.testing.assert_close(norm(torch._neg_view(x)), norm(-x))


def test_a_second_derivative_says_where_to_go():
    tensors = fields(1, 3, 2, 2)
    with dh.engine.using("native"):
        y = pixelwise.normal(*tensors, 0.01, False)
    (first,) = torch.autograd.grad(y.square().sum(), tensors[0], create_graph=True)
    with pytest.raises(dh.DrumheadError, match="eager"):
        first.sum().backward()


@pytest.mark.parametrize(
    ("x", "gain", "message"),
    [
        (torch.ones(2, 3, 4), torch.ones(3), r"x: got torch.float32 of shape \(2, 3, 4\)"),
        (torch.ones(1, 3, 4, 4, dtype=torch.float16), torch.ones(3), "x: got torch.float16"),
        (torch.ones(1, 3, 4, 4), torch.ones(2), r"gain: got torch.float32 of shape \(2,\) on cpu; 3 numbers"),
        (torch.ones(1, 3, 4, 4), torch.ones(3).double(), "gain: got torch.float64"),
    ],
)
def test_the_operator_refuses_what_it_would_read_wrongly(x, gain, message):
    with pytest.raises(dh.DrumheadError, match=message):
        normal.normal(x, gain, torch.ones(3), 0.01, False)


def telling(b=2, inner=9, outer=5, height=7, width=50, dtype=torch.float64):
    torch.manual_seed(3)
    norm, mixed = (PixelNorm(maps).to(dtype) for maps in (inner, outer))
    for one in (norm, mixed):
        torch.nn.init.uniform_(one.weight, -1, 1.5)
        torch.nn.init.uniform_(one.bias, -0.5, 0.5)
    mix = torch.nn.Conv2d(inner, outer, 1, bias=False).to(dtype)
    return (
        torch.randn(b, outer, height, width, dtype=dtype),
        torch.randn(b, inner, height, width, dtype=dtype),
        norm,
        mix,
        mixed,
    )


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (7, 50), (16, 16), (40, 33)])
def test_telling_in_one_pass_is_the_same_as_one_after_another(size, monkeypatch):
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
        onto, x, norm, mix, mixed = telling(height=size[0], width=size[1], dtype=dtype)
        wanted = mixed(onto + mix(norm(x).relu())).relu()
        with dh.engine.using("native"), monkeypatch.context() as patch:
            patch.setattr(pixelwise, "normal", None)  # one after another
            found = told(onto, x, norm, mix, mixed)
        assert (found - wanted).abs().max() <= tolerance * max(1, float(wanted.max()))


@torch.no_grad()
def test_nothing_is_read_that_was_not_written(monkeypatch):
    """Scratch memory full of NaN instead of zeros: the same bits."""
    onto, x, norm, mix, mixed = telling(height=5, width=13, dtype=torch.float32)

    def compute():
        with dh.engine.using("native"):
            back = normal.normal_backward(x, x, norm.weight, norm.bias, 0.01, True)
            return [told(onto, x, norm, mix, mixed), norm(x, True), *back]

    assert same_whatever_memory_held(monkeypatch, compute)


def test_telling_has_a_gradient_and_keeps_hooks():
    onto, x, norm, mix, mixed = telling()
    x.requires_grad_()
    wanted = mixed(onto + mix(norm(x).relu())).relu()
    with dh.engine.using("native"):
        found = told(onto, x, norm, mix, mixed)
    torch.testing.assert_close(found, wanted)
    for one, other in zip(
        *(torch.autograd.grad(y.sum(), (x, norm.weight, mix.weight)) for y in (found, wanted)), strict=True
    ):
        torch.testing.assert_close(one, other)
    norm.register_forward_hook(lambda *_: torch.zeros_like(x))
    with torch.no_grad():
        torch.testing.assert_close(told(onto, x, norm, mix, mixed), mixed(onto).relu())


def test_telling_keeps_torchs_rules_and_refuses():
    onto, x, norm, mix, mixed = telling(height=3, width=5)
    parts = (
        [t.detach().flatten() for t in (norm.weight, norm.bias)],
        [t.detach().flatten() for t in (mixed.weight, mixed.bias)],
    )
    given = [onto, x, *parts[0], mix.weight.detach().flatten(1), *parts[1]]
    torch.library.opcheck(pointwise.told, (*given, 0.01))
    with pytest.raises(dh.DrumheadError, match=r"eps=0\.0: a number above 0"):
        pointwise.told(*given, 0.0)
    with pytest.raises(dh.DrumheadError, match=r"gain_after: got torch.float64 of shape \(4,\)"):
        pointwise.told(*given[:5], torch.ones(4).double(), given[6], 0.01)


@makes_one_graph
def test_it_compiles_and_runs_in_half_precision():
    norm, x = PixelNorm(6), torch.randn(2, 6, 4, 5)
    compiled = torch.compile(norm, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, True), norm(x).relu())
    half = norm.to(torch.bfloat16)(x.to(torch.bfloat16))
    torch.testing.assert_close(half.float(), PixelNorm(6)(x), atol=0.05, rtol=0)


def test_a_network_in_rounds_is_the_same_in_both_engines():
    torch.manual_seed(0)
    model = dh.build(
        dh.Stack(image_channels=1, classes=3, waves=(dh.Bottleneck(maps=8, stride=2), dh.Attention()), rounds=3)
    )
    for training in (False, True):
        model.train(training)
        found = []
        for backend in ("eager", "native"):
            model.zero_grad()
            torch.manual_seed(1)  # of the number of rounds
            with dh.engine.using(backend):
                logits = model(torch.linspace(0, 1, 2 * 24 * 20).view(2, 1, 24, 20))
                logits.square().mean().backward()
            found.append([logits, *(p.grad for p in model.parameters())])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
