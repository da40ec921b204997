"""Where waves are and how they move: what a propagation starts from, leaves behind and goes on with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from torch import Tensor

from drumhead.errors import DrumheadError, choose
from drumhead.settings.config import Boundary, Integrator, Nonlinearity

DEFAULTS = {"dt": None, "nonlinearity": "tanh", "boundary": "periodic", "integrator": "euler"}


class Scheme(NamedTuple):
    """How waves step."""

    dt: float
    nonlinearity: str
    boundary: str
    integrator: str


@dataclass(frozen=True, eq=False, repr=False)
class State:
    """Displacement y and velocity z of waves, and what a propagation needs to go on with them.

    `drumhead.propagate(..., return_state=True)` gives one; `drumhead.propagate(state, ...)` goes on, and two parts are
    the whole: to the bit in the loop, to rounding in the engines. The medium may be another one in each part.

    Args:
        y: displacement, (b, c, y, x).
        z: velocity, broadcastable to y; None: at rest.
        dt: step in model time, as the next three for `drumhead.propagate`; None leaves it to the next propagation.
        nonlinearity: see there.
        boundary: see there.
        integrator: see there.
        begun: whether a step of this integrator and length left y and z behind; Verlet's z is then half a step behind
            y. A state made by hand is a whole one, as y0 and z0 are.
        around: y and z with the margin of an absorbing boundary; None: nothing moves there yet.

    Example:
        >>> y0, kernel = torch.rand(1, 1, 8, 8), dh.laplacian(1)
        >>> first, state = dh.propagate(y0, 0.0, 0.0, kernel, steps=5, dt=0.5, return_state=True)
        >>> second = dh.propagate(state, 0.0, 0.0, kernel, steps=5)
        >>> whole = dh.propagate(y0, 0.0, 0.0, kernel, steps=10, dt=0.5)
        >>> torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-6)
        True
    """

    y: Tensor
    z: Tensor | None = None
    dt: float | None = None
    nonlinearity: str | None = None
    boundary: str | None = None
    integrator: str | None = None
    begun: bool = False
    around: tuple[Tensor, Tensor] | None = None

    def __repr__(self) -> str:
        kind = f"{str(self.y.dtype).removeprefix('torch.')} {tuple(self.y.shape)} on {self.y.device}"
        known = [f"{name}={getattr(self, name)!r}" for name in DEFAULTS if getattr(self, name) is not None]
        return f"State({', '.join([kind, *known, 'begun' if self.begun else 'whole'])})"

    def detach(self) -> "State":
        """Return the state without its history: gradients end here."""
        return self.map(Tensor.detach)

    def to(self, *args: Any, **kwargs: Any) -> "State":
        """Return the state in another dtype or on another device, as `torch.Tensor.to`."""
        return self.map(lambda tensor: tensor.to(*args, **kwargs))

    def map(self, change: Callable[[Tensor], Tensor]) -> "State":
        """Return the state with each of its tensors changed."""
        z = None if self.z is None else change(self.z)
        around = None if self.around is None else (change(self.around[0]), change(self.around[1]))
        return replace(self, y=change(self.y), z=z, around=around)


def begin(y0: Tensor | State, z0: Tensor | None, **asked: Any) -> tuple[State, Scheme]:
    """Return the state to start from, and its scheme: as asked for, else as the state has it, else the defaults.

    Raises:
        DrumheadError: a setting is unknown, or the state has another one than what is asked for.
    """
    start = y0 if isinstance(y0, State) else State(y0, z0)
    if start is y0 and z0 is not None:
        raise DrumheadError("z0: a state brings its own velocity; leave z0 out, or make another dh.State(y, z)")
    settings: list[Any] = []
    for name, default in DEFAULTS.items():
        wanted, has = asked[name], getattr(start, name)
        if wanted is not None and has is not None and wanted != has:
            raise DrumheadError(
                f"{name}={wanted!r}: the state was made with {name}={has!r}; leave {name} out to go on as it was"
            )
        settings.append(has if has is not None else default if wanted is None else wanted)
    for name, value, kind in zip(list(DEFAULTS)[1:], settings[1:], (Nonlinearity, Boundary, Integrator), strict=True):
        choose(name, value, get_args(kind))
    if settings[0] is None:
        raise DrumheadError("dt: a step in model time is needed, such as 0.1; only a state from a propagation has one")
    return State(start.y, start.z, *settings, begun=start.begun, around=start.around), Scheme(*settings)
