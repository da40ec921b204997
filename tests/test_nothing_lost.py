"""Whatever ends a process, what it had done is kept, and no half-written file is ever in sight."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from drumhead.errors import DrumheadError
from drumhead.files import whole_folder, write_atomic
from drumhead.learn import train
from drumhead.learn.run import Run
from drumhead.learn.signals import asked_to_stop
from drumhead.networks.weights import read_safetensors
from test_learn import tiny

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and locks of POSIX")

HALF = """
import os, sys, time
from pathlib import Path
from drumhead.files import write_atomic
def stop(_):
    print("half", flush=True)
    time.sleep(60)
os.fsync = stop
write_atomic(Path(sys.argv[1]), "never there")
"""


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_what_a_killed_writer_left_is_cleared_by_the_next_one_and_not_before_it_died(tmp_path):
    path = tmp_path / "state.safetensors"
    (tmp_path / ".state.safetensors.mine").touch()  # somebody's own
    with subprocess.Popen([sys.executable, "-c", HALF, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "half\n"
        write_atomic(path, "while it lives")
        assert len(hidden(tmp_path)) == 2
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert path.read_text() == "while it lives"
    write_atomic(path, "after it died")
    assert path.read_text() == "after it died"
    assert hidden(tmp_path) == [".state.safetensors.mine"]


def test_a_full_disk_is_told_with_the_name_that_the_user_knows(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as found:
        write_atomic(tmp_path / "a.json", "{}")
    assert found.value.filename == str(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


FOLDER = """
import sys, time
from pathlib import Path
from drumhead.files import whole_folder
with whole_folder(Path(sys.argv[1])) as folder:
    (folder / "model.onnx").write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_folder_is_whole_or_as_it_was(before, exchanges, tmp_path, monkeypatch):
    if not exchanges:
        monkeypatch.setattr("drumhead.files._exchange", lambda *_: False)
    out = tmp_path / "out"
    if before:
        out.mkdir()
        (out / "model.onnx").write_text("old")
    with subprocess.Popen([sys.executable, "-c", FOLDER, out], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "half\n"
        with pytest.raises(DrumheadError, match="another process writes it"), whole_folder(out):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["out"] * before
    with whole_folder(out) as folder:
        assert not list(folder.iterdir())
        (folder / "model.onnx").write_text("new")
        if before:
            assert (out / "model.onnx").read_text() == "old"
    assert (out / "model.onnx").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_lost_its_name_has_it_again(tmp_path):
    (tmp_path / ".out.drumhead-old").mkdir()
    (tmp_path / ".out.drumhead-old" / "model.onnx").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "out"):
        raise KeyboardInterrupt
    assert (tmp_path / "out" / "model.onnx").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_what_fails_at_a_folder_is_laid_at_its_door(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights\.bin"), whole_folder(tmp_path / "out"):
        (tmp_path / "weights.bin").read_bytes()
    with (
        pytest.raises(DrumheadError, match=r"out cannot be written: No space left.*make room"),
        whole_folder(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (tmp_path / "file").touch()
    with (
        pytest.raises(DrumheadError, match=r"out cannot be written: .*choose another place"),
        whole_folder(tmp_path / "file" / "out"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


COMPILE = """
from drumhead.engine.cpu import build
build.SHIPPED = build.SHIPPED / "none"  # of a wheel
print(build.search().note)
"""


def test_a_killed_compilation_leaves_nothing_for_good(tmp_path):
    slow = tmp_path / "cc"
    slow.write_text('#!/bin/sh\ntouch "$TMPDIR/cc-scratch.s"\ntest ! -e "$0.slow" || sleep 60\nexit 1\n')
    slow.chmod(0o755)
    (tmp_path / "cc.slow").touch()
    own = {"CC": str(slow), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    place, command = tmp_path / "cache" / "drumhead" / "engine", [sys.executable, "-c", COMPILE]
    with subprocess.Popen(command, env=os.environ | own, stderr=subprocess.DEVNULL, start_new_session=True) as other:
        until = time.monotonic() + 60
        while not list(place.glob(".compiling-*/cc-scratch.s")):
            assert time.monotonic() < until
            time.sleep(0.02)
        os.killpg(other.pid, signal.SIGKILL)
    (tmp_path / "cc.slow").unlink()
    said = subprocess.run(command, env=os.environ | own, capture_output=True, text=True).stdout
    assert "failed with exit code 1" in said  # the slow compiler, which was killed, is not what is remembered
    assert not hidden(place)
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("tmp")}  # torch 2.6 leaves one
    assert left == {"cache", "cc", f"drumhead-{os.getuid()}"}


class Killed(BaseException):
    """What nothing in the library catches."""


def test_a_run_killed_before_its_first_checkpoint_goes_on(tmp_path, monkeypatch):
    """The row of the first epoch is there just before the first checkpoint is."""
    whole = train.start(tiny(epochs=2), tmp_path / "whole")

    def kill(*_):
        raise Killed

    monkeypatch.setattr(Run, "save_checkpoint", kill)
    with pytest.raises(Killed):
        train.start(tiny(epochs=2), tmp_path / "run")
    monkeypatch.undo()
    assert len(Run(tmp_path / "run").rows()) == 1
    run = train.resume(tmp_path / "run")
    one, other = (read_safetensors(r.weights)[1] for r in (whole, run))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [row["epoch"] for row in run.rows()] == [1, 2]


@pytest.mark.parametrize(
    ("signals", "at_once"),
    [
        ([signal.SIGINT, signal.SIGTERM], False),  # as whoever started several trainings sends after Ctrl-C
        ([signal.SIGTERM, signal.SIGTERM], False),
        ([signal.SIGINT, signal.SIGINT], True),
        ([signal.SIGTERM, signal.SIGINT], True),
    ],
)
def test_a_second_interrupt_stops_at_once_and_a_second_request_does_not(signals, at_once):
    went_on = []

    def loop():
        with asked_to_stop() as seen:
            for number in signals:
                os.kill(os.getpid(), number)
            went_on.append(seen)

    with pytest.raises(KeyboardInterrupt) as stop:
        loop()
    assert stop.value.args == (signals[0].name,)
    assert bool(went_on) is not at_once


@pytest.mark.parametrize("begun", [True, False])
def test_a_full_disk_stops_a_training_with_a_sentence(begun, tmp_path, monkeypatch, capsys):
    from conftest import call

    def full(self, *_):
        if begun:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.weights))
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.weights))

    monkeypatch.setattr(Run, "add_row", full)
    out = tmp_path / "run"
    assert call("train", "tetrominoes/nwm-fast", "--limit", 4, "--epochs", 1, "--out", out) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"drumhead: {out / 'weights.safetensors'}: ")
    assert (f"make room, then go on with: drumhead train --resume {out}" in said) is begun


@pytest.mark.timeout(600)
def test_the_harness_in_short(tmp_path):
    """`diagnostics/nothing_lost.py` with few kills: of the work that takes seconds."""
    harness = Path(__file__).parent.parent / "diagnostics" / "nothing_lost.py"
    command = [sys.executable, harness, "--short", "--kills", "6", "--scenario", "train,data"]
    done = subprocess.run([*command, "--out", tmp_path / "out.json"], capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert not found["lost"]
    assert sum(seen["kills"] for seen in found["kills"].values()) >= 6
    for seen in found["kills"].values():
        assert seen["identical"] == seen["runs"] > 0
        assert not seen["broken"]
        assert not seen["left"]
    assert len(found["faults"]) == 6
    assert all(fault["held"] and fault["identical"] for fault in found["faults"].values())
