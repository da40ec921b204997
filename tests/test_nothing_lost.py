"""Whatever ends a process, what it had done is kept, and no half-written file is ever in sight."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from drumhead.files import write_atomic

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
