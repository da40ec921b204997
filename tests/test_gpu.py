"""What only a GPU can show: networks as on the processor, training in CUDA graphs, planes too large for the chip."""

import subprocess
import sys
from dataclasses import replace
from typing import get_args

import pytest
import torch

import drumhead as dh
from drumhead.learn import train, training
from drumhead.learn.graphs import capture
from drumhead.settings.config import Modes, RunConfig, Stack, TrainConfig
from drumhead.settings.layers import Edge
from drumhead.settings.presets import get_preset

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
ONCE = ("nwm-linear", "nwm-fft", "nwm-max", "nwm-fast", "lstm-linear", "cnn-4", "resnet-4", "unet-2", "nwm-stack",
        "nwm-modes", "frame-7x7", "frame-pool", "frame-attention")  # fmt: skip
ROUNDS = ("nwm-rounds", "frame-rounds")


@pytest.fixture
def exact():
    """Round like the processor."""
    usual, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    yield
    torch.backends.cudnn.allow_tf32 = usual


def answers(model, images, labels):
    model.zero_grad()
    logits = model(images)
    torch.nn.functional.cross_entropy(logits, labels).backward()
    return [logits.detach().cpu(), *(p.grad.cpu().clone() for p in model.parameters() if p.grad is not None)]


def close(got, expected, tolerance):
    for a, b in zip(got, expected, strict=True):
        assert float((a - b).abs().max()) <= tolerance * max(float(b.abs().max()), 1e-3)


@needs_gpu
@pytest.mark.parametrize("name", ONCE + ROUNDS)
def test_gpu_networks_are_those_of_the_processor(name, exact):
    model = dh.build(f"tetrominoes/{name}")
    model.varies = False
    images, labels = torch.rand(3, 3, 32, 32), torch.randint(6, (3, 32, 32))
    expected = answers(model, images, labels)
    got = answers(model.cuda(), images.cuda(), labels.cuda())
    close(got, expected, 2e-3)


@needs_gpu
@pytest.mark.parametrize("name", ONCE)
def test_gpu_graphs_replay_the_same_network(name, exact):
    model = dh.build(f"tetrominoes/{name}").cuda().train()
    other = dh.build(f"tetrominoes/{name}").cuda().train()
    other.load_state_dict(model.state_dict())
    images, labels = torch.rand(4, 3, 32, 32).cuda(), torch.randint(6, (4, 32, 32)).cuda()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert capture(model, images)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    optimizers = [torch.optim.SGD(net.parameters(), 0.01) for net in (model, other)]
    for _ in range(3):
        images = torch.rand_like(images)
        close(answers(model, images, labels), answers(other, images, labels), 2e-3)
        for optimizer in optimizers:
            optimizer.step()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[key], rtol=1e-4, atol=1e-5)
    model.eval(), other.eval()
    torch.testing.assert_close(model(images[:1]), other(images[:1]), rtol=1e-3, atol=1e-4)  # another batch


@needs_gpu
@pytest.mark.parametrize("name", ONCE + ROUNDS)
def test_gpu_answers_are_those_of_the_processor(name, exact):
    model, images = dh.build(f"tetrominoes/{name}").eval(), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        expected = model(images)
        got = model.cuda()(images.cuda()).cpu()
    close([got], [expected], 1e-3)


@needs_gpu
@pytest.mark.parametrize("boundary", get_args(Edge))
def test_gpu_closed_form_is_that_of_the_processor(boundary):
    model, images = dh.build(Stack(waves=(Modes(boundary=boundary),))).eval(), torch.rand(2, 3, 40, 56)
    with torch.no_grad():
        expected = model.waves(images)
        got = model.cuda().waves(images.cuda()).cpu()
    close([got], [expected], 1e-4)


@needs_gpu
def test_gpu_planes_too_large_have_gradients(exact):
    fields = {key: torch.rand(1, 16, 96, 96).cuda().requires_grad_() for key in ("y0", "omega", "alpha")}
    kernel = (0.05 * torch.randn(16, 16, 3, 3)).cuda().requires_grad_()
    inputs = [*fields.values(), kernel]

    def gradients(backend):
        out = dh.propagate(**fields, kernel=kernel, steps=30, dt=0.2, record=dh.Mean(), backend=backend)
        return torch.autograd.grad(out.square().sum(), inputs)

    close(gradients("cuda"), gradients("eager"), 1e-4)


def tiny(**changes):
    settings = TrainConfig(epochs=2, batch=8, limit=64, thin=8, clip=1.0, accelerator="cuda")
    return RunConfig("tetrominoes/unet-2", "tetrominoes", "", get_preset("tetrominoes/unet-2").model,
                     replace(settings, **changes))  # fmt: skip


@needs_gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gpu_training_learns(tmp_path, precision):
    run = train.start(tiny(epochs=6, precision=precision), tmp_path / "run")
    rows = run.rows()
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]


@needs_gpu
def test_gpu_training_resumes(tmp_path, monkeypatch):
    once = train.start(tiny(), tmp_path / "once")
    close_epoch = training.Training._close_epoch

    def close_then_stop(self):
        close_epoch(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Training, "_close_epoch", close_then_stop)
    with pytest.raises(KeyboardInterrupt):
        train.start(tiny(), tmp_path / "twice")
    monkeypatch.setattr(training.Training, "_close_epoch", close_epoch)
    twice = train.resume(tmp_path / "twice")
    # Not to the bit: cuDNN adds some gradients in an order that changes.
    assert twice.rows()[-1]["val_loss"] == pytest.approx(once.rows()[-1]["val_loss"], rel=0.02)


@needs_gpu
def test_gpu_graphs_can_be_declined(monkeypatch):
    model, images = dh.build("tetrominoes/nwm-fast").cuda(), torch.rand(4, 3, 32, 32).cuda()
    monkeypatch.setenv("DRUMHEAD_GRAPHS", "0")
    assert not capture(model, images)


@pytest.mark.parametrize("newer", [False, True])
def test_waves_are_exact_however_tf32_was_allowed(newer):
    code = f"""
import torch
from drumhead.engine.gpu.cuda import _no_tf32
if {newer}:
    torch.backends.cudnn.conv.fp32_precision = "tf32"
else:
    torch.backends.cudnn.allow_tf32 = True
torch.set_float32_matmul_precision("high")
state = lambda: [torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision]
usual = state()
with _no_tf32():
    inside = state()
assert state() == usual, (usual, state())
assert "tf32" not in inside, inside
"""
    if not hasattr(torch.backends.cudnn, "conv"):
        pytest.skip("torch before 2.9 has one way only")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_more_images_an_epoch_than_there_are(tmp_path):
    config = tiny(epochs=1, epoch_images=20, limit=8, batch=16, accelerator="cpu")
    assert train.start(config, tmp_path / "run").rows()[-1]["images"] == 16


def test_graphs_are_for_gpus(monkeypatch):
    model, images = dh.build("tetrominoes/nwm-fast"), torch.rand(4, 3, 32, 32)
    assert not capture(model, images)
    monkeypatch.setenv("DRUMHEAD_GRAPHS", "yes")
    with pytest.raises(dh.DrumheadError, match="DRUMHEAD_GRAPHS='yes': 0 or 1 is needed"):
        capture(model, images)
