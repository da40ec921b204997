"""The site: its pages are gathered with what they link to, it builds without a warning, and no link is broken."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("not a git checkout")
    out = tmp_path_factory.mktemp("project") / "build" / "pages"
    assert tool("gather").main(out) > 60
    return out


def test_links_are_written_anew_and_code_is_left_alone(tmp_path, monkeypatch):
    gather = tool("gather")
    monkeypatch.setattr(gather, "ROOT", tmp_path)
    (tmp_path / "docs/guide").mkdir(parents=True)
    text = "[a](../../LOG.md) [b](../index.md#c) ![d](../images/e.png) `[f](g.md)` [h](https://i.org/x.md) [j](#k) "
    (tmp_path / "docs/guide/m.md").write_text(text + "[l](../runs)\n```sh\n[n](o.md)\n```\n")
    files = {"LOG.md", "docs/index.md", "docs/images/e.png", "docs/guide/m.md", "docs/runs/p.json"}
    got = gather.rewritten("docs/guide/m.md", files)
    assert got == (
        "[a](../log.md) [b](../contents.md#c) ![d](../images/e.png) `[f](g.md)` [h](https://i.org/x.md) [j](#k) "
        "[l](../runs/index.html)\n```sh\n[n](o.md)\n```\n"
    )
    assert gather.list_folder("docs/runs", files, tmp_path / "out") == {"docs/runs/p.json"}
    assert 'href="p.json"' in (tmp_path / "out/runs/index.html").read_text()
    with pytest.raises(SystemExit, match="docs/none: a document links to it"):
        gather.list_folder("docs/none", files, tmp_path / "out")


def test_what_pages_link_to_comes_along(pages):
    assert (pages / "index.md").read_text().startswith("# drumhead")
    assert (pages / "repository/examples/train_a_stack.py").read_bytes() == (
        ROOT / "examples/train_a_stack.py"
    ).read_bytes()
    assert "](../repository/examples/train_a_stack.py)" in (pages / "guide/train-a-stack.md").read_text()
    runs = pages / "results/reproduce/cpu/tetrominoes/nwm-fast/seed-0"
    assert (runs / "metrics.jsonl").is_file()
    assert 'href="metrics.jsonl"' in (runs / "index.html").read_text()


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.html").write_text(
        '<h1 id="here">x</h1><a href="../">up</a><a href="#here">y</a><img src="p.png">'
    )
    (tmp_path / "a/p.png").write_bytes(b"")
    (tmp_path / "index.html").write_text('<a href="a/#here">z</a><a href="https://elsewhere.org/">w</a>')
    check = tool("check_links")
    assert check.broken(tmp_path) == ([], 5)
    (tmp_path / "index.html").write_text(
        '<a href="a/#there">z</a><a href="b/">z</a><a href="../outside.html">z</a><script src="https://cdn.org/x.js"></script>'
    )
    assert check.broken(tmp_path)[0] == [
        "index.html loads https://cdn.org/x.js from another host",
        "index.html links to a/#there, and that page has no such anchor",
        "index.html links to b/, and there is no such file",
        "index.html links to ../outside.html, and there is no such file",
    ]
    with pytest.raises(SystemExit):
        check.main(str(tmp_path))


def test_the_site_builds_without_a_warning_and_its_links_hold(pages):
    pytest.importorskip("zensical", reason="pip install 'drumhead[docs]'")
    project = pages.parent.parent
    for name in ("docs", "src"):
        (project / name).symlink_to(ROOT / name)
    shutil.copyfile(ROOT / "mkdocs.yml", project / "mkdocs.yml")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    made = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    found, count = tool("check_links").broken(project / "site")
    assert not found
    assert count > 8000
    api = (project / "site/api/propagate/index.html").read_text()
    for part in (
        'id="drumhead.physics.propagate.propagate"',
        "squared natural frequency",
        "Source code in",
        "&gt;&gt;&gt;",
    ):
        assert part in api, part
