"""Is one installation of drumhead faster than another? Both by turns, each time in a fresh process on one thread.

    python diagnostics/turns.py OUT.json PYTHON_BEFORE PYTHON_AFTER

The two are interpreters of environments that have one version of drumhead each. Seconds are of the processor.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

TURNS, CALLS = 5, 7
NETWORKS = {
    "multi-mnist/nwm-linear": (128, 1, 16),
    "tetrominoes/nwm-linear": (64, 8, 2),
    "tetrominoes/nwm-fast": (64, 8, 8),
}


def measure() -> dict[str, list[float]]:
    """Return least and median seconds of inference, and of 60 steps of waves as wide."""
    import torch

    import drumhead as dh

    def clock(call) -> list[float]:  # type: ignore[no-untyped-def]
        times = []
        for _ in range(CALLS + 2):
            began = time.process_time()
            call()
            times.append(time.process_time() - began)
        return [min(times[2:]), statistics.median(times[2:])]

    torch.set_num_threads(1)
    out = {}
    for name, (side, batch, c) in NETWORKS.items():
        torch.manual_seed(0)
        model = dh.build(name).eval()
        images = torch.rand(batch, model.config.image_channels, side, side)
        y0, omega, alpha = torch.rand(3, batch, c, side, side)
        kernel = dh.laplacian(c, dense="fast" not in name)
        with torch.no_grad():
            out[name] = clock(lambda model=model, images=images: model(images))
            out[f"{name}, 60 steps"] = clock(
                lambda y0=y0, omega=omega, alpha=alpha, kernel=kernel: dh.propagate(
                    y0, omega, 0.1 * alpha, kernel, steps=60, dt=0.1, record=dh.Last(), check_stability=False
                )
            )
    return out


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(json.dumps(measure()))
    else:
        out, *pythons = sys.argv[1:]
        runs: dict[str, list[dict]] = {python: [] for python in pythons}
        for _ in range(TURNS):
            for python in pythons:
                done = subprocess.run([python, __file__], capture_output=True, text=True, check=True)
                runs[python].append(json.loads(done.stdout))
        before, after = runs.values()
        rows = {
            name: {"before_s": [run[name] for run in before], "after_s": [run[name] for run in after]}
            for name in before[0]
        }
        for name, row in rows.items():
            least = [min(run[0] for run in row[key]) for key in ("before_s", "after_s")]
            print(f"{name:35} {least[0]:.4f} {least[1]:.4f} {least[1] / least[0]:.2f}")
        Path(out).write_text(json.dumps({"turns": TURNS, "calls": CALLS, "seconds": rows}, indent=1) + "\n")
