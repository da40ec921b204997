"""Recordings become fields, whatever file they come from; what a file does not know has to be said."""

import logging
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
import tifffile
import zarr

import drumhead as dh
from drumhead.neuro import arrays
from drumhead.neuro.lattice import lattice
from drumhead.waves.fields import good, pitches, rate, spacing, square_pitch

RNG = np.random.default_rng(0)
FILM = RNG.normal(size=(60, 4, 5)).astype(np.float32)


def grid(rows=4, columns=5, pitch=4e-4, turn=0.0):
    where = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2) * pitch
    c, s = np.cos(turn), np.sin(turn)
    return where @ np.array([[c, s], [-s, c]]) + 1e-3


def written(folder, kind):
    path = folder / f"film.{kind}"
    if kind == "npy":
        np.save(path, FILM)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["deep/film"] = FILM
    elif kind == "zarr":
        zarr.create_array(str(path), data=FILM)
    else:
        tifffile.imwrite(path, FILM, metadata={"axes": "TYX"})
    return path


@pytest.mark.parametrize("kind", ["npy", "h5", "zarr", "tif"])
def test_all_files_give_the_same_field(tmp_path, kind):
    x = dh.neuro.read(written(tmp_path, kind), fs="500 Hz", pitch="20 um")
    assert x.dims == ("time", "y", "x")
    np.testing.assert_array_equal(x.values, FILM)
    assert rate(x) == pytest.approx(500)
    assert spacing(x) == pytest.approx((2e-5, 2e-5))
    part = dh.neuro.read(tmp_path / f"film.{kind}", fs=500, pitch="20 um", start="20 ms", stop="60 ms")
    np.testing.assert_array_equal(part.values, FILM[10:30])


def nwb(path, *, places=True, rate_hz=500.0, timestamps=None, film=False, conversion=1e-6, two=False, lfp=False):
    pynwb = pytest.importorskip("pynwb")
    file = pynwb.NWBFile(
        session_description="a test", identifier="id", session_start_time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    device = file.create_device(name="array")
    group = file.create_electrode_group(name="group", description="a grid", location="cortex", device=device)
    if places:
        file.add_electrode_column(name="rel_y", description="in µm")
        file.add_electrode_column(name="rel_x", description="in µm")
    for y, x in grid() * 1e6:
        extra = {"rel_y": float(y), "rel_x": float(x)} if places else {}
        file.add_electrode(location="cortex", group=group, **extra)
    region = file.create_electrode_table_region(region=list(range(20)), description="all")
    when = {"rate": rate_hz} if timestamps is None else {"timestamps": timestamps}
    counts = np.round(FILM.reshape(60, 20) * 1000).astype(np.int16)
    for name in ("LFP", "other")[: 1 + two]:
        file.add_acquisition(
            pynwb.ecephys.ElectricalSeries(name=name, data=counts, electrodes=region, conversion=conversion, **when)
        )
    if lfp:  # the same name as the raw series, as is usual
        kept = pynwb.ecephys.LFP()
        kept.add_electrical_series(
            pynwb.ecephys.ElectricalSeries(name="LFP", data=-counts, electrodes=region, conversion=conversion, **when)
        )
        file.create_processing_module(name="ecephys", description="filtered").add(kept)
    if film:
        file.add_acquisition(pynwb.image.ImageSeries(name="film", data=FILM, unit="a.u.", rate=50.0))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def test_electrodes_in_nwb_find_their_grid_and_volts(tmp_path):
    x = dh.neuro.read(nwb(tmp_path / "a.nwb"))
    assert x.shape == (60, 4, 5)
    assert x.attrs["units"] == "volts"
    assert spacing(x) == pytest.approx((4e-4, 4e-4))
    np.testing.assert_allclose(x.values, np.round(FILM * 1000) * 1e-6, rtol=1e-5)
    np.testing.assert_allclose(dh.neuro.read(tmp_path / "a.nwb", start="40 ms").values, x.values[20:])
    without = dh.neuro.read(tmp_path / "a.nwb", bad=[7])
    assert np.isnan(without.values[:, 1, 2]).all()


def test_series_of_one_name_are_told_apart_by_their_paths(tmp_path):
    path = nwb(tmp_path / "a.nwb", lfp=True)
    for name in (None, "LFP"):
        with pytest.raises(dh.DrumheadError, match=r"acquisition/LFP \(60, 20\), processing/ecephys/LFP/LFP"):
            dh.neuro.read(path, series=name)
    raw, kept = (dh.neuro.read(path, series=name) for name in ("acquisition/LFP", "processing/ecephys/LFP/LFP"))
    np.testing.assert_array_equal(raw.values, -kept.values)


def test_what_nwb_does_not_know_has_to_be_said(tmp_path):
    with pytest.raises(dh.DrumheadError, match="no places"):
        dh.neuro.read(nwb(tmp_path / "b.nwb", places=False))
    assert dh.neuro.read(tmp_path / "b.nwb", at=grid()).shape == (60, 4, 5)
    times = np.arange(60) / 500
    assert rate(dh.neuro.read(nwb(tmp_path / "c.nwb", timestamps=times))) == pytest.approx(500)
    times[30:] += 0.1
    with pytest.raises(dh.DrumheadError, match="irregular"):
        dh.neuro.read(nwb(tmp_path / "d.nwb", timestamps=times))
    with pytest.raises(dh.DrumheadError, match=r"several arrays.*LFP.*other"):
        dh.neuro.read(nwb(tmp_path / "e.nwb", two=True))
    assert dh.neuro.read(tmp_path / "e.nwb", series="other").shape == (60, 4, 5)
    with pytest.raises(dh.DrumheadError, match="size of a pixel"):
        dh.neuro.read(nwb(tmp_path / "f.nwb", film=True), series="film")
    turned = dh.neuro.read(tmp_path / "f.nwb", series="film", pitch="20 um", order="txy")
    np.testing.assert_array_equal(turned.values, FILM.transpose(0, 2, 1))


@pytest.mark.parametrize("turn", [0.0, 0.3, -0.2])
def test_a_lattice_is_found_with_holes_and_turned(turn):
    where = grid(6, 7, turn=turn)
    kept = RNG.random(42) > 0.2
    index, pitch = lattice(where[kept] + RNG.normal(size=(kept.sum(), 2)) * 1e-5)
    assert pitch == pytest.approx(4e-4, rel=0.05)
    steps = np.linalg.norm(where[kept][:, None] - where[kept][None], axis=-1) / 4e-4
    np.testing.assert_allclose(np.linalg.norm(index[:, None] - index[None], axis=-1), steps, atol=1e-6)


@pytest.mark.parametrize(("down", "across"), [(1.0, 1.1), (1.1, 1.0), (1.0, 1.25)])
def test_an_oblong_array_keeps_its_places(tmp_path, down, across):
    """Four rows of five are near enough to a square lattice of another pitch."""
    where = grid() * [down, across]
    np.save(tmp_path / "a.npy", FILM.reshape(60, 20))
    x = dh.neuro.read(tmp_path / "a.npy", fs=500, at=where)
    np.testing.assert_allclose(np.stack([x.y, x.x], 1), where)


def test_a_part_without_gaps_can_be_read(tmp_path):
    times = np.arange(60) / 500
    times[30:] += 0.1
    part = dh.neuro.read(nwb(tmp_path / "a.nwb", timestamps=times), stop="60 ms")
    assert part.shape == (30, 4, 5)
    assert rate(part) == pytest.approx(500)


def test_clocks_that_count_from_1970_are_read_to_a_part_of_a_step(tmp_path):
    """At 1.7e9 s numbers are 0.24 us apart: 0.7 % of a step at 30 kHz, and no excuse for jitter at 500 Hz."""
    times = 1.7e9 + np.arange(60) / 500
    assert rate(dh.neuro.read(nwb(tmp_path / "a.nwb", timestamps=times))) == pytest.approx(500)
    assert rate(dh.neuro.read(nwb(tmp_path / "b.nwb", timestamps=1.7e9 + np.arange(60) / 30_000))) == pytest.approx(
        30_000, rel=3e-4
    )
    x = dh.waves.field(FILM, 500).assign_coords(time=times)
    assert rate(dh.waves.field(x)) == pytest.approx(500)
    times[30] += 2e-4  # a tenth of a step
    for make in (lambda: dh.waves.field(x.assign_coords(time=times)),
                 lambda: dh.neuro.read(nwb(tmp_path / "c.nwb", timestamps=times))):  # fmt: skip
        with pytest.raises(dh.DrumheadError, match=r"evenly|irregular"):
            make()


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda t: np.where(t == t[7], np.nan, t), "1 of its 60 timestamps are no numbers .* at sample 7"),
    (lambda t: t[::-1].copy(), "run backward, from 0.118 to 0 s"),
    (lambda t: 0 * t, "begin and end at 0 s"),
])  # fmt: skip
def test_timestamps_that_tell_no_rate_are_named(tmp_path, spoil, message):
    path = nwb(tmp_path / "a.nwb", timestamps=spoil(np.arange(60) / 500))
    for fs in (None, 500):
        with pytest.raises(dh.DrumheadError, match=message):
            dh.neuro.read(path, fs=fs)


@pytest.mark.parametrize("wrong", [0.0, np.nan, -5.0])
def test_a_rate_that_is_none_is_named(tmp_path, wrong):
    import h5py

    path = nwb(tmp_path / "a.nwb")
    with h5py.File(path, "r+") as file:
        file["acquisition/LFP/starting_time"].attrs["rate"] = wrong
    with pytest.raises(dh.DrumheadError, match=r"says fs=.* give fs= instead|rate"):
        dh.neuro.read(path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["film"] = FILM
        file["film"].attrs["fs"] = wrong
    with pytest.raises(dh.DrumheadError, match=rf"a.h5 says fs={wrong}; give fs= instead"):
        dh.neuro.read(tmp_path / "a.h5")
    assert dh.neuro.read(tmp_path / "a.h5", fs=500).shape == FILM.shape


def test_a_time_without_a_number_is_named():
    times = np.arange(60) / 500
    times[3] = np.nan
    with pytest.raises(dh.DrumheadError, match="entry 3 is nan"):
        dh.waves.field(dh.waves.field(FILM, 500).assign_coords(time=times))


@pytest.mark.parametrize("kind", ["h5", "nwb"])
def test_a_file_is_closed_after_it_was_read(tmp_path, kind):
    path = nwb(tmp_path / "a.nwb") if kind == "nwb" else written(tmp_path, "h5")
    dh.neuro.read(path, fs=500)
    with h5py.File(path, "r+"):
        pass


@pytest.mark.parametrize(("turn", "shape"), [(0.0, (32, 1)), (np.pi / 2, (1, 32)), (0.3, (32, 1))])
def test_a_probe_is_a_line_of_sites_with_holes(tmp_path, turn, shape):
    along = np.arange(32) * 5e-5
    where = np.stack([along * np.cos(turn), along * np.sin(turn)], 1)
    kept = np.delete(RNG.permutation(32), [3, 8])  # channels seldom come in order
    values = RNG.normal(size=(100, 32))
    values[:, 0] = values[:, -1] = 1.0  # the ends stay, whichever channels are lost
    kept = np.union1d(kept, [0, 31])
    RNG.shuffle(kept)
    np.save(tmp_path / "probe.npy", values[:, kept])
    x = dh.neuro.read(tmp_path / "probe.npy", fs=500, at=where[kept])
    assert x.shape[1:] == shape
    assert pitches(x) == pytest.approx((5e-5,))
    expected = np.full((100, 32), np.nan)
    expected[:, kept] = values[:, kept]
    np.testing.assert_array_equal(x.values.reshape(100, 32), expected)


def test_scattered_sites_stay_scattered(tmp_path):
    where = RNG.random((20, 2)) * 3e-3
    assert lattice(where) is None
    np.save(tmp_path / "a.npy", FILM.reshape(60, 20))
    x = dh.neuro.read(tmp_path / "a.npy", fs=500, at=where)
    assert x.dims == ("time", "site")
    np.testing.assert_allclose(np.stack([x.y, x.x], 1), where)


def test_bad_sites_are_left_out(tmp_path):
    x = dh.neuro.read(written(tmp_path, "npy"), fs=500, bad=[(1, 2), (0, 0)])
    assert (~good(x)).sum() == 2
    with pytest.raises(dh.DrumheadError, match="no such site"):
        dh.neuro.read(tmp_path / "film.npy", fs=500, bad=[(4, 0)])


def test_attributes_of_hdf5_are_known(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["film"] = FILM
        file["film"].attrs.update(fs_hz=250.0, pitch="0.1 mm")
        file["other"] = FILM
    x = dh.neuro.read(tmp_path / "a.h5", series="film")
    assert rate(x) == pytest.approx(250)
    assert spacing(x) == pytest.approx((1e-4, 1e-4))
    with pytest.raises(dh.DrumheadError, match=r"film.*other"):
        dh.neuro.read(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "sampling rate is missing"),
        ({"fs": "5 mm"}, "fs="),
        ({"fs": 500, "start": "1 s"}, "leave 0 of 60"),
        ({"fs": 500, "series": "a"}, "holds one array"),
        ({"fs": 500, "order": "xyz"}, "order="),
        ({"fs": 500, "bad": [99]}, "no such site"),
        ({"fs": 500, "bad": [(0.5, 1)]}, "no such site"),
        ({"fs": 500, "bad": 3}, "a list of sites"),
        ({"fs": 500, "at": "here"}, "as numbers"),
        ({"fs": 500, "at": np.zeros((3, 7))}, "at= is of channels"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, given, message):
    with pytest.raises(dh.DrumheadError, match=message):
        dh.neuro.read(written(tmp_path, "npy"), **given)


def test_channels_with_places_have_no_other_pitch(tmp_path):
    np.save(tmp_path / "a.npy", FILM.reshape(60, 20))
    assert dh.neuro.read(tmp_path / "a.npy", fs=500, at=grid()).shape == FILM.shape
    with pytest.raises(dh.DrumheadError, match="pitch= is of grids"):
        dh.neuro.read(tmp_path / "a.npy", fs=500, at=grid(), pitch="1 mm")


@pytest.mark.parametrize("order", ["tyx", "txy", "yxt", "xyt", "ytx"])
def test_axes_may_come_in_any_order(tmp_path, order):
    np.save(tmp_path / "a.npy", FILM.transpose(["tyx".index(axis) for axis in order]))
    part = dh.neuro.read(tmp_path / "a.npy", fs=500, order=order, start="20 ms", stop="60 ms")
    np.testing.assert_array_equal(part.values, FILM[10:30])


def test_integers_of_32_bits_keep_their_last_digits(tmp_path):
    counts = np.round(FILM * 10).astype(np.int32)
    np.save(tmp_path / "a.npy", counts + 2**30)
    np.testing.assert_array_equal(dh.neuro.read(tmp_path / "a.npy", fs=500).values - 2**30, counts)


def test_reading_a_tiff_never_writes_to_it(tmp_path):
    path = written(tmp_path, "tif")
    path.write_bytes(path.read_bytes()[: FILM.nbytes // 2])
    size = path.stat().st_size
    with pytest.raises(dh.DrumheadError):
        dh.neuro.read(path, fs=500, pitch="20 um")
    assert path.stat().st_size == size


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((20, 30, 3), {"photometric": "rgb"}),
        ((3, 20, 30), {"photometric": "rgb", "planarconfig": "separate"}),
        ((3, 20, 30), {"imagej": True, "metadata": {"axes": "CYX"}}),
    ],
)
def test_colours_are_no_frames(tmp_path, shape, how):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), **how)
    with pytest.raises(dh.DrumheadError, match="one grey image a time"):
        dh.neuro.read(tmp_path / "a.tif", fs=500, pitch="20 um")


@pytest.mark.parametrize(("interval", "unit", "hz"), [(0.02, "sec", 50), (20.0, "ms", 50), (0.5, "min", 1 / 30)])
def test_the_frame_interval_of_imagej_has_a_unit(tmp_path, interval, unit, hz):
    about = {"axes": "TYX", "finterval": interval, "tunit": unit}
    tifffile.imwrite(tmp_path / "a.tif", FILM, imagej=True, metadata=about)
    assert rate(dh.neuro.read(tmp_path / "a.tif", pitch="20 um")) == pytest.approx(hz)


@pytest.mark.parametrize("wrong", [0.0, np.nan, "fast", np.array([100.0, 200.0])])
def test_a_wrong_rate_in_a_file_does_no_harm_if_one_is_given(tmp_path, wrong):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["film"] = FILM
        file["film"].attrs["fs"] = wrong
    assert rate(dh.neuro.read(tmp_path / "a.h5", fs=500)) == pytest.approx(500)
    with pytest.raises(dh.DrumheadError, match="fs="):
        dh.neuro.read(tmp_path / "a.h5")


def test_an_hdf5_file_is_closed_whatever_goes_wrong(tmp_path, monkeypatch):
    def broken(data):
        raise KeyError("an attribute")

    path = written(tmp_path, "h5")
    monkeypatch.setattr(arrays, "_with_attributes", broken)
    with pytest.raises(dh.DrumheadError, match="is damaged"):
        dh.neuro.read(path, fs=500)
    assert not h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE | h5py.h5f.OBJ_DATASET)


def test_reading_many_tiffs_leaves_nothing_behind(tmp_path):
    path = written(tmp_path, "tif")
    before = len(logging.getLogger("tifffile").handlers)
    for _ in range(3):
        dh.neuro.read(path, fs=500, pitch=1e-3)
    assert len(logging.getLogger("tifffile").handlers) == before


def test_a_compressed_stack_too_large_for_memory_is_not_to_be_read_in_parts(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", FILM, compression="zlib", metadata={"axes": "TYX"})
    assert dh.neuro.read(tmp_path / "a.tif", fs=500, pitch=1e-3).shape == FILM.shape
    monkeypatch.setattr("os.sysconf", lambda name: 1)
    with pytest.raises(dh.DrumheadError, match="without compression"):
        dh.neuro.read(tmp_path / "a.tif", fs=500, pitch=1e-3)


def test_damaged_pieces_are_said(tmp_path):
    zarr.create_array(str(tmp_path / "a.zarr"), data=FILM, chunks=(10, 4, 5))
    next(path for path in (tmp_path / "a.zarr" / "c").rglob("*") if path.is_file()).write_bytes(b"junk")
    with pytest.raises(dh.DrumheadError, match="is damaged"):
        dh.neuro.read(tmp_path / "a.zarr", fs=500)


def test_a_recording_may_be_read_from_zero_on(tmp_path):
    assert dh.neuro.read(written(tmp_path, "npy"), fs=500, start="0 s").shape == FILM.shape


def test_files_that_are_no_recordings_are_refused(tmp_path):
    for name in ("a.npy", "a.h5", "a.tif", "a.nwb", "a.txt", "a.zarr"):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(dh.DrumheadError, match=name.replace(".", r"\.")):
            dh.neuro.read(tmp_path / name, fs=500)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(dh.DrumheadError, match="no array"):
        dh.neuro.read(tmp_path / "objects.npy", fs=500)
    np.savez(tmp_path / "several.npz", a=FILM, b=FILM)
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    with pytest.raises(dh.DrumheadError, match=r"several arrays.*a, b"):
        dh.neuro.read(tmp_path / "several.npy", fs=500)
    np.save(tmp_path / "number.npy", 3.0)
    with pytest.raises(dh.DrumheadError, match="the shape"):
        dh.neuro.read(tmp_path / "number.npy", fs=500)
    with pytest.raises(dh.DrumheadError, match="does not exist"):
        dh.neuro.read(tmp_path / "missing.npy")
    np.save(tmp_path / "flat.npy", FILM.reshape(60, 20))
    with pytest.raises(dh.DrumheadError, match="without places"):
        dh.neuro.read(tmp_path / "flat.npy", fs=500)
    line = np.stack([np.arange(20) ** 1.5 * 1e-4, np.zeros(20)], 1)
    with pytest.raises(dh.DrumheadError, match="one line, but not evenly"):
        dh.neuro.read(tmp_path / "flat.npy", fs=500, at=line)


def test_one_pitch_is_asked_of_a_grid_in_one_place():
    oblong = dh.waves.field(RNG.normal(size=(100, 4, 5)), 100, "0.4 mm")
    oblong = oblong.assign_coords(y=("y", np.arange(4) * 0.41e-3, {"units": "m"}))
    assert square_pitch(oblong.assign_coords(y=oblong["x"].values[:4]), "this") == pytest.approx(0.4e-3)
    for asks in (lambda: dh.neuro.fit(oblong), lambda: dh.neuro.Observation.of(oblong)):
        with pytest.raises(dh.DrumheadError, match=r"rows are 0\.00041 m apart and columns 0\.0004 m"):
            asks()
