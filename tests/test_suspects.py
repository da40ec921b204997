"""What a recording may be before anybody looks for waves: what is planted is named, and nothing else."""

import numpy as np
import pytest
from scipy import ndimage

import drumhead as dh
from drumhead.neuro.analysis import analyse
from drumhead.neuro.suspects import mains, of_mains, suspects
from drumhead.waves import synth
from drumhead.waves.filters import as_field

BAND = (10.0, 30.0)
ARRAY = synth.Array((8, 8), fs="500 Hz", duration="4 s")
CLEAN = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1), 2, 0)


@pytest.mark.parametrize("x", [
    CLEAN, synth.plane(ARRAY, 20, 0.1), synth.standing(ARRAY), synth.target(ARRAY), synth.smooth_noise(ARRAY, 0),
    synth.medium(ARRAY), ARRAY.field(np.round(3 * synth.smooth_noise(ARRAY, 0).values)),
    ARRAY.field(np.round(200 * CLEAN.values)),
])  # fmt: skip
def test_what_is_clean_or_coarse_is_not_suspected(x):
    assert suspects(x, BAND) == ()
    assert mains(x) == ()


def test_silent_and_loud_sites_are_named_as_bad_wants_them():
    values = CLEAN.values.copy()
    values[:, 0, 0] = np.nan
    values[:, 1, 2] = 7.0
    values[:, 3, 4] *= 20
    values[:, 5, 6] /= 50
    words = suspects(ARRAY.field(values), BAND)
    assert [text.split(";")[0] for text in words] == [
        "1 site never changes: (1, 2)",
        "1 site is far louder than the others: (3, 4) (20 times the median)",
        "1 site is far quieter than the others: (5, 6) (0.02 times the median)",
    ]
    at = np.argwhere(np.ones((8, 8))) * 1e-3
    scattered = dh.waves.field(values.reshape(len(values), 64), 500, "1 m", at=at)
    assert suspects(scattered, BAND)[1].startswith("1 site is far louder than the others: 28 (")


def test_channels_of_a_file_are_named_as_bad_takes_them(tmp_path):
    """Channels in any order, one place empty: what is told can be given back to leave them out."""
    random = np.random.default_rng(0)
    at = np.argwhere(np.ones((8, 8)))[random.permutation(64)[:63]] * 0.4e-3
    values = CLEAN.values[:, *np.rint(at.T / 0.4e-3).astype(int)]
    values[:, 17] = 7.0
    values[:, 40] *= 20
    np.save(tmp_path / "a.npy", values)
    x = dh.neuro.read(tmp_path / "a.npy", fs=500, at=at)
    words = suspects(as_field(x, "analyse"), BAND)
    assert [text.split(";")[0] for text in words] == [
        "1 site never changes: channel 17",
        "1 site is far louder than the others: channel 40 (20 times the median)",
    ]
    assert suspects(dh.neuro.read(tmp_path / "a.npy", fs=500, at=at, bad=[17, 40]), BAND) == ()


def test_a_site_that_is_loud_in_the_band_alone_is_named():
    values = CLEAN.values + 40 * np.sin(2 * np.pi * 100 * ARRAY.times)  # a loud line hides it in the whole
    values[:, 2, 2] += 10 * np.sin(2 * np.pi * 15.5 * ARRAY.times[:, 0, 0])
    assert "louder than the others: (2, 2)" in suspects(ARRAY.field(values), BAND)[0]


def test_sites_that_were_filled_in_are_seen():
    counts = np.round(200 * CLEAN.values)
    twin = counts.copy()
    twin[:, 4, 4] = twin[:, 4, 5]
    assert suspects(ARRAY.field(twin), BAND)[0].startswith(
        "1 pair of neighbours has the same numbers, (4, 4) and (4, 5)"
    )
    median = np.stack([ndimage.median_filter(frame, 3) for frame in counts])
    assert "% of neighbouring samples are equal to the last digit" in suspects(ARRAY.field(median), BAND)[-1]


@pytest.mark.parametrize("line", [50.0, 60.0, 120.0])
def test_the_mains_are_seen_and_named_if_they_are_in_the_band(line):
    x = CLEAN + 0.3 * np.sin(2 * np.pi * line * CLEAN["time"])
    assert [f for f, _ in mains(x)] == [line]
    assert of_mains(mains(x), BAND) == ()
    assert f"{line:g} Hz stands out" in of_mains(mains(x), (20, 200))[0]


def test_gamma_at_60_hz_is_no_line():
    slow = synth.smooth_noise(ARRAY, 0, band=(1, 240), colour=0)
    gamma = synth.medium(ARRAY, speed=0.05, f0=60, tau=0.03, seed=0)
    assert mains(gamma) == ()
    assert mains(slow + gamma) == ()


def test_a_report_tells_of_them():
    values = CLEAN.values.copy()
    values[:, 1, 2] = 0
    found = analyse(ARRAY.field(values), "10-30 Hz", n=19, fit=False)
    assert any("never changes: (1, 2)" in words for words in found.report()["warnings"])


@pytest.mark.parametrize(("gains", "message"), [
    (np.ones((6, 6)), "all 36 sites have the same numbers"),
    (np.arange(36).reshape(6, 6) == 5, "1 of 36 sites changes at all"), (np.zeros((6, 6)), "none of 36 sites"),
])  # fmt: skip
def test_one_channel_for_all_sites_is_refused(gains, message):
    one = np.random.default_rng(0).normal(size=(1000, 1, 1))
    with pytest.raises(dh.DrumheadError, match=message):
        analyse(dh.waves.field(one * gains, 250, "0.4 mm"), "10-30 Hz", n=19)


def test_a_standing_wave_is_not_refused():
    """Its sites differ in their gains alone."""
    found = analyse(synth.standing(synth.Array((4, 6), fs="250 Hz", duration="2 s"), 20, 0.1), "10-30 Hz", n=19)
    assert found.travels is not None
    assert found.travels.p > 0.05


def test_a_few_twins_are_not_refused():
    values = synth.smooth_noise(synth.Array((4, 4), fs="250 Hz", duration="2 s"), 0).values
    values[:, :3] = values[:, :1]
    assert analyse(dh.waves.field(values, 250, "0.4 mm"), "10-30 Hz", n=19).travels is not None
