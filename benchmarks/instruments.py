"""What the instruments cost on a minute of 256 channels at 1 kHz: seconds and peak memory, each in its own process.

    python benchmarks/instruments.py OUT.json [SECONDS]

Threads are those of NumPy's own choice; set OMP_NUM_THREADS to have fewer. Memory is the most that the process held,
with Python and the recording (123 MB) in it.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

BAND = "5-40 Hz"
VERBS = ("phase", "planar", "radial", "singularities", "kf", "travels")


def recording(seconds: float):
    """Return a plane and rings in as much noise."""
    from drumhead.waves import synth

    array = synth.Array((16, 16), "0.4 mm", "1 kHz", seconds)
    return synth.sensor_noise(synth.plane(array, 20, 0.3, 0.5) + synth.target(array, 15, 0.2), 1, 0, colour=1.0)


def one(verb: str, seconds: float) -> dict:
    """Return what one verb costs, without the phases that it takes."""
    from drumhead import waves

    x = recording(seconds)
    given = x if verb in ("phase", "kf", "travels") else waves.phase(x, BAND)
    call = {
        "phase": lambda: waves.phase(given, BAND),
        "planar": lambda: waves.planar(given),
        "radial": lambda: waves.radial(given),
        "singularities": lambda: waves.singularities(given),
        "kf": lambda: waves.kf(given),
        "travels": lambda: waves.travels(given, "10-30 Hz"),
    }[verb]
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    call()
    return {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_gib": peak(),
        "peak_before_gib": before,
    }


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(out: Path, seconds: float) -> None:
    from drumhead.files import write_atomic
    from drumhead.learn.run import environment

    found = {}
    for verb in VERBS:
        done = subprocess.run([sys.executable, __file__, "--one", verb, str(seconds)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        found[verb] = json.loads(done.stdout)
        print(f"{verb:15} {found[verb]['cpu_seconds']:6.1f} s  {found[verb]['peak_gib']:.2f} GiB", flush=True)
    whole = {
        "channels": 256, "fs_hz": 1000, "seconds": seconds, "band": BAND, "verbs": found,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"), "environment": environment(),
    }  # fmt: skip
    write_atomic(out, json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        print(json.dumps(one(sys.argv[2], float(sys.argv[3]))))
    else:
        main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
