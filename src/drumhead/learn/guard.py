"""No update from a loss or a gradient that is not finite: the weights stay as the last good step left them.

On a processor each step looks before it updates. A GPU would have to wait in each step, so there a flag on the device
remembers what was seen; if it is set at a look, all goes back to the look before. What a step learns from follows from
its position, and the random numbers that a network draws for itself are drawn again, so the steps are taken once more,
now looking at each, and the one that broke breaks again.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from drumhead.learn.processes import ALONE, Processes


class Copy:
    """The values of tensors at some moment.

    Args:
        tensors: what is copied, on any devices.

    Example:
        >>> weight = torch.zeros(2)
        >>> copy = Copy([weight])
        >>> _ = weight.fill_(torch.nan)
        >>> copy.give_back()
        >>> weight.tolist()
        [0.0, 0.0]
    """

    def __init__(self, tensors: Iterable[Tensor]):
        self.tensors = [tensor.detach() for tensor in tensors]
        self._places: dict[torch.device, tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
        for tensor in self.tensors:
            now, kept = self._places[tensor.device]
            now.append(tensor)
            kept.append(tensor.clone())

    def take(self) -> None:
        """Copy the values of now."""
        for now, kept in self._places.values():
            torch._foreach_copy_(kept, now)  # pyright: ignore[reportPrivateImportUsage]  # a kernel for all of them

    def give_back(self) -> None:
        """Set the tensors to the values that were copied last."""
        for now, kept in self._places.values():
            torch._foreach_copy_(now, kept)  # pyright: ignore[reportPrivateImportUsage]


class Guard:
    """Looks at losses and gradients, and keeps what a broken step would change.

    Args:
        module: the network in training.
        optimizer: of its weights.
        each: look in each step; otherwise at looks alone.
        processes: which stop together.
    """

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer, each: bool, processes: Processes = ALONE):
        self.module, self.optimizer, self.each, self.processes = module, optimizer, each, processes
        self.looking = each
        self.statistics = Copy(module.buffers())  # a normalisation takes up what it sees on the way forward
        self.broken = torch.zeros((), dtype=torch.bool, device=next(module.parameters()).device)
        self.all: Copy | None = None
        self._began, self._drawn = False, torch.get_rng_state()

    def begin(self) -> None:
        """Keep what the way forward of a step changes."""
        if self.looking:
            self.statistics.take()

    def fine(self, loss: Tensor, norm: Tensor) -> bool:
        """Say whether the optimiser may take a step; where nothing looks, it may, and the flag remembers.

        Args:
            loss: of the batch.
            norm: of the gradient, all weights together. It overflows where Adam's second moments would.
        """
        found = loss.isfinite() & norm.isfinite()
        if self.looking:
            return not self.processes.any(~found, self.broken.device)
        self.broken |= ~found
        return True

    def undo(self) -> None:
        """Take back what the way forward of a step changed."""
        self.statistics.give_back()

    def keep(self) -> None:
        """Begin a stretch of steps: keep all that they change, unless each of them looks."""
        self.looking = self.each
        if self.each:
            return
        self._began = not self.optimizer.state  # it has no state before its first step
        self._drawn = torch.get_rng_state()  # how many rounds a batch has is drawn on the host
        states = [value for state in self.optimizer.state.values() for value in state.values()]
        tensors = [*self.module.parameters(), *self.module.buffers(), *filter(torch.is_tensor, states)]
        if self.all is None or len(self.all.tensors) != len(tensors):
            self.all = Copy(tensors)
        else:
            self.all.take()

    def back(self) -> bool:
        """Go back to the beginning of the stretch if anything broke in it, and look at each step from now; say so."""
        if self.all is None or not self.processes.any(self.broken, self.broken.device):
            return False
        self.all.give_back()
        torch.set_rng_state(self._drawn)
        if self._began:
            self.optimizer.state.clear()
        self.broken.zero_()
        self.looking = True
        return True
