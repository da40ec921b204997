"""Fields, units and signals whose waves are known."""

import numpy as np
import pytest

import drumhead as dh
from drumhead.waves import synth
from drumhead.waves.fields import good, places, rate, spacing
from drumhead.waves.units import band_edges, quantity, said

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("0.4mm", "length", 4e-4), ("400 um", "length", 4e-4), ("400µm", "length", 4e-4), ("1e-3", "length", 1e-3),
     ("1 kHz", "frequency", 1e3), ("5 ms", "time", 5e-3), ("300 um/ms", "speed", 0.3), (2, "speed", 2.0)],
)  # fmt: skip
def test_quantities_are_si(text, kind, value):
    assert quantity("it", text, kind) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "mm", "0 mm", "-1 mm", "0.4 Hz", "nan", "1 mm mm", True, float("inf"), [1]])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(dh.DrumheadError, match="pitch="):
        quantity("pitch", text, "length")


@pytest.mark.parametrize("text", ["10", "30-10", "0-5", "10-20 mm", (1, 2, 3), 5, "a-b"])
def test_what_is_no_band_is_refused(text):
    with pytest.raises(dh.DrumheadError, match="band="):
        band_edges("band", text)


def test_numbers_are_said_with_prefixes():
    assert [said(v, "m") for v in (4e-4, 2.5e-7, 1.3)] == ["0.4 mm", "0.25 µm", "1.3 m"] or said(
        2.5e-7, "m"
    ) == "250 nm"
    assert said(0.0133, "s") == "13.3 ms"
    assert said(float("nan"), "Hz") == "nan Hz"
    assert [said(v, "s") for v in (999.9, 1800, 4e4)] == ["1000 s", "1800 s", "40000 s"]
    assert [said(v, "Hz") for v in (999.4, 999.7, 12500)] == ["999 Hz", "1 kHz", "12.5 kHz"]
    assert said(1234.5, "px/s") == "1234 px/s"


def test_a_field_knows_its_places_and_times():
    x = dh.waves.field(RNG.normal(size=(50, 3, 4)), fs="500 Hz", pitch="0.4 mm")
    assert rate(x) == pytest.approx(500)
    assert spacing(x) == pytest.approx((4e-4, 4e-4))
    assert places(x).shape == (12, 2)
    assert dh.waves.field(x).identical(x)
    pixels = dh.waves.field(RNG.normal(size=(50, 3, 4)), fs=500)
    assert pixels.x.attrs["units"] == "px"
    sites = dh.waves.field(RNG.normal(size=(50, 5)), 500, at=RNG.normal(size=(5, 2)))
    assert sites.dims == ("time", "site")
    assert dh.waves.field(sites).identical(sites)


def test_bad_channels_are_left_out_and_gaps_refused():
    values = RNG.normal(size=(50, 3, 4))
    values[:, 1, 2] = np.nan
    assert good(dh.waves.field(values, 500)).sum() == 11
    mask = np.ones((3, 4), bool)
    mask[0] = False
    assert good(dh.waves.field(values, 500, mask=mask)).sum() == 7
    values[7, 0, 0] = np.inf
    with pytest.raises(dh.DrumheadError, match="gaps"):
        dh.waves.field(values, 500)
    with pytest.raises(dh.DrumheadError, match="no site"):
        dh.waves.field(np.full((5, 2, 2), np.nan), 500)


@pytest.mark.parametrize(
    ("data", "given", "message"),
    [
        (np.zeros((5, 2, 2)), {}, "sampling rate is missing"),
        (np.zeros((5, 2)), {"fs": 5}, "shape"),
        (np.zeros((5, 2, 2), complex), {"fs": 5}, "real numbers"),
        (np.zeros((5, 2, 2)), {"fs": 5, "mask": np.ones((3, 2), bool)}, "mask"),
        (np.zeros((5, 2)), {"fs": 5, "at": np.zeros((2, 2))}, "same place"),
        (np.zeros((5, 2)), {"fs": 5, "at": np.zeros((3, 2))}, "at:"),
    ],
)
def test_what_is_no_field_is_refused(data, given, message):
    with pytest.raises(dh.DrumheadError, match=message):
        dh.waves.field(data, **given)


def test_uneven_times_are_refused():
    x = dh.waves.field(RNG.normal(size=(50, 3, 4)), fs=500)
    times = x.time.values.copy()
    times[20:] += 1e-3
    with pytest.raises(dh.DrumheadError, match="not evenly spaced"):
        dh.waves.field(x.assign_coords(time=times))


def test_a_plane_wave_arrives_when_it_should():
    array = synth.Array((3, 9), "1 mm", "10 kHz", "0.5 s")
    x = synth.plane(array, frequency=20, speed=0.1, direction=0.0)
    assert np.allclose(x[:, 0], x[:, 2])
    late = round(4e-3 / 0.1 * 10_000)  # samples for 4 mm at 0.1 m/s
    assert np.allclose(x[late:, 1, 6], x[:-late, 1, 2], atol=1e-9)
    down = synth.plane(array, frequency=20, speed=0.1, direction=np.pi / 2)
    assert np.allclose(down[100:, 1, 0], down[:-100, 0, 0], atol=1e-9)  # 1 mm down, toward larger y


def test_a_target_runs_outward_and_a_spiral_turns():
    array = synth.Array((9, 9), "1 mm", "10 kHz", "0.3 s")
    x = synth.target(array, frequency=20, speed=0.1)
    assert np.allclose(x[100:, 4, 7], x[:-100, 4, 6], atol=1e-9)
    quarter = 10_000 // 20 // 4
    for charge in (1, -1):
        turning = synth.spiral(array, frequency=20, charge=charge)
        later = turning[quarter:, 4 + charge, 4]  # from x toward y if positive
        assert np.allclose(later, turning[:-quarter, 4, 5], atol=1e-9)


def test_noise_is_as_smooth_as_asked():
    array = synth.Array((24, 24), "1 mm", "500 Hz", "4 s")
    x = synth.smooth_noise(array, seed=1, width=2.0).values
    near = np.corrcoef(x[:, :, 2:].ravel(), x[:, :, :-2].ravel())[0, 1]
    assert near == pytest.approx(np.exp(-(2**2) / (4 * 2.0**2)), abs=0.05)
    independent = synth.smooth_noise(array, seed=1, width=0).values
    assert abs(np.corrcoef(independent[:, :, 1:].ravel(), independent[:, :, :-1].ravel())[0, 1]) < 0.02
    noisy = synth.sensor_noise(synth.plane(array), snr=2.0, seed=0)
    assert float((noisy - synth.plane(array)).std() / synth.plane(array).std()) == pytest.approx(0.5, rel=1e-6)


def test_a_band_of_noise_may_be_written():
    array = synth.Array((4, 4), "0.4 mm", "500 Hz", "1 s")
    np.testing.assert_array_equal(
        synth.smooth_noise(array, 0, band="10-30 Hz"), synth.smooth_noise(array, 0, band=(10, 30))
    )


def test_a_medium_has_the_spectrum_of_its_equation():
    """One long mode is an oscillator: its power peaks at sqrt(f0^2 - (1 / tau)^2 / 2 pi^2 ..) and is 1 / tau wide."""
    array = synth.Array((4, 4), "1 mm", "400 Hz", "60 s")
    x = synth.medium(array, speed=1e-4, f0=20.0, tau=0.1, seed=0, padding=16).values.mean((1, 2))
    pieces = x[: len(x) // 800 * 800].reshape(-1, 800)
    power = (np.abs(np.fft.rfft(pieces * np.hanning(800), axis=1)) ** 2).mean(0)
    f = np.fft.rfftfreq(800, 1 / 400)
    want = 1 / (((2 * np.pi) ** 2 * (20.0**2 - f**2)) ** 2 + (2 / 0.1 * 2 * np.pi * f) ** 2)
    inside = (f > 14) & (f < 28)
    ratio = np.log(power[inside] / want[inside])
    assert ratio.std() < 0.35
    assert f[power.argmax()] == pytest.approx(20, abs=1)
