"""The walks in examples/ run, write their pictures, and say what their pages in docs/guide say."""

import contextlib
import io
import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
DRUM, STACK = "hear-a-drum", "train-a-stack"


def blocks(name, language):
    text = (ROOT / "docs" / "guide" / f"{name}.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def script(name):
    return ROOT / "examples" / f"{name.replace('-', '_')}.py"


def walk(name, *arguments):
    """Run a walk as a script and return what it prints."""
    printed, usual = io.StringIO(), sys.argv
    sys.argv = [str(script(name)), *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = usual
    return printed.getvalue()


def pictures(folder):
    """Return the size and the frames of each picture."""
    found = {}
    for path in sorted(folder.glob("*.*")):
        if path.suffix in (".png", ".gif"):
            with Image.open(path) as picture:
                found[path.name] = (picture.size, getattr(picture, "n_frames", 1))
                assert len(picture.convert("RGB").getcolors(2**24) or ()) > 3, f"{path.name} shows nothing"
    return found


@pytest.mark.parametrize("name", [DRUM, STACK])
def test_a_page_shows_pictures_that_its_script_writes(name):
    text = (ROOT / "docs" / "guide" / f"{name}.md").read_text()
    shown = re.findall(rf"\]\(\.\./images/{name}/([^)]+)\)", text)
    kept = [path.name for path in (ROOT / "docs" / "images" / name).iterdir() if path.suffix != ".txt"]
    assert sorted(shown) == sorted(kept)
    for picture in kept:
        assert f'out / "{picture}"' in script(name).read_text()


def test_hearing_a_drum_prints_what_its_page_says(tmp_path):
    assert walk(DRUM, tmp_path) == "".join(blocks(DRUM, "text"))
    found = pictures(tmp_path)
    assert found.keys() == {"wave.png", "wave.gif", "spectrum.png", "pair.png"}
    assert found["wave.gif"][1] == 60
    assert (tmp_path / "F.wav").stat().st_size > 10_000


def test_training_a_stack_works_in_a_short_form_and_goes_on(tmp_path):
    said = "".join(blocks(STACK, "text"))
    assert said == (ROOT / "docs" / "images" / STACK / "printed.txt").read_text()
    printed = walk(STACK, tmp_path, "--quick")
    assert re.sub(r"[\d,.]+", "0", printed) == re.sub(r"[\d,.]+", "0", said)
    found = pictures(tmp_path)
    assert found.keys() == {"masks.png", "layers.png", "waves.gif"}
    assert found["waves.gif"][1] == 36
    began = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("weights.safetensors")}
    assert len(began) == 2
    assert walk(STACK, tmp_path, "--quick") == printed  # from the runs that are there
    assert {path: path.stat().st_mtime_ns for path in began} == began
