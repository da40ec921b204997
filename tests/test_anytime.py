"""Answers before the end, and stopping when sure: against the same network run from the start."""

import pytest
import torch

import drumhead as dh
from drumhead.networks.anytime import sureness
from drumhead.physics.records import Until

WAVES = dh.Waves(channels=3, steps=9)
NETWORKS = {
    **{
        kind: dh.NWM(waves=(WAVES,), readout=kind, head=(8,), width=4, classes=3)
        for kind in ("linear", "last", "mean", "max")
    },
    "absorbing": dh.NWM(waves=(dh.Waves(steps=9, boundary="absorbing"),), head=(8,), classes=3),
    "verlet": dh.NWM(waves=(dh.Waves(steps=9, dt=0.4, integrator="verlet"),), head=(8,), classes=3),
    "gru": dh.Recurrent(cell="gru", steps=9, head=(8,), classes=3),
    "lstm": dh.Recurrent(cell="lstm", steps=9, readout="max", head=(8,), classes=3),
    "stack": dh.Stack(classes=3, waves=(dh.Layer(steps=4), dh.Layer(steps=9, stride=8, velocity="image"))),
}


def shortened(model, steps):
    """Return the logits of the network after fewer steps, by its own parts and from the start."""
    images = torch.linspace(0, 1, 4 * 3 * 15 * 13).view(4, 3, 15, 13)
    start, features = model.encode(images)
    series = model.run(start, dh.All(), model.steps)[:, :steps]
    readout = model.readout
    kept = dh.Project(readout.time_map[:, :steps]) if readout.kind == "linear" else readout.record()
    return images, model.finish(kept.of(series), features, images.shape[-2:])


@pytest.mark.parametrize("name", NETWORKS)
def test_an_early_answer_is_that_of_a_shorter_series(name):
    torch.manual_seed(3)
    model = dh.build(NETWORKS[name]).eval()
    with torch.no_grad():
        images, wanted = shortened(model, 5)
        course = model.time_course(images, (9, 5, 1))
        assert course.shape == (3, 4, 3, 15, 13)
        torch.testing.assert_close(course[1], wanted, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(course[2], model(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_stopping_early_says_what_the_time_course_said_then(name):
    torch.manual_seed(3)
    model, images = dh.build(NETWORKS[name]).eval(), torch.rand(6, 3, 15, 13)
    course = model.time_course(images, (2, 5, 9))
    sure = torch.stack([sureness(logits) for logits in course])
    between = sure[0].sort().values[2:4].mean()  # some are sure at once, others are not
    labels, steps, confidence = model.early(images, float(between), (2, 5))
    assert 2 in steps
    assert steps.max() > 2
    for i in range(6):
        when = next((k for k in range(2) if sure[k, i] >= between), 2)
        assert steps[i] == (2, 5, 9)[when]
        torch.testing.assert_close(confidence[i], sure[when, i])
        assert torch.equal(labels[i], course[when, i].argmax(0))
    labels, steps, _ = model.early(images, confidence=1.1)
    assert steps.tolist() == [9] * 6
    assert torch.equal(labels, model.segment(images))
    assert model.early(images, confidence=0).steps.tolist() == [2] * 6


def test_what_answers_only_at_its_end_says_so():
    images = torch.rand(1, 3, 16, 16)
    closed = dh.build(dh.Stack(classes=3, waves=(dh.Modes(),)))
    spectrum = dh.build(dh.NWM(waves=(WAVES,), readout="fft", head=(8,)))
    for model in (closed, spectrum):
        with pytest.raises(dh.DrumheadError, match="answers at its end alone"):
            model.time_course(images, (2,))
    assert spectrum.early(images).steps.tolist() == [9]
    for steps in ((), (0,), (10,)):
        with pytest.raises(dh.DrumheadError, match="9 steps has no answer after"):
            dh.build(NETWORKS["max"]).time_course(images, steps)


def test_until_keeps_of_the_first_steps():
    y0, kernel = torch.rand(1, 2, 5, 5), dh.laplacian(2)
    series = dh.propagate(y0, 1.0, 0.1, kernel, steps=7, dt=0.3)
    for record in (dh.Max(), dh.Mean(), dh.Last(), dh.Project(torch.rand(2, 4))):
        for backend in ("auto", "eager"):
            kept = dh.propagate(y0, 1.0, 0.1, kernel, steps=7, dt=0.3, record=Until(record, 4), backend=backend)
            torch.testing.assert_close(kept, record.of(series[:, :4]))
    with pytest.raises(dh.DrumheadError, match="1 to 7 steps are possible"):
        dh.propagate(y0, 1.0, 0.1, kernel, steps=7, dt=0.3, record=Until(dh.Max(), 8))
