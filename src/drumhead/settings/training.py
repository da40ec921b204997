"""Settings of a training."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from drumhead.errors import DrumheadError, shown
from drumhead.settings.base import Settings

Optimizer = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine"]
Augment = Literal["none", "shift", "dihedral", "wrap"]
ClassWeights = Literal["none", "balanced"] | tuple[float, ...]
Precision = Literal["32-true", "bf16-mixed"]
Accelerator = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class TrainConfig(Settings):
    """How to train; the defaults are the paper's protocol."""

    where: ClassVar[str] = "train"

    epochs: int = 300
    """Passes over the training images."""
    epoch_images: int = 0
    """Images in an epoch, taken in turn from one shuffling of all after another; 0 is all of them. An epoch ends
    with a validation and a row of metrics, so this says how often there is one."""
    validation_images: int = 0
    """Validate on only the first so many images; 0 uses all."""
    batch: int = 64
    """Images per step; an incomplete last batch is dropped."""
    lr: float = 1e-3
    """Largest learning rate."""
    optimizer: Optimizer = "adam"
    """adamw decouples the weight decay."""
    weight_decay: float = 0.0
    """Weight decay."""
    schedule: Schedule = "constant"
    """cosine: linear warm-up, then half a cosine down to zero."""
    warmup: float = 0.0
    """Share of all steps spent on the warm-up of the cosine schedule."""
    clip: float = 0.0
    """Largest gradient norm; 0 does not clip."""
    thin: int = 1
    """Take the loss at one random pixel of each run of so many, row by row; 1 takes it at all pixels. The gradient
    stays the same on average, and a pointwise head, most of the paper's arithmetic, costs as much less."""
    early: float = 0.0
    """Share of the batches that are answered after a random number of steps (of a stack, of its last layer), so that
    the network learns to answer before its end."""
    augment: Augment = "none"
    """shift: each image by up to an eighth of its sides, its edges repeated; dihedral: random flips and quarter turns
    of a batch (only where labels survive them); wrap: also random shifts with wrap-around."""
    crop: int = 0
    """Folder only: side of the squares in pixels, one cut at random from each image that is taken; smaller images are
    mirrored at their edges. 0 takes images of one size of up to 256 x 256 pixels whole and of others squares of up
    to 256, by the median of their shorter sides. Measured on are always whole images."""
    class_weights: ClassWeights = "none"
    """Weight of each class in the loss: balanced, so that rare classes count as much as frequent ones, or a number for
    each, the background first."""
    weights: str = ""
    """Begin with the weights of a run directory, a .safetensors file or a shipped network instead of random ones, as
    far as their sizes are the same: to go on with other settings, or to learn your own images from less."""
    seed: int = 0
    """Seeds the initial weights, the order of the images and the augmentation."""
    limit: int = 0
    """Use only the first so many images of each split, for a quick look; 0 uses all."""
    precision: Precision = "32-true"
    """bf16-mixed rounds the factors of products to bfloat16; a processor that has no such products (`drumhead doctor`
    says) trains in float32 all the same."""
    accelerator: Accelerator = "auto"
    """Where to train; auto takes a GPU if there is one."""
    checkpoint_minutes: float = 2.0
    """Time between two checkpoints inside an epoch; one is also written after each epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.lr < math.inf:
            raise DrumheadError(f"train.lr={self.lr}: a positive learning rate is needed")
        for name in ("weight_decay", "clip", "checkpoint_minutes"):
            if not 0 <= getattr(self, name) < math.inf:
                raise DrumheadError(f"train.{name}={getattr(self, name)}: 0 or a positive number is needed")
        if self.seed >= 2**63:
            raise DrumheadError(f"train.seed={shown(self.seed)}: a seed below 2^63 is needed")
        if not 0 <= self.early < 1:
            raise DrumheadError(f"train.early={self.early}: a share of the batches, 0 to below 1, is needed")
        weights = self.class_weights
        if isinstance(weights, str) and weights not in ("none", "balanced"):
            raise DrumheadError(
                f"train.class_weights={shown(weights)}: none, balanced or a number for each class is needed"
            )
        if not isinstance(weights, str) and not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
            raise DrumheadError(f"train.class_weights={shown(weights)}: numbers from 0 are needed, not all of them 0")
        if not 0 <= self.warmup < 1:
            raise DrumheadError(f"train.warmup={self.warmup}: a share of the steps, 0 to below 1, is needed")
