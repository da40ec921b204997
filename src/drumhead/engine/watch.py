"""The reversal's self-check: how far reconstructed states are from the checkpoints they should meet."""

from contextlib import AbstractContextManager

from torch import Tensor

from drumhead.engine.plan import Plan, planned, planning
from drumhead.errors import DrumheadError


def checking(limit: float = 1e-3) -> AbstractContextManager[None]:
    """Refuse gradients whose states were not reconstructed to within `limit` times the largest initial state.

    It holds for the propagations of this thread or task and, on the processor, for backward passes of earlier ones
    too; torch runs those of a GPU in a thread of its own.

    Args:
        limit: largest error relative to max(1, max |y0|); float32 stays below 1e-4 where the engine reverses at all.

    Raises:
        DrumheadError: from the backward pass, with the error and the cure.

    Example:
        >>> with dh.engine.checking():
        ...     pass  # loss.backward()
    """
    return planning(limit=limit)


def report(error: Tensor, plan: Plan, y0: Tensor) -> None:
    """Compare the largest error of a backward pass with the limit, if one is set."""
    limit = dict(planned()).get("limit", plan.limit)
    if not limit:
        return
    worst, scale = float(error.max()), max(1.0, float(y0.abs().max()))
    if not worst <= limit * scale:
        raise DrumheadError(
            f"states were reconstructed to {worst:.3g} only, the limit is {limit * scale:.3g}: "
            f"the medium is too strongly damped or unstable to be walked back over {plan.segment} steps; "
            "use backend='eager', lower alpha or dt, or compute in float64"
        )
