"""The house: which room may import which, no circle of files, and which rooms do without torch."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "drumhead"
FLOORS = [
    {"errors", "forks"},
    {"files"},
    {"read"},
    {"engine", "settings", "waves"},
    {"physics", "show", "tasks", "drum"},
    {"networks", "neuro"},
    {"learn"},
    {"probe", "sweep"},
    {"reproduce", "bench"},
    {"cli"},
]
FILES = {
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}


def imported(name):
    """Return the files of the package that a file imports, inside functions and for types alone as well."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: relative imports hide a room's name"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in FILES else node.module for full in inside}
    return found


def room(name):
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", FILES)
def test_imports_run_downward(name):
    if name in ("drumhead", "drumhead.__main__"):  # the door and the command line's own door
        return
    floor = next(i for i, rooms in enumerate(FLOORS) if room(name) in rooms)
    below = {"", room(name), *(r for rooms in FLOORS[:floor] for r in rooms)}
    for other in imported(name) & FILES.keys():
        assert room(other) in below, f"{name} imports {other}, which is not below it"


def test_no_circle_of_files():
    graph = {name: imported(name) & FILES.keys() - {name} for name in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    "name", [n for n in FILES if room(n) in {"errors", "files", "read", "settings", "waves", "show", "tasks", "drum"}]
)
def test_rooms_without_torch(name):
    assert not {n.partition(".")[0] for n in imported(name)} & {"torch", "torchmetrics", "lightning_fabric"}
