"""`drumhead waves FILE`: look for waves in a recording, and write the report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drumhead.errors import DrumheadError

if TYPE_CHECKING:
    from xarray import DataArray


@dataclass(frozen=True)
class Reading:
    """What is read: a file, and what was said of it; "" where nothing was."""

    path: Path
    fs: str
    pitch: str
    series: str
    start: str
    stop: str
    bad: tuple[str, ...]
    at: Path | None
    order: str


def analyse(reading: Reading, band: str, null: str, n: int, seed: int, fit: bool, out: Path) -> None:
    """Read a recording, look at it with all instruments, print what was found and write the report."""
    from drumhead.files import report_folder
    from drumhead.neuro import analysis, page
    from drumhead.show.place import check_place
    from drumhead.show.terminal import Bar, print_table

    check_place(out, [reading.path])
    with report_folder(out) as folder:  # before the work: what cannot be written is said at once
        x, notes = read(reading)
        for note in notes:
            print(note)
        found = analysis.analyse(x, band, null, n, seed, fit=fit, progress=Bar())
        report = {"file": reading.path.name, "notes": notes, **found.report()}
        print_table(page.summary_table(found))
        if (tested := page.test_table(found)) is not None:
            print_table(tested)
        for caution in report["warnings"]:
            print(f"beware: {caution}")
        print(found.found, flush=True)
        page.save(found, folder, f"Waves in {reading.path.name}", report, notes)
    print(f"written: {out / 'report.html'}, report.md, report.json and pictures")


def read(reading: Reading) -> "tuple[DataArray, list[str]]":
    """Return the field, and what a reader has to know of how it was read."""
    from drumhead.neuro import recording
    from drumhead.waves.fields import good, pitches, rate, unit_of_length
    from drumhead.waves.units import said

    one = reading
    x = recording.read(
        one.path, one.fs or None, one.pitch or None, series=one.series or None, start=one.start or None,
        stop=one.stop or None, bad=[_site(text) for text in one.bad], at=_places(one.at), order=one.order,
    )  # fmt: skip
    known = good(x)
    notes = [
        f"{one.path.name}: {known.sum()} of {known.size} sites, {x.sizes['time'] / rate(x):.4g} s at "
        f"{said(rate(x), 'Hz', 4)}."
    ]
    if known.sum() < known.size:
        notes.append(f"Sites without numbers (NaN), which are left out: {known.size - known.sum()}.")
    if "fs_of_file_hz" in x.attrs:
        notes.append(
            f"The file says {said(x.attrs['fs_of_file_hz'], 'Hz', 4)}; --fs {one.fs} is taken instead. "
            "Leave --fs out to take the file's."
        )
    if "pitch_of_file_m" in x.attrs:
        notes.append(
            f"The file says a pitch of {said(x.attrs['pitch_of_file_m'], 'm')}; --pitch {one.pitch} is taken instead."
        )
    if unit_of_length(x) == "px":
        notes.append(
            "No pitch is known, so lengths are counted in pixels (px) and speeds in px/s; --pitch 0.4mm gives one."
        )
    elif "site" not in x.dims:
        apart = dict.fromkeys(said(step, "m") for step in pitches(x))
        notes.append(f"Neighbours are {' and '.join(apart)} apart.")
    return x, notes


def _site(text: str) -> Any:
    """Return a channel number, or a row and column."""
    try:
        place = tuple(int(part) for part in text.split(","))
    except ValueError:
        place = ()
    if len(place) not in (1, 2):
        raise DrumheadError(f"--bad {text}: a channel as 12, or a row and column as 3,4, is needed")
    return place[0] if len(place) == 1 else place


def _places(path: Path | None) -> Any:
    if path is None:
        return None
    from drumhead.neuro.arrays import numpy

    try:
        return numpy(path, None)["data"]
    except DrumheadError as error:
        raise DrumheadError(f"--at {path}: a .npy file with y and x in m of each channel is needed ({error})") from None
