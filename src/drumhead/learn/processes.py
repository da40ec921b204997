"""One training by several processes, which torchrun starts: each takes an equal share of every batch.

    loss = sum_r S_r / sum_r W_r,   S_r and W_r: the summed loss and weight of the pixels of process r

Order, crops, shifts and pixels are drawn for the whole batch in every process, and statistics of normalisations are
those of the whole batch, so a run is that of one process but for the order of sums.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from drumhead.errors import DrumheadError


@dataclass(frozen=True)
class Processes:
    """The processes of a training, seen from one of them.

    Args:
        rank: its number, from 0.
        size: how many there are.
        speaks: whether it tells its user of a mistake, as one on each machine does.
    """

    rank: int = 0
    size: int = 1
    speaks: bool = True

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and shows."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """Return which images of a batch are its own.

        Example:
            >>> Processes(1, 4).part(64)
            slice(16, 32, None)
        """
        share = batch // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes; alone, the values themselves."""
        if self.size == 1:
            return values
        values = values.detach().clone()
        torch.distributed.all_reduce(values)
        return values

    def any(self, flag: Tensor | bool, device: torch.device) -> bool:
        """Say whether a flag is set in any process."""
        if self.size == 1:
            return bool(flag)
        return bool(self.total(torch.as_tensor(flag, dtype=torch.float32, device=device)) > 0)

    def weighed(self, loss: Tensor, weight: Tensor) -> Tensor:
        """Return what each process goes back from, whose mean over processes is the loss of the whole batch.

        Args:
            loss: the mean over its own pixels.
            weight: of what it is a mean of.
        """
        if self.size == 1:
            return loss
        whole = self.total(weight.float()).clamp(min=torch.finfo(torch.float32).tiny)
        return loss * (weight * self.size / whole)

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank, in each of them; all arrive before any goes on."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def on_first(self, call: Callable[[], Any]) -> None:
        """Let the first process do something once all have arrived, and wait for it.

        Raises:
            DrumheadError: in every process, what it raised in the first one.
        """
        self.gather(None)
        error = None
        if self.first:
            try:
                call()
            except DrumheadError as found:
                error = str(found)
        if said := self.gather(error)[0]:
            raise DrumheadError(said)


ALONE = Processes()
"""A training of one process, whatever a scheduler says of its job."""


def of_torchrun() -> Processes:
    """Return the processes that torchrun started, or `ALONE`.

    Example:
        >>> of_torchrun() == ALONE
        True
    """
    size = int(os.environ.get("WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if size == 1:
        return ALONE
    return Processes(int(os.environ["RANK"]), size, os.environ["LOCAL_RANK"] == "0")


def share_of(batch: int, processes: Processes) -> int:
    """Return the images that each process takes of a batch, or refuse one that they cannot share equally.

    Example:
        >>> share_of(64, Processes(0, 4))
        16
    """
    if batch % processes.size:
        raise DrumheadError(
            f"batches of {batch} images: {processes.size} processes take equal shares of each; choose a --train.batch "
            f"that is a multiple of {processes.size}, or another --nproc-per-node"
        )
    return batch // processes.size
