"""The stable limit against the eigenvalues of the step itself."""

import numpy as np
import pytest
import torch

import drumhead as dh
from drumhead.networks.tiles import Tiles, largest_courant
from drumhead.physics.stability import speed, stiffness
from problems import dense_operator


def symmetric_kernel(rng, channels, dense):
    """A random coupling that is symmetric as an operator: w_ij(r) = w_ji(-r)."""
    kernel = rng.normal(size=(channels, channels if dense else 1, 3, 3))
    return kernel + (kernel.transpose(1, 0, 2, 3) if dense else kernel)[:, :, ::-1, ::-1]


def step_radius(kernel, omega, alpha, dt, integrator, boundary):
    """Largest eigenvalue, in magnitude, of one linear step on (y, z)."""
    matrix = dense_operator(kernel, *omega.shape, boundary) - np.diag(omega.ravel())
    n, a = len(matrix), alpha.ravel()
    if integrator == "euler":
        decay, gain = 1 - dt * a, np.full(n, dt)
    else:
        decay = np.exp(-dt * a)
        gain = dt * (1 + decay) / 2
    velocity = np.hstack([gain[:, None] * matrix, np.diag(decay)])
    step = np.vstack([np.hstack([np.eye(n), np.zeros((n, n))]) + dt * velocity, velocity])
    return np.abs(np.linalg.eigvals(step)).max()


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("boundary", ["periodic", "fixed"])
@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_below_the_limit_nothing_grows(integrator, boundary, dense, damping, rng):
    for _ in range(5):
        kernel = symmetric_kernel(rng, 2, dense)
        kernel[:, :, 1, 1] -= (2 * np.eye(2) if dense else np.full((2, 1), 2)) * np.abs(kernel).sum()
        omega = rng.uniform(0, 3, (2, 4, 4))
        alpha = damping * rng.uniform(0, 1, (2, 4, 4))
        limit = dh.stable_dt(torch.tensor(kernel), torch.tensor(omega), torch.tensor(alpha), integrator=integrator)
        assert step_radius(kernel, omega, alpha, 0.99 * limit, integrator, boundary) <= 1 + 1e-6


@pytest.mark.parametrize("integrator", ["euler", "verlet"])
@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_beyond_the_limit_waves_grow(integrator, damping):
    kernel, omega, alpha = dh.laplacian(1).double(), np.full((1, 4, 4), 1.5), np.full((1, 4, 4), damping)
    limit = dh.stable_dt(kernel, 1.5, damping, integrator=integrator)
    assert step_radius(kernel.numpy(), omega, alpha, 0.999 * limit, integrator, "periodic") <= 1 + 1e-9
    assert step_radius(kernel.numpy(), omega, alpha, 1.01 * limit, integrator, "periodic") > 1.001


def test_known_limits():
    assert float(stiffness(dh.laplacian(3))) == pytest.approx(8)
    assert float(stiffness(dh.laplacian(3, dense=True))) == pytest.approx(8)
    assert dh.stable_dt(dh.laplacian(1)) == pytest.approx(2 / 8**0.5)
    assert dh.stable_dt(torch.zeros(1, 1, 3, 3), alpha=4.0) == 0.5
    assert dh.stable_dt(torch.zeros(1, 1, 1, 1), omega=1e-7, alpha=1e6) == pytest.approx(2e-6)
    assert dh.stable_dt(torch.zeros(1, 1, 3, 3), alpha=4.0, integrator="verlet") == float("inf")
    assert float(speed(dh.laplacian(2))) == pytest.approx(1)
    assert float(speed(4 * dh.laplacian(2, size=5))) == pytest.approx(2)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_has_no_limit(dense, value):
    kernel, broken = dh.laplacian(2, dense=dense), torch.tensor([1.0, value])
    assert np.isnan(dh.stable_dt(kernel, omega=broken))
    assert np.isnan(dh.stable_dt(kernel, alpha=broken))
    kernel[0, 0, 1, 1] = value
    assert np.isnan(dh.stable_dt(kernel))


@pytest.mark.parametrize("name", ["nwm-fast", "nwm-stack"])
def test_a_network_whose_weights_are_not_finite_has_no_courant(name):
    model, images = dh.build(f"tetrominoes/{name}"), torch.rand(1, 3, 16, 16)
    assert 0 < model.courant(images) <= 1
    layer = model.encoder if name == "nwm-fast" else model.layers[-1]
    layer.medium.weight.data.fill_(torch.nan)
    assert np.isnan(model.courant(images))
    tiles = Tiles(side=64, most=0)
    assert np.isnan(largest_courant(model, torch.rand(1, 3, 16, 80), tiles))


def test_the_check_leaves_gradients_alone():
    y0 = torch.randn(1, 1, 4, 4, requires_grad=True)
    omega, alpha = (torch.rand(1, 1, 4, 4, requires_grad=True) for _ in range(2))
    dh.propagate(y0, omega, alpha, dh.laplacian(1).requires_grad_(), steps=3, dt=0.1).sum().backward()
    assert omega.grad is not None
