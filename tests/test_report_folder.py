"""Where reports are written: each is there as a whole or not at all, whatever happens to process or disk."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import drumhead as dh
from conftest import call
from drumhead.files import report_folder, write_atomic
from drumhead.waves import synth

WRITER = """
import sys, time
from pathlib import Path
from drumhead.files import report_folder, write_atomic
with report_folder(Path(sys.argv[1])) as folder:
    write_atomic(folder / "report.md", "new")
    print("writing", flush=True)
    time.sleep(60)
"""


def write(out: Path, text: str) -> None:
    with report_folder(out) as folder:
        for name in ("report.json", "report.md", "kf.png"):
            write_atomic(folder / name, text)


def read(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(out.iterdir())}


def test_json_is_there_only_while_the_rest_belongs_to_it(tmp_path, monkeypatch):
    write(tmp_path / "out", "old")
    seen, replace = [], Path.replace

    def watched(self, target):
        if Path(target).parent == tmp_path / "out":
            seen.append({name: text for name, text in read_visible(tmp_path / "out").items() if name.endswith(".json")})
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write(tmp_path / "out", "new")
    assert seen == [{}, {}, {}]
    assert set(read(tmp_path / "out").values()) == {"new"}


def read_visible(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir() if not path.name.startswith(".")}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_process_leaves_nothing_in_sight_and_nothing_in_the_way(tmp_path):
    write(tmp_path / "out", "old")
    for out in (tmp_path / "out", tmp_path / "new"):
        with subprocess.Popen([sys.executable, "-c", WRITER, out], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "writing\n"
            with pytest.raises(dh.DrumheadError, match="another process writes there"):
                write(out, "mine")
            other.send_signal(signal.SIGKILL)
            other.wait()
        assert read_visible(out) == ({} if out.name == "new" else dict.fromkeys(read_visible(tmp_path / "out"), "old"))
        write(out, "mine")
        assert set(read(out).values()) == {"mine"}
        assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("before", [True, False])
def test_a_full_disk_changes_nothing_and_says_so(tmp_path, monkeypatch, before):
    out = tmp_path / "out"
    if before:
        write(out, "old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(dh.DrumheadError, match=r"out: No space left on device.*make room"):
        write(out, "new")
    assert read(out) == dict.fromkeys(read(out), "old") if before else not out.exists()


def test_a_report_that_cannot_be_kept_is_told_before_the_work(tmp_path, capsys, monkeypatch):
    from drumhead.neuro import analysis

    monkeypatch.setattr(analysis, "analyse", lambda *_, **__: pytest.fail("it worked first"))
    np.save(tmp_path / "a.npy", np.zeros((100, 4, 4)))
    (tmp_path / "file").touch()
    long = "n" * 300
    for out in (tmp_path / "file" / "out", tmp_path / long):
        assert call("waves", tmp_path / "a.npy", "--fs", 100, "--band", "10-30", "--out", out) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_numbers_are_told_though_the_disk_is_full(tmp_path, capsys, monkeypatch):
    array = synth.Array((4, 4), fs="250 Hz", duration="2 s")
    np.save(tmp_path / "a.npy", synth.sensor_noise(synth.plane(array, 20, 0.1), 2, 0).values)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "out"
    assert call("waves", tmp_path / "a.npy", "--fs", 250, "--band", "10-30", "--n", 19, "--out", out) == 2
    told = capsys.readouterr()
    assert "in 10-30 Hz" in told.out
    assert "written" not in told.out
    assert "make room" in told.err
    assert not out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
@pytest.mark.parametrize("before", [True, False])
def test_an_interrupted_look_leaves_what_was_there(tmp_path, before):
    out, array = tmp_path / "out", synth.Array((8, 8), fs="500 Hz", duration="4 s")
    np.save(tmp_path / "a.npy", synth.smooth_noise(array, 0).values)
    if before:
        write(out, "old")
    code = "import sys; from drumhead.cli import main; main(sys.argv[1:])"
    arguments = ["waves", tmp_path / "a.npy", "--fs", "500", "--band", "10-30", "--n", "99999", "--out", out]
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True) as look:
        while not (out / ".unfinished").exists():
            assert look.poll() is None
            time.sleep(0.02)
        assert call(*arguments) == 2  # a second one is sent away at once
        look.send_signal(signal.SIGINT)
        assert look.wait() == 130
        assert look.stderr is not None
        assert look.stderr.read().strip().endswith("interrupted")
    assert read(out) == dict.fromkeys(read(out), "old") if before else not out.exists()


def test_a_look_at_a_network_does_not_wait_for_a_server(tmp_path, capsys, monkeypatch):
    from drumhead.tasks import idx

    monkeypatch.setattr(idx, "places", lambda data=None: [data or tmp_path])
    monkeypatch.setattr(idx, "download", lambda *_: pytest.fail("it asked a server"))
    assert call("waves", "mnist") == 2
    error = capsys.readouterr().err
    assert "the images of mnist are not on this machine" in error
    assert "--images" in error
    assert call("waves", "mnist", "--data", tmp_path) == 2
    assert "lacks MNIST's IDX files" in capsys.readouterr().err
