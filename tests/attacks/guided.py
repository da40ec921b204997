"""Inputs guided by coverage (atheris): what reaches new lines of a parser is changed further."""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PARSERS = ("idx", "safetensors", "configs", "npy")


def run_guided(kind: str, runs: int, seed: int, seconds: float) -> dict[str, Any]:
    """Run a parser on `runs` inputs in a process of its own, which atheris ends, and return how it ended."""
    if kind not in PARSERS:
        sys.exit(f"--atheris {kind}: choose of {', '.join(PARSERS)}")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="guided-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        command = [
            sys.executable,
            __file__,
            kind,
            folder,
            f"-runs={runs}",
            f"-seed={seed + 1}",
            "-timeout=60",
            f"-artifact_prefix={folder}/",
        ]
        done = subprocess.run(
            [
                *command,
                "-max_len=8192",
                "-rss_limit_mb=4096",
                f"-max_total_time={int(min(seconds, 10**6))}",
                str(_seeds(kind, Path(folder))),
            ],
            capture_output=True,
            text=True,
        )
    said = done.stderr
    found = [line for line in said.splitlines() if "cov:" in line]
    ended = re.search(r"Done (\d+) runs", said)
    runs = int(ended[1]) if ended else 0
    faults = [] if done.returncode == 0 else [{"kind": kind, "said": said[-3000:]}]
    print(f"{kind}: {runs} runs, exit {done.returncode}\n{(found or [''])[-1]}\n{said[-2000:] if faults else ''}")
    return {
        "inputs": runs,
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 1),
        "faults": faults,
        "coverage": found[-1].split("cov: ")[1].split()[0] if found else None,
    }


def _seeds(kind: str, folder: Path) -> Path:
    """Write some right and wrong files to begin with."""
    from random import Random

    from attacks import configs, idx, recordings, safetensors

    draw = {
        "idx": lambda r: idx.file(r, 3, False),
        "safetensors": safetensors.file,
        "configs": configs.text,
        "npy": recordings.npy,
    }[kind]
    place = folder / "seeds"
    place.mkdir()
    for number in range(50):
        (place / str(number)).write_bytes(draw(Random(number))[:8192])
    return place


def main() -> None:
    """Read each input; what is not refused by a `DrumheadError` ends the run."""
    import atheris

    kind, folder, *rest = sys.argv[1:]
    with atheris.instrument_imports(
        include=[
            "drumhead.tasks.idx",
            "drumhead.settings",
            "drumhead.neuro.arrays",
            "drumhead.networks.model",
            "tomllib",
            "numpy.lib._format_impl",
        ]
    ):
        from drumhead.errors import DrumheadError
        from drumhead.neuro import arrays
        from drumhead.settings import text
        from drumhead.tasks import idx

        if kind == "safetensors":
            from drumhead.networks import weights
    path = Path(folder, "input.npy" if kind == "npy" else "input")

    def read() -> object:
        if kind == "safetensors":
            found = weights.read_safetensors(path)[0]
            values = json.loads(found.get("model", "{}"))
            return text.from_dict(text.ModelConfig, values, "model") if isinstance(values, dict) else None
        return {
            "idx": lambda: idx.read(path, 3),
            "configs": lambda: text.read_run(path),
            "npy": lambda: arrays.numpy(path, None),
        }[kind]()

    def one(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read()
        except DrumheadError as error:
            said = str(error).strip()
            if not said or len(said) > 600:
                raise AssertionError(said) from None

    atheris.Setup([sys.argv[0], *rest], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # not this folder: its files are named as libraries
    main()
