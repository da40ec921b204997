"""A run on the Hugging Face Hub: which of its files go there, and how."""

import json

from drumhead.errors import DrumheadError
from drumhead.files import read_json
from drumhead.learn.card import card, public
from drumhead.learn.run import Run
from drumhead.learn.scores import RESULT
from drumhead.networks.hub import WEIGHTS, Address, reached
from drumhead.networks.model import load
from drumhead.settings.text import to_toml

PRIVATE = ("command", "resumed")
"""What environment.json says of the machine's folders."""


def files(run: Run, repository: str, licence: str = "") -> dict[str, bytes]:
    """Return the files of a run as they go to the Hub: whole, and without places on this machine.

    Args:
        run: the run; its weights must load.
        repository: USER/NAME.
        licence: of the weights, as the Hub names it; "" leaves it out.

    Raises:
        DrumheadError: there are no weights, or a file is damaged.
    """
    if not run.path.is_dir():
        raise DrumheadError(f"{run.path} is no run directory; give one that 'drumhead train' made")
    if not run.weights.is_file():
        raise DrumheadError(f"{run.path} has no {WEIGHTS} yet; a run has them after its first epoch")
    load(run.weights)
    try:
        return _files(run, repository, licence)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DrumheadError):
            raise
        raise DrumheadError(f"{run.path} is damaged ({error!r}); mend or delete the broken file") from None


def _files(run: Run, repository: str, licence: str) -> dict[str, bytes]:
    content = {
        "README.md": card(run, repository, licence).encode(),
        WEIGHTS: run.weights.read_bytes(),
        "config.toml": to_toml(public(run.config)).encode(),
    }
    rows = "".join(json.dumps(row) + "\n" for row in run.rows())
    if rows:
        content["metrics.jsonl"] = rows.encode()
    for name in ("environment.json", RESULT):
        if (path := run.path / name).is_file():
            content[name] = _public(read_json(path)).encode()
    return content


def _public(found: dict) -> str:
    """Return JSON without the commands that were typed and the names of folders in them."""
    kept = {key: value for key, value in found.items() if key not in (*PRIVATE, "weights")}
    if isinstance(kept.get("environment"), dict):
        kept["environment"] = {key: value for key, value in kept["environment"].items() if key not in PRIVATE}
    return json.dumps(kept, indent=1) + "\n"


def publish(content: dict[str, bytes], place: Address, *, private: bool = False) -> str:
    """Put files into a repository in one commit, so that it is never half there; return the commit's address.

    Args:
        content: name -> bytes.
        place: the repository, made if there is none; a revision other than "" is a branch, made likewise.
        private: make a new repository private; one that exists stays as it is.

    Raises:
        DrumheadError: the Hub cannot be reached, or refuses.
    """
    where = place.repository
    with reached(where) as hub:
        api = hub.HfApi(library_name="drumhead")
        api.create_repo(where, private=private, exist_ok=True)
        if place.revision:
            api.create_branch(where, branch=place.revision, exist_ok=True)
        operations = [hub.CommitOperationAdd(name, data) for name, data in content.items()]
        done = api.create_commit(where, operations, commit_message="A run of drumhead", revision=place.revision or None)
    return done.commit_url
