"""How often waves are found where there are none, and where there are, by `dh.waves.travels`, `detect` and two customs.

    python diagnostics/false_positives.py OUT.json [REPEATS]
    python docs/tables.py                                       docs/results/instruments.md

Each repeat is another recording and other surrogates. What OUT.json has is kept and not done again: stop and start at
will. A measure is written when all its repeats are done.
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
from drumhead.waves.epochs import pgd_of, runs
from drumhead.waves.travels import KINDS

ARRAY = synth.Array((8, 8), "0.4 mm", "500 Hz", "2 s")
ECOG = synth.Array((16, 16), "1 mm", "125 Hz", "5 s")
SURROGATES, OF_EPOCHS = 99, 19
BAR, LASTING = 0.5, 0.05  # the custom: pgd above a half, for 50 ms


def holes(x, seed):
    """Return a field without a fifth of its sites."""
    return waves.field(x, mask=np.random.default_rng(seed).random(x.shape[1:]) > 0.2)


def plane(snr, speed):
    return lambda s: synth.sensor_noise(synth.plane(ARRAY, 20, speed, direction=s), snr, s, colour=1.0)


def burst(s):
    """Return smooth noise with a plane wave as strong as it for 0.4 s."""
    x = synth.plane(ARRAY, 20, 0.1, direction=s) * np.sqrt(2)
    return x * ((x.time >= 0.8) & (x.time < 1.2)) + synth.smooth_noise(ARRAY, s, 2.0)


CASES = {  # what it is: band, recording of a seed, whether it travels (None: it does not, and has the lags of a wave)
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
    "spiral, SNR 1": ("10-30 Hz", lambda s: synth.sensor_noise(synth.spiral(ARRAY, 20), 1.0, s, colour=1.0), True),
    "plane, 12 sites a wavelength, for 0.4 s of 2 s": ("10-30 Hz", burst, True),
    "three modules, one after another": (
        "10-30 Hz", lambda s: synth.modules(ARRAY, 20) + 0.5 * synth.smooth_noise(ARRAY, s, 1.0), None),
}  # fmt: skip


def tested(x, band, seed):
    result = waves.travels(x, band, n=SURROGATES, seed=10_000 + seed)
    return {"rate": result.p <= 0.05, **{kind: result.p_of[kind] <= 0.05 for kind in KINDS}}


def shuffled(x, band, seed):
    return {"shuffle": waves.travels(x, band, "channel_shuffle", SURROGATES, 10_000 + seed).p <= 0.05}


def customary(x, band, seed):
    above = pgd_of(waves.phase(x, band)) > BAR
    size = round(LASTING / float(x.time[1] - x.time[0]))
    return {"half": any(b - a >= size for a, b in runs(above, 0)), "half_frames": float(above.mean())}


def detected(x, band, seed):
    return {"epochs": waves.detect(x, band, n=OF_EPOCHS, seed=10_000 + seed).sizes["epoch"] > 0}


def detected_by_default(x, band, seed):
    return {"epochs_by_default": waves.detect(x, band, seed=10_000 + seed).sizes["epoch"] > 0}


QUIET = [name for name, (_, _, real) in CASES.items() if not real]
MEASURES = {  # by the name of its first number: what to do, for which cases
    "rate": (tested, CASES),
    "shuffle": (shuffled, QUIET),
    "half": (customary, QUIET),
    "epochs": (detected, (  # a second and more each
        "smooth noise, width 2 sites", "plane, 12 sites a wavelength, for 0.4 s of 2 s", "independent noise, 1/f",
        "standing wave and smooth noise, width 2", "plane, 12 sites a wavelength, SNR 1",
    )),
    "epochs_by_default": (detected_by_default, ("standing wave and smooth noise, width 2",)),  # five times as long
}  # fmt: skip


def main(out: Path, repeats: int) -> None:
    known = json.loads(out.read_text()) if out.exists() else {"repeats": repeats, "cases": {}}
    if known["repeats"] != repeats:
        sys.exit(f"{out} has {known['repeats']} repeats; ask for as many, or name another file")
    for key, (measure, names) in MEASURES.items():
        for name in names:
            band, make, real = CASES[name]
            entry = known["cases"].setdefault(name, {"travels": real, "band": band})
            if key in entry:
                continue
            began = time.process_time()
            rows = [measure(make(seed), band, seed) for seed in range(repeats)]
            found = {part: float(np.mean([row[part] for row in rows])) for part in rows[0]}
            entry |= found | {f"{key}_cpu_seconds": (time.process_time() - began) / repeats}
            print(f"{name:55} {' '.join(f'{part} {rate:.3f}' for part, rate in found.items())}", flush=True)
            whole = known | {
                "surrogates": SURROGATES, "surrogates_of_epochs": OF_EPOCHS, "environment": environment(),
                "cases": {case: known["cases"][case] for case in CASES if case in known["cases"]},
            }  # fmt: skip
            write_atomic(out, json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
