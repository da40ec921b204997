"""Recordings: .npy with objects or lying headers, HDF5, Zarr, TIFF and NWB that are damaged or claim terabytes."""

import functools
import io
import pickle
import struct
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from attacks import Attack
from attacks.damage import EDGES, bytes_of, damaged

CLI = 150  # one input in so many is analysed to its report
HEADERS = (
    "{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}",
    "{{'descr': {descr!r}, 'shape': {shape}}}",
    "{{'descr': [('a', '{descr}'), ('b', '{descr}', {shape})], 'fortran_order': {order}, 'shape': {shape}, }}",
    "{shape}",
    "[{shape}" * 500,
    "(" * 3000,
    "__import__('os').system('true')",
    "{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\0",
)
DESCR = (
    "<f4",
    "<f4",
    ">f8",
    "|O",
    "|u1",
    "<i8",
    "<c16",
    "|b1",
    "<U9999999",
    "|V0",
    "<M8[s]",
    "|S4",
    "<f2",
    "<f16",
    "x",
    "<f4,<f4",
)
RUNS = (None, "500 Hz", "500", 500.0, "nan", "1e308 Hz", "0 Hz", "-5", "5 mm")


class Bomb:
    """What runs `print` when it is unpickled, which an audit hook hears."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("the bomb went off",)


def npy(random: Random) -> bytes:
    """Return a .npy file by its own header."""
    shape = tuple(
        random.choice((0, 1, 4, 5, 60, 60, *EDGES, -1, 10**30)) for _ in range(random.choice((0, 1, 2, 3, 3, 3, 40)))
    )
    if random.randrange(2):
        shape = random.choice(((60, 4, 5), (60, 9), (2, 1, 1), (60, 0, 5)))
    text = random.choice(HEADERS[:3] if random.randrange(4) else HEADERS).format(
        descr=random.choice(DESCR), order=random.choice(("False", "False", "True", "1", "None")), shape=shape
    )
    head = (text + " " * random.choice((0, 20)) + "\n").encode("latin-1")
    version = random.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    size = random.choice((len(head), len(head), len(head), random.choice(EDGES))) % 2 ** (
        16 if version == (1, 0) else 32
    )
    length = struct.pack("<H" if version == (1, 0) else "<I", size)
    return (
        b"\x93NUMPY"
        + bytes(version)
        + length
        + head
        + random.choice((bytes(4800), b"", bytes(7), pickle.dumps(Bomb())))
    )


@functools.cache
def bases() -> dict[str, tuple[bytes, ...]]:
    """Return right files of every kind, made once."""
    import h5py
    import numpy as np
    import tifffile

    film = np.random.default_rng(0).normal(size=(60, 4, 5)).astype(np.float32)

    def written(ending: str, write: Callable[[Path], object]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"a{ending}")
            write(path)
            return path.read_bytes()

    def saved(write: Callable[[io.BytesIO], object]) -> bytes:
        content = io.BytesIO()
        write(content)
        return content.getvalue()

    def hdf5(path: Path, **options: Any) -> None:
        with h5py.File(path, "w") as file:
            made = file.create_dataset("deep/film", data=film, **options)
            made.attrs.update({"fs": 500.0, "pitch": "0.4 mm"})

    def terabytes(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("film", shape=(2**28, 64, 64), chunks=(64, 64, 64), dtype="f4").attrs["fs"] = 500.0

    def links(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["a/up"] = h5py.SoftLink("/a")
            file["b"] = h5py.ExternalLink("/etc/hostname", "/x")
            file["c"] = np.array([b"x", b"y"], dtype=object).astype("S1")
            file.create_dataset("d", data=film).attrs["fs"] = np.array(["500 Hz"], dtype=h5py.string_dtype())[0]

    bomb = np.array([[Bomb(), Bomb()]], dtype=object)
    lone = saved(lambda file: np.save(file, film))
    return {
        ".npy": (
            lone,
            saved(lambda file: np.savez(file, a=film, b=film)),
            saved(lambda file: np.save(file, bomb)),
            saved(lambda file: np.savez(file, bomb)),
            pickle.dumps(Bomb()),
            saved(lambda file: np.save(file, film * np.nan)),
        ),
        ".h5": (
            written(".h5", hdf5),
            written(
                ".h5", lambda path: hdf5(path, chunks=(8, 4, 5), compression="gzip", shuffle=True, fletcher32=True)
            ),
            written(".h5", terabytes),
            written(".h5", links),
        ),
        ".tif": (
            written(".tif", lambda path: tifffile.imwrite(path, film, metadata={"axes": "TYX"})),
            written(".tif", lambda path: tifffile.imwrite(path, film, compression="zlib", metadata={"axes": "TYX"})),
            written(
                ".tif",
                lambda path: tifffile.imwrite(
                    path, film, imagej=True, metadata={"axes": "TYX", "finterval": 0.002, "tunit": "sec"}
                ),
            ),
            written(".tif", lambda path: tifffile.imwrite(path, film[0])),
            lone,
        ),
        ".nwb": (written(".nwb", nwb), written(".nwb", lambda path: nwb(path, places=False)), written(".h5", hdf5)),
    }


def nwb(path: Path, places: bool = True) -> None:
    """Write a small NWB file with electrodes."""
    import numpy as np
    import pynwb

    file = pynwb.NWBFile("a test", "id", datetime(2026, 1, 1, tzinfo=UTC))
    group = file.create_electrode_group("group", "a grid", "cortex", file.create_device("array"))
    for name in ("rel_y", "rel_x") if places else ():
        file.add_electrode_column(name, "in µm")
    for i in range(6):
        where = {"rel_y": 400.0 * (i // 3), "rel_x": 400.0 * (i % 3)} if places else {}
        file.add_electrode(location="cortex", group=group, **where)
    data = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    region = file.create_electrode_table_region(list(range(6)), "all")
    file.add_acquisition(pynwb.ecephys.ElectricalSeries(name="lfp", data=data, electrodes=region, rate=500.0))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def attack(random: Random, folder: Path) -> Attack:
    """Return a recording and what reads it."""
    from drumhead import cli
    from drumhead.neuro.recording import read

    ending = random.choice(
        (".npy",) * 12 + (".h5", ".h5", ".tif", ".tif", ".zarr") + (".nwb",) * (random.randrange(3) == 0)
    )
    path = folder / "in" / f"film{ending}"
    if ending == ".zarr":
        _zarr(random, path)
    elif ending == ".npy" and random.randrange(3):
        path.write_bytes(npy(random))
    else:
        data = random.choice(bases()[ending]) if random.randrange(30) else bytes_of(random, 300)
        path.write_bytes(damaged(random, data))
    if random.randrange(CLI) == 0:
        rest = ["--fs", "500", "--pitch", "0.4mm", "--n", "19", "--no-fit", "--out", str(folder / "out" / "o")]
        return Attack(
            lambda: cli.main(["waves", str(path), "--band", "20-60", *rest]), (path.name, "fs", "pitch", "band", "--")
        )
    if random.randrange(9) == 0:
        good = folder / "in" / "flat.npy"
        good.write_bytes(_flat())
        from drumhead.cli.waves_of_recording import Reading
        from drumhead.cli.waves_of_recording import read as look

        asked = Reading(good, "500", "", "", "", "", (), path, "tyx")
        return Attack(lambda: look(asked), ("--at", "at:", "at=", "flat.npy", "sites", "place"))
    fs = random.choice((*RUNS, *["500"] * 30))
    pitch = random.choice((None, *["0.4 mm"] * 12, "nan", "5 Hz", -1.0))
    more = random.choice(
        ({}, {}, {"start": "0 s", "stop": "0.1 s"}, {"order": "yxt"}, {"bad": [0]}, {"series": "x"}, {"series": "0"})
    )
    return Attack(
        lambda: read(path, fs, pitch, **more),
        (
            path.name,
            "fs=",
            "pitch=",
            "bad=",
            "order=",
            "start=",
            "stop=",
            "series=",
            "sampling rate",
            "sites",
            "channel",
            "site",
            "field",
        ),
    )


@functools.cache
def _flat() -> bytes:
    import numpy as np

    content = io.BytesIO()
    np.save(content, np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32))
    return content.getvalue()


def _zarr(random: Random, path: Path) -> None:
    """Write a Zarr array by hand: a file of JSON and chunks."""
    import json

    from attacks.configs import changed

    about: Any = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [60, 4, 5],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [60, 4, 5]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {"fs": 500.0},
    }
    if random.randrange(3):
        about = changed(random, about)
    if random.randrange(9) == 0 and isinstance(about, dict):
        about["shape"] = [2**40, 64, 64]
    text = json.dumps(about).encode()
    (path / "c" / "0" / "0").mkdir(parents=True)
    (path / "zarr.json").write_bytes(damaged(random, text) if random.randrange(3) == 0 else text)
    (path / "c" / "0" / "0" / "0").write_bytes(damaged(random, bytes(4800)))
