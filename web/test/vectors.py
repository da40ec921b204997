"""Write test/vectors.json with drumhead itself: what the page's own code has to agree with.

python web/test/vectors.py
"""

import json
from pathlib import Path

import numpy as np

from drumhead import drum
from drumhead.show import sound
from drumhead.show.listen import spectrum
from drumhead.show.palette import class_colours

DT = 0.5


def main() -> None:
    """Compute and write."""
    random = np.random.default_rng(7)
    series = random.normal(size=(13, 3)) * np.exp(-np.arange(13) / 6)[:, None]
    long = random.normal(size=(100, 4))
    found = {
        "sound": [_sound(series, 0.5), _sound(long, 0.25)],
        "drums": [_drum(drum.shape("square", 16)), _drum(drum.shape("star", 40)), _drum(drum.shape("gww-1", 30))],
        "strike": _strike(),
        "square": _square(),
        "colours": class_colours(13).tolist(),
    }
    path = Path(__file__).with_name("vectors.json")
    path.write_text(json.dumps(_rounded(found), separators=(",", ":")) + "\n", encoding="utf-8")


def _sound(series: np.ndarray, dt: float) -> dict:
    heard = sound.tone(series, dt)
    spots = np.linspace(0, len(heard) - 1, 60).astype(int)
    return {
        "series": series.T.tolist(),
        "dt": dt,
        "spectrum": spectrum(series).tolist(),
        "padded": spectrum(series, 128).tolist()[::8],
        "count": len(heard),
        "spots": spots.tolist(),
        "tone": heard[spots].tolist(),
    }


def _drum(membrane: drum.Membrane) -> dict:
    modes = drum.modes(membrane, 40)
    heard = drum.weyl(membrane, values=modes.values)
    whole = drum.from_mask(membrane.mask)
    return {
        "name": membrane.name,
        "mask": ["".join("#" if moves else "." for moves in row) for row in membrane.mask],
        "values": modes.values.tolist(),
        "alone": [k for k in range(8) if np.sum(np.abs(modes.values - modes.values[k]) < 1e-6) == 1],
        "shapes": [shape[membrane.mask][::7].tolist() for shape in modes.shapes[:8]],
        "area": whole.area,
        "perimeter": whole.perimeter,
        "exact_area": membrane.area,
        "smoothed": heard.smoothed,
        "counted": heard.counted,
    }


def _strike() -> dict:
    membrane = drum.shape("L", 10)
    spot = (7, 3)
    series = drum.strike(membrane, spot, steps=60, dt=DT, listen=[spot, (8, 7)])
    return {
        "mask": ["".join("#" if moves else "." for moves in row) for row in membrane.mask],
        "struck": spot,
        "heard": [spot, (8, 7)],
        "series": series.T.tolist(),
    }


def _square() -> dict:
    membrane = drum.shape("square", 12)
    series = drum.strike(membrane, (5, 4), steps=3000, dt=DT, listen=[(6, 3)])
    heard = drum.area_heard(series, DT)
    return {"side": 12, "steps": 3000, "omega": float(heard.omega[0]), "area": float(heard.area[0])}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value


if __name__ == "__main__":
    main()
