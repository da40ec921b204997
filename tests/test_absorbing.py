"""The absorbing edge takes what docs/results/absorbing.json says, and its strength can be told from it."""

import importlib.util
import json
from pathlib import Path

import pytest

from drumhead.physics import absorbing as edge

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("absorbing", ROOT / "diagnostics" / "absorbing.py")
assert SPEC is not None
assert SPEC.loader is not None
absorbing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(absorbing)
PUBLISHED = {
    (row["length"], row["angle"], row["integrator"]): row
    for row in json.loads((ROOT / "docs" / "results" / "absorbing.json").read_text())["rows"]
}


@pytest.mark.parametrize("integrator", ["verlet", "euler"])
@pytest.mark.parametrize(("length", "angle"), [(8, 60), (16, 0), (16, 45)])
def test_what_comes_back_is_what_was_published(length, angle, integrator):
    found = absorbing.measure(length, angle, integrator)
    assert found["back"] == pytest.approx(PUBLISHED[length, angle, integrator]["back"], rel=0.02)
    assert found["left"] - found["open"] == pytest.approx(found["back"], rel=0.15)


@pytest.mark.parametrize(("length", "angle"), [(16, 0), (16, 60), (32, 30), (64, 75)])
def test_packets_agree_with_plane_waves_found_without_propagating(length, angle):
    packet = PUBLISHED[length, angle, "verlet"]["back"]
    assert packet == pytest.approx(absorbing.plane(length, angle), rel=0.15)


@pytest.mark.parametrize(("strength", "least"), [(0.5, 20), (2.0, 8)])
def test_a_margin_of_another_strength_is_noticed(strength, least, monkeypatch):
    """At 16 pixels a weaker margin lets more through and a stronger one reflects more."""
    usual = edge.margin_damping
    monkeypatch.setattr(edge, "margin_damping", lambda *given: strength * usual(*given))
    assert absorbing.measure(16, 0, "verlet")["back"] > least * PUBLISHED[16, 0, "verlet"]["back"]
