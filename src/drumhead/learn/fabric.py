"""What a training runs on, through Fabric: a device, a precision, and the processes that share it."""

import atexit
import gc
import inspect
import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from drumhead.engine.choose import multiplies_bfloat16
from drumhead.errors import DrumheadError
from drumhead.learn.processes import ALONE, Processes
from drumhead.settings.config import TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def fabric_of(settings: TrainConfig, processes: Processes = ALONE) -> "Fabric":
    """Return what these settings train on; several processes meet here.

    Raises:
        DrumheadError: there is no such device, or not one for each process.
    """
    if settings.accelerator == "cuda" and not torch.cuda.is_available():
        raise DrumheadError("train.accelerator='cuda': torch sees no CUDA device; 'drumhead doctor' says why")
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    alone = LightningEnvironment()  # one process, whatever SLURM or another scheduler says of its job
    how: dict[str, Any] = {"devices": 1, "plugins": alone} if processes.size == 1 else _together(settings)
    fabric = Fabric(accelerator=settings.accelerator, precision=settings.precision, **how)
    if processes.size > 1:
        fabric.launch()  # they meet here
        atexit.unregister(_part)
        atexit.register(_part)
    if fabric.device.type == "cpu" and settings.precision == "bf16-mixed" and not multiplies_bfloat16():
        warnings.warn(
            "this processor does not multiply bfloat16 numbers, and training would take about three times as long: it "
            "trains in float32",
            RuntimeWarning,
            stacklevel=1,  # one place, so it is said once
        )
        return fabric_of(replace(settings, precision="32-true"), processes)
    return fabric


def _together(settings: TrainConfig) -> dict[str, Any]:
    """Return how Fabric lets the processes that torchrun started train together."""
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    here, machines = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
    gpus = torch.cuda.device_count() if settings.accelerator != "cpu" else here
    if torch.cuda.is_available() and gpus < here:
        raise DrumheadError(
            f"{here} processes on this machine and {gpus} GPUs: each process needs one; choose --nproc-per-node "
            f"{gpus}, or --train.accelerator cpu"
        )
    # Statistics are the same in all processes already. The word changed in torch 2.13.
    new = "forward_sync_buffers" in inspect.signature(torch.nn.parallel.DistributedDataParallel).parameters
    words: dict[str, Any] = {"forward_sync_buffers" if new else "broadcast_buffers": False}
    strategy = DDPStrategy(**words)
    return {"devices": here, "num_nodes": machines, "strategy": strategy, "plugins": TorchElasticEnvironment()}


def _part() -> None:
    """End the threads through which processes talk while Python still runs.

    They live as long as a network in training does. One that lets go of a tensor when Python is gone aborts the
    process, after all was done: one of ten trainings by Python 3.13 ended so.
    """
    gc.collect()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
