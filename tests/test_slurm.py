"""A sweep through a real SLURM of one node, with jobs that are requeued, preempted and out of time half-way."""

import json
import os
import pickletools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from conftest import call
from drumhead.learn import train
from drumhead.networks.weights import read_safetensors
from drumhead.sweep import plan

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing: apt-get install slurm-wlm munge"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="SLURM's daemons are started by root"),
]
CONF = """
ClusterName=drum
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={place}/munge.socket,cred_expire=5
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobRequeue=1
KillWait=20
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
NodeName=drum NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=skins Nodes=drum Default=YES MaxTime=60 State=UP
"""


def free_ports(count):
    with_sockets = [socket.socket() for _ in range(count)]
    for one in with_sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in with_sockets]
    for one in with_sockets:
        one.close()
    return ports


def until(true, what, seconds=240.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster():
    """Start munged, slurmctld and slurmd, with a configuration of their own, and end them."""
    place = Path(tempfile.mkdtemp(prefix="drum-slurm-", dir="/tmp"))  # a socket's path has to be short
    for name in ("state", "spool"):
        (place / name).mkdir()
    place.chmod(0o755)
    (place / "key").write_bytes(os.urandom(64))
    (place / "key").chmod(0o400)
    text = CONF.format(host=socket.gethostname().split(".")[0], ports=free_ports(2), place=place)
    (place / "slurm.conf").write_text(text)
    environment = {**os.environ, "SLURM_CONF": str(place / "slurm.conf")}
    munge = ["munged", "--foreground", "--force", f"--key-file={place}/key", f"--socket={place}/munge.socket",
             f"--pid-file={place}/munged.pid", f"--log-file={place}/munged.log",
             f"--seed-file={place}/seed"]  # fmt: skip
    daemons = []

    def start(command):
        with (place / f"{command[0]}.out").open("wb") as out:
            daemons.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))

    def answers(*command):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert all(one.poll() is None for one in daemons), [file.read_text() for file in place.glob("*.log")]
        return done.stdout if done.returncode == 0 else ""

    try:
        start(munge)
        until((place / "munge.socket").exists, "munged")
        start(["slurmctld", "-D", "-i", "-f", str(place / "slurm.conf")])
        start(["slurmd", "-D", "-N", "drum", "-f", str(place / "slurm.conf")])
        until(lambda: "idle" in answers("sinfo", "-h", "-o", "%T"), "a node")
        yield str(place / "slurm.conf")
    finally:
        for one in reversed(daemons):
            one.terminate()
        for one in reversed(daemons):
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        shutil.rmtree(place, ignore_errors=True)


def epochs(item):
    metrics = item.place / "metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0


def tell(*command):
    subprocess.run(command, check=True)


@pytest.mark.timeout(900)  # half a minute alone on two cores; daemons and jobs wait for others' work
def test_jobs_that_are_stopped_half_way_end_with_the_same_bits(cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_CONF", cluster)
    out = tmp_path / "sweep"
    grid = ("tetrominoes/nwm-fast", "--grid", "train.lr=1e-3,2e-3,3e-3", "--set", "model.steps=4", "train.epochs=24",
            "train.limit=16", "train.validation_images=4", "train.batch=4", "train.checkpoint_minutes=60",
            "--out", out)  # fmt: skip
    flags = ("--launcher", "slurm", "--partition", "skins", "--minutes", "30")
    assert call("sweep", *grid, *flags, "--no-wait") == 0
    said = capsys.readouterr().out
    array = said.partition("job ")[2].partition(":")[0]
    assert array.isdecimal(), said
    items = plan.read(out).items(out)
    stops = [
        ("scontrol", "requeue", f"{array}_0"),  # as an administrator or a preemption does
        ("scancel", "--signal=USR2", f"{array}_1"),  # as SLURM does before the time is over
        ("scancel", "--signal=TERM", f"{array}_2"),  # as SLURM does at the beginning of the time of grace
    ]
    for item, stop in zip(items, stops, strict=True):
        until(lambda item=item: epochs(item) >= 2, f"{item.title} to begin")
        assert epochs(item) < 22, "too late to stop it half-way"
        tell(*stop)
    assert call("sweep", out, *flags) == 0  # waits for what is in the queue, and hands out nothing twice
    assert "3 runs are in the queue already" in capsys.readouterr().out
    assert [item.state for item in items] == ["done"] * 3, [log.read_text() for log in out.glob(".slurm/*.err")]
    for item in items:
        about = json.loads((item.place / "environment.json").read_text())
        assert len(about["resumed"]) == 1, item.title
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for item in items:
        whole = train.start(item.config, tmp_path / "whole" / item.place.name)
        for name in ("weights.safetensors", "last.ckpt/state.safetensors"):
            ours, theirs = (read_safetensors(place / name)[1] for place in (whole.path, item.place))
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[key], theirs[key]) for key in ours), (item.title, name)
    torch.set_num_threads(threads)
    assert call("sweep", out, *flags) == 0
    assert "3 of 3 runs are done" in capsys.readouterr().out
    for carried in out.glob(".slurm/*_submitted.pkl"):  # a directory and a name: no weights, no settings
        assert carried.stat().st_size < 2000
        words = {found for _, found, _ in pickletools.genops(carried.read_bytes()) if isinstance(found, str)}
        assert str(out) in words


def test_what_slurm_refuses_is_told_in_its_words(cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_CONF", cluster)
    arguments = ("tetrominoes/nwm-fast", "--out", tmp_path / "sweep", "--launcher", "slurm", "--partition", "nowhere")
    assert call("sweep", *arguments) == 2
    error = capsys.readouterr().err
    assert "SLURM did not take the jobs" in error
    assert "nvalid partition" in error
    assert not list((tmp_path / "sweep").glob("*/config.toml"))


def test_the_job_needs_no_more_than_the_package():
    done = subprocess.run([sys.executable, "-c", "import drumhead.sweep.slurm, sys; assert 'torch' not in sys.modules"])
    assert done.returncode == 0
