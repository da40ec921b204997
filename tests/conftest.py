import os
from pathlib import Path

import numpy as np
import pytest
import torch

from drumhead.networks.export import makes_whole_graphs

BESIDE = Path(__file__).parents[2] / "shared" / "data"  # of checkouts that lie side by side, as in the Makefile
if (BESIDE / "mnist").is_dir():
    os.environ.setdefault("DRUMHEAD_DATA", str(BESIDE))
torch.set_num_threads(1)  # pytest-xdist fills the cores


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def call(*arguments):
    """Run the command line and return its exit code."""
    from drumhead import cli

    try:
        cli.main([str(a) for a in arguments])
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0 if leave.code is None else 1
    return 0


def mnist_at_hand() -> bool:
    from drumhead.tasks import idx

    return idx.find() is not None


def rounds() -> bool:
    from drumhead.engine.cpu import library

    return library.load() is not None and library.isa() == "avx512-bf16"


compiles = pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")  # than on 3.13.1
needs_whole_graphs = pytest.mark.skipif(not makes_whole_graphs(), reason="this torch makes no graph of a whole network")


def makes_one_graph(test):
    """Mark a test that has torch compile a whole network."""
    return compiles(needs_whole_graphs(test))


needs_bfloat16 = pytest.mark.skipif(not rounds(), reason="nothing is rounded: the engine has no bfloat16 products here")
needs_mnist = pytest.mark.skipif(not mnist_at_hand(), reason="MNIST's IDX files are not on this machine")
