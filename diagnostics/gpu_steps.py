"""Time training steps on a GPU: `python diagnostics/gpu_steps.py OUT.json [TASK/NETWORK:BATCH:THIN ...]`.

Each step makes its batch and runs forward, loss, backward and Adam. Wave networks run with the loop and with the
kernels; everything runs with and without CUDA graphs. `wall_ms` is the mean of 20 steps after 4, `gpu_ms` the sum of
the kernels, `infer_ms` the median of 30 answers to as many images after 5, started one by one.
"""

import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from training_steps import training_steps

import drumhead as dh
from drumhead import engine, tasks

WARM, STEPS, PROFILED, ANSWERS = 4, 20, 3, 30
STACKS = ("unet-4", "nwm-stack", "nwm-stack-l", "nwm-modes", "frame-7x7", "frame-attention")
USUAL = (
    *(f"tetrominoes/{name}:64:1" for name in ("nwm-linear", "nwm-fft", "nwm-last", "nwm-fast", "cnn-16", "unet-4")),
    *(f"tetrominoes/{name}:4:8" for name in ("nwm-linear", "nwm-fast", "unet-4", "lstm-linear", "resnet-8", "cnn-8")),
    *(f"multi-mnist/{name}:4:8" for name in ("nwm-linear", "nwm-fast", "unet-4")),
    *(f"{task}/{name}:16:1" for task in ("tetrominoes", "multi-mnist") for name in STACKS),
)


def measure(preset: str, batch: int, thin: int, backend: str, graphs: bool) -> dict[str, object]:
    """Return what a step takes."""
    with engine.using(backend) if backend else contextlib.nullcontext():
        run = training_steps(preset, batch, thin, "cuda", graphs)
        for _ in range(WARM):
            next(run)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(STEPS):
            next(run)
        torch.cuda.synchronize()
        wall = 1000 * (time.perf_counter() - began) / STEPS
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            for _ in range(PROFILED):
                next(run)
            torch.cuda.synchronize()
        run.close()
        answer = inference(preset, batch)
    busy = sum(event.self_device_time_total for event in seen.key_averages()) / PROFILED / 1000
    return {
        "card": torch.cuda.get_device_name(), "preset": preset, "batch": batch, "thin": thin, "engine": backend or None,
        "graphs": graphs, "wall_ms": round(wall, 2), "gpu_ms": round(busy, 2), "infer_ms": answer,
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1),
    }  # fmt: skip


@torch.no_grad()
def inference(preset: str, batch: int) -> float:
    """Return the milliseconds of an answer to so many images."""
    x = dh.to_images(tasks.get(preset.split("/")[0]).arrays("test")[0][:batch]).cuda()
    model, taken = dh.build(preset).cuda().eval(), []
    for _ in range(5 + ANSWERS):
        torch.cuda.synchronize()
        began = time.perf_counter()
        model(x)
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return round(1000 * float(np.median(taken[5:])), 3)


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device; 'drumhead doctor' says why")
    out, found = Path(sys.argv[1]), []
    for name in sys.argv[2:] or USUAL:
        preset, batch, thin = name.split(":")
        for backend in ("eager", "cuda") if "/nwm-" in preset else ("",):
            for graphs in (False, True):
                torch.cuda.reset_peak_memory_stats()
                found.append(measure(preset, int(batch), int(thin), backend, graphs))
                print(found[-1], flush=True)
                out.write_text(json.dumps({"torch": torch.__version__, "steps": found}, indent=1) + "\n")
