"""Surrogates keep what they say they keep, and the test for travelling waves is fair and sees waves."""

import numpy as np
import pytest
from scipy.signal import detrend

import drumhead as dh
from drumhead.waves import synth
from drumhead.waves.fields import places
from drumhead.waves.nulls import NULLS, draws, surrogate
from drumhead.waves.travels import KINDS, travels

ARRAY = synth.Array((8, 8), "0.4 mm", "500 Hz", "2 s")
BAND = "10-30 Hz"


def cross(x):
    """The cross-spectral matrix of a field over a band, and its Fourier coefficients."""
    spectrum = np.fft.rfft(x.values.reshape(len(x), -1), axis=0)[20:60]
    return np.einsum("fi,fj->ij", spectrum.conj(), spectrum) / len(spectrum), spectrum


@pytest.mark.parametrize("null", NULLS)
def test_a_surrogate_is_a_field_of_the_same_size_and_loudness(null):
    x = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1), 1, 0)
    x[:, 2, 3] = np.nan
    y = surrogate(x, null, seed=1)
    assert y.dims == x.dims
    assert y.shape == x.shape
    assert np.isnan(y.values[:, 2, 3]).all()
    assert float(y.std()) == pytest.approx(float(x.std()), rel=0.15)
    assert y.identical(surrogate(x, null, seed=1))
    assert not y.equals(surrogate(x, null, seed=2))


def test_each_null_keeps_and_destroys_what_it_says():
    x = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1, direction=0.5), 2, 0)
    x = x.copy(data=detrend(x.values, axis=0))
    matrix, _ = cross(x)
    size = np.abs(matrix).max()
    kept = {null: [] for null in NULLS}
    for null in NULLS:
        for seed in range(40):
            kept[null].append(cross(surrogate(x, null, seed))[0])
    mean = {null: np.mean(found, 0) for null, found in kept.items()}
    assert np.abs(mean["zero_lag"].imag).max() < 0.15 * size  # no lag ..
    assert np.abs(mean["zero_lag"].real - matrix.real).max() < 0.25 * size  # .. and the covariance at lag zero
    for null in ("common_phase", "time_shift"):  # all lags
        assert np.abs(kept[null][0] - matrix).max() < 1e-9 * size
    apart = np.abs(mean["independent_phase"] - np.diag(np.diag(matrix))).max()
    assert apart < 4 / 40**0.5 * size  # means of 40 phases of one frequency, the largest of 2,000 pairs
    diagonal = np.diag(kept["independent_phase"][0]).real
    np.testing.assert_allclose(diagonal, np.diag(matrix).real)  # each site's spectrum
    assert sorted(np.diag(kept["channel_shuffle"][0]).real) == pytest.approx(sorted(np.diag(matrix).real))


@pytest.mark.parametrize("null", NULLS)
def test_means_and_drifts_of_sites_change_no_surrogate_and_no_test(null):
    x = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1), 1, 0)
    slow = 1e4 * (1 + np.linspace(0, 1, len(x))[:, None, None] * np.random.default_rng(0).normal(size=x.shape[1:]))
    np.testing.assert_allclose(surrogate(x + slow, null, 1).values - slow, surrogate(x, null, 1).values, atol=1e-6)
    assert travels(x + slow, "10-30 Hz", n=19).statistic == pytest.approx(travels(x, "10-30 Hz", n=19).statistic)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_array_has_the_same_statistics(turn):
    """Candidates for a source lie in the middle of edges, where rounding must not choose a way."""
    array = synth.Array((6, 8), "0.4 mm", "200 Hz", "3 s")
    x = synth.sensor_noise(synth.spiral(array, 20, core=(0.0008, 0.0012)), 1, 0).values
    one, other = (travels(dh.waves.field(v, 200, "0.4 mm"), "10-30 Hz", n=19) for v in (x, np.rot90(x, turn, (1, 2))))
    assert other.statistic == pytest.approx(one.statistic, rel=1e-9)
    assert np.exp(1j * (other.direction - one.direction)) == pytest.approx((-1j) ** turn)
    assert other.charge == one.charge


def test_the_order_of_scattered_sites_does_not_matter():
    x = synth.sensor_noise(synth.spiral(ARRAY, 20), 1, 0)
    order = np.random.default_rng(0).permutation(x[0].size)
    flat, where = x.values.reshape(len(x), -1), places(x)
    one, other = (
        travels(dh.waves.field(flat[:, i], 500, "1 m", at=where[i]), "10-30 Hz", n=19)
        for i in (np.arange(x[0].size), order)
    )
    assert other.statistic == pytest.approx(one.statistic, rel=1e-9)


def test_zero_lag_draws_are_independent_from_frequency_to_frequency():
    random = np.random.default_rng(0)
    spectrum = random.normal(size=(30, 5)) + 1j * random.normal(size=(30, 5))
    many = draws(spectrum, "zero_lag", 1, np.arange(30) / 100)
    found = np.array([next(many) for _ in range(2000)])
    together = np.abs(np.einsum("nfi,ngi->fg", found.conj(), found)) / np.einsum("nfi,nfi->f", found.conj(), found).real
    assert np.abs(together - np.eye(30)).max() < 0.1
    assert np.abs(np.einsum("nfi,nfj->ij", found, found)).max() < 0.05 * np.abs(found).max() ** 2 * len(found)


def test_a_wave_is_found_with_its_direction():
    for direction in (0.0, 2.0, -2.5):
        x = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1, direction), 0.5, 1)
        found = travels(x, BAND, n=39)
        assert found.resolution == 1 / 40
        assert found.p == pytest.approx(1 / 40)
        assert abs(np.angle(np.exp(1j * (found.direction - direction)))) < 0.05
        assert found.statistic["direction"] > found.null_95["direction"]


def test_a_source_and_a_sink_are_told_apart():
    source = (0.8e-3, 2e-3)
    out = synth.sensor_noise(synth.target(ARRAY, 20, 0.1, source), 1, 0)
    back = out.copy(data=out.values[::-1])
    for x, outward in ((out, True), (back, False)):
        found = travels(x, BAND, n=39)
        assert found.p == pytest.approx(1 / 40)
        assert found.kind == "source"
        assert found.outward == outward
        assert np.hypot(*np.subtract(found.source, source)) < 0.5e-3


@pytest.mark.parametrize("core", [None, (0.8e-3, 2e-3), (1.2e-3, 1.0e-3)])
@pytest.mark.parametrize("charge", [1, -1])
def test_what_turns_is_found_with_its_core(core, charge):
    x = synth.sensor_noise(synth.spiral(ARRAY, 20, charge, core), 1, 0)
    mirrored = x.copy(data=x.values[:, :, ::-1])
    for seen, way in ((x, charge), (mirrored, -charge)):
        found = travels(seen, BAND, n=39)
        assert found.p <= 0.05
        assert found.p_of["rotation"] == found.resolution
        assert found.kind == "rotation"
        assert found.charge == way
        y0, x0 = core or (1.4e-3, 1.4e-3)
        assert np.hypot(*np.subtract(found.core, (y0, x0 if seen is x else 2.8e-3 - x0))) < 0.4e-3


def test_rotation_is_that_of_the_flow_about_the_place():
    """Of a clean spiral, all pairs of neighbours: sum sin(lag) (e . t) over their number, at the largest of places."""
    found = travels(synth.spiral(ARRAY, 20), BAND, n=19)
    at = np.arange(8) - 3.5
    y, x = np.meshgrid(at, at, indexing="ij")
    angle, total = np.arctan2(y, x), 0.0
    for down, right in ((0, 1), (1, 0)):
        first, second = (slice(8 - down), slice(8 - right)), (slice(down, None), slice(right, None))
        cy, cx = y[first] + down / 2, x[first] + right / 2
        along = (down * cx - right * cy) / np.maximum(np.hypot(cy, cx), 1e-12)
        total += (np.sin(angle[second] - angle[first]) * along).sum()
    assert found.statistic["rotation"] == pytest.approx(total / (2 * 8 * 7), rel=1e-3)


def test_nothing_turns_on_a_line_of_sites():
    line = synth.Array((1, 8), "0.4 mm", "500 Hz", "2 s")
    found = travels(synth.sensor_noise(synth.plane(line, 20, 0.1), 1, 0), BAND, n=19)
    assert found.statistic["rotation"] == 0
    assert found.p_of["rotation"] == 1
    assert found.p == pytest.approx(0.05)


def test_waves_that_change_their_direction_persist():
    pieces = [synth.plane(ARRAY, 20, 0.1, angle).values[:250] for angle in (0, np.pi / 2, np.pi, -np.pi / 2)]
    x = synth.sensor_noise(dh.waves.field(np.concatenate(pieces), ARRAY.fs, ARRAY.pitch), 1, 0)
    found = travels(x, BAND, n=39)
    assert found.p_of["persistence"] == pytest.approx(1 / 40)
    assert found.p == pytest.approx(1 / 40)
    assert found.statistic["direction"] < 0.2 * found.statistic["persistence"]


@pytest.mark.parametrize("make", [
    lambda seed: synth.smooth_noise(ARRAY, seed, 2.0),
    lambda seed: synth.standing(ARRAY, 20, 0.1) + 0.5 * synth.smooth_noise(ARRAY, seed, 1.0),
])  # fmt: skip
def test_what_does_not_travel_is_seldom_found(make):
    """Of 20, 4 or more at p <= 0.05 happen once in 60; `diagnostics/false_positives.py` has the rates."""
    assert sum(travels(make(seed), BAND, n=19, seed=seed).p <= 0.05 for seed in range(20)) < 4


def test_masks_and_scattered_sites_work():
    x = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1, 1.0), 1, 0)
    mask = np.random.default_rng(0).random((8, 8)) > 0.2
    assert travels(dh.waves.field(x, mask=mask), BAND, n=19).p == pytest.approx(0.05)
    where = np.random.default_rng(1).random((40, 2)) * 3e-3
    k, t = 2 * np.pi * 20 / 0.1, np.arange(1000)[:, None] / 500
    values = np.cos(2 * np.pi * 20 * t - k * (where[:, 1] * np.cos(1) + where[:, 0] * np.sin(1)))
    scattered = synth.sensor_noise(dh.waves.field(values, 500, "1 mm", at=where), 1, 0)
    found = travels(scattered, BAND, n=19)
    assert found.p == pytest.approx(0.05)
    assert found.direction == pytest.approx(1.0, abs=0.15)
    assert set(found.statistic) == set(KINDS)


@pytest.mark.parametrize(
    ("band", "message"), [("10-300", "half the sampling rate"), ("10-11", "independent frequencies"), ("x", "band=")]
)
def test_bands_that_cannot_be_tested_are_refused(band, message):
    with pytest.raises(dh.DrumheadError, match=message):
        travels(synth.plane(ARRAY), band)


def test_too_few_sites_are_refused():
    with pytest.raises(dh.DrumheadError, match="at least three"):
        travels(dh.waves.field(np.random.default_rng(0).normal(size=(1000, 1, 2)), 500), BAND)
    with pytest.raises(dh.DrumheadError, match="null="):
        travels(synth.plane(ARRAY), BAND, "other")
