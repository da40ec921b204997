"""Networks: exact sizes, exact behaviour, files without loss."""

import json
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.optim.swa_utils import AveragedModel

import drumhead as dh
from conftest import makes_one_graph
from drumhead.errors import DrumheadError
from drumhead.networks.cells import GRUCell, LSTMCell
from drumhead.networks.layers import Stepped
from drumhead.networks.weights import shipped
from drumhead.settings.presets import PRESETS, get_preset, overview

# arXiv 2502.06034, counted without the time map that last, mean, max and fft never use (5,100 parameters).
PUBLISHED = {
    "tetrominoes/nwm-linear": 176_124,
    "tetrominoes/nwm-fft": 176_124 - 5_100,
    "tetrominoes/nwm-last": 150_524 - 5_100,
    "tetrominoes/nwm-mean": 150_524 - 5_100,
    "tetrominoes/nwm-max": 150_524 - 5_100,
    "mnist/nwm-linear": 176_545,
    "mnist/nwm-fft": 171_445,
    "mnist/nwm-last": 145_845,
    "mnist/nwm-mean": 145_845,
    "mnist/nwm-max": 145_845,
    "multi-mnist/nwm-linear": 54_855,
    "tetrominoes/nwm-fast": 25_228,  # ours, as documented
    # The GRU and the RNN have no cell state; the published ones count the 3,058 parameters of its encoder all the same.
    "tetrominoes/lstm-linear": 151_046,
    "tetrominoes/lstm-fft": 150_826,
    "tetrominoes/lstm-last": 145_706,
    "tetrominoes/gru-linear": 151_046 - 74 - 3_058,
    "tetrominoes/rnn-linear": 151_046 - 220 - 3_058,
    "mnist/lstm-linear": 151_467,
    "mnist/lstm-fft": 151_247,
    "mnist/lstm-last": 146_347 - 220,
    **{f"tetrominoes/cnn-{n}": s for n, s in ((2, 159_502), (4, 164_142), (8, 173_422), (16, 191_982), (32, 229_102))},
    **{f"mnist/cnn-{n}": s for n, s in ((2, 160_499), (4, 165_139), (8, 174_419), (16, 192_979), (32, 230_099))},
    **{f"multi-mnist/unet-{n}": s for n, s in ((2, 30_745), (3, 68_834), (4, 122_071), (5, 190_456))},
}


WAVES = [name for name, run in PRESETS.items() if isinstance(run.model, dh.NWM)]


def conv(inner, outer, side, bias=True):
    return inner * outer * side**2 + outer * bias


def expected_size(m):
    """Count the parameters from the description alone."""
    (waves,) = m.waves
    if m.encoder == "separate":
        middle = conv(m.width, m.width, 3)
        ends = conv(m.image_channels, m.width, 3) + conv(m.width, waves.channels, 3)
        total = 2 * (ends + middle) + ends + 2 * middle
    else:
        total = conv(m.image_channels, m.width, 3, bias=False) + 2 * conv(m.width, m.width, 3, bias=False)
        total += 3 * 2 * m.width + conv(m.width, 3 * waves.channels, 1)
    total += 9 * waves.channels * (waves.channels if waves.coupling == "dense" else 1)
    features = dict.fromkeys(("linear", "fft"), m.bins or waves.steps // 2 + 1).get(m.readout, 1)
    total += features * waves.steps if m.readout == "linear" else 0
    inner = features * waves.channels + m.width * m.skip
    total += 2 * inner * m.norm
    for outer in (*m.head, m.classes * waves.stride**2):
        total, inner = total + conv(inner, outer, 1), outer
    return total


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_with_its_exact_size(name):
    model = dh.build(name)
    size = sum(p.numel() for p in model.parameters())
    if name in WAVES:
        assert size == expected_size(model.config)
    if name in PUBLISHED:
        assert size == PUBLISHED[name]


@pytest.mark.parametrize("name", ["lstm-linear", "gru-fft", "rnn-max", "lstm-last", "gru-mean", "cnn-4", "unet-2"])
@pytest.mark.parametrize("size", [(7, 12), (16, 33)])
def test_baselines_run_at_any_size_and_train_every_parameter(name, size):
    model = dh.build(f"tetrominoes/{name}")
    images = torch.rand(2, 3, *size)
    logits = model(images)
    assert logits.shape == (2, 6, *size)
    F.cross_entropy(logits, torch.randint(0, 6, (2, *size))).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.courant(images) is None
    if name.startswith(("cnn", "unet")):
        with pytest.raises(dh.DrumheadError, match="has no waves"):
            model.waves(images)
    else:
        assert model.waves(images).shape == (2, 20, 2, *size)


def test_the_lstm_cell_of_one_pixel_equals_torch():
    """On one pixel with a 1x1 kernel a convolutional cell is the ordinary one."""
    cell, ours = torch.nn.LSTMCell(3, 3), LSTMCell(dh.Recurrent(cell="lstm", channels=3, kernel_size=1))
    x, h, c = torch.randn(3, 5, 3)
    with torch.no_grad():
        ours.gates.weight.copy_(torch.cat([cell.weight_ih, cell.weight_hh], 1)[:, :, None, None])
        ours.gates.bias.copy_(cell.bias_ih + cell.bias_hh)
        got = ours(x[:, :, None, None], (h[:, :, None, None], c[:, :, None, None]))
        for a, b in zip(got, cell(x, (h, c)), strict=True):
            torch.testing.assert_close(a[:, :, 0, 0], b)


def test_the_gru_cell_of_one_pixel_equals_torch():
    """The same for one channel, where resetting before or after the weights is one; torch's u is our 1 - u."""
    cell, ours = torch.nn.GRUCell(1, 1), GRUCell(dh.Recurrent(cell="gru", channels=1, kernel_size=1))
    x, h = torch.randn(2, 5, 1)
    with torch.no_grad():
        cell.bias_hh[2:] = 0  # torch resets this bias too
        weight, bias = torch.cat([cell.weight_ih, cell.weight_hh], 1)[:, :, None, None], cell.bias_ih + cell.bias_hh
        sign = torch.tensor([1.0, -1.0])
        ours.gates.weight.copy_(weight[:2] * sign[:, None, None, None])
        ours.gates.bias.copy_(bias[:2] * sign)
        ours.candidate.weight.copy_(weight[2:])
        ours.candidate.bias.copy_(bias[2:])
        (got,) = ours(x[:, :, None, None], (h[:, :, None, None],))
        torch.testing.assert_close(got[:, :, 0, 0], cell(x, h))


@pytest.mark.parametrize("readout", ["linear", "fft", "last", "mean", "max"])
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (7, 12), (16, 16)])
def test_every_readout_runs_at_any_size_and_trains_every_parameter(readout, fast, size):
    name = "tetrominoes/nwm-fast" if fast else "tetrominoes/nwm-linear"
    settings = {"readout": readout, "bins": 0, "steps": 9}
    model = dh.build(PRESETS[name].model.changed(**settings))
    images = torch.rand(2, 3, *size)
    logits = model(images)
    assert logits.shape == (2, 6, *size)
    F.cross_entropy(logits, torch.randint(0, 6, (2, *size))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # One pixel on a torus feels a Laplacian as zero, and a ReLU may be silent there.
        assert size == (1, 1) or parameter.grad.any(), name
    labels = model.segment(images)
    assert labels.dtype == torch.int64
    assert labels.shape == (2, *size)


def test_waves_are_what_the_readout_hears():
    model = dh.build("tetrominoes/nwm-last").eval()
    images = torch.rand(2, 3, 10, 12)
    waves, (omega, alpha, y0) = model.waves(images), model.medium(images)
    assert waves.shape == (2, 100, 2, 10, 12)
    assert omega.shape == alpha.shape == y0.shape == (2, 2, 10, 12)
    assert (omega >= 0).all()
    assert (alpha >= 0).all()
    torch.testing.assert_close(model.head(waves[:, -1], images.shape[-2:]), model(images))
    assert model.waves(images, steps=7).shape[1] == 7


def test_looking_leaves_the_model_as_it_was():
    model = dh.build("tetrominoes/nwm-fast").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.segment(torch.rand(2, 3, 8, 8))
    model.courant(torch.rand(2, 3, 8, 8))
    assert model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name  # running statistics of the normalisation included


@pytest.mark.parametrize("coupling", ["depthwise", "dense"])
def test_a_bounded_medium_cannot_pass_the_stable_limit(coupling):
    model = dh.build(PRESETS["tetrominoes/nwm-fast"].model.changed(coupling=coupling))
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        for _ in range(3):
            model.kernel.mul_(30).add_(torch.randn_like(model.kernel))
            for parameter in model.encoder.parameters():
                parameter.mul_(3)
            assert model.courant(images) <= 0.9 + 1e-6
        if coupling == "dense":  # all channels listen to one: large rows and columns that differ
            model.kernel.zero_()[:, 0] = 50
            assert model.courant(images) <= 0.9 + 1e-6
    free = dh.build("tetrominoes/nwm-linear")
    with torch.no_grad():
        free.kernel.mul_(1000)
    assert free.courant(images) > 1  # reported, not hidden


def test_a_cut_coupling_leaves_only_the_neighbourhood():
    cut = PRESETS["tetrominoes/nwm-fast"].model.changed(coupling="none", norm=False)
    whole = PRESETS["tetrominoes/nwm-fast"].model.changed(norm=False)
    for config, reaches in ((cut, False), (whole, True)):
        model = dh.build(config).double().eval()
        image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
        other = image.clone()
        other[..., 32, 32] += 0.5
        moved = (model(image) - model(other)).abs().amax((0, 1)) > 1e-12
        far = moved.clone()
        far[26:39, 26:39] = False
        assert moved.any()
        assert bool(far.any()) is reaches


@pytest.mark.parametrize("name", ["tetrominoes/nwm-fft", "mnist/nwm-fast"])
def test_save_and_load_lose_nothing(name, tmp_path):
    model = dh.build(name)
    dh.save(model, tmp_path / "w.safetensors", note="a note")
    again = dh.load(tmp_path / "w.safetensors")
    assert again.config == model.config
    assert not again.training
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key])
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def compiled(model):
    return torch.compile(model, backend="eager")


def compiled_in_part(model):
    model.head.layers[0] = compiled(model.head.layers[0])
    model.head = compiled(model.head)
    return model


def of_fabric(model):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    return Fabric(accelerator="cpu", devices=1, plugins=LightningEnvironment()).setup(model)  # as training makes it


def shared_among_processes(model):
    return nn.parallel.DistributedDataParallel(model)


@pytest.fixture(scope="module")
def one_process():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    "wrap",
    [
        [compiled], [compiled_in_part], [nn.DataParallel], [shared_among_processes], [AveragedModel], [of_fabric],
        [nn.SyncBatchNorm.convert_sync_batchnorm], [compiled, shared_among_processes, compiled, AveragedModel],
    ],
)  # fmt: skip
def test_a_wrapped_network_is_saved_like_itself(wrap, one_process, tmp_path):
    model = dh.build("tetrominoes/nwm-fast")
    wanted = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    for make in wrap:
        model = make(model)
    dh.save(model, tmp_path / "w.safetensors")
    assert torch.equal(torch.get_rng_state(), random)
    again = dh.load(tmp_path / "w.safetensors").state_dict()
    assert list(again) == list(wanted)
    assert all(torch.equal(again[name], wanted[name]) for name in wanted)


def test_tied_weights_are_saved_as_two(tmp_path):
    model = dh.build("tetrominoes/nwm-last")
    model.head.layers[3] = model.head.layers[1] = nn.ReLU(inplace=True)  # which changes no answer
    model.head.layers[4].weight = model.head.layers[2].weight
    dh.save(model, tmp_path / "w.safetensors")
    head = dh.load(tmp_path / "w.safetensors").head.layers
    assert torch.equal(head[4].weight, model.head.layers[2].weight)
    assert torch.equal(head[2].weight, model.head.layers[2].weight)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: prune.l1_unstructured(model.head.layers[0], "weight", 0.5), r"layers.0.weight.*prune\.remove"),
        (lambda model: parametrizations.weight_norm(model.head.layers[2]), "layers.2.*remove_parametrizations"),
        (lambda model: parametrize.register_parametrization(model, "kernel", nn.Identity()), "kernel"),
        (lambda model: model.head.layers.__setitem__(1, nn.LeakyReLU()), r"layers.1 is LeakyReLU.*not ReLU"),
        (lambda model: model.head.layers.append(nn.Softmax(1)), "layers.5 is Softmax.*not in this model"),
        (lambda model: model.head.layers.insert(1, nn.BatchNorm2d(64)), "layers.1.bias is not part"),
        (lambda model: model.head.layers.__setitem__(2, nn.Conv2d(64, 9, 1)), r"layers.2.weight has the shape \(9, 64"),
        (lambda model: setattr(model.encoder.features[0], "dilation", (2, 2)), "features.0 is Conv2d.*dilation"),
        (lambda model: setattr(model.head, "norm", nn.Identity()), "head.norm.bias is missing"),
    ],
)
def test_a_network_that_its_config_does_not_describe_is_not_saved(change, words, tmp_path):
    model = dh.build("tetrominoes/nwm-fast")
    change(model)
    with pytest.raises(dh.DrumheadError, match=words):
        dh.save(model, tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_runs_otherwise_is_not_saved(tmp_path):
    class Still(Stepped):
        def run(self, start, record, steps):
            return record.of(start.y0[:, None].expand(-1, steps, -1, -1, -1))

    class Named(Stepped):
        """A layer that does the same."""

    for kind, words in ((Still, r"layers\.1, Still, has a run of its own, not that of Stepped"), (Named, None)):
        model = dh.build("tetrominoes/nwm-stack")
        model.layers[1] = kind(model.layers[1].layer, width=model.config.width, coarser=model.layers[1].coarser)
        with pytest.raises(dh.DrumheadError, match=words) if words else nullcontext():
            dh.save(model, tmp_path / "w.safetensors")
        assert (tmp_path / "w.safetensors").exists() == (words is None)


@pytest.mark.parametrize("readout", ["nonsense", "linear"])
def test_a_readout_is_for_files_that_do_not_say_theirs(readout):
    with pytest.raises(dh.DrumheadError, match=f"readout='{readout}': only format='published' needs one"):
        dh.load("tetrominoes", readout=readout)


def test_only_networks_of_ours_are_saved(tmp_path):
    for model in (nn.Linear(2, 2), nn.DataParallel(nn.Linear(2, 2)), {}):
        with pytest.raises(dh.DrumheadError, match=f"save: got {type(model).__name__}; a network of dh.build"):
            dh.save(model, tmp_path / "w.safetensors")


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    dh.save(dh.build("tetrominoes/nwm-fast"), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(dh.DrumheadError, match=r"w\.safetensors is not a readable"):
        dh.load(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(dh.DrumheadError, match="carries no drumhead config"):
        dh.load(path)
    config = json.dumps({"family": "nwm", "wings": 2})
    save_file({"a": torch.zeros(1)}, path, {"format": "drumhead", "model": config})
    with pytest.raises(dh.DrumheadError, match="unknown setting wings"):
        dh.load(path)
    save_file({"a": torch.zeros(1)}, path, {"format": "drumhead", "model": "{}"})
    with pytest.raises(dh.DrumheadError, match=r"tensor a is not part of this model"):
        dh.load(path)


def test_a_network_is_written_in_the_same_bytes_again(tmp_path):
    model = dh.build("wires/unet-2")
    about = {name: "ä" for name in "abcdefgh"}
    for name in ("one", "other"):
        dh.save(model, tmp_path / name, **about)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert dh.load(tmp_path / "one").config == model.config


def test_networks_without_waves_say_that_they_set_no_medium():
    with pytest.raises(dh.DrumheadError, match="this unet sets no medium; networks with waves do"):
        dh.build("mnist/unet-2").medium(torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("images", [torch.rand(0, 3, 8, 8), torch.rand(1, 1, 8, 8), torch.rand(3, 8, 8)])
def test_courant_takes_images_of_the_network_alone(images):
    with pytest.raises(dh.DrumheadError, match="images: got"):
        dh.build("tetrominoes/nwm-stack").courant(images)


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_are_small_and_know_themselves(name):
    assert shipped()[name].stat().st_size < 1_000_000
    model = dh.load(name)
    assert model.segment(torch.rand(1, model.config.image_channels, 20, 20)).shape == (1, 20, 20)


@makes_one_graph
@pytest.mark.parametrize("name", ["tetrominoes/nwm-linear", "tetrominoes/nwm-fast"])
def test_models_compile_whole_graphs_for_export(name):
    model = dh.build(name).eval()
    images = torch.rand(1, 3, 12, 12)
    exported = torch.export.export(model, (images,)).module()
    torch.testing.assert_close(exported(images), model(images), atol=1e-5, rtol=1e-5)


def test_bfloat16_autocast_keeps_the_waves_in_full_precision():
    model = dh.build("tetrominoes/nwm-fast").eval()
    images = torch.rand(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = model(images)
        assert model.waves(images).dtype == torch.float32
    assert torch.isfinite(low).all()
    assert (low.float() - model(images)).abs().max() < 0.1


@pytest.mark.parametrize(("name", "least"), [("tetrominoes", 0.99), ("tetrominoes-fast", 0.98)])
def test_the_shipped_networks_hear_with_their_waves(name, least):
    """The main claim: shapes are told apart, and only with the coupling in place."""
    model = dh.load(name)
    images, masks = (array[:100] for array in dh.tasks.get("tetrominoes").arrays("test"))
    images, masks = dh.to_images(images), torch.from_numpy(masks)
    foreground = masks > 0
    heard = (model.segment(images) == masks)[foreground].float().mean()
    deaf = (model.cut().segment(images) == masks)[foreground].float().mean()
    assert heard > least
    assert deaf < 0.5


@pytest.mark.parametrize("images", [torch.full((1, 3, 8, 8), torch.nan), 255 * torch.ones(1, 3, 8, 8)])
def test_labels_need_images_that_mean_something(images):
    with pytest.raises(dh.DrumheadError, match=r"not finite or far beyond \[0, 1\]"):
        dh.build("tetrominoes/nwm-fast").segment(images)


PIXELS = {
    "too high": (torch.tensor([[0, 380]]), "got 0 to 380; flat indices 0 to 379 are needed"),
    "negative": (torch.tensor([[-1, 3]]), "got -1 to 3; flat indices 0 to 379"),
    "of two images": (torch.tensor([[0], [1]]), r"got \(2, 1\) on cpu; \(b=1, n\)"),
    "floating": (torch.tensor([[0.0, 3.0]]), r"got torch.float32 \(1, 2\); flat indices \(b, n\), int64"),
    "of one axis": (torch.tensor([0, 3]), r"got torch.int64 \(2,\)"),
    "none": (torch.zeros(1, 0, dtype=torch.int64), r"got torch.int64 \(1, 0\)"),
    "a list": ([[0, 3]], "got list"),
}
LOOKS = ["nwm-linear", "nwm-fft", "nwm-fast", "nwm-modes", "nwm-stack", "lstm-max", "unet-2", "cnn-2", "resnet-2"]


@pytest.mark.parametrize("wrong", PIXELS)
@pytest.mark.parametrize("name", LOOKS)
def test_pixels_that_an_image_does_not_have_are_refused(name, wrong):
    pixels, message = PIXELS[wrong]
    with pytest.raises(dh.DrumheadError, match=f"at: {message}"):
        dh.build(f"wires/{name}").eval()(torch.rand(1, 1, 20, 19), pixels)


@makes_one_graph
@pytest.mark.parametrize("name", LOOKS)
def test_pixels_are_not_asked_for_values_where_there_are_none(name):
    model, images, at = dh.build(f"wires/{name}").eval(), torch.rand(2, 1, 20, 19), torch.tensor([[0, 379], [5, 1]])
    logits = model(images, at)
    each = torch.func.vmap(lambda image, pixels: model(image[None], pixels[None])[0])(images, at)
    torch.testing.assert_close(each, logits)
    if name in ("unet-2", "nwm-fast"):
        torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(images, at), logits)
    model.to("meta").check(
        images.to("meta"), at.to("meta")
    )  # a tensor without values, as that of a GPU which is not waited for


MIXED = dh.Stack(image_channels=1, classes=3, waves=(dh.Attention(stride=2, heads=2), dh.Layer(stride=8)))
COARSEST = {"cnn-2": 0, "lstm-last": 0, "nwm-last": 0, "resnet-4": 1, "nwm-fast": 2, "nwm-modes": 4, "frame-pool": 4,
            "mixed": 8, "unet-2": 16}  # pixels that lie on one cell when a network normalises; 0 without  # fmt: skip


@pytest.mark.parametrize("name", COARSEST)
def test_images_too_small_to_normalise_are_refused_in_training_alone(name, monkeypatch):
    model = dh.build(MIXED if name == "mixed" else f"wires/{name}")
    for size in ((1, 1), (1, 2), (3, 1), (2, 2), (4, 4), (1, 8), (16, 16), (17, 1)):
        images = torch.rand(1, 1, *size)
        assert model.segment(images).shape == (1, *size)
        if max(size) > COARSEST[name]:
            assert model(images).shape == (1, 3, *size)
            continue
        with pytest.raises(dh.DrumheadError, match=r"got \(1, 1, .*one value a map .*model\.eval\(\) first"):
            model(images)
        with monkeypatch.context() as patch:
            patch.setattr(model, "starved", lambda _: False)
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                model(images)
        assert model(torch.cat([images, images])).shape == (2, 3, *size)
    for part in model.modules():
        part.train(not isinstance(part, nn.BatchNorm2d))
    assert model(torch.rand(1, 1, 1, 1)).shape == (1, 3, 1, 1)  # statistics that are kept


@pytest.mark.parametrize("name", ["tetrominoes/nwm-last", "tetrominoes/nwm-fast"])
def test_a_constant_medium_is_the_same_everywhere_and_learned(name):
    config = get_preset(name).model.changed(omega="constant", steps=6)
    torch.manual_seed(0)
    model = dh.build(config)
    images = torch.rand(2, 3, 10, 12)
    omega, alpha, y0 = model.medium(images)
    assert omega.shape == y0.shape
    assert (omega == omega[:1, :, :1, :1]).all()
    assert not (alpha == alpha[:1, :, :1, :1]).all()
    model(images).square().sum().backward()
    (constant,) = [p for key, p in model.named_parameters() if key.endswith("value")]
    assert constant.shape == (model.channels,)
    assert constant.grad.abs().min() > 0
    both = dh.build(config.changed(alpha="constant"))
    assert (both.medium(images).alpha == both.medium(images).alpha[:1, :, :1, :1]).all()


@pytest.mark.parametrize("name", ["tetrominoes/nwm-last", "tetrominoes/nwm-fast"])
def test_a_frozen_kernel_stays_the_laplacian(name):
    config = get_preset(name).model.changed(frozen=True, steps=6)
    model = dh.build(config)
    start = model.kernel.detach().clone()
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    model(torch.rand(2, 3, 10, 12)).square().sum().backward()
    optimizer.step()
    assert (model.kernel == start).all()
    torch.testing.assert_close(start, dh.laplacian(model.channels, dense=model.layer.coupling == "dense"))


def test_he_start_lets_the_image_reach_the_answer():
    images = torch.rand(2, 3, 24, 24)
    for name in ("tetrominoes/cnn-8", "tetrominoes/lstm-linear", "tetrominoes/nwm-linear"):
        torch.manual_seed(0)
        usual = dh.build(get_preset(name).model)(images)
        he = dh.build(get_preset(name).model.changed(start="he"))(images)
        assert he.std((2, 3)).mean() > 20 * usual.std((2, 3)).mean(), name
    gates = dh.build(get_preset("tetrominoes/lstm-last").model.changed(start="he")).cell.gates.weight
    assert gates.abs().max() <= 1 / (4 * 9) ** 0.5  # torch's bound


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frozen": True, "coupling": "none"}, "leave one"),
        ({"omega": "zero"}, "model.omega"),
    ],
)
def test_ablations_that_mean_nothing_are_refused(changes, words):
    with pytest.raises(DrumheadError, match=words):
        dh.NWM().changed(**changes)


def test_the_overview_names_every_preset():
    lines = overview().splitlines()
    tasks = {word.strip() for word in lines[lines.index("TASK") + 1].split(",")}
    networks = set()
    for line in lines[lines.index("NETWORK") + 1 :]:
        family, _, kinds = line.split()[0].rstrip("}").partition("{")
        networks |= {family + kind for kind in kinds.split(",")}
    assert {f"{task}/{network}" for task in tasks for network in networks} == set(PRESETS)
