"""A run directory: everything about one training, each file whole or absent.

config.toml            the whole config; training with it again gives the same run
metrics.jsonl          one row an epoch
weights.safetensors    the weights with the lowest validation loss, config inside
last.ckpt/             what resuming needs: weights, optimiser, random states, position in the data
environment.json       versions, commit, machine
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from drumhead.engine.choose import multiplies_bfloat16
from drumhead.errors import DrumheadError
from drumhead.files import check_writable, from_json, hold, read_json, read_rows, without_nan, write_atomic
from drumhead.networks.model import fit
from drumhead.networks.weights import read_safetensors
from drumhead.settings.config import RunConfig
from drumhead.settings.text import read_run, to_toml


class Run:
    """The directory of one run.

    Args:
        path: the directory.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.weights = self.path / "weights.safetensors"
        self._metrics = self.path / "metrics.jsonl"
        self._checkpoint = self.path / "last.ckpt" / "state.safetensors"

    @property
    def config(self) -> RunConfig:
        """The config that the run was started with."""
        return read_run(self.path / "config.toml")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process that trains in the directory; raise `DrumheadError` if there is one already."""
        with hold(self.path / ".training") as mine:
            if not mine:
                raise DrumheadError(
                    f"{self.path}: another process is training there; wait until it ends, or choose another directory"
                )
            yield

    def refuse_to_overwrite(self) -> None:
        """Raise `DrumheadError` if the directory holds a run already, or cannot be made or written.

        A run that ended before it had anything to keep, out of memory perhaps, may be replaced.
        """
        check_writable(self.path)
        begun = (self._checkpoint.parent, self._metrics, self.weights)
        began = any(place.exists() for place in begun) or not (self.path / "environment.json").exists()
        if (self.path / "config.toml").exists() and began:
            raise DrumheadError(
                f"{self.path} holds a run already: continue it with 'drumhead train --resume {self.path}', "
                "or choose another directory with --out"
            )

    def create(self, config: RunConfig) -> None:
        """Start a new directory."""
        self.refuse_to_overwrite()
        about = {**environment(), "seed": config.train.seed}
        write_atomic(self.path / "environment.json", json.dumps(about, indent=1) + "\n")
        self.keep(config)

    def keep(self, config: RunConfig) -> None:
        """Write the config."""
        write_atomic(self.path / "config.toml", to_toml(config))

    def note_resumed(self) -> None:
        """Add to environment.json what the run goes on with."""
        path = self.path / "environment.json"
        try:
            about = read_json(path)
        except (FileNotFoundError, ValueError):  # a note for people: nothing depends on it
            about = {}
        before = about.get("resumed")
        about["resumed"] = [*(before if isinstance(before, list) else []), environment()]
        write_atomic(path, json.dumps(about, indent=1) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of metrics.jsonl, one an epoch."""
        try:
            return read_rows(self._metrics)
        except ValueError as error:
            raise DrumheadError(f"{self._metrics} is damaged ({error}); mend or delete the broken line") from None

    def add_row(self, row: dict[str, Any]) -> None:
        """Add the row of an epoch, in place of an earlier one of the same epoch or later ones."""
        rows = [old for old in self.rows() if old["epoch"] < row["epoch"]] + [without_nan(row)]
        write_atomic(self._metrics, "".join(json.dumps(item) + "\n" for item in rows))

    def save_checkpoint(self, model: nn.Module, optimizer: torch.optim.Optimizer, position: dict[str, Any]) -> None:
        """Write all that resuming needs, as tensors and JSON in one file."""
        from safetensors.torch import save

        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_atomic(self._checkpoint, save(content, {"position": json.dumps(position)}))

    def load_checkpoint(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Restore model, optimiser and random states; return the position, or None if there is no checkpoint."""
        if not self._checkpoint.is_file():
            if len(self.rows()) > 1:  # one row is there just before the first checkpoint: the first epoch is done again
                raise DrumheadError(
                    f"{self._checkpoint} is missing, so {self.path} cannot go on; "
                    "its weights are still good: train anew in another directory"
                )
            return None
        try:
            metadata, tensors = read_safetensors(self._checkpoint)
        except DrumheadError as error:
            raise DrumheadError(
                f"{error}; so {self.path} cannot go on, but its other files are as they were: train anew in another "
                "directory"
            ) from None
        try:
            position = from_json(metadata["position"])
            random = tensors.pop("random.cpu"), tensors.pop("random.cuda", None)
            weights = {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")}
            state: dict[int, dict[str, Tensor]] = {}
            for name in tensors.keys() - {f"model.{weight}" for weight in weights}:
                _, index, key = name.split(".", 2)
                state.setdefault(int(index), {})[key] = tensors[name]
            fit(model, weights, str(self._checkpoint))
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            torch.set_rng_state(random[0])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            if isinstance(error, DrumheadError):
                raise
            raise DrumheadError(f"{self._checkpoint} is not a checkpoint of drumhead: {error!r}") from None
        if random[1] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(random[1])
        return position


def environment() -> dict[str, Any]:
    """Return versions, commit and machine, so that a number can be traced to what made it."""
    import numpy

    from drumhead import __version__

    commit = ""
    source = Path(__file__).parents[3]
    if (source / ".git").exists():  # a checkout, not an installation inside somebody else's
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            describe = ["git", "-C", str(source), "describe", "--always", "--dirty"]
            commit = subprocess.run(describe, capture_output=True, text=True, timeout=5).stdout.strip()
    return {
        "drumhead": __version__,
        "commit": commit,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": platform.platform(),
        "processor": _processor(),
        "multiplies_bfloat16": multiplies_bfloat16(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": sys.argv,
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
