"""The engines against the loop: values, gradients, every record, every size, every instruction set."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import drumhead as dh
from conftest import needs_bfloat16, run_with_isa
from drumhead.engine import ops, plan
from drumhead.engine.choose import pick as pick_engine
from drumhead.engine.cpu import library, native
from drumhead.engine.plan import Fields, Plan, planning
from drumhead.physics.records import at_pixels

pytestmark = pytest.mark.skipif(library.load() is None, reason="no C compiler")

RECORDS = ("all", "every", "last", "mean", "max", "project", "mix", "fourier")
TENSORS = ("y0", "omega", "alpha", "kernel", "z0", "basis")


def case(
    seed, b=2, c=2, h=6, w=5, steps=23, depthwise=False, ky=3, kx=3, moving=True, dtype=torch.float64, damping=2.0
):
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype).requires_grad_()  # noqa: E731
    lift = lambda *shape: (damping * torch.rand(*shape, generator=g, dtype=torch.float64)).to(dtype).requires_grad_()  # noqa: E731
    return {
        "y0": draw(b, c, h, w),
        "omega": lift(b, c, h, w),
        "alpha": lift(b, c, h, w),
        "kernel": (0.2 * draw(c, 1 if depthwise else c, ky, kx)).detach().requires_grad_(),
        "z0": draw(b, c, h, w) if moving else None,
        "basis": draw(4, steps),
        "mixture": draw(5, steps, c),
        "steps": steps,
    }


def record_of(name, given):
    return {
        "all": dh.All(),
        "every": dh.Every(3),
        "last": dh.Last(),
        "mean": dh.Mean(),
        "max": dh.Max(),
        "project": dh.Project(given["basis"]),
        "mix": dh.Mix(given["mixture"]),
        "fourier": dh.Fourier(5),
    }[name]


def outcome(backend, name, given, pixels=None, gather=False, **options):
    """Return what is kept, of some pixels if they are given, and every gradient."""
    leaves = {k: given[k] for k in ("y0", "omega", "alpha", "kernel", "z0", "basis", "mixture") if given[k] is not None}
    for leaf in leaves.values():
        leaf.grad = None
    fields = {k: given[k] for k in ("y0", "omega", "alpha", "kernel", "z0", "steps")}
    record = record_of(name, given)
    if pixels is not None and not gather:
        record = dh.At(record, pixels)
    out = dh.propagate(**fields, dt=0.2, record=record, backend=backend, check_stability=False, **options)
    if gather:
        out = at_pixels(out, pixels)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(out.dtype)
    (out * weights).sum().backward()
    return out.detach(), {k: v.grad for k, v in leaves.items() if v.grad is not None}


def compare(name, given, tolerance, **options):
    expected, wanted = outcome("eager", name, given, **options)
    found, gradients = outcome("native", name, given, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()))
    assert gradients.keys() == wanted.keys()
    for key, gradient in gradients.items():
        atol = tolerance * float(wanted[key].abs().max() + 1e-30)
        torch.testing.assert_close(gradient, wanted[key], rtol=0, atol=atol, msg=f"gradient of {key}")


@pytest.fixture(params=[1, 10**9], ids=["quads", "plain"])
def quads(request):
    """Couple four rows at once from one channel on, or never."""
    with planning(quad_channels=request.param):
        yield


@pytest.mark.usefixtures("quads")
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), b=st.integers(1, 3), c=st.integers(1, 6), h=st.integers(1, 9), w=st.integers(1, 40),
    steps=st.integers(3, 27), depthwise=st.booleans(), ky=st.sampled_from([1, 3, 5]), kx=st.sampled_from([1, 3, 5]),
    moving=st.booleans(), name=st.sampled_from(RECORDS),
    boundary=st.sampled_from(["periodic", "fixed", "reflecting", "absorbing"]),
    nonlinearity=st.sampled_from(["tanh", "linear"]), integrator=st.sampled_from(["euler", "verlet"]),
)  # fmt: skip
def test_any_propagation_in_double_precision(name, boundary, nonlinearity, integrator, steps, **sizes):
    name = "last" if name == "fourier" and steps < 8 else name
    compare(name, case(steps=steps, **sizes), 1e-9, boundary=boundary, nonlinearity=nonlinearity, integrator=integrator)


@pytest.mark.usefixtures("quads")
@pytest.mark.parametrize("name", [name for name in RECORDS if name != "max"])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("c", "h", "w"), [(2, 16, 64), (5, 9, 37), (16, 8, 48)])
def test_single_precision_to_1e_5(name, depthwise, c, h, w):
    compare(name, case(3, c=c, h=h, w=w, depthwise=depthwise, dtype=torch.float32, damping=0.3), 1e-5)


@pytest.fixture(params=[10**9, 0], ids=["by_sheets", "together"])
def sheets(request):
    """Let sheets ring one after another, or all channels a step."""
    with planning(sheet=request.param):
        yield


@pytest.mark.usefixtures("sheets")
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), b=st.integers(1, 3), c=st.integers(1, 5), h=st.integers(1, 9), w=st.integers(1, 40),
    steps=st.integers(8, 27), moving=st.booleans(), damping=st.sampled_from([0.3, 2.0, 9.0]),
    name=st.sampled_from(RECORDS), some=st.booleans(),
    nonlinearity=st.sampled_from(["tanh", "linear"]), integrator=st.sampled_from(["euler", "verlet"]),
)  # fmt: skip
def test_sheets_that_ring_apart(name, some, nonlinearity, integrator, b, h, w, **sizes):
    given = case(depthwise=True, b=b, h=h, w=w, **sizes)
    pixels = torch.randint(0, h * w, (b, 4)).sort(1).values if some else None
    options = {"boundary": "fixed", "nonlinearity": nonlinearity, "integrator": integrator}
    compare(name, given, 1e-9, pixels=pixels, **options)


@pytest.mark.usefixtures("sheets")
@pytest.mark.parametrize("name", ["project", "mix"])
@pytest.mark.parametrize(("c", "h", "w"), [(16, 14, 14), (16, 16, 16), (3, 32, 32)])
def test_sheets_in_single_precision(name, c, h, w):
    given = case(3, c=c, h=h, w=w, depthwise=True, dtype=torch.float32, damping=0.3)
    compare(name, given, 1e-5, boundary="fixed")


def test_sheets_walk_nothing_back(monkeypatch):
    """However much cells forget: none is counted, and no velocities are kept."""
    monkeypatch.setattr(Plan, "count", None)
    monkeypatch.setattr(Plan, "reversible", None)
    with dh.engine.checking(1e-30):
        compare("project", case(5, depthwise=True, damping=9.0), 1e-9, boundary="fixed")


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_sheets_spread_odd_values_as_the_loop_does(value):
    for where in ((0, 0), (0, 15), (7, 0), (7, 15), (3, 8)):
        y0 = torch.zeros(1, 2, 8, 16)
        y0[(0, 1, *where)] = value
        found, wanted = (
            dh.propagate(y0, 0.1, 0.1, dh.laplacian(2), steps=3, dt=0.1, boundary="fixed", backend=backend,
                         check_stability=False)
            for backend in ("native", "eager")
        )  # fmt: skip
        assert torch.equal(found.isfinite(), wanted.isfinite())


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize(("h", "kx"), [(1, 3), (16, 5), (17, 3), (37, 3), (38, 1)])
@pytest.mark.parametrize("damping", [0.3, 5.0])
def test_four_rows_at_once_at_any_height(boundary, h, kx, damping):
    """Batches of quads end with the image, whole or not; strong damping cannot be walked back."""
    compare("mix", case(h, c=8, h=h, w=9, kx=kx, steps=13, damping=damping), 1e-9, boundary=boundary)


@pytest.mark.usefixtures("quads")
@pytest.mark.parametrize("damping", [0.0, 4.5, 5.0, 30.0])
def test_strong_damping_is_stored_instead_of_reversed(damping):
    """With dt = 0.2, damping 5 makes decay 0 and 30 makes it negative: nothing to divide by."""
    given = case(7)
    given["alpha"] = torch.full_like(given["y0"], damping).requires_grad_()
    compare("all", given, 1e-9, integrator="euler", boundary="reflecting")
    compare("project", given, 1e-9, integrator="euler")


@pytest.mark.usefixtures("quads")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("share", [0.02, 0.4, 1.0])
@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize(
    ("name", "boundary"), [("project", "periodic"), ("mix", "fixed"), ("every", "reflecting"), ("max", "periodic")]
)
def test_cells_that_forget_are_remembered(name, boundary, share, integrator, dtype, monkeypatch):
    """Decays down to -0.6, and one of 0, in some cells: their velocities are kept if they have room, else segments."""
    plans = []
    monkeypatch.setattr(native, "backward", lambda p, *a, real=native.backward: plans.append(p) or real(p, *a))
    given = case(3, c=3, h=7, w=19, steps=29, damping=1.0, dtype=dtype)
    g = torch.Generator().manual_seed(4)
    with torch.no_grad():
        strong = torch.rand(given["alpha"].shape, generator=g) < share
        strong[0, 1, 3, 4] = True
        top = 8.0 if integrator == "euler" else 40.0  # decay 1 - dt alpha, or (1 - dt alpha / 2) / (1 + dt alpha / 2)
        given["alpha"][strong] = top * (0.55 + 0.45 * torch.rand(given["alpha"].shape, generator=g)[strong].to(dtype))
        given["alpha"][0, 1, 3, 4] = 5.0 if integrator == "euler" else 10.0  # dt = 0.2: a decay of 0
    tolerance = 1e-9 if dtype == torch.float64 else 2e-4
    for room in (1 << 30, 0):
        with planning(room=room):
            compare(name, given, tolerance, boundary=boundary, integrator=integrator)
    most = int(strong.sum((1, 2, 3)).max())
    assert [(p.forgetful, p.stored) for p in plans] == [(0, True) if share == 1 else (most, False), (0, True)]


def errors(given, **options):
    """Return the largest relative error of a gradient in float32, of the loop and of the engine."""
    exact = {
        key: value.detach().double().requires_grad_() if torch.is_tensor(value) else value
        for key, value in given.items()
    }
    _, wanted = outcome("eager", "last", exact, **options)
    found = []
    for backend in ("eager", "native"):
        _, gradients = outcome(backend, "last", given, **options)
        found.append(max(float((gradients[k] - wanted[k]).abs().max() / wanted[k].abs().max()) for k in wanted))
    return found


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
def test_cells_that_barely_remember_keep_the_loops_precision(integrator):
    """Damping just below the limit, from where errors grow most on the way back, and a sixth of the cells beyond it."""
    far = []
    for seed in range(6):
        given = case(seed, b=1, h=16, w=16, steps=24, dtype=torch.float32, moving=False)
        g = torch.Generator().manual_seed(seed)
        damps = plan.GROWTH[torch.float32] / plan.SEGMENT
        limit = (damps if integrator == "verlet" else 1 - math.exp(-damps)) / 0.2  # dt = 0.2
        with torch.no_grad():
            near, chosen = torch.rand(2, *given["alpha"].shape, generator=g)
            given["alpha"].copy_(limit * torch.where(chosen < 1 / 6, 1.05 + near, 0.99 - 0.05 * near))
        loop, engine = errors(given, integrator=integrator)
        far.append(engine / loop)
    assert max(far) < 15


def test_waves_much_larger_than_tanh_keep_the_loops_precision():
    """Coupling four rows at once rounds with the largest of six rows, and tanh lets through what is near zero only."""
    for seed in range(3):
        given = case(seed, b=1, c=16, h=16, w=16, steps=24, dtype=torch.float32, damping=0.3, moving=False)
        with torch.no_grad():
            given["y0"] *= 25
        loop, engine = errors(given)
        assert engine < 15 * loop
        with dh.engine.exactly_local():
            assert errors(given)[1] < 3 * loop


def test_cells_whose_waves_grow_are_not_walked_back(monkeypatch):
    """A decay of -3: y grows threefold a step, and going back would lose what it had before."""
    plans = []
    monkeypatch.setattr(native, "backward", lambda p, *a, real=native.backward: plans.append(p) or real(p, *a))
    given = case(6, dtype=torch.float32, damping=1.0, steps=24)
    with torch.no_grad():
        given["alpha"][0, 1, 3, 4] = 20.0
    compare("last", given, 1e-5, integrator="euler")
    assert [(p.forgetful, p.stored) for p in plans] == [(0, True)]


def test_graphs_do_not_count_cells():
    """What is traced with one medium is right for another, and fake tensors have no values."""
    y0, kernel = torch.randn(1, 2, 5, 6), dh.laplacian(2)

    def gradient(alpha):
        alpha = alpha.detach().requires_grad_()
        last = dh.propagate(y0, 1.0, alpha, kernel, steps=14, dt=0.1, record=dh.Last(), check_stability=False)
        return torch.autograd.grad(last.square().sum(), alpha)[0]

    mild, strong = 0.1 * torch.ones_like(y0), torch.where(y0 > 1, 9.0, 0.1)
    assert (strong > 1).any()
    traced = make_fx(gradient)(mild)
    torch.testing.assert_close(traced(strong), gradient(strong), rtol=1e-5, atol=1e-6)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        assert gradient(fake.from_tensor(strong)).shape == y0.shape


def test_the_operator_counts_the_oscillators_that_forget():
    field = torch.ones(1, 2, 4, 5)
    plan = Plan(5, 0.1, 0.1, 0.0, 0.1, True, "periodic", "max", segment=3, forgetful=39)
    inputs = (field, None, field, 0 * field, None, torch.ones(2, 2, 3, 3), None, None)
    with pytest.raises(dh.DrumheadError, match="forgetful=39: 40 oscillators"):
        ops.propagate(*inputs, *plan.numbers())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6), b=st.integers(1, 3), c=st.integers(1, 9), h=st.integers(1, 9), w=st.integers(1, 40),
    steps=st.integers(3, 27), some=st.integers(1, 30), name=st.sampled_from(RECORDS), depthwise=st.booleans(),
    boundary=st.sampled_from(["periodic", "fixed", "reflecting", "absorbing"]), rises=st.booleans(),
)  # fmt: skip
def test_some_pixels_are_those_of_all(seed, b, h, w, steps, some, name, boundary, rises, **sizes):
    """`At` against the loop's record of every pixel, gathered afterwards; pixels may repeat."""
    name = "last" if name == "fourier" and steps < 8 else name
    given = case(seed, b=b, h=h, w=w, steps=steps, **sizes)
    pixels = torch.randint(h * w, (b, some), generator=torch.Generator().manual_seed(seed))
    pixels = pixels.sort().values if rises else pixels
    expected, wanted = outcome("eager", name, given, boundary=boundary, pixels=pixels, gather=True)
    for backend in ("eager", "native"):
        found, gradients = outcome(backend, name, given, boundary=boundary, pixels=pixels)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))
        assert gradients.keys() == wanted.keys()
        for key, gradient in gradients.items():
            atol = 1e-9 * float(wanted[key].abs().max() + 1e-30)
            torch.testing.assert_close(gradient, wanted[key], rtol=0, atol=atol, msg=f"{backend}: gradient of {key}")


@pytest.mark.parametrize("reduced", [False, pytest.param(True, marks=needs_bfloat16)])
@pytest.mark.parametrize("name", ["project", "mix", "fourier"])
@pytest.mark.parametrize("c", [3, 8])
def test_some_pixels_in_single_precision(name, c, reduced):
    if reduced and (name == "mix" or c == 3):
        pytest.skip("nothing is rounded")
    given = case(41, c=c, h=16, w=33, dtype=torch.float32, damping=0.3)
    pixels = torch.arange(0, 16 * 33, 8).expand(2, -1)
    precision = "bfloat16" if reduced else "float32"
    expected, wanted = outcome("eager", name, given, pixels=pixels, gather=True)
    found, gradients = outcome("native", name, given, pixels=pixels, precision=precision)
    far = lambda a, b: float((a - b).norm() / b.norm())  # noqa: E731
    assert far(found, expected) < (0.03 if reduced else 1e-5)
    assert max(far(gradients[key], wanted[key]) for key in wanted) < (0.03 if reduced else 1e-5)


@pytest.mark.usefixtures("quads")
def test_gradients_are_those_of_finite_differences():
    given = case(11, b=1, c=2, h=3, w=4, steps=7)
    names = ("y0", "omega", "alpha", "kernel", "z0", "basis")

    def kept(y0, omega, alpha, kernel, z0, basis):
        return dh.propagate(
            y0, omega, alpha, kernel, z0=z0, steps=7, dt=0.2, record=dh.Project(basis), integrator="verlet",
            backend="native",
        )  # fmt: skip

    assert torch.autograd.gradcheck(kept, [given[name] for name in names])


@pytest.mark.parametrize(
    ("name", "keep", "some"),
    [
        ("all", "series", 0),
        ("project", "project", 0),
        ("project", "project", 3),
        ("mix", "mix", 0),
        ("mix", "mix", 3),
        ("max", "max", 0),
    ],
)
@pytest.mark.parametrize("ends", [False, True])
def test_the_operator_keeps_torchs_rules(name, keep, some, ends):
    given = case(13, b=2, c=2, h=4, w=5, steps=7)
    basis = {"project": given["basis"], "mix": given["mixture"]}.get(keep)
    at = torch.tensor([[0, 7, 19], [4, 4, 5]]) if some else None
    decay = (1 - 0.1 * given["alpha"]).detach().requires_grad_()
    plan = Plan(7, 0.1, 0.1, 0.0, 0.1, True, "periodic", keep, segment=3, ends=ends, begun=ends)
    tensors = (given["y0"], given["z0"] if ends else None, given["omega"], decay, None, given["kernel"], basis, at)
    torch.library.opcheck(ops.propagate, (*tensors, *plan.numbers()))
    if not some:
        strong = (*tensors[:3], 0 * decay.detach(), *tensors[4:])
        torch.library.opcheck(ops.propagate, (*strong, *replace(plan, forgetful=40).numbers()))


@pytest.mark.parametrize(("c", "depthwise"), [(2, False), (8, False), (3, True)])
def test_threads_change_no_number(c, depthwise):
    given, threads = case(17, b=5, c=c, depthwise=depthwise, dtype=torch.float32), torch.get_num_threads()
    boundary = "fixed" if depthwise else "periodic"
    try:
        torch.set_num_threads(1)
        one, first = outcome("native", "project", given, boundary=boundary)
        torch.set_num_threads(3)
        three, second = outcome("native", "project", given, boundary=boundary)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one, three)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("isa", library.ISAS)
def test_every_instruction_set_gives_the_same(isa):
    code = """
import torch; from test_engine import case, compare, RECORDS
for name in RECORDS:
    for c in (1, 2, 7, 8, 9):
        compare(name, case(c, c=c, h=5, w=21), 1e-9, boundary="reflecting")
        if name != "max":
            compare(name, case(c, c=c, h=5, w=21, dtype=torch.float32, damping=0.3), 1e-5)
            sheets = case(c, c=c, h=5, w=21, depthwise=True, dtype=torch.float32, damping=0.3)
            compare(name, sheets, 1e-5, boundary="fixed")
"""
    run_with_isa(isa, code)


def test_nothing_is_kept_when_no_gradient_is_asked_for(monkeypatch):
    plans = []
    monkeypatch.setattr(native, "forward", lambda p, *a, real=native.forward: plans.append(p) or real(p, *a))
    given = case(19)
    fields = {k: given[k] for k in ("y0", "omega", "alpha", "kernel", "steps")}
    with torch.no_grad():
        dh.propagate(**fields, dt=0.1, record=dh.Last(), backend="native", check_stability=False)
    dh.propagate(**fields, dt=0.1, record=dh.Last(), backend="native", check_stability=False)
    assert [p.segment for p in plans] == [0, plan.SEGMENT]


def test_nan_stays_nan():
    y0 = torch.zeros(1, 1, 8, 40)
    y0[0, 0, 4, 20] = torch.nan
    options = {"steps": 2, "dt": 0.1, "check_stability": False}
    for record in (dh.Last(), dh.Max(), dh.Mean()):
        last, eager = (
            dh.propagate(y0, 0.0, 0.0, dh.laplacian(1), record=record, backend=backend, **options)
            for backend in ("native", "eager")
        )
        assert torch.equal(last.isnan(), eager.isnan())


def test_the_self_check_sees_a_bad_reversal():
    given = case(23, dtype=torch.float32)
    with dh.engine.checking():
        outcome("native", "last", given)
    given["alpha"] = torch.full_like(given["y0"], 4.99).requires_grad_()
    with (
        planning(growth=1e9),
        dh.engine.checking(),
        pytest.raises(dh.DrumheadError, match=r"were reconstructed to .* only, the limit is"),
    ):
        outcome("native", "last", given)


def test_second_derivatives_say_where_to_go():
    given = case(29)
    fields = {k: given[k] for k in ("y0", "omega", "alpha", "kernel", "steps")}
    out = dh.propagate(**fields, dt=0.1, record=dh.Last(), backend="native", check_stability=False)
    (gradient,) = torch.autograd.grad(out.sum(), given["y0"], create_graph=True)
    with pytest.raises(dh.DrumheadError, match="backend='eager'"):
        gradient.sum().backward()


def test_auto_takes_the_loop_where_an_engine_cannot_help():
    y0 = torch.randn(1, 1, 4, 4)
    pick = lambda y, streams=True: pick_engine("auto", y, (y,), streams)  # noqa: E731
    assert pick(y0) == "native"
    assert pick(y0.double()) == "eager"
    assert pick(y0.bfloat16()) == "eager"
    assert pick(y0, streams=False) == "eager"
    with dh.engine.using("eager"):
        assert pick(y0) == "eager"

    def energy(y):
        kernel = dh.laplacian(1).to(y.dtype)
        kept = dh.propagate(y, 0.0, 0.0, kernel, steps=3, dt=0.1, record=dh.Last(), check_stability=False)
        return kept.square().sum()

    hessian = torch.func.hessian(energy)(y0.double())
    assert hessian.shape == (1, 1, 4, 4, 1, 1, 4, 4)
    _, tangent = torch.func.jvp(energy, (y0,), (torch.ones_like(y0),))
    assert tangent.isfinite()


BAD = {
    "steps": ({"steps": 0}, "steps=0"),
    "every": ({"every": 9}, "every=9"),
    "boundary": ({"boundary": "absorbing"}, "an engine knows 'periodic'"),
    "keep": ({"keep": "all"}, "keep='all'"),
    "omega": ({"omega": torch.ones(1, 2, 4, 4)}, r"omega: got the shape \(1, 2, 4, 4\)"),
    "kernel": ({"kernel": torch.ones(2, 2, 2, 3)}, "odd sides"),
    "channels": ({"kernel": torch.ones(3, 3, 3, 3)}, r"kernel: got the shape \(3, 3, 3, 3\)"),
    "dtype": ({"decay": torch.ones(1, 2, 4, 5, dtype=torch.float64)}, "decay is torch.float64"),
    "half": ({"y0": torch.ones(1, 2, 4, 5).half()}, "y0 is torch.float16|omega is"),
    "block": ({"block": 0}, "block=0"),
    "basis": ({"keep": "project", "basis": torch.ones(3, 4)}, r"basis: got the shape \(3, 4\)"),
    "no basis": ({"keep": "mix"}, "needs a basis"),
    "empty": ({"y0": torch.ones(0, 2, 4, 5)}, "non-empty"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_to_the_operator_is_an_error(bad):
    change, message = BAD[bad]
    field, kernel = torch.ones(1, 2, 4, 5), torch.ones(2, 2, 3, 3)
    tensors = Fields(field, None, field, field, None, kernel)
    plan = Plan(5, 0.1, 0.1, 0.0, 0.1, True, "periodic", "series")
    tensors = tensors._replace(**{name: change[name] for name in change if name in Fields._fields})
    plan = replace(plan, **{name: change[name] for name in change if name not in Fields._fields})
    with pytest.raises(dh.DrumheadError, match=message):
        ops.propagate(*tensors, *plan.numbers())


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("layout", ["transposed", "expanded"])
def test_strides_do_not_matter(depthwise, layout):
    given = case(31, h=6, w=6, depthwise=depthwise)
    y0 = given["y0"].detach()
    y0 = y0.transpose(2, 3) if layout == "transposed" else y0[:1, :1].expand(2, 2, 6, 6)
    given["y0"] = y0.requires_grad_()
    compare("last", given, 1e-9)


@needs_bfloat16
@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize(("c", "h", "w"), [(2, 8, 32), (3, 7, 64), (8, 16, 32), (16, 9, 96)])
@pytest.mark.parametrize("name", ["project", "mix"])
def test_bfloat16_rounds_products_only(boundary, c, h, w, name):
    """Rounding a factor loses at most 2^-9 of it; over 23 steps of a damped medium that stays below two percent."""
    given = case(37, c=c, h=h, w=w, dtype=torch.float32, damping=0.3)
    given["kernel"] = (given["kernel"] / c**0.5).detach().requires_grad_()  # dense sums would make it chaotic
    expected, wanted = outcome("eager", name, given, boundary=boundary)
    found, gradients = outcome("native", name, given, boundary=boundary, precision="bfloat16")
    far = lambda a, b: float((a - b).norm() / b.norm())  # noqa: E731
    assert far(found, expected) < 0.02
    assert max(far(gradients[key], wanted[key]) for key in wanted) < 0.02
    assert far(found, expected) > 1e-5  # it did round
