"""What two processes do for `test_ddp.py`, started by torchrun once, since that takes most of the time."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch

import drumhead as dh
from drumhead.learn import training
from drumhead.learn.loss import Loss
from drumhead.learn.processes import ALONE, Processes, of_torchrun
from drumhead.learn.shared_norm import shared
from drumhead.read.classes import IGNORE

SHORT = ("--train.epoch-images", 32, "--train.batch", 8, "--train.epochs", 2, "--limit", 40)  # four steps an epoch
NETWORKS = {  # small steps: Adam divides even a gradient that is rounding alone by its size
    "nwm-stack": ("--train.lr", 1e-4, "--train.augment", "wrap", "--train.thin", 3, "--model.steps", 6),
    "unet-2": ("--train.lr", 1e-3, "--train.class-weights", "balanced"),
}
GRADIENTS = ("tetrominoes/nwm-stack", "tetrominoes/unet-2", "tetrominoes/nwm-fast", "tetrominoes/lstm-last")


def gradient(name, processes: Processes):
    """Return a network's gradient and statistics of a batch with classes that weigh and pixels that are ignored."""
    torch.manual_seed(0)
    model = dh.build(name).double()
    images = torch.rand(4, 3, 24, 24, dtype=torch.float64)
    masks = torch.randint(0, 6, (4, 24, 24))
    masks[0, 4:] = IGNORE  # so the shares weigh unequally
    loss = Loss(torch.tensor([0.5, 1, 2, 1, 1, 3], dtype=torch.float64))
    own = processes.part(4)
    with shared(model, processes.size):
        found = processes.weighed(*loss(model(images[own]), masks[own]))
        found.backward()
    weights = {name: processes.total(p.grad) / processes.size for name, p in model.named_parameters()}
    return {"loss": processes.total(found.detach()) / processes.size} | weights | dict(model.named_buffers())


def train(*words, exits=None):
    """Run `drumhead train`; each process must end as expected."""
    from conftest import call

    code = call("train", *words)
    assert code == (exits or 0), (words, code)


def at_step(when, act):
    """Let the next training do something before a step, counted from 0."""
    step = training.Training._step

    def acting(self, *batch):
        if self.at.epoch * self.batches + self.at.batch == when:
            act(self)
        return step(self, *batch)

    training.Training._step = acting
    return step


def without_gradient(run):
    weight = run.module.get_parameter("layers.1.mix.weight")
    hook = weight.register_hook(lambda gradient: (hook.remove(), gradient * float("nan"))[1])


def interrupt(run):
    os.kill(os.getpid(), signal.SIGINT)


def work(out):
    """Do in two processes all that `test_ddp.py` looks at."""
    rank = of_torchrun().rank
    train("tetrominoes/cnn-2", *SHORT, "--train.batch", 7, "--out", out / "odd", exits=2)
    for name in NETWORKS:
        train(f"tetrominoes/{name}", *SHORT, *NETWORKS[name], "--out", out / f"two-{name}")
    for name in GRADIENTS:
        alone, together = gradient(name, ALONE), gradient(name, of_torchrun())
        largest = max(float(value.abs().max()) for value in alone.values())
        errors = {key: float((value - together[key]).abs().max()) / largest for key, value in alone.items()}
        (out / f"gradient-{rank}-{name.replace('/', '-')}.json").write_text(json.dumps(errors))

    stack = ["tetrominoes/nwm-stack", *SHORT, *NETWORKS["nwm-stack"]]
    training.LOOK_EVERY = 3
    step = at_step(5, interrupt if rank == 1 else lambda run: None)
    train(*stack, "--out", out / "stopped", exits=130)
    training.Training._step = step
    if rank == 0:
        shutil.copytree(out / "stopped", out / "resumed")
    torch.distributed.barrier()
    train("--resume", out / "resumed")

    at_step(6, without_gradient if rank == 1 else lambda run: None)
    train(*stack, "--out", out / "broken", exits=2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    work(Path(sys.argv[1]))
