"""Filters, phases, gradients, planes and rings, against waves that are known."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, signal

import drumhead as dh
from drumhead.waves import frames, synth
from drumhead.waves.fields import places, rate
from drumhead.waves.phase import analytic, gaps_of, repair, unwrapped, wrap
from drumhead.waves.radial import rho_linear
from drumhead.waves.rings import Rings

W = dh.waves
ARRAY = synth.Array((10, 10), "0.4 mm", "1 kHz", "1 s")
BAND = "5-40 Hz"
SPEEDS = (0.05, 0.1, 0.3, 0.8)
DIRECTIONS = np.arange(8) * np.pi / 4
FEW = settings(max_examples=8, deadline=None)


def noisy(x, snr, seed=0):
    return x if snr is None else synth.sensor_noise(x, snr, seed, colour=1.0)


@cache
def plane_phase(speed, turn, snr=None):
    direction = DIRECTIONS[turn] + (0 if snr is None else 0.1)
    return W.phase(noisy(synth.plane(ARRAY, 20, speed, direction), snr, turn), BAND)


def some(ph):
    """Return every third frame, which is faster and says the same."""
    return ph.isel(time=slice(None, None, 3))


@cache
def target_phase(speed, source=None, snr=None):
    return W.phase(noisy(synth.target(ARRAY, 20, speed, source), snr), BAND)


def off(direction, truth):
    return np.degrees(np.abs(wrap(np.asarray(direction) - truth)))


def shuffled(ph, seed):
    """Return phases whose channels changed places, the same way at all times."""
    order = np.random.default_rng(seed).permutation(ph.phase[0].size)
    flat = {n: ph[n].values.reshape(len(ph.time), -1)[:, order].reshape(ph.phase.shape) for n in ("phase", "frequency")}
    return ph.assign({name: (ph.phase.dims, values) for name, values in flat.items()})


def at_sites(at, wave, seconds=1.0, fs=1000):
    """Return a field of a function of time, y and x, at sites anywhere."""
    times = np.arange(round(seconds * fs))[:, None] / fs
    return W.field(wave(times, *np.asarray(at).T), fs, "1 mm", at=at)


def jittered(seed=0, by=0.15):
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10), indexing="ij"), -1).reshape(-1, 2)
    return (grid + np.random.default_rng(seed).normal(size=grid.shape) * by) * 4e-4


def plane_at(at, speed, direction):
    k = 2 * np.pi * 20 / speed
    return at_sites(
        at, lambda t, y, x: np.cos(2 * np.pi * 20 * t - k * (np.cos(direction) * x + np.sin(direction) * y))
    )


# Filters


def test_the_band_pass_has_the_gain_of_its_equation_and_moves_no_phase():
    fs, low, high, order = 500, 10, 40, 3
    t = np.arange(4000) / fs
    f = np.array([4.0, 8, 10, 20, 35, 40, 60, 100])
    x = W.field(np.cos(2 * np.pi * f * t[:, None])[:, None], fs, "1 mm")
    kept = W.bandpass(x, (low, high), order).values[:, 0]
    middle = slice(1000, 3000)
    got = 2 * (kept[middle] * np.exp(-2j * np.pi * f * t[middle, None])).mean(0)
    warped = [np.tan(np.pi * v / fs) for v in (f, low, high)]
    w = (warped[0] ** 2 - warped[1] * warped[2]) / (warped[0] * (warped[2] - warped[1]))
    assert np.allclose(got, 1 / (1 + w ** (2 * order)), atol=2e-3)  # twice: forward and backward


def test_the_band_pass_keeps_bad_channels_units_and_precision():
    values = np.random.default_rng(0).normal(size=(1000, 3, 4)).astype(np.float32)
    values[:, 1, 2] = np.nan
    x = W.bandpass(W.field(values, 500, "1 mm", unit="V"), "10-30 Hz")
    assert x.dtype == np.float32
    assert x.attrs == {"units": "V", "band_hz": (10.0, 30.0)}
    assert np.isnan(x[:, 1, 2]).all()
    assert np.isfinite(x).sum() == 11 * 1000
    other = W.bandpass(W.field(np.where(np.isnan(values), 0, values), 500, "1 mm"), "10-30 Hz")
    assert np.allclose(x[:, 0], other[:, 0], atol=1e-6)


def test_even_ends_leave_less_than_the_usual_odd_ones():
    """A period from the ends, noise of 5-40 Hz is off by half as much as with SciPy's own padding."""
    random = np.random.default_rng(0)
    series = np.cumsum(random.normal(size=(6000, 30)), 0) * 0.05 + random.normal(size=(6000, 30))
    sections = signal.butter(4, (5, 40), "bandpass", fs=1000, output="sos")
    truth = signal.sosfiltfilt(sections, series, axis=0)[2000:4000]
    cut = series[2000:4000]
    ours = W.bandpass(W.field(cut[:, None], 1000, "1 mm"), (5, 40)).values[:, 0]
    usual = signal.sosfiltfilt(sections, cut, axis=0)
    error = [np.sqrt(((y - truth)[200:300] ** 2).mean() / truth.var()) for y in (ours, usual)]
    assert error[0] < 0.06
    assert error[0] < 0.7 * error[1]


@pytest.mark.parametrize("fs", [250, 300, 800, 2000, 441])
def test_resampled_fields_have_the_same_wave_at_the_right_times(fs):
    x = synth.plane(ARRAY, 20, 0.1, 0.3)
    y = W.resample(x.assign_coords(time=x.time + 3.0), fs)
    assert rate(y) == pytest.approx(fs, rel=1e-9)
    assert float(y.time[0]) == 3.0
    assert len(y) == int(np.ceil(fs))
    k, times = 2 * np.pi * 20 / 0.1, y.time.values - 3
    at_corner = np.cos(2 * np.pi * 20 * times - k * (np.cos(0.3) + np.sin(0.3)) * 4.5 * 4e-4)
    inside = (times > 0.1) & (times < 0.9)
    assert np.abs(y.values[inside, 9, 9] - at_corner[inside]).max() < 3e-3
    assert y.y.equals(x.y)
    assert W.field(y).sizes == y.sizes


def test_resampling_lets_nothing_fold_back():
    t = np.arange(2000) / 1000
    x = W.field(np.cos(2 * np.pi * 190 * t)[:, None, None] * np.ones((1, 2, 2)), 1000, "1 mm")
    assert np.abs(W.resample(x, 250).values[30:-30]).max() < 5e-3


def test_trim_cuts_both_ends_of_fields_and_datasets():
    x = synth.plane(ARRAY)
    assert len(W.trim(x, 0.1)) == 800
    ph = W.phase(x, BAND, edges=0)
    assert W.trim(ph, "200 ms").equals(W.phase(x, BAND))


# Phase


def test_phase_grows_in_time_and_falls_along_the_way():
    ph = plane_phase(0.1, 0)
    assert float(wrap(ph.phase.diff("time")).min()) > 0
    assert float(wrap(ph.phase.diff("x")).max()) < 0
    assert ph.attrs["band_hz"] == (5.0, 40.0)
    assert ph.attrs["edges_s"] == 0.2
    assert len(ph.time) == 600
    assert ph.frequency.attrs["units"] == "Hz"
    truth = 2 * np.pi * 20 * (ph.time - (ph.x - 1.8e-3) / 0.1)
    assert float(np.abs(wrap(ph.phase - truth)).max()) < 0.03
    assert float(ph.frequency.median()) == pytest.approx(20, rel=1e-3)


def test_on_a_clean_wave_both_methods_agree():
    x = synth.plane(ARRAY, 20, 0.1, 0.3)
    one, two = (W.phase(x, BAND, method) for method in ("generalized", "hilbert"))
    assert one.attrs["repaired_fraction"] == 0
    assert np.abs(wrap(one.phase - two.phase)).max() < 1e-9
    own = np.angle(signal.hilbert(W.bandpass(x, BAND).values, axis=0))[200:-200]
    assert np.abs(wrap(two.phase.values - own)).max() < 1e-9


def test_on_noise_the_repaired_phase_never_runs_backward_and_keeps_its_turns():
    noise = synth.smooth_noise(synth.Array((6, 6), duration="5 s"), seed=0, width=0)
    one, two = (W.phase(noise, BAND, method) for method in ("generalized", "hilbert"))
    assert float(two.frequency.min()) < -100
    assert float(one.frequency.min()) > -1e-9
    assert 0.15 < one.attrs["repaired_fraction"] < 0.25
    assert float(one.frequency.mean()) == pytest.approx(float(two.frequency.mean()), rel=0.02)
    same = ~one.repaired.values
    assert np.abs(wrap(one.phase.values - two.phase.values)[same]).max() < 1e-9
    assert np.array_equal(one.amplitude, two.amplitude)


@pytest.mark.parametrize(("snr", "most"), [(3, 0.001), (1, 0.015)])
def test_little_of_a_wave_has_to_be_repaired(snr, most):
    assert plane_phase(0.1, 1, snr).attrs["repaired_fraction"] < most


@given(st.lists(st.booleans(), min_size=1, max_size=40))
@FEW
def test_runs_are_drawn_on_to_three_times_their_length(row):
    want, i = np.zeros(len(row), bool), 0
    while i < len(row):
        length = 0
        while i + length < len(row) and row[i + length]:
            length += 1
        want[i : i + 3 * length] = True
        i += max(length, 1)
    assert np.array_equal(gaps_of(np.array([row, row[::-1]]))[0], want)


def test_gaps_are_bridged_with_a_monotone_cubic():
    turns = np.linspace(0, 30, 61)[None] ** 1.2 / 3
    hurt = turns.copy()
    hurt[0, 20:23] -= np.array([0.3, 0.5, 0.2])
    gaps = np.zeros_like(turns, bool)
    gaps[0, :4] = gaps[0, 20:26] = gaps[0, -5:] = True
    mended, found = repair(hurt, gaps)
    assert np.array_equal(found, gaps)
    assert np.abs(mended - turns)[0, 6:-6].max() < 0.01
    assert np.abs(mended - turns).max() < 0.3  # the ends go straight on
    assert np.isnan(repair(hurt, np.ones_like(gaps))[0]).all()


def test_a_gap_goes_on_until_the_phase_has_caught_up():
    turns = np.arange(40.0)[None] * 0.1
    turns[0, 10:] -= 0.5  # backward by 0.4 over the gap 10..12
    gaps = np.zeros(turns.shape, bool)
    gaps[0, 10:13] = True
    mended, found = repair(turns, gaps)
    assert np.flatnonzero(found[0]).tolist() == list(range(10, 14))
    assert (np.diff(mended) >= -1e-12).all()
    turns[0, 10:] -= 2 * np.pi  # and by more than half a turn: the nearest turn
    again, _ = repair(turns, gaps)
    assert np.allclose(again, mended)


@given(st.integers(0, 1000))
@FEW
def test_any_repaired_noise_is_monotone(seed):
    series = np.random.default_rng(seed).normal(size=(3, 200))
    turns = unwrapped(analytic(series))
    mended, gaps = repair(turns, gaps_of(np.diff(turns, append=turns[:, -1:]) < 0))
    alive = ~np.isnan(mended).any(1)
    assert (np.diff(mended[alive]) >= -1e-9).all()
    assert np.abs(wrap(mended - turns)[~gaps]).max() < 1e-9


@pytest.mark.parametrize("count", [100, 101, 256])
def test_the_analytic_signal_is_scipys(count):
    series = np.random.default_rng(0).normal(size=(2, count))
    assert np.allclose(analytic(series)[:, : count // 2].real, series[:, : count // 2])
    if count != 101:  # whose transform is longer, and differs near the ends alone
        assert np.allclose(analytic(series), signal.hilbert(series))


def test_bad_and_dead_channels_have_no_phase():
    x = synth.plane(ARRAY, 20, 0.1, 0.3)
    x[:, 2, 3], x[:, 4, 4] = np.nan, 5.0
    for ph in (W.phase(x, BAND), W.phase(W.bandpass(x, BAND))):
        for name in ("phase", "amplitude", "frequency"):
            assert np.isnan(ph[name][0]).sum() == 2, name
        assert ph.attrs["band_hz"] == (5.0, 40.0)
        assert float(W.planar(ph).R.min()) > 0.999
        assert float(W.radial(ph).R.min()) > 0.8
    assert W.phase(x - x.mean()).attrs["edges_s"] == 0


def test_single_precision_stays_and_lengths_may_be_pixels():
    x = W.field(synth.plane(ARRAY, 20, 0.1, 0.3).values.astype(np.float32), 1000)
    ph = W.phase(x, BAND)
    assert ph.phase.dtype == np.float32
    assert W.gradient(ph).kx.attrs["units"] == "rad/px"
    p = W.planar(ph)
    assert p.speed.attrs["units"] == "px/s"
    assert W.summary(p)["speed"] == pytest.approx(0.1 / 4e-4, rel=5e-3)


# Gradient


@pytest.mark.parametrize("pixels", [2.1, 2.5, 4, 12, 100])
def test_the_gradient_is_right_down_to_two_pixels(pixels):
    direction = 0.3
    g = W.gradient(W.phase(synth.plane(ARRAY, 20, pixels * 4e-4 * 20, direction), BAND))
    k = 2 * np.pi / (pixels * 4e-4)
    assert g.kx.attrs["units"] == "rad/m"
    assert np.allclose(g.kx, k * np.cos(direction), rtol=2e-2)
    assert np.allclose(g.ky, k * np.sin(direction), rtol=2e-2)
    assert g.attrs["shortest_wavelength"] == pytest.approx(8e-4)


def test_masked_sites_are_left_out_of_gradients():
    x = synth.plane(ARRAY, 20, 0.1, 0.3)
    mask = np.random.default_rng(0).random((10, 10)) > 0.3
    mask[0], mask[1, :] = False, True
    whole, holed = (W.gradient(W.phase(W.field(x, mask=m), BAND)) for m in (None, mask))
    inside = np.isfinite(holed.kx.values)
    assert not inside[:, ~mask].any()
    assert inside[:, 1].all()
    assert np.allclose(holed.kx.values[inside], whole.kx.values[inside], rtol=2e-2)


def test_a_lonely_site_has_no_gradient_and_a_line_none_across():
    mask = np.zeros((5, 5), bool)
    mask[0, 0] = mask[4, 3] = mask[4, 4] = True
    g = W.gradient(W.phase(W.field(synth.plane(synth.Array((5, 5)), 20, 0.1), mask=mask), BAND))
    assert np.isnan(g.kx[0].values[0, 0])
    assert np.isfinite(g.kx[0].values[4, 3:]).all()
    line = W.gradient(W.phase(synth.plane(synth.Array((1, 8)), 20, 0.1), BAND))
    assert not np.abs(line.ky).max()
    two = W.phase(at_sites([[0, 0], [0, 1e-3]], lambda t, y, x: np.cos(126 * t - 300 * x)), BAND)
    assert np.allclose(W.gradient(two).kx, 300, rtol=0.02)


@pytest.mark.parametrize(("far", "most"), [(6, 0.005), (3, 0.06)])
def test_gradients_anywhere_are_right_where_differences_are(far, most):
    """Share of sites off by over 5 %: waves of 6 and of 3 mean distances on a jittered grid."""
    at, wrong = jittered(), []
    for direction in DIRECTIONS + 0.2:
        g = W.gradient(W.phase(plane_at(at, far * 4e-4 * 20, direction), BAND)).isel(time=300)
        k = 2 * np.pi / (far * 4e-4)
        wrong.append(np.hypot(g.kx - k * np.cos(direction), g.ky - k * np.sin(direction)) > 0.05 * k)
    assert np.mean(wrong) < most
    assert 8e-4 < g.attrs["shortest_wavelength"] < 2e-3


def test_sites_of_a_grid_are_no_worse_than_the_grid():
    x = noisy(synth.plane(ARRAY, 20, 0.1, 0.7), 3)
    order = np.random.default_rng(0).permutation(100)
    sites = W.field(x.values.reshape(1000, -1)[:, order], 1000, "1 mm", at=places(x)[order])
    one, two = (W.planar(W.phase(given, BAND)) for given in (x, sites))
    for name in ("ky", "kx", "speed", "R", "rho2", "aperture_over_wavelength"):
        assert np.allclose(one[name], two[name], rtol=1e-5), name
    assert float(np.abs(one.pgd - two.pgd).mean()) < 0.02
    three, four = (W.radial(W.phase(given, BAND), "one") for given in (x, sites))
    assert np.allclose(three.speed, four.speed, rtol=1e-3)


# Planes


@pytest.mark.parametrize("speed", SPEEDS)
def test_clean_planes(speed):
    for turn, direction in enumerate(DIRECTIONS):
        ph = some(plane_phase(speed, turn))
        for method in ("plane", "ratio", "local"):
            p = W.planar(ph, method)
            assert float(p.pgd.min()) > 0.999
            assert off(p.direction, direction).max() < 0.1
            assert W.summary(p)["speed"] == pytest.approx(speed, rel=5e-3)
            assert W.summary(p)["wavelength"] == pytest.approx(speed / 20, rel=5e-3)
            assert float(p.R.min()) > 0.9999
            assert float(p.rho2.min()) > 0.9999
            extent = 9 * 4e-4 * (abs(np.cos(direction)) + abs(np.sin(direction)))
            assert W.summary(p)["aperture_over_wavelength"] == pytest.approx(extent * 20 / speed, rel=5e-3)


@pytest.mark.parametrize(("snr", "degrees", "share"), [(3, 1.0, 0.02), (1, 4.0, 0.05)])
def test_planes_in_noise(snr, degrees, share):
    for speed in (0.05, 0.1, 0.3):
        for turn, direction in list(enumerate(DIRECTIONS + 0.1))[:: 1 if speed > 0.2 else 2]:
            s = W.summary(W.planar(some(plane_phase(speed, turn, snr))))
            assert off(s["direction"], direction) < degrees
            assert s["speed"] == pytest.approx(speed, rel=share)
            assert s["R"] > (0.99 if snr == 3 else 0.91)


def test_local_speeds_are_biased_as_the_docstring_says():
    for speed, want in ((0.1, 0.98), (0.3, 0.85), (0.8, 0.49)):
        local, plane = (
            np.median(
                [W.summary(W.planar(some(plane_phase(speed, turn, 3)), method))["speed"] for turn in range(0, 8, 2)]
            )
            for method in ("local", "plane")
        )
        assert local / speed == pytest.approx(want, abs=0.02)
        assert plane / speed == pytest.approx(1, abs=0.01)


def test_pgd_is_that_of_the_published_equation():
    ph = plane_phase(0.3, 3, 1)
    g, p = W.gradient(ph), W.planar(ph, "ratio")
    mean = np.hypot(g.kx.mean(("y", "x")), g.ky.mean(("y", "x")))
    assert np.allclose(p.pgd, mean / np.hypot(g.kx, g.ky).mean(("y", "x")))
    assert np.allclose(p.speed, 2 * np.pi * np.abs(ph.frequency).mean(("y", "x")) / mean)
    assert float(p.pgd.mean()) == pytest.approx(0.36, abs=0.05)
    noise = W.phase(synth.smooth_noise(synth.Array(duration="3 s"), 0, width=0), BAND)
    assert float(W.planar(noise).pgd.mean()) == pytest.approx(0.135, abs=0.02)


def test_the_plane_is_the_best_there_is():
    """Nelder and Mead's method finds none better on noise, from many starts, and planar seldom a worse one."""
    ph = W.phase(synth.smooth_noise(ARRAY, 0, width=1.5), BAND).isel(time=slice(0, None, 30))
    p, at, worse = W.planar(ph), places(ph.phase), []
    starts = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9) * np.pi / 4e-4] * 2), -1).reshape(-1, 2)
    for i in range(len(ph.time)):
        unit = np.exp(1j * ph.phase.values[i].ravel())

        def short(k, unit=unit):
            return -abs((unit * np.exp(1j * (at @ k))).mean())

        best = sorted(starts, key=short)[:4]
        found = [
            optimize.minimize(short, k, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-12}) for k in best
        ]
        worse.append(-min(f.fun for f in found) - float(p.R[i]))
        assert short(np.array([p.ky[i], p.kx[i]])) == pytest.approx(-float(p.R[i]), abs=1e-12)
    assert max(worse) < 0.02
    assert np.mean(np.array(worse) < 1e-6) >= 0.8


def test_the_direction_is_that_of_a_transform_over_space_and_time():
    """The forward transform puts cos(2 pi f t - k . r) at (f, -k): the half turn that is easily lost."""
    x = synth.plane(ARRAY, 20, 0.1, 0.6)
    power = np.abs(np.fft.fftn(x.values, (1000, 64, 64), (0, 1, 2))) ** 2
    row, column = np.unravel_index(power[20].argmax(), (64, 64))
    ky, kx = (-np.fft.fftfreq(64)[i] for i in (row, column))
    assert off(np.arctan2(ky, kx), W.summary(W.planar(W.phase(x, BAND)))["direction"]) < 6


@pytest.mark.parametrize("speed", SPEEDS)
def test_planes_at_sites_anywhere(speed):
    random = np.random.default_rng(1).uniform(0, 3.6e-3, (80, 2))
    for at in (jittered(), random):
        for direction in (0.2, 4.0):
            ph = some(W.phase(plane_at(at, speed, direction), BAND))
            p = W.planar(ph)
            assert off(p.direction, direction).max() < 0.1
            assert W.summary(p)["speed"] == pytest.approx(speed, rel=5e-3)
            assert W.summary(W.planar(ph, "ratio"))["speed"] == pytest.approx(speed, rel=0.05 if speed < 0.1 else 5e-3)
            assert float(p.R.min()) > 0.999


def test_a_line_of_sites_sees_what_runs_along_it():
    along = np.linspace(0, 3e-3, 16)[:, None] * np.array([np.sin(0.5), np.cos(0.5)])
    for direction, seen in ((0.9, 0.5), (3.4, 0.5 - np.pi)):
        p = W.planar(W.phase(plane_at(along, 0.1, direction), BAND))
        assert off(p.direction, seen).max() < 0.1
        assert W.summary(p)["speed"] == pytest.approx(0.1 / abs(np.cos(direction - 0.5)), rel=5e-3)
    row = W.planar(W.phase(synth.plane(synth.Array((1, 12)), 20, 0.1, 0.9), BAND))
    assert W.summary(row)["speed"] == pytest.approx(0.1 / np.cos(0.9), rel=5e-3)
    assert not np.abs(row.ky).max()


def test_a_masked_array_sees_the_same_wave():
    mask = np.random.default_rng(0).random((10, 10)) > 0.4
    x = noisy(synth.plane(ARRAY, 20, 0.1, 0.7), 3)
    s = W.summary(W.planar(W.phase(W.field(x, mask=mask), BAND)))
    assert off(s["direction"], 0.7) < 1
    assert s["speed"] == pytest.approx(0.1, rel=0.02)


def test_moments_of_low_amplitude_may_be_left_out():
    ph = plane_phase(0.1, 2, 1)
    low = ph.where(ph.amplitude > ph.amplitude.quantile(0.3))
    p, q = W.planar(ph), W.planar(low)
    assert float(q.R.mean()) > float(p.R.mean())
    assert off(W.summary(q)["direction"], DIRECTIONS[2] + 0.1) < 2
    low.phase[5] = np.nan
    assert np.isnan(W.planar(low).speed[5])
    assert np.isnan(W.radial(low).speed[5])
    assert W.summary(W.planar(low))["frames"] == 599


def test_what_is_in_step_everywhere_has_no_speed():
    x = synth.plane(ARRAY, 20, 0.1)
    still = x.copy(data=np.broadcast_to(x.values[:, :1, :1], x.shape))
    s = W.summary(W.planar(W.phase(still, BAND)))
    assert s["speed"] > 1e6
    assert s["R"] == pytest.approx(1)
    assert s["aperture_over_wavelength"] < 1e-6
    W.radial(W.phase(still, BAND))


# Symmetries


@cache
def noise_wave(seed):
    array = synth.Array((6, 7), "0.4 mm", "200 Hz", "0.8 s")
    return synth.plane(array, 20, 0.1, seed * 0.7) + synth.smooth_noise(array, seed, 1.0)


@given(st.integers(0, 8))
@FEW
def test_a_turned_array_sees_a_turned_wave(seed):
    x = noise_wave(seed)
    p = W.planar(W.phase(x, "8-40"))
    q = W.planar(W.phase(W.field(np.rot90(x.values, axes=(1, 2)), 200, "0.4 mm"), "8-40"))
    assert np.quantile(off(q.direction, p.direction - np.pi / 2), 0.97) < 1e-4  # but for ties of two planes
    for name in ("speed", "pgd", "R"):
        assert np.isclose(q[name], p[name], rtol=1e-6).mean() > 0.97


@given(st.integers(0, 8), st.floats(1e-3, 1e3))
@FEW
def test_speeds_scale_with_the_pitch(seed, factor):
    x = noise_wave(seed)
    wide = W.field(x.values, 200, 4e-4 * factor)
    for verb, names in ((W.planar, ("speed", "wavelength")), (W.radial, ("speed", "source_x"))):
        p, q = verb(W.phase(x, "8-40")), verb(W.phase(wide, "8-40"))
        for name in names:
            assert np.isclose(q[name], p[name] * factor, rtol=1e-4, atol=1e-9 * factor).mean() > 0.97, name
        assert np.isclose(q.R, p.R).mean() > 0.97


@given(st.integers(0, 8))
@FEW
def test_a_mirror_and_time_run_backward_turn_the_wave(seed):
    x = noise_wave(seed)
    p = W.planar(W.phase(x, "8-40", "hilbert"))
    mirrored = W.planar(W.phase(x.copy(data=x.values[:, :, ::-1]), "8-40", "hilbert"))
    assert np.quantile(off(mirrored.direction, np.pi - p.direction), 0.97) < 1e-4
    backward = W.planar(W.phase(x.copy(data=x.values[::-1]), "8-40", "hilbert"))
    assert np.quantile(off(backward.direction[::-1], p.direction.values + np.pi), 0.9) < 0.05


def test_time_run_backward_makes_a_source_a_sink():
    x = synth.target(ARRAY, 20, 0.1)
    out, back = (W.radial(W.phase(x.copy(data=v), BAND), "one") for v in (x.values, x.values[::-1]))
    assert float(out.sign.min()) == 1
    assert float(back.sign.max()) == -1
    assert float(out.centred_pgd.min()) > 0.99
    assert float(back.centred_pgd.max()) < -0.99


# Rings


@pytest.mark.parametrize(("snr", "within", "rho"), [(None, 0.02, 0.9), (3, 0.3, 0.9), (1, 0.8, 0.75)])
@pytest.mark.parametrize("source", [(0.0018, 0.0018), (0.0013, 0.0025), (0.0004, 0.0004)])
def test_targets(snr, within, rho, source):
    ph = some(target_phase(0.1, source, snr))
    each, one, known = (W.radial(ph, given) for given in ("each", "one", source))
    far = np.hypot(each.source_y - source[0], each.source_x - source[1]) / 4e-4
    assert float(far.quantile(0.95)) < within
    assert np.hypot(one.source_y[0] - source[0], one.source_x[0] - source[1]) / 4e-4 < 0.2
    for r in (each, one, known):
        assert (r.sign == 1).mean() > 0.99
        assert float(r.rho.mean()) > rho
        assert W.summary(r)["speed"] == pytest.approx(0.1, rel=5e-3 if snr is None else 0.05)
        assert float(r.centred_pgd.mean()) > (0.7 if snr == 1 else 0.95)
    lost = np.mean([W.radial(shuffled(ph, seed), source).rho.mean() for seed in range(6)])
    assert lost < 0.25


def test_a_target_in_the_middle_is_no_plane():
    for snr in (None, 3, 1):
        p = W.planar(target_phase(0.1, (0.0018, 0.0018), snr))
        assert float(p.pgd.mean()) < 0.1
    assert float(p.R.mean()) < 0.9


def test_rings_between_sites_anywhere():
    source = (1.6e-3, 2.3e-3)
    x = at_sites(jittered(), lambda t, y, x: np.cos(126 * t - 1257 * np.hypot(y - source[0], x - source[1])))
    for asked in ("each", "one", ("1.6 mm", "2.3 mm")):
        r = W.radial(W.phase(x, BAND), asked)
        assert np.allclose(r.source_y, source[0], atol=2e-5)
        assert np.allclose(r.source_x, source[1], atol=2e-5)
        assert W.summary(r)["speed"] == pytest.approx(126 / 1257, rel=5e-3)


def test_rho_is_the_multiple_correlation_of_distance_with_cosine_and_sine():
    random = np.random.default_rng(0)
    d, phi = random.random(30), random.uniform(-np.pi, np.pi, 30)
    found = rho_linear(d[None], np.exp(1j * phi)[None], np.ones((1, 30), bool))[0]
    design = np.stack([np.ones(30), np.cos(phi), np.sin(phi)], 1)
    rest = d - design @ np.linalg.lstsq(design, d, rcond=None)[0]
    assert found**2 == pytest.approx(1 - rest.var() / d.var())


def test_circular_correlation_is_the_published_one_and_holds_all_around():
    random = np.random.default_rng(0)
    a = random.normal(size=(1, 40)) * 0.5
    b = a * 0.7 + random.normal(size=(1, 40)) * 0.2
    there = np.ones(a.shape, bool)
    sa, sb = (np.sin(v - np.angle(np.exp(1j * v).mean())) for v in (a, b))
    published = (sa * sb).sum() / np.sqrt((sa**2).sum() * (sb**2).sum())
    assert frames.rho_circular(np.exp(1j * a), np.exp(1j * b), there)[0] == pytest.approx(published, abs=0.01)
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)[None]
    unit = np.exp(1j * around)
    assert frames.rho_circular(unit, unit, there)[0] == pytest.approx(1)
    assert frames.rho_circular(unit, unit.conj(), there)[0] == pytest.approx(-1)


# Averages and mistakes


def test_averages_are_of_their_kind():
    p = xr.Dataset(
        {"direction": ("time", [np.pi - 0.1, -np.pi + 0.1, np.pi]), "speed": ("time", [0.1, 10.0, 1.0]),
         "pgd": ("time", [0.2, 0.4, np.nan])}
    )  # fmt: skip
    s = W.summary(p)
    assert abs(s["direction"]) == pytest.approx(np.pi)
    assert s["resultant"] == pytest.approx((1 + 2 * np.cos(0.1)) / 3)
    assert s["speed"] == pytest.approx(1)
    assert s["pgd"] == pytest.approx(0.3)
    assert W.summary(p, keep=[True, False, False])["speed"] == pytest.approx(0.1)
    with pytest.raises(dh.DrumheadError, match="no frame"):
        W.summary(p, keep=p.pgd > 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: W.bandpass(x.values, BAND), "takes a field, got ndarray"),
        (lambda x: W.bandpass(x, "5-500 Hz"), "reaches half the sampling rate, 500 Hz"),
        (lambda x: W.bandpass(x, "2-40 Hz"), "at least 3 periods, 1.5 s"),
        (lambda x: W.bandpass(x, BAND, order=0), "order=0"),
        (lambda x: W.resample(x, 1e-3), "at least two"),
        (lambda x: W.resample(x, "1 mm"), "fs="),
        (lambda x: W.trim(x, 0.5), "leaves nothing"),
        (lambda x: W.phase(x, BAND, "wavelet"), "'generalized', 'hilbert'"),
        (lambda x: W.phase(x, BAND, edges="1 s"), "leaves nothing"),
        (lambda x: W.phase(x * 0, BAND), "no channel changes"),
        (lambda x: W.gradient(x), "gradient takes what phase returns, got DataArray"),
        (lambda x: W.planar(x), "planar takes what phase returns"),
        (lambda x: W.radial(W.phase(x, BAND).phase), "radial takes what phase returns"),
        (lambda x: W.planar(W.phase(x, BAND), "fast"), "'plane', 'ratio', 'local'"),
        (lambda x: W.planar(W.phase(x[:, :1, :3], BAND)), "4 sites or more, got 3"),
        (lambda x: W.radial(W.phase(x[:, :2, :2], BAND)), "5 sites or more, got 4"),
        (lambda x: W.radial(W.phase(x, BAND), "middle"), "source='middle'"),
        (lambda x: W.radial(W.phase(x, BAND), (1.0,)), "source="),
        (lambda x: W.radial(W.phase(x, BAND), (1.0, np.nan)), "source="),
        (lambda x: W.radial(W.phase(x, BAND), ("1 mm", "5 Hz")), "source="),
        (lambda x: W.radial(W.phase(W.field(x.values, 1000), BAND), ("1.2 mm", "0 mm")), "no pitch"),
        (lambda x: W.trim(W.singularities(W.phase(x, BAND)), 0.1), "trajectories"),
        (lambda x: W.gradient(W.phase(at_sites(jittered(), lambda t, y, x: np.cos(126 * t - x)), BAND), neighbours=1),
         "neighbours=1"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(call, message):
    with pytest.raises(dh.DrumheadError, match=message):
        call(synth.plane(ARRAY))


def test_a_source_may_be_written_in_any_way_and_lie_beyond_the_sites():
    ph = some(target_phase(0.1, (-0.4e-3, 0.0)))
    want = W.radial(ph, (-0.4e-3, 0.0))
    assert want.R.mean() > 0.99
    for source in (("-0.4 mm", "0 mm"), np.array([-0.4e-3, 0.0]), [-0.4e-3, 0]):
        assert W.radial(ph, source).equals(want)


def test_a_search_for_sources_in_a_film_does_not_fill_the_memory():
    y, x = np.divmod(np.arange(1600), 40)
    rings = Rings(np.stack([y, x], 1).astype(float))
    unit = np.exp(-1j * np.hypot(y - 11.7, x - 25.2))[None].repeat(3, 0)
    tracemalloc.start()
    s, at = rings.fit(unit, rings.sources)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert s == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(at, [[11.7, 25.2]] * 3, atol=1e-2)
    assert peak < 100e6  # waves of all 85 wave numbers at once took 440 MB, and 17 GB of 100 x 100 sites
