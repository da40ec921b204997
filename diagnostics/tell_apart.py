"""Can the comparison tell which network a recording is from?

    python diagnostics/tell_apart.py docs/results/instruments/tell-apart [REPEATS [KEPT]]     writes OUT.json, OUT.png

What was measured of the recordings is kept in the directory KEPT, from where a second call goes on.

Each network's medium, set by an image, is pushed with white noise where the image would strike it, and an array of
10 x 10 sites at 0.4 mm hears it through a point spread, with sensor noise: a trial an image, a recording eight trials.
Recordings are of images, pushes and sensor noise that no candidate has seen: images of the test split against images of
the training split. Three networks are shipped ones; two are trained here for half a minute. All see the same
images, so what tells them apart is the medium and not the image.

A row of the first table is a recording, a column a candidate; the numbers are how many times as far as the recording's
halves the candidate is, over REPEATS recordings, and the nearest one is the answer. Then the other way around, the
candidate's trials split and the recording set beside them. Then recordings that are surrogates of these, which no
network should be found near to: zero-lag ones do not travel, shuffled ones have no order in space.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

import drumhead as dh
from drumhead.files import without_nan, write_atomic
from drumhead.learn.run import environment
from drumhead.networks.driven import driven, heard_alike
from drumhead.networks.inside import material
from drumhead.neuro.ceiling import distances
from drumhead.neuro.portrait import typical
from drumhead.neuro.vector import MEASURES, vector

SHIPPED, TRAINED = ("tetrominoes-fast", "mnist", "wires-stack"), ("polygons/nwm-fast", "tetrominoes/nwm-linear")
TRIALS, SECONDS, SPEED, BAND, WINDOW, INTERVAL = 8, 1.5, "0.1 m/s", "15-80 Hz", "0.25 s", 1.0
ARRAY = {"pitch": "0.4 mm", "shape": (10, 10), "point_spread": "0.2 mm", "fs": "200 Hz", "noise": 0.3}
SIDE, TOGETHER, TRAINING, FAKED = 64, 4, 30.0, 1  # pixels, images in one run, seconds, repeats that see surrogates
EXCHANGES = 59
SURROGATES = ("zero_lag", "channel_shuffle")


def trained(preset: str) -> torch.nn.Module:
    """Return a network trained for TRAINING seconds of the processor."""
    torch.manual_seed(0)
    model = dh.build(preset).train()
    images, masks = dh.tasks.get(preset.partition("/")[0]).arrays("train")
    optimizer, random, began = (
        torch.optim.AdamW(model.parameters(), 2e-3),
        np.random.default_rng(0),
        time.process_time(),
    )
    while time.process_time() - began < TRAINING:
        chosen = random.integers(len(images), size=16)
        logits = model(dh.to_images(images[chosen]))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(masks[chosen]).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"{preset}: loss {float(loss.detach()):.3f}", flush=True)
    return model.eval()


def stimuli(model: torch.nn.Module, split: str, first: int) -> torch.Tensor:
    """Return images of polygons, the same for all networks but for their channels."""
    images = dh.to_images(dh.tasks.get("polygons").arrays(split)[0][first : first + TRIALS])
    grey = images[..., :SIDE, :SIDE].mean(1, keepdim=True)
    return grey.expand(-1, model.config.image_channels, -1, -1).contiguous()


def recorded(model: torch.nn.Module, split: str, number: int) -> list:
    """Return the trials of one recording of a network."""
    images = stimuli(model, split, TRIALS * number)
    cortex = dh.neuro.Cortex(ARRAY["pitch"], speed=SPEED, kappa=typical([material(model, [images[:2]])])[0])
    every = max(1, round(INTERVAL / model.dt))
    fs = 1 / cortex.seconds(every * model.dt)
    observe = dh.neuro.Observation(**ARRAY, seed=number + 1000 * (split == "test"))
    out = []
    for i in range(0, TRIALS, TOGETHER):
        seed = 100 * number + i + 10_000 * (split == "test")
        waves = driven(model, images[i : i + TOGETHER], round(SECONDS * fs), every=every, seed=seed)
        heard = [heard_alike(one[None])[0].numpy() for one in waves]
        out += [observe(dh.waves.field(one, fs, cortex.pitch), i + j) for j, one in enumerate(heard)]
    return out


def seen(trials: list) -> dict[str, np.ndarray]:
    found = vector(trials, BAND, WINDOW)
    return {str(name): found[name].values for name in found.data_vars}


def faked(trials: list, again: bool) -> dict[str, dict[str, np.ndarray]]:
    """Return the vectors of a recording, of its surrogates and, where asked, of surrogates of these."""
    out = {"": seen(trials)}
    for null in SURROGATES:
        fake = [dh.waves.surrogate(x, null, i) for i, x in enumerate(trials)]
        out[null] = seen(fake)
        if again:
            out[f"{null} again"] = seen([dh.waves.surrogate(x, null, 50 + i) for i, x in enumerate(fake)])
    return out


def measured(repeats: int, kept: Path | None) -> tuple[dict, dict]:
    """Return the vectors of recordings, with those of their surrogates, and of candidates, by network and repeat."""
    recordings, candidates = {}, {}
    for name in (*SHIPPED, *TRAINED):
        model = None
        for r in range(repeats):
            file = kept and kept / f"{name.replace('/', '-')}-{r}.npz"
            if file is None or not file.exists():
                model = model or (trained(name) if name in TRAINED else dh.load(name))
                sets = {"candidate": seen(recorded(model, "train", r)), **faked(recorded(model, "test", r), r < FAKED)}
                if file:
                    kept.mkdir(exist_ok=True)
                    np.savez(file, **{f"{a}|{b}": values for a, one in sets.items() for b, values in one.items()})
                print(f"{name} {r}: {time.process_time():.0f} s", flush=True)
            else:
                sets = {}
                for key, values in np.load(file).items():
                    sets.setdefault(key.partition("|")[0], {})[key.partition("|")[2]] = values
            candidates[name, r] = sets.pop("candidate")
            recordings[name, r] = sets
    return recordings, candidates


def main(out: Path, repeats: int, kept: Path | None) -> None:
    torch.set_num_threads(1)
    names = [*SHIPPED, *TRAINED]
    recordings, candidates = measured(repeats, kept)
    size = len(names)
    forth, back = np.full((2, repeats, size, size), np.nan)
    score, chance, nulls = ({null: np.full((repeats, size, size), np.nan) for null in SURROGATES} for _ in range(3))
    fooled = {null: np.full((3, min(FAKED, repeats), size, size), np.nan) for null in SURROGATES}
    which = np.full((repeats, size, size, len(MEASURES)), np.nan)
    for r, i, j in np.ndindex(repeats, size, size):
        own, candidate = recordings[names[i], r], candidates[names[j], r]
        found, together = distances(
            candidate, own[""], {null: own[null] for null in SURROGATES}, MEASURES, exchanges=EXCHANGES
        )
        forth[r, i, j], which[r, i, j] = together.times, [one.times for one in found]
        back[r, i, j] = distances(recordings[names[j], r][""], candidates[names[i], r], {}, MEASURES)[1].times
        for null in SURROGATES:
            score[null][r, i, j], chance[null][r, i, j] = together.scores[null], together.p[null]
            nulls[null][r, i, j] = together.nulls[null]
            if r < FAKED:
                _, got = distances(candidate, own[null], {null: own[f"{null} again"]}, MEASURES, exchanges=EXCHANGES)
                fooled[null][:, r, i, j] = got.times, got.score, got.p[null]

    def matrix(times: np.ndarray) -> list[list[int]]:
        nearest = times.argmin(2)
        return [[int((nearest[:, i] == j).sum()) for j in range(size)] for i in range(size)]

    typical_times = np.median(which, 0)
    result = {
        "networks": names, "repeats": repeats, "band": BAND, "array": ARRAY, "trials": TRIALS, "seconds": SECONDS,
        "recording_to_model": {"nearest": matrix(forth), "times_ceiling": np.median(forth, 0).tolist(),
                               **{key: {null: median(one) for null, one in of.items()} for key, of in (
                                   ("score", score), ("times_ceiling_of_nulls", nulls), ("p_of_nulls", chance))}},
        "model_to_recording": {"nearest": matrix(back), "times_ceiling": np.median(back, 0).tolist()},
        "surrogate_recordings": {
            null: {"times_ceiling": np.median(got[0], 0).tolist(), "score": median(got[1]),
                   "p": median(got[2]), "has_a_score": float(np.isfinite(got[1]).mean())}
            for null, got in fooled.items()
        },
        "tells_apart": {
            f"{names[i]} | {names[j]}": {MEASURES[k].name: round(float(typical_times[i, j, k]), 2)
                                         for k in np.argsort(-np.nan_to_num(typical_times[i, j]))[:3]}
            for i in range(size) for j in range(size) if i != j
        },
        "measures": {m.name: np.round(typical_times[:, :, k], 2).tolist() for k, m in enumerate(MEASURES)},
        "environment": environment(),
    }  # fmt: skip
    write_atomic(out.with_suffix(".json"), json.dumps(without_nan(result), indent=1, allow_nan=False) + "\n")
    picture(
        out.with_suffix(".png"), names, np.median(forth, 0), matrix(forth), np.median(back, 0), matrix(back), repeats
    )
    print(json.dumps({k: result[k] for k in ("recording_to_model", "model_to_recording", "surrogate_recordings")}))


def median(values: np.ndarray) -> list[list[float]]:
    """Return the median over repeats, NaN where none has a number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(values, 0).tolist()


def picture(path, names, forth, hits, back, hits_back, repeats) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), constrained_layout=True)
    cases = ((forth, hits, "recording", "candidate"), (back, hits_back, "network", "candidate recording"))
    for ax, (times, nearest, row, column) in zip(axes, cases, strict=True):
        shown = ax.imshow(np.log10(times), cmap="viridis_r", vmin=0)
        for i in range(len(names)):
            for j in range(len(names)):
                ax.text(j, i, f"{times[i, j]:.2g}\n{nearest[i][j]}/{repeats}", ha="center", va="center", fontsize=9,
                        color="white" if times[i, j] > times.max() ** 0.5 else "black")  # fmt: skip
        ax.set_xticks(range(len(names)), names, rotation=20, ha="right")
        ax.set_yticks(range(len(names)), names)
        ax.set(xlabel=column, ylabel=row)
        figure.colorbar(shown, ax=ax, label="log10 times as far as halves", shrink=0.8)
    figure.suptitle("times as far as the halves (above), how often nearest (below)")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3, Path(sys.argv[3]) if sys.argv[3:] else None)
