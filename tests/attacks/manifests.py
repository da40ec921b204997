"""What an export's folder may hold when it is written again: another manifest, links, files that are somebody's."""

import functools
import json
from pathlib import Path
from random import Random
from typing import Any

from attacks import Attack
from attacks.configs import changed
from attacks.damage import bytes_of, damaged

ABOUT: dict[str, Any] = {
    "format": "drumhead-export",
    "version": 1,
    "name": "wires",
    "image": {"channels": 3, "size": [64, 64]},
    "classes": [{"name": "background", "colour": "#000000"}],
    "whole": {"file": "model.onnx", "inputs": ["image"], "outputs": ["logits"]},
    "layers": [],
    "files": {"model.onnx": {"bytes": 5, "sha256": ""}},
}
NAMES = (
    "model.onnx",
    "thesis.tex",
    "../secret.txt",
    "..",
    ".",
    "",
    "/etc/hostname",
    "a/b",
    "ä",
    "\udcff",
    "parity.md",
    "manifest.json",
)


def attack(random: Random, folder: Path) -> Attack:
    """Return a folder that looks like an export, and the check that lets one be replaced."""
    from drumhead.networks.export import check_out

    out = folder / "in" / "export"
    out.mkdir()
    text = manifest(random)
    (out / "manifest.json").write_bytes(text)
    (out / "model.onnx").write_bytes(b"graph")
    theirs = random.randrange(2)
    if theirs:
        (out / "thesis.tex").write_text("years of work")
    if random.randrange(9) == 0:
        (out / "link").symlink_to(folder)

    def check() -> None:
        check_out(out)
        listed = json.loads(text)["files"]
        assert not theirs or "thesis.tex" in listed, "a file that no export wrote would be replaced"

    return Attack(check, ("export",))


def manifest(random: Random) -> bytes:
    """Return the bytes of a manifest.json."""
    kind = random.randrange(20)
    if kind == 0:
        return bytes_of(random, 300)
    if kind == 1:
        return random.choice(
            (
                b"[" * 100_000,
                b'{"files":' * 5000,
                b"9" * 50_000,
                b"null",
                b"[]",
                b'"x"',
                b'{"format": "drumhead-export"}',
            )
        )
    if kind < 7:
        return damaged(random, _base())
    about = (
        ABOUT | {"files": {name: {"bytes": 1} for name in random.sample(NAMES, 3)}}
        if kind < 12
        else changed(random, ABOUT)
    )
    if kind == 12 and isinstance(about, dict):
        about["files"] = random.choice(("thesis.tex", ["thesis.tex"], [["x"]], [{}], 5, None, {"": 1}))
    return json.dumps(about).encode()


@functools.cache
def _base() -> bytes:
    return json.dumps(ABOUT).encode()
