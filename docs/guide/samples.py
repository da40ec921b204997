"""Draw the sample images of digits, polygons and wires that come with drumhead: `python docs/guide/samples.py`.

The digits are print (STIX General, which comes with matplotlib), drawn as MNIST's are: 20 of 28 pixels, then enlarged.
No image of a data set is copied. The wires are the first of the generated test images, the
polygons the first with two of them.
"""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import drumhead as dh
from drumhead.tasks import mnist, multi_mnist

OUT = Path(dh.__file__).parent / "samples"
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf"
PLACES = ((10, 14), (20, 72), (70, 8), (76, 76))  # of several digits


def digit(number: int) -> np.ndarray:
    """Return a digit, uint8 (28, 28), as large and in the same place as MNIST's."""
    large = Image.new("L", (280, 280))
    ImageDraw.Draw(large).text(
        (140, 140), str(number), 255, ImageFont.truetype(str(FONT), 270), anchor="mm", stroke_width=4, stroke_fill=255
    )
    cut = large.crop(large.getbbox())
    factor = 20 / max(cut.size)
    small = cut.resize((round(cut.width * factor), round(cut.height * factor)), Image.Resampling.LANCZOS)
    out = Image.new("L", (28, 28))
    out.paste(small, ((28 - small.width) // 2, (28 - small.height) // 2))
    return np.asarray(out)


def save(task: str, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    """Write an image and its true labels."""
    (OUT / task).mkdir(exist_ok=True)
    Image.fromarray(image).save(OUT / task / f"{name}.png", optimize=True)
    Image.fromarray(mask).save(OUT / task / f"{name}.mask.png", optimize=True)


if __name__ == "__main__":
    for number in (2, 3, 5, 8):
        enlarged = mnist.enlarge(digit(number)[None] / np.float32(255))[0]
        mask = (enlarged > 0.5) * np.uint8(number + 1)
        save("mnist", f"digit-{number}", np.rint(enlarged * 255).astype(np.uint8), mask)
    for number, digits in enumerate(((2, 3, 5, 8), (6, 0, 4, 3)), 1):
        image, mask = np.zeros((2, 128, 128), np.uint8)
        for what, (y, x) in zip(digits, PLACES, strict=True):
            large = Image.fromarray(digit(what)).resize((multi_mnist.DIGIT,) * 2, Image.Resampling.BILINEAR)
            on = np.asarray(large) > 50  # as the task has it
            part = slice(y, y + multi_mnist.DIGIT), slice(x, x + multi_mnist.DIGIT)
            image[part][on], mask[part][on] = 255, what + 1
        save("multi-mnist", f"digits-{number}", image, mask)
    for task, objects in (("wires", 1), ("polygons", 2)):
        images, masks = dh.tasks.get(task).arrays("test")
        several = [i for i in range(20) if len(np.unique(masks[i])) > objects]
        for number, i in enumerate(several[:3], 1):
            save(task, f"{task}-{number}", images[i, ..., 0], masks[i])
