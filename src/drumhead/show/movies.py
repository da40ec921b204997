"""Movies: GIFs written frame by frame with Pillow (37 times as fast as matplotlib's writer)."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from drumhead.files import write_atomic
from drumhead.show.palette import class_colours, in_colours, wave_colours

PANEL, GAP, FOOT = 224, 12, 24  # pixels: side of a panel, space between, room for the caption
SIDES = (320, 224, 160)  # of a panel that stands alone: the first whose movie is small enough
LARGEST = 1_000_000  # bytes of such a movie


def save_waves(path: Path, image: np.ndarray, layers: Sequence[np.ndarray], labels: np.ndarray, classes: int, dt: float,
               every: int = 1, parts: Mapping[str, np.ndarray | None] | None = None) -> None:  # fmt: skip
    """Write a looping GIF: the image, two channels of its wave step by step, and at the end, for two seconds, the mask.

    Args:
        path: GIF to write.
        image: uint8 (y, x, k).
        layers: of each layer (t, c, y, x), the first one nearest to the image; they are shown one after another, as
            they run, each the two channels that move most, on fixed scales of their own.
        labels: the mask found (y, x).
        classes: number of classes, for the colours.
        dt: model time between two states; 0 where there is none, as in a recurrent network.
        every: steps between two states.
        parts: what each of `layers` is called and, where there was an answer after it, its labels (y, x), which are
            shown from then on; by default "layer 1", ..., whose only answer are the last one's `labels`.
    """
    parts = parts or {f"layer {number}": None for number in range(1, len(layers) + 1)}
    height, width = image.shape[:2]
    long = max(height, width) > 2 * min(height, width)
    side, down = PANEL * (1 + long), long and width > height  # wide ones stand one below another
    left = _panel(in_colours(image), side)
    heard = Image.new("RGB", left.size, (235, 235, 235))
    if min(left.size) > FOOT:
        ImageDraw.Draw(heard).text(
            (left.width / 2, left.height / 2), "listening ...", "grey", ImageFont.load_default(15), anchor="mm"
        )
    frames, colours = [], _palette(class_colours(classes), left)
    for number, (waves, (part, answer)) in enumerate(zip(layers, parts.items(), strict=True), 1):
        moving = np.argsort([-waves[:, c].std(axis=0).mean() for c in range(waves.shape[1])])[:2]
        scales = [np.quantile(np.abs(waves[:, c]), 0.995) for c in moving]
        answer = labels if number == len(layers) else answer
        for t, wave in enumerate(waves, 1):
            fields = [_panel(wave_colours(wave[c], scale), side) for c, scale in zip(moving, scales, strict=True)]
            if t == len(waves) and answer is not None:
                heard = _panel(class_colours(classes)[answer], side)
            when = (f"t = {t * dt:4.1f}   " if dt else "") + f"step {t * every}"
            channels = [f"channel {c}" for c in moving]
            if len(layers) > 1:  # there is no room for more
                titles = [f"{part}, {when}", " and ".join(channels)][: len(fields)]
            else:
                titles = [f"{channels[0]},  {when}", *channels[1:]]
            frame = _compose([left, *fields, heard], ["image", *titles, "what was heard"], PANEL, down)
            frames.append(frame.quantize(palette=colours, dither=Image.Dither.NONE))
    _write(path, frames, [round(1000 / 6)] * (len(frames) - 1) + [2000])


def save_field(path: Path, field: np.ndarray, inside: np.ndarray, times: np.ndarray) -> None:
    """Write a looping GIF of one wave (t, y, x), grey where `inside` (y, x) is false; all frames share one scale."""
    scale = float(np.quantile(np.abs(field[:, inside]), 0.995))
    pictures = np.where(inside[..., None], wave_colours(field, scale), np.uint8(225))
    frames = [_compose([_panel(picture)], [f"t = {time:5.1f}"]) for picture, time in zip(pictures, times, strict=True)]
    _write(path, [frame.quantize(64, dither=Image.Dither.NONE) for frame in frames], round(1000 / 12))


def save_phases(path: Path, phases: np.ndarray, captions: Sequence[str], arrows: np.ndarray) -> None:
    """Write a looping GIF of phases (t, y, x), in colours that go around, grey where there are none.

    Args:
        path: GIF to write.
        phases: in rad.
        captions: below each frame.
        arrows: (t, 2), y and x of an arrow over each frame, 1 for half of the shorter side; NaN draws none.
    """
    import matplotlib

    table = (matplotlib.colormaps["twilight"](np.arange(256))[:, :3] * 255).astype(np.uint8)
    turn = np.nan_to_num(phases) / (2 * np.pi)
    pictures = table[np.floor((turn - np.floor(turn)) * 256).astype(int) % 256]
    pictures = np.where(np.isfinite(phases)[..., None], pictures, np.uint8(200))
    content = b""
    for side in SIDES:
        frames = []
        for picture, words, arrow in zip(pictures, captions, arrows, strict=True):
            panel = _panel(picture, side)
            if np.isfinite(arrow).all():
                _point(panel, arrow)
            frames.append(_compose([panel], [words]).quantize(64, dither=Image.Dither.NONE))
        content = _gif(frames, round(1000 / 12))
        if len(content) <= LARGEST:
            break
    write_atomic(path, content)


def _point(panel: Image.Image, arrow: np.ndarray) -> None:
    """Draw an arrow from the middle of a panel, white with a dark rim, to be seen on every colour."""
    pen, middle = ImageDraw.Draw(panel), np.array([panel.width, panel.height]) / 2
    way = arrow[::-1] * min(panel.size) / 2
    tip, side = middle + way, np.array([-way[1], way[0]])
    size = max(float(np.hypot(*way)), 1e-9)
    barbs = [tuple(tip - (way * 0.9 + sign * side * 0.6) / size * 14) for sign in (1, -1)]
    for colour, width in (("black", 7), ("white", 3)):
        pen.line([tuple(middle), tuple(tip)], colour, width)
        for barb in barbs:
            pen.line([tuple(tip), barb], colour, width)


def _write(path: Path, frames: list[Image.Image], milliseconds: int | list[int]) -> None:
    """Write frames as a looping GIF, each shown for so long."""
    write_atomic(path, _gif(frames, milliseconds))


def _gif(frames: list[Image.Image], milliseconds: int | list[int]) -> bytes:
    content = io.BytesIO()
    frames[0].save(
        content, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=False
    )
    return content.getvalue()


def _panel(picture: np.ndarray, side: int = PANEL) -> Image.Image:
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.NEAREST)


def _palette(labels: np.ndarray, still: Image.Image) -> Image.Image:
    """Return one palette for all frames, so that none flickers: of words and paper, labels, the image, and waves.

    Of very many classes the first ones keep their colours to the shade.
    """
    exact = [*[0] * 3, *[128] * 3, *[235] * 3, *[255] * 3, *labels[:60].ravel().tolist()]
    exact += (still.quantize(96, dither=Image.Dither.NONE).getpalette() or [])[: 3 * 96]
    exact += wave_colours(np.linspace(-1, 1, 256 - len(exact) // 3), 1.0).ravel().tolist()
    found = Image.new("P", (1, 1))
    found.putpalette(exact)
    return found


def _compose(panels: list[Image.Image], titles: list[str], least: int = 0, down: bool = False) -> Image.Image:
    """Return panels side by side, or one below another, with titles that have at least `least` pixels of room."""
    rooms = [(max(least, panel.width) + GAP, panel.height + FOOT) for panel in panels]
    across, along = zip(*rooms, strict=True)
    size = (max(across), sum(along)) if down else (sum(across), max(along))
    frame = Image.new("RGB", (size[0] - GAP, size[1]), "white")
    pen, font = ImageDraw.Draw(frame), ImageFont.load_default(13)
    x = y = 0
    for panel, title, room in zip(panels, titles, rooms, strict=True):
        frame.paste(panel, (x, y))
        pen.text((x + 2, (y + room[1] if down else size[1]) - FOOT + 4), title, fill="black", font=font)
        x, y = (x, y + room[1]) if down else (x + room[0], y)
    return frame
