"""Budgets: protocols of training, each the same for every model that is compared. Imports no torch."""

from dataclasses import dataclass, replace

from drumhead.errors import DrumheadError
from drumhead.settings.config import Augment, TrainConfig


@dataclass(frozen=True)
class Budget:
    """A protocol of training."""

    name: str
    text: str  # one line on what it is
    train: TrainConfig  # the settings that every model gets; the seed is filled in
    seeds: int  # runs of each model by default
    test_images: int = 0  # measure on only the first so many images of the test split; 0 uses all

    def passes(self, task_images: int) -> int:
        """Return the image passes of a run, given the training images of the task."""
        images = self.train.epoch_images or task_images
        return self.train.epochs * (images // self.train.batch) * self.train.batch


_SMOKE = Budget(
    "smoke",
    "a minute or two: shows that everything works and says nothing about the models",
    TrainConfig(epochs=2, epoch_images=64, limit=64, validation_images=32, batch=16, lr=2e-3),
    seeds=1,
    test_images=32,
)
_SHORT = TrainConfig(
    epochs=8, validation_images=250, batch=1, lr=1e-3, schedule="cosine", warmup=0.05, clip=1.0, thin=8
)  # fmt: skip
_HOUR = Budget(
    "hour",
    "10,000 image passes one by one, loss at one pixel in 8, Adam, warm-up to 0.001, cosine to 0, clipped at 1",
    replace(_SHORT, epoch_images=1_250),
    seeds=3,
)
_CPU = Budget(
    "cpu",
    "80,000 image passes, 4 a step, loss at one pixel in 8, Adam, warm-up to 0.001, cosine to 0, clipped at 1",
    replace(_SHORT, epoch_images=10_000, validation_images=1_000, batch=4),
    seeds=3,
)
_PAPER = Budget(
    "paper",
    "the published protocol: 300 epochs, Adam at a constant 0.001, batches of 64, float32",
    TrainConfig(),
    seeds=10,
)

_STEADY = TrainConfig(
    epoch_images=10_000, validation_images=1_000, optimizer="adamw", weight_decay=0.01, schedule="cosine", warmup=0.05,
    clip=1.0,
)  # fmt: skip
_RECIPE = "AdamW, weight decay 0.01, loss at all pixels, warm-up, cosine to 0, clipped at 1"


def _recipe(name: str, epochs: int, batch: int, lr: float, augment: Augment = "none") -> Budget:
    text = f"{10_000 * epochs:,} image passes, {batch} a step, largest rate {lr}, {_RECIPE}"
    text += ", images shifted at random" * (augment == "shift")
    return Budget(name, text, replace(_STEADY, epochs=epochs, batch=batch, lr=lr, augment=augment), seeds=3)


_RECIPES = {
    "smoke": (_SMOKE,),
    "cpu": (_recipe("batch-4", 8, 4, 1e-3), _recipe("batch-16", 8, 16, 3e-3)),
    "paper": (_recipe("long-4", 32, 4, 1e-3), _recipe("long-16", 32, 16, 3e-3)),
}
# Without shifts so many passes of digits are learned by heart: training loss was a ninth of validation's.
_SHIFTED = {
    **_RECIPES,
    "paper": (_recipe("shift-4", 32, 4, 1e-3, "shift"), _recipe("shift-16", 32, 16, 3e-3, "shift")),
}


def recipes(budget: str, task: str) -> tuple[Budget, ...]:
    """Return what `drumhead reproduce front` trains under a budget; each network counts under its own better recipe."""
    known = _SHIFTED if "mnist" in task else _RECIPES
    if budget not in known:
        raise DrumheadError(f"--budget {budget}: the front has the budgets {', '.join(known)}")
    return known[budget]


BUDGETS = {budget.name: budget for budget in (_SMOKE, _HOUR, _CPU, _PAPER)}
