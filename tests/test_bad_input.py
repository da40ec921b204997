"""Whatever an instrument is given, it answers in numbers or in a sentence: no traceback, no warning, no silent NaN."""

from contextlib import suppress

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import drumhead as dh
from drumhead.waves import synth

W = dh.waves
BAND = "10-30 Hz"
ARRAY = synth.Array((5, 6), "0.4 mm", "200 Hz", "1 s")
WAVE = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1, 0.3), 3, 0).values
VERBS = {
    "bandpass": lambda x: W.bandpass(x, BAND),
    "resample": lambda x: W.resample(x, 100),
    "trim": lambda x: W.trim(x, "100 ms"),
    "phase": lambda x: W.phase(x, BAND),
    "gradient": lambda x: W.gradient(W.phase(x, BAND)),
    "planar": lambda x: W.planar(W.phase(x, BAND)),
    "radial": lambda x: W.radial(W.phase(x, BAND)),
    "singularities": lambda x: W.singularities(W.phase(x, BAND)),
    "kf": W.kf,
    "direction_index": lambda x: W.direction_index(W.kf(x)),
    "complex_pca": lambda x: W.complex_pca(x, 1),
    "travels": lambda x: W.travels(x, BAND, n=19),
    "surrogate": W.surrogate,
    "detect": lambda x: W.detect(x, BAND, n=19),
}


def made(change):
    values = WAVE.copy()
    return W.field(change(values) if callable(change) else change, ARRAY.fs, ARRAY.pitch)


def put(place, value):
    def change(values):
        values[:, *place] = value
        return values

    return change


def numbers(found):
    """Return the arrays of what a verb gave that shall hold numbers."""
    if isinstance(found, W.Travels):
        return {"p": np.array(found.p)}
    if isinstance(found, xr.DataArray):
        return {"values": found.values}
    return {
        name: v.values
        for name, v in found.data_vars.items()
        if v.dtype.kind in "fc" and v.size and name not in ("source_y", "source_x")
    }


USABLE = {
    "integers": lambda v: np.round(v * 1000).astype(np.int16),
    "unsigned bytes": lambda v: (v * 30 + 128).astype(np.uint8),
    "float32": lambda v: v.astype(np.float32),
    "a channel of NaN": put((2, 3), np.nan),
    "a channel of infinity": put((2, 3), np.inf),
    "a dead electrode of zeros": put((2, 3), 0.0),
    "a dead electrode of sevens": put((2, 3), 7.0),
    "an offset of a billion": lambda v: v + 1e9,
    "tiny float32": lambda v: (v * 1e-30).astype(np.float32),
    "huge float32": lambda v: (v * 1e30).astype(np.float32),
    "huge": lambda v: v * 1e90,
    "tiny": lambda v: v * 1e-90,
}


@pytest.mark.parametrize("case", USABLE)
def test_odd_data_give_numbers(case):
    x = made(USABLE[case])
    for name, verb in VERBS.items():
        for part, values in numbers(verb(x)).items():
            assert np.isfinite(values).any(), f"{name}: {part}"
            assert not np.isinf(values).any(), f"{name}: {part}"


def test_a_dead_electrode_changes_nothing_elsewhere():
    good, dead, missing = (W.phase(made(put((2, 3), value)), BAND) for value in (WAVE[:, 2, 3], 0.0, np.nan))
    assert np.isnan(dead.phase.values[:, 2, 3]).all()
    assert dead.equals(missing)
    elsewhere = ~np.isnan(dead.phase.values)
    assert np.array_equal(dead.phase.values[elsewhere], good.phase.values[elsewhere])


@pytest.mark.parametrize("scale", [1e-60, 1e-12, 1e6, 1e60])
def test_the_unit_of_the_signal_does_not_matter(scale):
    x, y = made(WAVE), made(WAVE * scale)
    one, two = (W.planar(W.phase(each, BAND)) for each in (x, y))
    assert np.allclose(one.speed, two.speed)
    assert W.travels(x, BAND, n=19).p_of == W.travels(y, BAND, n=19).p_of
    assert np.allclose(W.surrogate(x).values, W.surrogate(y).values / scale)


@pytest.mark.parametrize("spike", [1e10, 1e30])
def test_a_spike_in_one_channel_silences_no_other(spike):
    x = made(put((2, 3), WAVE[:, 2, 3] + spike * (np.arange(200) == 90)))
    assert np.isfinite(W.phase(x, BAND).phase.values).all()


def test_one_loud_electrode_is_told():
    x = made(WAVE * np.where(np.arange(30).reshape(5, 6) == 7, 1e4, 1))
    said = " ".join(dh.neuro.analyse(x, BAND, n=19, fit=False).report()["warnings"])
    assert said.count("louder") == 1
    assert "louder" not in " ".join(dh.neuro.analyse(made(WAVE), BAND, n=19, fit=False).report()["warnings"])


def test_four_sites_are_tested_and_no_source_is_looked_for():
    found = dh.neuro.analyse(made(WAVE[:, :2, :2]), BAND, n=19, fit=False)
    assert found.patterns.radial is None
    assert "4 sites are fewer" in found.left_out["radial"]


def test_a_tight_group_of_sites_takes_no_more_memory_than_an_even_one():
    """The shortest waves looked for are two neighbours long, and neighbours here are 1000 times nearer than others."""
    where = np.array([[0, 0], [0, 1e-3], [1e-3, 0], [1e-3, 1e-3], [0.4, 0.8], [0.9, 0.1], [0.9, 0.9]])
    ph = W.phase(W.field(WAVE.reshape(200, -1)[:, :7], 200, "1 m", at=where), BAND)
    assert np.isfinite(W.planar(ph).speed).all()
    assert np.isfinite(W.radial(ph).speed).all()


REFUSED = {
    "sampling rate is missing": lambda: W.field(WAVE),
    "real numbers": lambda: W.field(WAVE + 1j, 200),
    "got bool": lambda: W.field(WAVE > 0, 200),
    "got object": lambda: W.field(WAVE.astype(object), 200),
    "unequal length": lambda: W.field([[1.0, 2.0], [3.0]], 200),
    "the shape": lambda: W.field(WAVE[0], 200),
    "nothing to look at": lambda: W.field(WAVE * np.nan, 200),
    "whose square": lambda: W.field(WAVE * 1e200, 200),
    "5 sites have gaps": lambda: W.field(np.where(ONCE & (np.arange(6) == 2), np.nan, WAVE), 200),
    "the same place": lambda: W.field(WAVE[:, 0, :3], 200, "1 mm", at=[[0, 0], [0, 1e-3], [0, 1e-3]]),
    "as far from the middle": lambda: W.field(WAVE[:, 0, :4], 200, "1 mm", at=[[0, 0], [0, 1], [1, 0], [9e3, 9e3]]),
    "seed=-1": lambda: W.travels(made(WAVE), BAND, n=19, seed=-1),
    "a length above zero": lambda: W.field(WAVE, 200, 0.0),
    "time is not evenly spaced": lambda: W.field(timed(np.arange(200) + (np.arange(200) > 99))),
    "time falls from entry to entry": lambda: W.field(timed(-np.arange(200))),
    "half the sampling rate": lambda: W.phase(made(WAVE), "10-200 Hz"),
    "reaches beyond half": lambda: W.travels(made(WAVE), "10-200 Hz"),
    "too short for a band": lambda: W.phase(made(WAVE[:20]), BAND),
    "independent frequencies": lambda: W.travels(made(WAVE[:20]), BAND),
    "no channel changes over time, so there is no phase": lambda: W.phase(made(WAVE * 0 + 3), BAND),
    "no channel changes over time, so nothing can travel": lambda: W.travels(made(WAVE * 0 + 3), BAND),
    "was the field constant": lambda: W.direction_index(W.kf(made(WAVE * 0 + 3))),
    "one site long": lambda: W.direction_index(W.kf(made(WAVE[:, :, :1])), "x"),
    "at least three good sites": lambda: W.travels(made(WAVE[:, :1, :1]), BAND),
    "4 sites or more": lambda: W.planar(W.phase(made(WAVE[:, :1, :1]), BAND)),
    "neighbours along y": lambda: W.planar(W.phase(W.field(WAVE, 200, mask=CHECKERED), BAND)),
    "does not fit on a grid": lambda: W.singularities(W.phase(made(WAVE[:, :, :1]), BAND)),
    "no sampling rate": lambda: W.phase(made(WAVE[:1]), BAND),
    "travels takes a field, got ndarray": lambda: W.travels(WAVE, BAND),
    "surrogate takes a field, got ndarray": lambda: W.surrogate(WAVE),
    "trim takes a field": lambda: W.trim(WAVE, "100 ms"),
    "got Dataset without speeds": lambda: W.summary(W.phase(made(WAVE), BAND)),
    "got ndarray without speeds": lambda: W.summary(WAVE),
    "24 sites without places": lambda: W.field(xr.DataArray(WAVE[:, 0, :].repeat(4, 1), dims=("time", "site")), 200),
    "f, ky, kx are needed": lambda: W.ridge(WAVE),
    "no frequency there; take a wider": lambda: synth.smooth_noise(ARRAY, 0, band="1.1-1.2 Hz"),
    "constant at every site": lambda: dh.neuro.fit(W.field(np.ones((4000, 4, 4)), 200)),
    "fit takes a field, got ndarray": lambda: dh.neuro.fit(WAVE),
    "band='30 Hz'": lambda: dh.neuro.fit(made(WAVE), band="30 Hz"),
    "same phase at all times": lambda: dh.neuro.analyse(made(WAVE[:, :1, :1] * LOUDNESS), BAND, n=19, fit=False),
    "the dimensions time, y, x": lambda: W.travels(xr.DataArray(WAVE, dims=("t", "a", "b")), BAND),
}  # fmt: skip
ONCE = (np.arange(200) == 7)[:, None, None]
LOUDNESS = 2.0 ** np.add.outer(np.arange(5), np.arange(6))  # by which phases stay the same to the last bit
CHECKERED = np.add.outer(np.arange(5), np.arange(6)) % 2 == 0


def timed(steps):
    return xr.DataArray(WAVE, {"time": steps / 200}, ("time", "y", "x"))


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(message):
    with pytest.raises(dh.DrumheadError, match=message) as error:
        REFUSED[message]()
    assert "\n" not in str(error.value)


def test_one_column_of_electrodes_is_a_line():
    p = W.planar(W.phase(made(np.repeat(WAVE[:, :, :1], 1, 2)), BAND))
    assert np.isfinite(p.speed).all()
    assert not np.abs(p.kx).max()
    assert p.attrs["shortest_wavelength"] == pytest.approx(2 * 4e-4)  # the missing axis has no say
    assert W.travels(made(WAVE[:, :, :1]), BAND, n=19).p > 0


def test_gaps_order_and_dates_of_an_xarray_are_seen_by_all():
    x = W.field(WAVE, 200, "0.4 mm")
    gap, turned = x.where(x.time != x.time[5]), x.transpose("x", "time", "y")
    dates = x.assign_coords(time=np.datetime64("2026-01-01", "ns") + (x.time.values * 1e9).astype("timedelta64[ns]"))
    for name in ("phase", "kf", "travels", "surrogate", "bandpass"):
        with pytest.raises(dh.DrumheadError, match="nothing to look at"):
            VERBS[name](gap)
        want, got = numbers(VERBS[name](x)), numbers(VERBS[name](turned))
        assert all(np.allclose(got[part], want[part], equal_nan=True) for part in want), name
    assert W.travels(dates, BAND, n=19).p_of == W.travels(x, BAND, n=19).p_of


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 4), st.integers(1, 4)),
    kind=st.sampled_from(["normal", "zero", "integer", "equal"]),
    bad=st.integers(0, 4),
    scale=st.sampled_from([1e-20, 1.0, 1e20]),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None)
def test_any_small_field_gives_numbers_or_a_sentence(shape, kind, bad, scale, seed):
    """Warnings are errors in these tests, so a verb may do nothing else."""
    random = np.random.default_rng(seed)
    values = random.normal(size=shape)
    if kind == "equal":
        values[:] = values[:, :1, :1]
    values = {"zero": values * 0, "integer": np.round(values)}.get(kind, values) * scale
    values.reshape(len(values), -1)[:, random.permutation(values[0].size)[:bad]] = np.nan
    for name, verb in VERBS.items():
        if name == "detect":  # slow, and of the same parts
            continue
        with suppress(dh.DrumheadError):
            verb(W.field(values, 100, "1 mm"))
