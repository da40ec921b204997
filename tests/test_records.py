"""Records equal what the whole series would give, without keeping it."""

import weakref

import pytest
import torch

import drumhead as dh
from drumhead.physics.records import BLOCK

STEPS = 45


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    y0 = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    arguments = {
        "omega": torch.rand_like(y0),
        "alpha": 0.1,
        "kernel": dh.laplacian(3).double(),
        "steps": STEPS,
        "dt": 0.3,
    }
    return lambda record: dh.propagate(y0, record=record, **arguments)


def test_all_and_its_reductions(case):
    series = case(dh.All())
    assert series.shape == (2, STEPS, 3, 5, 4)
    torch.testing.assert_close(case(dh.Every(7)), series[:, 6::7])
    assert case(dh.Every(STEPS)).shape[1] == 1
    torch.testing.assert_close(case(dh.Last()), series[:, -1])
    torch.testing.assert_close(case(dh.Mean()), series.mean(1))
    torch.testing.assert_close(case(dh.Max()), series.amax(1))


@pytest.mark.parametrize("k", [1, 5, 60])
def test_project(case, k):
    basis = torch.randn(k, STEPS, dtype=torch.float64)
    torch.testing.assert_close(case(dh.Project(basis)), torch.einsum("kt,btcyx->bkcyx", basis, case(dh.All())))


@pytest.mark.parametrize("bins", [None, 1, 4, (0, 3, STEPS // 2)])
def test_fourier(case, bins):
    expected = torch.fft.rfft(case(dh.All()), dim=1).abs()
    chosen = list(dh.Fourier(bins).indices(STEPS))
    torch.testing.assert_close(case(dh.Fourier(bins)), expected[:, chosen], atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("record", [dh.Last(), dh.Mean(), dh.Max(), dh.Fourier(), dh.Project(torch.ones(4, 400))])
def test_the_series_is_not_stored(record):
    alive: set[int] = set()
    most = 0

    def states():
        nonlocal most
        for t in range(400):
            y = torch.full((1, 1, 2, 2), float(t))
            alive.add(t)
            weakref.finalize(y, alive.discard, t)
            most = max(most, len(alive))
            yield y

    record.collect(states(), 400)
    assert most <= BLOCK + 2


def test_two_records_of_one_run_share_no_memory():
    given = {"y0": torch.rand(1, 2, 4, 4), "omega": 1.0, "alpha": 0.1, "kernel": dh.laplacian(2), "steps": 1, "dt": 0.1}
    for backend in ("eager", "auto"):
        last, again, most = dh.propagate(**given, record=(dh.Last(), dh.Last(), dh.Max()), backend=backend)
        wanted = last.clone()
        last.zero_()
        assert torch.equal(again, wanted)
        assert torch.equal(most, wanted)


def test_a_single_step_fits_every_record():
    y0 = torch.randn(1, 1, 3, 3)
    for record in (
        dh.All(),
        dh.Every(1),
        dh.Last(),
        dh.Mean(),
        dh.Max(),
        dh.Fourier(),
        dh.Project(torch.ones(2, 1)),
    ):
        assert torch.isfinite(dh.propagate(y0, 1.0, 0.0, dh.laplacian(1), steps=1, dt=0.1, record=record)).all()


@pytest.mark.parametrize("bins", [2.5, "2", True, [0, 1], (0, 0.5)])
def test_what_is_no_number_of_bins_is_refused(bins):
    with pytest.raises(dh.DrumheadError, match="give a number of bins, a tuple of them, or None for all"):
        dh.propagate(torch.rand(1, 1, 4, 4), 0.0, 0.0, dh.laplacian(1), steps=6, dt=0.1, record=dh.Fourier(bins))
