"""The report on a recording: what it finds in signals whose waves are known, what it refuses, and what it writes."""

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from xarray import Dataset

import drumhead as dh
from conftest import call
from drumhead.cli.waves_of_recording import Reading, read
from drumhead.files import report_folder
from drumhead.neuro import plates
from drumhead.neuro.analysis import analyse
from drumhead.neuro.findings import toward
from drumhead.neuro.page import summary_table
from drumhead.neuro.patterns import why_no_rings
from drumhead.show.movies import LARGEST, save_phases
from drumhead.show.place import check_place
from drumhead.waves import synth

ARRAY = synth.Array((6, 6), fs="250 Hz", duration="2.5 s")
PLANE = synth.sensor_noise(synth.plane(ARRAY, 20, 0.1, np.pi / 2), 2, 0)
PICTURES = {"phases.gif", "speeds.png", "kf.png", "singularities.png", "pgd.png"}
KEYS = {
    "found", "warnings", "left_out", "data", "travels", "planar", "radial", "singularities", "modes", "kf", "operator",
}  # fmt: skip


@pytest.fixture(scope="module")
def plane():
    return analyse(PLANE, "10-30 Hz", n=19)


def test_a_plane_wave_is_told_with_its_way_and_pace(plane):
    report = plane.report()
    assert report.keys() == KEYS
    assert report["travels"]["p"] == pytest.approx(0.05)
    assert report["travels"]["null"] == "zero_lag"
    assert report["planar"]["speed_m_s"] == pytest.approx(0.1, rel=0.03)
    assert report["planar"]["direction_deg"] == pytest.approx(90, abs=3)
    assert report["planar"]["wavelength_m"] == pytest.approx(0.005, rel=0.03)
    assert report["planar"]["resultant"] > 0.98
    assert report["planar"]["null"]["resultant"] < 0.3  # its surrogates go either way
    assert report["planar"]["share"] > 0.95
    assert report["modes"][0]["travelling"] > 0.8
    assert plane.found.startswith("Waves travel in 10-30 Hz (p = 0.05 or less")
    assert "toward 9" in plane.found or "toward 8" in plane.found
    # 5 rows of 0.4 mm along a wave of 5 mm; the numbers beside each other are of the same frames
    span = report["planar"]["aperture_over_wavelength"]
    assert span == pytest.approx(0.4, abs=0.02)
    assert f"The sites span {span:.2g} of a wavelength, so speed and wavelength are rough." in plane.found
    json.dumps(report, allow_nan=False)


def test_the_customary_rule_is_warned_of_where_surrogates_pass_it(plane):
    assert plane.patterns.customary > 0.05
    assert any("Do not call frames of PGD > 0.5 waves" in words for words in plane.report()["warnings"])
    assert np.mean(plane.patterns.planar_null["pgd"].values > plane.patterns.level) == pytest.approx(0.05, abs=0.005)


def test_the_same_seed_gives_the_same_numbers(plane):
    assert analyse(PLANE, "10-30 Hz", n=19).report() == plane.report()
    assert analyse(PLANE, "10-30 Hz", n=19, seed=1).report()["planar"]["null"] != plane.report()["planar"]["null"]


def test_smooth_noise_does_not_travel():
    found = analyse(synth.smooth_noise(ARRAY, 3), "10-30 Hz", n=19)
    assert found.travels.p > 0.05
    assert found.found.startswith("Nothing here travels")


def test_an_aperture_can_be_too_small_to_tell():
    found = analyse(synth.sensor_noise(synth.plane(ARRAY, 20, 100.0), 1, 0), "10-30 Hz", n=19)
    assert "too small to tell" in found.found


def test_rings_are_told_by_their_source():
    x = synth.sensor_noise(synth.target(ARRAY, 20, 0.08), 2, 0)
    found = analyse(x, "10-30 Hz", n=19)
    radial = found.report()["radial"]
    assert radial["share"] > 0.9
    assert radial["outward"] == 1
    assert radial["null"]["outward"] < 0.9
    assert "away from a source near" in found.found
    assert radial["speed_m_s"] == pytest.approx(0.08, rel=0.05)


def test_a_wave_that_turns_is_told_with_its_core_and_its_way():
    found = analyse(synth.sensor_noise(synth.spiral(ARRAY, 20, -1), 3, 0), "10-30 Hz", n=19)
    assert found.report()["travels"]["kind"] == "rotation"
    assert found.report()["travels"]["charge"] == -1
    assert "around a core near" in found.found
    assert ", from y toward x." in found.found
    assert "A wave turns about a point, always the same way round (rotation alone: p = 0.05;" in found.found
    assert found.report()["singularities"]["per_frame"] == pytest.approx(1, abs=0.05)


def test_a_mean_of_two_ways_is_not_told_as_the_way():
    turn = synth.plane(ARRAY, 20, 0.1).values
    turn[len(turn) // 2 :] = synth.plane(ARRAY, 20, 0.1, 2 * np.pi / 3).values[len(turn) // 2 :]
    found = analyse(synth.sensor_noise(ARRAY.field(turn), 3, 0), "10-30 Hz", n=19)
    assert "toward 60°" in found.found
    assert "frame by frame not always (resultant 0." in found.found


def test_a_column_of_sites_is_read_along_it():
    line = synth.Array((8, 1), fs="250 Hz", duration="2.5 s")
    found = analyse(synth.sensor_noise(synth.plane(line, 20, 0.1, np.pi / 2), 2, 0), "10-30 Hz", n=19)
    assert "one line" in why_no_rings(found.x)
    assert found.report()["left_out"].keys() == {"operator", "radial", "singularities"}
    assert found.report()["radial"]["share"] is None
    assert "toward 90° (down)" in found.found
    assert found.report()["planar"]["speed_m_s"] == pytest.approx(0.1, rel=0.03)
    assert found.report()["data"]["pitch_m"] == pytest.approx([0.4e-3])
    assert dict(row[:2] for row in summary_table(found).rows)["pitch"] == "0.4 mm"
    assert any("one line" in words for words in found.report()["warnings"])


def test_sites_anywhere_have_no_wave_numbers():
    at = np.random.default_rng(0).random((24, 2)) * 3e-3
    times = np.arange(600)[:, None] / 250
    values = np.cos(2 * np.pi * 20 * (times - at[:, 1] / 0.1)) + 0.3 * np.random.default_rng(1).normal(size=(600, 24))
    found = analyse(dh.waves.field(values, 250, "1 m", at=at), "10-30 Hz", n=19)
    assert found.report()["left_out"].keys() == {"operator", "singularities", "kf"}
    assert found.report()["kf"].keys() == {"f_hz", "k_rad_m", "phase_speed_m_s", "reason"}  # as where there is one
    assert found.report()["planar"]["speed_m_s"] == pytest.approx(0.1, rel=0.03)


def test_a_medium_is_fitted_to_what_is_long_enough(monkeypatch):
    def estimate(value):
        return SimpleNamespace(value=value, low=0.9 * value, high=1.1 * value, identifiable=True)

    fitted = SimpleNamespace(
        speed=estimate(0.1), f0=estimate(12.0), tau=estimate(0.05), length="m", identifiable=True, best="wave",
        verdict="It is a wave.", curve=lambda k: np.hypot(12, 0.1 * k / 2 / np.pi),
        report=lambda: {"speed_m_s": 0.1, "f0_hz": 12.0, "tau_s": 0.05, "identifiable": True},
    )  # fmt: skip
    stand_in = ModuleType("drumhead.neuro.fit")
    stand_in.fit = lambda x, avoid: fitted
    monkeypatch.setitem(sys.modules, "drumhead.neuro.fit", stand_in)
    long = synth.Array((4, 4), fs="100 Hz", duration="15 s")
    x = synth.sensor_noise(synth.plane(long, 20, 0.1), 2, 0)
    found = analyse(x, "15-25 Hz", n=19)
    assert found.report()["operator"] == fitted.report()
    assert found.curve(0.0) == 12
    short = analyse(x, "15-25 Hz", n=19, fit=False)
    assert short.report()["operator"]["reason"] == "it was not asked for"

    def refuses(x, avoid):
        raise dh.DrumheadError("it is too quiet")

    stand_in.fit = refuses
    assert analyse(x, "15-25 Hz", n=19).report()["operator"]["reason"] == "it is too quiet"


def test_nulls_that_keep_lags_are_refused():
    for null in ("common_phase", "time_shift", "other"):
        with pytest.raises(dh.DrumheadError, match="zero_lag"):
            analyse(PLANE, "10-30 Hz", null=null)
    found = analyse(PLANE, "10-30 Hz", null="channel_shuffle", n=19)
    assert "only the null zero_lag can tell" in found.found


def test_directions_have_names():
    assert toward(np.pi) == "180° (left)"
    assert toward(-np.pi / 2) == "-90° (up)"


class Tags(HTMLParser):
    """Checks that tags close in the order in which they opened."""

    EMPTY = ("meta", "img", "br", "hr", "!doctype")

    def __init__(self):
        super().__init__()
        self.open, self.pictures = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.pictures.append(dict(attrs)["src"])
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_verb_writes_a_page_that_needs_no_other(tmp_path, capsys):
    values = PLANE.values.astype(np.float32)
    values[:, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", values)
    arguments = (
        "waves",
        tmp_path / "a.npy",
        "--fs",
        250,
        "--pitch",
        "0.4mm",
        "--band",
        "10-30",
        "--n",
        19,
        "--bad",
        "2,3",
    )
    assert call(*arguments, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "Sites without numbers (NaN), which are left out: 2" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == PICTURES | {
        f"report.{e}" for e in ("html", "md", "json")
    }
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report.keys() > KEYS
    assert report["data"]["bad_sites"] == 2
    assert {"p", "statistic", "null"} <= report["travels"].keys()
    operator = {f"{name}{of}" for name in ("speed_m_s", "f0_hz", "tau_s") for of in ("", "_interval")}
    assert operator <= report["operator"].keys()
    assert report["operator"]["speed_m_s"] is None
    assert "too short" in report["operator"]["reason"]
    page = Tags()
    page.feed((tmp_path / "out" / "report.html").read_text())
    assert not page.open
    assert len(page.pictures) == len(PICTURES)
    assert all(source.startswith("data:image/") for source in page.pictures)
    with Image.open(tmp_path / "out" / "phases.gif") as movie:
        assert movie.n_frames >= 20
    check_place(tmp_path / "out")  # what drumhead wrote may be written again
    assert call(*arguments, "--out", tmp_path) == 2


def test_nothing_is_left_of_a_report_that_is_interrupted(tmp_path, monkeypatch, plane):
    from drumhead.neuro import page, plates

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(plates, "_speeds", interrupted)
    with pytest.raises(KeyboardInterrupt), report_folder(tmp_path / "out") as folder:
        page.save(plane, folder, "a", plane.report())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--fs", 250], "--band is missing"),
        (["--band", "10-30"], "--fs 500"),
        (["--fs", 250, "--band", "10-200"], "half the sampling rate"),
        (["--fs", 250, "--band", "0.1-30"], "too short for a band"),
        (["--fs", 250, "--band", "fast"], "two frequencies"),
        (["--fs", 250, "--band", "10-30", "--layer", 1], "would ignore --layer"),
        (["--fs", 250, "--band", "10-30", "--null", "time_shift"], "zero_lag"),
        (["--fs", 250, "--band", "10-30", "--n", 3], "at least 19"),
        (["--fs", 250, "--band", "10-30", "--bad", "x"], "--bad x"),
        (["--fs", 250, "--band", "10-30", "--at", "none.npy"], "--at none.npy"),
        (["--fs", 250, "--band", "10-30", "--series", "a"], "holds one array"),
    ],
)
def test_bad_input_gets_a_sentence(given, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", PLANE.values)
    assert call("waves", "a.npy", *given) == 2
    error = capsys.readouterr().err
    assert error.startswith("drumhead: ")
    assert message in error
    assert error.count("\n") == 1
    assert not Path("waves-out").exists()


def test_bad_files_get_a_sentence(tmp_path, capsys, monkeypatch):
    import tifffile

    monkeypatch.chdir(tmp_path)
    np.save("empty.npy", np.full((200, 3, 3), np.nan))
    tifffile.imwrite("film.tif", PLANE.values.astype(np.float32), metadata={"axes": "TYX"})
    for arguments, message in (
        (["missing.npy", "--band", "10-30"], "does not exist"),
        (["empty.npy", "--band", "10-30", "--fs", 100], "no site has numbers"),
        (["film.tif", "--band", "10-30", "--fs", 250], "--pitch 20um"),
        (["tetrominoes", "--band", "10-30"], "would ignore --band"),
        (["tetrominoes", "--seed", 1], "would ignore --seed"),
    ):
        assert call("waves", *arguments) == 2
        assert message in capsys.readouterr().err


def test_what_is_said_against_the_file_is_noted(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["film"] = PLANE.values
        file["film"].attrs.update(fs=250.0, pitch="0.4 mm")
    x = dh.neuro.read(tmp_path / "a.h5", fs=500)
    assert x.attrs["fs_of_file_hz"] == 250
    assert "pitch_of_file_m" not in x.attrs
    assert "fs_of_file_hz" not in dh.neuro.read(tmp_path / "a.h5", fs=250).attrs
    notes = read(Reading(tmp_path / "a.h5", "500", "1mm", "", "", "", (), None, "tyx"))[1]
    assert any("The file says 250 Hz; --fs 500 is taken instead" in note for note in notes)
    assert any("The file says a pitch of 0.4 mm; --pitch 1mm is taken instead" in note for note in notes)


def test_movies_of_noise_stay_small(tmp_path):
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, (30, 120, 120))
    save_phases(tmp_path / "a.gif", phases, ["a"] * 30, np.full((30, 2), np.nan))
    assert (tmp_path / "a.gif").stat().st_size <= LARGEST


def test_states_of_a_network_are_looked_at_as_trials(tmp_path, capsys):
    assert call("waves", "tetrominoes", "--limit", 1, "--out", tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert KEYS | {"weights", "calibration", "layers", "states"} <= report.keys()
    assert report["data"]["trials"] > 1
    assert report["travels"]["p"] is None
    assert "transient" in report["travels"]["reason"]
    assert report["operator"]["identifiable"] is False
    assert report["left_out"].keys() == {"travels", "radial", "modes", "operator"}
    assert report["states"]["boundary"] == report["layers"][0]["boundary"]
    assert "sheets of hidden states" in capsys.readouterr().out


def test_the_longest_paths_of_all_trials_are_drawn(plane, tmp_path, monkeypatch):
    lives = [np.linspace(0.1, 0.2, 80), np.linspace(0.3, 0.4, 50)]
    turns = [
        Dataset(
            {
                **{name: ("point", np.arange(float(len(life)))) for name in "yx"},
                "charge": ("point", np.ones(len(life))),
                "track": ("point", np.arange(len(life))),
                "lifetime": ("trajectory", life),
                "turn": ("trajectory", np.ones(len(life))),
            }
        )
        for life in lives
    ]
    drawn = []
    monkeypatch.setattr(plates, "save_singularities", lambda *given: drawn.append(given))
    plates._turns(replace(plane, patterns=replace(plane.patterns, turns=turns, turns_null=turns)), tmp_path)
    paths = [float(path[0, 0]) for path in drawn[0][3]]
    assert paths == [*range(49, -1, -1), *range(79, 69, -1)]  # all of the second trial, then those of the first


def test_edges_that_are_joined_are_warned_of():
    from drumhead.networks.inside import material
    from drumhead.neuro.states import comes_around, edge_warnings, of_states

    torch.manual_seed(0)
    model = dh.build("tetrominoes/nwm-last")
    images = torch.rand(1, 3, 16, 16)
    one = material(model, [images])
    layer = dh.neuro.Portrait(one, dh.neuro.Cortex("0.4 mm", speed="0.3 m/s"))
    assert one.boundary == "periodic"
    assert "Edges are joined" in edge_warnings(layer)[0]
    side = layer.cortex.metres(min(one.size))
    assert comes_around(layer) == (float(np.median(layer.quantities["way"])) > side)
    found = of_states(model.waves(images).detach().numpy()[:, ::5], layer)
    assert any("Edges are joined" in words for words in found.report()["warnings"])
    with pytest.raises(dh.DrumheadError, match="at least 8 states"):
        of_states(np.zeros((1, 4, 2, 8, 8)), layer)
