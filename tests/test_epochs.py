"""Epochs of waves are found where they were put, seldom where none are, and a fixed bar says what it costs."""

import numpy as np
import pytest

import drumhead as dh
from drumhead.waves import synth
from drumhead.waves.epochs import runs
from drumhead.waves.frames import phases
from drumhead.waves.gradient import Slopes
from drumhead.waves.planar import directionality

W = dh.waves
ARRAY = synth.Array((6, 6), "0.4 mm", "250 Hz", "2 s")
BAND = "10-30 Hz"
PERIOD = 1 / np.sqrt(300)


def burst(wave, start, stop, noise=0.1, width=1.0, seed=0):
    on = (wave.time >= start) & (wave.time < stop)
    return wave * on + noise * synth.smooth_noise(ARRAY, seed, width)


@pytest.mark.parametrize("direction", [0.7, -2.0])
def test_a_burst_is_found_when_it_ran_and_where_it_went(direction):
    x = burst(synth.plane(ARRAY, 20, 0.1, direction), 0.6, 1.3)
    found = W.detect(x, BAND, n=19)
    assert found.sizes["epoch"] == 1
    assert float(found.start[0]) == pytest.approx(0.6, abs=PERIOD)
    assert float(found.stop[0]) == pytest.approx(1.3, abs=PERIOD)
    assert abs(np.angle(np.exp(1j * (float(found.direction[0]) - direction)))) < 0.1
    assert float(found.speed[0]) == pytest.approx(0.1, rel=0.1)
    assert float(found.pgd[0]) > found.attrs["threshold"]
    assert found.kind.values.tolist() == ["plane"]
    assert np.isnan(found.source_x[0])
    assert found.attrs["covered"] == pytest.approx(float((found.stop - found.start)[0]) / 1.8, rel=0.01)
    assert found.speed.attrs["units"] == "m/s"


def test_two_bursts_are_two_epochs():
    one, two = (synth.plane(ARRAY, 20, 0.1, angle) for angle in (0, np.pi / 2))
    x = burst(one, 0.3, 0.8, 0.3) + burst(two, 1.2, 1.7, noise=0)
    found = W.detect(x, BAND, n=19)
    assert found.sizes["epoch"] == 2
    assert found.direction.values == pytest.approx([0, np.pi / 2], abs=0.15)
    both = W.summary(found)
    assert both["frames"] == 2
    assert both["direction"] == pytest.approx(np.pi / 4, abs=0.15)
    assert "kind" not in both


@pytest.mark.parametrize(("backward", "kind"), [(False, "source"), (True, "sink")])
def test_rings_from_a_corner_have_a_source(backward, kind):
    wave = synth.target(ARRAY, 20, 0.1, (0.0, 0.0))
    wave = wave.copy(data=wave.values[::-1]) if backward else wave
    with pytest.warns(RuntimeWarning, match="cannot hold"):  # a bar that is passed for sure
        found = W.detect(burst(wave, 0.5, 1.4, 0.5), BAND, 0.8, lasting="0.5 s", n=19)
    assert found.kind.values.tolist() == [kind]
    assert np.hypot(found.source_y[0], found.source_x[0]) < 4e-4


def test_noise_seldom_has_an_epoch():
    """Of 12, 3 or more happen once in 50; `diagnostics/false_positives.py` has the rates."""
    array = synth.Array((4, 4), "0.4 mm", "200 Hz", "1 s")
    found = [W.detect(synth.smooth_noise(array, seed, 2.0), BAND, n=19, seed=seed) for seed in range(12)]
    assert sum(each.sizes["epoch"] > 0 for each in found) < 3


def test_without_epochs_the_table_is_empty_and_has_its_columns():
    found = W.detect(synth.smooth_noise(ARRAY, 1, 1.0), BAND, lasting="500 ms", n=19)
    assert found.sizes["epoch"] == 0
    assert {"start", "stop", "direction", "speed", "pgd", "kind"} <= set(found)
    assert found.attrs["covered"] == 0


def test_a_fixed_bar_warns_and_says_how_often_noise_passes_it():
    x = synth.smooth_noise(ARRAY, 0, 2.0)
    with pytest.warns(RuntimeWarning, match=r"pgd > 0.5 cannot hold a level of 0.05: .*[1-9]\d*\.\d% of frames"):
        found = W.detect(x, BAND, 0.5, n=19)
    assert found.attrs["threshold"] == 0.5
    assert found.attrs["null_share"] > 0.1
    assert found.attrs["null_recordings"] > 0.2


def test_the_bar_is_that_of_surrogates_and_the_seed_sets_them():
    x = burst(synth.plane(ARRAY, 20, 0.1), 0.6, 1.3)
    one, same, other = (W.detect(x, BAND, n=19, seed=seed) for seed in (0, 0, 1))
    assert one.identical(same)
    assert one.attrs["threshold"] != other.attrs["threshold"]
    assert one.attrs["null_recordings"] == 0  # of 19, the longest run sets the bar
    assert one.attrs["null_share"] == pytest.approx(0.05, abs=0.02)


def test_runs_are_counted_right_and_dips_are_bridged():
    above = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    assert runs(above, 0) == [(0, 2), (3, 4), (6, 9)]
    assert runs(above, 1) == [(0, 4), (6, 9)]
    assert runs(above, 2) == [(0, 9)]
    assert runs(np.zeros(5, bool), 1) == []


def test_it_looks_at_the_pgd_of_planar():
    ph = W.phase(burst(synth.plane(ARRAY, 20, 0.1), 0.6, 1.3), BAND)
    phi = phases(ph, "planar")
    assert np.allclose(directionality(*Slopes(phi)(phi.values)), W.planar(ph).pgd, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 1.0}, "pgd is from 0 to 1"),
        ({"lasting": "5 s"}, "longer than the 1.8 s that are left"),
        ({"lasting": "5 m"}, "lasting="),
        ({"n": 5}, "at least 19"),
        ({"null": "other"}, "null="),
        ({"band": "10-200 Hz"}, "half the sampling rate"),
    ],
)
def test_what_cannot_be_detected_is_refused(given, message):
    with pytest.raises(dh.DrumheadError, match=message):
        W.detect(synth.plane(ARRAY, 20, 0.1), **({"band": BAND, "n": 19} | given))
    with pytest.raises(dh.DrumheadError, match="5 sites or more"):
        W.detect(synth.plane(synth.Array((2, 2))), BAND, n=19)
