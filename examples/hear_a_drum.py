"""Hear a drum: what its pitches say of its shape, and what they cannot say; docs/guide/hear-a-drum.md explains it.

    OMP_NUM_THREADS=1 python examples/hear_a_drum.py [FOLDER]     pictures and sounds go to FOLDER, by default drum-walk

It takes four seconds of one core.
"""

# %% A drum of any shape: here an F by its corners; drum.read("mine.png") takes an image
import sys
from pathlib import Path

import numpy as np

from drumhead import drum
from drumhead.show import drums, movies, sound
from drumhead.show.drums import BLUE, ORANGE, paint
from drumhead.show.figures import new_figure, open_axes, save_figure

out = Path(sys.argv[1] if len(sys.argv) > 1 else "drum-walk")
out.mkdir(parents=True, exist_ok=True)

corners = [(0, 0), (53, 0), (53, 15), (21, 15), (21, 30), (49, 30), (49, 45), (21, 45), (21, 73), (0, 73)]
f = drum.polygon(corners, name="F")
print(f"the F: {f.mask.sum()} pixels move, area {f.area:.0f}, rim {f.perimeter:.0f}")

# %% Strike it and listen at another place
DT, STEPS = 0.5, 12_000
modes = drum.modes(f, 60)
struck = drum.innermost(f)
away = np.hypot(*(np.indices(f.mask.shape) - np.reshape(struck, (2, 1, 1)))) > 25
listen = drum.lively(drum.Modes(modes.values[:8], modes.shapes[:8] * away))
movie = drum.strike(f, struck, steps=480, dt=DT, every=4)
times = 4 * DT * np.arange(1, len(movie) + 1)
shots = [2, 6, 12, 24, 48, 80, 119]
drums.save_wave(out / "wave.png", f.mask, movie[shots], times[shots].tolist(), struck, listen, "a wave on the F")
movies.save_field(out / "wave.gif", movie[:60], f.mask, times[:60])

# %% What is heard: every mode that does not rest at one of the two places
series = drum.strike(f, struck, steps=STEPS, dt=DT, listen=[listen])[:, 0]
omega = drum.ringing(modes.values, DT)
heard = drum.spectrum(series)
bins = 2 * np.pi * np.arange(len(heard)) / (STEPS * DT)
lines = drum.lines(series, DT, omega)
low = float(drum.fundamental(series, DT))
print(f"lowest mode at {omega[0]:.4f}, lowest peak heard at {low:.4f}, a bin is {bins[1]:.4f}")
print(f"of {lines.modes} modes that stand alone {lines.heard} are heard; no peak is farther than "
      f"{lines.farthest:.2f} bins from one")  # fmt: skip
drums.save_spectrum(out / "spectrum.png", series, DT, omega, bins, heard, "what one pixel of the F hears")
sound.save_ringing(out / "F.wav", series, DT, float(omega[0]))

# %% Area and rim, heard from the pitches alone (Weyl's law)
print("heard of:")
members = {name: drum.shape(name, 48) for name in ("square", "disc", "star")} | {"F": f}
for name, member in members.items():
    area, rim, _ = drum.weyl(member).smoothed
    print(f"    {name:<7} area {area:6.0f} of {member.area:6.0f}, rim {rim:5.1f} of {member.perimeter:5.1f}")

# %% Two drums that sound alike, and two that do not though area and rim agree
pairs = {"alike": drum.gww(16), "not alike": drum.notched(4)}
figure = new_figure(8.4, 4.6)
left, right = figure.subfigures(1, 2)
cells = left.subplots(2, 2)
for row, strip, (verdict, (one, other)) in zip(cells, right.subplots(2, 1), pairs.items(), strict=True):
    apart = drum.differences(one, other, 30).max()
    agree = f"area {one.area:.0f} and {other.area:.0f}, rim {one.perimeter:.1f} and {other.perimeter:.1f}"
    pitches = f"apart by up to {apart:.0%}" if apart > 1e-9 else "equal to 1e-9"
    print(f"{one.name} and {other.name}: {agree}, pitches {pitches}")
    for axis, member, place, colour in zip(row, (one, other), (1.1, 0), (BLUE, ORANGE), strict=True):
        found = drum.modes(member, 30)
        paint(axis, found.shapes[4], member.mask, title=f"{member.name}, mode 5")
        strip.vlines(drum.ringing(found.values, DT), place, place + 1, color=colour, lw=1.2)
    strip.set_yticks([1.6, 0.5], [one.name, other.name], fontsize=8)
    strip.set_title(f"30 pitches, {verdict}", fontsize=9)
    strip.set_xlabel("angular frequency", fontsize=8)
    open_axes(strip)
save_figure(figure, out / "pair.png", colours=128)
