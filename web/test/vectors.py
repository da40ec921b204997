"""Write test/vectors.json with drumhead itself: what the page's own code has to agree with.

python web/test/vectors.py
"""

import base64
import json
import zlib
from pathlib import Path

import numpy as np

import drumhead as dh
from drumhead import drum
from drumhead.show import sound
from drumhead.show.listen import mean_spectrum
from drumhead.show.palette import class_colours
from drumhead.tasks import tetrominoes, wires

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
        "networks": [
            _network("wires-stack", wires.arrays("test", count=3)[0][2]),
            _network("tetrominoes-fast", tetrominoes.arrays("test")[0][4]),
            _network("mnist", np.pad(wires.arrays("test", length=16, count=4)[0][1], [(12, 12), (12, 12), (0, 0)])),
        ],
    }
    path = Path(__file__).with_name("vectors.json")
    path.write_text(json.dumps(_rounded(found), separators=(",", ":")) + "\n", encoding="utf-8")


def _sound(series: np.ndarray, dt: float) -> dict:
    heard = sound.tone(series, dt)
    spots = np.linspace(0, len(heard) - 1, 60).astype(int)
    return {
        "series": series.T.tolist(),
        "dt": dt,
        "spectrum": mean_spectrum(series).tolist(),
        "padded": mean_spectrum(series, 128).tolist()[::8],
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


def _network(name: str, image: np.ndarray) -> dict:
    model, x = dh.load(name), dh.to_images(image[None])
    spot = tuple(int(middle) for middle in np.argwhere(image.max(-1) > 0)[40])
    waves = model.waves(x)[0].detach().numpy()
    stride = -(-image.shape[0] // waves.shape[2])
    return {
        "name": name,
        "shape": image.shape,
        "image": _packed(image),
        "labels": _packed(model.segment(x)[0].numpy().astype(np.uint8)),
        "cut": _packed(model.cut().segment(x)[0].numpy().astype(np.uint8)),
        "spot": spot,
        "stride": stride,
        "series": waves[:, :, spot[0] // stride, spot[1] // stride][:, :3].T.astype(float).tolist(),
    }


def _packed(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()


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
