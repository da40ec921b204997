"""The wave operator of a recording: its parts against closed forms and NumPy, and the whole on media that are known."""

import json

import numpy as np
import pytest
import torch
from scipy.signal import windows

import drumhead as dh
from drumhead.errors import DrumheadError
from drumhead.neuro.fit import _read
from drumhead.neuro.lags import continuum_lags, lattice_lags
from drumhead.neuro.operators import BLURS, OPERATORS, Likelihood, power_spectrum, starts, unknowns
from drumhead.neuro.search import Found, alike, curvature, interval, minimise, slope
from drumhead.neuro.verdict import Estimate, objections
from drumhead.neuro.whittle import Whittle
from drumhead.waves import fields, synth


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# From spectra to covariances.


@pytest.mark.parametrize("cells", [1, 2])
def test_a_lattice_sums_what_a_fourier_transform_does(cells):
    lags, side = lattice_lags((4, 6), cells), 256
    k = 2 * np.pi * np.fft.fftfreq(side)
    line = 4 * cells**2 * np.sin(k / 2) ** 2
    direct = np.fft.ifft2(1 / (0.3 * cells**2 + line[:, None] + line)).real
    mine = np.tensordot(1 / (0.3 * cells**2 + lags.nodes), lags.weights, (0, 0))
    np.testing.assert_allclose(
        mine, direct[: 4 * cells : cells, : 6 * cells : cells], rtol=1e-4, atol=1e-5 * direct.max()
    )


def test_a_continuum_gives_the_covariance_of_a_gaussian():
    lags, s2 = continuum_lags((5, 5)), 0.8
    r2 = np.arange(5)[:, None] ** 2 + np.arange(5) ** 2
    mine = np.tensordot(np.exp(-lags.nodes * s2), lags.weights, (0, 0))
    np.testing.assert_allclose(mine, np.exp(-r2 / (4 * s2)) / (4 * np.pi * s2), atol=1e-7)


# The likelihood.


def plainly(x, there, recording, covariance, own):
    """-log likelihood of the cross-spectra of all sites at the best scale, without blocks."""
    y, x_ = np.nonzero(there)
    apart = np.abs(y[:, None] - y), np.abs(x_[:, None] - x_)
    taper = windows.tukey(len(x), 0.1)
    z = np.fft.rfft((x - x.mean(0))[:, there] * taper[:, None], axis=0) / np.sqrt((taper**2).sum()) / recording.scale
    f = np.fft.rfftfreq(len(x), 1 / 100)
    total = trace = 0.0
    for i, (middle, count) in enumerate(zip(recording.f, recording.counts.numpy(), strict=True)):
        part = z[np.abs(f - middle) < recording.width[i] / 2]
        cross = (part.conj().T @ part).real / len(part)
        sigma = covariance[i][apart] + np.eye(len(y)) * (own[i] + 1e-9 * covariance[i][0, 0])
        total += count * np.linalg.slogdet(sigma)[1]
        trace += count * np.trace(np.linalg.solve(sigma, cross))
    n = recording.counts.sum().item() * len(y)
    return total + n * (np.log(trace / n) + 1)


@pytest.mark.parametrize("missing", [0, 5])
@pytest.mark.parametrize("shape", [(4, 5), (3, 6), (1, 9)])
def test_blocks_give_the_likelihood_of_all_sites(shape, missing):
    x = noise(800, *shape)
    x[:, noise(*shape, seed=1).ravel().argsort().argsort().reshape(shape) < missing % 4] = np.nan
    recording = Whittle(x, 100.0, 2.0, 30.0, avoid=((9.0, 11.0),))
    assert not ((recording.f > 9) & (recording.f < 11)).any()
    decay = np.exp(-np.hypot(*np.mgrid[: shape[0], : shape[1]])) * np.linspace(1, 2, len(recording.f))[:, None, None]
    own = np.linspace(0.1, 0.3, len(recording.f))
    mine = recording(torch.tensor(decay), torch.tensor(own))
    assert float(mine) == pytest.approx(plainly(x, np.isfinite(x[0]), recording, decay, own), rel=1e-9)


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("blur", BLURS)
def test_slopes_are_those_of_differences(kind, blur):
    likelihood = Likelihood(kind, blur, Whittle(noise(600, 3, 4), 100.0, 1.0, 40.0), lattice_lags((3, 4)))
    at = starts(kind, 40.0)[1] + 0.1
    call = slope(likelihood)
    gradient = call(at)[1]
    for i, step in enumerate(np.eye(len(at)) * 1e-5):
        assert gradient[i] == pytest.approx((call(at + step)[0] - call(at - step)[0]) / 2e-5, rel=1e-4, abs=1e-3)


def test_a_true_model_misses_by_chance_alone():
    x = synth.medium(synth.Array((5, 5), 1.0, 150, 20), speed=60, f0=8, tau=0.1, seed=3, padding=32)
    likelihood = Likelihood("wave", "gaussian", Whittle(x.values, 150.0, 1.0, 60.0), lattice_lags((5, 5)))
    truth = np.log([60, 8, 0.1, 1, 1e-2, 1e-7, 1e-6, 1e-7])
    truth[3] = 0  # the colour, no logarithm
    assert likelihood.misfit(truth) == pytest.approx(1, abs=0.05)
    truth[1] += 0.5
    assert likelihood.misfit(truth) > 1.2


def test_spectra_are_those_of_their_equations():
    p = {name: torch.tensor(0.0) for name in unknowns("wave")} | {"width": torch.tensor(-50.0)}
    p |= {"speed": torch.log(torch.tensor(3.0)), "f0": torch.log(torch.tensor(2.0)), "spread": p["f0"], "leak": p["f0"]}
    f, eigenvalue = torch.tensor([[1.0], [7.0]]), torch.tensor([0.5, 4.0])
    turn = 2 * np.pi * f
    wave = 1 / ((2j * np.pi * f) ** 2 + 2 * 2j * np.pi * f + (4 * np.pi) ** 2 + 9 * eigenvalue).abs() ** 2
    torch.testing.assert_close(power_spectrum("wave", "gaussian", p, f, eigenvalue), wave)
    p["spread"], p["leak"] = torch.log(torch.tensor(5.0)), torch.log(torch.tensor(0.5))
    diffusion = 1 / (1j * turn + 0.5 + 5 * eigenvalue).abs() ** 2
    torch.testing.assert_close(power_spectrum("diffusion", "exponential", p, f, eigenvalue), diffusion)
    torch.testing.assert_close(power_spectrum("noise", "gaussian", p, f, eigenvalue), torch.ones(2, 2))


# The search.


class Bowl:
    """A quadratic with very different curvatures, in the place of a likelihood."""

    names = ("speed", "f0", "colour")

    def __init__(self, least, second):
        self.least, self.second = torch.tensor(least), torch.tensor(second)

    def __call__(self, values):
        away = values - self.least
        return 1e5 + away @ self.second @ away / 2


def test_a_search_finds_the_least_and_the_interval_of_a_bowl():
    second = np.array([[1e6, 50.0, 10.0], [50.0, 100.0, 3.0], [10.0, 3.0, 1.0]])
    bowl = Bowl(np.array([2.0, 1.0, 0.5]), second)
    found = minimise(bowl, np.array([2.5, 0.0, 2.0]), gain=1e-6)
    np.testing.assert_allclose(found.at, bowl.least, atol=1e-2)
    best = Found(found.at, found.value, alike(curvature(slope(bowl), found.at)))
    for i, sd in enumerate(np.sqrt(np.diag(np.linalg.inv(second)))):
        low, high = interval(bowl, best, i)
        assert low == pytest.approx(bowl.least[i].item() - 1.96 * sd, abs=0.12 * sd)
        assert high == pytest.approx(bowl.least[i].item() + 1.96 * sd, abs=0.12 * sd)


def test_an_interval_that_does_not_end_says_so():
    flat = Bowl(np.array([2.0, 1.0, 0.5]), np.diag([1e6, 1e-3, 1.0]))
    found = minimise(flat, np.array([2.0, 1.0, 0.5]))
    assert interval(flat, found, 1) == (-np.inf, np.inf)


# The whole.


@pytest.mark.parametrize(("speed", "f0", "tau", "missing"), [(0.05, 8.0, 0.1, 0), (0.02, 15.0, 0.05, 6)])
def test_a_medium_is_recovered_under_sensor_noise(speed, f0, tau, missing):
    x = synth.medium(synth.Array((7, 7), "0.4 mm", 150, 16), speed, f0, tau, seed=1, padding=32)
    x = synth.sensor_noise(x, 1 / 0.3, seed=2)
    x = fields.field(x, mask=noise(7, 7).ravel().argsort().argsort().reshape(7, 7) >= missing)
    said = []
    found = dh.neuro.fit(x, per_pitch=1, progress=said.append)
    assert found.identifiable, found.verdict
    assert found.best == "wave"
    assert found.speed.value == pytest.approx(speed, rel=0.05)
    assert found.f0.value == pytest.approx(f0, rel=0.06)
    assert found.tau.value == pytest.approx(tau, rel=0.12)
    for one in (found.speed, found.f0, found.tau):
        assert one.low < one.value < one.high
    assert found.misfit == pytest.approx(1, abs=0.1)
    assert "speed" in found.verdict
    assert len(said) == 7
    report = json.loads(json.dumps(found.report()))
    assert report["speed_m_s"] == found.speed.value
    assert report["f0_hz_interval"] == [found.f0.low, found.f0.high]
    assert found.curve(0.0) == pytest.approx(np.sqrt(f0**2 - (1 / (2 * np.pi * tau)) ** 2), rel=0.1)
    short = 2 * np.pi / 0.004
    assert found.curve(short) == pytest.approx(np.hypot(f0, speed / 0.004), rel=0.06)


def test_smooth_noise_has_no_operator():
    x = synth.sensor_noise(synth.smooth_noise(synth.Array((5, 5), "0.4 mm", 150, 16), 1, 2.0), 3, 2)
    found = dh.neuro.fit(x, per_pitch=1)
    assert not found.identifiable
    assert found.verdict.startswith("Unidentifiable: ")


def test_what_stands_against_a_fit_is_said():
    sure, vague = Estimate(1.0, 0.9, 1.1, True), Estimate(8.0, 0.1, np.inf, False)
    aic = {"wave": 0.0, "diffusion": 50.0, "noise": 90.0}

    def said(seconds=20.0, fs=500.0, top=100.0, misfit=1.0, f0=sure, aic=aic):
        return " ".join(objections(aic, misfit, {"speed": sure, "f0": f0, "tau": sure}, seconds, (0.5, 100.0), fs, top))

    assert said() == ""
    assert "at least 15 s" in said(seconds=5.0)
    assert "half the sampling rate" in said(top=300.0)
    assert "misses the recording 3" in said(misfit=3.0)
    assert "natural frequency cannot be told" in said(f0=vague)
    assert "diffusion is a better account" in said(aic=aic | {"diffusion": -20.0})
    assert "as good an account" in said(aic=aic | {"noise": 4.0})


def test_short_recordings_and_large_grids():
    x = synth.medium(synth.Array((4, 4), "0.4 mm", 150, 6), 0.05, 8, 0.1, seed=1, padding=16)
    found = dh.neuro.fit(x, per_pitch=1)
    assert dh.neuro.fit(x.transpose("y", "x", "time"), per_pitch=1) == found
    assert not found.identifiable
    assert "6 s of recording" in found.verdict
    wide = fields.field(np.repeat(np.repeat(x.values, 6, 1), 6, 2), 150, "0.1 mm")
    values, pitch, _, _ = _read(wide, None)
    assert _read(wide, "10-40 Hz")[3] == _read(wide, np.array([10, 40]))[3] == (10.0, 40.0)
    np.testing.assert_allclose(values[:, 2, 0], x.values[:, 0, 0])
    assert values.shape[1:] == (12, 12)
    assert pitch == pytest.approx(2e-4)


def test_what_cannot_be_fitted_is_refused():
    x = synth.medium(synth.Array((4, 4), "0.4 mm", 150, 2), 0.05, 8, 0.1)
    with pytest.raises(DrumheadError, match="sites lie anywhere"):
        dh.neuro.fit(fields.field(x.values.reshape(len(x), -1)[:, :5], 150, "1 mm", at=noise(5, 2)))
    with pytest.raises(DrumheadError, match="at least 8"):
        dh.neuro.fit(x[:, :2, :2])
    with pytest.raises(DrumheadError, match="band="):
        dh.neuro.fit(x, band=(10.0, 200.0))
    with pytest.raises(DrumheadError, match="per_pitch"):
        dh.neuro.fit(x, per_pitch=3)


@pytest.mark.parametrize("holes", [False, True])
def test_a_likelihood_does_not_depend_on_how_a_recording_is_held(holes):
    """Turned, mirrored, run backward and in another unit a recording says the same of a medium.

    Backward as well: no flow is fitted, only the real part of cross-spectra, which has no arrow of time.
    """
    values = noise(1500, 5, 5) + np.cumsum(noise(1500, 1, 5, seed=1), 0) / 10
    if holes:
        values[:, [0, 1, 3], [4, 2, 1]] = np.nan
    turned = np.rot90(values, 1, (1, 2))
    held = [values, values[::-1], turned, turned[:, ::-1], values * -3e-6 + 7, values * 4e5]
    found = []
    for one in held:
        likelihood = Likelihood("wave", "gaussian", Whittle(one, 125.0, 1.0, 50.0), lattice_lags((5, 5)))
        at = torch.tensor(starts("wave", 50.0)[3])
        found.append([float(likelihood(at)), likelihood.misfit(at.numpy())])
    np.testing.assert_allclose(found, np.broadcast_to(found[0], (6, 2)), rtol=1e-9)
    upside = Likelihood("wave", "gaussian", Whittle(np.sort(values, 0), 125.0, 1.0, 50.0), lattice_lags((5, 5)))
    assert abs(float(upside(at)) / found[0][0] - 1) > 1e-3  # another recording says something else


def test_bins_of_a_slow_recording_are_those_of_a_fast_one():
    """Half a hertz would take all of what calcium does in two bins."""
    values = noise(2990, 3, 3)
    fast, slow = Whittle(values, 125.0, 0.5, 50.0), Whittle(values, 1.25, 0.005, 0.5)
    np.testing.assert_allclose(slow.f, fast.f / 100, rtol=0.02)  # at the ends of bins rounding decides
