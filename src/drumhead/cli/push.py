"""`drumhead push RUN USER/NAME`: put a run on the Hugging Face Hub, where `dh.load("hf://USER/NAME")` finds it."""

from pathlib import Path
from typing import Annotated

import tyro


def push(
    run: Annotated[Path, tyro.conf.Positional],
    repository: Annotated[str, tyro.conf.Positional],
    /,
    *,
    licence: str = "",
    private: bool = False,
    dry_run: bool = False,
) -> None:
    """Put a run on the Hugging Face Hub: weights, settings, metrics and a model card, in one commit.

    `dh.load("hf://USER/NAME")` and every --model then find it. Log in first with 'hf auth login', or set HF_TOKEN. It
    needs pip install 'drumhead[hub]'. No file names a folder of this machine.

    Args:
        run: a run directory; its card has scores if 'drumhead evaluate' measured them.
        repository: USER/NAME, made if there is none, or USER/NAME@BRANCH.
        licence: of the weights, as the Hub names it: mit, apache-2.0, cc-by-4.0 ...; none is said by default.
        private: make a new repository private.
        dry_run: say what would go there, and show the card; nothing is sent.
    """
    from drumhead.learn.card import evaluated
    from drumhead.learn.publish import files, publish
    from drumhead.learn.run import Run
    from drumhead.networks.hub import address
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import print_table

    place, source = address(repository), Run(run)
    content = files(source, place.repository, licence)
    rows = [(name, f"{len(data):,}") for name, data in content.items()]
    print_table(Grid(("file", "bytes"), rows, f"{run} to {place.repository}"))
    if not evaluated(source):
        print(f"no scores in the card: 'drumhead evaluate {run}' measures them")
    if dry_run:
        print("\n" + content["README.md"].decode())
        return
    print(
        f'there: {publish(content, place, private=private)}\nnext: dh.load("hf://{repository.removeprefix("hf://")}")'
    )


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(push, prog="drumhead push", args=arguments)
