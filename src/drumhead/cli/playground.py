"""`drumhead playground`: the page on which one draws, and sees and hears what a network makes of it."""

from pathlib import Path

import tyro

from drumhead.errors import DrumheadError

PAGE = Path(__file__).parents[1] / "page"


def playground(*, port: int | None = None, browser: bool = True) -> None:
    """Draw an image and see and hear the waves it sets off, in the browser.

    The page and the shipped networks are served to this machine alone, and nothing is sent anywhere; Ctrl-C ends it.

    Args:
        port: where to listen; by default 8765 or the next one that is free, and 0 takes any that is free.
        browser: open the page; --no-browser prints its address only, as does a machine without a display.
    """
    if port is not None and not 0 <= port <= 65535:
        raise DrumheadError(f"--port {port}: 1 to 65535 is needed, or 0 for any that is free")
    if not (PAGE / "index.html").is_file():
        raise DrumheadError(
            "the page is not built in this checkout: run 'make page', which needs Node 20 and npm, or install a wheel "
            "of drumhead, which holds it"
        )

    from drumhead.show.serve import Server, has_display, open_browser, read_folder

    with Server(read_folder(PAGE), port) as server:
        print(f"the playground is at {server.address} (Ctrl-C ends it)", flush=True)
        try:
            if browser and has_display():
                open_browser(server.address)
            server.serve_forever()
        except KeyboardInterrupt:  # the way to end it, so no mistake
            print()


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(playground, prog="drumhead playground", args=arguments)
