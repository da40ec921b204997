"""Join the frames of film.ts into docs/images/playground.gif: `npm run film` does both."""

import json
from pathlib import Path

from PIL import Image

WIDTH = 660
FREQUENT, RARE = 60, 36  # colours: those of most pixels, and those that few have, such as labels
WEB = Path(__file__).parents[1]
FRAMES = WEB / "shots" / "film"


def main() -> None:
    """Shrink, give all frames one palette and write."""
    frames = [Image.open(path).convert("RGB") for path in sorted(FRAMES.glob("*.png"))]
    size = (WIDTH, round(frames[0].height * WIDTH / frames[0].width))
    frames = [frame.resize(size, Image.Resampling.LANCZOS) for frame in frames]
    sheet = Image.new("RGB", (size[0], size[1] * 8))
    for i in range(8):
        sheet.paste(frames[i * (len(frames) - 1) // 7], (0, i * size[1]))
    palette = Image.new("P", (1, 1))
    palette.putpalette(
        _colours(sheet, FREQUENT, Image.Quantize.MEDIANCUT) + _colours(sheet, RARE, Image.Quantize.MAXCOVERAGE)
    )
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    milliseconds = json.loads((FRAMES / "milliseconds.json").read_text())
    out = WEB.parent / "docs" / "images" / "playground.gif"
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=True)
    print(f"{out}: {len(frames)} frames, {out.stat().st_size / 1000:.0f} kB")


def _colours(sheet: Image.Image, count: int, method: Image.Quantize) -> list[int]:
    return (sheet.quantize(count, method).getpalette() or [])[: 3 * count]


main()
