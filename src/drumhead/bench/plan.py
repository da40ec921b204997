"""What is measured: sections, tasks, contenders and their sizes.

This file imports no torch, so that `drumhead bench --help` stays instant.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from drumhead.errors import DrumheadError

SECTIONS = ("speed", "memory", "side")
CONTENDERS = {
    "published": "the published code's loop, restated, in float32",
    "eager": "drumhead's loop of torch operations, float32",
    "native": "drumhead's C engine, float32",
    "native-bf16": "drumhead's C engine under bfloat16 autocast",
    "unet": "U-Net with 4 channels on its first level, float32",
    "unet-bf16": "the same U-Net, channels last, under bfloat16 autocast",
}
MODES = {"train": "training step", "infer": "inference"}
WARMUPS = 3  # on some machines the third training step is still slower than the fourth: fresh memory


@dataclass(frozen=True)
class Task:
    """The networks of one task and the size of its images and batch."""

    network: str
    unet: str
    side: int
    batch: int


TASKS = {
    "tetrominoes": Task("tetrominoes/nwm-linear", "tetrominoes/unet-4", side=64, batch=16),
    "multi-mnist": Task("multi-mnist/nwm-linear", "multi-mnist/unet-4", side=128, batch=4),
}
MEMORY_SERIES = (("published", "train"), ("eager", "train"), ("native", "train"), ("native", "infer"))
SIDE_CONTENDERS = ("published", "native", "unet")


@dataclass(frozen=True)
class Plan:
    """What one benchmark measures."""

    only: tuple[str, ...] = ()  # of SECTIONS, TASKS, CONTENDERS and MODES; of a kind without a word all is measured
    rounds: int = 0  # samples of each contender; 0 takes 7, or 2 when quick
    batch: int = 0  # images at a time; 0 takes each task's own
    threads: int = 0  # of torch; 0 leaves them as they are
    quick: bool = False  # tiny images and few steps: shows that it works, says nothing about speed

    def __post_init__(self) -> None:
        known = [*SECTIONS, *TASKS, *CONTENDERS, *MODES]
        unknown = [word for word in self.only if word not in known]
        if unknown:
            raise DrumheadError(f"--only {' '.join(unknown)}: not known; choose among {', '.join(known)}")
        for name in ("rounds", "batch", "threads"):
            if getattr(self, name) < 0:
                raise DrumheadError(f"--{name} {getattr(self, name)}: at least 1 is needed, or 0 for the usual")

    def chosen(self, kind: Iterable[str]) -> list[str]:
        """Return the words of one kind that are measured, such as `chosen(TASKS)`."""
        return [word for word in kind if word in self.only] or list(kind)

    @property
    def samples(self) -> int:
        """Samples of each contender."""
        return self.rounds or (2 if self.quick else 7)

    @property
    def least_seconds(self) -> float:
        """Seconds that a sample lasts at least; short calls are repeated."""
        return 0.0 if self.quick else 0.25

    @property
    def steps(self) -> int:
        """Steps of the propagation in the sections speed and side."""
        return 8 if self.quick else 100

    def side_of(self, task: str) -> int:
        """Return the side of a task's images."""
        return 32 if self.quick else TASKS[task].side

    def batch_of(self, task: str) -> int:
        """Return the images at a time."""
        return self.batch or (2 if self.quick else TASKS[task].batch)

    @property
    def memory_batch(self) -> int:
        """Images at a time in the section memory."""
        return self.batch or (2 if self.quick else 8)

    @property
    def memory_steps(self) -> tuple[int, ...]:
        """Numbers of steps in the section memory."""
        return (4, 12) if self.quick else (50, 100, 200, 400, 1000)

    @property
    def memory_samples(self) -> int:
        """Processes for each size in the section memory: where an allocator puts things is partly chance."""
        return 1 if self.quick else 3

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the images in the section side."""
        return (32, 64) if self.quick else (64, 128, 256, 512, 1024)
