"""A report as a list of blocks, written as Markdown, and that as one HTML file that needs no other."""

import base64
import csv
import html
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --paper: #fff; --line: #d5d9de; --soft: #f4f6f8; --loud: #a33; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe3e8; --paper: #15181c; --line: #3a4048; --soft: #1e2228; --loud: #ff9d8a; }
}
body { color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
       max-width: 1180px; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 13px;
        font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
@media (max-width: 640px) { th, td { white-space: normal; padding: .25rem .3rem; } th:first-child,
       td:first-child { min-width: 7rem; } }
tbody tr:hover td { background: var(--soft); }
code { background: var(--soft); padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
p:has(img) { margin-bottom: 0; max-width: none; }
p:has(img) + p { margin-top: 0; font-size: 13px; opacity: .85; max-width: 80ch; }
img { max-width: 100%; background: #fff; border-radius: 4px; border: 1px solid var(--line); }
blockquote { margin: 1rem 0; padding: .1rem 1rem; border-left: 4px solid var(--loud); background: var(--soft);
             font-size: 1.15rem; max-width: 75ch; }
p, ul { max-width: 90ch; } strong { color: var(--loud); }
"""
_KINDS = {".png": "image/png", ".gif": "image/gif"}


@dataclass(frozen=True)
class Heading:
    """A title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; `code` and **loud** words are marked as in Markdown."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of lines."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first column is words, the others are numbers. A title stands above it as a heading."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG or GIF beside the report.

    Attributes:
        file: its name.
        caption: what there is to see.
    """

    file: str
    caption: str


Block = Heading | Text | Items | Grid | Picture


def markdown(blocks: list[Block]) -> str:
    """Return the report as Markdown that names its pictures."""
    return "\n\n".join(map(_markdown, blocks)) + "\n"


def webpage(blocks: list[Block], folder: Path) -> str:
    """Return the report as HTML with its pictures inside.

    Args:
        blocks: in order.
        folder: where the pictures are.
    """
    from markdown_it import MarkdownIt

    title = next((block.text for block in blocks if isinstance(block, Heading)), "drumhead")
    body = MarkdownIt("js-default").render(markdown(blocks))  # what looks like HTML stays text
    for file in {block.file for block in blocks if isinstance(block, Picture)}:
        body = body.replace(f'<img src="{file}"', f'<img src="{_inside(folder / file)}"')
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as comma-separated values under their names."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Items(lines):
            return "\n".join(f"- {line}" for line in lines)
        case Picture(file, caption):
            return f"![{_plain(caption)}]({file})\n\n{caption}"
        case Grid(columns, rows, title):
            rule = ("---", *("---:" for _ in columns[1:]))
            lines = [
                "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in (columns, rule, *rows)
            ]
            return "\n".join([f"## {title}\n"] * bool(title) + lines)


def _inside(picture: Path) -> str:
    """Return the address of a picture that holds it."""
    content = base64.b64encode(picture.read_bytes()).decode()
    return f"data:{_KINDS[picture.suffix.lower()]};base64,{content}"


def _plain(text: str) -> str:
    """Return the first sentence without marks, for those who do not see the picture."""
    return re.sub(r"[`*\[\]]", "", text).split(". ")[0].rstrip(".")
