"""How well `dh.neuro.fit` finds media that are known, how often its intervals hold them, and what it says of others.

    python diagnostics/operator_fit.py OUT.json [PART ...]      parts: recovery coverage others; all by default
    python docs/tables.py                                       docs/results/instruments.md

Each recording is one of its own, with sensor noise of 30 % of the signal's standard deviation. Written after each fit:
what is there is kept, so that it can be stopped and several can share the work (one part each).
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from drumhead import waves
from drumhead.files import write_atomic
from drumhead.learn.run import environment
from drumhead.neuro import fit
from drumhead.waves import synth

NOISE = 0.3
RECOVERY = {  # speed (m/s), f0 (Hz), tau (s), sites a side, sampling rate (Hz), oscillators a pitch
    "0.2 m/s, 8 Hz, 50 ms, 10 x 10": (0.2, 8, 0.05, 10, 500, 1),
    "0.1 m/s, 20 Hz, 80 ms, 10 x 10": (0.1, 20, 0.08, 10, 500, 1),
    "0.05 m/s, 5 Hz, 100 ms, 10 x 10": (0.05, 5, 0.1, 10, 250, 1),
    "0.4 m/s, 12 Hz, 30 ms, 16 x 16": (0.4, 12, 0.03, 16, 1000, 1),
    "0.05 m/s, 10 Hz, 50 ms, 10 x 10, four oscillators a pitch": (0.05, 10, 0.05, 10, 500, 4),
}
SEEDS, REPEATS = 3, 120
SMALL = (0.05, 8, 0.1, 7, 250, 1)  # for the coverage


def medium(speed, f0, tau, side, fs, cells, seed, seconds=20):
    """Return a crop of a medium with sensor noise; a site on every so many oscillators."""
    array = synth.Array((side * cells, side * cells), 0.4e-3 / cells, fs, seconds)
    x = synth.medium(array, speed, f0, tau, seed=seed)
    x = waves.field(x.values[:, ::cells, ::cells], fs, 0.4e-3)
    return noisy(x, 10_000 + seed)


def noisy(x, seed):
    return synth.sensor_noise(x, 1 / NOISE, seed=seed)


ARRAY = synth.Array((8, 8), "0.4 mm", 200, 20)
OTHERS = {
    "smooth 1/f noise, width 1 site": lambda s: noisy(synth.smooth_noise(ARRAY, s, 1.0), s),
    "smooth 1/f noise, width 2 sites": lambda s: noisy(synth.smooth_noise(ARRAY, s, 2.0), s),
    "oscillators without coupling": lambda s: noisy(synth.medium(ARRAY, 1e-5, 10, 0.05, seed=s), s),
    "plane wave of one frequency in smooth noise": lambda s: noisy(
        synth.plane(ARRAY, 10, 0.1) + synth.smooth_noise(ARRAY, s, 2.0), s),
    "three modules, one after another, in smooth noise": lambda s: noisy(
        synth.modules(ARRAY, 10, 3) + synth.smooth_noise(ARRAY, s, 2.0), s),
    "a medium, 5 s": lambda s: medium(0.05, 8, 0.1, 8, 200, 1, s, 5),
    "a medium in a band of 5 to 30 Hz": lambda s: waves.bandpass(medium(0.05, 8, 0.1, 8, 200, 1, s), "5-30 Hz"),
    "a medium, sampled too slowly": lambda s: medium(0.2, 8, 0.1, 8, 200, 1, s),
    "a medium": lambda s: medium(0.05, 8, 0.1, 8, 200, 1, s),
}  # fmt: skip


def jobs():
    """Yield part, name, seed and what makes the recording, with what is known of the lattice."""
    for name, given in RECOVERY.items():
        for seed in range(SEEDS):
            yield "recovery", name, seed, lambda given=given, seed=seed: medium(*given, seed), None
    for name, make in OTHERS.items():
        for seed in range(SEEDS):
            yield "others", name, seed, lambda make=make, seed=seed: make(seed), None
    for seed in range(REPEATS):
        yield "coverage", "0.05 m/s, 8 Hz, 100 ms, 7 x 7", seed, lambda seed=seed: medium(*SMALL, seed), 1


def main(out: Path, parts: list[str]) -> None:
    for part, name, seed, make, cells in jobs():
        if part not in parts:
            continue
        path = out.with_name(f"{out.stem}-{part}.json")
        known = json.loads(path.read_text()) if path.exists() else {"environment": environment(), "fits": {}}
        found = known["fits"].setdefault(name, {})
        if str(seed) in found:
            continue
        x, began = make(), time.process_time()
        result = fit(x, per_pitch=cells).report()
        found[str(seed)] = result | {"cpu_s": round(time.process_time() - began, 1)}
        write_atomic(path, json.dumps(known, indent=1) + "\n")
        print(f"{part}: {name}, seed {seed}: {result['verdict']}", flush=True)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main(Path(sys.argv[1]), sys.argv[2:] or ["recovery", "coverage", "others"])
