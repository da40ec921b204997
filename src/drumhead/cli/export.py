"""`drumhead export`: write a network as ONNX graphs that run without drumhead."""

import time
from pathlib import Path
from typing import Annotated

import tyro


def export(
    model: Annotated[str, tyro.conf.Positional] = "tetrominoes",
    /,
    *,
    out: Path,
    torch: bool = False,
    whole_only: bool = False,
) -> None:
    """Write a network as ONNX graphs that run without drumhead, in a browser too.

    Writes manifest.json, model.onnx (the whole network), a graph for each of its parts, with which anybody can run its
    waves step by step, and parity.md: how near the graphs come to the network. If they differ by more than 1e-5 of the
    largest logit, nothing is written. Needs onnx, onnxscript and onnxruntime: pip install 'drumhead[export]'.

    Args:
        model: name of shipped weights, a run directory or a .safetensors file.
        out: a directory that is new, empty or an older export, which is replaced.
        torch: write model.pt2 too, the whole network for torch.export.load.
        whole_only: write model.onnx alone, without the parts.
    """
    from drumhead.networks.weights import find_weights, read_metadata

    weights = find_weights(model)
    from drumhead.networks.export import export as write
    from drumhead.networks.model import load
    from drumhead.show.pages import Grid
    from drumhead.show.terminal import print_table

    began = time.perf_counter()
    network, metadata = load(weights), read_metadata(weights)
    path = Path(model)
    manifest = write(
        network, out, name=path.resolve().name.removesuffix(".safetensors") if path.exists() else model,
        task=metadata.get("task", ""), preset=metadata.get("preset", ""),
        classes=metadata.get("classes", "").split("\n"), whole_only=whole_only, torch_program=torch,
    )  # fmt: skip
    files = [(name, f"{one['bytes']:,}") for name, one in manifest["files"].items()]
    print_table(Grid(("file", "bytes"), files, f"{model}: {len(files)} file{'s' * (len(files) != 1)} in {out}/"))
    found = manifest["parity"]
    rows = [(" x ".join(map(str, row["images"])), row["graphs"], f"{row['difference']:.1e}") for row in found["rows"]]
    title = f"largest difference from the network, of its largest logit or 1; {found['bar']:.0e} is allowed"
    print_table(Grid(("images", "graphs", "difference"), rows, title), left=2)
    print(f"{time.perf_counter() - began:.0f} s")


def run(arguments: list[str]) -> None:
    """Parse and call."""
    tyro.cli(export, prog="drumhead export", args=arguments)
