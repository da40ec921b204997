"""The training loop: `start` a run or `resume` one.

Everything random in a step follows from the config's seed and the step's position, and a checkpoint holds the
rest, so a run that was killed and resumed ends with the same bits as one that was not.
"""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from drumhead import tasks
from drumhead.config import RunConfig, TrainConfig
from drumhead.errors import DrumheadError
from drumhead.learn.data import Split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.metrics import Segmentation
from drumhead.learn.progress import Progress
from drumhead.learn.run import Run
from drumhead.model import NeuralWaveMachine, build, save

LOOK_EVERY = 10  # steps between two looks at the loss: each look makes a GPU wait


def start(config: RunConfig, out: str | Path, progress: Progress | None = None) -> Run:
    """Train as `config` says, in a new run directory.

    Args:
        config: from `drumhead.presets.get_preset` or `drumhead.config.read_run`.
        out: the directory, which must not hold a run yet.
        progress: shows how it goes; nothing is shown by default.

    Returns:
        The run; its `weights` have the lowest validation loss.

    """
    task = _task(config)
    if config.task == "folder":
        model = replace(config.model, image_channels=task.image_channels, classes=len(task.classes))
        config = replace(config, model=model)
    _check(config, task)
    arrays = {split: task.arrays(split) for split in ("train", "val")}  # missing data must not leave a directory
    run = Run(out)
    run.create(config)
    _train(run, config, arrays, progress or Progress())
    return run


def resume(out: str | Path, progress: Progress | None = None) -> Run:
    """Go on with a run that was stopped; one that had finished stays as it is."""
    run = Run(out)
    config = run.config
    task = _task(config)
    _train(run, config, {split: task.arrays(split) for split in ("train", "val")}, progress or Progress())
    return run


def _task(config: RunConfig) -> tasks.Task:
    return tasks.get(config.task, config.data or None)


def _check(config: RunConfig, task: tasks.Task) -> None:
    model = config.model
    if (model.image_channels, model.classes) != (task.image_channels, len(task.classes)):
        raise DrumheadError(
            f"task {task.name} has {task.image_channels} image channels and {len(task.classes)} classes, the model "
            f"{model.image_channels} and {model.classes}; choose a preset of that task"
        )
    if config.train.augment != "none" and not task.symmetric:
        raise DrumheadError(f"train.augment={config.train.augment!r}: flips and turns change the labels of {task.name}")


def _train(run: Run, config: RunConfig, arrays: dict[str, tasks.Arrays], progress: Progress) -> None:
    from lightning_fabric import Fabric

    settings = config.train
    fabric = Fabric(accelerator=settings.accelerator, devices=1, precision=settings.precision)
    training, validation = (Split(*arrays[name], fabric.device, settings.limit) for name in ("train", "val"))
    torch.manual_seed(settings.seed)
    module = build(config.model).to(fabric.device)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(module.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    at = {"epoch": 0, "batch": 0, "seconds": 0.0, "best": math.inf, "loss": 0.0}
    at |= run.load_checkpoint(module, optimizer) or {}
    model, fitted = fabric.setup(module, optimizer)

    batches = len(training) // min(settings.batch, len(training))
    total = settings.epochs * batches
    with progress.show(run, total, at["epoch"] * batches + at["batch"]), _stop_signals() as stop:
        began = time.perf_counter() - at["seconds"]
        checkpointed = time.perf_counter()
        while at["epoch"] < settings.epochs:
            model.train()
            scores = Segmentation(config.model.classes).to(fabric.device)  # of the batches since the last look
            fresh, loss_sum = [], at["loss"]
            for images, masks in training.shuffled(settings, at["epoch"], at["batch"]):
                step = at["epoch"] * batches + at["batch"]
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(settings, step / total)
                fitted.zero_grad()
                logits = model(images).float()
                loss = F.cross_entropy(logits, masks)
                fabric.backward(loss)
                if settings.clip:
                    fabric.clip_gradients(model, fitted, max_norm=settings.clip)
                fitted.step()
                at["batch"] += 1
                fresh.append(loss.detach())

                if at["batch"] % LOOK_EVERY and at["batch"] < batches and not stop:
                    continue
                losses = torch.stack(fresh).tolist()
                loss_sum, fresh = loss_sum + sum(losses), []
                if not math.isfinite(loss_sum):
                    raise DrumheadError(_explain_divergence(run, module, images, at))
                scores.reset()
                scores.update(logits.argmax(1), masks)
                progress.advance(step + 1, losses[-1], scores.compute()["foreground_accuracy"])
                at |= {"seconds": time.perf_counter() - began, "loss": loss_sum}
                if stop:
                    run.save_checkpoint(module, optimizer, at)
                    raise KeyboardInterrupt
                if time.perf_counter() - checkpointed > 60 * settings.checkpoint_minutes:
                    run.save_checkpoint(module, optimizer, at)
                    checkpointed = time.perf_counter()

            measured = evaluate(model, validation, config.model.classes, settings.batch)
            courant = max(module.courant(images) for images, _ in validation.in_order(100))
            at |= {"seconds": time.perf_counter() - began}
            row = {
                "epoch": at["epoch"] + 1,
                "images": (at["epoch"] + 1) * batches * min(settings.batch, len(training)),
                "seconds": round(at["seconds"], 3),
                "train_loss": loss_sum / batches,
                **{f"val_{name}": value for name, value in measured.items()},
                "courant": courant,
            }
            run.add_row(row)
            if not measured["loss"] >= at["best"]:
                if not math.isfinite(measured["loss"]):
                    raise DrumheadError(_explain_divergence(run, module, validation.take(torch.arange(1))[0], at))
                at["best"] = measured["loss"]
                save(
                    module,
                    run.weights,
                    preset=config.preset,
                    task=config.task,
                    classes="\n".join(_names(config)),
                )
            progress.epoch(row)
            at |= {"epoch": at["epoch"] + 1, "batch": 0, "loss": 0.0}
            run.save_checkpoint(module, optimizer, at)
            checkpointed = time.perf_counter()


def learning_rate(settings: TrainConfig, done: float) -> float:
    """Return the learning rate when the share `done` of all steps lies behind."""
    if settings.schedule == "constant":
        return settings.lr
    warm = min(1.0, (done + 1e-9) / settings.warmup) if settings.warmup else 1.0
    return settings.lr * warm * (1 + math.cos(math.pi * done)) / 2


def _names(config: RunConfig) -> tuple[str, ...]:
    return _task(config).classes


def _explain_divergence(run: Run, module: NeuralWaveMachine, images: torch.Tensor, at: dict[str, Any]) -> str:
    courant = module.courant(images)
    return (
        f"the loss is not a number any more (epoch {at['epoch'] + 1}, batch {at['batch']}, courant {courant:.3g}; "
        f"above 1 the medium is unstable at this dt). Try a lower --train.lr, --train.clip 1 or a smaller --model.dt; "
        f"{run.path} keeps its best weights so far"
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect interrupt and terminate signals, so that the loop can stop between two steps.

    A second interrupt stops at once. Outside the main thread signals stay as they are.
    """
    seen: list[int] = []

    def note(number: int, _frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        old = {}
    try:
        yield seen
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
