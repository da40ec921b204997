"""No load path unpickles: not by its source, and not when it is given a pickle that would run something."""

import ast
import contextlib
import io
import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import drumhead as dh
from drumhead.neuro import recording
from drumhead.settings.text import read_run
from drumhead.tasks import cache, idx

SOURCE = Path(dh.__file__).parent
MODULES = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
FORBIDDEN = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
RAN, HEARD, LISTENS = [], [], [False]


class Bomb:
    def __reduce__(self):
        return RAN.append, ("the bomb went off",)


def hear(event, given):
    if event == "pickle.find_class" and LISTENS[0]:
        HEARD.append(given)


sys.addaudithook(hear)  # it cannot be taken away, so it listens only where a test asks


@contextlib.contextmanager
def nothing_is_unpickled():
    RAN.clear()
    HEARD.clear()
    LISTENS[0] = True
    try:
        yield
    finally:
        LISTENS[0] = False
    assert not RAN, "a payload ran"
    assert not HEARD, f"unpickled: {HEARD}"


def name_of(node):
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def mistakes(text):
    """Return the calls and imports of a source that could unpickle."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] * (node.module.partition(".")[0] in MODULES)
            found += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if alias.name == "load" and node.module in ("torch", "numpy", "joblib")
            ]
        elif isinstance(node, ast.Call):
            name = name_of(node.func)
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            option, safe = FORBIDDEN.get(name, (None, None))
            if name == "joblib.load" or (
                (option == "weights_only" and given.get(option) is not safe)
                or (option == "allow_pickle" and given.get(option, safe) is not safe)
                or given.get("allow_pickle") is True
                or given.get("weights_only") is False
            ):  # torch's default changed between versions
                found.append(name)
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_source_can_unpickle(path):
    assert not mistakes(path.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from joblib import load", "joblib.load(x)", "torch.load(x)",
        "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)", "from torch import load",
        "import numpy as n; n.load(x, allow_pickle=True)",
    ],
)  # fmt: skip
def test_the_scan_sees_what_could(text):
    assert mistakes(text)


def saved(write):
    content = io.BytesIO()
    write(content)
    return content.getvalue()


def zipped():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"classifier.cell.Wy.weight": Bomb()}, 2))
        file.writestr("archive/version", "3\n")
        file.writestr("archive/byteorder", "little")
    return content.getvalue()


OBJECTS = np.array([[Bomb(), Bomb()]] * 3, dtype=object)
BOMBS = {
    "objects.npy": lambda: saved(lambda file: np.save(file, OBJECTS)),
    "objects.npz": lambda: saved(lambda file: np.savez(file, OBJECTS)),
    "pickle": lambda: pickle.dumps(Bomb()),
    "pickle of tensors": lambda: pickle.dumps({"classifier.cell.Wy.weight": Bomb()}, 2),
    "zip of torch": zipped,
    "old file of torch": lambda: saved(lambda file: torch.save(Bomb(), file, _use_new_zipfile_serialization=False)),
}


def cached(path):
    """Read through the cache of drawn arrays, which draws anew what it cannot take."""
    place = cache.cache_dir() / "tasks"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"x-{cache._digest(())}.npy").write_bytes(path.read_bytes())
    assert cache.kept(["x"], lambda: [np.zeros(3)])[0].shape == (3,)
    raise dh.DrumheadError("drawn anew")


def places(path):
    from drumhead.cli.waves_of_recording import _places

    _places(path)


LOADERS = {
    "weights.safetensors": dh.load,
    "cp.pt": lambda path: dh.load(path, format="published"),
    "film.npy": lambda path: recording.read(path, 500, "1 mm"),
    "film.h5": lambda path: recording.read(path, 500, "1 mm"),
    "film.tif": lambda path: recording.read(path, 500, "1 mm"),
    "film.nwb": lambda path: recording.read(path, 500, "1 mm"),
    "at.npy": places,
    "train-images-idx3-ubyte": lambda path: idx.read(path, 3),
    "config.toml": read_run,
    "x.npy": cached,
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_pickle_in_place_of_any_file_is_refused_and_never_runs(tmp_path, monkeypatch, name, bomb):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    content = BOMBS[bomb]()
    path = tmp_path / name
    path.write_bytes(content)
    with nothing_is_unpickled(), pytest.raises(dh.DrumheadError):
        LOADERS[name](path)


def test_the_bomb_goes_off_where_it_is_unpickled():
    RAN.clear()
    pickle.loads(pickle.dumps(Bomb()))
    assert RAN or "test_pickle" in str(sys.modules.get("test_pickle"))
    with pytest.raises(AssertionError, match=r"payload|unpickled"), nothing_is_unpickled():
        np.load(io.BytesIO(BOMBS["objects.npy"]()), allow_pickle=True)


def test_right_files_are_read_without_unpickling(tmp_path):
    film = np.random.default_rng(0).normal(size=(60, 4, 5))
    np.save(tmp_path / "film.npy", film)
    model = dh.build(dh.NWM(waves=(dh.Waves(channels=1, steps=4),), width=2, head=(3,)))
    dh.save(model, tmp_path / "weights.safetensors")
    with nothing_is_unpickled():
        assert recording.read(tmp_path / "film.npy", 500, "1 mm").shape == (60, 4, 5)
        assert dh.load(tmp_path / "weights.safetensors").steps == 4
        assert json.loads((SOURCE / "reproduce" / "costs.json").read_text())
