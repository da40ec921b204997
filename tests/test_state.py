"""Waves that stop and go on: two parts are the whole, gradients included, and several records share one run."""

import copy
import threading
from dataclasses import replace

import pytest
import torch

import drumhead as dh
from conftest import makes_one_graph
from drumhead.engine.cpu import library
from drumhead.engine.plan import planning
from drumhead.physics import absorbing

BOUNDARIES = ("periodic", "fixed", "reflecting", "absorbing")
BACKENDS = ("eager", pytest.param("native", marks=pytest.mark.skipif(library.load() is None, reason="no C compiler")))
FIRST, SECOND = 15, 10  # steps of the two parts: a segment of twelve ends in neither


def medium(dtype=torch.float64, c=2, h=6, w=5):
    draw = lambda *shape: torch.randn(*shape, dtype=dtype)  # noqa: E731
    fields = {"y0": draw(2, c, h, w), "omega": draw(2, c, h, w).abs(), "alpha": draw(2, c, h, w).abs()}
    return fields | {"kernel": 0.2 * draw(c, c, 3, 3), "z0": draw(2, c, h, w)}


def parts(given, first=None, second=None, **options):
    """Return what two parts keep, and the state after the second."""
    y0, z0 = given["y0"], given["z0"]
    rest = {key: given[key] for key in ("omega", "alpha", "kernel")}
    backend = options.pop("backend", "eager")
    again = {"backend": backend, "check_stability": False, "return_state": True}
    kept, state = dh.propagate(y0, **rest, z0=z0, steps=FIRST, record=first, **options, **again)
    later, state = dh.propagate(state, **rest, steps=SECOND, record=second, **again)
    return kept, later, state


def whole(given, record=None, **options):
    return dh.propagate(
        **given, steps=FIRST + SECOND, record=record, check_stability=False, return_state=True, **options
    )


def close(found, expected, exactly, tolerance=1e-12):
    if exactly:
        assert torch.equal(found, expected)
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.detach().abs().max()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_parts_are_the_whole(backend, boundary, integrator, moving, dtype):
    given = medium(dtype)
    given["z0"] = given["z0"] if moving else None
    options = {"dt": 0.2, "boundary": boundary, "integrator": integrator, "backend": backend}
    first, second, state = parts(given, **options)
    series, end = whole(given, **options)
    exactly, tolerance = backend == "eager", 1e-12 if dtype == torch.float64 else 1e-5
    close(torch.cat([first, second], 1), series, exactly, tolerance)
    close(state.y, series[:, -1], exactly, tolerance)
    close(state.z, end.z, exactly, tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_records_keep_of_two_parts(backend):
    """Sums over time split with their basis; the phase of `Every` begins anew, so FIRST is a multiple of it."""
    given, steps = medium(), FIRST + SECOND
    options = {"dt": 0.2, "integrator": "verlet", "backend": backend}
    basis, mixture = torch.randn(3, steps, dtype=torch.float64), torch.randn(3, steps, 2, dtype=torch.float64)
    bins = dh.Fourier(4).turns(steps, given["y0"])
    pixels = torch.tensor([[0, 7, 20], [1, 2, 3]])
    split = lambda kind, b: (kind(b[:, :FIRST].contiguous()), kind(b[:, FIRST:].contiguous()))  # noqa: E731
    add = torch.add
    cases = [
        (dh.Every(5), dh.Every(5), dh.Every(5), lambda a, b: torch.cat([a, b], 1)),
        (dh.Last(), dh.Mean(), dh.Last(), lambda a, b: b),
        (dh.Mean(), dh.Mean(), dh.Mean(), lambda a, b: (FIRST * a + SECOND * b) / steps),
        (dh.Max(), dh.Max(), dh.Max(), torch.maximum),
        (dh.Project(basis), *split(dh.Project, basis), add),
        (dh.Mix(mixture), *split(dh.Mix, mixture), add),
        (dh.At(dh.Project(basis), pixels), *(dh.At(r, pixels) for r in split(dh.Project, basis)), add),
    ]
    for record, first, second, join in cases:
        kept, later, _ = parts(given, first, second, **options)
        close(join(kept, later), whole(given, record, **options)[0], False)
    real, imaginary = (add(*parts(given, *split(dh.Project, b), **options)[:2]) for b in bins.chunk(2))
    close(torch.complex(real, imaginary).abs(), whole(given, dh.Fourier(4), **options)[0], False)


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_flow_through_the_state(backend, integrator):
    given = {key: value[:1, :, :3, :4] if key != "kernel" else value for key, value in medium().items()}
    leaves = [
        value.detach().requires_grad_() for value in (*given.values(), torch.randn(2, FIRST, dtype=torch.float64))
    ]

    def call(y0, omega, alpha, kernel, z0, basis):
        fields = {"y0": y0, "omega": omega, "alpha": alpha, "kernel": kernel, "z0": z0}
        options = {"dt": 0.2, "integrator": integrator, "backend": backend}
        kept, later, state = parts(fields, dh.Project(basis), dh.Max(), **options)
        return kept, later, state.y, state.z

    assert torch.autograd.gradcheck(call, leaves)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("cut", [False, True])
def test_native_gradients_of_a_state_are_the_loops(boundary, cut, monkeypatch):
    monkeypatch.setattr(absorbing, "MARGIN", 5)
    if library.load() is None:
        pytest.skip("no C compiler")
    given = medium(c=3)
    answers = []
    for backend in ("eager", "native"):
        leaves = {key: value.clone().requires_grad_() for key, value in given.items()}
        rest = {key: leaves[key] for key in ("omega", "alpha", "kernel")}
        options = {"steps": 14, "check_stability": False, "return_state": True, "backend": backend}
        _, state = dh.propagate(
            leaves["y0"], **rest, z0=leaves["z0"], dt=0.2, integrator="verlet", boundary=boundary, **options
        )
        with planning(quad_channels=1):
            last, state = dh.propagate(state.detach() if cut else state, **rest, record=dh.Last(), **options)
        loss = last.square().sum() + (state.z * torch.linspace(0, 1, 5, dtype=torch.float64)).sum()
        answers.append(torch.autograd.grad(loss, list(leaves.values()), allow_unused=True))
    for found, expected in zip(*reversed(answers), strict=True):
        assert (found is None) == (expected is None)
        if found is not None:
            close(found, expected, False, 1e-9)
    assert (answers[0][0] is None) == cut


def test_states_of_their_own():
    given = medium()
    rest = {key: given[key] for key in ("omega", "alpha", "kernel")} | {"steps": 4, "check_stability": False}
    by_hand = dh.State(given["y0"], given["z0"])
    expected = dh.propagate(given["y0"], z0=given["z0"], dt=0.2, integrator="verlet", **rest)
    assert torch.equal(dh.propagate(by_hand, dt=0.2, integrator="verlet", **rest), expected)
    _, state = dh.propagate(by_hand, dt=0.2, integrator="verlet", return_state=True, **rest)
    settings = "dt=0.2, nonlinearity='tanh', boundary='periodic', integrator='verlet'"
    assert repr(state) == f"State(float64 (2, 2, 6, 5) on cpu, {settings}, begun)"
    assert repr(by_hand) == "State(float64 (2, 2, 6, 5) on cpu, whole)"
    single = copy.deepcopy(state).to(torch.float32)
    assert (single.y.dtype, single.z.dtype, single.begun, single.dt) == (torch.float32, torch.float32, True, 0.2)
    with pytest.raises(AttributeError):
        state.y = given["y0"]
    for wrong, message in (
        ({"dt": 0.1}, r"dt=0.1: the state was made with dt=0.2; leave dt out"),
        ({"integrator": "euler"}, "integrator='euler': the state was made with integrator='verlet'"),
        ({"boundary": "fixed"}, "boundary='fixed': the state was made with boundary='periodic'"),
        ({"nonlinearity": "linear"}, "nonlinearity='linear': the state was made with nonlinearity='tanh'"),
        ({"z0": given["z0"]}, "a state brings its own velocity"),
    ):
        with pytest.raises(dh.DrumheadError, match=message):
            dh.propagate(state, **rest, **wrong)
    dh.propagate(state, dt=0.2, integrator="verlet", boundary="periodic", nonlinearity="tanh", **rest)
    with pytest.raises(dh.DrumheadError, match="dt: a step in model time is needed"):
        dh.propagate(by_hand, **rest)


def test_an_absorbing_margin_is_remembered():
    """A pulse that has entered the margin when the first part ends comes back, a little, in the second."""
    y0 = torch.zeros(1, 1, 20, 20, dtype=torch.float64)
    y0[..., 18, 10] = 1.0
    options = {"boundary": "absorbing", "integrator": "verlet", "nonlinearity": "linear"}
    rest = {"omega": 0.0, "alpha": 0.0, "kernel": dh.laplacian(1).double()}
    _, state = dh.propagate(y0, **rest, dt=0.4, steps=30, return_state=True, **options)
    assert state.y.shape == y0.shape
    second = dh.propagate(state, **rest, steps=30)
    assert torch.equal(second, dh.propagate(y0, **rest, dt=0.4, steps=60, **options)[:, 30:])
    forgotten = dh.State(state.y, state.z, dt=0.4, begun=True, **options)
    assert not torch.allclose(dh.propagate(forgotten, **rest, steps=30), second, atol=1e-6)


def test_a_record_that_stops_early_leaves_the_last_state():
    class First(dh.Record):
        def collect(self, states, steps):
            return next(states)

    given = medium()
    kept, state = whole(given, First(), dt=0.2)
    series, end = whole(given, dt=0.2)
    assert torch.equal(kept, series[:, 0])
    assert torch.equal(state.y, end.y)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_several_records_of_one_run(backend, boundary):
    given = medium()
    leaves = {key: value.clone().requires_grad_() for key, value in given.items()}
    basis = torch.randn(3, FIRST + SECOND, dtype=torch.float64, requires_grad=True)
    pixels = torch.tensor([[9, 7, 20], [1, 2, 3]])
    records = (
        dh.Last(), dh.Project(basis), dh.All(), dh.Max(), dh.Mean(), dh.Every(4), dh.Fourier(3),
        dh.At(dh.Project(basis), pixels), dh.At(dh.Every(4), pixels), dh.At(dh.All(), pixels),
    )  # fmt: skip
    options = {"dt": 0.2, "boundary": boundary, "backend": backend}
    together, _ = whole(leaves, records, **options)
    assert isinstance(together, tuple)
    for record, kept in zip(records, together, strict=True):
        alone, _ = whole(leaves, record, **options)
        close(kept, alone, False)
        for found, expected in zip(
            *(
                torch.autograd.grad(x.square().sum(), [*leaves.values(), basis], retain_graph=True, allow_unused=True)
                for x in (kept, alone)
            ),
            strict=True,
        ):
            assert (found is None) == (expected is None)
            if found is not None:
                close(found, expected, False, 1e-9)


def test_several_records_are_each_checked():
    given = medium()
    for records, message in (
        ((), "record=.*at least one"),
        ((dh.Last(), "all"), "record='all'"),
        ((dh.Last(), dh.Every(99)), r"Every\(99\)"),
        ((dh.Last(), dh.Project(torch.ones(1, FIRST + SECOND))), "basis is torch.float32"),
    ):
        with pytest.raises(dh.DrumheadError, match=message):
            whole(given, records, dt=0.2)


@makes_one_graph
@pytest.mark.parametrize("backend", ["auto", "eager"])
def test_states_under_torch_compile(backend):
    y0, kernel = torch.randn(1, 2, 5, 6), dh.laplacian(2)
    options = {"backend": backend, "check_stability": False, "return_state": True, "record": dh.Last()}

    def call(y0):
        first, state = dh.propagate(y0, 0.3, 0.1, kernel, steps=4, dt=0.2, integrator="verlet", **options)
        second, state = dh.propagate(state, 0.3, 0.1, kernel, steps=4, **options)
        return first, second, state.y, state.z

    torch._dynamo.reset()
    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    for found, expected in zip(compiled(y0), call(y0), strict=True):
        torch.testing.assert_close(found, expected)


def test_settings_stay_in_their_thread():
    y0, seen = torch.randn(1, 1, 4, 4), {}
    entered, left = threading.Event(), threading.Event()

    def other():
        with dh.engine.using("eager"), planning(segment=3):
            entered.set()
            left.wait(10)

    def engine():
        from drumhead.engine.choose import pick
        from drumhead.engine.plan import planned

        return pick("auto", y0, (y0,), True), planned()

    seen["before"] = engine()
    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    seen["during"] = engine()
    left.set()
    thread.join()
    assert seen["during"] == seen["before"]


def test_a_changed_state_counts_where_something_moves_around_it():
    y0, kernel = torch.rand(2, 1, 6, 7), dh.laplacian(1)
    options = {"dt": 0.3, "boundary": "absorbing", "integrator": "verlet"}
    _, state = dh.propagate(y0, 0.1, 0.1, kernel, steps=3, return_state=True, **options)

    def last(state):
        return dh.propagate(state, 0.1, 0.1, kernel, steps=3, record=dh.Last())

    assert torch.equal(last(replace(state, y=state.y.clone())), last(state))
    for name in ("y", "z"):
        assert not torch.allclose(last(replace(state, **{name: 0 * getattr(state, name)})), last(state))
    with pytest.raises(dh.DrumheadError, match="do not fit what moves around them"):
        last(replace(state, y=state.y[:1], z=state.z[:1]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_kept_shares_no_memory_with_the_state_or_other_records(backend):
    y0, kernel = torch.rand(1, 1, 6, 7), dh.laplacian(1)
    options = {"steps": 4, "dt": 0.3, "backend": backend, "return_state": True}
    kept, state = dh.propagate(y0, 0.1, 0.1, kernel, record=dh.Last(), **options)
    before = state.y.clone()
    kept.zero_()
    assert torch.equal(state.y, before)
    (series, last, again), _ = dh.propagate(y0, 0.1, 0.1, kernel, record=(dh.All(), dh.Last(), dh.All()), **options)
    series.zero_()
    assert torch.equal(last, before)
    assert torch.equal(again[:, -1], before)
    assert last.untyped_storage().nbytes() == last.nbytes
