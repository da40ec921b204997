"""`drumhead doctor`: one line for each thing that drumhead uses, with what to do when it is missing."""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator


def doctor() -> None:
    """Say what is installed, found and missing; exit with 1 if something that is needed is missing."""
    failed = False
    for mark, name, text in _findings():
        print(f"{mark} {name:<17} {text}")
        failed |= mark == "!!"
    sys.exit(int(failed))


def _findings() -> Iterator[tuple[str, str, str]]:
    """Yield a mark (ok, -- for what is optional, !! for what is needed), a name and a line."""
    from drumhead import __version__

    yield "ok", "drumhead", __version__
    mark = "ok" if sys.version_info >= (3, 11) else "!!"
    yield mark, "python", f"{platform.python_version()} (3.11 or newer)"
    missing, requirements = False, importlib.metadata.requires("drumhead") or []
    for package in (_package(requirement) for requirement in requirements if "extra ==" not in requirement):
        try:
            yield "ok", package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing = True
            yield "!!", package, f"missing: pip install {package}"
    if missing:
        return
    yield from _extras(requirements)

    import torch

    from drumhead.engine.choose import multiplies_bfloat16

    yield (
        "ok",
        "processor",
        f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} (OMP_NUM_THREADS sets it); "
        + ("multiplies bfloat16" if multiplies_bfloat16() else "no bfloat16 products, so bf16-mixed trains in float32"),
    )
    if torch.cuda.is_available():
        yield "ok", "gpu", torch.cuda.get_device_name()
    else:
        reason = "a CPU build of torch" if torch.version.cuda is None else "no CUDA device visible"
        yield "--", "gpu", f"none ({reason}); everything runs on the processor"
    yield "ok", "backend eager", "the reference, on every device; 'auto' takes it where no engine is known to be faster"
    yield from _engines()
    yield from _data()

    from drumhead.networks.weights import shipped

    weights = shipped()
    if weights:
        yield "ok", "weights", ", ".join(weights)
    else:
        yield "!!", "weights", "none shipped in this installation: reinstall drumhead"
    free = shutil.disk_usage(".").free / 1e9
    yield ("ok" if free > 1 else "--"), "disk", f"{free:.0f} GB free here"


def _extras(requirements: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield a line for each extra that a user may want: what is there of it, and how to get the rest."""
    for extra in ("neuro", "export", "hub", "cluster"):
        found, missing = [], []
        for requirement in requirements:
            if not re.search(rf"""; extra == ['"]{extra}['"]$""", requirement):
                continue
            package = _package(requirement)
            try:
                found.append(f"{package} {importlib.metadata.version(package)}")
            except importlib.metadata.PackageNotFoundError:
                missing.append(package)
        if missing:
            yield "--", f"extra {extra}", f"without {', '.join(missing)}: pip install 'drumhead[{extra}]'"
        else:
            yield "ok", f"extra {extra}", ", ".join(found)


def _package(requirement: str) -> str:
    """Return the name before the versions and the conditions."""
    return re.split(r"[^\w.-]", requirement)[0]


def _engines() -> Iterator[tuple[str, str, str]]:
    from drumhead import engine
    from drumhead.engine.cpu import build, library
    from drumhead.engine.gpu import driver
    from drumhead.errors import DrumheadError

    found = build.search()
    if found.path is None:
        note = " ".join(found.note.split())
        yield "--", "backend native", f"none, so waves run in plain torch: {note}; {build.HELP}"
    else:
        try:
            yield "ok", "backend native", f"{library.isa()}, {found.path} ({found.note})"
        except DrumheadError as error:
            yield "!!", "backend native", str(error)
    obstacle = engine.available()["cuda"]
    if obstacle != "yes":
        yield "--", "backend cuda", f"none: {obstacle}"
        return
    try:
        yield "ok", "backend cuda", f"compiled at first use by {driver.compiler()}"
    except DrumheadError as error:
        yield "--", "backend cuda", str(error)


def _data() -> Iterator[tuple[str, str, str]]:
    from drumhead.tasks import idx

    for name in ("tetrominoes", "polygons"):
        yield "ok", f"data {name}", "made on the spot, in seconds"
    found = idx.find()
    if found:
        yield "ok", "data mnist", f"in {found}"
    else:
        searched = ", ".join(map(str, idx.places()))
        yield "--", "data mnist", f"not in {searched}; downloaded (11 MB) when first needed, or set DRUMHEAD_DATA"


def run(arguments: list[str]) -> None:
    """Parse and call; where even the parser is missing, just call."""
    try:
        import tyro
    except ImportError:
        return doctor()
    tyro.cli(doctor, prog="drumhead doctor", args=arguments)
