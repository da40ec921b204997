"""Parts of a network traced into ONNX files, as plain as they can be."""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from drumhead.engine.choose import using
from drumhead.networks.segmenter import Segmenter
from drumhead.networks.stages import Part, Program

OPSET = 20
PT2 = "model.pt2"
SCALARS = {"first": torch.float32, "coupling": torch.float32, "time": torch.float32, "step": torch.int32}


def write_graphs(parts: Program, model: Segmenter, folder: Path, torch_program: bool) -> None:
    """Write NAME.onnx of each part, and model.pt2 on request.

    Sides that no grid divides cut something off at each level, so that no graph is made for those where nothing is.

    Args:
        parts: of the model.
        model: in float32 on the processor, in evaluation mode.
        folder: where to write.
        torch_program: whether to write the whole as a torch.export program too.
    """
    with _quiet(), torch.no_grad(), using("eager"):
        _write_all(parts, model, folder, torch_program)


def _write_all(parts: Program, model: Segmenter, folder: Path, torch_program: bool) -> None:
    c = model.coarsest
    known = {word: torch.zeros((), dtype=kind) for word, kind in SCALARS.items()}
    known["image"] = torch.zeros(2, model.config.image_channels, 6 * c + 1, 8 * c + 1)
    for name, part in parts.parts():
        given = tuple(known[word] for word in part.inputs)
        shapes = tuple(_free(tensor) for tensor in given)
        if name == "model":
            traced = _traced(model, given, shapes)
            if torch_program:
                _save(traced, folder / PT2)
        else:
            traced = _traced(part, given, (shapes,))
            known |= zip(part.outputs, part(*given), strict=True)
        _write(traced, part, folder / f"{name}.onnx")


def _traced(module: nn.Module, given: tuple[Tensor, ...], shapes: tuple[Any, ...]) -> torch.export.ExportedProgram:
    """Return a module as a graph, without the tracer's guards.

    These remember how sides happened to divide on the image that was traced, and would refuse others, for which the
    same operations are as right: the comparison is what says so.
    """
    traced = torch.export.export(module, given, dynamic_shapes=shapes)
    traced._guards_code = []
    return traced


def _save(traced: torch.export.ExportedProgram, path: Path) -> None:
    """Write a torch.export program without its example, which would be pickled, and without paths of this machine."""
    traced.example_inputs = None
    for part in traced.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    torch.export.save(traced, path)


def _free(tensor: Tensor) -> dict[int, Any]:
    """Return which axes of a tensor may have any size: the batch, the rows and the columns."""
    return dict.fromkeys((0, tensor.ndim - 2, tensor.ndim - 1) if tensor.ndim else (), torch.export.Dim.DYNAMIC)


def _write(traced: Any, part: Part, path: Path) -> None:
    # In ONNX an output cannot have the name of an input; the manifest's outputs are meant in their order.
    outputs = [f"{word}_next" if word in part.inputs else word for word in part.outputs]
    made = torch.onnx.export(
        traced, (), dynamo=True, opset_version=OPSET, input_names=part.inputs, output_names=outputs,
        external_data=False, verbose=False,
    )  # fmt: skip
    assert made is not None
    _plain(made.model)
    made.save(path, external_data=False)


def _plain(model: Any) -> None:
    """Give sizes names that say something, and leave out what only says where a node came from."""
    names: dict[str, str] = {}
    fresh = chain(("batch", "height", "width", "rows", "columns"), (f"size_{n}" for n in count()))
    ends = {*model.graph.inputs, *model.graph.outputs}
    for size in (size for value in model.graph.inputs for size in value.shape if not isinstance(size, int)):
        if size.value not in names:
            names[size.value] = next(fresh)
    for value in ends:
        sizes = (size if isinstance(size, int) else size.value for size in value.shape)
        value.shape = type(value.shape)(_named(size, names) for size in sizes)
    for thing in (model, model.graph, *model.graph, *ends):
        thing.metadata_props.clear()
        thing.doc_string = None
    for value in (value for node in model.graph for value in node.outputs):
        value.metadata_props.clear()
        if value not in ends:
            value.shape = value.type = None


def _named(size: int | str, names: dict[str, str]) -> int | str:
    """Return a size with the symbols in it renamed."""
    return size if isinstance(size, int) else re.sub(r"\bs\d+\b", lambda found: names.get(found[0], found[0]), size)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks to itself: on packages that nobody needs, and on its own deprecations."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
