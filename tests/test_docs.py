"""What the documents promise runs: every docstring example and every Python block of the README."""

import doctest
import importlib
import pkgutil
import re
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
    importlib.import_module("drumhead.propagate")
    assert callable(dh.propagate)
    with pytest.raises(AttributeError, match="no attribute 'drum'"):
        _ = dh.drum


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
def test_readme_code_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_the_layers_point_downward():
    """The core knows nothing of training; tasks and pictures know nothing of models or torch."""
    source = ROOT / "src" / "drumhead"
    forbidden = {
        "tasks": r"\btorch\b(?!'s|\.randperm|\.manual_seed)|drumhead\.(model|learn|cli|show|propagate)",
        "show": r"^\s*(import|from) (torch|drumhead\.(model|learn|cli))",
        ".": r"^\s*(import|from) drumhead\.(learn|cli|show)",
        "learn": r"^\s*(import|from) drumhead\.(cli|show)",
    }
    for folder, pattern in forbidden.items():
        for path in (source / folder).glob("*.py"):
            imports = "\n".join(x for x in path.read_text().splitlines() if re.match(r"\s*(import|from) ", x))
            assert not re.search(pattern, imports, re.MULTILINE), f"{path} imports upward"
