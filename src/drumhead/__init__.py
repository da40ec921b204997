"""drumhead: neural networks that hear the shape of things.

Names load on first use, so that `import drumhead` and `drumhead --help` do not wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from drumhead import forks as forks  # looks out from now on

__version__ = "0.2.0"

if TYPE_CHECKING:
    from drumhead import drum as drum
    from drumhead import engine as engine
    from drumhead import neuro as neuro
    from drumhead import tasks as tasks
    from drumhead import waves as waves
    from drumhead.errors import DrumheadError as DrumheadError
    from drumhead.networks.export import export as export
    from drumhead.networks.images import to_images as to_images
    from drumhead.networks.model import build as build
    from drumhead.networks.model import load as load
    from drumhead.networks.model import save as save
    from drumhead.physics.propagate import propagate as propagate
    from drumhead.physics.records import All as All
    from drumhead.physics.records import At as At
    from drumhead.physics.records import Every as Every
    from drumhead.physics.records import Fourier as Fourier
    from drumhead.physics.records import Last as Last
    from drumhead.physics.records import Max as Max
    from drumhead.physics.records import Mean as Mean
    from drumhead.physics.records import Mix as Mix
    from drumhead.physics.records import Project as Project
    from drumhead.physics.records import Record as Record
    from drumhead.physics.spectral import propagate_exact as propagate_exact
    from drumhead.physics.stability import laplacian as laplacian
    from drumhead.physics.stability import stable_dt as stable_dt
    from drumhead.physics.state import State as State
    from drumhead.settings.config import CNN as CNN
    from drumhead.settings.config import NWM as NWM
    from drumhead.settings.config import Attention as Attention
    from drumhead.settings.config import Bottleneck as Bottleneck
    from drumhead.settings.config import Context as Context
    from drumhead.settings.config import Layer as Layer
    from drumhead.settings.config import ModelConfig as ModelConfig
    from drumhead.settings.config import Modes as Modes
    from drumhead.settings.config import Recurrent as Recurrent
    from drumhead.settings.config import ResNet as ResNet
    from drumhead.settings.config import Stack as Stack
    from drumhead.settings.config import UNet as UNet
    from drumhead.settings.config import Waves as Waves
    from drumhead.settings.presets import presets as presets

_HOME = {
    **dict.fromkeys(
        (
            "ModelConfig",
            "NWM",
            "Waves",
            "Stack",
            "Layer",
            "Modes",
            "Bottleneck",
            "Context",
            "Attention",
            "Recurrent",
            "CNN",
            "ResNet",
            "UNet",
        ),
        "settings.config",
    ),
    "DrumheadError": "errors",
    "export": "networks.export",
    "to_images": "networks.images",
    **dict.fromkeys(("build", "load", "save"), "networks.model"),
    "presets": "settings.presets",
    "propagate": "physics.propagate",
    "propagate_exact": "physics.spectral",
    **dict.fromkeys(
        ("All", "At", "Every", "Fourier", "Last", "Max", "Mean", "Mix", "Project", "Record"), "physics.records"
    ),
    "State": "physics.state",
    **dict.fromkeys(("laplacian", "stable_dt"), "physics.stability"),
}

_PACKAGES = ("drum", "engine", "neuro", "tasks", "waves")

__all__ = ["__version__", *_PACKAGES, *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"drumhead.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'drumhead' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"drumhead.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
