"""Weights of the published code: a second implementation of its forward pass gives the same logits."""

import pickle

import pytest
import torch
import torch.nn.functional as F

import drumhead as dh

C, WIDTH, CLASSES, STEPS, HEAD = 2, 16, 6, 100, 256


def published_state(readout, head=(HEAD,) * 3):
    """Random weights under the names of the published classes."""
    state = {}

    def layer(name, *shape, bias=True):
        fan_in = torch.Size(shape[1:]).numel()
        state[f"classifier.{name}.weight"] = torch.randn(shape) / fan_in**0.5
        if bias:
            state[f"classifier.{name}.bias"] = 0.1 * torch.randn(shape[0])

    for name, depth in (("omega_encoder", 3), ("alpha_encoder", 3), ("hy_encoder", 4)):
        widths = [3] + [WIDTH] * (depth - 1) + [C]
        for i in range(depth):
            layer(f"{name}.{2 * i}", widths[i + 1], widths[i], 3, 3)
    layer("cell.Wy", C, C, 3, 3, bias=False)
    layer("fc_time", STEPS // 2 + 1, STEPS, bias=False)
    widths = [C * (STEPS // 2 + 1) if readout in ("linear", "fft") else C, *head, CLASSES]
    for i in range(len(widths) - 1):
        layer(f"fc_readout.{2 * i}", widths[i + 1], widths[i])
    return state


def published_logits(state, images, readout):
    """The published forward pass from its description: pixels as rows, the head as linear layers."""
    w = {name.removeprefix("classifier."): tensor for name, tensor in state.items()}

    def encode(name, depth, last):
        x = images
        for i in range(depth):
            x = F.conv2d(x, w[f"{name}.{2 * i}.weight"], w[f"{name}.{2 * i}.bias"], padding=1)
            x = torch.relu(x) if i < depth - 1 else last(x)
        return x

    omega, alpha = encode("omega_encoder", 3, torch.relu), encode("alpha_encoder", 3, torch.relu)
    y, z = encode("hy_encoder", 4, torch.tanh), torch.zeros_like(omega)
    series = []
    for _ in range(STEPS):
        push = torch.tanh(F.conv2d(F.pad(y, (1, 1, 1, 1), mode="circular"), w["cell.Wy.weight"]))
        z = z + 0.1 * (push - omega * y - alpha * z)
        y = y + 0.1 * z
        series.append(y)
    rows = torch.stack(series).permute(1, 3, 4, 0, 2)  # b, y, x, t, c
    if readout == "linear":
        rows = torch.einsum("byxtc,kt->byxkc", rows, w["fc_time.weight"]).flatten(3)
    elif readout == "fft":
        rows = torch.fft.rfft(rows, dim=3).abs().flatten(3)
    else:
        rows = {"last": rows[:, :, :, -1], "mean": rows.mean(3), "max": rows.amax(3)}[readout]
    i = 0
    while f"fc_readout.{i}.weight" in w:
        rows = F.linear(torch.relu(rows) if i else rows, w[f"fc_readout.{i}.weight"], w[f"fc_readout.{i}.bias"])
        i += 2
    return rows.permute(0, 3, 1, 2)


@pytest.mark.parametrize("readout", ["linear", "fft", "last", "mean", "max"])
@pytest.mark.parametrize("head", [(HEAD,) * 3, (32,) * 5, ()])
def test_logits_agree(readout, head, tmp_path):
    state = published_state(readout, head)
    path = tmp_path / "cp.pt"
    torch.save(state, path)
    model = dh.load(path, format="published", readout=readout)
    images = torch.rand(2, 3, 13, 13)
    expected = published_logits(state, images, readout)
    with torch.no_grad():
        torch.testing.assert_close(model(images), expected, atol=1e-5 * float(expected.abs().max()), rtol=0)
    assert not model.training


def test_wrong_files_are_refused(tmp_path):
    path = tmp_path / "cp.pt"
    with pytest.raises(dh.DrumheadError, match=r"cp\.pt does not exist"):
        dh.load(path, format="published")
    path.write_bytes(b"no zip file")
    with pytest.raises(dh.DrumheadError, match="not a plain state dict"):
        dh.load(path, format="published")
    torch.save({"classifier.something": torch.zeros(1)}, path)
    with pytest.raises(dh.DrumheadError, match=r"no tensor classifier\.cell\.Wy\.weight"):
        dh.load(path, format="published")
    torch.save(published_state("last"), path)
    with pytest.raises(dh.DrumheadError, match="fits the readouts last, mean, max, not 'linear'"):
        dh.load(path, format="published")
    state = published_state("linear")
    del state["classifier.hy_encoder.2.bias"]
    torch.save(state, path)
    with pytest.raises(dh.DrumheadError, match=r"tensor encoder\.y0\.2\.bias is missing"):
        dh.load(path, format="published")


class Attack:
    def __reduce__(self):
        return (print, ("executed",))


def test_code_in_a_file_is_not_executed(tmp_path, capsys):
    path = tmp_path / "cp.pt"
    for write in (torch.save, lambda attack, p: p.write_bytes(pickle.dumps(attack, protocol=2))):
        write({"classifier.cell.Wy.weight": Attack()}, path)
        with pytest.raises(dh.DrumheadError, match="not a plain state dict"):
            dh.load(path, format="published")
    assert "executed" not in capsys.readouterr().out


def test_foreign_tensors_are_named(tmp_path):
    state = published_state("linear") | {"classifier.decoder.0.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "cp.pt")
    with pytest.raises(dh.DrumheadError, match=r"tensor decoder\.0\.weight is not part of this model"):
        dh.load(tmp_path / "cp.pt", format="published")
