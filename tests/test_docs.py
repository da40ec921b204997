"""What the documents promise runs: every docstring example and every Python block of the README."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import drumhead as dh

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
    with pytest.raises(AttributeError, match="no attribute 'neuro'"):
        _ = dh.neuro


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
def test_readme_code_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


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
