"""The command line as a user meets it: output, files, exit codes, no traceback."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import wave
from importlib.metadata import requires
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import drumhead as dh
from conftest import call
from drumhead import cli
from drumhead.cli import hearing
from drumhead.learn.run import Run
from drumhead.read.classes import ClassList
from drumhead.read.images import read_image
from drumhead.read.masks import read_mask
from drumhead.show.listen import listen

SAMPLE = Path(dh.__file__).parent / "samples" / "pieces-1.png"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    dh.save(dh.build("tetrominoes/nwm-fast"), path, task="tetrominoes")
    return path


def _without_torch(*arguments):
    code = (
        "import sys, drumhead.cli as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_help_does_not_load_torch():
    for arguments in ([], ["--help"], *([verb, "--help"] for verb in cli.VERBS), ["train", "--list"]):
        assert _without_torch(*arguments).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "--model", "nowhere"],
        ["evaluate", "nowhere"],
        ["listen", "--model", "nowhere"],
        ["export", "nowhere", "--out", "x"],
        ["cite", "nowhere"],
    ],
)
def test_a_wrong_name_of_weights_is_said_before_torch_comes(arguments):
    assert "no weights at 'nowhere'" in _without_torch(*arguments).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sing"], "'sing' is not a verb of drumhead; there are segment, listen, train"),
        (["segment", "nowhere.png"], "nowhere.png does not exist"),
        (["segment", "--model", "nowhere"], "no weights at 'nowhere'"),
        (["train", "tetrominoes/none"], "did you mean"),
        (["train", "--resume", "nowhere"], "config.toml does not exist"),
        (["train", "folder/nwm-fast"], "--data DIR"),
        (["train", "folder/nwm-fast", "--data", "nowhere"], "nowhere is not a directory"),
        (["train", "tetrominoes/nwm-fast", "--train.lr", "-1"], "train.lr=-1.0"),
        (["train"], "say what to train"),
        (["train", "--epochs", "3", "tetrominoes/nwm-fast"], "put the preset first"),
        (["train", "tetrominoes/nwm-fast", "--model.steps", "0"], "at least 1"),
        (["train", "tetrominoes/nwm-fast", "--data", "here"], "makes its images and takes no directory"),
        (["train", "--resume", "run", "--epochs", "3", "--train.lr=1"], "would ignore --epochs, --train.lr;"),
        (["train", "tetrominoes/nwm-fast", "--resume", "run"], "would ignore tetrominoes/nwm-fast;"),
        (["train", "tetrominoes/nwm-fast", "--limit", "9", "--train.limit", "8"], "--limit would ignore --train.limit"),
        (
            ["train", "tetrominoes/nwm-fast", "--train.schedule", "constant", "--train.warmup", "0.1"],
            "--train.schedule constant would ignore --train.warmup",
        ),
        (["reproduce", "tetrominoes", "--data", "here"], "makes its images and takes no directory"),
        (["reproduce", "receptive-field", "--budget", "hour"], "would ignore --budget"),
        (["reproduce", "--out", "report"], "the list of tables would ignore --out"),
        (["segment", "--no-pictures", "--out", "x"], "--no-pictures would ignore --out"),
        (["segment", "--no-pictures", "--labels-only"], "--no-pictures would ignore --labels-only"),
        (["drum", "--no-area", "--sides", "8"], "--no-area would ignore --sides"),
        (["bench", "--quick", "--compare", "a.json", "b.json"], "would ignore --quick"),
        (["evaluate", "nowhere", "--json-out", "new/numbers.json"], "no weights at"),
        (["evaluate", "tetrominoes", "--limit", "-3"], "--limit -3: at least 0 is needed"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_with_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_segment_writes_everything_it_names(tmp_path, capsys):
    assert call("segment", "--out", tmp_path) == 0
    shown = capsys.readouterr().out
    names = {path.name for path in tmp_path.iterdir()}
    for sample in ("pieces-1", "pieces-5"):
        assert sample in shown
        assert {f"{sample}-mask.png", f"{sample}-waves.gif", f"{sample}-spectrum.png"} <= names
        found = read_mask(tmp_path / f"{sample}-labels.png", ClassList(tuple("abcdef")))
        expected = dh.load("tetrominoes").segment(dh.to_images(read_image(SAMPLE.with_name(f"{sample}.png"), 3)))
        assert np.array_equal(found, expected[0])
    with Image.open(tmp_path / "pieces-1-waves.gif") as movie:
        assert movie.n_frames == sum(layer.steps for layer in dh.load("tetrominoes").config.waves)  # of every layer
    assert not [name for name in names if name.startswith(".")]
    tones = [name for name in names if name.startswith("pieces-1-") and name.endswith(".wav")]
    assert tones == ["pieces-1-1-I.wav"]
    with wave.open(str(tmp_path / tones[0])) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert samples.size > 20_000
    assert np.abs(samples).max() > 20_000


def test_segment_takes_any_image(tmp_path, weights, capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (37, 51), np.uint8)).save(tmp_path / "grey.png")
    Image.new("RGBA", (1, 1)).save(tmp_path / "pixel.png")
    for name in ("notes.txt", "._grey.png", ".DS_Store"):
        (tmp_path / name).write_text("no image")
    assert call("segment", tmp_path, "--model", weights, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "grey" in shown
    assert "pixel" in shown
    assert (tmp_path / "out" / "grey-waves.gif").exists()
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert call("segment", tmp_path / "broken.png", "--model", weights) == 2
    Image.fromarray(np.full((5, 5), 9, np.uint8)).save(tmp_path / "grey.mask.png")
    assert call("segment", tmp_path / "grey.png", "--model", weights, "--no-pictures") == 2
    assert "has the label 9; there are 6 classes" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cnn-2", "resnet-2", "unet-2"])
def test_a_network_without_waves_draws_its_mask(name, tmp_path, capsys):
    dh.save(dh.build(f"tetrominoes/{name}"), tmp_path / "w.safetensors", task="tetrominoes")
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png")
    assert call("segment", tmp_path / "a.png", "--model", tmp_path / "w.safetensors", "--out", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-labels.png", "a-mask.png"]


def test_an_image_that_cannot_be_read_is_said_before_anything_is_written(tmp_path, capsys):
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png")
    (tmp_path / "z.png").write_bytes(b"no image")
    assert call("segment", tmp_path, "--out", tmp_path / "out") == 2
    assert "z.png" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.*"))


def test_samples_are_of_the_task_or_there_are_none(tmp_path, capsys):
    of = hearing.samples
    assert of("wires-120") == of("wires") != of("tetrominoes") == of("")
    assert of("multi-mnist-unseen") == of("multi-mnist") != of("mnist")
    dh.save(dh.build("pathfinder/unet-2"), tmp_path / "w.safetensors", task="pathfinder")
    assert call("segment", "--model", tmp_path / "w.safetensors", "--out", tmp_path / "out") == 2
    assert "there are no sample images of pathfinder; give image files" in capsys.readouterr().err


def test_places_that_cannot_be_written_are_one_sentence(tmp_path, capsys, weights):
    (tmp_path / "file").write_text("")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for out in (tmp_path / "file", tmp_path / "file" / "x"):
        assert call("segment", tmp_path / "a.png", "--model", weights, "--out", out) == 2
        assert call("train", "tetrominoes/nwm-fast", "--limit", 4, "--epochs", 1, "--out", out) == 2
    assert call("evaluate", weights, "--limit", 2, "--json-out", tmp_path / "file" / "a.json") == 2
    assert call("evaluate", weights, "--limit", 2, "--json-out", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.count("drumhead: ") == 6
    assert error.count("choose another place") == 5
    assert "Traceback" not in error


def test_names_are_text_and_never_collide(tmp_path, weights, capsys):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / place / "x[red].png")
    assert call("segment", tmp_path / "one", "--model", weights, "--out", tmp_path / "out") == 0
    assert "x[red]" in capsys.readouterr().out
    assert call("segment", tmp_path / "one", tmp_path / "two", "--model", weights, "--out", tmp_path / "out") == 2
    assert "would write the same files" in capsys.readouterr().err


NAMES = ("Ba$$in", "$x_$", "[bold]", "\u7d30\u80de", "\x1b[31m", 60 * "long")


def test_names_are_words_in_every_picture(tmp_path, weights, capsys):
    named = tmp_path / "named.safetensors"
    dh.save(dh.load("tetrominoes"), named, task="tetrominoes", classes="\n".join(NAMES))
    image = tmp_path / "in" / os.fsdecode(b"$1_ $\n[red]\xff\xe2\x82\xac.png")
    image.parent.mkdir()
    with Image.open(SAMPLE) as sample:
        sample.save(image)
    assert call("segment", image, "--model", named, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "$1_ $\\n[red]\\udcff\u20ac" in shown
    assert "\x1b" not in shown
    assert (tmp_path / "out" / f"{image.stem}-spectrum.png").exists()
    assert call("segment", image.rename(tmp_path / ("x" * 161 + ".png")), "--model", named) == 2
    assert "has a name too long" in capsys.readouterr().err


def test_a_terminal_without_the_characters_of_a_name_shows_others(tmp_path, weights):
    image = tmp_path / "\u7d30.png"
    Image.new("RGB", (8, 8)).save(image)
    command = [sys.executable, "-m", "drumhead", "segment", image, "--model", weights, "--no-pictures"]
    plain = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, env=plain)
    assert done.returncode == 0, done.stderr
    assert b"\\u7d30" in done.stdout


def test_results_never_replace_what_drumhead_did_not_write(tmp_path, weights, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.new("RGB", (8, 8), "white").save(photos / "cell.png")
    Image.new("RGB", (8, 8)).save(photos / ".hidden.png")
    (tmp_path / "link").symlink_to(photos)
    (photos / "deep").mkdir()
    common = ("--model", weights)
    for place, what in (
        (photos, "cell.png, an input"),
        (tmp_path / "link", "cell.png, an input"),
        (tmp_path, "link"),
    ):
        assert call("segment", photos, *common, "--out", place) == 2
        assert f"holds {what}" in capsys.readouterr().err
    assert call("segment", tmp_path / "link" / "cell.png", *common, "--out", photos) == 2
    assert call("drum", photos / "cell.png", "--out", photos) == 2
    assert {path.name for path in photos.iterdir()} == {"cell.png", ".hidden.png", "deep"}
    for _ in range(2):  # what it wrote itself it may write again
        assert call("segment", photos, *common, "--out", out) == 0
    assert "hidden" not in capsys.readouterr().out
    Image.new("RGB", (8, 8)).save(out / "cell-mask.png")
    assert call("segment", photos, *common, "--out", out) == 2
    assert "holds cell-mask.png, which drumhead did not write" in capsys.readouterr().err
    (out / "cell-mask.png").unlink()
    numbers = tmp_path / "numbers.json"
    numbers.write_text('{"mine": 1}')
    assert call("evaluate", weights, "--limit", 2, "--json-out", numbers) == 2
    assert "is there already and no evaluation" in capsys.readouterr().err
    numbers.write_text("5")
    assert call("evaluate", weights, "--limit", 2, "--json-out", numbers) == 2
    assert "is there already and no evaluation" in capsys.readouterr().err
    assert numbers.read_text() == "5"
    for arguments in (("reproduce", "receptive-field"), ("reproduce", "tetrominoes"), ("bench", "--quick")):
        assert call(*arguments, "--out", photos) == 2
        assert "holds cell.png, which drumhead did not write" in capsys.readouterr().err


def test_a_place_without_permission_is_refused_before_the_work(tmp_path, weights, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert call("segment", tmp_path / "a.png", "--model", weights, "--out", tmp_path / "new") == 2
    assert f"{tmp_path} cannot be written to; choose another place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drum", "L", "--no-area", "--sides", "5"], "--no-area would ignore --sides"),
        (["reproduce", "--budget", "hour", "--jobs", "2"], "the list of tables would ignore --budget, --jobs"),
        (["reproduce", "receptive-field", "--seeds", "2"], "would ignore --seeds"),
        (["reproduce", "tetrominoes", "--no-train", "--jobs", "2"], "--no-train would ignore --jobs"),
        (["reproduce", "tetrominoes", "--no-report", "--out", "x"], "--no-report would ignore --out"),
        (
            ["reproduce", "front", "--no-train", "--runs", ".", "--models", "x", "--task", "wires"],
            "front --no-train, which reports on all that has runs, would ignore --models, --task",
        ),
        (["bench", "--compare", "a", "b", "--quick"], "would ignore --quick"),
    ],
)
def test_options_that_would_change_nothing_are_refused(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_closed_pipe_is_no_error():
    code = "from drumhead.cli import main; main(['--help'])"
    done = subprocess.run(f'"{sys.executable}" -c "{code}" | true', shell=True, capture_output=True, text=True)
    assert not done.stderr


def test_train_resume_evaluate_segment(tmp_path, capsys):
    run = tmp_path / "run"
    settings = ["--limit", 8, "--epochs", 1, "--train.batch", 4, "--model.steps", 4, "--model.bins", 3]
    assert call("train", "tetrominoes/nwm-fast", "--out", run, *settings) == 0
    assert call("train", "--resume", run) == 0
    assert "has finished already: 1 epochs" in capsys.readouterr().out
    assert len(Run(run).rows()) == 1
    assert Run(run).config.model.waves[0].steps == 4
    assert call("train", "tetrominoes/nwm-fast", "--out", run) == 2
    assert call("evaluate", run, "--limit", 4, "--cut") == 0
    written = json.loads((run / "evaluation-test-cut-first4.json").read_text())
    assert written["images"] == 4
    assert 0 <= written["foreground_accuracy"] <= 1
    with contextlib.chdir(tmp_path):
        assert call("segment", "--model", run, "--no-pictures") == 0
        assert not (tmp_path / "demo-out").exists()
        assert call("segment", "--model", run, "--labels-only") == 0
        assert call("segment", "--model", run, "--out", "all") == 0
    for path in (tmp_path / "demo-out").iterdir():
        assert path.name.endswith("-labels.png")
        assert path.read_bytes() == (tmp_path / "all" / path.name).read_bytes()
    assert "evaluation" in capsys.readouterr().out
    (run / "weights.safetensors").unlink()
    assert call("evaluate", run) == 2
    assert "no epoch of its training has ended yet; if it was stopped: drumhead train --res" in capsys.readouterr().err
    shutil.rmtree(run / "last.ckpt")
    assert call("evaluate", run) == 2
    assert "is a run without weights.safetensors: they were not kept" in capsys.readouterr().err


def test_labels_of_waves_that_are_not_finite_are_not_written(tmp_path, capsys):
    layer = dh.Layer(integrator="euler", courant=0.0, dt=5.0, nonlinearity="linear", steps=200)
    dh.save(dh.build(dh.Stack(waves=(layer,), image_channels=1)), tmp_path / "wild.safetensors")
    Image.new("L", (20, 20), 99).save(tmp_path / "a.png")
    for flag in ("--pictures", "--labels-only"):
        assert call("segment", tmp_path / "a.png", "--model", tmp_path / "wild.safetensors", flag,
                    "--out", tmp_path / "out") == 2  # fmt: skip
        assert "of this network are not finite" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_train_on_a_folder(tmp_path, capsys):
    from test_tasks import write_folder

    settings = [
        "--epochs",
        1,
        "--train.batch",
        4,
        "--model.steps",
        4,
        "--model.bins",
        3,
        "--out",
        tmp_path / "run",
    ]
    assert call("train", "folder/nwm-fast", "--data", write_folder(tmp_path / "data", mode="L"), *settings) == 0
    model = dh.load(tmp_path / "run")
    assert (model.config.image_channels, model.config.classes) == (1, 3)
    capsys.readouterr()
    assert call("evaluate", tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert "folder/test" in said
    classes = json.loads((tmp_path / "run" / "evaluation-test.json").read_text())["classes"]
    assert list(classes) == list(dh.tasks.get("folder", tmp_path / "data").classes)
    assert all(name in said for name in (*classes, "recall", "precision"))
    assert all(set(scores) == {"pixels", "recall", "precision", "iou", "dice"} for scores in classes.values())


def test_doctor_names_what_it_finds(capsys, monkeypatch, tmp_path):
    assert call("doctor") == 0
    shown = capsys.readouterr().out
    for word in ("python", "torch", "gpu", "backend eager", "backend native", "backend cuda", "data mnist", "weights"):
        assert word in shown
    own = [re.split(r"[^\w.-]", line)[0] for line in requires("drumhead") if "extra ==" not in line]
    assert "xarray" in own
    for package in own:
        assert f"ok {package} " in shown
    needed = ['onnx>=1; extra == "export"', 'no-such-package>=1; extra == "export"', 'numpy; extra == "hub"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needed)
    assert call("doctor") == 0
    shown = capsys.readouterr().out
    assert "-- extra export      without no-such-package: pip install 'drumhead[export]'" in shown
    assert f"ok extra hub         numpy {np.__version__}" in shown
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["no-such-package>=1"])
    assert call("doctor") == 1
    assert "missing: pip install" in capsys.readouterr().out


def test_listening_pixels_lie_inside_their_objects():
    labels = np.zeros((20, 20), np.int64)
    labels[2:9, 2:9], labels[12:19, 3:17], labels[0, 19] = 1, 2, 1
    waves = np.arange(5 * 2 * 10 * 10, dtype=float).reshape(5, 2, 10, 10)
    first, second = listen(labels, waves, ["background", "a", "b"], stride=2)
    assert (first.y, first.x, first.name) == (5, 5, "a")
    assert (second.y, second.name) == (15, "b")
    np.testing.assert_array_equal(first.series, waves[:, :, 2, 2])


def test_many_objects_are_measured_together_and_the_largest_listened_to(tmp_path, weights, capsys, monkeypatch):
    from scipy import ndimage

    from drumhead.cli.hearing import MOST
    from drumhead.networks.timed import Timed

    passes, measure = [], ndimage.distance_transform_edt
    monkeypatch.setattr(ndimage, "distance_transform_edt", lambda mask: passes.append(1) or measure(mask))
    labels = torch.zeros(1, 72, 72, dtype=torch.int64)
    for i in range(81):  # squares of 25 pixels, the last one of 36
        labels[0, 8 * (i // 9) :, 8 * (i % 9) :][: 5 + i // 80, : 5 + i // 80] = 1
    assert len(listen(labels[0].numpy(), np.zeros((1, 1, 72, 72)), ["background", "a"])) == 81
    assert len(passes) == 1
    logits = torch.nn.functional.one_hot(labels, 6).movedim(3, 1)
    usual = Timed.heard
    monkeypatch.setattr(
        Timed, "heard", lambda self, images, *records, **_: (logits, *usual(self, images, *records)[1:])
    )
    heard = []
    monkeypatch.setattr("drumhead.show.pictures.save_spectrum", lambda path, spots, dt: heard.append(spots))
    Image.new("RGB", (72, 72)).save(tmp_path / "many.png")
    out = tmp_path / "out"
    assert call("segment", tmp_path / "many.png", "--model", weights, "--out", out) == 0
    assert f"many: listening to the {MOST} largest of 81 objects" in capsys.readouterr().out
    assert len(list(out.glob("many-*.wav"))) == MOST
    assert [spot.size for spot in heard[0]] == [25] * (MOST - 1) + [36]


def test_an_interrupted_training_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    from drumhead.learn import training

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Training, "_epoch", interrupt)
    assert call("train", "tetrominoes/nwm-fast", "--limit", 4, "--epochs", 1, "--out", tmp_path / "run") == 130
    assert f"interrupted; go on with: drumhead train --resume {tmp_path / 'run'}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.mat", "a.npz", "a.csv"])
def test_a_file_that_is_no_weights_is_a_recording_to_convert(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"numbers")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["waves", str(tmp_path / name), "--band", "10-30"])
    assert "recordings end in" in capsys.readouterr().err
