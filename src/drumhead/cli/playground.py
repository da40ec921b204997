"""`drumhead playground`: the page on which one draws, and sees and hears what a network makes of it."""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    from drumhead.show.serve import Page

PAGE = Path(__file__).parents[1] / "page"
INDEX = "models/index.json"


def playground(*, port: int | None = None, browser: bool = True, model: tuple[str, ...] = ()) -> None:
    """Draw an image and see and hear the waves it sets off, in the browser.

    The page and the shipped networks are served to this machine alone, and nothing is sent anywhere; Ctrl-C ends it.

    Args:
        port: where to listen; by default 8765 or the next one that is free, and 0 takes any that is free.
        browser: open the page; --no-browser prints its address only, as does a machine without a display.
        model: run directories or .safetensors files of networks to have there, before the shipped ones.
    """
    if port is not None and not 0 <= port <= 65535:
        raise DrumheadError(f"--port {port}: 1 to 65535 is needed, or 0 for any that is free")
    if not (PAGE / "index.html").is_file():
        raise DrumheadError(
            "the page is not built in this checkout: run 'make page', which needs Node 20 and npm, or install a wheel "
            "of drumhead, which holds it"
        )

    from drumhead.show.serve import Server, has_display, open_browser, read_folder

    pages = read_folder(PAGE)
    if model:
        add_models(pages, model)
    with Server(pages, port) as server:
        print(f"the playground is at {server.address} (Ctrl-C ends it)", flush=True)
        try:
            if browser and has_display():
                open_browser(server.address)
            server.serve_forever()
        except KeyboardInterrupt:  # the way to end it, so no mistake
            print()


def add_models(pages: "dict[str, Page]", sources: Sequence[str]) -> None:
    """Export networks and put them among the pages, in front of those that are there.

    Pages are kept in memory, so the files are gone before anything is served.

    Args:
        pages: of the playground; they are changed.
        sources: names of shipped weights, run directories or .safetensors files.
    """
    from drumhead.networks.export import check_installed, export
    from drumhead.networks.model import load
    from drumhead.networks.weights import find_weights, read_metadata
    from drumhead.show.serve import Page, read_folder

    check_installed()
    known, first = list(json.loads(pages[INDEX].content)["models"]), []
    # What is missing is said before the first one is exported.
    found = [None if source in known else find_weights(source).resolve() for source in sources]
    with tempfile.TemporaryDirectory(prefix="drumhead-") as folder:
        for source, path in zip(sources, found, strict=True):
            if path is None:  # it is on the page already
                first.append(source)
                continue
            name = free_name(path.parent.name if path.stem == "weights" else path.stem, {*known, *first})
            metadata, place = read_metadata(path), Path(folder, name)
            print(f"exporting {source} as {name}", flush=True)
            export(
                load(path), place, name=name, task=metadata.get("task", ""), preset=metadata.get("preset", ""),
                classes=metadata.get("classes", "").split("\n"),
            )  # fmt: skip
            pages.update(read_folder(place, f"models/{name}/"))
            first.append(name)
    names = [*dict.fromkeys(first), *(name for name in known if name not in first)]
    pages[INDEX] = Page(INDEX, json.dumps({"models": names}).encode())


def free_name(name: str, taken: set[str]) -> str:
    """Return a name as an address can have it, with a number where it is taken.

    Example:
        >>> free_name("my run/ä", set()), free_name("wires", {"wires", "wires-2"}), free_name("..", set())
        ('my-run', 'wires-3', 'model')
    """
    name = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip(".-") or "model"
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(playground, prog="drumhead playground", args=arguments)
