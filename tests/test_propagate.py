"""The time loop against mathematics, NumPy and itself."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import drumhead as dh
from conftest import makes_one_graph
from drumhead.engine import boundaries
from drumhead.physics import absorbing
from problems import exact, numpy_propagate, standing_mode

D = torch.float64
BOUNDARIES = ("periodic", "fixed", "reflecting", "absorbing")


def medium(b=2, c=3, h=5, w=4, *, dense=True, ky=3, kx=3, dtype=D):
    y0, z0 = torch.randn(2, b, c, h, w, dtype=dtype)
    omega, alpha = torch.rand(2, b, c, h, w, dtype=dtype) + 0.1
    kernel = 0.3 * torch.randn(c, c if dense else 1, ky, kx, dtype=dtype)
    return {"y0": y0, "omega": omega, "alpha": alpha, "kernel": kernel, "z0": z0}


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("mode", [(1, 1), (2, 3)])
def test_a_clamped_square_rings_at_its_own_frequency(integrator, mode):
    shape, stiffness = standing_mode(12, *mode)
    y0 = torch.tensor(shape, dtype=D)[None, None]
    dt, steps = 0.3, 400
    series = dh.propagate(
        y0, 0.0, 0.0, dh.laplacian(1).double(), steps=steps, dt=dt, nonlinearity="linear", boundary="fixed",
        integrator=integrator,
    )  # fmt: skip
    theta = 2 * np.arcsin(dt / 2 * np.sqrt(stiffness))
    t = np.arange(1, steps + 1)
    expected = np.cos(theta * t) if integrator == "verlet" else np.cos(theta * (t + 0.5)) / np.cos(theta / 2)
    torch.testing.assert_close(series[0, :, 0], torch.tensor(expected[:, None, None] * shape), atol=1e-10, rtol=0)

    heard = np.abs(np.fft.rfft(series[0, :, 0, 3, 4].numpy() * np.hanning(steps)))
    bin_width = 2 * np.pi / (steps * dt)
    continuum = np.pi / 13 * np.hypot(*mode)
    assert abs(heard.argmax() * bin_width - continuum) <= bin_width


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
def test_a_pulse_travels_at_the_speed_of_dalembert(integrator):
    n, time, dt = 400, 100.0, 0.1
    x = torch.arange(n, dtype=D) - n / 2
    kernel = torch.tensor([1.0, -2.0, 1.0], dtype=D).view(1, 1, 1, 3)
    pulse = lambda shift: torch.exp(-(((x - shift) / 8) ** 2) / 2)  # noqa: E731
    last = dh.propagate(
        pulse(0)[None, None, None], 0.0, 0.0, kernel, steps=round(time / dt), dt=dt, nonlinearity="linear",
        record=dh.Last(), integrator=integrator,
    )[0, 0, 0]  # fmt: skip
    expected = (pulse(time) + pulse(-time)) / 2
    assert (last - expected).abs().max() < 0.01
    assert abs(float(x[last[n // 2 :].argmax() + n // 2]) - time) <= 1


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize("integrator", ["euler", "verlet"])
def test_energy_is_conserved_without_damping(boundary, integrator):
    y0, omega = torch.randn(1, 1, 9, 7, dtype=D), torch.rand(1, 1, 9, 7, dtype=D)
    kernel, dt = dh.laplacian(1).double(), 0.5
    series = dh.propagate(
        y0,
        omega,
        0.0,
        kernel,
        steps=2000,
        dt=dt,
        nonlinearity="linear",
        boundary=boundary,
        integrator=integrator,
    )[0]
    after, before = series[1:], series[:-1]
    padded = boundaries.pad(before, (1, 1), boundary)
    force = torch.nn.functional.conv2d(padded, kernel) - omega * before
    # The leapfrog recursion y+ - 2 y + y- = dt^2 A y conserves this product exactly.
    energy = (((after - before) / dt) ** 2).sum((1, 2, 3)) / 2 - (after * force).sum((1, 2, 3)) / 2
    assert float((energy / energy[0] - 1).abs().max()) < 1e-9


@pytest.mark.parametrize(("integrator", "tolerance"), [("euler", 0.03), ("verlet", 0.003)])
def test_energy_decays_at_the_rate_of_the_damping(integrator, tolerance):
    shape, _ = standing_mode(8, 1, 1)
    alpha, dt, steps = 0.05, 0.2, 1500
    y0 = torch.tensor(shape, dtype=D)[None, None]
    series = dh.propagate(
        y0, 4.0, alpha, dh.laplacian(1).double(), steps=steps, dt=dt, nonlinearity="linear", boundary="fixed",
        integrator=integrator,
    )  # fmt: skip
    energy = (series[0] ** 2).sum((1, 2, 3)).view(-1, 50).amax(1).log().numpy()  # one maximum for several periods
    rate = -np.polyfit(np.arange(len(energy)) * 50 * dt, energy, 1)[0]
    assert rate == pytest.approx(alpha, rel=tolerance)


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize(("integrator", "order"), [("euler", 1), ("verlet", 2)])
def test_error_falls_with_the_order_of_the_integrator(integrator, order, boundary, rng):
    y0, z0 = rng.normal(size=(2, 2, 4, 3))
    omega, alpha = rng.uniform(0, 2, (2, 2, 4, 3))
    kernel = rng.normal(size=(2, 2, 3, 3)) * 0.3
    truth = exact(y0, omega, alpha, kernel, 2.0, boundary, z0)
    tensors = [torch.tensor(a)[None] for a in (y0, omega, alpha, z0)]
    errors = []
    for steps in (40, 80, 160, 320):
        last = dh.propagate(
            *tensors[:3], torch.tensor(kernel), z0=tensors[3], steps=steps, dt=2.0 / steps, nonlinearity="linear",
            boundary=boundary, integrator=integrator, record=dh.Last(), check_stability=False,
        )  # fmt: skip
        errors.append(np.abs(last[0].numpy() - truth).max())
    slope = np.polyfit(np.log([40, 80, 160, 320]), np.log(errors), 1)[0]
    assert -slope == pytest.approx(order, abs=0.12)


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 3), (7, 4)])
@pytest.mark.parametrize("kernel_size", [(3, 3), (1, 5), (5, 3)])
@pytest.mark.parametrize("dense", [True, False])
def test_a_step_equals_numpy(boundary, size, kernel_size, dense):
    given = medium(1, 2, *size, dense=dense, ky=kernel_size[0], kx=kernel_size[1])
    for nonlinearity in ("tanh", "linear"):
        options = {"steps": 6, "dt": 0.2, "nonlinearity": nonlinearity, "boundary": boundary}
        series = dh.propagate(**given, **options, check_stability=False)[0]
        y0, omega, alpha, kernel, z0 = (a.numpy() for a in given.values())
        expected = numpy_propagate(y0[0], omega[0], alpha[0], kernel, z=z0[0], **options)
        np.testing.assert_allclose(series.numpy(), expected, atol=1e-12)


def test_an_absorbing_edge_lets_waves_leave():
    y0 = torch.zeros(1, 1, 40, 31, dtype=D)
    y, x = torch.meshgrid(torch.arange(40.0, dtype=D), torch.arange(31.0, dtype=D), indexing="ij")
    y0[0, 0] = torch.exp(-((y - 20) ** 2 + (x - 15) ** 2) / (2 * 2.0**2))
    kernel = dh.laplacian(1).double()
    options = {"nonlinearity": "linear", "integrator": "verlet", "dt": 0.5}
    series = dh.propagate(y0, 0.0, 0.0, kernel, steps=140, boundary="absorbing", **options)[0, :, 0]
    open_space = torch.nn.functional.pad(y0, (60, 60, 60, 60))
    free = dh.propagate(open_space, 0.0, 0.0, kernel, steps=140, **options)[0, :, 0, 60:-60, 60:-60]
    echo = ((series - free) ** 2).sum((1, 2))  # what is there but would not be in open space
    assert series.shape == (140, 40, 31)
    assert float(echo.max() / (y0**2).sum()) < 0.01
    reflected = dh.propagate(y0, 0.0, 0.0, kernel, steps=140, boundary="fixed", **options)[0, :, 0]
    assert float(((reflected - free) ** 2).sum((1, 2)).max() / (y0**2).sum()) > 0.1


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_waves_on_a_torus_commute_with_shifts(data):
    c, h, w = (data.draw(st.integers(1, top)) for top in (3, 9, 9))
    ky, kx = (data.draw(st.sampled_from([1, 3, 5])) for _ in range(2))
    shift = tuple(data.draw(st.integers(-9, 9)) for _ in range(2))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    given = medium(1, c, h, w, dense=data.draw(st.booleans()), ky=ky, kx=kx)
    options = {
        "steps": 5,
        "dt": 0.3,
        "check_stability": False,
        "integrator": data.draw(st.sampled_from(["euler", "verlet"])),
    }
    rolled = {name: a if name == "kernel" else a.roll(shift, (-2, -1)) for name, a in given.items()}
    expected = dh.propagate(**given, **options).roll(shift, (-2, -1))
    torch.testing.assert_close(dh.propagate(**rolled, **options), expected, atol=1e-12, rtol=0)


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from(["periodic", "fixed", "reflecting"]))
@settings(max_examples=25, deadline=None)
def test_a_symmetric_kernel_commutes_with_quarter_turns(h, w, boundary):
    given = medium(1, 2, h, w) | {"kernel": dh.laplacian(2).double()}
    options = {"steps": 5, "dt": 0.3, "boundary": boundary}
    turned = {name: a if name == "kernel" else a.rot90(1, (-2, -1)) for name, a in given.items()}
    expected = dh.propagate(**given, **options).rot90(1, (-2, -1))
    torch.testing.assert_close(dh.propagate(**turned, **options), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_batch_equals_a_loop(boundary):
    given = medium(3)
    options = {"steps": 7, "dt": 0.2, "boundary": boundary, "check_stability": False}
    together = dh.propagate(**given, **options)
    for i in range(3):
        one = {name: a if name == "kernel" else a[i : i + 1] for name, a in given.items()}
        torch.testing.assert_close(dh.propagate(**one, **options), together[i : i + 1], atol=1e-12, rtol=0)


def test_a_linear_medium_is_linear():
    a, b = medium(1), medium(1)
    options = {"omega": a["omega"], "alpha": a["alpha"], "kernel": a["kernel"], "steps": 9, "dt": 0.2,
               "nonlinearity": "linear", "check_stability": False}  # fmt: skip
    total = dh.propagate(a["y0"] + 3 * b["y0"], z0=a["z0"] + 3 * b["z0"], **options)
    parts = [dh.propagate(s["y0"], z0=s["z0"], **options) for s in (a, b)]
    torch.testing.assert_close(total, parts[0] + 3 * parts[1], atol=1e-12, rtol=1e-9)


RECORDS = {
    "All": lambda: dh.All(),
    "Every": lambda: dh.Every(2),
    "Last": lambda: dh.Last(),
    "Mean": lambda: dh.Mean(),
    "Max": lambda: dh.Max(),
    "Project": lambda: dh.Project(torch.randn(3, 5, dtype=D)),
    "Fourier": lambda: dh.Fourier(2),
}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("integrator", ["euler", "verlet"])
def test_gradients_of_every_argument(record, integrator):
    made = RECORDS[record]()
    given = {name: a.requires_grad_() for name, a in medium(1, 2, 3, 4).items()}
    basis = made.basis.requires_grad_() if record == "Project" else None

    def call(y0, omega, alpha, kernel, z0, *rest):
        keep = dh.Project(rest[0]) if rest else made
        return dh.propagate(
            y0,
            omega,
            alpha,
            kernel,
            z0=z0,
            steps=5,
            dt=0.4,
            record=keep,
            integrator=integrator,
            check_stability=False,
        )

    inputs = [*given.values(), *([basis] if basis is not None else [])]
    assert torch.autograd.gradcheck(call, inputs)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dense", [True, False])
def test_gradients_at_every_boundary(boundary, dense, monkeypatch):
    monkeypatch.setattr(absorbing, "MARGIN", 2)  # numerical differentiation of a wide margin takes minutes
    given = [a.requires_grad_() for a in medium(1, 2, 3, 2, dense=dense).values()]

    def call(y0, omega, alpha, kernel, z0):
        return dh.propagate(
            y0,
            omega,
            alpha,
            kernel,
            z0=z0,
            steps=3,
            dt=0.4,
            record=dh.Last(),
            boundary=boundary,
            check_stability=False,
        )

    assert torch.autograd.gradcheck(call, given)
    if boundary != "absorbing":
        assert torch.autograd.gradgradcheck(call, given)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (2, 1, 5, 4), (1, 3, 1, 1), (5, 4)])
def test_media_broadcast(shape):
    given = medium() | {"omega": torch.rand(shape, dtype=D), "alpha": torch.rand(shape, dtype=D)}
    full = given | {name: given[name].expand(2, 3, 5, 4) for name in ("omega", "alpha")}
    for boundary, integrator in itertools.product(BOUNDARIES, ("euler", "verlet")):
        options = {
            "steps": 4,
            "dt": 0.1,
            "boundary": boundary,
            "integrator": integrator,
            "check_stability": False,
        }
        torch.testing.assert_close(dh.propagate(**given, **options), dh.propagate(**full, **options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_precisions(dtype):
    given = medium(1, 2, 6, 5)
    low = {name: a.to(dtype) for name, a in given.items()}
    for record in (dh.All(), dh.Fourier(3), dh.Mean()):
        options = {"steps": 12, "dt": 0.1, "record": record, "check_stability": False}
        got = dh.propagate(**low, **options)
        assert got.dtype == dtype
        tolerance = {torch.float32: 1e-5, torch.float16: 0.05, torch.bfloat16: 0.4}[dtype]
        torch.testing.assert_close(got.double(), dh.propagate(**given, **options), atol=tolerance, rtol=tolerance)


@makes_one_graph
def test_it_compiles_to_one_exported_graph():
    class Waves(torch.nn.Module):
        def forward(self, y0, omega):
            return dh.propagate(y0, omega, 0.1, dh.laplacian(2), steps=3, dt=0.1, check_stability=False)

    y0, omega = torch.randn(1, 2, 6, 6), torch.rand(1, 2, 6, 6)
    exported = torch.export.export(Waves(), (y0, omega)).module()
    torch.testing.assert_close(exported(y0, omega), Waves()(y0, omega))
