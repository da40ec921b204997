"""What is gained where sheets that ring apart run one after another, each while it lies in the cache (csrc/sheets.h)?

    python diagnostics/sheets.py OUT.json

The same medium by turns in one process on one thread: all channels a step, as large planes run (`planning(sheet=0)`),
and sheet by sheet. Milliseconds an image of processor time, medians of the rounds, and the median of their ratios.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch

import drumhead as dh
from drumhead.engine.cpu import library
from drumhead.engine.plan import planning

ROUNDS, BATCH, STEPS = 9, 16, 12
CASES = [
    (channels, side, features, nonlinearity)
    for channels, side, features in ((16, 14, 8), (16, 16, 8), (16, 32, 8), (16, 32, 4), (24, 32, 8), (16, 64, 8))
    for nonlinearity in ("tanh", "linear")
]
WAYS = {"together": 0, "by sheets": sys.maxsize}


def measure(channels: int, side: int, features: int, nonlinearity: str) -> dict[str, object]:
    """Return milliseconds an image of inference, and of waves with their gradient, both ways."""
    torch.manual_seed(0)
    y0, omega, alpha = torch.rand(3, BATCH, channels, side, side).requires_grad_().unbind()
    kernel, basis = dh.laplacian(channels).requires_grad_(), torch.randn(features, STEPS).requires_grad_()
    grad = torch.randn(BATCH, features, channels, side, side)

    def waves() -> torch.Tensor:
        return dh.propagate(
            y0, omega, 0.2 * alpha, kernel, steps=STEPS, dt=0.5, nonlinearity=nonlinearity, boundary="fixed",
            integrator="verlet", record=dh.Project(basis), check_stability=False,
        )  # fmt: skip

    def infer() -> None:
        with torch.no_grad():
            waves()

    def learn() -> None:
        torch.autograd.grad(waves(), (kernel, basis, y0, omega, alpha), grad)

    out: dict[str, object] = {"channels": channels, "side": side, "features": features, "phi": nonlinearity}
    for name, call in (("inference", infer), ("training", learn)):
        spent: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS + 2):
            for way, cells in WAYS.items():
                with planning(sheet=cells):
                    began = time.process_time()
                    call()
                    spent[way].append(1000 * (time.process_time() - began) / BATCH)
        before, after = (times[2:] for times in spent.values())
        out[name] = {
            "together_ms": round(statistics.median(before), 4),
            "by_sheets_ms": round(statistics.median(after), 4),
            "ratio": round(statistics.median(a / b for a, b in zip(before, after, strict=True)), 3),
        }
    return out


if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = []
    for case in CASES:
        rows.append(measure(*case))
        print(rows[-1], flush=True)
    result = {"isa": library.isa(), "rounds": ROUNDS, "batch": BATCH, "steps": STEPS, "cases": rows}
    Path(sys.argv[1]).write_text(json.dumps(result, indent=1) + "\n")
