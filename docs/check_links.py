"""Check that every link and picture of the built site leads to a file of it, and every anchor to a place on its page.

    python docs/check_links.py site        # make docs does it; exits with 1 and says which do not

Links to other hosts are counted and not followed. Scripts, styles and fonts must be the site's own.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The ids of a page, what it links to and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of ids, links and sources."""
        given = {name: value for name, value in attrs if value is not None}
        self.ids |= {given[name] for name in ("id", "name") if name in given and tag != "meta"}
        if "href" in given and tag != "base":
            self.links.append(given["href"])
            if tag == "link" and given.get("rel") != "canonical":
                self.loaded.append(given["href"])
        if "src" in given:
            self.links.append(given["src"])
            self.loaded.append(given["src"])


def broken(site: Path) -> tuple[list[str], int]:
    """Return what is wrong with the links of a site, a sentence each, and how many links it has."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found, count = [], 0
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        found += [f"{where} loads {source} from another host" for source in page.loaded if urlsplit(source).netloc]
        for link in page.links:
            parts = urlsplit(link)
            count += 1
            if parts.scheme or parts.netloc:
                continue
            base = site.resolve() if parts.path.startswith("/") or where.name == "404.html" else path.parent
            target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                found.append(f"{where} links to {link}, and there is no such file")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                found.append(f"{where} links to {link}, and that page has no such anchor")
    return found, count


def main(site: str = "site") -> None:
    """Print what is broken; exit with 1 if anything is."""
    found, count = broken(Path(site))
    print("\n".join([*found, f"{count} links, {len(found)} broken"]))
    if found or not count:
        raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
