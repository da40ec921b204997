"""Wires and pathfinder: what is in the images, the same to the bit, at any distance; and the cache they are kept in."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import drumhead as dh
from drumhead import cli, tasks
from drumhead.tasks import cache, pathfinder, walks, wires

EIGHT = np.ones((3, 3))


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("kind", "length", "split", "expected"),
    [
        (wires, 16, "val", "a69177f8b5b4c9da"), (wires, 32, "test", "b83109606f27c7aa"),
        (wires, 60, "test", "82374095abdd21f6"),
        (pathfinder, 16, "val", "dac64e35e049ba8d"), (pathfinder, 60, "test", "221378fd87a84114"),
    ],
)  # fmt: skip
def test_masks_are_the_same_to_the_bit(kind, length, split, expected):
    """Networks were trained on these: another walk is another task, and needs another name."""
    assert digest(kind._masks(split, length, walks.side(length), 1000)) == expected
    assert digest(kind.arrays(split, length)[1]) == expected


def has_dot(mask):
    """Say whether something is as thick as a dot, and nothing of another curl is thicker."""
    thick, thicker = (ndimage.binary_opening(mask > 0, np.ones((size, size))) for size in (4, 5))
    return (mask[thick] == 1).any() and (mask[thicker] != 2).all()


@pytest.mark.parametrize("name", ["wires", "wires-16", "wires-32"])
def test_wires_do_not_touch_and_one_has_the_dot(name):
    task = tasks.get(name)
    images, masks = task.arrays("val")
    assert images.shape[1:3] == masks.shape[1:] == task.size
    assert np.array_equal(images[..., 0] > 0, masks > 0)
    for mask in masks[:200]:
        pieces, count = ndimage.label(mask > 0, EIGHT)
        assert 2 <= count <= 4
        kinds = [set(mask[pieces == i].tolist()) for i in range(1, count + 1)]
        assert sorted(map(tuple, kinds)) == [(1,)] + [(2,)] * (count - 1)
        assert has_dot(mask)


@pytest.mark.parametrize("name", ["pathfinder", "pathfinder-16", "pathfinder-32"])
def test_dashes_have_one_label_each_and_one_has_the_dot(name):
    task = tasks.get(name)
    images, masks = task.arrays("val")
    assert images.shape[1:3] == masks.shape[1:] == task.size
    assert np.array_equal(images[..., 0] > 0, masks > 0)
    far = int(name.rpartition("-")[2]) if "-" in name else 60
    marked = []
    for mask in masks[:200]:
        dashes, count = ndimage.label(mask > 0, EIGHT)
        assert all(len(np.unique(mask[dashes == i])) == 1 for i in range(1, count + 1))
        assert has_dot(mask)
        marked.append(len(np.unique(dashes[mask == 1])))
        assert count >= 2 * (far - far // 6) // pathfinder.PERIOD
    assert abs(np.mean(marked) * pathfinder.PERIOD - far) < 8


def test_short_paths_distract_and_none_of_them_has_the_dot(monkeypatch):
    trails, lay = [], walks.lay

    def seen(random, taken, rows, found, tries, lengths):
        lay(random, taken, rows, found, tries, lengths)
        trails[:] = found

    monkeypatch.setattr(walks, "lay", seen)
    masks = pathfinder._masks("test", 60, 64, 50)
    numbers = [sorted((len(trail) + 3) // 8 for trail in found) for found in trails]
    assert {dashes for found in numbers for dashes in found} == {2, 3, 7, 8, 9}
    assert all(2 <= sum(dashes > 3 for dashes in found) <= 3 for found in numbers)
    assert np.mean([sum(dashes <= 3 for dashes in found) for found in numbers]) > 2
    assert (masks == 1).any((1, 2)).all()


@settings(max_examples=12, deadline=None)
@given(length=st.integers(12, 90), seed=st.integers(0, 2**32), extra=st.integers(0, 40))
def test_walks_go_pixel_by_pixel_and_keep_apart(length, seed, extra):
    random, edge = np.random.default_rng(seed), walks.side(length) + extra
    taken, trails = np.zeros((6, edge, edge), bool), [[] for _ in range(6)]
    for _ in range(3):
        walks.lay(random, taken, np.arange(6), trails, 20, lambda n: np.full(n, length))
    assert any(trails)
    for found in trails:
        for trail in found:
            assert trail.shape == (length, 2)
            assert trail.min() >= walks.MARGIN
            assert trail.max() < edge - walks.MARGIN
            assert np.abs(np.diff(trail, axis=0)).max() <= 1
        for i, one in enumerate(found):
            for other in found[:i]:
                assert np.abs(one[:, None] - other).max(-1).min() > walks.GAP


@pytest.mark.parametrize("kind", [wires, pathfinder])
def test_distance_size_and_number_are_as_asked(kind):
    images, masks = kind.arrays("test", length=48, side=90, count=7)
    assert images.shape == (7, 90, 90, 1)
    assert masks.shape == (7, 90, 90)
    assert kind.arrays("test", length=160, count=2)[0].shape == (2, 112, 112, 1)
    for settings_, message in (
        ({"length": 5}, "length=5: a whole number of at least 12"),
        ({"length": 9000}, "at most 8192 pixels"),
        ({"length": 120, "side": 32}, "side=32: curves of length=120 find no room; 96 pixels, which side=0 takes"),
        ({"count": -1}, "count=-1: a whole number of at least 0"),
    ):
        with pytest.raises(dh.DrumheadError, match=message):
            kind.arrays("test", **settings_)
    with pytest.raises(dh.DrumheadError, match="split='dev'"):
        kind.arrays("dev")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "drumhead" / "tasks"


def test_what_was_drawn_once_is_read(place, tmp_path):
    source, calls = tmp_path / "code.py", []
    source.write_text("a = 1")

    def draw():
        calls.append(1)
        return [np.arange(6).reshape(2, 3), np.arange(4)]

    for _ in range(3):
        first, second = cache.kept(["one", "two"], draw, str(source))
        assert first.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert second.tolist() == [0, 1, 2, 3]
        first[:] = 7  # stays with the caller
        second += 1
    assert len(calls) == 1
    assert len(list(place.iterdir())) == 2
    for damage in (b"", b"no array", next(place.glob("one-*")).read_bytes()[:-8]):
        next(place.glob("one-*")).write_bytes(damage)
        assert cache.kept(["one", "two"], draw, str(source))[0].sum() == 15
    assert len(calls) == 4
    other = tmp_path / "newer.py"
    other.write_text("a = 2")
    cache.kept(["one", "two"], draw, str(other))  # other code may draw something else
    assert len(calls) == 5


def test_without_a_cache_it_is_drawn_once_a_process(tmp_path, monkeypatch):
    (tmp_path / "drumhead").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []
    for _ in range(2):
        (found,) = cache.kept(["x"], lambda: calls.append(1) or [np.arange(3)], __file__)
        assert not found.flags.writeable
    assert len(calls) == 1


def test_a_user_without_a_home_has_no_cache_and_all_else(tmp_path, monkeypatch, capsys):
    from test_tasks import write_folder

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DRUMHEAD_DATA", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert len(wires.arrays("val", 16, count=5)[0]) == 5
    data = write_folder(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}
    task = dh.tasks.get("folder", data)
    task.check()
    assert len(task.arrays("train")[0]) == 10
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}  # nothing is written
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor"])
    assert end.value.code == 0
    assert "data mnist" in capsys.readouterr().out


def test_processes_that_draw_at_once_all_have_it_whole(place):
    code = (
        "import hashlib; from drumhead.tasks import wires\n"
        "print(hashlib.sha256(wires.arrays('val', 16, count=300)[1].tobytes()).hexdigest())"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate()[0] for process in both}
    assert len(said) == 1
    assert len(said.pop().strip()) == 64
    assert [path.suffix for path in place.iterdir()] == [".npy"]
    assert wires.arrays("val", 16, count=300)[1].shape == (300, 32, 32)
