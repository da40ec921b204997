"""`drumhead bench`: measure time and memory against a loop like the published code's."""

import re
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from drumhead.bench.plan import Plan
from drumhead.errors import DrumheadError, none_ignored, options

if TYPE_CHECKING:
    from drumhead.show.pages import Grid


@dataclass(frozen=True)
class Flags:
    """Measure time and memory against a loop written like the published code's.

    All contenders take turns in one process. A directory gets bench.json (every sample), bench.md, speed.png and
    growth.png.
    """

    only: tuple[str, ...] = ()
    """Measure only these sections (speed, memory, side), tasks (tetrominoes, multi-mnist), contenders (published,
    eager, native, native-bf16, unet, unet-bf16) and modes (train, infer), in any mixture."""
    rounds: int = 0
    """Samples of each contender; 0 takes 7."""
    batch: int = 0
    """Images at a time; 0 takes 16 for tetrominoes, 4 for multi-mnist and 8 for memory."""
    threads: int = 0
    """Threads of torch; 0 leaves them as they are."""
    quick: bool = False
    """Tiny images and few steps, in under a minute: shows that it works, says nothing about speed."""
    out: Path | None = None
    """A new directory for the results; by default one in benchmarks/results, named by date and processor."""
    compare: tuple[Path, ...] = ()
    """An old bench.json to set beside this measurement; of two, old and new, nothing is measured."""


def run(arguments: list[str]) -> None:
    """Parse the flags, measure, show the tables."""
    flags = tyro.cli(Flags, prog="drumhead bench", args=arguments)
    plan = Plan(flags.only, flags.rounds, flags.batch, flags.threads, flags.quick)
    if len(flags.compare) > 2:
        raise DrumheadError(f"--compare: got {len(flags.compare)} files; one is needed, or two, old and new")
    if len(flags.compare) == 2:
        none_ignored(options(arguments) - {"--compare"}, "--compare of two files, which measures nothing,")

    from drumhead.bench import report

    before = [report.read(path) for path in flags.compare]  # an unreadable file is refused before the work
    if len(before) == 2:
        _compare(before[0], before[1])
        return

    from drumhead.bench import run as benchmark
    from drumhead.show.terminal import Bar

    out = benchmark.place(flags.out, flags.quick)
    results = benchmark.run(plan, out, shlex.join(["drumhead", "bench", *arguments]), Bar())
    for table in report.tables(results):
        _print(table)
    if busy := report.disturbed(results):
        print(f"warning: {busy}", file=sys.stderr)
    if before:
        from drumhead.files import write_atomic

        write_atomic(out / "compare.md", _compare(before[0], results))
    print(f"written: {out}/")


def _compare(old: dict, new: dict) -> str:
    """Show old against new and return it as Markdown."""
    from drumhead.bench.compare import compare
    from drumhead.show.pages import Items, markdown

    table, warnings = compare(old, new)
    _print(table)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return markdown([table, *([Items(tuple(warnings))] if warnings else [])])


def _print(table: "Grid") -> None:
    """Show a table, in a narrow terminal without its spreads; the files have them."""
    from rich.console import Console

    from drumhead.show.terminal import print_table

    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    if sum(widths) + 2 * len(widths) > Console().width:
        table = replace(table, rows=[[re.sub(r" \(.*?\)", "", cell) for cell in row] for row in table.rows])
    print_table(table)
