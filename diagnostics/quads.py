"""What do half the multiplications gain, and what do they cost in accuracy? Dense coupling with and without quads.

    python diagnostics/quads.py [OUT.json]

For each size, with both and by turns: the processor time of a rollout and its adjoint (median of 9 rounds, one thread)
and how far float32 is from float64, which runs without quads: largest difference over largest value of the last
state and of all gradients.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import torch

import drumhead as dh
from drumhead.engine.cpu import library
from drumhead.engine.plan import planning
from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.run import environment

NEVER, ALWAYS = 10**9, 1  # from how many channels on
ROUNDS = 9
SIZES = ((4, 64, 24), (8, 64, 24), (16, 64, 24), (16, 128, 100), (32, 32, 24), (16, 256, 24))  # channels, side, steps


def rollout(size, quads, dtype=torch.float32):
    """Return the milliseconds, the last state and the gradients."""
    channels, side, steps = size
    generator = torch.Generator().manual_seed(0)
    y0, omega, alpha = (torch.rand(1, channels, side, side, generator=generator) for _ in range(3))
    kernel = torch.randn(channels, channels, 3, 3, generator=generator) * 0.3 / channels**0.5
    leaves = [tensor.to(dtype).requires_grad_() for tensor in (2 * y0 - 1, omega, alpha, kernel)]
    begin = time.process_time()
    with planning(quad_channels=quads):
        last = dh.propagate(*leaves, steps=steps, dt=0.1, record=dh.Last(), backend="native", check_stability=False)
    last.square().sum().backward()
    took = 1e3 * (time.process_time() - begin)
    return took, [last.detach(), *(leaf.grad for leaf in leaves)]


def main():
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = []
    for isa in [isa for isa in ("avx512", "avx2") if isa in library.ISAS[: library.load().drumhead_best_isa() + 1]]:
        os.environ["DRUMHEAD_ISA"] = isa
        library.isa_index.cache_clear()
        for size in SIZES:
            times = {ALWAYS: [], NEVER: []}
            for _ in range(ROUNDS):
                for quads, found in times.items():
                    found.append(rollout(size, quads)[0])
            exact = rollout(size, NEVER, torch.float64)[1]
            far = {
                quads: max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(kept, exact, strict=True))
                for quads, kept in ((quads, rollout(size, quads)[1]) for quads in times)
            }
            plain, quick = (statistics.median(times[quads]) for quads in (NEVER, ALWAYS))
            ratio = statistics.median(a / b for a, b in zip(times[NEVER], times[ALWAYS], strict=True))
            rows.append(
                dict(zip(("channels", "side", "steps"), size, strict=True))
                | {"isa": isa, "plain_ms": round(plain, 1), "quads_ms": round(quick, 1), "ratio": round(ratio, 2)}
                | {"plain_error": float(f"{far[NEVER]:.1e}"), "quads_error": float(f"{far[ALWAYS]:.1e}")}
            )
            print(rows[-1], flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps({"rows": rows, "environment": environment()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
