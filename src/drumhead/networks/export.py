"""A network as ONNX graphs with a manifest, so that it runs without drumhead, Python and torch, in a browser too.

    DIR/manifest.json   what there is, in which order it runs, and how near the graphs came to the network
    DIR/model.onnx      the whole network
    DIR/*.onnx          its parts (`stages.py`), of which anybody can make a loop over time
    DIR/parity.md       the comparison as a table
    DIR/model.pt2       on request: the whole network as a torch.export program

All graphs are float32 and take any number of images of any height and width. Nothing is written unless the graphs say
what the network says.
"""

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drumhead.errors import DrumheadError
from drumhead.files import from_json, whole_folder
from drumhead.networks import parity
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stages import Part, Program, program
from drumhead.networks.tracing import OPSET, PT2, write_graphs
from drumhead.read.classes import class_names
from drumhead.show.pages import Block, Grid, Heading, Text, markdown
from drumhead.show.palette import class_colours

FORMAT, VERSION = "drumhead-export", 1
PAGE, MANIFEST = "parity.md", "manifest.json"
WHOLE_GRAPHS = (2, 11)  # torch 2.6 and 2.9 refuse builtins that the networks use, such as `any`


def export(
    model: Segmenter, out: str | Path, *, name: str = "model", task: str = "", preset: str = "",
    classes: Sequence[str] = (), whole_only: bool = False, torch_program: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write a network as ONNX graphs that anybody can run, and compare them with it.

    Args:
        model: a network of `drumhead.build` or `drumhead.load`.
        out: a directory that is new, empty or an older export, which is replaced.
        name: what the manifest calls the network.
        task: the task that it knows; images of it are what it is compared on.
        preset: the preset that it was trained from.
        classes: names of its labels, the background first.
        whole_only: write model.onnx alone, without the parts that make its waves visible.
        torch_program: write model.pt2 as well, for `torch.export.load`.

    Returns:
        What manifest.json says.

    Raises:
        DrumheadError: onnx, onnxscript or onnxruntime is missing, the directory is somebody's, or the graphs differ
            from the network by more than 1e-5.

    Example:
        >>> manifest = dh.export(dh.load("wires"), "wires-onnx", name="wires", task="wires")  # doctest: +SKIP
        >>> manifest["parity"]["largest"] < 1e-5  # doctest: +SKIP
        True
    """
    if not isinstance(model, Segmenter):
        raise DrumheadError(f"export: got {type(model).__name__}; a network of dh.build or dh.load is needed")
    check_installed()
    out = Path(os.path.realpath(out))  # a link stays, and what it points to is replaced
    check_out(out)
    model = deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(False)
    parts = Program(program(model).whole) if whole_only else program(model)
    images = parity.trials(model, task)
    with whole_folder(out) as beside:
        write_graphs(parts, model, beside, torch_program)
        manifest = _manifest(parts, model, images[0], name, task, preset, classes)
        manifest["files"] = {path.name: _stamp(path) for path in sorted(beside.iterdir())}
        manifest["parity"] = _compared(model, beside, manifest, images)
        (beside / PAGE).write_text(markdown(_page(manifest)))
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def makes_whole_graphs() -> bool:
    """Say whether this torch makes one graph of a whole network."""
    return tuple(map(int, torch.__version__.split(".")[:2])) >= WHOLE_GRAPHS


def check_installed() -> None:
    """Refuse to begin without the packages of the extra `export`, or with a torch that cannot trace whole networks."""
    if not makes_whole_graphs():
        needed = ".".join(map(str, WHOLE_GRAPHS))
        raise DrumheadError(
            f"export needs torch {needed} or newer, which makes one graph of a whole network; this is torch "
            f"{torch.__version__}: pip install 'torch>={needed}'"
        )
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise DrumheadError(
            f"export needs {error.name}, which is not installed: pip install 'drumhead[export]'"
        ) from None


def check_out(out: Path) -> None:
    """Refuse a directory that holds anything but an export."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        try:
            found = from_json((out / MANIFEST).read_bytes())
            ours = {MANIFEST, PAGE, *found["files"]} if found["format"] == FORMAT else set()
        except (OSError, ValueError, KeyError, TypeError):
            ours = set()
        foreign = sorted(path.name for path in out.iterdir() if path.name not in ours) if out.is_dir() else [out.name]
        if foreign:
            raise DrumheadError(
                f"{out} holds {foreign[0]}, which is no part of an export; choose a new or an empty directory"
            )


def _manifest(
    parts: Program, model: Segmenter, image: Tensor, name: str, task: str, preset: str, classes: Sequence[str]
) -> dict[str, Any]:
    config, names = model.config, {id(part): f"{word}.onnx" for word, part in parts.parts()}

    def graph(part: Part | None) -> dict[str, Any] | None:
        return part and {"file": names[id(part)], "inputs": list(part.inputs), "outputs": list(part.outputs)}

    classes = class_names(classes, config.classes)
    colours = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in class_colours(config.classes).tolist()]
    return {
        "format": FORMAT, "version": VERSION, "drumhead": importlib.metadata.version("drumhead"),
        "name": name, "task": task, "family": config.family, "preset": preset,
        "image": {"channels": config.image_channels, "size": list(image.shape[-2:])},
        "classes": [{"name": one, "colour": colour} for one, colour in zip(classes, colours, strict=True)],
        "whole": graph(parts.whole), "begin": graph(parts.begin),
        "layers": [
            {"kind": layer.kind, **layer.facts, **{word: graph(part) for word, part in layer.parts.items()}}
            for layer in parts.layers
        ],
        "end": graph(parts.end),
    }  # fmt: skip


def _stamp(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _compared(model: Segmenter, folder: Path, manifest: dict[str, Any], images: Sequence[Tensor]) -> dict[str, Any]:
    """Return how near the graphs are to the network.

    Raises:
        DrumheadError: they are not near.
    """
    import onnxruntime

    graphs = parity.Graphs(folder, manifest)
    rows = [row for batch in images for row in parity.compare(model, graphs, batch)]
    if PT2 in manifest["files"]:
        rows += parity.compare_program(model, folder / PT2, images)
    worst = max(rows, key=lambda row: row.difference)
    if not worst.difference <= parity.BAR:
        own = parity.rounding(model, next(batch for batch in images if tuple(batch.shape) == worst.images))
        raise DrumheadError(
            f"the graphs ({worst.graphs}) differ from the network by {worst.difference:.1e} on images of "
            f"{worst.images[-2]} x {worst.images[-1]} pixels, and {parity.BAR:.0e} is allowed, so nothing was written; "
            f"in torch float32 differs from float64 by {own:.1e} there"
        )
    return {
        "bar": parity.BAR, "largest": worst.difference,
        "rows": [{"images": list(row.images), "graphs": row.graphs, "difference": row.difference} for row in rows],
        "onnxruntime": onnxruntime.__version__, "opset": OPSET,
    }  # fmt: skip


def _page(manifest: dict[str, Any]) -> list[Block]:
    found = manifest["parity"]
    rows = [(" x ".join(map(str, row["images"])), row["graphs"], f"{row['difference']:.1e}") for row in found["rows"]]
    return [
        Heading(f"Parity of {manifest['name']}", 1),
        Text(
            "Largest difference of a logit from torch's (drumhead's loop in float32), over the largest logit or 1. "
            f"Allowed is {found['bar']:.0e}; the largest is {found['largest']:.1e}. ONNX Runtime "
            f"{found['onnxruntime']}, opset {found['opset']}, torch {torch.__version__}."
        ),
        Grid(("images (b, k, y, x)", "graphs", "difference"), rows),
        Grid(("file", "bytes"), [(name, f"{one['bytes']:,}") for name, one in manifest["files"].items()], "Files"),
    ]
