"""The model card of a run: Markdown with what it is, what it was trained on, how good it is and how to use it.

Every number in it comes from the run's own files. Nothing of it names a place on the machine that trained it.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from drumhead.errors import DrumheadError
from drumhead.files import read_json
from drumhead.learn.run import Run
from drumhead.learn.scores import RESULT, SCORES
from drumhead.networks.hub import SCHEME
from drumhead.networks.weights import shipped
from drumhead.settings.citations import cited, references
from drumhead.settings.config import RunConfig, TrainConfig


def card(run: Run, repository: str, licence: str = "") -> str:
    """Return the card of a run as Markdown, with the metadata that the Hub reads at its top.

    Args:
        run: the run.
        repository: USER/NAME, where it will lie.
        licence: of the weights, as the Hub names it ("mit", "cc-by-4.0"); "" leaves it out.
    """
    config = run.config
    keys = cited(config.model, config.train, config.task)
    model = config.preset.partition("/")[2] or config.model.family
    parts = [
        _metadata(licence, config.task),
        f"# {repository.partition('/')[2]}: {model} on {config.task}",
        "A segmentation network of drumhead: neural networks that hear the shape of things.",
        "```python\nimport drumhead as dh  # pip install 'drumhead[hub]'\n\n"
        f'model = dh.load("hf://{repository}")\n'
        "labels = model.segment(images)  # (n, k, y, x) in [0, 1] -> (n, y, x)\n```",
        "## How good it is",
        _scores(run),
        "## How it was trained",
        _training(run),
        "All settings are in `config.toml`, each epoch is in `metrics.jsonl`, versions and the machine are in "
        "`environment.json`.",
        "## Cite",
        "```bibtex\n" + "\n\n".join(references()[key] for key in keys) + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def public(config: RunConfig) -> RunConfig:
    """Return settings without folders of this machine: of its own weights that a training began with, the name."""
    weights = config.train.weights
    known = weights in shipped() or weights.startswith(SCHEME)
    return replace(config, data="", train=replace(config.train, weights=weights if known else Path(weights).name))


def _metadata(licence: str, task: str) -> str:
    lines = ["library_name: drumhead", "pipeline_tag: image-segmentation", f"tags: [drumhead, {json.dumps(task)}]"]
    return "\n".join(["---", *([f"license: {json.dumps(licence)}"] if licence else []), *lines, "---"])


def _scores(run: Run) -> str:
    """Return what `drumhead evaluate` measured on the test images, as a table."""
    found = evaluated(run)
    if not found:
        return "Not measured on test images yet."
    rows = [f"| {word} | {found[name]:.4f} |" for name, word in SCORES.items() if found.get(name) is not None]
    title = f"On {found['images']:,} test images of {found['task']}, {found['parameters']:,} parameters:"
    return "\n".join([title, "", "| score | value |", "| --- | ---: |", *rows])


def evaluated(run: Run) -> dict[str, Any]:
    """Return the scores of the run's weights on test images, and on how many, or nothing if they were not measured.

    Scores that are older than the weights, or of another task, are not theirs.

    Raises:
        DrumheadError: the file is damaged.
    """
    path = run.path / RESULT
    try:
        found = read_json(path)
        if found["split"] != "test" or found.get("cut"):
            raise ValueError("not of the test images")
        scores = {name: float(found[name]) for name in SCORES if found.get(name) is not None}
        found = {**found, **scores, "images": int(found["images"]), "parameters": int(found["parameters"])}
        stale = path.stat().st_mtime < run.weights.stat().st_mtime  # measured before these weights were
        return {} if stale or found["task"] != run.config.task else found
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise DrumheadError(f"{path} is no evaluation ({error}); run 'drumhead evaluate {run.path}' again") from None


def _training(run: Run) -> str:
    config, rows = public(run.config), run.rows()
    train = config.train
    done = (
        f"{len(rows)} of {train.epochs} epochs, {rows[-1]['images']:,} image passes" if rows else "no whole epoch yet"
    )
    changed = {
        name: value
        for name, value in vars(train).items()
        if value != getattr(TrainConfig(), name) and name not in ("epochs", "checkpoint_minutes", "accelerator")
    }
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changed.items())
    paragraph = f"On the {config.task} task: {done}" + (
        f"; {settings}." if settings else "; all other settings are the paper's."
    )
    seconds = rows[-1].get("cpu_seconds") if rows else None
    return paragraph + (f" It took {seconds / 3600:.1f} hours of processor time." if seconds else "")
