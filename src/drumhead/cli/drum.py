"""`drumhead drum`: strike a drum of any shape and say what can be heard of its shape."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from drumhead.errors import DrumheadError, none_ignored, options

if TYPE_CHECKING:
    from drumhead.drum import Membrane

SIZE = 48.0
LARGEST = 40_000  # pixels that move: the modes of more take minutes
ROOM = 10  # times as many pixels may be clamped: movie and modes have them all
MODES_OF_PAIRS = 50


def drum(
    what: Annotated[str, tyro.conf.Positional] = "gww-1",
    /,
    *,
    out: Path = Path("drum-out"),
    size: float = SIZE,
    modes: int = 50,
    time: float = 6000,
    sides: tuple[int, ...] = (8, 12, 16, 24, 32, 48),
    area: bool = True,
    shapes: bool = True,
    pair: bool = True,
    pictures: bool = True,
) -> None:
    """Strike a drum of any shape and say what can be heard of its shape.

    Writes drum.json with all numbers, and of the drum: membrane.png, wave.png and wave.gif, spectrum.png (what one
    pixel hears, with the modes as lines), sound.wav, modes.png, and weyl.png (area and perimeter heard by counting
    modes, for it and every named shape). Then area.png (the area that each pixel of squares of many sizes hears) and
    pair.png with gww-1.wav and gww-2.wav (two drums that no ear can tell apart, beside two that one can).

    Args:
        what: square, rectangle, disc, triangle, half-square, L, star, gww-1, gww-2, or an image whose bright pixels are
            the drum; if it is transparent in places, its opaque pixels.
        out: directory for the results; it is made if it does not exist.
        size: longer side of a named shape in pixels, from rim to rim; an image keeps its own pixels.
        modes: how many modes to compute, at least 8; at most one a pixel.
        time: how long to listen; a wave moves a pixel per unit, and a square of side L has a period of 1.41 L.
        sides: sides of the squares whose area is heard, in pixels.
        area: hear the area of squares; --no-area skips it.
        shapes: hear area and perimeter of every named shape as well; --no-shapes only of the drum.
        pair: compare the isospectral pair; --no-pair skips it.
        pictures: write pictures, the movie and sounds; --no-pictures writes drum.json only.
    """
    from drumhead.drum import SHAPES, shape
    from drumhead.drum.weyl import SMALLEST
    from drumhead.show.place import check_place

    membrane = shape(what, size) if what in SHAPES else _image(what)
    pixels = int(membrane.mask.sum())
    if not SMALLEST <= pixels <= LARGEST:
        size_is, change, way = ("small", "raise", "up") if pixels < SMALLEST else ("large", "lower", "down")
        raise DrumheadError(
            f"{what} is too {size_is}: pixels of it that move: {pixels}, needed: {SMALLEST} to {LARGEST}; "
            + (f"{change} --size" if what in SHAPES else f"scale the image {way}")
        )
    if membrane.mask.size > ROOM * LARGEST:
        raise DrumheadError(f"{what} has {membrane.mask.size} pixels, most of them clamped: crop the image")
    for given, good, needed in (
        (f"--modes {modes}", modes >= 8, "at least 8 are needed"),
        (f"--time {time:g}", 8 <= time <= 1e6, "8 to 1e6 is needed"),
        (f"--sides {' '.join(map(str, sides))}", all(3 <= side <= 200 for side in sides), "3 to 200 are needed"),
    ):
        if not good:
            raise DrumheadError(f"{given}: {needed}")
    if modes > pixels:
        print(f"{membrane.name} has {pixels} pixels that move and no more modes than that: computing {pixels}")
        modes = pixels
    if what not in SHAPES and size != SIZE and not shapes:
        raise DrumheadError("--size with --no-shapes has nothing to scale: an image keeps its own pixels")
    check_place(out, [] if what in SHAPES else [Path(what)])

    from drumhead.cli import drum_parts as parts
    from drumhead.files import without_nan, write_atomic
    from drumhead.show.terminal import Bar

    target = out if pictures else None
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "ring": lambda: parts.ring(membrane, modes, time, target),
        "weyl": lambda: parts.weigh(membrane, size, shapes, target),
    }
    if area and sides:
        work["area"] = lambda: parts.squares(sides, time, target)
    if pair:
        work["pair"] = lambda: parts.pair(MODES_OF_PAIRS, time, target)
    results: dict[str, Any] = {"drum": parts.describe(membrane)}
    shown = Bar()
    with shown.section(len(work)):
        for number, (name, part) in enumerate(work.items()):
            shown.tick(name, number)
            results[name] = part()
        shown.tick("", len(work))
    finite = without_nan(results)  # nothing was heard where a number is not finite
    write_atomic(out / "drum.json", json.dumps(finite, indent=1, allow_nan=False) + "\n")
    parts.report(results)
    print(f"{'pictures, the movie, sounds and drum.json are' if pictures else 'drum.json is'} in {out}/")


def _image(what: str) -> "Membrane":
    from drumhead.drum import SHAPES, read
    from drumhead.show.figures import caption

    if not Path(what).is_file():
        raise DrumheadError(f"{what!r} is neither a file nor a shape; the shapes are {', '.join(SHAPES)}")
    membrane = read(Path(what))
    return replace(membrane, name=caption(membrane.name))


def run(arguments: list[str]) -> None:
    """Parse and call."""
    given = options(arguments)
    none_ignored({"--sides"} & given if "--no-area" in given else (), "--no-area")
    tyro.cli(drum, prog="drumhead drum", args=arguments)
