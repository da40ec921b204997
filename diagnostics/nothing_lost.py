"""Is anything lost when a process is killed, its disk is full, its clock jumps, or somebody else is there?

    python diagnostics/nothing_lost.py [--kills 50] [--scenario train,sweep,data,engine,export] [--faults all]
                                       [--seed 0] [--short] [--out docs/results/nothing-lost.json]

Kills with SIGKILL at random moments and in the middle of writes, looks at every file in sight, starts the same again
and compares what comes out, bit by bit, with what comes out when nobody kills (`lost/`). Exits with 1 if something was
lost.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"  # one thread: what is forked is whole, and sums have one order
sys.path.insert(0, str(Path(__file__).parent))

COLUMNS = ("scenario", "kills", "in a write", "runs", "identical", "files read", "broken", "left over")
NAMES = ("train", "sweep", "data", "engine", "export")


def main() -> None:
    """Do all of it, print the counts and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of all scenarios together")
    parser.add_argument("--scenario", default=",".join(NAMES), help="which, with commas; '' is none")
    parser.add_argument("--faults", default="all", help="which, with commas; '' is none")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--short", action="store_true", help="smaller work, for a test")
    parser.add_argument("--out", type=Path, help="a JSON file for the counts")
    flags = parser.parse_args()

    from lost import faults, processes, scenarios
    from lost.kills import Count, count

    began = time.perf_counter()
    processes.import_everything()
    from drumhead.learn.run import environment

    about = environment() | {"command": ["python", "diagnostics/nothing_lost.py", *sys.argv[1:]]}
    counts: dict[str, Count] = {}
    told: dict[str, faults.Told] = {}
    with tempfile.TemporaryDirectory(prefix="nothing-lost-") as scratch:
        root = Path(scratch)
        known = scenarios.scenarios(root, flags.short)
        chosen = [name for name in flags.scenario.split(",") if name]
        wanted = list(faults.FAULTS) if flags.faults == "all" else [name for name in flags.faults.split(",") if name]
        for option, names, there in (("scenario", chosen, known), ("faults", wanted, faults.FAULTS)):
            if unknown := set(names) - there.keys():
                parser.error(f"--{option} {', '.join(unknown)}: there are {', '.join(there)}")
        if chosen:
            print(row(*COLUMNS), flush=True)
        for name, share in shares(known, chosen, flags.kills).items():
            counts[name] = seen = count(name, known[name], share, root, flags.seed)
            words = (seen.kills, seen.aimed, seen.runs, seen.identical, seen.looks, len(seen.broken), len(seen.left))
            print(row(name, *words), flush=True)
            for said in (*seen.broken, *seen.differ, *seen.left):
                print(f"    {said}")
            keep(flags, about, began, counts, told)
        for name in wanted:
            told[name] = faults.FAULTS[name](faults.Place(root, root / "data", scenarios.cache(root)))
            print(f"{name}: {json.dumps(told[name])}", flush=True)
            keep(flags, about, began, counts, told)
    seconds, kills, lost = time.perf_counter() - began, sum(seen.kills for seen in counts.values()), what(counts, told)
    print(f"{kills} kills, {len(told)} other faults; lost: {', '.join(lost) or 'nothing'}; {seconds:.0f} s")
    sys.exit(bool(lost))


def what(counts: dict, told: dict) -> list[str]:
    """Return the names of all that lost something."""
    lost = [name for name, seen in counts.items() if seen.broken or seen.left or seen.identical < seen.runs]
    return lost + [name for name, fault in told.items() if not fault["held"]]


def keep(flags: argparse.Namespace, about: dict, began: float, counts: dict, told: dict) -> None:
    """Write what is known by now."""
    from drumhead.files import write_atomic

    if not flags.out:
        return
    whole = {
        "environment": about,
        "seed": flags.seed,
        "lost": what(counts, told),
        "seconds": round(time.perf_counter() - began),
        "kills": {name: seen.plain() for name, seen in counts.items()},
        "faults": told,
    }
    write_atomic(flags.out, json.dumps(whole, indent=1) + "\n")


def row(*words: object) -> str:
    """Return a line of the table."""
    return f"{words[0]:<10}" + "".join(f"{word!s:>11}" for word in words[1:])


def shares(known: dict, chosen: list[str], kills: int) -> dict[str, int]:
    """Share the kills out, one or more for each scenario."""
    total = sum(known[name].share for name in chosen)
    return {name: max(1, round(kills * known[name].share / total)) for name in chosen}


if __name__ == "__main__":
    main()
