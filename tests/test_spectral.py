"""Waves in closed form against the loop, against a matrix exponential, and against their own numbers' derivatives."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import drumhead as dh
from drumhead.engine.boundaries import pad
from drumhead.physics import spectral

BOUNDARIES = ("periodic", "fixed", "reflecting")


def medium(boundary, dtype=torch.float64, channels=3):
    """Return a kernel of unequal speeds, on a torus one without any symmetry, and omega of each sheet."""
    torch.manual_seed(0)
    kernel = dh.laplacian(channels).to(dtype) * torch.linspace(0.3, 1, channels, dtype=dtype).view(-1, 1, 1, 1)
    if boundary == "periodic":
        kernel = kernel + 0.02 * torch.randn_like(kernel)
    return kernel, torch.linspace(0, 0.5, channels, dtype=dtype)


@settings(max_examples=40, deadline=None)
@given(
    boundary=st.sampled_from(BOUNDARIES), integrator=st.sampled_from(["euler", "verlet"]),
    height=st.integers(1, 12), width=st.integers(1, 12), alpha=st.floats(0, 2), moving=st.booleans(),
    double=st.booleans(),
)  # fmt: skip
def test_with_a_step_it_is_the_loop(boundary, integrator, height, width, alpha, moving, double):
    dtype = torch.float64 if double else torch.float32
    kernel, omega = medium(boundary, dtype)
    y0 = torch.randn(2, 3, height, width, dtype=dtype)
    z0 = torch.randn_like(y0) if moving else None
    how = {"z0": z0, "boundary": boundary, "dt": 0.5, "integrator": integrator}
    loop = dh.propagate(
        y0, omega.view(1, 3, 1, 1), alpha, kernel, steps=25, nonlinearity="linear", check_stability=False, **how
    )
    found = dh.propagate_exact(
        y0, omega, alpha, kernel, times=[0.5 * t for t in range(1, 26)], check_stability=False, **how
    )
    scale = max(1.0, float(loop.abs().max()))
    assert (found - loop).abs().max() <= (1e-12 if double else 1e-5) * scale


@pytest.mark.parametrize("alpha", [0.0, 0.3, 2 * math.sqrt(0.5), 3.0, 8.0, 40.0])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_without_one_it_is_a_matrix_exponential(boundary, alpha):
    (height, width), omega = (5, 4), 0.5
    n = height * width
    kernel = medium(boundary, channels=1)[0]
    impulses = torch.eye(n, dtype=torch.float64).view(n, 1, height, width)
    coupling = torch.nn.functional.conv2d(pad(impulses, (1, 1), boundary), kernel).view(n, n).T
    eye = torch.eye(n, dtype=torch.float64)
    matrix = torch.cat([torch.cat([0 * eye, eye], 1), torch.cat([coupling - omega * eye, -alpha * eye], 1)])
    y0, z0 = torch.randn(2, 1, 1, height, width, dtype=torch.float64)
    times = [0.0, 1e-3, 0.7, 1.0, 13.3, 100.0]
    found = dh.propagate_exact(y0, omega, alpha, kernel, times=times, z0=z0, boundary=boundary)[0, :, 0]
    for t, waves in zip(times, found, strict=True):
        exact = (torch.matrix_exp(matrix * t) @ torch.cat([y0.flatten(), z0.flatten()]))[:n].view(height, width)
        assert (waves - exact).abs().max() <= 1e-10 * max(1.0, float(exact.abs().max()))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients_flow_into_everything(boundary):
    kernel, _ = medium(boundary, channels=2)
    y0, z0 = torch.randn(2, 1, 2, 4, 3, dtype=torch.float64)
    omega, alpha = torch.tensor([[0.0, 0.5], [0.0, 1.4]], dtype=torch.float64)
    inputs = [x.clone().requires_grad_() for x in (y0, z0, omega, alpha, kernel)]
    times = torch.tensor([0.1, 0.5, 3.0], dtype=torch.float64, requires_grad=True)

    def mirrored(kernel):  # a step of numerical differentiation must not leave the kernels that have a closed form
        return (
            kernel if boundary == "periodic" else (kernel + kernel.flip(-1) + kernel.flip(-2) + kernel.flip(-1, -2)) / 4
        )

    def run(y0, z0, omega, alpha, kernel, times=(0, 0.5, 4.0), **scheme):
        kernel, free = mirrored(kernel), {"check_stability": False}  # of numerical differentiation below omega = 0
        return dh.propagate_exact(y0, omega, alpha, kernel, times=times, z0=z0, boundary=boundary, **free, **scheme)

    assert torch.autograd.gradcheck(run, (*inputs, times))
    for integrator in ("euler", "verlet"):
        assert torch.autograd.gradcheck(lambda *x, i=integrator: run(*x, dt=0.5, integrator=i), inputs)


@pytest.mark.parametrize("dt", [None, 0.5])
def test_a_kernel_may_lose_its_symmetry_in_forward_mode_and_be_one_of_many(dt):
    y0 = torch.randn(1, 1, 6, 5, dtype=torch.float64)
    kernel, tangent = dh.laplacian(1).double(), torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    tangent[0, 0, 1, 0] = 1

    def run(kernel):
        return dh.propagate_exact(y0, 0.5, 0.1, kernel, times=[2.0], dt=dt)

    _, found = torch.func.jvp(run, (kernel,), (tangent,))
    step = 1e-4 * tangent  # less than 4e-6 counts as rounding of a symmetric kernel
    torch.testing.assert_close(found, (run(kernel + step) - run(kernel - step)) / 2e-4, atol=1e-7, rtol=0)
    kernels = torch.stack([kernel, kernel + 0.1 * tangent])
    each = torch.func.vmap(run)(kernels)
    torch.testing.assert_close(each, torch.stack([run(one) for one in kernels]), atol=1e-12, rtol=0)


@pytest.mark.parametrize("boundary", ["fixed", "reflecting"])
def test_fast_transforms_and_matrices_agree(boundary, monkeypatch):
    y0, z0 = torch.randn(2, 1, 2, 9, 14, dtype=torch.float64)
    found = []
    for short in (0, 256):
        monkeypatch.setattr(spectral, "SHORT", short)
        found.append(
            dh.propagate_exact(y0, 0.1, 0.2, dh.laplacian(2).double(), times=[0.5, 9.0], z0=z0, boundary=boundary)
        )
    torch.testing.assert_close(*found, atol=1e-13, rtol=0)


def test_an_initial_velocity_may_be_a_number():
    y0, kernel = torch.rand(1, 2, 5, 5), dh.laplacian(2)
    number, tensor = (dh.propagate_exact(y0, 0.1, 0.1, kernel, times=[1.0], z0=z0) for z0 in (0.5, 0 * y0 + 0.5))
    assert torch.equal(number, tensor)


def test_growing_waves_are_there_for_who_asks():
    y0, kernel = torch.ones(1, 1, 4, 4).double(), torch.zeros(1, 1, 3, 3).double()
    found = dh.propagate_exact(y0, -1.0, 0.0, kernel, times=[3.0], check_stability=False)
    torch.testing.assert_close(found[0, 0], math.cosh(3.0) * y0[0])


def test_it_reaches_the_whole_image_at_any_time_in_any_order():
    y0 = torch.zeros(1, 1, 64, 65)
    y0[0, 0, 0, 0] = 1.0
    late, early = dh.propagate_exact(y0, 0.1, 0.0, dh.laplacian(1), times=[1e4, 0.0], boundary="reflecting")[0]
    torch.testing.assert_close(early[0], y0[0, 0], atol=1e-6, rtol=0)
    assert (late[0].abs() > 1e-6).float().mean() > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": dh.laplacian(2, dense=True)}, r"\(2, 1, ky, kx\) is needed: sheets that do not mix"),
        ({"kernel": torch.rand(2, 1, 3, 3), "boundary": "fixed"}, "its own mirror image along both axes"),
        ({"kernel": dh.laplacian(2, size=5), "boundary": "fixed"}, "takes at most 3x3"),
        ({"kernel": torch.rand(2, 1, 2, 3)}, "odd sides are needed"),
        ({"boundary": "absorbing"}, "boundary='absorbing' is not known"),
        ({"omega": torch.rand(1, 2, 5, 5)}, "the medium is the same at every pixel"),
        ({"alpha": torch.rand(3)}, r"one a sheet, \(2,\), is needed"),
        ({"times": []}, "one or more finite numbers >= 0"),
        ({"times": [-1.0]}, "one or more finite numbers >= 0"),
        ({"times": ["a"]}, r"times=\['a'\]: a number or a tensor of numbers"),
        ({"omega": None}, "omega=None: a number or a tensor of numbers"),
        ({"z0": "a"}, "z0='a': a number or a tensor of numbers"),
        ({"times": [0.3], "dt": 0.5}, "whole multiples of it"),
        ({"times": [75_000.25], "dt": 0.5}, "whole multiples of it"),
        ({"times": [2000.004], "dt": 0.01}, "whole multiples of it"),
        ({"dt": 0.0}, "dt=0.0: a positive number is needed"),
        ({"integrator": "verlet"}, "does nothing without dt"),
        ({"integrator": "leapfrog", "dt": 0.5}, "integrator='leapfrog' is not known"),
        ({"y0": torch.rand(2, 5, 5)}, r"a non-empty tensor \(b, c, y, x\)"),
        ({"z0": torch.rand(1, 2, 5, 5).double()}, "z0 is torch.float64"),
        ({"z0": torch.rand(1, 3, 5, 5)}, r"z0: got the shape \(1, 3, 5, 5\)"),
        ({"alpha": -5.0}, "alpha has negative values"),
        ({"omega": torch.tensor([0.1, -0.5])}, "omega has negative values"),
        ({"omega": math.inf}, "omega has infinite or undefined values"),
        ({"dt": 2.0, "times": [4.0]}, "dt=2 is beyond the stable limit"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    given = {"y0": torch.rand(1, 2, 5, 5), "omega": 0.1, "alpha": 0.1, "kernel": dh.laplacian(2), "times": [1.0]}
    with pytest.raises(dh.DrumheadError, match=message):
        dh.propagate_exact(**(given | changes))
