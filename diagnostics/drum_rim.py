"""How far inside the rim must a pixel lie to move? The disc's error in radius, in pixels, for several answers.

    python diagnostics/drum_rim.py docs/results/drum/rim.json

The lowest mode of a disc of radius R rings at the first zero of J_0 over R; what it rings at on the grid tells the
radius that the grid has. `drumhead.drum` uses 0.375.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.special import jn_zeros

from drumhead.drum.modes import lowest

GAPS, RADII = (0.0, 0.25, 0.3, 0.354, 0.375, 0.4, 0.5, 0.6), np.linspace(16, 40, 25)


def excess(radius: float, gap: float) -> float:
    half = int(radius) + 1
    y, x = np.indices((2 * half + 1,) * 2) - half
    return float(jn_zeros(0, 1)[0] / np.sqrt(lowest(np.hypot(y, x) < radius - gap - 1e-9, 1)[0]) - radius)


if __name__ == "__main__":
    table = {}
    for gap in GAPS:
        found = np.array([excess(radius, gap) for radius in RADII])
        table[str(gap)] = {"mean": found.mean(), "spread": found.std(), "least": found.min(), "most": found.max()}
        print(f"{gap:5.3f}  radius too large by {found.mean():+.3f} +- {found.std():.3f}")
    Path(sys.argv[1]).write_text(json.dumps(table, indent=1) + "\n")
