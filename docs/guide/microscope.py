"""Make the synthetic microscope images of the guide, and its pictures.

python docs/guide/microscope.py my-data             60 images of cells, as own-images.md describes them
python docs/guide/microscope.py my-data runs/mine   and docs/images/own-images, with what that run finds
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import expit

SEED = 7
PICTURES = Path(__file__).parents[1] / "images" / "own-images"
CLASSES = "background\ncell\nnucleus\nignore 255\n"


def field(random, height, width):
    """Return 16-bit grey (y, x) as a camera of 12 bits makes it, and labels: cells with nuclei, debris to ignore."""
    y, x = np.mgrid[:height, :width].astype(float)
    light = 300 + 60 * gaussian_filter(random.standard_normal((height, width)), 60) * 60
    labels = np.zeros((height, width), np.uint8)
    for _ in range(round(height * width / 3000)):
        row, column, radius = random.uniform(0, height), random.uniform(0, width), random.uniform(14, 24)
        place = _near(row, height, 2 * radius), _near(column, width, 2 * radius)
        if labels[_near(row, height, 1.2 * radius), _near(column, width, 1.2 * radius)].any():
            continue
        down, right = y[place] - row, x[place] - column
        angle = np.arctan2(down, right)
        waves = sum(random.uniform(-0.1, 0.1) * np.cos(k * angle + random.uniform(0, 7)) for k in (2, 3, 4))
        distance = np.hypot(down, right) / (radius * (1 + waves))
        inner = np.hypot(down - random.uniform(-3, 3), right - random.uniform(-3, 3)) / (0.4 * radius)
        light[place] += random.uniform(350, 600) * expit(14 * (1 - distance))
        light[place] += random.uniform(600, 1000) * expit(9 * (1 - inner))
        labels[place][distance < 1] = 1
        labels[place][(distance < 1) & (inner < 1)] = 2
    for _ in range(2):
        row, column = random.uniform(0, height), random.uniform(0, width)
        speck = np.hypot((y - row) / random.uniform(3, 9), (x - column) / random.uniform(3, 9))
        light += 1400 * expit(8 * (1 - speck))
        labels[speck < 1.3] = 255
    blurred = gaussian_filter(light, 1.2)
    seen = random.poisson(np.clip(blurred, 1, None) / 4) * 4 + random.normal(0, 25, blurred.shape)
    return np.clip(seen, 0, 4095).astype(np.uint16), labels


def _near(centre, size, radius):
    """Return the pixels of an axis that are no farther away."""
    return slice(max(0, round(centre - radius)), min(size, round(centre + radius)))


def write(root: Path, count: int = 60, scale: float = 1.0) -> Path:
    """Write a data set of images of different sizes: most as 16-bit TIFF, some as 8-bit PNG."""
    random = np.random.default_rng(SEED)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text(CLASSES)
    for i in range(count):
        height, width = (int(scale * random.integers(180, 420)) for _ in range(2))
        light, labels = field(random, height, width)
        if i % 5 == 4:
            Image.fromarray((255 * (light / light.max())).astype(np.uint8)).save(root / "images" / f"field-{i:02d}.png")
        else:
            Image.fromarray(light).save(root / "images" / f"field-{i:02d}.tif")
        Image.fromarray(labels).save(root / "masks" / f"field-{i:02d}.png")
    return root


def draw(root: Path, run: Path) -> None:
    """Draw what is understood of the data, and what a run finds in a test image."""
    from drumhead.cli import main

    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        main(["train", "folder/nwm-stack", "--data", str(root), "--show-data", "--out", str(here)])
        shutil.copy(root / "images" / "field-29.png", here / "field-29.png")
        shutil.copy(root / "masks" / "field-29.png", here / "field-29.mask.png")
        main(["segment", str(here / "field-29.png"), "--model", str(run), "--out", str(here / "found")])
        for source, name in ((here / "data.png", "data.png"), (here / "found" / "field-29-mask.png", "found.png")):
            PICTURES.mkdir(parents=True, exist_ok=True)
            with Image.open(source) as picture:
                picture = picture.convert("RGB")
                picture.thumbnail((1000, 1000), Image.Resampling.LANCZOS)
                picture.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                    PICTURES / name, optimize=True
                )


if __name__ == "__main__":
    data, *runs = map(Path, sys.argv[1:])
    if not data.exists():
        write(data)
    for run in runs:
        draw(data, run)
