"""`drumhead push` and `dh.load("hf://...")`, with the Hub's own library against a hub on the loopback."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import drumhead as dh
from drumhead import cli
from drumhead.learn.card import card, public
from drumhead.learn.run import Run
from drumhead.networks.hub import address
from drumhead.settings.presets import get_preset
from hub_on_loopback import TOKEN, Hub, serving

pytest.importorskip("huggingface_hub")
SECRET = "/home/ada/secret"


@pytest.fixture
def trained(tmp_path):
    """Return a run directory with all its files, as training and evaluation leave them."""
    config = get_preset("tetrominoes/unet-2")
    run = Run(tmp_path / "run")
    begun = replace(config.train, weights=f"{SECRET}/first.safetensors")
    run.create(replace(config, data=SECRET, train=begun))
    torch.manual_seed(0)
    dh.save(dh.build(config.model), run.weights, preset=config.preset, task=config.task)
    run.add_row({"epoch": 1, "images": 64, "cpu_seconds": 7200.0, "val_loss": 0.1})
    scores = {"foreground_accuracy": 0.75, "loss": 0.5, "boundary_f": None}
    result = {"weights": SECRET, "task": config.task, "split": "test", "images": 1000, "cut": False, "parameters": 9}
    about = {"environment": {"torch": "2.13.0", "command": ["drumhead", SECRET]}}
    (run.path / "evaluation-test.json").write_text(json.dumps({**result, **scores, **about}))
    kept = json.loads((run.path / "environment.json").read_text())
    (run.path / "environment.json").write_text(json.dumps({**kept, "command": ["drumhead", "train", SECRET]}))
    return run


def call(url, tmp_path, code, token=TOKEN, **more):
    """Run Python code with a hub of its own; return the finished process."""
    environment = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": token}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", **more}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def verb(*words):
    return f"from drumhead.cli import main; main({[*map(str, words)]!r})"


LOAD = "import drumhead as dh; dh.save(dh.load({!r}), {!r})"


@pytest.mark.parametrize("large", [(), ("weights.safetensors",)], ids=["plain", "large files"])
def test_a_run_that_was_pushed_loads_with_the_same_bits(large, trained, tmp_path):
    hub, back = Hub(large), tmp_path / "back.safetensors"
    with serving(hub) as url:
        done = call(url, tmp_path, verb("push", trained.path, "ada/pieces", "--licence", "mit", "--private"))
        assert done.returncode == 0, done.stderr
        assert 'dh.load("hf://ada/pieces")' in done.stdout
        loaded = call(url, tmp_path, LOAD.format("hf://ada/pieces", str(back)))
        assert loaded.returncode == 0, loaded.stderr
        offline = call("http://127.0.0.1:1", tmp_path, LOAD.format("hf://ada/pieces", str(back)), HF_HUB_OFFLINE="1")
        assert offline.returncode == 0, offline.stderr
    (commit,) = hub.repositories["ada/pieces"]["main"][1:]
    assert {*commit} == {path.name for path in trained.path.iterdir() if path.is_file()} | {"README.md"}
    assert hub.private == {"ada/pieces"}
    assert commit["weights.safetensors"] == trained.weights.read_bytes()
    assert not [name for name, data in commit.items() if SECRET.encode() in data or str(tmp_path).encode() in data]
    assert bool(hub.blobs) == bool(large)
    want, got = dh.load(trained.path).state_dict(), dh.load(back).state_dict()
    assert all(torch.equal(want[name], got[name]) for name in want)


def test_a_branch_and_a_second_push(trained, tmp_path):
    hub = Hub()
    with serving(hub) as url:
        for place in ("ada/pieces", "hf://ada/pieces@wide", "ada/pieces@wide"):
            assert call(url, tmp_path, verb("push", trained.path, place)).returncode == 0
        assert {branch: len(commits) - 1 for branch, commits in hub.repositories["ada/pieces"].items()} == {
            "main": 1,
            "wide": 2,
        }
        evaluate = verb("cite", "hf://ada/pieces@wide")
        assert "ronneberger2015" in call(url, tmp_path, evaluate).stdout
        missing = call(url, tmp_path, verb("cite", "hf://ada/pieces@narrow"))
        assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
        assert "no such revision" in missing.stderr


REFUSED = {
    TOKEN: {
        ("push", "RUN", "nobody/pieces"): "the Hub refuses (You don't have the rights",
        ("cite", "hf://ada/nothing"): "does not exist, or is private",
        ("cite", "hf://ada/empty"): "holds no weights.safetensors",
    },
    "wrong": {
        ("push", "RUN", "ada/pieces"): "hf auth login",
        ("cite", "hf://ada/hidden"): "does not exist, or is private",
    },
}


@pytest.mark.parametrize("token", REFUSED)
def test_what_the_hub_refuses_is_one_sentence(token, trained, tmp_path):
    hub = Hub()
    hub.repositories |= {"ada/empty": {"main": [{}]}, "ada/hidden": {"main": [{}]}}
    hub.private.add("ada/hidden")
    calls = [[str(trained.path) if word == "RUN" else word for word in words] for words in REFUSED[token]]
    code = (
        "from drumhead.cli import main\n"
        f"for words in {calls!r}:\n"
        "    try: main(words)\n"
        "    except SystemExit as stop: assert stop.code == 2\n"
    )
    with serving(hub) as url:
        done = call(url, tmp_path, code, token)
    assert done.returncode == 0, done.stderr
    sentences = done.stderr.splitlines()
    for sentence, why in zip(sentences, REFUSED[token].values(), strict=True):
        assert sentence.startswith("drumhead: ")
        assert why in sentence
    assert not any(len(commits) > 1 for branches in hub.repositories.values() for commits in branches.values())


@pytest.mark.parametrize(
    ("words", "offline"), [(("push", "RUN", "ada/pieces"), ""), (("cite", "hf://ada/pieces"), "1")]
)
def test_no_connection_is_one_sentence(words, offline, trained, tmp_path):
    words = [str(trained.path) if word == "RUN" else word for word in words]
    done = call("http://127.0.0.1:1", tmp_path, verb(*words), HF_HUB_OFFLINE=offline)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot be reached" in done.stderr


def test_a_dry_run_sends_nothing_and_shows_the_card(trained, capsys):
    cli.main(["push", str(trained.path), "ada/pieces", "--dry-run"])
    out = capsys.readouterr().out
    assert "weights.safetensors" in out
    assert card(trained, "ada/pieces").strip() in out


def test_the_card_has_the_numbers_of_the_run(trained):
    text = card(trained, "ada/pieces", "cc-by-4.0")
    assert text.startswith('---\nlicense: "cc-by-4.0"\nlibrary_name: drumhead\n')
    assert "| foreground accuracy | 0.7500 |" in text
    assert "1,000 test images of tetrominoes" in text
    assert "64 image passes" in text
    assert "2.0 hours" in text
    assert "weights first.safetensors" in text
    assert SECRET not in text
    (trained.path / "evaluation-test.json").unlink()
    assert "Not measured on test images yet" in card(trained, "ada/pieces")


@pytest.mark.parametrize("weights", ["", "wires", "hf://ada/pieces@wide"])
def test_weights_that_everybody_finds_stay_in_the_settings(weights):
    config = get_preset("wires/nwm-rounds")
    config = replace(config, train=replace(config.train, weights=weights))
    assert public(config) == config


@pytest.mark.parametrize(
    "text", ["hf://", "hf://pieces", "hf://ada/../x", "hf://a/b/c", "hf://ada/pieces@", "hf:/ada/x"]
)
def test_what_is_no_address(text):
    with pytest.raises(dh.DrumheadError, match="no place on the Hub"):
        address(text)


def test_a_run_without_weights_and_a_damaged_evaluation(trained):
    (trained.path / "evaluation-test.json").write_text("{")
    with pytest.raises(dh.DrumheadError, match="is no evaluation"):
        card(trained, "ada/pieces")
    trained.weights.unlink()
    with pytest.raises(SystemExit):
        cli.main(["push", str(trained.path), "ada/pieces", "--dry-run"])


@pytest.mark.parametrize(
    ("name", "text"),
    [("environment.json", "{"), ("environment.json", "[1]"), ("metrics.jsonl", '{"epoch": 1}\n')],
)
def test_a_damaged_run_is_not_pushed(name, text, trained, capsys):
    (trained.path / name).write_text(text)
    with pytest.raises(SystemExit) as leave:
        cli.main(["push", str(trained.path), "ada/pieces", "--dry-run"])
    assert leave.value.code == 2
    assert "damaged" in capsys.readouterr().err


def test_scores_of_other_weights_are_not_in_the_card(trained):
    result = trained.path / "evaluation-test.json"
    os.utime(result, (1, 1))
    assert "Not measured on test images yet" in card(trained, "ada/pieces")
    result.write_text(json.dumps({**json.loads(result.read_text()), "task": "polygons"}))
    assert "Not measured on test images yet" in card(trained, "ada/pieces")
