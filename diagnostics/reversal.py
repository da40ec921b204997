"""Measure how well the engine's adjoint finds past states by reversing, against a bound predicted beforehand.

Medium: one image of 64 x 64, two channels, tanh, dense coupling (a Laplacian with some mixing of channels), torus,
Euler steps of dt = 0.1; omega uniform in [0, 1], alpha uniform in [0, alpha_max]. For segments of R steps:

    error     largest |difference| of a reconstructed y or z at a segment's start from the forward run's checkpoint
    bound     2 u S (g^R - 1) / (1 - d):  d = 1 - dt alpha_max, g = 1 / d, u the unit roundoff, S the largest |y| or |z|
    gradient  largest relative difference (2-norm) of a gradient from that of the stored adjoint

The engine reverses where R ln g is at most drumhead.engine.plan.GROWTH; here the limit is lifted, and lowered for the
stored adjoint. A run of one segment has no checkpoint at its start (the first step takes y0 itself), so no error.

python diagnostics/reversal.py [OUT.json]      prints a Markdown table
"""

import json
import math
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

import drumhead as dh
from drumhead.engine import ops, plan

DT = 0.1
STEPS, ALPHAS, SEGMENTS = (100, 1000), (0.1, 1.0, 5.0, 9.0), (5, 10, 25, 50, 100)
TYPES = {"float32": torch.float32, "float64": torch.float64}


def medium(steps: int, alpha_max: float, dtype: torch.dtype) -> tuple[Tensor | None, ...]:
    """Return y0, z0, omega, decay, first_decay, kernel and basis, the same numbers in both types."""
    g = torch.Generator().manual_seed(0)
    y0 = torch.randn(1, 2, 64, 64, generator=g)
    omega = torch.rand(y0.shape, generator=g)
    alpha = alpha_max * torch.rand(y0.shape, generator=g)
    alpha.view(-1)[0] = alpha_max
    kernel = dh.laplacian(2, dense=True) + 0.05 * torch.randn(2, 2, 3, 3, generator=g)
    basis = torch.randn(4, steps, generator=g) / steps**0.5
    return tuple(
        None if x is None else x.to(dtype) for x in (y0, None, omega, 1 - DT * alpha, None, kernel, basis, None)
    )


def measure(steps: int, alpha_max: float, name: str, segment: int) -> dict[str, object]:
    dtype = TYPES[name]
    inputs = medium(steps, alpha_max, dtype)
    asked = plan.Plan(steps, DT, DT, 0.0, DT, True, "periodic", "project", segment=segment)
    out, _, saved, *others = ops.propagate(*inputs, *asked.numbers())
    grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    (*found, error), (*right, _) = (
        ops.propagate_backward(
            grad, grad.new_empty(0), saved, *others, *inputs, *replace(asked, growth=growth).numbers()
        )
        for growth in (math.inf, -math.inf)
    )
    gradient = max(
        float((a.double() - b.double()).norm() / b.double().norm())
        for a, b in zip(found, right, strict=True)
        if b.numel()
    )
    decay = 1 - DT * alpha_max
    scale = max(float(saved.abs().max()), float(inputs[0].abs().max()))
    bound = 2 * torch.finfo(dtype).eps / 2 * scale * (decay**-segment - 1) / (1 - decay)
    return {
        "steps": steps,
        "alpha_max": alpha_max,
        "dtype": name,
        "segment": segment,
        "error": float(error.max()) if steps > segment else None,
        "bound": bound,
        "gradient": gradient,
        "growth": -segment * math.log(decay),
        "reversed_by_the_engine": -segment * math.log(decay) <= plan.GROWTH[dtype],
        "largest_state": scale,
    }


def short(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-" if value is None else "overflow"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def table(rows: list[dict], cell: str) -> str:
    lines = [
        "| type | alpha max | T |" + "".join(f" R = {r} |" for r in SEGMENTS),
        "|---|---|---|" + "---|" * len(SEGMENTS),
    ]
    for name, alpha_max, steps in product(TYPES, ALPHAS, STEPS):
        cells = []
        for segment in SEGMENTS:
            (row,) = (
                r
                for r in rows
                if (r["dtype"], r["alpha_max"], r["steps"], r["segment"]) == (name, alpha_max, steps, segment)
            )
            text = cell.format(**{key: short(row[key]) for key in ("error", "bound", "gradient")})
            cells.append(f"**{text}**" if row["reversed_by_the_engine"] else text)
        lines.append(f"| {name} | {alpha_max:g} | {steps} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(out: str | None = None) -> None:
    rows = [measure(*case) for case in product(STEPS, ALPHAS, TYPES, SEGMENTS)]
    print(
        "Error of the states < predicted bound; error of the gradients (bold: the engine reverses, else it stores).\n"
    )
    print(table(rows, "{error} < {bound}; {gradient}"))
    finite = [r for r in rows if r["error"] is not None and math.isfinite(r["error"])]
    broken = [r for r in finite if r["error"] > r["bound"]]
    print(f"\n{len(broken)} of {len(finite)} finite errors exceed their bound")
    if out:
        plain = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()} for r in rows]
        lines = ",\n".join(map(json.dumps, plain))
        Path(out).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
