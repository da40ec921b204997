import os
import subprocess
import sys
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


def run_with_isa(isa: str, code: str) -> None:
    """Run Python code that imports tests with an instruction set, in a process of its own: the choice is made once."""
    from drumhead.engine.cpu import library

    if library.ISAS.index(isa) > library.load().drumhead_best_isa():
        pytest.skip(f"this processor has no {isa}")
    code = f"""
import sys; sys.path.insert(0, "tests")
from drumhead.engine.cpu import library
assert library.isa() == "{isa}"
{code}"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"DRUMHEAD_ISA": isa, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def same_whatever_memory_held(monkeypatch, compute) -> bool:
    """Say whether tensors are the same bits with scratch memory full of zeros and full of NaN."""
    from drumhead.engine.cpu import team

    found, blocks = [], []

    def scratch(size):
        blocks.append(torch.full((size + 64,), fill, dtype=torch.uint8))
        return blocks[-1]

    monkeypatch.setattr(team, "_scratch", scratch)
    for fill in (0, 255):  # noqa: B007 (`scratch` reads it)
        found.append(compute())
    assert blocks
    return all(torch.equal(a, b) for a, b in zip(*found, strict=True))
