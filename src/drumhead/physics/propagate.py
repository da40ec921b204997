"""Waves through a medium: what is asked, checked and handed to an engine.

y'' = phi(W * y) - omega y - alpha y'
"""

import torch
from torch import Tensor

from drumhead.engine import boundaries
from drumhead.engine.choose import BACKENDS, pick
from drumhead.engine.eager import coefficients, march
from drumhead.engine.plan import SEGMENT, Rollout
from drumhead.engine.run import run
from drumhead.errors import choose
from drumhead.physics import contract, stability
from drumhead.physics.records import All, Record, Stream, at_pixels


def propagate(
    y0: Tensor,
    omega: Tensor | float,
    alpha: Tensor | float,
    kernel: Tensor,
    *,
    steps: int,
    dt: float,
    z0: Tensor | None = None,
    nonlinearity: str = "tanh",
    boundary: str = "periodic",
    integrator: str = "euler",
    record: Record | None = None,
    backend: str = "auto",
    precision: str = "float32",
    check_stability: bool = True,
) -> Tensor:
    """Let waves run through a medium and return what the record keeps of them.

    y'' = phi(W * y) - omega y - alpha y', in `steps` steps of length `dt`; y_1 .. y_T are recorded, y_0 is not.

    Args:
        y0: initial displacement, (b, c, y, x), floating point; any height and width >= 1.
        omega: squared natural frequency, broadcastable to y0, >= 0, in 1 / time^2.
        alpha: damping, broadcastable to y0, >= 0, in 1 / time.
        kernel: coupling W, (c, c, ky, kx) dense or (c, 1, ky, kx) depthwise, odd sizes;
            `drumhead.laplacian` gives waves of speed 1 pixel per unit time.
        steps: number of steps T >= 1. A wave moves at most `speed * dt * steps` pixels: choose at least the
            size of what is to be heard.
        dt: step in model time. The paper uses 0.1; 0.9 times `drumhead.stable_dt` does the most per step.
        z0: initial velocity, broadcastable to y0; zero by default.
        nonlinearity: "tanh" (bounds the coupling force, the paper's) or "linear" (the wave equation).
        boundary: "periodic" (the paper's), "fixed", "reflecting" or "absorbing"; see `drumhead.engine.boundaries`.
        integrator: "euler" (the paper's, first order) or "verlet" (second order, exact damping).
        record: what to keep: `All()` (default), `Every(k)`, `Last()`, `Mean()`, `Max()`, `Project(basis)` or
            `Fourier(bins)`, `Mix(basis)`, or `At(record, pixels)`.
        backend: "eager" is this loop; "native" (C, on the processor) and "cuda" do the same several times faster
            with a memory that grows slowly with `steps`; "auto" picks the fastest that can. In float32 the gradients of
            "native" are within 15 times the loop's rounding error; inside `drumhead.engine.exactly_local()`, where
            waves are much larger than what tanh lets through, they are nearer to it.
        precision: "bfloat16" lets an engine round the factors of a record's products (`Project`, `Mix`) where it gains
            by it: native with AVX-512 BF16 and rows of whole vectors; the waves, sums and states stay float32.
            Elsewhere, and with "float32", nothing is rounded.
        check_stability: refuse steps beyond the stable limit and media with negative or non-finite values.
            It reads the values, so switch it off in inner loops and on a GPU.

    Returns:
        (b, t, c, y, x) for All and Every, (b, c, y, x) for Last, Mean and Max, (b, k, c, y, x) for Project
        and Fourier, (b, k, y, x) for Mix, and (.., n, 1) instead of (.., y, x) for At.
        Differentiable in y0, omega, alpha, kernel, z0 and the basis.

    Raises:
        DrumheadError: an argument does not fit; the message says what is allowed.

    Source:
        arXiv 2502.06034 for the equation and the Euler step; Hairer, Lubich and Wanner, Geometric Numerical
        Integration (2006), for the Verlet step with damping split off.

    Example:
        >>> import torch, drumhead as dh
        >>> y0 = torch.zeros(1, 1, 33, 33)
        >>> y0[0, 0, 16, 16] = 1.0
        >>> waves = dh.propagate(y0, 0.0, 0.0, dh.laplacian(1), steps=40, dt=0.5)
        >>> waves.shape
        torch.Size([1, 40, 1, 33, 33])
    """
    record = All() if record is None else record
    choose("backend", backend, BACKENDS)
    choose("precision", precision, ("float32", "bfloat16"))
    moving = z0 is not None
    omega, alpha, z0 = contract.check(
        y0, omega, alpha, kernel, z0, steps, dt, nonlinearity, boundary, integrator, record
    )

    steps, dt = int(steps), float(dt)  # NumPy's numbers are welcome too
    absorbing = boundary == "absorbing"
    if absorbing:
        size = y0.shape[-2:]
        y0, z0 = boundaries.surround(y0, "zeros"), boundaries.surround(z0.expand(y0.shape), "zeros")
        omega = boundaries.surround(_spread(omega, size), "replicate")
        alpha = boundaries.surround(_spread(alpha, size), "replicate")
        alpha = alpha + boundaries.margin_damping(size, stability.speed(kernel), alpha)
        boundary = "fixed"

    if check_stability:
        contract.check_values(y0, z0, omega, alpha, kernel, dt, integrator, absorbing)
    kick = coefficients(alpha, dt, integrator)
    stream = record.stream(steps, y0)
    basis = () if stream is None or stream.basis is None else (stream.basis,)
    tensors = (y0, z0, omega, kick.decay, kernel, *basis)
    if stream is not None and pick(backend, y0, tensors, True) != "eager":
        plan = Rollout(
            steps, dt, kick.offset, kick.slope, kick.first_offset, nonlinearity == "tanh", boundary,
            stream.keep, stream.every,
            segment=SEGMENT if torch.is_grad_enabled() and any(t.requires_grad for t in tensors) else 0,
            reduced=precision == "bfloat16",
        )  # fmt: skip
        at = stream.at if _pays(stream, absorbing) else None
        out = run(
            plan, y0, z0 if moving else None, omega, kick.decay, kick.first_decay if moving else None, kernel,
            stream.basis, at,
        )  # fmt: skip
        out = boundaries.crop(out) if absorbing else out
        return stream.finish(out if stream.at is None or at is not None else at_pixels(out, stream.at))
    if stream is None:
        pick(backend, y0, tensors, False)
    states = march(y0, z0, omega, kernel, kick, steps, dt, nonlinearity, boundary)
    if absorbing:
        states = map(boundaries.crop, states)
    return record.collect(states, steps)


def _pays(stream: Stream, absorbing: bool) -> bool:
    """Say whether the engine should keep some pixels only, which it can in a projection if they are in order."""
    at = stream.at
    if at is None or not at.is_cpu or absorbing or stream.keep not in ("project", "mix"):
        return False
    return not torch.compiler.is_compiling() and not bool((at.diff() < 0).any())


def _spread(field: Tensor, size: torch.Size) -> Tensor:
    """Expand a broadcastable field to the grid's height and width."""
    return field.expand(*field.shape[:2], *size)
