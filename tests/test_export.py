"""Exported graphs: the parts are the network, ONNX Runtime says what torch says, and a stranger can run them."""

import json
import os
import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import drumhead as dh
from conftest import call, compiles, needs_whole_graphs
from drumhead.engine import using
from drumhead.networks import parity
from drumhead.networks.layers import Start
from drumhead.networks.stages import program
from drumhead.physics import spectral

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
ROOT = Path(__file__).parent.parent
pytestmark = [compiles, needs_whole_graphs, pytest.mark.timeout(900)]  # a graph takes a second or two, ten if busy
SMALL = {"image_channels": 1, "classes": 3, "start": "he"}  # logits of order one


def nwm(readout="linear", encoder="separate", **settings):
    own = {key: settings.pop(key) for key in ("skip", "norm", "bins") if key in settings}
    waves = dh.Waves(**{"channels": 3, "steps": 5} | settings)
    return dh.NWM(waves=(waves,), readout=readout, encoder=encoder, head=(7,), width=5, **own, **SMALL)


def stack(*layers, **settings):
    return dh.Stack(waves=layers, width=8, fine=4, **settings, **SMALL)


def layer(**settings):
    return dh.Layer(**{"channels": 4, "steps": 4, "bins": 3} | settings)


def cell(kind, **settings):
    return dh.Recurrent(cell=kind, steps=4, width=4, head=(6,), **settings, **SMALL)


STEM = {"encoder": "stem", "stride": 2, "skip": True, "norm": True}
NETWORKS = {
    "dense": nwm(), "wide kernel": nwm(kernel_size=5), "spectrum": nwm("fft", bins=2),
    "last": nwm("last", boundary="reflecting", kernel_size=5), "mean": nwm("mean", boundary="fixed"),
    "max": nwm("max", integrator="verlet", coupling="depthwise"), "not coupled": nwm(coupling="none"),
    "constants": nwm(omega="constant", alpha="constant", nonlinearity="linear"),
    "absorbing": nwm(boundary="absorbing"), "stem": nwm(encoder="stem"),
    "all of a stem": nwm(boundary="absorbing", integrator="verlet", courant=0.9, **STEM),
    "stack": stack(layer(stride=2), layer(stride=4, coupling="mixed", omega="constant")),
    "controls between": stack(
        dh.Attention(heads=2), layer(coupling="dense", velocity="image"), dh.Bottleneck(maps=8, stride=8),
        dh.Context(maps=8), layer(stride=8, boundary="absorbing", integrator="euler", courant=0.0)),
    "at full size": stack(layer(stride=1, coupling="none"), layer(stride=2)),
    "modes": stack(dh.Modes(channels=3, bins=2), dh.Modes(channels=3, bins=2, boundary="periodic", stride=8)),
    "modes below": stack(dh.Modes(channels=3, bins=2, boundary="reflecting", stride=2), layer(stride=2)),
    "mixed": stack(
        dh.Attention(heads=2), layer(coupling="mixed", velocity="image"), dh.Context(maps=8, stride=8),
        dh.Modes(channels=3, bins=2, boundary="periodic", stride=8)),
    "rounds": stack(layer(stride=2), rounds=3, fewest=2),
    "rounds of three layers": stack(
        dh.Attention(heads=2), layer(velocity="image"), dh.Modes(channels=3, bins=2, stride=8), rounds=2),
    "rounds of controls": stack(dh.Bottleneck(maps=8), dh.Context(maps=8, stride=8), rounds=2),
    "lstm": cell("lstm"), "gru": cell("gru", readout="fft", boundary="reflecting"),
    "rnn": cell("rnn", readout="max", boundary="fixed", kernel_size=5),
    "controls": stack(dh.Bottleneck(maps=8), dh.Context(maps=8, stride=8), dh.Attention(heads=2)),
    "cnn": dh.CNN(depth=4, width=4, head=(6,), **SMALL), "resnet": dh.ResNet(depth=4, width=4, head=(6,), **SMALL),
    "unet": dh.UNet(width=2, **SMALL),
}  # fmt: skip


def trained(config):
    """Return a network whose normalisations have statistics, as after some training."""
    model = dh.build(config).eval()
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 1.5)
    return model


def in_parts(model, images, coupling=1.0, steps=None):
    """Run the parts with torch."""
    parts = program(model)
    known = {"image": images, "coupling": images.new_tensor(coupling)}

    def run(part):
        if part is not None:
            known.update(zip(part.outputs, part(*(known[name] for name in part.inputs)), strict=True))

    run(parts.begin)
    for one in parts.layers:
        run(one.parts["medium"])
        if one.kind == "closed":
            run(one.parts["hear"])
        else:
            for t in range(steps if steps and one is parts.layers[-1] else one.facts["steps"]):
                known |= {"first": images.new_tensor(float(t == 0)), "step": torch.tensor(t, dtype=torch.int32)}
                run(one.parts["step"])
                run(one.parts["hear"])
        run(one.parts["tell"])
    run(parts.end or parts.whole)
    return known["logits"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_are_the_network(name):
    model, images = trained(NETWORKS[name]).double(), torch.rand(2, 1, 21, 34).double()
    close = 1e-6 if NETWORKS[name].flat().get("readout") == "fft" else 1e-12  # whose cosines are kept in float32
    with torch.no_grad(), using("eager"):
        logits = model(images)
        assert logits.abs().max() > 0.1
        assert (in_parts(model, images) - logits).abs().max() < close
        reads = {word for _, part in program(model).parts() for word in part.inputs}
        if "coupling" in reads:
            cut = model.cut()(images)
            assert (in_parts(model, images, coupling=0.0) - cut).abs().max() < close
            assert (cut - logits).abs().max() > 1e-3
        else:
            with pytest.raises(dh.DrumheadError, match="coupling"):
                model.cut()
        if getattr(model, "answers", lambda steps: False)(2):
            early = model(images, steps=2)
            assert (in_parts(model, images, steps=2) - early).abs().max() < close
            assert (early - logits).abs().max() > 1e-3


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
def test_modes_for_any_size_are_those_of_the_fast_transforms(boundary, monkeypatch):
    layer = dh.build(stack(dh.Modes(channels=3, bins=4, boundary=boundary))).double().layers[0]
    start = Start(torch.randn(2, 3, 5, 8).double(), torch.randn(2, 3, 5, 8).double(), None)
    with torch.no_grad():
        wanted = layer.heard(start)
        monkeypatch.setattr(spectral, "exporting", lambda: True)
        for coupling in (None, torch.ones((), dtype=torch.float64)):
            layer.stored = None
            torch.testing.assert_close(layer.heard(start, coupling), wanted, rtol=0, atol=1e-13)
        alone = layer.heard(start, torch.zeros((), dtype=torch.float64))
        assert (alone - wanted).abs().max() > 0.1
        start.y0[..., 0, 0] += 1  # which no other oscillator hears
        assert (layer.heard(start, torch.zeros((), dtype=torch.float64)) - alone)[..., 1:, 1:].abs().max() < 1e-13


@pytest.fixture(scope="module", params=["all of a stem", "mixed", "gru"])
def exported(request, tmp_path_factory):
    """Return a network, its directory and what was returned; each graph takes a second or two."""
    torch.manual_seed(0)
    model, out = trained(NETWORKS[request.param]), tmp_path_factory.mktemp("exports") / "out"
    return model, out, dh.export(model, out, name=request.param, classes=("ground", "a", "b"))


def stranger():
    """Return the function of the guide's example."""
    text = (ROOT / "docs" / "guide" / "export.md").read_text()
    space = {}
    exec(next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def listen" in block), space)
    return space["listen"]


def test_a_stranger_hears_the_same(exported):
    model, out, manifest = exported
    for shape in ((1, 1, 16, 32), (3, 1, 37, 18), (2, 1, 5, 7)):
        images = torch.rand(shape)
        with torch.no_grad(), using("eager"):
            wanted = model(images)
            logits, series = stranger()(out, images.numpy())
            assert np.abs(logits - wanted.numpy()).max() <= 1e-5 * wanted.abs().max()
            for number, found in zip(model.sounding, series, strict=True):
                waves = model.waves(images, layer=number)
                assert np.abs(found - waves.numpy()).max() <= 2e-5 * max(1.0, waves.abs().max())
    if manifest["layers"][0]["kind"] != "cell":
        cut = stranger()(out, images.numpy(), coupling=0.0)[0]
        assert np.abs(cut - model.cut()(images).detach().numpy()).max() <= 1e-5 * wanted.abs().max()
        assert np.abs(cut - logits).max() > 1e-4


def test_the_manifest_says_what_the_graphs_are(exported):
    model, out, returned = exported
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest == json.loads(json.dumps(returned))
    assert (manifest["format"], manifest["version"], manifest["drumhead"]) == ("drumhead-export", 1, dh.__version__)
    assert manifest["family"] == model.config.family
    assert manifest["image"] == {"channels": 1, "size": [64, 64]}
    assert [one["name"] for one in manifest["classes"]] == ["ground", "a", "b"]
    assert all(re.fullmatch("#[0-9a-f]{6}", one["colour"]) for one in manifest["classes"])
    kinds = {"stepped": {"medium", "step", "hear", "tell"}, "closed": {"medium", "at", "hear", "tell"}}
    kinds["cell"] = kinds["stepped"]
    graphs = [manifest["whole"], manifest["begin"], manifest["end"]]
    for number, one in zip(model.sounding, manifest["layers"], strict=True):
        parts = kinds[one["kind"]]
        assert {key for key, value in one.items() if isinstance(value, dict) or value is None} <= parts
        graphs += [one[part] for part in parts]
        own = model.at_layer(number)
        assert (one["steps"], one["dt"]) == (own.steps, own.dt)
        assert one["channels"] == getattr(own, "channels", None) or own.layer.channels
    assert {graph["file"] for graph in graphs if graph} == {*manifest["files"]}
    assert {path.name for path in out.iterdir()} == {*manifest["files"], "manifest.json", "parity.md"}
    for file, stamp in manifest["files"].items():
        assert (out / file).stat().st_size == stamp["bytes"]
    for graph in filter(None, graphs):
        proto = onnx.load(out / graph["file"])
        onnx.checker.check_model(proto, full_check=True)
        assert [one.version for one in proto.opset_import if not one.domain] == [20]
        assert not {one.domain for one in proto.opset_import} - {""}
        assert [one.name for one in proto.graph.input] == graph["inputs"]
        names = [f"{word}_next" if word in graph["inputs"] else word for word in graph["outputs"]]
        assert [one.name for one in proto.graph.output] == names
        assert not {node.op_type for node in proto.graph.node} & {"DFT", "STFT"}
        for one in proto.graph.input:
            sizes = [axis.dim_param for axis in one.type.tensor_type.shape.dim]
            free = (0, len(sizes) - 2, len(sizes) - 1) if sizes else ()
            assert all(bool(size) == (axis in free) for axis, size in enumerate(sizes)), sizes


def test_parity_is_told(exported):
    model, out, manifest = exported
    rows = manifest["parity"]["rows"]
    cut = ["parts, coupling cut"] * (model.config.family != "gru")
    early = ["parts, 2 steps"] * model.answers(2)
    assert [row["graphs"] for row in rows] == ["whole", "parts", *cut, *early] * 3
    assert len({tuple(row["images"]) for row in rows}) == 3
    assert 0 < manifest["parity"]["largest"] == max(row["difference"] for row in rows) <= manifest["parity"]["bar"]
    page = (out / "parity.md").read_text()
    assert all(f"{row['difference']:.1e}" in page for row in rows)


def test_an_older_export_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    model, out = trained(NETWORKS["cnn"]), tmp_path / "out"
    dh.export(model, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    model.layers[-1].bias.data += 1
    monkeypatch.setattr(parity, "BAR", 0.0)
    with pytest.raises(
        dh.DrumheadError,
        match=r"differ from the network by \d.* in torch float32 differs from float64 by \d\.\de-0[678] there",
    ):
        dh.export(model, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    monkeypatch.undo()
    dh.export(model, out)
    assert (out / "model.onnx").read_bytes() != before["model.onnx"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    model, link = dh.build(NETWORKS["cnn"]), tmp_path / "link"
    link.symlink_to("out")
    for _ in range(2):  # nothing is there, then an older export
        dh.export(model, link, whole_only=True)
        assert (tmp_path / "out" / "model.onnx").is_file()
        assert os.readlink(link) == "out"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out"]


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path):
    model = dh.build(NETWORKS["cnn"])
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / "out", Path("/proc/out")):
        with pytest.raises(dh.DrumheadError, match=rf"^{place} cannot be written: .+; choose another place$"):
            dh.export(model, place)


def test_files_of_others_are_not_touched(tmp_path):
    model = dh.build(NETWORKS["cnn"])
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(dh.DrumheadError, match=r"holds mine\.txt, which is no part of an export"):
        dh.export(model, tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "drumhead-export", "files": {}}))
    with pytest.raises(dh.DrumheadError, match=r"holds mine\.txt"):
        dh.export(model, tmp_path)
    with pytest.raises(dh.DrumheadError, match=r"mine\.txt"):
        dh.export(model, tmp_path / "mine.txt")
    with pytest.raises(dh.DrumheadError, match=r"got Conv2d; a network of dh\.build or"):
        dh.export(torch.nn.Conv2d(1, 1, 1), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "mine.txt"]


def test_differences_that_are_no_numbers_are_refused():
    logits = torch.ones(1, 2, 3, 3)
    assert parity.apart(logits, np.full((1, 2, 3, 3), np.nan, np.float32)) == np.inf
    assert parity.apart(logits, np.ones((1, 2, 3, 4), np.float32)) == np.inf
    assert parity.apart(10 * logits, np.full((1, 2, 3, 3), 11, np.float32)) == pytest.approx(0.1)
    assert parity.apart(logits / 10, np.full((1, 2, 3, 3), 0.2, np.float32)) == pytest.approx(0.1)


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")  # torch 2.12, of its own reader
def test_the_command_line(tmp_path, capsys):
    model, path = trained(replace(NETWORKS["unet"], classes=2)), tmp_path / "mine.safetensors"
    dh.save(model, path, task="wires", preset="wires/unet-2", classes="ground\nwire")
    assert call("export", path, "--out", tmp_path / "out", "--torch", "--whole-only") == 0
    assert capsys.readouterr().err == ""
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["name"], manifest["task"], manifest["preset"]) == ("mine", "wires", "wires/unet-2")
    assert [one["name"] for one in manifest["classes"]] == ["ground", "wire"]
    assert (manifest["layers"], manifest["begin"], manifest["end"]) == ([], None, None)
    assert {*manifest["files"]} == {"model.onnx", "model.pt2"}
    assert "model.pt2" in [row["graphs"] for row in manifest["parity"]["rows"]]
    with zipfile.ZipFile(tmp_path / "out" / "model.pt2") as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    assert not [content for content in contents if content[:2] in (b"PK", b"\x80\x02") or bytes(ROOT) in content]
    loaded, images = torch.export.load(tmp_path / "out" / "model.pt2").module(), torch.rand(1, 1, 19, 40)
    assert (loaded(images) - model(images)).abs().max() < 1e-5
    assert call("export", "nothing", "--out", tmp_path / "other") == 2
    assert "no weights at 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_what_is_not_installed_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert call("export", "wires", "--out", tmp_path / "out") == 2
    assert "export needs onnxruntime, which is not installed: pip install 'drumhead[export]'" in capsys.readouterr().err
