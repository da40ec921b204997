"""Waves through a medium: what is asked, checked and handed to an engine.

y'' = phi(W * y) - omega y - alpha y'
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from drumhead.engine.choose import BACKENDS, pick
from drumhead.engine.eager import coefficients, loop
from drumhead.engine.plan import GROWTH, SEGMENT, Fields, Plan
from drumhead.engine.run import run
from drumhead.errors import choose
from drumhead.physics import absorbing, contract, stability
from drumhead.physics.records import All, Record, Several, Stream, at_pixels
from drumhead.physics.state import State, begin


def propagate(
    y0: Tensor | State,
    omega: Tensor | float,
    alpha: Tensor | float,
    kernel: Tensor,
    *,
    steps: int,
    dt: float | None = None,
    z0: Tensor | None = None,
    nonlinearity: str | None = None,
    boundary: str | None = None,
    integrator: str | None = None,
    record: Record | tuple[Record, ...] | None = None,
    backend: str = "auto",
    precision: str = "float32",
    check_stability: bool = True,
    return_state: bool = False,
) -> Any:
    """Let waves run through a medium and return what the record keeps of them.

    y'' = phi(W * y) - omega y - alpha y', in `steps` steps of length `dt`; y_1 .. y_T are recorded, y_0 is not.

    Args:
        y0: initial displacement, (b, c, y, x), floating point; any height and width >= 1. Or the `drumhead.State` that
            another propagation ended with, to go on from there: dt, nonlinearity, boundary and integrator are then its
            own, and z0 is left out.
        omega: squared natural frequency, broadcastable to y0, >= 0, in 1 / time^2.
        alpha: damping, broadcastable to y0, >= 0, in 1 / time.
        kernel: coupling W, (c, c, ky, kx) dense or (c, 1, ky, kx) depthwise, odd sizes;
            `drumhead.laplacian` gives waves of speed 1 pixel per unit time.
        steps: number of steps T >= 1. A wave moves about `speed * dt * steps` pixels, and nothing more than T
            radii of the kernel: choose at least the size of what is to be heard.
        dt: step in model time. The paper uses 0.1; 0.9 times `drumhead.stable_dt` does the most per step.
        z0: initial velocity, broadcastable to y0; zero by default.
        nonlinearity: "tanh" (default; bounds the coupling force, the paper's) or "linear" (the wave equation).
        boundary: "periodic" (default, the paper's), "fixed", "reflecting" or "absorbing"; see
            `drumhead.engine.boundaries`.
        integrator: "euler" (default; the paper's, first order) or "verlet" (second order, exact damping).
        record: what to keep: `All()` (default), `Every(k)`, `Last()`, `Mean()`, `Max()`, `Project(basis)` or
            `Fourier(bins)`, `Mix(basis)`, or `At(record, pixels)`; or several in a tuple, for one run of the waves,
            whose series is then held whole.
        backend: "eager" is the loop of `drumhead.engine.eager`; "native" (C, on the processor) and "cuda" do the same
            several times faster with a memory that grows slowly with `steps`; "auto" picks the fastest that can. In
            float32 the gradients of "native" are within 15 times the loop's rounding error; inside
            `drumhead.engine.exactly_local()`, where waves are much larger than what tanh lets through, they are nearer
            to it.
        precision: "bfloat16" lets an engine round the factors of a record's products (`Project`, `Mix`) where it gains
            by it: native with AVX-512 BF16 and rows of whole vectors; the waves, sums and states stay float32.
            Elsewhere, and with "float32", nothing is rounded.
        check_stability: refuse steps beyond the stable limit and media with negative or non-finite values.
            It reads the values, so switch it off in inner loops and on a GPU.
        return_state: return what is kept and the `drumhead.State` after the last step.

    Returns:
        (b, t, c, y, x) for All and Every, (b, c, y, x) for Last, Mean and Max, (b, k, c, y, x) for Project
        and Fourier, (b, k, y, x) for Mix, and (.., n, 1) instead of (.., y, x) for At; a tuple of them for several.
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
    choose("backend", backend, BACKENDS)
    choose("precision", precision, ("float32", "bfloat16"))
    record = All() if record is None else Several(tuple(record)) if isinstance(record, tuple | list) else record
    start, scheme = begin(y0, z0, dt=dt, nonlinearity=nonlinearity, boundary=boundary, integrator=integrator)
    omega, alpha, z = contract.check(start, omega, alpha, kernel, steps, record)
    steps, step = int(steps), float(scheme.dt)  # NumPy's numbers are welcome too
    y, z, omega, alpha, inner = absorbing.around(start, z, omega, alpha, kernel)
    if check_stability:
        stability.check_values(y, z, omega, alpha, kernel, step, scheme.integrator, inner is not None)
    stream = record.stream(steps, y)
    keep = Stream("series") if stream is None else stream
    chosen = pick(backend, y, (y, z, omega, alpha, kernel, keep.basis), stream is not None)
    decay, first_decay, offset, slope, first_offset = coefficients(alpha, step, scheme.integrator)
    fields = Fields(
        y, z, omega, decay, None if z is None or start.begun else first_decay, kernel, keep.basis,
        keep.rising() if inner is None else None,
    )  # fmt: skip
    plan = Plan(
        steps, step, offset, slope, first_offset, scheme.nonlinearity == "tanh",
        scheme.boundary if inner is None else "fixed",
        keep.keep, keep.every, start.begun, return_state,
        segment=SEGMENT if torch.is_grad_enabled() and any(f is not None and f.requires_grad for f in fields) else 0,
        growth=GROWTH.get(y.dtype, 0.0), reduced=precision == "bfloat16",
    )  # fmt: skip

    def collect(states: Iterator[Tensor]) -> Any:
        return record.collect(states if inner is None else (y[inner] for y in states), steps)

    if chosen == "eager":
        kept, end = loop(plan, fields, collect)
    else:
        kept, end = run(plan, fields)
        kept = kept if inner is None else kept[inner]
        kept = keep.finish(kept if keep.at is None or fields.at is not None else at_pixels(kept, keep.at))
    if not return_state:
        return kept
    y, z = end
    if inner is None:
        return kept, replace(start, y=y, z=z, begun=True)
    return kept, replace(start, y=y[inner], z=z[inner], begun=True, around=(y, z))
