"""Singularities, the k-f spectrum and complex modes, on signals whose topology, direction and modes are known.

The array of T2 of the research note: 10 x 10 sites 0.4 mm apart, 1 kHz, 20 Hz, phases of the band 5-40 Hz without the
200 ms at both ends, pink noise at each sensor.
"""

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, hilbert, lfilter, sosfiltfilt
from xarray import DataArray, Dataset

import drumhead as dh
from drumhead.waves import synth
from drumhead.waves.complex_modes import straightened, travelling_index
from drumhead.waves.tracks import joined

UTAH = synth.Array((10, 10), "0.4 mm", "1 kHz", "1.4 s")
SQUARE = synth.Array((16, 16), "1 mm", "200 Hz", "4 s")


def filtered(x, band):
    return x.copy(data=sosfiltfilt(butter(4, band, "bandpass", fs=1000, output="sos"), x.values, axis=0))


def phases(x, band=(5, 40), ends=200):
    """Hilbert phases, for fields of 1 kHz without bad sites."""
    signal = np.asarray(hilbert(filtered(x, band).values, axis=0))
    return x.copy(data=np.angle(signal)).isel(time=slice(ends, -ends))


# Singularities


@pytest.mark.parametrize("charge", [1, -1])
@pytest.mark.parametrize("core", [None, (1.3e-3, 2.7e-3)])
@pytest.mark.parametrize(("snr", "share"), [(3, 1.0), (1, 0.97)])
def test_a_spiral_has_its_charge_at_its_core(charge, core, snr, share):
    for seed, speed in enumerate((None, 0.3)):
        phase = phases(synth.sensor_noise(synth.spiral(UTAH, 20, charge, core, speed), snr, seed, colour=1))
        found = dh.waves.singularities(phase)
        assert float((np.sign(found.net) == charge).mean()) >= share
        y, x = (1.8e-3, 1.8e-3) if core is None else core
        away = np.hypot(found.y - y, found.x - x)[found.charge == charge] / 4e-4
        nearest = away.groupby(found.t[found.charge == charge]).min()
        assert len(nearest) == len(phase)
        assert np.quantile(nearest, share) <= 1.0
        lasting = dh.waves.singularities(phase, lifetime="200 ms")
        assert lasting.turn.values.tolist() == [charge]
        assert float(lasting.lifetime[0]) == pytest.approx(1.0, abs=1e-9)


def test_generalized_phases_turn_about_the_same_core_beside_bad_channels():
    x = synth.sensor_noise(synth.spiral(UTAH, 20, -1, (1.3e-3, 2.7e-3)), 1, 0, colour=1)
    x[:, 0, 0] = x[:, 8, 2] = np.nan
    phase = dh.waves.phase(x, band="5-40 Hz")
    assert float((dh.waves.singularities(phase).net < 0).mean()) >= 0.97
    found = dh.waves.singularities(phase, lifetime="200 ms")
    assert found.turn.values.tolist() == [-1]
    assert float(np.hypot(found.y - 1.3e-3, found.x - 2.7e-3).mean()) < 4e-4


def test_the_charge_flips_in_a_mirror_and_on_going_back_in_time():
    phase = phases(synth.sensor_noise(synth.spiral(UTAH, 20, core=(1.3e-3, 2.2e-3)), 1, 0, colour=1))
    q = dh.waves.charges(phase).values
    for axis in ("y", "x"):
        mirrored = phase.copy(data=phase.isel({axis: slice(None, None, -1)}).values)
        flipped = np.flip(dh.waves.charges(mirrored).values, q.ndim - 2 + "yx".index(axis))
        assert np.array_equal(flipped, -q)
    assert np.array_equal(dh.waves.charges(-phase), -q)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 9), st.integers(3, 9), st.floats(-10, 10))
def test_charges_are_whole_numbers_that_add_up(seed, rows, columns, shift):
    random = np.random.default_rng(seed)
    phase = DataArray(random.uniform(-np.pi, np.pi, (3, rows, columns)), dims=("time", "y", "x"))
    q = dh.waves.charges(phase)
    assert set(np.unique(q)) <= {-1.0, 0.0, 1.0}
    turns = 2 * np.pi * random.integers(-3, 4, phase.shape)
    assert np.array_equal(dh.waves.charges(phase + turns + shift), q)
    around = dh.waves.charges(phase, ring=1) if min(rows, columns) > 3 else q[:, :0]
    for i, j in np.ndindex(around.shape[1:]):
        assert np.array_equal(around[:, i, j], q[:, i : i + 3, j : j + 3].sum(("y", "x")))


def test_bad_sites_are_left_out_and_a_ring_looks_past_them():
    phase = phases(synth.spiral(UTAH, 20, core=(1.7e-3, 1.9e-3)))
    phase[:, 4, 4] = np.nan  # a corner of the square that holds the core
    q = dh.waves.charges(phase)
    assert np.isnan(q[0]).sum() == 4
    assert int(dh.waves.singularities(phase).number.sum()) == 0
    around = dh.waves.charges(phase, ring=1)
    assert np.array_equal(around.sel(y=1.8e-3, x=1.8e-3, method="nearest"), np.ones(len(phase)))
    empty = dh.waves.singularities(phase.where(False))
    assert (empty.sizes["point"], empty.sizes["trajectory"], empty.attrs["rate"]) == (0, 0, 0.0)


def test_a_plane_wave_and_a_target_have_no_singularity():
    for x in (synth.plane(UTAH, 20, 0.05, 0.3), synth.target(UTAH, 20, 0.1)):
        assert int(dh.waves.singularities(phases(synth.sensor_noise(x, 10, 0, colour=1))).number.sum()) == 0


def test_smooth_noise_has_many_pairs_and_no_net_charge():
    for width, least, most in ((1, 4.5, 7.5), (2, 1.1, 2.2)):
        found = [dh.waves.singularities(phases(synth.smooth_noise(UTAH, seed, width, 1.0))) for seed in range(6)]
        count = np.array([float(each.number.mean()) for each in found])
        net = np.array([float(each.net.mean()) for each in found])
        assert least < count.mean() < most
        assert abs(net.mean()) < 3 * net.std(ddof=1) / np.sqrt(len(net))
        assert max(float(each.lifetime.median()) for each in found) < 0.02
        assert min(each.attrs["rate"] for each in found) > 60
        strict = dh.waves.singularities(phases(synth.smooth_noise(UTAH, 0, width, 1.0)), "50 ms", ring=1)
        assert strict.attrs["rate"] < 6


@pytest.mark.parametrize("snr", [1e6, 3, 1])
def test_a_core_that_moves_slowly_is_one_trajectory(snr):
    array = synth.Array((16, 16), "1 mm", "1 kHz", "1 s")
    t = array.times
    y, x = array.y[:, None] - 4e-3 - 6e-3 * t, array.x - 5e-3 - 5e-3 * t
    turning = synth.sensor_noise(array.field(np.cos(2 * np.pi * 20 * t - np.arctan2(y, x))), snr, 0, colour=1)
    phase = phases(turning, ends=100)
    found = dh.waves.singularities(phase, lifetime="100 ms", gaps=2)
    assert found.sizes["trajectory"] == 1
    assert found.track.dims == ("point",)
    assert not found.track.any()
    assert float(found.lifetime[0]) == pytest.approx(0.8, abs=0.01)
    off = np.hypot(found.y - 4e-3 - 6e-3 * found.t, found.x - 5e-3 - 5e-3 * found.t)
    assert float(off.max()) < 2.1e-3
    assert float(off.mean()) < 0.8e-3


def test_what_was_missing_for_a_moment_is_joined_if_gaps_allow():
    phase = phases(synth.spiral(UTAH, 20, core=(1.7e-3, 1.9e-3)))
    phase[100:102] = np.nan
    lifetimes = [dh.waves.singularities(phase, gaps=gaps).lifetime.values.round(6).tolist() for gaps in (0, 1, 2)]
    assert lifetimes == [[0.1, 0.898], [0.1, 0.898], [1.0]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 60), st.integers(0, 3))
def test_trajectories_keep_their_charge_and_step_no_farther_than_they_may(seed, count, gaps):
    random = np.random.default_rng(seed)
    frame = np.sort(random.integers(0, 12, count))
    place, charge = random.integers(0, 6, (count, 2)) * 1.0, random.choice([-1.0, 1.0], count)
    label = joined(frame, place, charge, 1.5, gaps)
    for each in np.unique(label):
        mine = label == each
        assert len(set(charge[mine])) == 1
        steps = np.diff(frame[mine])
        assert ((steps >= 1) & (steps <= gaps + 1)).all()
        assert (np.hypot(*np.diff(place[mine], axis=0).T) <= 1.5 * steps + 1e-5).all()
    for time in range(11):  # none is left alone beside one of its charge that is alone as well
        ends = [i for i in np.flatnonzero(frame == time) if not ((label == label[i]) & (frame > time)).any()]
        starts = [i for i in np.flatnonzero(frame == time + 1) if not ((label == label[i]) & (frame <= time)).any()]
        for i in ends:
            for j in starts:
                assert charge[i] != charge[j] or np.hypot(*(place[i] - place[j])) > 1.5 or _crowded(place, frame, i)


def _crowded(place, frame, i):
    """Whether a point has more neighbours at the next time than candidates are looked at."""
    return (np.hypot(*(place[frame == frame[i] + 1] - place[i]).T) <= 1.5).sum() > 4


@pytest.mark.parametrize(
    ("phase", "options", "message"),
    [
        (np.zeros((5, 4, 4)), {}, "got ndarray"),
        (Dataset({"amplitude": (("time", "y", "x"), np.zeros((5, 4, 4)))}), {}, "got Dataset"),
        (DataArray(np.zeros((5, 4)), dims=("time", "site")), {}, "got time, site"),
        (DataArray(np.zeros((5, 1, 4)), dims=("time", "y", "x")), {}, "2 x 2 sites"),
        (DataArray(np.zeros((5, 4, 4)), dims=("time", "y", "x")), {"ring": 2}, "at most 1 is possible"),
        (DataArray(np.zeros((5, 4, 4)), dims=("time", "y", "x")), {"ring": -1}, "ring=-1"),
        (DataArray(np.zeros((5, 4, 4)), dims=("time", "y", "x")), {"reach": "1 mm"}, "no pitch"),
        (DataArray(np.zeros((5, 4, 4)), dims=("time", "y", "x")), {"lifetime": "1 mm"}, "lifetime="),
        (DataArray(np.zeros((5, 4, 4)), dims=("time", "y", "x")), {"gaps": 0.5}, "gaps="),
    ],
)
def test_what_has_no_singularities_is_refused(phase, options, message):
    with pytest.raises(dh.DrumheadError, match=message):
        dh.waves.singularities(phase, **options)


def test_a_dataset_of_phases_will_do():
    phase = phases(synth.spiral(UTAH, 20, core=(1.7e-3, 1.9e-3)))
    assert dh.waves.singularities(Dataset({"phase": phase})).identical(dh.waves.singularities(phase))


# The k-f spectrum


@pytest.mark.parametrize("turn", range(8))
def test_power_stands_where_the_wave_goes(turn):
    direction = turn * np.pi / 4
    for snr, degrees, speed in ((1e6, 0.01, 1e-3), (3, 0.1, 2e-3), (1, 0.3, 5e-3)):
        x = synth.sensor_noise(synth.plane(SQUARE, 20, 0.1, direction), snr, turn, colour=1)
        top = dh.waves.ridge(dh.waves.kf(x, segment="1 s")).sel(f=20)
        off = np.angle(np.exp(1j * (float(top.direction) - direction)))
        assert abs(np.degrees(off)) < degrees
        assert float(top.phase_speed) == pytest.approx(0.1, rel=speed)


def test_the_sign_of_k_is_that_of_the_phase_gradient():
    """The forward transform of numpy puts a wave that goes toward +x at -k; ours must not."""
    x = synth.plane(SQUARE, 20, 0.08)
    steps = np.diff(np.unwrap(np.angle(hilbert(x.values, axis=0)), axis=2), axis=2)
    assert np.median(steps) < 0  # the phase lags where the wave goes
    spectrum = dh.waves.kf(x, "boxcar", "1 s", pad=1)
    _, _, column = np.unravel_index(np.argmax(spectrum.values), spectrum.shape)
    assert float(spectrum.kx[column]) == pytest.approx(2 * np.pi * 20 / 0.08, rel=1e-9)  # a bin of this array
    assert spectrum.kx.attrs["units"] == "rad/m"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(20, 41), st.integers(1, 7), st.integers(3, 6), st.integers(1, 3))
def test_the_power_adds_up_to_the_variance(seed, count, rows, columns, pad):
    x = np.random.default_rng(seed).normal(size=(count, rows, columns))
    x -= x.mean(0)
    field = dh.waves.field(x, "100 Hz", "1 mm")
    spectrum = dh.waves.kf(field, "boxcar", f"{count / 100} s", pad=pad)
    cell = np.prod([np.diff(spectrum[k])[0] for k in ("ky", "kx") if len(spectrum[k]) > 1])
    assert float(spectrum.sum()) * cell * 100 / count == pytest.approx(x.var(), rel=1e-9)
    back = dh.waves.kf(dh.waves.field(x[::-1], "100 Hz", "1 mm"), "boxcar", f"{count / 100} s", pad=pad)
    found, other = (dh.waves.direction_index(each, 0.3) for each in (spectrum, back))
    assert float(other["index"]) == pytest.approx(-float(found["index"]), abs=1e-9)  # time runs back, waves too
    assert float(other.travelling) == pytest.approx(float(found.travelling), abs=1e-9)
    assert float(abs(other.asymmetry + found.asymmetry).max()) < 1e-6


def test_white_noise_has_its_density_under_any_window_and_with_bad_sites():
    x = np.random.default_rng(0).normal(size=(4000, 8, 8))
    x[:, 2, 3] = x[:, 0] = np.nan
    for window in ("hann", ("dpss", 2.5)):
        spectrum = dh.waves.kf(dh.waves.field(x, "100 Hz", "1 mm"), window, "1 s")
        want = 1 / 50 / (2 * np.pi / 1e-3) ** 2  # the variance over all frequencies and wave numbers
        assert float(spectrum[2:-2].mean()) == pytest.approx(want, rel=0.02)
    assert spectrum.attrs["resolution_kx"] == pytest.approx(2 * np.pi / 8e-3)
    assert spectrum.attrs["segments"] == 79


def test_rings_are_means_of_their_wave_numbers_and_take_no_memory():
    ky, kx = np.fft.fftshift(np.fft.fftfreq(256)), np.fft.fftshift(np.fft.fftfreq(200))
    power = np.random.default_rng(0).random((2, 256, 200))
    spectrum = DataArray(power, {"f": [1.0, 2.0], "ky": ky, "kx": kx}, ("f", "ky", "kx"))
    tracemalloc.start()
    found = dh.waves.azimuthal(spectrum)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    away = np.hypot(ky[:, None], kx)
    for i in (0, 1, 50, 100):
        ring = np.abs(away * 200 - i) < 0.5
        assert found.values[:, i] == pytest.approx(power[:, ring].mean(1), rel=1e-12)
        assert float(found.k[i]) == pytest.approx(away[ring].mean(), rel=1e-12)
    assert found.sizes["k"] == 101
    assert peak < 5e6  # a matrix of 51,200 wave numbers and 101 rings has 41


def test_standing_and_plane_waves_forward_and_backward():
    """log10(FW / BW) is 0 for a standing wave, with noise too; over 2 for a plane one if noise leaves a hundredth."""
    for direction in (0.0, 0.4):
        for snr, off in ((1e6, 1e-6), (3, 0.02), (1, 0.06)):
            for seed in range(3):
                x = synth.sensor_noise(synth.standing(UTAH, 20, 0.06, direction), snr, seed, colour=1)
                found = dh.waves.direction_index(dh.waves.kf(x, segment="200 ms"), direction, "15-25 Hz")
                assert abs(float(found.log_ratio)) < off
                assert float(found.travelling) < 0.05
        for snr, least in ((1e6, 2.5), (3, 2.0), (1, 1.2)):
            x = synth.sensor_noise(synth.plane(UTAH, 20, 0.06, direction), snr, 0, colour=1)
            spectrum = dh.waves.kf(x, segment="200 ms")
            assert float(dh.waves.direction_index(spectrum, direction, "15-25 Hz").log_ratio) > least
            assert float(dh.waves.direction_index(spectrum, direction + np.pi, "15-25 Hz").log_ratio) < -least


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_the_travelling_share_of_a_mixture_is_read_off_the_spectrum(share):
    for direction in (0.0, 0.4, np.pi / 4):
        x = synth.mixture(UTAH, share, 20, 0.06, direction)
        found = dh.waves.direction_index(dh.waves.kf(x, segment="200 ms"), direction, "15-25 Hz")
        assert float(found.travelling) == pytest.approx(share, abs=0.05)
        assert float(found["index"]) == pytest.approx(2 * share / (1 + share**2), abs=0.05)


def test_rings_count_as_standing_since_they_go_everywhere():
    found = dh.waves.direction_index(dh.waves.kf(synth.target(SQUARE, 20, 0.08), segment="1 s"), 0.3, "18-22 Hz")
    assert abs(float(found["index"])) < 0.02
    assert float(found.travelling) < 0.05


def test_the_ridge_of_a_medium_is_its_dispersion():
    """Omega^2 = (2 pi f0)^2 + c^2 (2 sin(k p / 2) / p)^2 on the lattice, along an axis; the rest follows from it."""
    array = synth.Array((24, 24), "1 mm", "200 Hz", "15 s")
    x = synth.medium(array, speed=0.1, f0=8.0, tau=0.1, seed=0, padding=24)
    found = dh.waves.ridge(dh.waves.azimuthal(dh.waves.kf(x, segment="1 s"))).sel(f=slice(14, 24))
    omega = 2 * np.pi * found.f
    k = 2 * np.arcsin(np.sqrt(omega**2 - (2 * np.pi * 8) ** 2) * 1e-3 / 2 / 0.1) / 1e-3
    group = 0.1**2 * np.sin(k * 1e-3) / 1e-3 / omega
    assert bool(found.clear.all())
    slow = found.k / k  # rings are read a little too long, and diagonal waves are
    assert float(slow.min()) > 0.90
    assert float(slow.max()) < 1.0
    assert float((found.group_speed / group).mean()) == pytest.approx(1.0, abs=0.07)
    assert float(found.phase_speed.sel(f=slice(14, 20)).min()) > 0.1  # faster than c, as all waves that are long


def test_a_tone_has_a_phase_speed_and_no_group_speed():
    found = dh.waves.ridge(dh.waves.kf(synth.plane(SQUARE, 20, 0.1), segment="1 s"))
    assert int(found.clear.sum()) <= 5
    assert np.isnan(found.group_speed).all()
    assert np.isnan(found.phase_speed.sel(f=50))
    line = synth.Array((1, 16), "1 mm", "200 Hz", "4 s")
    back = dh.waves.ridge(dh.waves.kf(synth.plane(line, 20, 0.1, np.pi), segment="1 s")).sel(f=20)
    assert float(back.direction) == pytest.approx(np.pi)
    assert float(back.phase_speed) == pytest.approx(0.1, rel=2e-3)


def test_what_has_no_spectrum_is_refused():
    x = dh.waves.field(np.random.default_rng(0).normal(size=(50, 3, 4)), 500)
    sites = dh.waves.field(np.random.default_rng(0).normal(size=(50, 3)), 500, at=np.arange(6.0).reshape(3, 2))
    for options, message in (
        ({"segment": "1 s"}, "2 to 50"),
        ({"window": "hat"}, "window='hat'"),
        ({"band": "300-400"}, "no frequency there"),
        ({"pad": 0}, "pad=0"),
    ):
        with pytest.raises(dh.DrumheadError, match=message):
            dh.waves.kf(x, **options)
    for other in (sites, x.values):
        with pytest.raises(dh.DrumheadError, match="on a grid is needed"):
            dh.waves.kf(other)
    spectrum = dh.waves.kf(x)
    for call in (dh.waves.direction_index, dh.waves.azimuthal, dh.waves.ridge):
        with pytest.raises(dh.DrumheadError, match="f, ky, kx are needed"):
            call(x)
    with pytest.raises(dh.DrumheadError, match="'x', 'y' or an angle"):
        dh.waves.direction_index(spectrum, "z")
    with pytest.raises(dh.DrumheadError, match="no frequency there"):
        dh.waves.direction_index(spectrum, "x", "300-400")
    with pytest.raises(dh.DrumheadError, match="contrast="):
        dh.waves.ridge(spectrum, contrast=0)


# Complex modes


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_the_travelling_index_is_the_share_if_the_array_sees_a_wavelength(share):
    for speed, direction in ((0.04, 0.0), (0.04, 0.4), (0.08, 0.0), (0.08, 0.4), (0.08, np.pi / 4)):
        for snr in (1e6, 3):
            x = filtered(synth.sensor_noise(synth.mixture(UTAH, share, 20, speed, direction), snr, 1, 1), (10, 30))
            mode = dh.waves.complex_pca(x.isel(time=slice(200, -200)), modes=1).isel(mode=0)
            assert float(mode.travelling) == pytest.approx(share, abs=0.055)
            assert float(mode.frequency) == pytest.approx(20, abs=0.1)
            assert float(mode.variance) > 0.98


def test_a_plane_wave_longer_than_the_array_is_not_seen_to_travel():
    index = [float(dh.waves.complex_pca(synth.plane(UTAH, 20, c), modes=1).travelling[0]) for c in (0.08, 0.2, 0.3)]
    assert index == pytest.approx([1.0, 0.79, 0.50], abs=0.02)


def test_the_index_does_not_know_where_sites_are_and_smoothness_does():
    x = synth.plane(UTAH, 20, 0.08, 0.4)
    order = np.random.default_rng(0).permutation(100)
    shuffled = x.copy(data=x.values.reshape(len(x), -1)[:, order].reshape(x.shape))
    one, other = (dh.waves.complex_pca(each, modes=1).isel(mode=0) for each in (x, shuffled))
    assert float(one.travelling) == pytest.approx(float(other.travelling), abs=1e-9)
    k = 2 * np.pi * 20 / 0.08 * 4e-4
    assert float(one.smoothness) == pytest.approx((np.cos(k * np.cos(0.4)) + np.cos(k * np.sin(0.4))) / 2, abs=1e-3)
    assert abs(float(other.smoothness)) < 0.2
    assert float(one.smoothness_shuffled) == pytest.approx(float(other.smoothness_shuffled), abs=1e-9)
    values = np.exp(1j * one.phase.values.ravel())
    random = np.random.default_rng(1)
    pairs = np.array([random.choice(100, 2, replace=False) for _ in range(20_000)])
    mean = (values[pairs[:, 0]] * values[pairs[:, 1]].conj()).real.mean()
    assert float(one.smoothness_shuffled) == pytest.approx(mean, abs=0.02)


def test_modes_are_orthogonal_and_give_the_signal_back():
    x = synth.plane(SQUARE, 20, 0.05) + 0.5 * synth.standing(SQUARE, 31, 0.07, 1.0)
    found = dh.waves.complex_pca(x, modes=4)
    maps = found.pattern.values.reshape(4, -1)
    assert np.allclose(maps.conj() @ maps.T, np.eye(4), atol=1e-9)
    again = (found.pattern * found.course).sum("mode").real.transpose("time", "y", "x")
    assert np.allclose(again, x - x.mean("time"), atol=1e-5)
    assert found.variance.values[:2] == pytest.approx([1 / 1.125, 0.125 / 1.125], abs=0.01)
    assert found.frequency.values[:2] == pytest.approx([20, 31], abs=0.05)
    toward_x = np.diff(np.unwrap(found.phase.values[0], axis=1), axis=1)
    assert toward_x.mean() == pytest.approx(-2 * np.pi * 20 / 0.05 * 1e-3, rel=0.01)  # it lags where the wave goes


def test_few_times_and_many_sites_give_the_same_modes():
    x = synth.plane(SQUARE, 20, 0.05) + 0.5 * synth.standing(SQUARE, 31, 0.07, 1.0)
    signal = x.isel(time=slice(200)).copy(data=hilbert(x.values, axis=0)[:200])
    many, few = dh.waves.complex_pca(signal, 2), dh.waves.complex_pca(signal[:, :10, :10], 2)
    assert signal[0].size > len(signal) > signal[0, :10, :10].size
    left, strength, right = np.linalg.svd(signal.values.reshape(len(signal), -1), full_matrices=False)
    assert many.variance.values == pytest.approx((strength**2 / (strength**2).sum())[:2], rel=1e-9)
    assert np.allclose(np.abs((many.pattern.values.reshape(2, -1).conj() * right[:2]).sum(1)), 1)
    assert np.allclose(np.abs((many.course.values * left[:, :2].T.conj()).sum(1)), strength[:2])
    assert few.travelling.values == pytest.approx(many.travelling.values, abs=0.3)


def test_bad_sites_and_scattered_sites_have_modes_too():
    values = synth.mixture(SQUARE, 0.5, 20, 0.08).values.copy()
    values[:, 3, 4] = np.nan
    grid = dh.waves.complex_pca(dh.waves.field(values, "200 Hz", "1 mm"), 1)
    assert np.isnan(grid.pattern.values[0]).sum() == 1
    assert float(grid.travelling[0]) == pytest.approx(0.5, abs=0.02)
    random = np.random.default_rng(0)
    at = random.uniform(0, 16e-3, (60, 2))
    wave = np.cos(2 * np.pi * 20 * SQUARE.times[:, 0] - 2 * np.pi * 20 / 0.32 * at[:, 1])
    wave[:, 7] = np.nan
    sites = dh.waves.complex_pca(dh.waves.field(wave, "200 Hz", "1 mm", at=at), 1)
    assert sites.pattern.dims == ("mode", "site")
    assert np.isnan(sites.pattern.values[0]).sum() == 1
    assert float(sites.smoothness[0]) > 0.5 > float(sites.smoothness_shuffled[0]) + 0.4
    assert float(dh.waves.dmd(dh.waves.field(wave, "200 Hz", "1 mm", at=at), 2).frequency[0]) == pytest.approx(20)


def test_modes_do_not_know_the_order_of_axes():
    x = synth.sensor_noise(synth.mixture(synth.Array((6, 9), "1 mm", "200 Hz", "2 s"), 0.5, 20, 0.08), 1.0, 0)
    for verb in (dh.waves.complex_pca, dh.waves.dmd):
        want, got = verb(x, 2), verb(x.transpose("time", "x", "y"), 2)
        for name in want.data_vars:
            np.testing.assert_allclose(got[name].values, want[name].values, rtol=1e-6, err_msg=name)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 30))
def test_the_index_is_that_of_the_singular_values(seed, count):
    random = np.random.default_rng(seed)
    maps = random.normal(size=(3, count)) + 1j * random.normal(size=(3, count))
    strength = [np.linalg.svd(np.stack([v.real, v.imag], 1), compute_uv=False) for v in maps]
    index = travelling_index(maps)
    assert index == pytest.approx([s[1] / s[0] for s in strength], abs=1e-6)
    for other in (maps * np.exp(1j * random.uniform(0, 6)) * 3, maps.conj(), maps[:, random.permutation(count)]):
        assert travelling_index(other) == pytest.approx(index, abs=1e-6)
    turned = straightened(maps)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(1)
    assert (turned.real * turned.imag).sum(1) == pytest.approx(0, abs=1e-9)  # the two patterns are at right angles
    assert (np.linalg.norm(turned.real, axis=1) >= np.linalg.norm(turned.imag, axis=1)).all()


def test_what_has_no_modes_is_refused():
    x = dh.waves.field(np.random.default_rng(0).normal(size=(200, 3, 4)), 500)
    for call in (dh.waves.complex_pca, dh.waves.dmd):
        with pytest.raises(dh.DrumheadError, match="a field is needed"):
            call(x.values)
        with pytest.raises(dh.DrumheadError, match="constant"):
            call(x.copy(data=np.ones(x.shape)), 2)
        with pytest.raises(dh.DrumheadError, match="gaps"):
            call(x.where(x.time < 0.1), 2)
    with pytest.raises(dh.DrumheadError, match="12 sites and 200 times"):
        dh.waves.complex_pca(x, 13)
    for options, message in (
        ({"window": "4 ms"}, "window='4 ms' is 2 of 200"),
        ({"window": "200 ms"}, "window='200 ms' is 100 of 200"),
        ({"rank": 0}, "rank=0"),
        ({"rank": 500, "window": "20 ms"}, "at most 60"),
    ):
        with pytest.raises(dh.DrumheadError, match=message):
            dh.waves.dmd(x, **options)


# Dynamic modes

RINGS = synth.Array((8, 8), "1 mm", "500 Hz", "2 s")


def ringing(snr, seed):
    """A plane wave of 10 Hz that decays at 2 / s, and a standing one of 23 Hz that decays at 1 / s."""
    t = RINGS.times
    x = np.exp(-2 * t) * synth.plane(RINGS, 10, 0.08) + np.exp(-t) * synth.standing(RINGS, 23, 0.184, np.pi / 2)
    return synth.sensor_noise(x, snr, seed)


@pytest.mark.parametrize(
    ("snr", "hz", "rate", "index"), [(1e9, 1e-3, 1e-3, 1e-3), (3, 0.02, 0.1, 0.03), (1, 0.06, 0.3, 0.08)]
)
def test_known_modes_have_their_frequency_decay_and_map(snr, hz, rate, index):
    for seed in range(3):
        found = dh.waves.dmd(ringing(snr, seed), rank=4).sortby("frequency")
        assert found.frequency.values == pytest.approx([10, 23], abs=hz)
        assert found.decay.values == pytest.approx([2, 1], abs=rate)
        assert found.travelling.values == pytest.approx([1, 0], abs=index)
        wave = np.exp(-2j * np.pi * np.arange(8) / 8) * np.ones((8, 1))
        assert np.abs((found.pattern[0].values.conj() * wave).sum()) / 8 > 0.99


def test_modes_that_noise_drives_have_theirs():
    """Complex AR(1) courses: C(lag) falls as exp(-d lag), so d is known; its own scatter over 60 s is a tenth."""
    random, count = np.random.default_rng(0), 30_000
    y, x = np.mgrid[:8, :8]
    field = 0.0
    for f, d, pattern in ((10, 5, np.exp(-2j * np.pi * x / 8)), (23, 8, np.cos(2 * np.pi * y / 8) + 0j)):
        drive = random.normal(size=count) + 1j * random.normal(size=count)
        course = np.asarray(lfilter([1], [1, -np.exp((-d + 2j * np.pi * f) / 500)], drive))
        field = field + np.real(course[:, None, None] * pattern / course.std())
    for snr in (1e6, 1):
        noisy = synth.sensor_noise(dh.waves.field(field, "500 Hz", "1 mm"), snr, 0)
        found = dh.waves.dmd(noisy, rank=4).sortby("frequency")
        assert found.frequency.values == pytest.approx([10, 23], abs=0.3)
        assert found.decay.values == pytest.approx([5, 8], rel=0.3)
        assert found.travelling.values == pytest.approx([1, 0], abs=0.1)
        share = 1.0 if snr > 1 else 0.5
        assert float(found.variance.sum()) == pytest.approx(share, abs=0.06)


def test_a_rank_too_high_adds_only_weak_modes():
    found = dh.waves.dmd(ringing(3, 0), rank=12)
    assert sorted(found.frequency.values[:2]) == pytest.approx([10, 23], abs=0.05)
    assert float(abs(found.variance[2:]).max()) < 0.02
    assert dh.waves.dmd(ringing(1e12, 0), rank=12).attrs["rank"] <= 12


def test_without_pydmd_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydmd", None)
    with pytest.raises(dh.DrumheadError, match=r"pip install 'drumhead\[neuro\]'"):
        dh.waves.dmd(ringing(3, 0))
