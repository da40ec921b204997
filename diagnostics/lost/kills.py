"""Kill, look, start again, until it has ended by itself: then compare."""

import os
import random
import re
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lost.looks import broken, hidden, in_sight
from lost.processes import Running, finish
from lost.scenarios import Scenario

LIVES = 4  # at most so many kills before a run may end
WRITING = re.compile(r"\..+\.(unfinished|drumhead-(new|old)|[0-9a-f]{32})|\.compiling-.+")


@dataclass
class Count:
    """What was seen of a scenario."""

    seconds: float
    """The work took, without a kill."""
    kills: int = 0
    aimed: int = 0
    """Of these, while a hidden file was being written."""
    runs: int = 0
    """Directories that were killed in, started again and brought to their end."""
    identical: int = 0
    """Of these, with the bits of the work that nobody killed."""
    looks: int = 0
    """Files in sight that were opened and read right after a kill."""
    broken: list[str] = field(default_factory=list)
    """What was wrong with them."""
    differ: list[str] = field(default_factory=list)
    left_after_kills: int = 0
    """Most hidden files with something in them after a kill."""
    left: list[str] = field(default_factory=list)
    """Hidden files at the end of the runs."""

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"seconds": round(self.seconds, 2)}


def count(name: str, scenario: Scenario, kills: int, root: Path, seed: int) -> Count:
    """Kill a scenario's work so many times, at moments that the seed draws.

    Half of them are uniform over the time that the work takes; the others wait for a hidden file to appear, the first
    to the twelfth, and kill then.
    """
    moments = random.Random(f"{name} {seed}")
    reference = root / f"{name}-reference"
    scenario.before(reference)
    seen = Count(finish(scenario.work(reference), root / f"{name}.log", scenario.environment(reference)))
    expected = scenario.result(reference)
    assert expected, f"{name} made nothing"
    wrong = broken(reference)
    assert not wrong, wrong
    shutil.rmtree(reference)
    number = 0
    while seen.kills < kills:
        place = root / f"{name}-{number}"
        number += 1
        scenario.before(place)
        own = min(moments.randint(1, LIVES), kills - seen.kills)
        before = seen.kills
        for attempt in range(4 * own):
            if seen.kills == before + own:
                break
            aimed = moments.random() < 0.5
            moment = moments.randint(1, 12) if aimed else moments.uniform(0, seen.seconds)
            ended = _kill(scenario, place, root / f"{name}.log", moment if aimed else 0, 0 if aimed else moment, seen)
            seen.broken += [f"run {number}, kill {seen.kills}: {said}" for said in broken(place)]
            seen.left_after_kills = max(seen.left_after_kills, len(hidden(place)))
            if ended and attempt >= own:
                break
        if seen.kills == before:
            shutil.rmtree(place)
            continue
        finish(scenario.work(place), root / f"{name}.log", scenario.environment(place))
        seen.runs += 1
        found = scenario.result(place)
        if found == expected:
            seen.identical += 1
        else:
            seen.differ += [
                f"run {number}: {key}" for key in sorted(expected | found) if expected.get(key) != found.get(key)
            ]
        seen.left += [f"run {number}: {path.relative_to(place)}" for path in hidden(place)]
        shutil.rmtree(place)
    return seen


def _kill(scenario: Scenario, place: Path, log: Path, nth: int, moment: float, seen: Count) -> bool:
    """Start the work and kill it, at a moment or with the n-th hidden file; say whether it ended before."""
    running = [
        Running(work, log.with_suffix(f".{i}.log"), scenario.environment(place))
        for i, work in enumerate(scenario.work(place))
    ]
    began, names = time.perf_counter(), set()
    while not all(one.ended() for one in running):
        if nth:
            names |= writing(place)
            if len(names) >= nth:
                break
        elif time.perf_counter() - began > moment:
            break
        time.sleep(0.0005)
    killed = [one.kill() for one in running]
    for one in running:
        if one.code and one.code > 0:
            raise SystemExit(f"{place.name}: it ended with {one.code} and said: {one.said()[-2000:]}")
    if any(killed):
        seen.kills += 1
        seen.aimed += bool(nth)
        seen.looks += len(list(in_sight(place)))
    return not any(killed)


def writing(place: Path) -> set[str]:
    """Return the hidden names under a directory that are written at the moment."""
    found, todo = set(), [str(place)]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if WRITING.fullmatch(entry.name):
                        found.add(entry.path)
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except OSError:  # it is gone
            continue
    return found
