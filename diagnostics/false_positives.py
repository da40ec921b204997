"""How often `dh.waves.travels` finds waves where there are none, and where there are.

    python diagnostics/false_positives.py OUT.json [REPEATS]

Each repeat is another recording and other surrogates. Written after each case, so that it can be watched and stopped.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from drumhead import waves
from drumhead.files import write_atomic
from drumhead.learn.run import environment
from drumhead.waves import synth
from drumhead.waves.travels import KINDS

ARRAY = synth.Array((8, 8), "0.4 mm", "500 Hz", "2 s")
ECOG = synth.Array((16, 16), "1 mm", "125 Hz", "5 s")
SURROGATES = 99


def holes(x, seed):
    """Return a field without a fifth of its sites."""
    return waves.field(x, mask=np.random.default_rng(seed).random(x.shape[1:]) > 0.2)


def plane(snr, speed):
    return lambda s: synth.sensor_noise(synth.plane(ARRAY, 20, speed, direction=s), snr, s, colour=1.0)


CASES = {  # what it is, band, recording of a seed, whether it travels
    "independent noise, 1/f": ("10-30 Hz", lambda s: synth.smooth_noise(ARRAY, s, 0.0), False),
    "smooth noise, width 1 site": ("10-30 Hz", lambda s: synth.smooth_noise(ARRAY, s, 1.0), False),
    "smooth noise, width 2 sites": ("10-30 Hz", lambda s: synth.smooth_noise(ARRAY, s, 2.0), False),
    "smooth noise, width 3 sites": ("10-30 Hz", lambda s: synth.smooth_noise(ARRAY, s, 3.0), False),
    "smooth noise, width 2, a fifth of the sites missing": (
        "10-30 Hz", lambda s: holes(synth.smooth_noise(ARRAY, s, 2.0), s), False),
    "standing wave and smooth noise, width 2": (
        "10-30 Hz", lambda s: synth.standing(ARRAY, 20, 0.1, s) + synth.smooth_noise(ARRAY, s, 2.0), False),
    "smooth noise, width 2, 16 x 16, 5 s, a narrow band": (
        "8-13 Hz", lambda s: synth.smooth_noise(ECOG, s, 2.0), False),
    "plane, 12 sites a wavelength, SNR 1": ("10-30 Hz", plane(1.0, 0.1), True),
    "plane, 12 sites a wavelength, SNR 0.3": ("10-30 Hz", plane(0.3, 0.1), True),
    "plane, 62 sites a wavelength, SNR 1": ("10-30 Hz", plane(1.0, 0.5), True),
    "target, 12 sites a wavelength, SNR 1": (
        "10-30 Hz", lambda s: synth.sensor_noise(synth.target(ARRAY, 20, 0.1), 1.0, s, colour=1.0), True),
}  # fmt: skip


def main(out: Path, repeats: int) -> None:
    found = {}
    for name, (band, make, real) in CASES.items():
        began, results = time.process_time(), []
        for seed in range(repeats):
            result = waves.travels(make(seed), band, n=SURROGATES, seed=10_000 + seed)
            results.append([result.p, *result.p_of.values()])
        rates = (np.array(results) <= 0.05).mean(0).tolist()
        found[name] = {
            "travels": real, "band": band, "rate": rates[0],
            **dict(zip(KINDS, rates[1:], strict=True)),
            "standard_error": float(np.sqrt(max(rates[0], 1 / repeats) * (1 - rates[0]) / repeats)),
            "cpu_seconds": (time.process_time() - began) / repeats,
        }  # fmt: skip
        print(f"{name:55} {rates[0]:.3f}  " + " ".join(f"{rate:.3f}" for rate in rates[1:]), flush=True)
        whole = {"repeats": repeats, "surrogates": SURROGATES, "cases": found, "environment": environment()}
        write_atomic(out, json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
