"""What all settings share: names and words are checked as they are given."""

from collections.abc import Iterable
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from drumhead.errors import DrumheadError, at_least, choose, shown

LEAST = {
    **dict.fromkeys(("image_channels", "channels", "steps", "kernel_size", "width", "epochs", "batch", "thin"), 1),
    **dict.fromkeys(("maps", "heads", "fine", "rounds", "fewest"), 1),
    **dict.fromkeys(("classes", "depth"), 2),
    **dict.fromkeys(("bins", "taught", "limit", "seed", "epoch_images", "validation_images", "crop"), 0),
}
"""The smallest value of each whole number."""
MOST = {"steps": 10_000, "rounds": 1000, "stride": 256, "depth": 1000, "kernel_size": 255}
"""The largest, where a larger one would compute for ever; the playground takes no more steps either."""


def refuse_unknown(cls: type, given: Iterable[str], where: str, known: Iterable[str] = ()) -> None:
    """Raise `DrumheadError` for names that are not settings of `cls`: its fields, or `known` if there are any."""
    names = [item.name for item in fields(cls)]
    unknown = sorted(set(given) - set(known or names))
    if unknown:
        kind = getattr(cls, "layer", None)
        layer = f" (each with {', '.join(item.name for item in fields(kind))})" if kind else ""
        meant = _meant(unknown[0], [*names, *(item.name for item in fields(kind))] if kind else names)
        raise DrumheadError(
            f"{where}: unknown setting {shown(', '.join(unknown))[1:-1]}; the settings of {cls.__name__} are "
            f"{', '.join(name + layer * (name == 'waves') for name in names)}"
            + (f"; did you mean {meant}, which is said without 'waves.' for all layers?" if "." in unknown[0] and meant
               else f"; did you mean {meant}?" if meant else "")
        )  # fmt: skip


def _meant(name: str, known: Iterable[str]) -> str:
    """Return the setting that somebody may have meant, "" if none is near or it is that word itself."""
    from difflib import get_close_matches

    word = name.rpartition(".")[2]
    near = get_close_matches({"sheets": "channels"}.get(word, word), known, 1, 0.75)
    return near[0] if near and near[0] != name else ""


class Settings:
    """Settings that know their names and words: others are refused, with those that there are."""

    where: ClassVar[str] = "model"

    def __new__(cls, *_values: Any, **settings: Any) -> Self:
        """Refuse a setting that there is not, before the dataclass would with less to say."""
        refuse_unknown(cls, settings, cls.__name__)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            self._check_number(item.name, item.type)
            if get_origin(item.type) is Literal:
                choose(f"{self.where}.{item.name}", getattr(self, item.name), get_args(item.type))
            elif item.name in LEAST:
                at_least(LEAST[item.name], getattr(self, item.name), f"{self.where}.{item.name}=")
            value = getattr(self, item.name)
            if item.name in MOST and value > MOST[item.name]:
                raise DrumheadError(f"{self.where}.{item.name}={shown(value)}: at most {MOST[item.name]} is possible")

    def _check_number(self, name: str, kind: Any) -> None:
        """Refuse what is no number of the kind; NumPy's become Python's, which JSON and TOML know."""
        wanted = {int: Integral, float: Real, bool: bool}.get(kind)
        value = getattr(self, name)
        if wanted and not (isinstance(value, wanted) and isinstance(value, bool) == (kind is bool)):
            raise DrumheadError(f"{self.where}.{name}={shown(value)} has the wrong type; {kind.__name__} is needed")
        if wanted and not isinstance(value, int | float):
            object.__setattr__(self, name, kind(value))

    def refuse_idle(self, beside: str, *names: str) -> None:
        """Refuse settings that are not at their defaults although they do nothing there."""
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if item.name in names and value != item.default:
                raise DrumheadError(
                    f"{self.where}.{item.name}={value!r} does nothing beside {beside}: leave one of the two "
                    f"({item.name} is {item.default!r} by default)"
                )
