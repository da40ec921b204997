"""Training and measuring: metrics against definitions, runs that stop anywhere and resume to the same bits."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torchmetrics.classification import (
    MulticlassF1Score,
    MulticlassJaccardIndex,
    MulticlassPrecision,
    MulticlassRecall,
)

import drumhead as dh
from drumhead.files import hold
from drumhead.learn import fabric, train, training
from drumhead.learn.data import Split, augment
from drumhead.learn.metrics import Segmentation
from drumhead.learn.run import Run
from drumhead.networks.weights import read_safetensors
from drumhead.settings.config import RunConfig, TrainConfig
from drumhead.settings.presets import PRESETS, get_preset
from drumhead.settings.text import from_dict, read_run, to_dict, to_toml
from drumhead.show.terminal import Bar, Progress


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_metrics_equal_their_definitions(seed, images, classes):
    random = np.random.default_rng(seed)
    masks, labels = random.integers(0, classes, (2, images, 5, 6))
    metric = Segmentation(classes)
    for i in range(images):
        metric.update(torch.tensor(labels[i : i + 1]), torch.tensor(masks[i : i + 1]))
    got = metric.compute()
    a = np.array([(lab == mask)[mask > 0].mean() for lab, mask in zip(labels, masks, strict=True) if (mask > 0).any()])
    assert got["accuracy"] == pytest.approx((labels == masks).mean())
    assert got["foreground_accuracy"] == pytest.approx(a.mean())
    assert got["foreground_iou"] == pytest.approx((a / (2 - a)).mean())
    tensors = torch.tensor(labels), torch.tensor(masks)
    present = [c for c in range(classes) if (masks == c).any() or (labels == c).any()]
    iou = MulticlassJaccardIndex(classes, average="none")(*tensors)[present].mean()
    dice = MulticlassF1Score(classes, average="none")(*tensors)[[c for c in present if c]].mean()
    assert got["mean_iou"] == pytest.approx(float(iou), abs=1e-6)
    assert got["dice"] == pytest.approx(float(dice), abs=1e-6)
    each = metric.of_classes()
    peers = {
        "recall": MulticlassRecall(classes, average="none")(*tensors),
        "precision": MulticlassPrecision(classes, average="none")(*tensors),
        "iou": MulticlassJaccardIndex(classes, average="none")(*tensors),
        "dice": MulticlassF1Score(classes, average="none")(*tensors),
    }
    assert [row["pixels"] for row in each] == [int((masks == c).sum()) for c in range(classes)]
    for name, expected in peers.items():
        own = np.nan_to_num([row[name] for row in each])  # theirs is 0 where ours is undefined
        np.testing.assert_allclose(own, expected, rtol=1e-6, err_msg=name)


def test_a_class_that_does_not_occur_has_no_scores():
    metric = Segmentation(3)
    metric.update(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
    assert metric.of_classes()[0] == {"pixels": 4, "recall": 1, "precision": 1, "iou": 1, "dice": 1}
    assert metric.of_classes()[2]["pixels"] == 0
    assert all(math.isnan(value) for name, value in metric.of_classes()[2].items() if name != "pixels")


def _edge(mask):
    """Return the pixels of a boolean map that have an unset one right, left, above or below."""
    padded = np.pad(mask, 1, mode="edge")
    around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~around


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_boundary_f_equals_its_definition(seed):
    random = np.random.default_rng(seed)
    masks, labels = np.kron(random.integers(0, 3, (2, 2, 3, 4)), np.ones((3, 3), int))
    metric = Segmentation(3)
    metric.update(torch.tensor(labels), torch.tensor(masks))
    scores = []
    for c in (1, 2):
        near, size = np.zeros(2), np.zeros(2)
        for label, mask in zip(labels, masks, strict=True):
            edges = [np.argwhere(_edge(m == c)) for m in (label, mask)]
            for i, (own, other) in enumerate((edges, edges[::-1])):
                distance = np.abs(own[:, None] - other[None]).max(2).min(1, initial=99)
                near[i] += (distance <= 1).sum()
                size[i] += len(own)
        if size.any():
            p, r = near / np.maximum(size, 1)
            scores.append(2 * p * r / (p + r) if p + r else 0)
    expected = np.mean(scores) if scores else math.nan
    assert metric.compute()["boundary_f"] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("family", ["nwm-linear", "nwm-max", "nwm-fast", "lstm-linear", "cnn-2", "resnet-2", "unet-2"])
@pytest.mark.parametrize("rises", [False, True])  # as training draws them
def test_answers_at_some_pixels_are_those_of_the_whole(family, rises):
    torch.manual_seed(0)
    model = dh.build(f"tetrominoes/{family}").eval()
    images, at = torch.rand(2, 3, 9, 11), torch.randint(0, 99, (2, 30))
    at = at.sort().values if rises else at
    whole = model(images).flatten(2)
    torch.testing.assert_close(
        model(images, at)[..., 0], whole.gather(2, at[:, None].expand(-1, 6, -1)), rtol=1e-4, atol=1e-5
    )


def test_each_pixel_is_as_likely_to_be_learned_from():
    split = Split(np.zeros((1, 5, 7, 1), np.uint8), np.zeros((1, 5, 7), np.uint8), torch.device("cpu"))
    settings = TrainConfig(thin=4)
    assert split.pixels(TrainConfig(), 0, 0, 1) is None
    at = torch.cat([split.pixels(settings, 0, batch, 100) for batch in range(100)])
    assert at.shape == (10_000, 9)
    assert (at.diff(dim=1) >= 0).all()
    count = torch.bincount(at.flatten(), minlength=35).double()
    assert len(count) == 35
    assert (count - 90_000 / 35).abs().max() < 5 * (90_000 / 35) ** 0.5
    assert (split.pixels(settings, 3, 5, 100) == split.pixels(settings, 3, 5, 100)).all()


def test_images_are_looked_at_a_few_at_a_time_when_they_are_large():
    from drumhead.learn.evaluate import evaluate

    def split(count, side):
        return Split(np.zeros((count, side, side, 1), np.uint8), np.zeros((count, side, side), np.uint8), "cpu")

    assert [split(3, side).at_a_time(most) for side, most in ((64, 0), (64, 32), (600, 0), (600, 32), (2000, 4))] == [
        256,
        32,
        2,
        2,
        1,
    ]
    seen = []

    class Watched(torch.nn.Module):
        def forward(self, images):
            seen.append(len(images))
            return torch.zeros(len(images), 2, *images.shape[-2:])

    evaluate(Watched(), split(5, 600), 2)
    evaluate(Watched(), split(5, 600), 2, 4)
    assert seen == [2, 2, 1, 4, 1]


def test_metrics_of_edge_cases():
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert all(math.isnan(value) for value in Segmentation(3).compute().values())
    background = Segmentation(3)
    background.update(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4))
    got = background.compute()
    assert got["accuracy"] == got["mean_iou"] == 1
    assert math.isnan(got["foreground_accuracy"])
    assert math.isnan(got["dice"])
    painted = Segmentation(3)  # the paper's measure does not see background painted as an object; Dice does
    masks = torch.zeros(1, 4, 4)
    masks[0, 0, 0] = 1
    painted.update(torch.ones(1, 4, 4), masks)
    got = painted.compute()
    assert got["foreground_iou"] == 1
    assert got["dice"] == pytest.approx(2 / 17)


@pytest.mark.parametrize("name", PRESETS)
def test_configs_survive_toml(name, tmp_path):
    config = replace(get_preset(name), data='a "quoted" \\ path\n')
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert read_run(tmp_path / "config.toml") == config
    assert from_dict(RunConfig, json.loads(json.dumps(to_dict(config)))) == config


def test_batches_depend_on_seed_epoch_and_index_alone():
    images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    split = Split(images, images[..., 0], torch.device("cpu"))
    settings = TrainConfig(batch=4, augment="wrap", seed=3)
    whole = list(split.shuffled(settings, epoch=1))
    assert len(whole) == 5
    assert sorted(int(mask[0, 0]) for _, masks in whole for mask in masks) == list(range(20))
    for (a, b), (c, d) in zip(whole[2:], split.shuffled(settings, epoch=1, start=2), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    other = next(iter(split.shuffled(settings, epoch=2)))
    assert not torch.equal(other[1], whole[0][1])


@pytest.mark.parametrize("kind", ["dihedral", "wrap"])
@pytest.mark.parametrize("shape", [(6, 6), (4, 6)])
def test_augmentation_moves_image_and_mask_together(kind, shape):
    masks = torch.randint(0, 5, (3, *shape))
    images = masks[:, None].float()
    seen = set()
    for seed in range(40):
        x, y = augment(images, masks, kind, np.random.default_rng(seed))
        assert x.shape == images.shape
        assert torch.equal(x[:, 0], y.float())
        seen.add(tuple(y.flatten().tolist()))
    assert len(seen) > 3


def test_shifts_are_those_of_a_padded_image():
    masks = torch.randint(0, 5, (4, 16, 25))
    images = torch.stack([masks, -masks], 1).float()
    seen = set()
    for seed in range(20):
        x, y = augment(images, masks, "shift", np.random.default_rng(seed))
        assert torch.equal(x, torch.stack([y, -y], 1).float())
        for i, found in enumerate(y.numpy()):
            padded = np.pad(masks[i].numpy(), ((2, 2), (3, 3)), mode="edge")
            where = [(a, b) for a in range(5) for b in range(7) if (padded[a : a + 16, b : b + 25] == found).all()]
            assert len(where) == 1
            seen.add(where[0])
    assert len(seen) > 25


def test_the_learning_rate_warms_up_and_falls():
    schedule = TrainConfig(lr=1.0, schedule="cosine", warmup=0.1)
    rates = [training.learning_rate(schedule, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01, rel=0.01)
    assert rates[:100] == sorted(rates[:100])
    assert rates[100] == 1
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[550] == pytest.approx(0.5)
    assert rates[-1] < 1e-5
    assert training.learning_rate(TrainConfig(lr=0.5), 7, 10) == 0.5


def tiny(epochs=2, limit=16, **settings):
    base = get_preset("tetrominoes/nwm-fast")
    model = base.model.changed(channels=4, width=8, head=(16,), steps=8, bins=4)
    schedule = {"lr": 1e-2, "warmup": 0.05, "batch": 8, "epochs": epochs, "limit": limit} | settings
    return replace(base, model=model, train=replace(base.train, **schedule))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train.start(tiny(epochs=3), tmp_path_factory.mktemp("runs") / "whole")


def weights(run):
    return read_safetensors(run.weights)[1], read_safetensors(run.path / "last.ckpt" / "state.safetensors")[1]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_directory_is_complete(finished):
    assert sorted(path.name for path in finished.path.iterdir()) == [
        "config.toml", "environment.json", "last.ckpt", "metrics.jsonl", "weights.safetensors",
    ]  # fmt: skip
    rows = finished.rows()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["images"] == 48
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert all(0 < row["courant"] <= 0.9 + 1e-6 for row in rows)
    environment = json.loads((finished.path / "environment.json").read_text())
    assert environment["torch"] == torch.__version__
    assert dh.load(finished.path).config == finished.config.model


def test_the_same_config_gives_the_same_bits_and_another_seed_does_not(finished, tmp_path):
    again = train.start(read_run(finished.path / "config.toml"), tmp_path / "again")
    assert same(weights(finished)[1], weights(again)[1])
    other = train.start(tiny(epochs=1, seed=1), tmp_path / "other")
    assert not same(weights(finished)[0], weights(other)[0])


class StopAfter(Progress):
    def __init__(self, looks):
        self.looks = looks

    def tick(self, words, done=None):
        self.looks -= 1
        if not self.looks:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("looks", [1, 2, 4])
def test_an_interrupted_run_resumes_to_the_same_bits(finished, looks, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LOOK_EVERY", 1)  # the run has few batches
    with pytest.raises(KeyboardInterrupt):
        train.start(tiny(epochs=3), tmp_path / "run", StopAfter(looks))
    monkeypatch.undo()  # resuming looks as rarely as usual
    run = train.resume(tmp_path / "run")
    assert all(same(a, b) for a, b in zip(weights(finished), weights(run), strict=True))
    drop = ("seconds", "cpu_seconds")
    rows = [[{k: v for k, v in row.items() if k not in drop} for row in r.rows()] for r in (finished, run)]
    assert rows[0] == rows[1]


def test_a_killed_run_resumes_to_the_same_bits(tmp_path):
    config = tiny(epochs=12, limit=32, checkpoint_minutes=0.0)
    whole = train.start(config, tmp_path / "whole")
    (tmp_path / "config.toml").write_text(to_toml(config))
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\nfrom drumhead.settings.text import read_run\nfrom drumhead.learn import train\n"
        f"train.start(read_run(Path({str(tmp_path / 'config.toml')!r})), {str(tmp_path / 'killed')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    metrics = tmp_path / "killed" / "metrics.jsonl"
    until = time.monotonic() + 120
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    run = train.resume(tmp_path / "killed")
    assert all(same(a, b) for a, b in zip(weights(whole), weights(run), strict=True))
    assert [row["epoch"] for row in run.rows()] == list(range(1, 13))


def test_a_finished_run_stays_as_it_is(finished):
    before = weights(finished)
    assert all(same(a, b) for a, b in zip(before, weights(train.resume(finished.path)), strict=True))


@pytest.mark.parametrize("text", ["[]", "{", '{"resumed": 5}', "[" * 100_000])
def test_a_damaged_note_for_people_does_not_end_a_resumed_run(text, finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    (tmp_path / "run" / "environment.json").write_text(text)
    train.resume(tmp_path / "run")
    about = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert [one["torch"] for one in about["resumed"]] == [torch.__version__]


def damage(how, path):
    if how == "no checkpoint":
        shutil.rmtree(path / "last.ckpt")
    elif how == "checkpoint is a file":
        shutil.rmtree(path / "last.ckpt")
        (path / "last.ckpt").write_text("")
    elif how == "truncated checkpoint":
        file = path / "last.ckpt" / "state.safetensors"
        file.write_bytes(file.read_bytes()[:2000])
    elif how == "foreign checkpoint":
        save_file({"a": torch.zeros(1)}, path / "last.ckpt" / "state.safetensors")
    elif how == "metrics":
        (path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')
        shutil.rmtree(path / "last.ckpt")
    elif how == "nested metrics":
        (path / "metrics.jsonl").write_text("[" * 100_000 + "\n")
        shutil.rmtree(path / "last.ckpt")
    elif how == "config":
        (path / "config.toml").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no checkpoint", "is missing, so .* cannot go on"),
        ("checkpoint is a file", "is missing, so .* cannot go on"),
        ("truncated checkpoint", "is not a readable .* cannot go on, but its other files are as they were"),
        ("foreign checkpoint", "is not a checkpoint of drumhead"),
        ("metrics", "is damaged"),
        ("nested metrics", "is damaged"),
        ("config", "is not valid TOML"),
    ],
)
def test_a_damaged_run_is_refused_and_left_alone(finished, how, message, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    damage(how, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    with pytest.raises(dh.DrumheadError, match=message):
        train.resume(tmp_path / "run")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}


def test_a_used_directory_is_refused_before_images_are_made(finished, monkeypatch):
    monkeypatch.setattr(train.tasks, "get", lambda *_: pytest.fail("too late"))
    with pytest.raises(dh.DrumheadError, match="holds a run already: continue it with 'drumhead train --resume"):
        train.start(tiny(), finished.path)
    with pytest.raises(dh.DrumheadError, match=r"weights\.safetensors is a file, not a directory"):
        train.start(tiny(), finished.weights / "run")
    with pytest.raises(dh.DrumheadError, match=r"config\.toml does not exist"):
        train.resume(finished.path / "nothing")


def test_eight_images_can_be_learned_by_heart(tmp_path):
    config = tiny(epochs=250, limit=8)
    config = replace(config, model=config.model.changed(channels=8, width=16, head=(32,), steps=16))
    run = train.start(config, tmp_path / "run")
    model = dh.build(config.model)
    last = weights(run)[1]
    model.load_state_dict({k.removeprefix("model."): v for k, v in last.items() if k.startswith("model.")})
    images, masks = (array[:8] for array in dh.tasks.get("tetrominoes").arrays("train"))
    metric = Segmentation(6)
    metric.update(model.segment(dh.to_images(images)), torch.from_numpy(masks))
    assert metric.compute()["foreground_accuracy"] > 0.95
    assert run.rows()[-1]["train_loss"] < 0.05 * run.rows()[0]["train_loss"]


def test_bfloat16_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(fabric, "multiplies_bfloat16", lambda: True)
    run = train.start(tiny(epochs=1, precision="bf16-mixed"), tmp_path / "run")
    assert math.isfinite(run.rows()[0]["val_loss"])


def test_without_bfloat16_products_it_trains_in_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(fabric, "multiplies_bfloat16", lambda: False)
    with pytest.warns(RuntimeWarning, match="it trains in float32") as caught:
        run = train.start(tiny(epochs=1, precision="bf16-mixed"), tmp_path / "run")
    assert len(caught) == 1
    assert run.config.train.precision == "bf16-mixed"
    plain = train.start(tiny(epochs=1), tmp_path / "plain")
    assert run.rows()[0]["train_loss"] == plain.rows()[0]["train_loss"]


def test_divergence_is_explained_and_keeps_the_run(tmp_path, monkeypatch):
    config = replace(get_preset("tetrominoes/nwm-last"), train=TrainConfig(epochs=9, batch=4, limit=8, lr=1e9))
    config = replace(config, model=config.model.changed(steps=4))
    with pytest.raises(dh.DrumheadError, match=r"not a number any more .*courant.*--train\.lr"):
        train.start(config, tmp_path / "run")
    assert Run(tmp_path / "run").config == config
    with pytest.raises(dh.DrumheadError, match="not a number any more"):
        train.start(tiny(lr=1e30), tmp_path / "clipped")


def test_mismatches_are_explained(tmp_path):
    with pytest.raises(dh.DrumheadError, match="task mnist has 1 image channel and 11 classes, the model 3 and 6"):
        train.start(replace(tiny(), task="mnist"), tmp_path / "run")
    config = replace(get_preset("mnist/nwm-fast"), train=TrainConfig(augment="dihedral"))
    with pytest.raises(dh.DrumheadError, match="change the labels of mnist"):
        train.start(config, tmp_path / "run")
    with pytest.raises(dh.DrumheadError, match=r"--model\.integrator verlet only"):
        tiny().model.changed(integrator="euler")
    if not torch.cuda.is_available():
        with pytest.raises(dh.DrumheadError, match="torch sees no CUDA device"):
            train.start(tiny(accelerator="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('[[model.waves]]\nsteps = "20"', "steps = '20' has the wrong type; int is needed"),
        ("[[model.waves]]\nsteps = 20.5", "wrong type"),
        ("[[model.waves]]\nsteps = true", "wrong type"),
        ("waves = 2", "waves = 2 has the wrong type"),
        ("waves = [2]", "waves = 2 has the wrong type"),
        ("head = 64", "head = 64 has the wrong type"),
        ("wings = 2", "unknown setting wings"),
        ("steps = ", "is not valid TOML"),
    ],
)
def test_broken_configs_are_explained(line, message, tmp_path):
    (tmp_path / "config.toml").write_text(f"[model]\n{line}\n")
    with pytest.raises(dh.DrumheadError, match=message):
        read_run(tmp_path / "config.toml")


def test_an_unstable_medium_is_reported(tmp_path, capsys):
    """A paper network whose step is too long says so in its metrics and on the screen."""
    config = replace(get_preset("tetrominoes/nwm-last"), train=TrainConfig(epochs=1, batch=4, limit=8))
    config = replace(config, model=config.model.changed(steps=4, dt=0.9))
    run = train.start(config, tmp_path / "run", Bar())
    assert run.rows()[0]["courant"] > 1
    assert "UNSTABLE" in capsys.readouterr().out


SCHEDULERS = {
    "SLURM": {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "3",
              "SLURM_LOCALID": "3", "SLURM_NODELIST": "n[1-2]"},
    "torchrun": {"TORCHELASTIC_RUN_ID": "1", "RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "4", "GROUP_RANK": "1",
                 "MASTER_ADDR": "nowhere", "MASTER_PORT": "none"},
    "LSF": {"LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "/nowhere", "JSM_NAMESPACE_LOCAL_RANK": "1",
            "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_RANK": "1"},
    "MPI": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "PMI_RANK": "3", "PMI_SIZE": "4"},
}  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_scheduler_does_not_make_one_process_several(scheduler, finished, tmp_path, monkeypatch):
    for name, value in SCHEDULERS[scheduler].items():
        monkeypatch.setenv(name, value)
    run = train.start(tiny(epochs=3), tmp_path / "run")
    assert same(weights(finished)[0], weights(run)[0])


@pytest.mark.parametrize("name", ["unet-2", "nwm-fast"])
def test_batches_too_small_for_normalisation_are_refused(name, tmp_path):
    from test_tasks import write_folder

    size = (16, 16) if name == "unet-2" else (2, 2)  # one pixel on the deepest level
    data = write_folder(tmp_path / "data", size=size, label=0 if name == "nwm-fast" else 1)
    config = replace(get_preset(f"folder/{name}"), data=str(data), train=TrainConfig(epochs=1, batch=1))
    with pytest.raises(dh.DrumheadError, match=r"batches of 1 are too few for batch normalisation .*--train\.batch"):
        train.start(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    train.start(replace(config, train=replace(config.train, batch=2)), tmp_path / "run")


class Meanwhile(Progress):
    """Does something in the middle of a training."""

    def __init__(self, act):
        self.act = act

    def tick(self, words, done=None):
        if self.act:
            act, self.act = self.act, None
            act()


def test_one_training_at_a_time_in_a_directory(tmp_path):
    path = tmp_path / "run"

    def others():
        said.append(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr)
        with pytest.raises(dh.DrumheadError, match="another process is training there"):
            train.resume(path)
        with pytest.raises(dh.DrumheadError, match="another process is training there"):
            train.start(tiny(), path)  # its directory holds nothing to keep yet, but somebody

    said = []
    code = f"from drumhead.cli import main; main(['train', '--resume', {str(path)!r}])"
    train.start(tiny(epochs=1), path, Meanwhile(others))
    assert said == [f"drumhead: {path}: another process is training there; wait until it ends, or choose another "
                    "directory\n"]  # fmt: skip
    train.resume(path)
    assert ".training" not in os.listdir(path)


def test_where_files_cannot_be_locked_training_goes_on(tmp_path, monkeypatch, capsys):
    import errno
    import fcntl

    def without(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with hold(tmp_path / "new" / "lock") as mine:
        assert mine
    assert "No locks available): let no other process work there" in capsys.readouterr().err
    assert not list((tmp_path / "new").iterdir())


def test_what_was_killed_holds_nothing(tmp_path):
    code = (
        "import time\nfrom pathlib import Path\nfrom drumhead.files import hold\n"
        f"with hold(Path({str(tmp_path / 'lock')!r})) as mine:\n    print(mine, flush=True)\n    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "True\n"
        with hold(tmp_path / "lock") as mine:
            assert not mine
        process.kill()
        process.wait()
        with hold(tmp_path / "lock") as mine:
            assert mine


def test_a_run_without_anything_to_keep_blocks_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(training.Training, "_step", fail)
    with pytest.raises(MemoryError):
        train.start(tiny(batch=16), tmp_path / "run")
    monkeypatch.undo()
    assert train.start(tiny(epochs=1), tmp_path / "run").config == tiny(epochs=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.toml").write_text("mine = true\n")  # not a run's
    with pytest.raises(dh.DrumheadError, match="holds a run already"):
        train.start(tiny(), tmp_path / "other")


def test_data_may_move(tmp_path, monkeypatch):
    from test_tasks import write_folder

    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "here")
    config = replace(tiny(epochs=1, augment="none"), task="folder", data="here")
    run = train.start(config, tmp_path / "run")
    assert run.config.data == str(tmp_path / "here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    train.resume(run.path)
    (tmp_path / "here").rename(tmp_path / "elsewhere" / "there")
    with pytest.raises(dh.DrumheadError, match="here is not a directory"):
        train.resume(run.path)
    train.resume(run.path, data="there")
    assert run.config.data == str(tmp_path / "elsewhere" / "there")
    train.resume(run.path)
