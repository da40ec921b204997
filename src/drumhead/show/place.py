"""Where results may go: a user's files are the user's."""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from drumhead.errors import DrumheadError
from drumhead.files import check_writable
from drumhead.show.figures import MADE_BY
from drumhead.show.sound import is_ours

OF_AN_IMAGE = re.compile(r"(.+)-(mask\.png|labels\.png|spectrum\.png|waves\.gif|\d+-[^-]+\.wav)", re.DOTALL)
OURS = re.compile(
    r"(drum|bench|compare)\.json|(bench|compare)\.md|(speed|growth|measures|windows)\.png"
    r"|(membrane|wave|spectrum|modes|weyl|area|pair)\.png|wave\.gif|(sound|gww-[12])\.wav"
    r"|report\.(md|html|json)|(results|summary)\.csv|(bars|curves|gallery|states|spectra|time-maps|media)\.png|waves-.+\.gif"
    r"|distance\.(png|json|md)|phases\.gif|(pgd|speeds|kf|singularities)\.png"
    r"|front\.(md|html|json|png)|receptive-field\.(png|json|csv|md)|(radius|greens)\.png|kept"
)


def check_place(out: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse, before the work, a directory for results that cannot be written or holds files that somebody may miss.

    Args:
        out: the directory, which need not exist; its hidden files do not count.
        inputs: files that will be read.

    Raises:
        DrumheadError: a file is in the way, or the directory holds an input or a file that drumhead did not write.
    """
    check_writable(out)
    if not out.exists():
        return
    read = next((path for path in inputs if out.resolve() in (path.parent.resolve(), path.resolve().parent)), None)
    foreign = [path for path in sorted(out.iterdir()) if not path.name.startswith(".") and not _is_ours(path)]
    if read or foreign:
        what = f"{read.name}, an input" if read else f"{foreign[0].name}, which drumhead did not write"
        raise DrumheadError(f"{out} holds {what}; choose a new or an empty directory with --out")


def _is_ours(path: Path) -> bool:
    """Say whether a file is a result: by its name or, as NAME-mask.png can be anybody's, by what that file says."""
    found = OF_AN_IMAGE.fullmatch(path.name)
    if found is None:
        return OURS.fullmatch(path.name) is not None
    if path.suffix == ".wav" and path.is_file() and is_ours(path):  # `listen` writes no mask beside it
        return True
    telling = path if path.name.endswith("-labels.png") else path.with_name(f"{found[1]}-mask.png")
    with contextlib.suppress(OSError), Image.open(telling) as picture:
        return picture.info.get("Software") == MADE_BY["Software"]
    return False
