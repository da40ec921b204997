"""Comparison of a model and a recording: what an array sees, the vector, distances, dynamics, responses, the whole."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from xarray import DataArray

import drumhead as dh
from conftest import call
from drumhead import cli
from drumhead.errors import DrumheadError
from drumhead.files import without_nan
from drumhead.networks.driven import driven, heard_alike
from drumhead.neuro import (
    Observation,
    dynamics,
    explained,
    noise_ceiling,
    propagators,
    rdm,
    reversed_in_time,
    rsa,
    spectra,
)
from drumhead.neuro.ceiling import distances
from drumhead.neuro.compare import ready
from drumhead.neuro.distance import apart
from drumhead.neuro.vector import MEASURES, Measure, vector
from drumhead.show.comparing import distances_figure, windows_figure
from drumhead.waves import synth

S = dh.waves.synth
SMALL = S.Array((6, 6), "0.4 mm", "250 Hz", "1.2 s")


def trials(speed=0.1, seed=0, count=4, snr=2.0, way=0.0):
    return [S.sensor_noise(S.plane(SMALL, 20, speed, way, phase=i), snr, seed + i) for i in range(count)]


# --- what an array sees ---


@pytest.mark.parametrize(("pitch", "sites", "spread"), [("0.4 mm", 24, 0.5e-3), ("0.2 mm", 40, 0.1e-3)])
def test_a_plane_wave_loses_what_a_gaussian_takes_and_keeps_its_way(pitch, sites, spread):
    sheet = S.plane(S.Array((sites, sites), pitch, "2 kHz", "0.5 s"), 20, 0.1, 0.7)
    seen = Observation(pitch="0.4 mm", shape=(6, 6), point_spread=spread, fs="1 kHz")(sheet)
    k = 2 * np.pi * 20 / 0.1
    inner = seen.values[100:-100]  # 8 periods
    np.testing.assert_allclose(inner.std(0) * np.sqrt(2), np.exp(-((k * spread) ** 2) / 2), rtol=1e-3)
    found = dh.waves.summary(dh.waves.planar(dh.waves.phase(seen, "10-40 Hz")))
    assert found["speed"] == pytest.approx(0.1, rel=2e-3)
    assert found["direction"] == pytest.approx(0.7, abs=2e-3)


def test_sites_lie_in_the_middle_of_the_sheet():
    array = S.Array((9, 9), "0.2 mm", "1 kHz", "10 ms")
    y, x = np.meshgrid(array.y, array.x, indexing="ij")
    ramp = array.field(np.broadcast_to(x + 10 * y, (array.count, 9, 9)).copy())
    seen = Observation(pitch="0.3 mm", shape=(3, 4))(ramp)
    at = 0.8e-3 + 0.3e-3 * (np.arange(4) - 1.5) + 10 * (0.8e-3 + 0.3e-3 * (np.arange(3)[:, None] - 1))
    np.testing.assert_allclose(seen.values[0], at, rtol=1e-12)


@pytest.mark.parametrize("steps", [(4e-4, 2e-4), (2e-4, 4e-4), (4e-4, None), (None, 4e-4)])
def test_without_a_pitch_an_array_has_the_sites_of_the_field(steps):
    places = {a: [0.0] if step is None else np.arange(7) * step for a, step in zip("yx", steps, strict=True)}
    values = np.random.default_rng(0).normal(size=(50, len(places["y"]), len(places["x"])))
    x = dh.waves.field(DataArray(values, {"time": np.arange(50) / 500, **places}, ("time", "y", "x")))
    x = x.assign_coords({a: (a, at, {"units": "m"}) for a, at in places.items()})
    seen = Observation()(x)
    np.testing.assert_allclose(seen.values, x.values, atol=1e-12)
    for axis, at in places.items():
        np.testing.assert_allclose(seen[axis], at, atol=1e-15)
    wide = Observation(point_spread="0.2 mm")(x)
    assert 0 < wide.values.std() < x.values.std()


def test_noise_is_relative_and_each_trial_has_its_own():
    sheet = S.plane(S.Array((8, 8), "0.4 mm", "500 Hz", "2 s"), 20, 0.1)
    observe = Observation(noise=0.5)
    noise = (observe(sheet) - sheet).values
    assert noise.std() / sheet.values.std() == pytest.approx(0.5, rel=0.02)
    assert (observe(sheet) == observe(sheet)).all()
    assert not np.allclose(observe(sheet, 1), observe(sheet, 2))


def test_an_array_of_a_recording():
    recording = dh.waves.field(np.random.default_rng(0).normal(size=(500, 6, 5)), "250 Hz", "0.8 mm",
                               mask=np.arange(30).reshape(6, 5) != 7)  # fmt: skip
    seen = Observation.of(recording)(S.plane(S.Array((16, 16), "0.4 mm", "1 kHz", "2 s")))
    assert seen.shape == recording.shape
    assert np.isnan(seen.values[:, 1, 2]).all()
    assert np.isfinite(seen.values).sum() == 500 * 29
    with pytest.raises(DrumheadError, match="take fewer sites"):
        Observation.of(recording)(S.plane(S.Array((8, 8), "0.4 mm", "1 kHz", "2 s")))


# --- distances ---


@given(st.integers(2, 12), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_distance_of_angles_is_the_cheapest_assignment(n, seed):
    one, other = np.random.default_rng(seed).uniform(-9, 9, (2, n))
    cost = np.abs(np.angle(np.exp(1j * (one[:, None] - other))))
    pairs = linear_sum_assignment(cost)
    assert apart(one, other, "angle") == pytest.approx(cost[pairs].mean(), abs=1e-12)


def fake(rng, trial_count, shift=0.0):
    trial = np.repeat(np.arange(trial_count), 5)
    return {"trial": trial, "a": rng.normal(shift, 1, len(trial)), "b": rng.normal(0, 1, len(trial))}


def test_scores_are_one_for_the_same_and_zero_for_the_null():
    rng, two = np.random.default_rng(0), (Measure("a", ""), Measure("b", ""))
    recording, null = fake(rng, 20), {"n": fake(rng, 20, 3.0)}
    same, half, far = (distances(fake(rng, 20, shift), recording, null, two)[0] for shift in (0, 1.5, 3.0))
    assert same[0].score == pytest.approx(1, abs=0.15)
    assert half[0].score == pytest.approx(0.5, abs=0.15)
    assert far[0].score == pytest.approx(0, abs=0.15)
    assert np.isnan(same[1].score)  # the null is no farther there, so it tells nothing
    assert far[0].low < far[0].value < far[0].high
    _, together = distances(fake(rng, 20), recording, {"n": fake(rng, 20)}, two)
    assert np.isnan(together.score)
    with pytest.raises(DrumheadError, match="at least 4 and 2"):
        distances(fake(rng, 20), fake(rng, 3), null, two)


def test_surrogates_that_are_no_different_are_found_different_as_often_as_p_says():
    rng, one = np.random.default_rng(3), (Measure("a", ""),)
    ps = [distances(fake(rng, 8), fake(rng, 8), {"n": fake(rng, 8)}, one, splits=2, exchanges=39)[1].p["n"]
          for _ in range(60)]  # fmt: skip
    assert np.mean(np.array(ps) <= 0.05) < 0.15
    assert 0.4 < np.mean(ps) < 0.65
    assert distances(fake(rng, 8), fake(rng, 8), {"n": fake(rng, 8, 2)}, one, splits=2)[1].p["n"] <= 0.05


# --- the vector ---


def test_the_vector_of_a_plane_wave():
    found = vector(trials(snr=5.0), "10-40 Hz")
    assert set(found.data_vars) == {one.name for one in MEASURES} | {"trial"}
    assert float(np.exp(found.speed.median())) == pytest.approx(0.1, rel=0.02)
    assert float(np.exp(found.frequency.median())) == pytest.approx(20, rel=0.02)
    assert float(np.exp(found.wavelength.median())) == pytest.approx(0.005, rel=0.02)
    assert float(abs(found.direction).max()) < 0.05
    assert float(found.persistence.min()) > 0.99
    assert float(found.planar.min()) == 1
    assert float(found.radial.max()) == 0
    assert np.unique(found.trial).tolist() == [0, 1, 2, 3]
    with pytest.raises(DrumheadError, match="shorter window"):
        vector(trials(), "10-40 Hz", window="2 s")


# --- dynamics ---


def test_a_frame_is_planar_by_one_rule_in_reports_and_in_vectors():
    """Rings from near a corner are nearly a plane: pgd alone would call their frames planar."""
    array = synth.Array((6, 8), "0.4 mm", "200 Hz", "2 s")
    x = synth.sensor_noise(synth.target(array, 20, 0.1, source=(0.0, 0.0)), 2, 0)
    ph = dh.waves.phase(x, "10-30 Hz")
    assert (dh.waves.planar(ph).pgd > 0.5).mean() > 0.5
    planar, radial = (float(dh.neuro.vector(x, "10-30 Hz")[name].mean()) for name in ("planar", "radial"))
    shares = dh.neuro.analyse(x, "10-30 Hz", n=19, fit=False).patterns.shares()
    assert planar + radial <= 1
    assert planar == pytest.approx(shares["planar"], abs=0.1)
    assert radial == pytest.approx(shares["radial"], abs=0.1)


def test_time_reversal_adds_to_the_distance_of_propagators_and_not_to_that_of_spectra():
    one, other = trials(0.05, 0, snr=1.0), trials(0.05, 50, snr=1.0)
    back = reversed_in_time(other)
    assert propagators(one, back, "12 ms") > propagators(one, other, "12 ms") + 0.5
    lost = [dh.waves.surrogate(x, "independent_phase", i) for i, x in enumerate(other)]
    assert propagators(one, lost, "12 ms") > propagators(one, other, "12 ms") + 0.3
    same, turned, faster = (spectra(one, part, rank=2, window="80 ms")
                            for part in (other, back, [S.sensor_noise(S.plane(SMALL, 26, 0.05), 1.0, 3)]))  # fmt: skip
    assert turned < same + 3
    assert faster == pytest.approx(2 * np.pi * 6, abs=8)
    with pytest.raises(DrumheadError, match="site by site"):
        propagators(one, [x.isel(y=slice(4)) for x in other], "12 ms")


def test_spectra_of_many_trials_are_the_cheapest_assignment_and_fit_into_memory(monkeypatch):
    rng = np.random.default_rng(0)
    clouds = {"one": rng.normal(size=(150, 2)), "other": rng.normal(size=(150, 2)) + 1}
    monkeypatch.setattr(dynamics, "listed", lambda name: name)
    monkeypatch.setattr(dynamics, "_cloud", lambda name, rank, window: (clouds[name], np.full(150, 1 / 150)))
    tracemalloc.start()
    found = spectra("one", "other")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    cost = np.hypot(*(clouds["one"][:, None] - clouds["other"]).transpose(2, 0, 1))
    assert found == pytest.approx(cost[linear_sum_assignment(cost)].mean(), rel=1e-6)
    assert peak < 25e6  # a dense matrix of what leaves and arrives has 54


def test_dsa():
    pytest.importorskip("DSA")
    one, other = trials(0.05, 0, snr=2.0, count=2), trials(0.05, 50, snr=2.0, count=2)
    lost = [dh.waves.surrogate(x, "independent_phase", i) for i, x in enumerate(other)]
    asked = {"rank": 4, "delays": 3, "iters": 100}
    assert dh.neuro.dsa(one, other, **asked) < dh.neuro.dsa(one, lost, **asked)


# --- responses ---


def test_crossnobis_is_not_biased_and_is_what_its_definition_says():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(6, 5, 400)) * rng.uniform(1, 9, 400)
    off = rdm(noise)[np.triu_indices(6, 1)]
    assert abs(off.mean()) < 0.06  # of means over trials, squared distances would be 0.4
    x = noise / np.sqrt(noise.var(1, ddof=1).mean(0))
    pairs = [(x[0, a] - x[3, a]) @ (x[0, b] - x[3, b]) / 400 for a in range(5) for b in range(5) if a != b]
    assert rdm(noise)[0, 3] == pytest.approx(np.mean(pairs))


def test_rsa_lies_between_its_ceilings_and_its_null():
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(16, 1, 20))
    seen = signal + 1.5 * rng.normal(size=(16, 8, 20))
    found = rsa(signal[:, 0], seen, n=199)
    assert 0 < found.lower < found.value
    assert found.value == pytest.approx(found.upper, abs=0.15)
    assert found.p == pytest.approx(1 / 200)
    other = rsa(rng.normal(size=(16, 20)), seen, n=199)
    assert other.value < found.null_95 + 0.2
    assert other.p > 0.01
    same = rdm(seen)
    assert noise_ceiling([same, same]) == pytest.approx((1.0, 1.0))


def test_ridge_explains_what_repeats_and_no_more():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(80, 12))
    drive = features @ rng.normal(size=(12, 3))
    drive[:, 2] = rng.normal(size=80) * drive.std()  # a site that the features know nothing of
    seen = drive[:, None, :, None] + rng.normal(size=(80, 6, 3, 2)) * 3
    found = explained(features, seen, n=19)
    assert found.share.shape == (3, 2)
    np.testing.assert_allclose(found.share[:2], 1, atol=0.25)
    assert (found.share[2] < 0.2).all()
    assert (found.p[:2] == 0.05).all()
    variance = drive.var(0)
    np.testing.assert_allclose(found.reliability.mean(1), variance / (variance + 9 / 6), atol=0.1)
    silent = explained(features, rng.normal(size=(80, 6, 1)), n=19)
    assert np.isnan(silent.share).all() or abs(silent.share[0]) < 1


@pytest.mark.parametrize("shape", [(30, 10), (59, 5), (60,)])
def test_features_are_of_the_stimuli_that_were_shown(shape):
    rng = np.random.default_rng(0)
    with pytest.raises(DrumheadError, match="60 stimuli are needed"):
        explained(rng.normal(size=shape), rng.normal(size=(60, 4, 2)), n=19)


# --- the whole ---


def test_the_same_wave_is_near_and_another_is_far():
    recording, asked = trials(0.1, 0, count=7), {"fits": False, "splits": 12}
    near = dh.neuro.compare(trials(0.1, 100, count=3), recording, "10-40 Hz", **asked)
    far = dh.neuro.compare(trials(0.15, 100, count=3), recording, "10-40 Hz", dynamics=False, **asked)
    assert near.score > 0.8 > far.score
    by_name = {one.measure.name: one for one in far.measures}
    assert by_name["speed"].value == pytest.approx(np.log(1.5), rel=0.1)
    assert by_name["frequency"].value < 0.05
    moving = near.dynamics["propagators"]
    assert moving["value"] < moving["zero_lag"]
    assert moving["reversed"] > moving["ceiling"] + 0.5
    assert "times as far" in near.verdict
    json.dumps(without_nan(near.report()), allow_nan=False)


def test_a_recording_that_does_not_travel_gets_no_score():
    still = S.smooth_noise(S.Array((6, 6), "0.4 mm", "250 Hz", "8 s"), 0, 1.5)
    asked = {"fits": False, "dynamics": False, "splits": 12, "seed": 1}  # one seed in twenty is taken in
    found = dh.neuro.compare(trials(count=4), still, "10-40 Hz", **asked)
    assert np.isnan(found.score)
    assert "No score" in found.verdict


class Wave:
    """What `drumhead.neuro.fit` promises to find."""

    def __init__(self, speed, low, high, identifiable=True):
        self.value, self.low, self.high, self.identifiable = speed, low, high, identifiable


class Found:
    verdict = "A wave equation fits."

    def __init__(self, speed):
        self.speed = Wave(speed, speed / 1.1, speed * 1.1)
        self.f0, self.tau = Wave(20.0, 18.0, 22.0), Wave(0.05, 0.0, np.inf, False)


def test_media_are_compared_in_deviations_where_both_tell_them(monkeypatch):
    from types import ModuleType

    from drumhead.neuro.compare_media import operators

    stand_in = ModuleType("drumhead.neuro.fit")
    stand_in.fit = lambda x: Found(float(x.values.max()))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "drumhead.neuro.fit", stand_in)
    one, other = (dh.waves.field(np.full((320, 2, 2), speed), "20 Hz") for speed in (0.2, 0.3))
    (speed, f0, tau), told = operators(one, other)
    assert speed.apart == pytest.approx(np.log(1.5) / (np.sqrt(2) * np.log(1.21) / 4))
    assert f0.apart == 0
    assert np.isnan(tau.apart)
    assert len(told) == 2
    assert speed.report()["name"] == "speed_px_s"  # these have no pitch
    with_pitch = dh.waves.field(other.values, "20 Hz", "0.4 mm")
    assert "lengths in m and the other in px" in operators(one, with_pitch)[1][0]
    assert operators(one.isel(time=slice(100)), other)[0] == ()


# --- networks ---


@pytest.mark.parametrize("drive", ["image", "noise"])
def test_a_driven_medium_goes_on_as_its_equation_says(drive):
    model, image = dh.load("tetrominoes-fast"), torch.rand(1, 3, 16, 16)
    waves = driven(model, image, 6, drive=drive, every=2, settle=0, seed=3)
    assert waves.shape == (1, 6, 8, 8, 8)
    assert torch.equal(waves, driven(model, image, 6, drive=drive, every=2, settle=0, seed=3))
    assert not torch.equal(waves[:, 3:], driven(model, image, 6, drive=drive, every=2, settle=0, seed=4)[:, 3:])
    free = model.waves(image)[:, 1:12:2]  # the first state comes before the first push
    assert torch.allclose(waves[:, 0], free[:, 0], atol=1e-6)
    push = (waves[:, 1] - free[:, 1]) / waves.new_tensor(model.dt)
    assert push.abs().max() > 0
    with pytest.raises(DrumheadError, match="no waves"):
        driven(dh.build("tetrominoes/unet-3"), image, 4)


@pytest.mark.parametrize("drive", ["image", "noise"])
def test_a_push_reaches_all_of_a_grid_with_an_absorbing_edge(drive):
    model, image = dh.load("tetrominoes-fast"), torch.rand(1, 3, 64, 64)
    found = []
    for boundary in ("fixed", "absorbing"):
        other = dh.build(model.config.changed(boundary=boundary))
        other.load_state_dict(model.state_dict())
        found.append(driven(other, image, 6, drive=drive, strength=2.0, settle=0, seed=3)[..., 12:20, 12:20])
    fixed, absorbing = found
    if drive == "image":  # the same numbers are drawn, and in 12 steps no edge is heard of 12 places away from it
        torch.testing.assert_close(absorbing, fixed, atol=1e-4, rtol=1e-4)
    moved = [part.diff(dim=1).std() for part in found]
    assert moved[1] == pytest.approx(float(moved[0]), rel=0.2)


def test_what_an_electrode_hears_is_one_number_of_all_sheets():
    waves = torch.rand(2, 40, 3, 4, 4) * torch.tensor([1.0, 100.0, 1e4])[:, None, None]
    heard = heard_alike(waves)
    scaled = heard_alike(waves * torch.tensor([5.0, 1.0, 2.0])[:, None, None] + 7)
    torch.testing.assert_close(heard, scaled, atol=1e-4, rtol=1e-4)


def test_the_verb(tmp_path, capsys):
    np.save(tmp_path / "recording.npy", np.stack(
        [x.values for x in trials(0.1, count=8, snr=1.0)]).reshape(-1, 6, 6))  # fmt: skip
    asked = {"fs": "250", "array-pitch": "0.4mm", "band": "12-60Hz", "limit": "2", "seconds": "0.8", "noise": "0.5",
             "out": str(tmp_path / "out")}  # fmt: skip
    words = [f"--{name}={value}" for name, value in asked.items()]
    cli.main(["waves", "compare", "tetrominoes-fast", str(tmp_path / "recording.npy"), *words])
    said = capsys.readouterr().out
    assert "Edges are joined" in said
    assert "times as far" in said
    report = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert report["measures"]["speed"]["distance"] > 0
    assert report["calibration"]["pitch_m"] == pytest.approx(0.4e-3)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.json", "compare.md", "measures.png", "windows.png"
    }  # fmt: skip
    with pytest.raises(SystemExit):
        cli.main(["waves", "compare", "tetrominoes-fast", str(tmp_path / "none.npy")])


def test_what_cannot_be_compared_is_refused_before_a_network_runs(tmp_path, capsys, monkeypatch):
    def late(*given, **more):
        raise AssertionError("the network ran")

    monkeypatch.setattr("drumhead.networks.driven.driven", late)
    noise = np.random.default_rng(0).normal(size=(3000, 40, 40)).astype(np.float32)
    cases = {
        "nobody knows where its sites lie": (noise[:, :6, :6], []),
        "a line of 32 sites": (noise[:, :32, :1], ["--array-pitch", "0.4mm"]),
        "does not fit into": (noise[:700, :6, :6], ["--array-pitch", "0.4mm"]),
        "take fewer sites": (noise, ["--array-pitch", "0.4mm"]),
    }
    for message, (values, more) in cases.items():
        np.save(tmp_path / "x.npy", values)
        words = ("waves", "compare", "tetrominoes-fast", tmp_path / "x.npy", "--fs", "250", "--band", "12-60")
        assert call(*words, *more) == 2
        assert message in capsys.readouterr().err


def test_windows_of_speeds_are_drawn_by_factors_and_with_their_unit():
    windows = {"model": {"speed": np.log([0.1, 0.2, 40.0]), "pgd": np.array([0.1, 0.2, 0.3])}}
    speed, pgd = windows_figure(windows, [("speed", "log"), ("pgd", "linear")], across=2).axes
    assert (speed.get_xscale(), pgd.get_xscale()) == ("log", "linear")
    assert (speed.get_title(), pgd.get_title()) == ("speed (m/s)", "pgd")
    np.testing.assert_allclose(np.asarray(speed.lines[0].get_xdata()), [0.1, 0.2, 40])


@pytest.mark.parametrize("count", [1, 3, 5, 9])
def test_any_number_of_surrogates_is_drawn(count):
    nulls = {f"null {i}": np.array([1.0, 2.0 + i]) for i in range(count)}
    axis = distances_figure(["speed", "pgd"], *np.ones((3, 2)), nulls).axes[0]
    assert set(axis.get_legend_handles_labels()[1]) == {*nulls, "model", "half of the recording"}
    drawn = windows_figure({name: {"pgd": values} for name, values in nulls.items()}, [("pgd", "linear")]).axes[0]
    assert len({line.get_color() for line in drawn.lines}) == count


def test_a_recording_that_is_short_for_its_band_is_told_with_its_pieces():
    short = synth.smooth_noise(synth.Array((4, 4), fs="200 Hz", duration="8 s"), 0)
    with pytest.raises(dh.DrumheadError, match=r"too short for a band from 1 Hz.*cut into 8 pieces of 1 s"):
        ready(short, "1-20 Hz")
