"""Whole networks with and without the engine: the same logits, the same gradients."""

import pytest
import torch

import drumhead as dh
from drumhead.engine.cpu import library

pytestmark = pytest.mark.skipif(library.load() is None, reason="no C compiler")

NAMES = (
    "tetrominoes/nwm-linear", "tetrominoes/nwm-fft", "tetrominoes/nwm-last", "tetrominoes/nwm-mean",
    "tetrominoes/nwm-max", "tetrominoes/nwm-fast", "multi-mnist/nwm-linear", "mnist/lstm-linear", "polygons/cnn-4",
)  # fmt: skip


def run(model, images, backend, autocast=False):
    model.zero_grad()
    with dh.engine.using(backend), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        logits = model(images).float()
    torch.nn.functional.cross_entropy(logits, torch.zeros_like(logits[:, 0]).long()).backward()
    return logits.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", NAMES)
def test_engines_change_no_network(name):
    torch.manual_seed(0)
    model = dh.build(name)
    images = torch.rand(2, model.config.image_channels, 14, 18)
    logits, gradients = run(model, images, "auto")
    expected, wanted = run(model, images, "eager")
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert len(gradients) == len(wanted)
    for gradient, want in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, want, rtol=0, atol=1e-4 * float(want.abs().max()) + 1e-9)


def test_a_time_map_and_a_layer_become_one_where_that_is_cheaper(monkeypatch):
    kept = []
    propagate = dh.propagate.__globals__["run"]
    monkeypatch.setattr(
        "drumhead.physics.propagate.run", lambda plan, fields: kept.append(plan.keep) or propagate(plan, fields)
    )
    for name in ("tetrominoes/nwm-linear", "multi-mnist/nwm-linear", "tetrominoes/nwm-fast"):
        model = dh.build(name)
        model.segment(torch.rand(1, model.config.image_channels, 8, 8))
    assert kept == ["project", "mix", "project"]


@pytest.mark.parametrize("name", ["tetrominoes/nwm-linear", "multi-mnist/nwm-linear"])
def test_bfloat16_stays_close(name):
    torch.manual_seed(0)
    model = dh.build(name)
    images = torch.rand(2, model.config.image_channels, 16, 32)
    logits, gradients = run(model, images, "auto", autocast=True)
    expected, wanted = run(model, images, "eager")
    assert float((logits - expected).norm() / expected.norm()) < 0.05
    far = [float((a - b).norm() / b.norm()) for a, b in zip(gradients, wanted, strict=True) if b.norm() > 1e-6]
    assert sum(far) / len(far) < 0.2
