"""Gather what the site is made of into build/pages: the documents, and every file and folder that they link to.

In the repository links lead from document to document and to the files beside them. On the site README.md is the
first page, and what lies outside docs/ has a place of its own, so links are written anew. A folder that is linked to
becomes a page that lists its files; nothing links to a repository elsewhere.

    python docs/gather.py        # make docs does it
"""

import html
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
MOVED = {
    "README.md": "index.md",
    "docs/index.md": "contents.md",
    "LOG.md": "log.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "web/README.md": "page.md",
}
"""Documents with another place on the site; the rest of docs/ keeps its own, and all else goes to repository/."""
LINK = re.compile(r"(```.*?```|`[^`\n]*`)|(\]\()([^)\s#]+)(#[^)\s]*)?(?=\))", re.DOTALL)
LISTING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark; font: 16px/1.6 sans-serif }}
body {{ margin: 2em auto; max-width: 50em; padding: 0 1em }}
</style>
<h1>{name}</h1><p>Files of the repository, as they are. <a href="{home}">drumhead</a></p><ul>
{items}
</ul></html>
"""


def place(path: str) -> str:
    """Return where a file of the repository lies on the site."""
    if path in MOVED:
        return MOVED[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"repository/{path}"


def links(text: str) -> Iterator[str]:
    """Yield what a document links to inside the repository, as it is written."""
    for _, _, target, _ in LINK.findall(text):
        if target and "://" not in target and not target.startswith("mailto:"):
            yield target


def resolved(page: str, target: str) -> str:
    """Return the file or folder of the repository that a link of a page leads to; "." is the repository itself."""
    return os.path.normpath(PurePosixPath(page).parent / target).removeprefix("./")


def front(folder: str, files: set[str]) -> str | None:
    """Return the page that stands for a folder, where it has one."""
    return next((f for f in (f"{folder}/README.md", f"{folder}/index.md") if f in files), None)


def rewritten(page: str, files: set[str]) -> str:
    """Return a document with links that hold on the site."""
    here = PurePosixPath(place(page)).parent

    def change(found: re.Match[str]) -> str:
        code, opening, target, anchor = found.groups()
        if code or "://" in target or target.startswith("mailto:"):
            return found[0]
        leads = resolved(page, target)
        if leads not in files:
            leads = front(leads, files) or f"{leads}/index.html"
        return f"{opening}{os.path.relpath(place(leads), here)}{anchor or ''}"

    return LINK.sub(change, (ROOT / page).read_text())


def list_folder(folder: str, files: set[str], out: Path) -> set[str]:
    """Write a page that lists a folder's files, and return them."""
    inside = {file for file in files if file.startswith(folder + "/")}
    if not inside:
        raise SystemExit(f"{folder}: a document links to it, and git knows no such file or folder")
    at = out / place(f"{folder}/index.html")
    at.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(str(PurePosixPath(file).relative_to(folder)) for file in inside)
    items = "\n".join(f'<li><a href="{html.escape(name)}">{html.escape(name)}</a>' for name in names)
    home = os.path.relpath(out, at.parent) + "/index.html"
    at.write_text(LISTING.format(name=html.escape(folder), home=home, items=items))
    return inside


def copied(source: str, out: Path) -> None:
    """Copy a file of the repository to its place."""
    to = out / place(source)
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / source, to)


def main(out: Path = ROOT / "build" / "pages") -> int:
    """Write a folder of pages anew, and return how many there are."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    files = {name for name in listed.stdout.decode().splitlines() if (ROOT / name).is_file()}
    shutil.rmtree(out, ignore_errors=True)
    pages = {name for name in files if name.startswith("docs/") and name.endswith(".md")} | set(MOVED)
    done: set[str] = set()
    while pages:  # a page that is linked to has links of its own
        page = pages.pop()
        done.add(page)
        to = out / place(page)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(rewritten(page, files))
        for leads in {resolved(page, target) for target in links((ROOT / page).read_text())}:
            one = leads if leads in files else front(leads, files)
            for file in [one] if one else list_folder(leads, files, out):
                if file.endswith(".md"):
                    pages |= {file} - done
                else:
                    copied(file, out)
    copied("docs/site.css", out)
    return len(done)


if __name__ == "__main__":
    print(f"{main()} pages in build/pages")
