"""drumhead: neural networks that hear the shape of things.

Names load on first use, so that `import drumhead` and `drumhead --help` do not wait for torch.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from drumhead import drum as drum
    from drumhead import engine as engine
    from drumhead import tasks as tasks
    from drumhead.config import ModelConfig as ModelConfig
    from drumhead.errors import DrumheadError as DrumheadError
    from drumhead.images import to_images as to_images
    from drumhead.model import build as build
    from drumhead.model import load as load
    from drumhead.model import save as save
    from drumhead.presets import presets as presets
    from drumhead.propagate import propagate as propagate
    from drumhead.records import All as All
    from drumhead.records import At as At
    from drumhead.records import Every as Every
    from drumhead.records import Fourier as Fourier
    from drumhead.records import Last as Last
    from drumhead.records import Max as Max
    from drumhead.records import Mean as Mean
    from drumhead.records import Mix as Mix
    from drumhead.records import Project as Project
    from drumhead.records import Record as Record
    from drumhead.stability import laplacian as laplacian
    from drumhead.stability import stable_dt as stable_dt

_HOME = {
    "ModelConfig": "config",
    "DrumheadError": "errors",
    "to_images": "images",
    **dict.fromkeys(("build", "load", "save"), "model"),
    "presets": "presets",
    "propagate": "propagate",
    **dict.fromkeys(("All", "At", "Every", "Fourier", "Last", "Max", "Mean", "Mix", "Project", "Record"), "records"),
    **dict.fromkeys(("laplacian", "stable_dt"), "stability"),
}

_PACKAGES = ("drum", "engine", "tasks")

__all__ = ["__version__", *_PACKAGES, *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


class _Package(types.ModuleType):
    """The package, with names that load on first use.

    Importing the file `propagate.py` makes Python bind the name `propagate` of the package to that file; here
    such a binding is ignored for public names, so that `drumhead.propagate` is always the function.
    """

    def __getattr__(self, name: str) -> Any:
        if name in _PACKAGES:
            return importlib.import_module(f"drumhead.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'drumhead' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"drumhead.{_HOME[name]}"), name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return __all__


sys.modules[__name__].__class__ = _Package
