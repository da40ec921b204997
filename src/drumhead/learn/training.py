"""The training loop.

Everything random in a step follows from the config's seed and the step's position, and a checkpoint holds the
rest, so on a processor a run that was killed and resumed ends with the same bits as one that was not.
"""

import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drumhead import tasks
from drumhead.engine.plan import SEGMENT
from drumhead.errors import DrumheadError, counted
from drumhead.learn import diverged
from drumhead.learn.crops import check_files, crop_side, open_split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.fabric import fabric_of
from drumhead.learn.graphs import capture, release
from drumhead.learn.guard import Guard
from drumhead.learn.loss import Loss, class_weights
from drumhead.learn.memory import keep_freed_memory
from drumhead.learn.metrics import foreground_accuracy
from drumhead.learn.processes import ALONE, Processes, share_of
from drumhead.learn.run import Run
from drumhead.learn.shared_norm import shared, unshare
from drumhead.learn.signals import asked_to_stop
from drumhead.networks.model import build, load, save
from drumhead.networks.nwm import NeuralWaveMachine
from drumhead.networks.segmenter import at_pixels
from drumhead.networks.tiles import largest_courant
from drumhead.networks.timed import Timed
from drumhead.settings.config import RunConfig, TrainConfig
from drumhead.show.terminal import Progress
from drumhead.tasks.folder import Folder

LOOK_EVERY = 10  # steps between two looks at the loss: each look makes a GPU wait


@dataclass
class Position:
    """How far a run has come."""

    epoch: int = 0
    """Whole epochs done."""
    batch: int = 0
    """Batches done of the epoch under way."""
    seconds: float = 0.0
    """Time spent, earlier sessions included."""
    cpu_seconds: float = 0.0
    """Processor time of all threads, which other programs on the machine hardly change."""
    best: float | None = None
    """Lowest validation loss so far."""
    loss: float = 0.0
    """Sum of the losses of the epoch under way."""


class Training:
    """One run under way.

    Args:
        run: where it is kept.
        config: all settings.
        task: images and masks.
        progress: shows how it goes.
        processes: those that train together.
    """

    def __init__(self, run: Run, config: RunConfig, task: tasks.Task, progress: Progress, processes: Processes = ALONE):
        _check(config, task)
        self.run, self.config, self.settings, self.task, self.progress = run, config, config.train, task, progress
        self.processes, self.fabric = processes, fabric_of(config.train, processes)
        check_files(task, progress)
        if isinstance(task, Folder) and (warning := task.warning()):
            progress.note(warning)
        few = [count for count in (self.settings.limit, self.settings.validation_images) if count]
        progress.note(f"preparing the images of {task.name}")  # it can take half a minute
        self.train, self.validation = (
            open_split(task, name, self.fabric.device, limit, crop_side(task, self.settings))
            for name, limit in (("train", self.settings.limit), ("val", min(few, default=0)))
        )
        self.train.processes = processes
        counts = self.train.counts(len(task.classes)) if self.settings.class_weights != "none" else np.array([])
        self.loss = Loss(class_weights(self.settings, counts, self.fabric.device))
        torch.manual_seed(self.settings.seed)
        self.module = build(config.model).to(self.fabric.device)
        self._check_early()
        kind = torch.optim.AdamW if self.settings.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(self.module.parameters(), lr=self.settings.lr, weight_decay=self.settings.weight_decay)
        self.at = Position()
        images = self.train.epoch_size(self.settings)
        self.batch = min(self.settings.batch, images)
        self.share = share_of(self.batch, processes)
        self.batches = images // self.batch
        self.validation_batch = self.validation.at_a_time(self.settings.batch)
        self._check_normalisation()
        self.total = self.settings.epochs * self.batches

    def _check_early(self) -> None:
        """Refuse to answer early with a network that cannot."""
        if self.settings.early and not (isinstance(self.module, Timed) and self.module.answers(1)):
            raise DrumheadError(
                f"train.early={self.settings.early}: {self.config.preset or self.config.model.family} answers at its "
                "end alone; networks with waves or cells and no spectrum, and stacks whose last layer is stepped, can"
            )

    def _check_normalisation(self) -> None:
        """Refuse an image that alone leaves a batch normalisation one value, on whatever level."""
        height, width = self.train.shape
        if self.module.starved((self.share, self.task.image_channels, height, width)):
            raise DrumheadError(
                f"images of {width} x {height} pixels (width x height) in batches of {self.share} are too few "
                "for batch normalisation to learn from; use a larger --train.batch"
            )

    def begin(self) -> None:
        """Take the weights that the settings name, as far as they fit; without a name, those that were drawn stay."""
        source = self.settings.weights
        if not source:
            return
        other = load(source)
        own = self.module.state_dict()
        fit = {name: one for name, one in other.state_dict().items() if name in own and own[name].shape == one.shape}
        if all(one.ndim < 4 for one in fit.values()):  # normalisations at most
            raise DrumheadError(
                f"train.weights={source}: no convolution of that {other.config.family} has the sizes of one of this "
                f"{self.config.model.family}, so there is nothing to begin with"
            )
        self.module.load_state_dict(fit, strict=False)
        left = [name for name in own if name not in fit]
        some = f"; the others are drawn anew: {', '.join(left[:3])}{', ...' * (len(left) > 3)}" if left else ""
        self.progress.note(f"beginning with {len(fit)} of {len(own)} tensors of {source}{some}")

    def restore(self) -> None:
        """Take up the run's last checkpoint; without one, start from the beginning."""
        position = self.run.load_checkpoint(self.module, self.optimizer)
        if not position:
            self.begin()
        try:
            self.at = Position(**(position or {}))
        except TypeError as error:
            raise DrumheadError(
                f"{self.run.path}: the checkpoint's position is not one of this version: {error}"
            ) from None
        self.processes.on_first(self.run.note_resumed)

    def go(self) -> None:
        """Train to the end, or until a signal; both leave a checkpoint."""
        if self.at.epoch >= self.settings.epochs:
            self.progress.note(f"{self.run.path} has finished already: {self.at.epoch} epochs")
            return
        keep_freed_memory()
        self._capture()
        self.model, self.fitted = self.fabric.setup(self.module, self.optimizer)
        self.guard = Guard(self.module, self.optimizer, _looks_at_each(self.fabric.device), self.processes)
        self.guard.keep()
        done = self.at.epoch * self.batches + self.at.batch
        with self.progress.section(self.total, done), asked_to_stop(self.processes.size > 1) as stop:
            self.progress.note(f"{'going on' if done else 'training'} in {self.run.path}")
            self.stop = stop
            self.began = time.perf_counter() - self.at.seconds
            self.cpu_began, self.cpu_before = time.process_time(), self.at.cpu_seconds
            self.saved = time.perf_counter()
            try:
                while self.at.epoch < self.settings.epochs:
                    with shared(self.module, self.processes.size):
                        while not self._epoch():
                            pass  # a step broke, and all went back to before it
                    self._close_epoch()
            finally:
                release(self.module)

    def _capture(self) -> None:
        """Start the kernels of a step together, on a GPU in float32.

        A captured backward pass of waves stores segments (`engine.ops`). With many steps and many images that costs
        more than starting the kernels: 19 ms a step instead of 15 for the paper's network with 64 images.
        Several processes wait for each other inside a step, which they do without a graph.
        """
        if self.processes.size > 1:
            return
        model = self.module
        stored = isinstance(model, NeuralWaveMachine) and model.steps > 2 * SEGMENT and self.batch > 16
        if self.fabric.device.type != "cuda" or self.settings.precision != "32-true" or stored or self.settings.early:
            return
        if model.varies:
            return  # a graph is of one number of rounds
        images, _ = next(self.train.shuffled(self.settings, 0))
        self.module.train()
        capture(self.module, *_inputs(images, self.train.pixels(self.settings, 0, 0, len(images))))

    def _epoch(self) -> bool:
        """Take the steps that are left of this epoch; False if it went back to where it looked last."""
        self.model.train()
        before = self.at.loss if self.processes.first else 0.0
        total = torch.tensor(before, dtype=torch.float64, device=self.fabric.device)
        looked = self.at.batch
        for images, masks in self.train.shuffled(self.settings, self.at.epoch, self.at.batch):
            logits, loss, masks = self._step(images, masks)
            total += loss
            self.at.batch += 1
            asked = bool(self.stop) and self.processes.size == 1  # several look together
            if self.at.batch % LOOK_EVERY == 0 or self.at.batch == self.batches or asked:
                if self.guard.back():
                    self.at.batch = looked
                    return False
                self.at.loss = float(self.processes.total(total))
                self._look(masks, logits, float(self.processes.total(loss)))
                looked = self.at.batch
                self.guard.keep()
        return True

    def _step(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take one optimiser step; return logits and loss without gradients, and the labels they were held against.

        Of several processes each has its own images, and the losses add up to that of the whole batch.
        """
        step = self.at.epoch * self.batches + self.at.batch
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, step, self.total)
        self.fitted.zero_grad()
        self.guard.begin()
        at = self.train.pixels(self.settings, self.at.epoch, self.at.batch, len(images))
        steps = None
        if self.settings.early and isinstance(self.module, Timed):
            steps = self.train.steps(self.settings, self.at.epoch, self.at.batch, self.module.steps)
        how = {"steps": steps} if steps else {}
        logits = self.model(*_inputs(images, at), **how).float()
        masks = at_pixels(masks[:, None], at)[:, 0]
        loss = self.processes.weighed(*self.loss(logits, masks))
        self.fabric.backward(loss)
        weights = [weight for weight in self.module.parameters() if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        if not self.guard.fine(loss.detach(), norm):
            self.guard.undo()
            finite = not self.processes.any(~loss.isfinite(), loss.device)
            what = "the gradient is not finite any more" if finite else "the loss is not a number any more"
            raise self._diverged(what, self.at.batch + 1, images, at, **how)
        if self.settings.clip:
            torch.nn.utils.clip_grads_with_norm_(weights, self.settings.clip, norm)
        self.fitted.step()
        return logits.detach(), loss.detach() / self.processes.size, masks

    def _look(self, masks: Tensor, logits: Tensor, loss: float) -> None:
        """See how it goes: show progress, checkpoint, stop when asked to."""
        a = foreground_accuracy(logits.argmax(1).flatten(1), masks.flatten(1)).mean()
        done = self.at.epoch * self.batches + self.at.batch
        self.progress.tick(f"loss {loss:.4f}  fg acc {a:.3f}", done)
        self._note_time()
        due = time.perf_counter() - self.saved > 60 * self.settings.checkpoint_minutes
        stop = self.processes.any(bool(self.stop), self.fabric.device)
        if due or stop:
            self._checkpoint()
        if stop:
            raise KeyboardInterrupt

    def _close_epoch(self) -> None:
        """Validate, write the row of metrics, keep the best weights."""
        classes, processes = len(self.task.classes), self.processes
        measured = evaluate(self.model, self.validation, classes, self.validation_batch, self.loss, processes=processes)
        if not math.isfinite(measured["loss"]) or diverged.exploded(measured["loss"], classes):
            self.module.eval()
            what = f"after an epoch the loss on validation images is {measured['loss']:.3g}"
            if not math.isfinite(measured["loss"]):
                what = "on validation images the loss is not a number any more"
            raise self._diverged(what, self.batches, next(self.validation.in_order(self.validation_batch))[0])
        self._note_time()
        row = {
            "epoch": self.at.epoch + 1,
            "images": (self.at.epoch + 1) * self.batches * self.batch,
            "seconds": round(self.at.seconds, 3),
            "cpu_seconds": round(self.at.cpu_seconds, 3),
            "train_loss": self.at.loss / self.batches,
            **{f"val_{name}": value for name, value in measured.items()},
            "courant": self._courant(),
        }
        if processes.first:
            self.run.add_row(row)
        if self.at.best is None or measured["loss"] < self.at.best:
            self.at.best = measured["loss"]
            if processes.first:
                self._save()
        if processes.first:
            self.progress.note(_line(row))
        self.at = replace(self.at, epoch=self.at.epoch + 1, batch=0, loss=0.0)
        self._checkpoint()

    def _save(self) -> None:
        """Keep the weights as the best ones."""
        about = {"preset": self.config.preset, "task": self.task.name, "classes": "\n".join(self.task.classes)}
        if isinstance(self.task, Folder):
            about["class_list"] = self.task.class_list.text()  # how a mask beside an image is to be read
        save(self.module, self.run.weights, **about)

    def _note_time(self) -> None:
        self.at.seconds = time.perf_counter() - self.began
        own = torch.tensor(time.process_time() - self.cpu_began, dtype=torch.float64, device=self.fabric.device)
        self.at.cpu_seconds = self.cpu_before + float(self.processes.total(own))

    def _courant(self) -> float | None:
        """Return the largest Courant number on the validation images, NaN before all; None without waves."""
        own = self.validation.in_order(self.validation_batch, self.processes)
        found = self.processes.gather([largest_courant(self.module, images) for images, _ in own])
        known = [value for values in found for value in values if value is not None]
        return max(known, key=diverged.by_size, default=None)

    def _checkpoint(self) -> None:
        if self.processes.first:
            self.run.save_checkpoint(self.module, self.optimizer, asdict(self.at))
        self.saved = time.perf_counter()

    def _diverged(self, what: str, batch: int, images: Tensor, at: Tensor | None = None, **how: Any) -> DrumheadError:
        """Return what to tell of a training that broke; nothing of it is written, so the run keeps what it has.

        Args:
            what: was seen.
            batch: of the epoch, counted from 1.
            images: a batch on which it was seen.
            at: the pixels that were answered.
            how: whatever else the network was given.
        """
        release(self.module)  # a replayed way forward shows no layer
        unshare(self.module)  # and each process looks at its own images
        with self.fabric.autocast():
            why = diverged.explain(self.module, self.settings, self.processes, images, at, **how)
        rate = self.optimizer.param_groups[0]["lr"]
        when = f"epoch {self.at.epoch + 1}, batch {batch} of {self.batches}, learning rate {rate:.3g}"
        return DrumheadError(f"{what} ({when}): {why}. {diverged.kept(self.run)}")


def _line(row: dict[str, Any]) -> str:
    """Say how an epoch went."""
    unstable = ""
    if row["courant"] is not None and not row["courant"] <= 1:
        unstable = f"\nUNSTABLE, courant {row['courant']:.2f} is above 1: a smaller model.dt is needed"
    return (
        f"epoch {row['epoch']:>3}  {row['seconds']:>7.0f} s  loss {row['train_loss']:.4f}  "
        f"val loss {row['val_loss']:.4f}  fg acc {row['val_foreground_accuracy']:.4f}  "
        f"dice {row['val_dice']:.4f}{unstable}"
    )


def _inputs(images: Tensor, at: Tensor | None) -> tuple[Tensor, ...]:
    return (images,) if at is None else (images, at)


def learning_rate(settings: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate of step 0 <= step < total."""
    if settings.schedule == "constant":
        return settings.lr
    warmup = settings.warmup * total
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    return settings.lr * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def _check(config: RunConfig, task: tasks.Task) -> None:
    model = config.model
    if (model.image_channels, model.classes) != (task.image_channels, len(task.classes)):
        raise DrumheadError(
            f"task {task.name} has {counted(task.image_channels, 'image channel')} and {len(task.classes)} classes, "
            f"the model {model.image_channels} and {model.classes}; choose a preset of that task"
        )
    if config.train.augment in ("dihedral", "wrap") and not task.symmetric:
        raise DrumheadError(f"train.augment={config.train.augment!r}: flips and turns change the labels of {task.name}")
    if config.train.augment in ("shift", "wrap") and crop_side(task, config.train):
        raise DrumheadError(
            f"train.augment={config.train.augment!r}: random crops are shifted without a seam already; use 'dihedral'"
        )


def _looks_at_each(device: torch.device) -> bool:
    """Say whether each step looks at its loss and gradient: a GPU would have to wait for that."""
    return device.type == "cpu"
