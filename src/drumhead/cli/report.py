"""`drumhead report`: set the runs of a directory beside each other."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Flags:
    """Set the runs of a directory beside each other: scores, learning curves, and whether combinations differ by more
    than their seeds do. It needs no weights.
    """

    runs: Annotated[Path, tyro.conf.Positional]
    """The directory of a sweep, or any other with run directories below it, as drumhead reproduce makes them."""
    out: Path | None = None
    """Where the report goes; by default reports/ with the directory's name."""
    score: str = "foreground_accuracy"
    """By which combinations are ordered and tested: a score of evaluation-test.json."""


def run(arguments: list[str]) -> None:
    """Parse the flags, read, write, show."""
    flags = tyro.cli(Flags, prog="drumhead report", args=arguments)
    from rich.console import Console

    from drumhead.errors import choose
    from drumhead.learn.scores import SCORES
    from drumhead.show.pages import Grid
    from drumhead.show.place import check_place
    from drumhead.show.terminal import print_table
    from drumhead.sweep import report
    from drumhead.sweep.finished import gather

    score = flags.score.replace("-", "_")
    choose("--score", score, SCORES)
    out = flags.out or Path("reports") / flags.runs.resolve().name
    check_place(out)
    gathered = gather(flags.runs)
    command = shlex.join(["drumhead", "report", *arguments])
    done = report.write(gathered, out, str(flags.runs), command, score)
    left_out = {SCORES[key] for key in SCORES if key != score} if Console().width < 150 else set()
    for table in done.tables:  # the file has what a narrow terminal leaves out
        keep = [i for i, name in enumerate(table.columns) if name not in left_out]
        columns = [table.columns[i].replace("foreground", "fg") for i in keep]
        print_table(Grid(columns, [[row[i] for i in keep] for row in table.rows], table.title))
    for note in done.notes:
        print(note)
    print(f"written: {out / 'report.html'}, report.md, results.csv and curves.png")
