"""Hostile input works or gives one clear sentence: some of what `python diagnostics/fuzz.py` draws by the 100,000."""

import gzip
import importlib
import io
import json
import socket
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import drumhead as dh
from attacks import KINDS, Attack, images, make, safetensors, urls
from attacks.idx import bomb
from attacks.judge import Judge
from conftest import call
from drumhead.networks.export import check_out
from drumhead.read.images import read_image
from drumhead.settings.config import RunConfig
from drumhead.settings.text import from_dict, read_run
from drumhead.tasks import idx

COUNTS = {
    "images": 80,
    "masks": 80,
    "configs": 120,
    "idx": 300,
    "recordings": 60,
    "safetensors": 40,
    "manifests": 60,
    "urls": 80,
}


@pytest.fixture(scope="session")
def judge(tmp_path_factory):
    for name in ("torch._dynamo", "torchmetrics", "drumhead.learn.train"):  # no part of an input's time
        importlib.import_module(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", "")  # the judge gives it a home, which goes with this fixture
        yield Judge(tmp_path_factory.mktemp("sandbox"))


@pytest.mark.filterwarnings("default")  # the judge itself looks for warnings, as a user sees them
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_ends_well(judge, kind):
    ends = set()
    for number in range(COUNTS[kind]):
        with judge.place() as place:
            found = judge.meet(make(kind, 7, number, place))
        assert found.good, f"--kind {kind} --seed 7 --again {number}: {found.word}: {found.said}"
        ends.add(found.word)
    assert "worked" in ends, "nothing right was among them, so nothing is shown"
    assert kind == "urls" or len(ends) == 2, "nothing wrong was among them"


BAD = {
    "TRACEBACK": lambda place: {}["missing"],
    "MEMORY": lambda place: (_ for _ in ()).throw(MemoryError),
    "WROTE OUTSIDE": lambda place: (place / "in" / "theirs").write_text("x"),
    "UNPICKLED": lambda place: np.load(io.BytesIO(_objects()), allow_pickle=True),
    "STARTED": lambda place: __import__("subprocess").run(["true"], check=True),
    "UNCLEAR": lambda place: _complain("something is wrong"),
    "NOISE": lambda place: __import__("warnings").warn("odd", stacklevel=1),
}


def _objects():
    content = io.BytesIO()
    np.save(content, np.array([io.BytesIO, dh.DrumheadError], dtype=object))
    return content.getvalue()


def _complain(text):
    raise dh.DrumheadError(text)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("word", BAD)
def test_the_judge_sees_what_is_bad(judge, word):
    with judge.place() as place:
        assert judge.meet(Attack(lambda: BAD[word](place), ("a.png",))).word == word
        assert judge.meet(Attack(lambda: _complain("a.png is wrong"), ("a.png",))).good


def test_the_same_seed_makes_the_same_input(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "in").mkdir(parents=True)
        make("idx", 3, 5, tmp_path / name)
    one, two = (sorted(path.read_bytes() for path in (tmp_path / name / "in").rglob("a*")) for name in ("one", "two"))
    assert one == two


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    dimensions=st.sampled_from([1, 3]),
    shape=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3),
    data=st.binary(max_size=50),
    packed=st.booleans(),
)
def test_any_idx_is_read_as_its_header_says_or_refused(tmp_path, dimensions, shape, data, packed):
    content = bytes([0, 0, 8, dimensions]) + struct.pack(f">{dimensions}I", *shape[:dimensions]) + data
    path = tmp_path / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        found = idx.read(path, dimensions)
    except dh.DrumheadError as error:
        assert path.name in str(error)  # noqa: PT017
    else:
        assert found.shape == tuple(shape[:dimensions])
        assert found.tobytes() == data


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["family", "waves", "steps", "head", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.sampled_from(["family", "waves", "width", "head", "classes", "readout", "depth", "x"]), PLAIN, max_size=4
    )
)
def test_any_values_are_a_model_or_refused(values):
    try:
        found = from_dict(dh.ModelConfig, values, "file: model")
    except dh.DrumheadError as error:
        assert "file: model" in str(error)  # noqa: PT017
        assert len(str(error)) < 600  # noqa: PT017
    else:
        assert isinstance(found, dh.ModelConfig)


def refused(tmp_path, name, content, read, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(dh.DrumheadError, match=message):
        read(path)


# What was found, each by its smallest input.


def test_an_eps_named_png_starts_no_program(tmp_path):
    content = io.BytesIO()
    Image.new("L", (4, 4)).save(content, "EPS")
    refused(tmp_path, "a.png", content.getvalue(), lambda path: read_image(path, 1), "of no known image format")


def test_an_image_beyond_the_limit_is_one_sentence(tmp_path):
    claim = images.png(10_000, 9_999, 8, 0, b"")
    refused(tmp_path, "a.png", claim, lambda path: read_image(path, 1), "more than 89 million pixels")


def test_gzip_that_bursts_is_given_up(tmp_path):
    refused(tmp_path, "a.gz", bomb(300), lambda path: idx.read(path, 3), "more than 268435456 bytes")


def test_counts_whose_product_runs_over_are_refused(tmp_path):
    head = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 4)  # 2**64: nothing, in 64 bits
    refused(tmp_path, "a", head, lambda path: idx.read(path, 3), "truncated or too long")


def test_huge_counts_beside_a_zero_are_refused(tmp_path):
    head = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 0)
    refused(tmp_path, "a", head, lambda path: idx.read(path, 3), "the shape of no array")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a = " + b"[" * 3000, "not valid TOML"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
        (b"a" + b".a" * 100_000 + b" = 1", "no run's config"),
        (b'[train]\naugment = "x"', r"config\.toml\.train: train\.augment='x'"),
        (b"[model]\nsteps = 0x" + b"f" * 5000, "too long to write|wrong|unknown"),
    ],
)
def test_toml_that_no_parser_likes_is_one_sentence(tmp_path, text, message):
    refused(tmp_path, "config.toml", text, read_run, message)


def test_json_nested_too_deeply_is_no_export_and_no_config(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(dh.DrumheadError, match="no part of an export"):
        check_out(tmp_path / "out")
    header, body = safetensors.parts(safetensors.bases()[0])
    header["__metadata__"]["model"] = "[" * 100_000
    refused(tmp_path, "w.safetensors", safetensors.whole(header, body), dh.load, "carries no drumhead config")


@pytest.mark.parametrize(("name", "value"), [("width", 2**40), ("image_channels", 10**9), ("classes", 2**31)])
def test_weights_whose_config_asks_for_terabytes_take_no_memory(tmp_path, name, value):
    header, body = safetensors.parts(safetensors.bases()[0])
    config = json.loads(header["__metadata__"]["model"]) | {name: value}
    header["__metadata__"]["model"] = json.dumps(config)
    refused(tmp_path, "w.safetensors", safetensors.whole(header, body), dh.load, r"w\.safetensors: ")


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    header, body = safetensors.parts(safetensors.bases()[0])
    refused(tmp_path, "w.safetensors", safetensors.whole(header, b"\xff" * len(body)), dh.load, "are no numbers")


def test_a_dataset_of_terabytes_in_a_few_bytes_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("film", shape=(2**28, 64, 64), chunks=(64, 64, 64), dtype="f4")
    with pytest.raises(dh.DrumheadError, match="GiB are asked for"):
        dh.neuro.read(tmp_path / "a.h5", 500, "1 mm")
    assert dh.neuro.read(tmp_path / "a.h5", 500, "1 mm", stop="1 s").shape == (500, 64, 64)


def test_a_request_of_http_0_9_gets_no_page_without_headers():
    with socket.create_connection(urls.server().server_address[:2], timeout=10) as line:
        line.sendall(b"GET /\r\nHost: localhost\r\n\r\n")
        assert line.recv(99).startswith(b"HTTP/1.1 400")


def test_names_cannot_steer_the_terminal(tmp_path, capsys):
    assert call("segment", str(tmp_path / "a\n\x1b[2J\u202e.png")) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert r"a\n\x1b[2J\u202e.png" in said


def test_what_pillow_logs_of_a_damaged_tiff_is_not_printed(tmp_path, capfd):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    entry = struct.pack("<HHI", 277, 3, 1)  # SamplesPerPixel, a short
    assert content.count(entry) == 1
    at = content.index(entry) + len(entry)
    (tmp_path / "a.tif").write_bytes(content[:at] + struct.pack("<H", 99) + content[at + 2 :])
    assert call("segment", tmp_path / "a.tif", "--out", tmp_path / "out") == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_settings_of_any_length_are_one_sentence():
    for wrong in ({"train": {"seed": 10**400}}, {"model": {"family": "nwm", "waves": [{}] * 20}}):
        with pytest.raises(dh.DrumheadError) as refused:
            from_dict(RunConfig, wrong)
        assert len(str(refused.value)) < 400


def test_a_recording_without_numbers_is_named(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.full((2000, 3, 3), np.nan))
    assert call("waves", tmp_path / "a.npy", "--fs", "500", "--band", "10-30", "--out", tmp_path / "out") == 2
    assert "a.npy: no site has numbers" in capsys.readouterr().err


def test_a_pickle_of_an_odd_protocol_is_one_sentence(tmp_path):
    (tmp_path / "cp.pt").write_bytes(b"\x80\x7d}.")
    with pytest.raises(dh.DrumheadError, match="not a plain state dict"):  # and a warning would be an error here
        dh.load(tmp_path / "cp.pt", format="published")
