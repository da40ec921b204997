"""The C engine at the edges: odd sizes and values, torch's compilers and transforms, threads and forks."""

import copy
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import drumhead as dh
from conftest import makes_one_graph, needs_bfloat16
from drumhead.engine import ops, plan
from drumhead.engine.cpu import library, native, pointwise, team
from drumhead.engine.gpu import unfused
from drumhead.engine.plan import Fields, Results

pytestmark = pytest.mark.skipif(library.load() is None, reason="no C compiler")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BOUNDARIES = ("periodic", "fixed", "reflecting")


def waves(y0, backend="native", kernel=None, omega=0.3, alpha=0.1, **options):
    kernel = dh.laplacian(y0.shape[1], dense=True).to(y0) if kernel is None else kernel
    defaults = {"steps": 7, "dt": 0.1, "record": dh.Last(), "check_stability": False}
    return dh.propagate(y0, omega, alpha, kernel, backend=backend, **(defaults | options))


def gradients(backend, y0, kernel, basis=None, **options):
    """Return the weighted sum's gradients with respect to y0, the kernel and the basis of `Mix`."""
    leaves = [x.detach().clone().requires_grad_() for x in (y0, kernel, basis) if x is not None]
    if basis is not None:
        options["record"] = dh.Mix(leaves[2])
    out = waves(leaves[0], backend, leaves[1], **options)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    return torch.autograd.grad((out * weights).sum(), leaves)


def relative(found, wanted):
    """Return the largest relative difference, NaN if one is NaN."""
    return float(torch.stack([(a - b).norm() / b.norm() for a, b in zip(found, wanted, strict=True)]).amax())


@pytest.mark.parametrize("boundary", [*BOUNDARIES, "absorbing"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 1, 100), (1, 1, 100, 1), (1, 33, 5, 7), (3, 5, 2, 3)])
@pytest.mark.parametrize("sides", [(1, 1), (3, 3), (9, 7)])
def test_odd_sizes_and_kernels_larger_than_the_grid(shape, sides, boundary):
    y0 = torch.randn(shape, dtype=torch.float64)
    kernel = 0.02 * torch.randn(shape[1], shape[1], *sides, dtype=torch.float64)
    for steps in (1, plan.SEGMENT, plan.SEGMENT + 1):
        options = {"boundary": boundary, "steps": steps}
        assert relative(gradients("native", y0, kernel, **options), gradients("eager", y0, kernel, **options)) < 1e-10


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e38, 1e-42])
@pytest.mark.parametrize("nonlinearity", ["tanh", "linear"])
def test_odd_values_spread_as_in_the_loop(value, nonlinearity):
    y0 = torch.randn(2, 2, 6, 20)
    y0[0, 0, 3, 10] = value
    for record in (dh.Last(), dh.Max(), dh.All()):
        found, wanted = (waves(y0, b, record=record, nonlinearity=nonlinearity) for b in ("native", "eager"))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_four_rows_at_once_spread_odd_values_farther(value):
    """All six rows reach all four: what is undefined in the loop is so with them, and two rows more."""
    y0, kernel = torch.randn(1, 8, 20, 12), 0.1 * torch.randn(8, 8, 3, 3)
    y0[0, 0, 8, 6] = value
    found, wanted = (waves(y0, b, kernel=kernel, steps=1, record=dh.Last()) for b in ("native", "eager"))
    assert not found[~wanted.isfinite()].isfinite().any()
    rows = (~found.isfinite()).any(3).any(1)[0].nonzero().flatten().tolist()
    assert set(rows) <= set(range(7, 12))
    with dh.engine.exactly_local():
        found = waves(y0, "native", kernel=kernel, steps=1, record=dh.Last())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_layouts_and_views():
    y0, kernel = torch.randn(4, 2, 6, 6), dh.laplacian(2, dense=True)
    for view in (
        y0[::2],
        y0.flip(3),
        y0.mT,
        y0.contiguous(memory_format=torch.channels_last),
        y0[:1].expand(3, 2, 6, 6),
    ):
        assert torch.equal(waves(view), waves(view.contiguous()))
    assert torch.equal(waves(y0, kernel=kernel.mT), waves(y0, kernel=kernel.mT.contiguous()))
    leaf = y0.clone().requires_grad_()
    out = waves(leaf, record=dh.All())
    (first,) = torch.autograd.grad(out.transpose(2, 4).sum(), leaf, retain_graph=True)
    (second,) = torch.autograd.grad(out, leaf, torch.ones(1).expand_as(out))
    assert torch.equal(first, second)


@needs_bfloat16
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("width", [1, 31, 32, 33, 48, 96])
@pytest.mark.parametrize("side", [3, 5])
def test_bfloat16_at_any_width(width, side, boundary):
    """The prediction: 2^-9 a product, and a few of them one after the other."""
    y0, kernel, basis = torch.randn(2, 4, 5, width), 0.1 * torch.randn(4, 4, 3, side), torch.randn(5, 11, 4)
    options = {"boundary": boundary, "steps": 11}
    found = gradients("native", y0, kernel, basis, precision="bfloat16", **options)
    far = relative(found, gradients("eager", y0, kernel, basis, **options))
    assert far < 0.02
    assert (far > 1e-5) == (width % 32 == 0)  # whole vectors are rounded


@needs_bfloat16
def test_bfloat16_whatever_the_bits_of_the_basis():
    """The lower half of this factor, read as a bfloat16, is NaN."""
    y0, kernel, basis = torch.randn(1, 4, 6, 32), 0.1 * torch.randn(4, 4, 3, 3), torch.randn(5, 11, 4)
    basis[0, 0, 0] = torch.tensor(0x3DCC7FC0, dtype=torch.int32).view(torch.float32)
    found = gradients("native", y0, kernel, basis, precision="bfloat16", steps=11)
    assert relative(found, gradients("eager", y0, kernel, basis, steps=11)) < 0.02


@pytest.mark.parametrize("channels", [1, 4, 8])
@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=needs_bfloat16)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_nothing_depends_on_what_memory_held(precision, boundary, channels, monkeypatch):
    """Scratch memory full of NaN instead of zeros, one image instead of four: the same bits."""
    c = channels
    y0, kernel, basis = (
        torch.randn(4, c, 7, 21 if precision == "float32" else 32),
        0.1 * torch.randn(c, c, 3, 3),
        torch.randn(3, 13, c),
    )
    blocks = []

    def scratch(size):
        blocks[:] = [torch.full((size + 64,), fill, dtype=torch.uint8)]
        return blocks[0]

    monkeypatch.setattr(team, "_scratch", scratch)
    options = {"boundary": boundary, "precision": precision, "steps": 13}
    weights, biases, reduced = (
        [torch.randn(17, c), torch.randn(3, 17)],
        [torch.randn(17), torch.randn(3)],
        precision != "float32",
    )
    results = []
    for fill in (0, 255):  # noqa: B007 (`scratch` reads it)
        grad = y0[:, :1].expand(-1, 3, -1, -1)
        hidden = pointwise.pointwise_backward(grad, y0, weights, biases, reduced, None)
        results.append([*gradients("native", y0, kernel, basis, **options), *hidden])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    whole = waves(y0, kernel=kernel, **options)
    assert torch.equal(waves(y0[2:3], kernel=kernel, **options), whole[2:3])


class Graphs:
    """A backend of torch.compile that keeps the graphs and runs them as they are."""

    def __init__(self):
        self.targets = []

    def __call__(self, module, inputs):
        for part in module.modules():
            self.targets += [str(node.target) for node in getattr(part, "graph", torch.fx.Graph()).nodes]
        return torch._dynamo.lookup_backend("aot_eager")(module, inputs)


@makes_one_graph
@pytest.mark.parametrize("name", ["tetrominoes/nwm-fast", "multi-mnist/nwm-linear", "tetrominoes/nwm-max"])
def test_torch_compile_keeps_a_whole_model_in_one_graph(name):
    model, graphs = dh.build(name).eval(), Graphs()
    x = torch.rand(2, model.config.image_channels, 8, 12)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend=graphs)
    torch.testing.assert_close(compiled(x), model(x))
    assert any("drumhead.propagate" in target for target in graphs.targets)
    assert any("drumhead.pointwise" in target for target in graphs.targets)
    found, wanted = (torch.autograd.grad(m(x).square().sum(), list(model.parameters())) for m in (compiled, model))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6 + 1e-5 * float(b.abs().max()))


@makes_one_graph
@pytest.mark.parametrize("record", [dh.All(), dh.Every(2), dh.Mean(), dh.Max(), dh.Fourier(3)])
def test_torch_compile_of_propagate(record):
    y0 = torch.randn(1, 2, 5, 6)
    torch._dynamo.reset()
    compiled = torch.compile(lambda y: waves(y, "auto", record=record), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(y0), waves(y0, record=record))


@makes_one_graph
def test_torch_export_of_a_whole_model():
    model = dh.build("tetrominoes/nwm-fast").eval()
    batch, height = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("height", min=2, max=64)
    program = torch.export.export(
        model, (torch.rand(2, 3, 8, 12),), dynamic_shapes={"images": {0: batch, 2: 2 * height}}
    )
    x = torch.rand(3, 3, 16, 12)
    torch.testing.assert_close(program.module()(x), model(x))
    parts = [m for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]
    targets = {str(node.target) for part in parts for node in part.graph.nodes}
    assert {"drumhead.propagate.default", "drumhead.pointwise.default"} <= targets


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_around_the_engine(reentrant):
    y0 = torch.randn(2, 2, 8, 8, requires_grad=True)
    (wanted,) = torch.autograd.grad(waves(y0).square().sum(), y0)
    checkpoint(waves, y0, use_reentrant=reentrant).square().sum().backward()
    assert torch.equal(y0.grad, wanted)


def test_copies_and_inference_mode():
    model = dh.build("tetrominoes/nwm-fast").eval()
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    with torch.inference_mode():
        logits = model(x)
    with torch.no_grad():
        assert torch.equal(logits, model(x))
    torch.testing.assert_close(logits, model(x), atol=1e-6, rtol=1e-5)  # normalisations are folded without gradients


def test_a_default_device_elsewhere_changes_nothing():
    y0, kernel = torch.randn(2, 1, 64, 64), dh.laplacian(1)
    wanted = waves(y0, kernel=kernel)
    for learning in (True, False):
        team._local.__dict__.clear()
        with torch.device("meta"), torch.set_grad_enabled(learning):
            assert torch.equal(waves(y0, kernel=kernel), wanted)


@needs_bfloat16
def test_autocast_composes_the_readout_too(monkeypatch):
    model = dh.build("multi-mnist/nwm-linear")
    x, plans = torch.rand(1, 1, 16, 32), []
    monkeypatch.setattr(native, "forward", lambda p, *a, real=native.forward: plans.append(p) or real(p, *a))
    with torch.no_grad():
        exact = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(x)
    assert [(p.keep, p.reduced) for p in plans] == [("mix", False), ("mix", True)]
    assert relative([rounded], [exact]) < 0.02


def test_second_derivatives_of_the_pointwise_network_say_where_to_go():
    x, weight, bias = (torch.randn(s, requires_grad=True) for s in ((1, 3, 4, 4), (5, 3), (5,)))
    out = pointwise.pointwise(x, [weight], [bias], False, None)
    (gradient,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(dh.DrumheadError, match="eager"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("grad_out", torch.float64),
        ("grad_end", torch.float64),
        ("saved", torch.float64),
        ("argmax", torch.int64),
        ("velocities", torch.float64),
    ],
)
def test_the_adjoint_refuses_other_types(name, dtype):
    field = torch.ones(1, 2, 4, 5)
    numbers = plan.Plan(5, 0.1, 0.1, 0.0, 0.1, True, "periodic", "max", segment=3, ends=True).numbers()
    inputs = (field, None, field, field, None, torch.ones(2, 2, 3, 3), None, None)
    results = ops.propagate(*inputs, *numbers)
    given = dict(zip(("grad_out", "grad_end", "saved", "argmax", "velocities"), results, strict=True))
    given[name] = given[name].to(dtype)
    with pytest.raises(dh.DrumheadError, match=f"{name}: got {dtype}"):
        ops.propagate_backward(*given.values(), *inputs, *numbers)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pool(monkeypatch):
    """As where torch computes without OpenMP, or with one of another make."""
    monkeypatch.setattr(team, "_openmp", lambda: None)


def test_the_number_of_threads_and_who_owns_them_change_no_bit(monkeypatch):
    before, found = torch.get_num_threads(), []
    y0 = torch.randn(5, 2, 16, 16, requires_grad=True)
    try:
        for openmp in (team._openmp, lambda: None):
            monkeypatch.setattr(team, "_openmp", openmp)
            for threads in (1, 2, 3, 8):
                torch.set_num_threads(threads)
                out = waves(y0)
                found.append((out, *torch.autograd.grad(out.square().sum(), y0)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for others in found[1:] for a, b in zip(found[0], others, strict=True))


@pytest.mark.skipif("OpenMP" not in torch.__config__.parallel_info() or sys.platform != "linux", reason="no OpenMP")
def test_torch_and_the_engine_share_their_threads():
    code = """
import os, torch, drumhead as dh
torch.set_num_threads(3)
count = lambda: len(os.listdir("/proc/self/task"))
options = {"steps": 5, "dt": 0.1, "backend": "native", "check_stability": False}
call = lambda batch: dh.propagate(torch.ones(batch, 1, 8, 8), 0.1, 0.1, dh.laplacian(1), **options)
call(1)
torch.randn(1000, 1000).exp()
before = count()
call(2), call(9)
assert count() == before, (before, count())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


def test_callers_in_many_threads(two_threads):
    y0 = torch.randn(8, 2, 16, 16)
    wanted, same = waves(y0), []

    def call():
        torch.set_num_threads(2)
        same.extend(torch.equal(waves(y0), wanted) for _ in range(10))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(same) == 40
    assert all(same)


def test_threads_on_one_stream_have_a_graph_one_after_another(monkeypatch):
    """The order of copies, replay and results, with a stand-in for the device that gives threads time to meddle."""
    places = Fields(*(torch.zeros(1, 1, 2, 2) if name != "z0" else None for name in Fields._fields[:6]))
    results = Results(*(torch.zeros(1, 1, 2, 2) for _ in Results._fields))

    class Graph:
        def replay(self):
            time.sleep(0.005)
            results.out.copy_(places.y0)
            time.sleep(0.005)

    monkeypatch.setattr(unfused, "_captures", lambda *_: True)
    monkeypatch.setattr(unfused, "_captured", lambda *_: (Graph(), places, results))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: SimpleNamespace(cuda_stream=0))
    found = {}

    def call(value):
        found[value] = unfused.forward(None, places._replace(y0=torch.full((1, 1, 2, 2), float(value)))).out

    callers = [threading.Thread(target=call, args=(value,)) for value in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all((found[value] == value).all() for value in range(8))


def test_one_pool_whatever_the_batch(pool):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        team._pool.cache_clear()
        for batch in (2, 3, 4, 5):
            waves(torch.randn(batch, 1, 4, 4))
    finally:
        torch.set_num_threads(before)
    assert team._pool.cache_info().currsize == 1


def test_all_threads_are_done_when_a_call_fails(two_threads, pool, monkeypatch):
    """Else they would write into memory that the caller has given back."""
    done, real, main = [], team._scratch, threading.get_ident()

    def scratch(size):
        if threading.get_ident() == main:
            raise KeyboardInterrupt
        threading.Event().wait(0.2)
        done.append(True)
        return real(size)

    monkeypatch.setattr(team, "_scratch", scratch)
    with pytest.raises(KeyboardInterrupt):
        waves(torch.randn(2, 1, 4, 4))
    assert done == [True]


POOLED = """
from drumhead.engine.cpu import team
team._openmp = lambda: None
"""

AFTER_FORK = """
import os, signal, torch, drumhead as dh
torch.set_num_threads(2)
options = {"steps": 5, "dt": 0.1, "backend": "native", "check_stability": False}
call = lambda: dh.propagate(torch.ones(4, 1, 8, 8), 0.1, 0.1, dh.laplacian(1), **options)
wanted = call()
child = os.fork()
if not child:
    signal.alarm(20)  # a deadlock ends the child
    os._exit(0 if torch.equal(call(), wanted) else 1)
assert os.waitpid(child, 0)[1] == 0
"""

FORKED_BEFORE = """
import os, signal, torch, drumhead as dh
torch.set_num_threads(2)
torch.randn(1000, 1000).exp()  # torch's threads have started, nothing of the engine is imported
child = os.fork()
if not child:
    signal.alarm(60)
    options = {"steps": 5, "dt": 0.1, "backend": "native", "check_stability": False}
    dh.propagate(torch.ones(4, 1, 8, 8), 0.1, 0.1, dh.laplacian(1), **options)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""

AFTER_MAIN = """
import threading, time, torch, drumhead as dh
torch.set_num_threads(2)
def late():
    threading.main_thread().join()
    torch.set_num_threads(2)
    options = {"steps": 5, "dt": 0.1, "backend": "native", "check_stability": False}
    dh.propagate(torch.ones(4, 1, 8, 8), 0.1, 0.1, dh.laplacian(1), **options)
    print("done")
threading.Thread(target=late).start()
"""


@pytest.mark.parametrize("owner", ["torch's", "a pool's"])
@pytest.mark.parametrize("code", [AFTER_FORK, FORKED_BEFORE, AFTER_MAIN], ids=["fork", "early fork", "main"])
def test_threads_survive(code, owner):
    """A fork leaves all threads but one behind; a pool takes no work once the main thread has ended."""
    if "fork" in code and not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    if owner == "a pool's":
        code = code.replace("torch.set_num_threads(2)", f"{POOLED}torch.set_num_threads(2)", 1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "fork" in code or done.stdout == "done\n", done.stderr[-2000:]


def test_numbers_too_small_for_full_precision_count_as_zero_inside_only():
    """Multiplying them takes a processor a hundred times as long, and media that saturate make them by the million."""
    tiny = torch.full((1, 8, 4, 4), 1e-40)
    still = torch.zeros(1, 8, 4, 4)
    kernel = torch.ones(8, 8, 3, 3)
    last = dh.propagate(
        tiny, still, still, kernel, steps=3, dt=0.1, record=dh.Last(), backend="native", check_stability=False
    )
    assert torch.equal(last, still)
    assert float((tiny * 1.0).max()) > 0  # the caller's arithmetic is as it was
