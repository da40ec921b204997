"""How much of a wave comes back from an absorbing edge? Packets of several lengths and angles, in energy.

    python diagnostics/absorbing.py docs/results/absorbing        writes OUT.json, OUT.md and OUT.png
    python diagnostics/absorbing.py OUT --lengths 8 --angles 0 45 --integrators verlet

A Gaussian packet of plane waves (standard deviation SPREAD wavelengths) runs over a lattice (the 5-point Laplacian,
linear, omega = alpha = 0, steps of 0.5) into the middle of one absorbing edge, at an angle to the edge's normal, until
all that comes back from it is inside again. In open space the same packet is known in closed form, step by step: the
lattice's Fourier modes turn by cos(turn) = 1 - dt^2 (2 sin^2(kx / 2) + 2 sin^2(ky / 2)) in each step. Energy is kinetic
and strain, 1/2 sum z^2 + 1/2 sum |grad y|^2, over the pixels and bonds of the grid without its margin, with
z = (y_T - y_(T - 1)) / dt and y halfway between the two:

    back    the energy of the difference between what is there and open space
    left    the energy that is there
    open    the energy that would be there in open space: what has not left yet

each over the packet's energy at the start. Beside them, what the same margin sends back of an endless plane wave in
continuous time (`plane`), which no packet can be: it is found without propagating anything. Last, round Gaussian pulses
in the middle of 65 x 65 pixels, which hold all wavelengths and angles (`pulse`).
"""

import argparse
import json
import math
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch

import drumhead as dh
from drumhead.learn.run import environment
from drumhead.physics.absorbing import MARGIN, margin_damping
from drumhead.show.pages import Grid, Heading, Picture, Text, markdown

LENGTHS, ANGLES, INTEGRATORS = (4, 8, 16, 32, 64), (0, 15, 30, 45, 60, 75), ("verlet", "euler")
DT, SPREAD, TAIL = 0.5, 2.0, 4.0  # the packet is cut at TAIL standard deviations


def energy(before: np.ndarray, after: np.ndarray) -> float:
    """Return kinetic and strain energy between two states (y, x)."""
    y, z = (before + after) / 2, (after - before) / DT
    return float((z**2).sum() + (np.diff(y, axis=0) ** 2).sum() + (np.diff(y, axis=1) ** 2).sum()) / 2


class Packet:
    """A packet in open space, on a torus that is large enough for it.

    Args:
        length: its wavelength in pixels.
        angle: between its direction and the normal of the edge, in degrees.
        integrator: whose first step the velocity at the start has to suit.
    """

    def __init__(self, length: float, angle: float, integrator: str):
        turn, k = math.radians(angle), 2 * math.pi / length
        kx, ky = k * math.cos(turn), k * math.sin(turn)
        tail = round(TAIL * SPREAD * length)
        slow = math.sin(kx) / math.sqrt(4 * math.sin(kx / 2) ** 2 + 4 * math.sin(ky / 2) ** 2)
        drift = round(2 * tail * math.sin(ky) / math.sin(kx))  # along the edge, while it runs to the edge and back
        self.steps = round(2 * tail / slow / DT)
        self.size = (2 * tail + drift + round(tail * math.sin(turn)), 2 * tail)  # oblique packets widen along the edge
        torus = (self.size[0] + 2 * tail, 5 * tail)
        y, x = (np.arange(side, dtype=float) - tail for side in torus)
        spread = SPREAD * length
        wave = [np.exp(1j * q * s - s**2 / (2 * spread**2)) for q, s in ((ky, y), (kx, x))]
        self._modes = np.fft.fft2(np.outer(*wave))
        across, along = (2 * np.sin(np.pi * np.fft.fftfreq(side)) ** 2 for side in torus)
        stiff = 2 * (across[:, None] + along[None, :])
        self._turn = np.arccos(1 - DT**2 * stiff / 2)
        velocity = -1j * np.sin(self._turn) / DT  # so that the first step turns every mode forward
        if integrator == "euler":
            velocity = velocity + DT / 2 * stiff
        self.start = self.at(0)
        self.velocity = self._inside(self._modes * velocity)

    def at(self, step: int) -> np.ndarray:
        """Return the displacement on the grid after some steps, without edges."""
        return self._inside(self._modes * np.exp(-1j * self._turn * step))

    def _inside(self, modes: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(modes).real[: self.size[0], : self.size[1]]


def plane(length: float, angle: float) -> float:
    """Return the share of a plane wave's energy that comes back, column by column of the margin, from its rim inward.

    A wave y_n exp(i (ky y - w t)) obeys y_(n - 1) = (2 + 2 - 2 cos ky - w^2 - i w alpha_n) y_n - y_(n + 1), with y = 0
    beyond the rim, and is exp(i kx n) + r exp(-i kx n) where nothing is damped.
    """
    turn, k = math.radians(angle), 2 * math.pi / length
    kx, across = k * math.cos(turn), 2 - 2 * math.cos(k * math.sin(turn))
    w = math.sqrt(2 - 2 * math.cos(kx) + across)
    one = torch.ones((), dtype=torch.float64)
    damping = margin_damping(torch.Size((1, 1)), one, one)[MARGIN, MARGIN:].tolist()  # from the grid's edge outward
    inner, outer = 1 + 0j, 0j
    for alpha in reversed(damping):
        inner, outer = (2 + across - w * w - 1j * w * alpha) * inner - outer, inner
    step, ratio = np.exp(1j * kx), inner / outer
    return float(abs((1 / step - ratio) / (ratio - step)) ** 2)


def measure(length: float, angle: float, integrator: str) -> dict:
    """Send one packet into the edge."""
    packet = Packet(length, angle, integrator)
    y0, z0 = (torch.tensor(a, dtype=torch.float32)[None, None] for a in (packet.start, packet.velocity))
    steps = packet.steps
    basis = torch.zeros(2, steps)
    basis[0, -2] = basis[1, -1] = 1  # the last two states
    out = dh.propagate(
        y0, 0.0, 0.0, dh.laplacian(1), steps=steps, dt=DT, z0=z0, nonlinearity="linear", boundary="absorbing",
        integrator=integrator, record=dh.Project(basis),
    )[0, :, 0].double().numpy()  # fmt: skip
    free = packet.at(steps - 1), packet.at(steps)
    whole = energy(packet.start, packet.at(1))
    return {
        "length": length, "angle": angle, "integrator": integrator, "size": list(packet.size), "steps": steps,
        "back": energy(out[0] - free[0], out[1] - free[1]) / whole,
        "left": energy(out[0], out[1]) / whole,
        "open": energy(*free) / whole,
        "plane": plane(length, angle),
    }  # fmt: skip


def pulse(deviation: float, side: int = 65, steps: int = 300, around: int = 200) -> dict:
    """Let go of a round pulse: the most that comes back of its energy, and of its sum of y^2, which is no energy."""
    place = torch.arange(side, dtype=torch.float64) - side // 2
    y0 = torch.exp(-(place[:, None] ** 2 + place**2) / (2 * deviation**2))[None, None]
    options = {"steps": steps, "dt": DT, "nonlinearity": "linear", "integrator": "verlet"}
    kernel = dh.laplacian(1).double()
    there = dh.propagate(y0, 0.0, 0.0, kernel, boundary="absorbing", **options)[0, :, 0].numpy()
    free = dh.propagate(torch.nn.functional.pad(y0, (around,) * 4), 0.0, 0.0, kernel, **options)[0, :, 0]
    echo = there - free[:, around:-around, around:-around].numpy()
    start = y0[0, 0].numpy()
    back = max(energy(*pair) for pair in pairwise(echo)) / energy(start, start)
    return {"deviation": deviation, "back": back, "squares": float((echo**2).sum((1, 2)).max() / (start**2).sum())}


def page(rows: list[dict], pulses: list[dict], name: str, where: dict) -> str:
    """Return the tables as Markdown."""
    blocks = [
        Heading("What comes back from an absorbing edge", 1),
        Text("Energy (kinetic and strain) that returns, as a share of the packet's, by wavelength in pixels and angle "
             f"from the edge's normal. Margin of {MARGIN} pixels, 5-point Laplacian, linear, steps of {DT}. Made by "
             f"`python diagnostics/absorbing.py docs/results/absorbing`, which says how; every number: "
             f"[{name}.json]({name}.json)."),
    ]  # fmt: skip
    found = {(r["integrator"], r["length"], r["angle"]): r for r in rows}
    lengths, angles = (sorted({r[key] for r in rows}) for key in ("length", "angle"))
    used = tuple(dict.fromkeys(r["integrator"] for r in rows))
    for name_of, integrator, value in (
        *((f"Packets, {one}", one, "back") for one in used),
        ("Endless plane waves in continuous time", used[0], "plane"),
    ):
        blocks += [
            Heading(name_of),
            Grid(
                ("wavelength", *(f"{angle:g}°" for angle in angles)),
                tuple((f"{n:g}", *(f"{found[integrator, n, a][value]:.1e}" for a in angles)) for n in lengths),
            ),
        ]
    blocks += [
        Heading("Round pulses, verlet"),
        Grid(
            ("standard deviation", "energy that comes back", "sum of y^2, which is no energy"),
            tuple((f"{r['deviation']:g}", f"{r['back']:.1e}", f"{r['squares']:.1e}") for r in pulses),
        ),
    ]
    late = max(rows, key=lambda row: row["open"])
    blocks += [
        Picture(f"{name}.png", "Energy that comes back, against the angle. Dashed: Euler."),
        Text(f"What would still be inside in open space is at most {late['open']:.1%} of the energy (wavelength "
             f"{late['length']:g}, {late['angle']:g}°), so what is left inside is what came back. Packets have a "
             f"standard deviation of {SPREAD:g} wavelengths, so angles and wavelengths are means: directions spread by "
             f"{math.degrees(1 / (2 * math.pi * SPREAD * math.sqrt(2))):.1f}° (standard deviation), which raises small "
             "shares between large ones. Below 1e-8 the ends of the packets, which are cut, are measured as well. "
             f"torch {where['torch']}, {where['processor']}, commit {where['commit']}."),
    ]  # fmt: skip
    return markdown(blocks)


def draw(rows: list[dict], out: Path) -> None:
    """Draw energy against angle, a line a wavelength."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    lengths = sorted({r["length"] for r in rows})
    for i, length in enumerate(lengths):
        for integrator in dict.fromkeys(r["integrator"] for r in rows):
            line = sorted(
                (r["angle"], r["back"]) for r in rows if (r["length"], r["integrator"]) == (length, integrator)
            )
            axes.plot(*zip(*line, strict=True), marker="o", markersize=4, color=f"C{i}",
                      linestyle="--" if integrator == "euler" else "-",
                      label=f"{length:g} pixels" if integrator == "verlet" else None)  # fmt: skip
    axes.set(yscale="log", xlabel="angle between the wave and the edge's normal (degrees)", ylim=(None, 1.5),
             ylabel="share of the energy that comes back", xticks=sorted({r["angle"] for r in rows}))  # fmt: skip
    figure.legend(title="wavelength", frameon=False, loc="outside right center")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="where to write, without a suffix")
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS)
    parser.add_argument("--angles", type=float, nargs="+", default=ANGLES)
    parser.add_argument("--integrators", nargs="+", choices=INTEGRATORS, default=INTEGRATORS)
    given = parser.parse_args()
    rows = []
    for length, angle, integrator in product(given.lengths, given.angles, given.integrators):
        rows.append(measure(length, angle, integrator))
        print(json.dumps(rows[-1]), flush=True)
    pulses = [pulse(deviation) for deviation in (1, 2, 4)]
    where, out = environment(), given.out
    found = {"environment": where, "rows": rows, "pulses": pulses}
    out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    out.with_suffix(".md").write_text(page(rows, pulses, out.name, where))
    draw(rows, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
