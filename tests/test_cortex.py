"""Model and cortex: calibration, dispersion of both integrators, what a trained kernel is as a medium, and the verb."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import drumhead as dh
from conftest import call
from drumhead.files import without_nan
from drumhead.networks.inside import material
from drumhead.neuro import (
    RANGES,
    Continuum,
    Cortex,
    Discrete,
    Portrait,
    bands,
    damping,
    effective,
    gain_of,
    quality,
    spread,
    tanh_gain,
    typical,
)
from drumhead.neuro.measured import SOURCES
from drumhead.physics.medium import Medium

SCHEMES = ("euler", "verlet")
SIZES = st.floats(1e-5, 1e-1)
PACES = st.floats(1e-2, 20)


def carried(y0, omega, alpha, kernel=None, **how):
    """Return the states y_1 .. y_T of linear waves in float64, (t, c, y, x)."""
    kernel = dh.laplacian(y0.shape[1]).double() if kernel is None else kernel
    how = {"nonlinearity": "linear", "backend": "eager"} | how
    return dh.propagate(y0, omega, alpha, kernel, **how)[0].numpy()


# --- calibration ---


@pytest.mark.parametrize(
    ("pitch", "speed", "f0", "q", "t0", "omega", "alpha", "cells", "step"),
    [
        ("0.4 mm", "0.1 m/s", "20 Hz", 3, "4 ms", 0.253, 0.168, 12.5, "2.7 ms"),
        ("0.4 mm", "0.3 m/s", "20 Hz", 3, "1.33 ms", 0.0281, 0.056, 37.5, "0.93 ms"),
        ("0.4 mm", "0.3 m/s", "10 Hz", 2, "1.33 ms", 0.0070, 0.042, 75, "0.94 ms"),
        ("0.4 mm", "0.8 m/s", "20 Hz", 3, "0.5 ms", 0.0039, 0.021, 100, "0.35 ms"),
        ("0.05 mm", "0.2 m/s", "5 Hz", 2, "0.25 ms", 6e-5, 0.0039, 800, "0.18 ms"),
        ("3 mm", "3 m/s", "10 Hz", 3, "1 ms", 0.0039, 0.021, 100, "0.70 ms"),
        ("10 mm", "5 m/s", "10 Hz", 3, "2 ms", 0.016, 0.042, 50, "1.4 ms"),
    ],
)
def test_the_table_of_calibrations(pitch, speed, f0, q, t0, omega, alpha, cells, step):
    cortex = Cortex(pitch, speed=speed)
    found = cortex.omega(f0)
    assert cortex.time(t0) == pytest.approx(1, rel=0.005)
    assert found == pytest.approx(omega, rel=0.05)
    assert damping(found, q) == pytest.approx(alpha, rel=0.02)
    assert quality(found, damping(found, q)) == pytest.approx(q, rel=1e-12)
    assert cortex.oscillators(cortex.wavelength(found)) == pytest.approx(cells, rel=1e-9)
    medium = Discrete(found, damping(found, q))
    assert cortex.time(step) == pytest.approx(medium.largest_step, rel=0.03)


@pytest.mark.parametrize(
    ("pitch", "speed", "f0", "tau"),
    [("0.4 mm", 0.3, 119, 0.027), ("0.4 mm", 0.1, 40, 0.08), ("2.4 mm", 0.3, 20, 0.16)],
)
def test_what_the_papers_numbers_would_be(pitch, speed, f0, tau):
    """omega = 1, alpha = 0.1, 100 steps of 0.1: ten units of time. Ring time tau = 2 T0 / alpha."""
    cortex = Cortex(pitch, speed=speed)
    assert cortex.frequency(1.0) == pytest.approx(f0, rel=0.01)
    assert cortex.tau(0.1) == pytest.approx(tau, rel=0.02)
    assert cortex.seconds(100 * 0.1) == pytest.approx(tau / 2, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(SIZES, PACES, st.floats(0.1, 5), st.floats(1e-6, 10), st.floats(1e-4, 5))
def test_there_and_back_is_the_same(pitch, speed, kappa, omega, alpha):
    cortex = Cortex(pitch, speed=speed, kappa=kappa)
    pairs = [
        (cortex.omega(cortex.frequency(omega)), omega), (cortex.alpha(cortex.tau(alpha)), alpha),
        (cortex.coupling(cortex.speed()), kappa), (cortex.coupling(cortex.speed(2.5)), 2.5),
        (cortex.time(cortex.seconds(alpha)), alpha), (cortex.oscillators(cortex.metres(omega)), omega),
        (cortex.angular(cortex.hertz(omega)), omega), (cortex.speed(), speed),
    ]  # fmt: skip
    # The three anchors say the same: any two of pitch, speed and clock give the third.
    others = [
        Cortex(pitch, t0=cortex.t0, kappa=kappa), Cortex(speed=speed, t0=cortex.t0, kappa=kappa),
        Cortex(pitch, f0=cortex.frequency(omega), omega=omega, kappa=kappa),
        Cortex(speed=speed, f0=cortex.frequency(omega), omega=omega, kappa=kappa),
    ]  # fmt: skip
    pairs += [(other.t0, cortex.t0) for other in others] + [(other.pitch, pitch) for other in others]
    for found, true in pairs:
        assert found == pytest.approx(true, rel=1e-13)


def test_numbers_give_numbers_and_arrays_arrays():
    cortex = Cortex(4e-4, speed=0.3)
    assert isinstance(cortex.frequency(1), float)
    assert isinstance(cortex.speed(), float)
    found = cortex.frequency(np.array([0.02, 1.0, -1.0]), 0.2)
    assert found.shape == (3,)
    assert found[1] == pytest.approx(np.sqrt(0.99) / (2 * np.pi * cortex.t0))
    assert np.isnan(found[2])
    assert cortex.frequency(1.0, 0.2) == pytest.approx(cortex.hertz(Continuum(1.0, 0.2).cutoff), rel=1e-13)
    assert cortex.tau(0.0) == np.inf
    assert repr(Cortex("50 um", f0="5 Hz", omega=6e-5)) == "Cortex(pitch='50 µm', t0='0.247 ms', kappa=1)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing is given; give two of"),
        ({"pitch": "0.4 mm"}, "only pitch is given; give two of"),
        ({"pitch": "0.4 mm", "speed": 0.3, "t0": 0.001}, "pitch, speed, t0 are given, one too many"),
        ({"pitch": "0.4 mm", "speed": 0.3, "f0": 20, "omega": 1.0}, "pitch, speed, f0 are given, one too many"),
        ({"pitch": "0.4 mm", "t0": 0.001, "f0": 20, "omega": 1.0}, "both set the clock"),
        ({"pitch": "0.4 mm", "f0": 20}, "f0 is given without omega"),
        ({"pitch": "0.4 mm", "speed": 0.3, "omega": 1.0}, "omega is given without f0"),
        ({"pitch": "0.4 Hz", "speed": 0.3}, "pitch='0.4 Hz': a length such as '0.4 mm'"),
        ({"pitch": -1, "speed": 0.3}, "pitch=-1: a length above zero"),
        ({"pitch": 1, "speed": "3 mm"}, "speed='3 mm': a speed such as"),
        ({"pitch": 1, "speed": 1, "kappa": 0}, "kappa=0: a finite number above zero"),
        ({"pitch": 1, "f0": 1, "omega": -1.0}, "omega=-1.0: a finite number above zero"),
    ],
)
def test_what_is_no_calibration_is_refused(given, message):
    with pytest.raises(dh.DrumheadError, match=message):
        Cortex(**given)


# --- dispersion ---


@pytest.mark.parametrize("integrator", SCHEMES)
@pytest.mark.parametrize(("omega", "alpha", "kappa", "dt"), [(0.3, 0.1, 1.0, 0.5), (1.0, 0.7, 0.6, 0.3)])
def test_simulated_modes_obey_the_recursion(integrator, omega, alpha, kappa, dt):
    """AR(2) coefficients fitted to the Fourier modes of a simulation: S and D to 1e-6, and what follows from them."""
    medium = Discrete(omega, alpha, kappa, dt, integrator)
    y0 = torch.randn(1, 1, 12, 16, dtype=torch.float64)
    y = carried(y0, omega, alpha, kappa * dh.laplacian(1).double(), steps=40, dt=dt, integrator=integrator)
    modes = np.fft.fft2(np.concatenate([y0[0].numpy(), y[:, 0]]))
    k = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in (12, 16)), indexing="ij")
    trace, held = medium.recursion(k[1], k[0])
    for i in np.ndindex(12, 16):
        if i[0] % 6 == i[1] % 8 == 0:  # real modes: their last two columns may be one
            continue
        q = modes[(slice(None), *i)]
        found = np.linalg.lstsq(np.stack([q[1:-1], q[:-2]], 1), q[2:], rcond=None)[0]
        assert found == pytest.approx([trace[i], -held], abs=1e-6)
        roots = np.log(np.roots([1, *-found])) / dt
        slower = roots[roots.real.argmax()]
        assert abs(slower.imag) == pytest.approx(medium.frequency(k[1], k[0])[i], abs=1e-6)
        assert -slower.real == pytest.approx(medium.decay(k[1], k[0])[i], abs=1e-6)


@pytest.mark.parametrize("integrator", SCHEMES)
@pytest.mark.parametrize(
    ("omega", "alpha", "kappa"), [(0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (0.5, 0.4, 1.5), (2, 1.5, 0.3)]
)
def test_the_largest_step_is_sharp(integrator, omega, alpha, kappa):
    medium = Discrete(omega, alpha, kappa, 0.1, integrator)
    kernel, y0 = kappa * dh.laplacian(1).double(), torch.randn(1, 1, 8, 8, dtype=torch.float64)
    assert dh.stable_dt(kernel, omega, alpha, integrator=integrator) == pytest.approx(medium.largest_step, rel=1e-9)
    for share, stable in ((0.99, True), (1.01, False)):
        dt = share * medium.largest_step
        assert Discrete(omega, alpha, kappa, dt, integrator).stable is stable
        y = carried(y0 - y0.mean(), omega, alpha, kernel, steps=700, dt=dt, integrator=integrator,
                    check_stability=False)  # fmt: skip
        assert bool(abs(y[-1]).max() > 1e8) is not stable
        assert bool(abs(y[-1]).max() < 100) is stable


@pytest.mark.parametrize(
    ("integrator", "alpha", "speed", "reach", "width", "steps"),
    [("verlet", 0.01, 1.497, 132.5, 1600, 2000), ("verlet", 0.05, 1.477, 26.9, 400, 800),
     ("euler", 0.05, 1.477, 26.9, 400, 800)],
)  # fmt: skip
def test_driven_waves_travel_and_fade_as_predicted(integrator, alpha, speed, reach, width, steps):
    """A second channel that rings for ever, apart from all, drives one column; its wave is heard at its frequency."""
    every = 2 if integrator == "verlet" else 4  # states a unit of time: Euler's damping is of first order
    angular, dt = 0.3, 1 / every
    alone = (2 - 2 * np.cos(angular * dt)) / dt**2  # of the channel that drives: exactly `angular` in both schemes
    kernel = torch.zeros(2, 2, 3, 3, dtype=torch.float64)
    kernel[0, 0], kernel[0, 1, 1, 1] = dh.laplacian(1).double()[0, 0], 1.0
    y0 = torch.zeros(1, 2, 1, width, dtype=torch.float64)
    y0[0, 1, 0, 0] = 1.0
    omega, damp = (torch.tensor(pair, dtype=torch.float64)[:, None, None] for pair in ([0.05, alone], [alpha, 0.0]))
    y = dh.propagate(y0, omega, damp, kernel, steps=steps * every, dt=dt, nonlinearity="linear", integrator=integrator,
                     record=dh.Every(every), backend="eager")[0, :, 0, 0].numpy()  # fmt: skip
    beats = round(8 * 2 * np.pi / angular)  # the last whole periods, as nearly as steps allow
    turn = np.exp(1j * angular * np.arange(beats))
    heard = np.linalg.lstsq(np.stack([turn, turn.conj()], 1), y[-beats:].astype(complex), rcond=None)[0][1]
    medium = Discrete(0.05, alpha, dt=dt, integrator=integrator)
    x = np.arange(20, round(20 + 2 * medium.decay_length(angular)))
    wave = np.log(abs(heard[x])), np.unwrap(np.angle(heard[x]))
    fade, turns = (np.polyfit(x, part, 1)[0] for part in wave)
    assert angular / turns == pytest.approx(medium.driven_speed(angular), rel=1e-5)
    assert -1 / fade == pytest.approx(medium.decay_length(angular), rel=1e-4)
    assert angular / turns == pytest.approx(medium.continuum.driven_speed(angular), rel=0.01)
    assert -1 / fade == pytest.approx(medium.continuum.decay_length(angular), rel=0.03)
    assert angular / turns == pytest.approx(speed, rel=0.01)
    assert -1 / fade == pytest.approx(reach, rel=0.03)
    assert not medium.evanescent(angular)
    assert medium.evanescent(0.2)


def test_the_continuum_is_the_limit_of_small_cells_and_steps():
    fine, coarse = Discrete(1e-4, 2e-3, dt=0.01, integrator="verlet"), Continuum(1e-4, 2e-3)
    k = np.array([0.01, 0.03])
    for name in ("frequency", "decay", "phase_speed", "group_speed"):
        assert getattr(fine, name)(k) == pytest.approx(getattr(coarse, name)(k), rel=1e-3)
    for name in ("wavelength", "decay_length", "driven_speed"):
        assert getattr(fine, name)(0.02) == pytest.approx(getattr(coarse, name)(0.02), rel=1e-3)
    assert fine.cutoff == pytest.approx(coarse.cutoff, rel=1e-4)
    undamped = Continuum(0.3)
    assert undamped.phase_speed(k) * undamped.group_speed(k) == pytest.approx(1)
    assert undamped.decay_length(1.0) == np.inf
    assert undamped.decay_length(0.3) == pytest.approx(1 / np.sqrt(0.3 - 0.09))
    assert undamped.wavelength(0.3) == np.inf
    assert np.isnan(Continuum(0.01, 1.0).group_speed(0.1))
    assert Continuum(0.01, 1.0).decay(0.0) == pytest.approx(0.5 - np.sqrt(0.25 - 0.01))
    assert Continuum(-0.01).decay(0.0) == pytest.approx(-0.1)


@pytest.mark.parametrize("integrator", SCHEMES)
def test_group_speed_is_the_slope_and_free_and_driven_waves_agree(integrator):
    medium = Discrete(0.4, 0.0, 0.8, 0.5, integrator)
    kx, ky, step = 0.7, 0.4, 1e-5
    slope = [
        (medium.frequency(kx + step * a, ky + step * b) - medium.frequency(kx - step * a, ky - step * b)) / (2 * step)
        for a, b in ((1, 0), (0, 1))
    ]
    assert medium.group_speed(kx, ky) == pytest.approx(np.hypot(*slope), rel=1e-7)
    assert medium.wavenumber(medium.frequency(0.9)) == pytest.approx(0.9, rel=1e-9)
    assert medium.cutoff < medium.frequency(0.9) < medium.fastest


@pytest.mark.parametrize(
    ("given", "message"),
    [({"omega": np.nan}, "omega=nan"), ({"omega": 1, "alpha": -1}, "no damping below zero"),
     ({"omega": 1, "kappa": 0}, "kappa=0"), ({"omega": 1, "dt": 0}, "dt=0"),
     ({"omega": 1, "integrator": "rk4"}, "integrator='rk4' is not known")],
)  # fmt: skip
def test_what_is_no_medium_is_refused(given, message):
    with pytest.raises(dh.DrumheadError, match=message):
        Discrete(**given)


# --- strong waves ---


@pytest.mark.parametrize("force", [0.1, 0.6, 1.2])
def test_strong_waves_turn_as_the_describing_function_says(force):
    n, omega, dt = 24, 0.2, 0.05
    k = 2 * np.pi * 3 / n
    weak = 4 * np.sin(k / 2) ** 2
    amplitude, angular = force / weak, np.sqrt(omega + tanh_gain(force) * weak)
    x = torch.arange(n, dtype=torch.float64).reshape(1, 1, 1, n)
    y = carried(amplitude * torch.cos(k * x), omega, 0.0, steps=2000, dt=dt, integrator="verlet",
                nonlinearity="tanh", z0=amplitude * angular * torch.sin(k * x))  # fmt: skip
    mode = np.fft.fft(y[:, 0, 0])[:, 3]
    turning = -np.polyfit(dt * np.arange(2000), np.unwrap(np.angle(mode)), 1)[0]
    assert turning == pytest.approx(angular, rel=0.01)
    assert force < 0.5 or turning < 0.99 * np.sqrt(omega + weak)


def test_the_describing_function():
    assert tanh_gain(0.0) == 1
    assert tanh_gain(1e-3) == pytest.approx(1 - 1e-6 / 4, abs=1e-12)
    assert tanh_gain(100.0) == pytest.approx(4 / (np.pi * 100), rel=1e-3)
    assert (np.diff(tanh_gain(np.linspace(0, 10, 50))) < 0).all()
    turns = np.cos(np.linspace(0, 2 * np.pi, 200, endpoint=False))
    force = np.stack([0.3 * turns, 2 * turns, 0 * turns], 1)
    assert gain_of(force) == pytest.approx([tanh_gain(0.3), tanh_gain(2.0), 1.0], rel=1e-12)


# --- effective medium ---


def test_a_turned_anisotropic_kernel():
    """w(r) of second moments C: fast along 30 degrees from x toward y."""
    fast, slow, angle = 1.4, 0.5, np.pi / 6
    axes = np.array([[np.sin(angle), np.cos(angle)], [np.cos(angle), -np.sin(angle)]])  # rows: fast, slow; (y, x)
    (yy, yx), (_, xx) = axes.T @ np.diag([fast**2, slow**2]) @ axes
    w = np.array([[-yx / 2, 0, yx / 2]] * 3) * np.array([[-1], [0], [1]])  # 2 C_yx d/dy d/dx
    w = w + yy * np.array([[0, 1, 0], [0, -2, 0], [0, 1, 0]]) + xx * np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]])
    w[1, 1] += 0.3
    found = effective(w[None, None])
    assert found.speeds[0] == pytest.approx([slow, fast], rel=1e-12)
    assert found.axis[0] == pytest.approx(angle, rel=1e-12)
    assert found.anisotropy[0] == pytest.approx(fast / slow, rel=1e-12)
    assert found.pull[0] == pytest.approx(-0.3)
    assert found.omega([1.0])[0] == pytest.approx(0.7)
    assert found.kappa[0] == pytest.approx((fast**2 + slow**2) / 2)
    assert found.drift[0] == pytest.approx([0, 0], abs=1e-15)
    assert found.growth[0] == pytest.approx(0, abs=1e-15)
    assert found.lopsided[0] == pytest.approx(0, abs=1e-15)


def test_a_kernel_that_is_not_reciprocal_lets_waves_of_one_direction_grow():
    """The rate that m1 predicts, against a simulation: along -m1 waves gain, along m1 they lose as much."""
    kernel = dh.laplacian(1).double()
    kernel[0, 0, 1, 0], kernel[0, 0, 1, 2] = 0.9, 1.1
    found = effective(kernel)
    assert found.drift[0] == pytest.approx([0, 0.2])
    assert found.growth[0] == pytest.approx(0.2)
    assert found.lopsided[0] > 0.03
    n, omega, alpha, dt = 80, 0.1, 0.05, 0.02
    k = 2 * np.pi / n * 3
    waves = {np.sign(w.real): w for w in bands(kernel, omega, alpha, 0.0, k)}
    x = torch.arange(n, dtype=torch.float64).reshape(1, 1, 1, n)
    for w in waves.values():  # a positive real part travels toward +x
        y = carried(torch.cos(k * x), omega, alpha, kernel, steps=1500, dt=dt, integrator="verlet",
                    z0=w.imag * torch.cos(k * x) + w.real * torch.sin(k * x))  # fmt: skip
        growth = np.polyfit(dt * np.arange(1500), np.log(abs(np.fft.fft(y[:, 0, 0])[:, 3])), 1)[0]
        assert growth == pytest.approx(w.imag, abs=1e-4)
        assert growth == pytest.approx(-(alpha + 0.2 * k / w.real) / 2, rel=0.03)
    assert waves[-1.0].imag > 0 > waves[1.0].imag


def test_dense_kernels_have_bands():
    """Two channels that do not mix are their own bands; turned into each other, the bands stay."""
    omega, kappa = np.array([0.2, 0.9]), np.array([1.0, 0.4])
    apart = dh.laplacian(2).double() * torch.tensor(kappa).reshape(2, 1, 1, 1)
    apart[1, 0, 1, 1] += 0.1
    dense = torch.diag_embed(apart[:, 0].permute(1, 2, 0)).permute(2, 3, 0, 1)
    for found in (effective(apart), effective(dense, omega)):
        assert found.omega(omega) == pytest.approx([0.2, 0.8], abs=1e-9)
        assert found.alpha(np.array([[0.1, 0.2], [0.3, 0.4]])) == pytest.approx(np.array([[0.1, 0.2], [0.3, 0.4]]))
        assert found.kappa == pytest.approx(kappa, rel=1e-3)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    mixed = torch.einsum("ab,bcij,dc->adij", turn, dense, turn)
    mixed[..., 1, 1] -= turn @ torch.diag(torch.tensor(omega)) @ turn.T - torch.diag(torch.tensor(omega))
    found = effective(mixed, omega)
    assert found.omega(omega) == pytest.approx([0.2, 0.8], abs=1e-9)
    assert found.kappa == pytest.approx(kappa, rel=1e-3)
    assert found.weights == pytest.approx(np.array([[0.36, 0.64], [0.64, 0.36]]))
    for a, b in ((0.0, 0.3), (0.5, 0.2)):
        assert bands(mixed, omega, 0.1, a, b) == pytest.approx(bands(dense, omega, 0.1, a, b), abs=1e-9)


def test_bands_are_the_dispersion_of_the_laplacian():
    found = bands(dh.laplacian(1), 0.3, 0.2, 0.1, 0.4)
    medium = Discrete(0.3, 0.2, dt=1e-4)
    assert found.real.max() == pytest.approx(medium.frequency(0.4, 0.1), rel=1e-4)
    assert found.imag == pytest.approx([-0.1, -0.1])


def test_bands_that_touch_have_no_speed():
    """Channels that push each other along x turn a wave into a pair linear in k: no squared speed says that."""
    kernel = dh.laplacian(2, dense=True).double()
    kernel[0, 1, 1, 2], kernel[0, 1, 1, 0], kernel[1, 0, 1, 0], kernel[1, 0, 1, 2] = 0.5, -0.5, 0.5, -0.5
    found = effective(kernel, 1.0)
    assert np.isnan(found.speeds).all()
    assert np.isnan(found.axis).all()
    assert found.lopsided == pytest.approx([0, 0])


@pytest.mark.parametrize(
    ("kernel", "omega", "message"),
    [(np.zeros((2, 3, 3, 3)), 0, "kernel: got the shape"), (np.zeros((2, 1, 2, 2)), 0, "odd sides"),
     (np.zeros((2, 1, 3, 3)), [1, 2, 3], "omega: got the shape")],
)  # fmt: skip
def test_what_is_no_kernel_is_refused(kernel, omega, message):
    with pytest.raises(dh.DrumheadError, match=message):
        effective(kernel, omega)


def test_the_room_does_without_torch():
    code = "import sys, drumhead.neuro; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- trained networks ---


def looked_at(model, images, layer=-1):
    return material(model, [images], layer)


@pytest.fixture(scope="module")
def pieces():
    return looked_at(dh.load("tetrominoes-fast"), dh.to_images(dh.tasks.get("tetrominoes").arrays("test")[0][:4]))


def test_what_is_inside_a_network_is_what_it_was_built_of(pieces):
    model = dh.load("tetrominoes-fast")
    images = dh.to_images(dh.tasks.get("tetrominoes").arrays("test")[0][:4])
    omega, alpha, _ = model.medium(images)
    assert np.allclose(pieces.omega, omega.detach().numpy().transpose(1, 0, 2, 3).reshape(8, -1), rtol=1e-4)
    assert pieces.alpha.shape == pieces.force.shape == pieces.gain.shape == (8, 4 * 32 * 32)
    assert pieces.alpha.mean() == pytest.approx(float(alpha.detach().mean()), rel=1e-5)
    assert pieces.kernel == pytest.approx(model.coupling().detach().numpy())
    assert pieces.courant == pytest.approx(model.courant(images), rel=1e-6)
    assert (pieces.size, pieces.stride, pieces.steps, pieces.dt) == ((32, 32), 2, 20, 0.5)
    assert pieces.gain.max() <= 1
    halves = material(model, [images[:1], images[1:]])
    assert np.allclose(halves.omega, pieces.omega, rtol=1e-4)
    assert halves.pace == pytest.approx(pieces.pace, rel=1e-4)


def test_pace_and_gain_of_a_wave_that_is_known():
    """A network whose medium is one number: what it hears is a wave whose frequency and strength are known."""
    config = dh.NWM(image_channels=1, classes=2, waves=(dh.Waves(channels=1, steps=200, dt=0.05, coupling="depthwise",
                    integrator="verlet"),))  # fmt: skip
    model = dh.build(config)
    n, k = 24, 2 * np.pi * 2 / 24
    x = torch.arange(n).reshape(1, 1, 1, n).expand(1, 1, n, n)
    force, weak = 1.0, 4 * np.sin(k / 2) ** 2
    start = force / weak * torch.cos(k * x)
    model.encode = lambda images, layer=-1: (
        Medium(torch.full((1, 1, n, n), 0.5), torch.zeros(1, 1, n, n), start), None
    )  # fmt: skip
    found = looked_at(model, torch.zeros(1, 1, n, n))
    angular = np.sqrt(0.5 + tanh_gain(force) * weak)
    at = np.abs(np.cos(k * np.arange(n))) > 0.9  # a standing wave: strongest here
    assert found.pace[0] == pytest.approx(angular, rel=0.1)
    assert found.force.reshape(n, n)[0, at].max() == pytest.approx(force, rel=0.1)
    assert found.gain.reshape(n, n)[0, at].min() == pytest.approx(tanh_gain(force), rel=0.05)


def test_a_portrait_says_the_same_as_the_formulas(pieces):
    cortex = Cortex("0.4 mm", speed="0.3 m/s", kappa=typical([pieces])[0])
    found = Portrait(pieces, cortex)
    kernel = pieces.kernel[3, 0]
    omega = pieces.omega[3, 7] - kernel.sum()
    assert found.rings[3, 7]
    assert found.quantities["frequency"][3, 7] == pytest.approx(np.sqrt(omega) / (2 * np.pi * cortex.t0))
    assert found.quantities["tau"][3, 7] == pytest.approx(2 * cortex.t0 / pieces.alpha[3, 7])
    assert found.quantities["quality"][3, 7] == pytest.approx(np.sqrt(omega) / pieces.alpha[3, 7])
    assert spread(found.quantities["speed"])["median"] == pytest.approx(0.3, rel=1e-3)
    waves = Continuum(omega, pieces.alpha[3, 7], found.medium.kappa[3])
    assert found.quantities["phases"][3, 7] == pytest.approx(
        waves.driven_speed(pieces.pace[3]) * cortex.pitch / cortex.t0
    )
    assert sum(found.shares[name] for name in ("ring", "overdamped", "leave rest")) == pytest.approx(1)
    report = json.loads(json.dumps(without_nan(found.report()), allow_nan=False))
    assert len(report["of_each_sheet"]["frequency"]) == len(report["of_each_sheet"]["axis_deg"]) == 8
    assert report["all_steps_s"] == pytest.approx(20 * 0.5 * cortex.t0)
    assert spread([1.0, np.inf, np.inf]) == {"median": np.inf, "lower": 1.0, "upper": np.inf}


def test_other_layers_and_networks(tmp_path):
    torch.manual_seed(0)
    images = torch.rand(2, 1, 32, 40)
    stack = dh.build(dh.Stack(waves=(dh.Layer(steps=4), dh.Modes(reach=4.0, stride=8)), image_channels=1, classes=3))
    closed = looked_at(stack, images, 1)
    assert (closed.layer, closed.stride, closed.size, closed.integrator) == (1, 8, (4, 5), "")
    assert np.isnan(closed.courant)
    assert (closed.gain == 1).all()
    assert effective(closed.kernel).kappa == pytest.approx(np.log1p(np.exp(0.5)) ** 2, rel=1e-5)
    assert looked_at(stack, images, 0).stride == 4
    large = looked_at(stack, torch.rand(1, 1, 300, 140), 0)
    assert large.size == (32, 32)
    dense = looked_at(dh.build("tetrominoes/nwm-linear"), torch.rand(1, 3, 16, 16))
    found = Portrait(dense, Cortex("0.4 mm", speed="0.3 m/s"))
    assert found.quantities["speed"] == pytest.approx(0.3, rel=1e-3)
    alone = dh.build(dh.NWM(image_channels=1, classes=2, waves=(dh.Waves(coupling="none"),)))
    for model, layer, message in (
        (dh.build("tetrominoes/lstm-linear"), -1, "this lstm is no wave equation"),
        (dh.build("tetrominoes/unet-4"), -1, "this unet is no wave equation"),
        (stack, 5, "layer=5: this network has the layers 0 to 1"),
        (alone, -1, "not coupled"),
    ):
        with pytest.raises(dh.DrumheadError, match=message):
            looked_at(model, images, layer)
    with pytest.raises(dh.DrumheadError, match="no images"):
        material(stack, [])
    with pytest.raises(dh.DrumheadError, match="no sheet of this network carries waves"):
        typical([replace(dense, kernel=0 * dense.kernel)])


def test_the_verb_on_shipped_weights(tmp_path, capsys):
    assert call("waves", "tetrominoes-fast", "--limit", 2, "--out", tmp_path / "of") == 0
    shown = capsys.readouterr().out
    assert "0.4 mm, 2 px" in shown
    assert "all steps" in shown
    assert "evanescent at 20 Hz" in shown
    assert "Muller 2018" in shown
    assert "what would bring f0" in shown
    report = json.loads((tmp_path / "of" / "report.json").read_text())
    assert report["calibration"]["speed_m_per_s"] == pytest.approx(0.3)
    assert report["layers"][0]["of_all"]["frequency"]["median"] > 60  # far above alpha and beta at this pitch
    assert {one["source"] for one in report["measured"]} <= {*report["sources"], "convention"}
    f0 = report["layers"][0]["of_all"]["frequency"]["median"]
    pitch = f"{0.4 * f0 / 20:.6f}mm"  # what the last table says would bring f0 to 20 Hz does
    words = ("waves", "tetrominoes-fast", "--limit", 2, "--out", tmp_path / "of")
    assert call(*words, "--pitch", pitch, "--speed=0.3m/s") == 0
    again = json.loads((tmp_path / "of" / "report.json").read_text())
    assert again["layers"][0]["of_all"]["frequency"]["median"] == pytest.approx(20, rel=1e-4)


def test_the_verb_on_a_layer_and_files(capsys):
    samples = Path(dh.__file__).parent / "samples" / "mnist"
    assert call("waves", "mnist", "--images", samples, "--layer", 1, "--f0", "20 Hz", "--pitch", "0.4mm") == 0
    shown = capsys.readouterr().out
    assert "mnist over 4 images given; pitch 0.4mm, f0 20 Hz" in shown
    assert "layer 1, sheet by sheet" in shown
    assert "20 (" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no weights at 'nowhere'"),
        (["tetrominoes", "--pitch", "0.4 mm"], "only pitch is given"),
        (["tetrominoes", "--pitch=1mm", "--speed=1m/s", "--t0=1ms"], "pitch, speed, t0 are given, one too many"),
        (["tetrominoes", "--pitch=1", "--f0=9", "--t0=1ms"], "both set the clock"),
        (["tetrominoes", "--pitch", "0.4 Hz", "--speed", "1"], "pitch='0.4 Hz': a length"),
        (["tetrominoes-fast", "--layer", "3"], "layer=3: this network has one layer"),
        (["tetrominoes", "--limit", "0"], "--limit 0: at least 1"),
        (["tetrominoes", "--task", "wires"], "task wires has 1 image channel, the model 3"),
        (["tetrominoes", "--task", "wires", "--images", "x.png"], "--images would ignore --task"),
        (["tetrominoes", "--images", "x.png"], "x.png is not a readable image"),
    ],
)
def test_the_verb_refuses(arguments, message, capsys):
    assert call("waves", *arguments) == 2
    assert message in capsys.readouterr().err


def test_measured_ranges_say_where_a_value_is():
    assert [RANGES[0].says(v) for v in (0.3, 1.6, 0.05, float("nan"))] == ["inside", "2 x above", "2 x below", "-"]
    assert {one.source for one in RANGES} - {"convention"} == set(SOURCES)
