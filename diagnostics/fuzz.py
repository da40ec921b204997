"""Hostile input, 100,000 times: each works or gives one clear sentence with exit code 2.

    python diagnostics/fuzz.py [--inputs 100000] [--seed 0] [--kind images,idx] [--out docs/results/fuzz.json]
    python diagnostics/fuzz.py --kind images --seed 0 --again 17     # make input 17 again and say how it ends
    python diagnostics/fuzz.py --atheris idx --runs 50000            # guided by coverage (pip install -e '.[fuzz]')

The inputs are those of tests/attacks, the judge is tests/attacks/judge.py. Each kind runs in a process of its own, met
through the boundary of the command line, with 4 GiB more address space than it starts with, 5 s of processor time an
input and five minutes by the clock, as machines are shared. A process that dies or hangs is replaced by one that goes
on behind the input. Any number of runs add up in the file given by --out: a kind and a seed replace their own row.
"""

import argparse
import importlib
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from attacks import KINDS, make  # noqa: E402

SHARES = {
    "images": 16,
    "masks": 14,
    "configs": 16,
    "idx": 36,
    "recordings": 8,
    "safetensors": 4,
    "manifests": 3,
    "urls": 3,
}
MORE = 4 * 2**30  # bytes of address space
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # where disks cost more than what is measured
HEAVY, TORCH = (
    ("images", "configs", "safetensors", "manifests"),
    ("torch._dynamo", "torchmetrics", "drumhead.engine.cpu.library"),
)
SILENCE, START = 300, 900  # seconds without a word from the process that works, and until its first
SAID = 20  # sentences that are kept of each kind, as examples


def work(kind: str, seed: int, start: int, stop: int, folder: Path) -> None:
    """Meet inputs and write a line of JSON before and after each."""
    from attacks.judge import Judge

    words = os.fdopen(os.dup(1), "w")  # what the library prints goes elsewhere
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in TORCH if kind in HEAVY else ():  # imports are no part of an input's time and memory
        importlib.import_module(name)
    judge, limited = Judge(folder), False
    for number in range(start, stop):
        print(number, file=words, flush=True)
        with judge.place() as place:
            attack = make(kind, seed, number, place)
            if not limited:
                judge.meet(attack)
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + MORE, size + MORE))
                limited = True
                shutil.rmtree(place / "out")
                (place / "out").mkdir()
            found = judge.meet(attack)
        print(json.dumps([number, found.word, found.said[-3000:]]), file=words, flush=True)


def run(kind: str, seed: int, count: int, keep: Path, seconds: float) -> dict[str, Any]:
    """Meet `count` inputs of a kind, or as many as `seconds` allow, and return how they ended."""
    began, ends, faults, sentences = time.perf_counter(), Counter(), [], {}
    start = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as folder:
        while start < count and time.perf_counter() - began < seconds:
            last, lines = start, ""
            command = [
                sys.executable,
                __file__,
                "--work",
                kind,
                "--seed",
                str(seed),
                "--range",
                str(start),
                str(count),
                "--at",
                folder,
            ]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
                assert worker.stdout is not None
                silent, counted, pipe = False, 0, worker.stdout.fileno()
                while time.perf_counter() - began < seconds:
                    ready = select.select(
                        [pipe],
                        [],
                        [],
                        min(SILENCE if counted else START, max(0.0, began + seconds - time.perf_counter())),
                    )[0]
                    piece = os.read(pipe, 65536).decode() if ready else ""
                    if not piece:
                        silent = not ready
                        break
                    *whole, lines = (lines + piece).split("\n")
                    for line in map(json.loads, whole):
                        if isinstance(line, int):
                            last = line
                            continue
                        number, word, said = line
                        start, counted = number + 1, counted + 1
                        ends[word] += 1
                        if word.startswith("one"):
                            if len(sentences) < SAID:
                                sentences.setdefault("".join(c for c in said if c.isalpha())[:30], said.strip())
                        elif word != "worked":
                            faults.append({"kind": kind, "seed": seed, "number": number, "word": word, "said": said})
                            shutil.copytree(
                                _made(kind, seed, number, keep),
                                keep / f"{kind}-{seed}-{number}",
                                dirs_exist_ok=True,
                                symlinks=True,
                            )
                            print(f"{word}: --kind {kind} --seed {seed} --again {number}\n{said[-700:]}", flush=True)
                over = time.perf_counter() - began >= seconds
                if silent or over:
                    worker.kill()
            if start < count and worker.returncode != 0 and not over:
                word = "HANG" if silent else "DIED"
                ends[word] += 1
                faults.append(
                    {"kind": kind, "seed": seed, "number": last, "word": word, "said": f"exit {worker.returncode}"}
                )
                print(f"{word}: --kind {kind} --seed {seed} --again {last} (exit {worker.returncode})", flush=True)
                start = last + 1
    spent = time.perf_counter() - began
    print(f"{kind}: {sum(ends.values())} inputs, {dict(ends)}, {spent:.0f} s", flush=True)
    return {
        "inputs": sum(ends.values()),
        "seed": seed,
        "ends": dict(ends),
        "seconds": round(spent, 1),
        "faults": faults,
        "sentences": [*sentences.values()],
    }


def _made(kind: str, seed: int, number: int, keep: Path) -> Path:
    """Make an input once more, to be looked at."""
    place = keep / "made"
    shutil.rmtree(place, ignore_errors=True)
    for name in ("in", "out"):
        (place / name).mkdir(parents=True)
    make(kind, seed, number, place)
    return place


def again(kind: str, seed: int, number: int) -> None:
    """Meet one input and print how it ends."""
    from attacks.judge import Judge

    judge = Judge(Path(tempfile.mkdtemp(prefix="fuzz-")))
    with judge.place() as place:
        found = judge.meet(make(kind, seed, number, place))
    print(f"{found.word}\n{found.said}\nthe input: {judge.root / 'in'}")
    sys.exit(0 if found.good else 1)


def keep_results(out: Path, rows: dict[str, Any], guided: dict[str, Any]) -> None:
    """Add rows to a file of results, in place of older ones of the same kinds."""
    from drumhead.files import hold
    from drumhead.learn.run import environment

    about = {key: value for key, value in environment().items() if key != "command"}
    with hold(out.with_suffix(".lock")) as mine:
        if not mine:
            time.sleep(1)
            return keep_results(out, rows, guided)
        old = json.loads(out.read_text()) if out.exists() else {}
        _add(out, old, rows, guided, about)


FOUND = """
## What was found, and mended

Most have a test in [tests/test_fuzz.py](../../tests/test_fuzz.py) or in the tests of its room.

- Images: warnings of Pillow beside the sentence, errors of its formats that were passed on, a palette that is missing,
  and Ghostscript, which it starts for an EPS of any name: such files are of no known format now.
- Masks and class lists: names with ends of lines, lines of any length in a sentence, names that steer the terminal.
- Configs: TOML and JSON nested too deeply, numbers of thousands of digits, texts that tomllib reads for minutes,
  values refused without the name of their file; steps, strides, depths and kernels that compute for ever.
- IDX: gzip that bursts, counts whose product runs over in 64 bits, huge counts beside a zero.
- Recordings: headers of .npy that Python's parser gives up, what tifffile and hdmf log, HDF5, Zarr and TIFF that claim
  terabytes, places that are complex or not finite.
- Weights: configs that ask for any memory or depth (now compared with the tensors first), complex and whole numbers in
  place of weights, weights that are not finite, tensors that repeat a few numbers to any size.
- Exports: a manifest nested too deeply. Requests: HTTP/0.9 was answered without headers, so without a policy.
"""


def _page(found: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    about = found["environment"]
    words = sorted(
        {word for row in found["kinds"].values() for word in row["ends"]} - {"worked", "one sentence, exit 2"}
    )
    lines = [
        "# Hostile input", "",
        f"{found['inputs']:,} inputs, each of which shall work or give one clear sentence with exit code 2: no "
        "traceback, 5 s, 2 GiB, write outside the output folder, other program, connection or unpickling. Made by "
        "`python diagnostics/fuzz.py --out docs/results/fuzz.json`, and with `--atheris KIND`; `--seed` and "
        f"`--again` make any input again. drumhead {about['commit']}, {about['processor']}, {about['cores']} "
        "cores. Every sentence that was kept: [fuzz.json](fuzz.json).", "",
        f"| kind and seed | inputs | worked | one sentence, exit 2 |{''.join(f' {word} |' for word in words)}",
        f"| --- | ---: | ---: | ---: |{' ---: |' * len(words)}",
    ]  # fmt: skip
    for name, row in sorted(found["kinds"].items()):
        counts = [row["inputs"], *(row["ends"].get(word, 0) for word in ("worked", "one sentence, exit 2", *words))]
        lines.append(f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |")
    for name, row in sorted(found["guided"].items()):
        lines.append(f"| {name}, guided by coverage | {row['inputs']:,} |{' |' * (2 + len(words))}")
    return "\n".join(lines) + "\n" + FOUND


def _add(out: Path, old: dict[str, Any], rows: dict[str, Any], guided: dict[str, Any], about: dict[str, Any]) -> None:
    from drumhead.files import write_atomic

    found = {
        "kinds": {**old.get("kinds", {}), **rows},
        "guided": {**old.get("guided", {}), **guided},
        "environment": about,
    }
    for part in ("kinds", "guided"):  # a machine too busy to begin has shown nothing
        found[part] = {name: row for name, row in found[part].items() if row["inputs"]}
    found["inputs"] = sum(row["inputs"] for part in ("kinds", "guided") for row in found[part].values())
    write_atomic(out, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_atomic(out.with_suffix(".md"), _page(found))


def main() -> None:
    """Parse and run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--inputs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--kind", default=",".join(KINDS))
    options.add_argument("--out", type=Path)
    options.add_argument("--keep", type=Path, help="where inputs that fail are kept")
    options.add_argument("--again", type=int)
    options.add_argument("--atheris")
    options.add_argument("--seconds", type=float, default=float("inf"), help="the most of each kind")
    options.add_argument("--runs", type=int, default=20_000)
    options.add_argument("--work", help=argparse.SUPPRESS)
    options.add_argument("--range", type=int, nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.work:
        return work(given.work, given.seed, *given.range, given.at)
    kinds = given.kind.split(",")
    if unknown := {*kinds} - {*KINDS}:
        sys.exit(f"--kind {', '.join(sorted(unknown))}: choose of {', '.join(KINDS)}")
    if given.again is not None:
        return again(kinds[0], given.seed, given.again)
    if given.atheris:
        from attacks.guided import run_guided

        rows, guided = {}, {given.atheris: run_guided(given.atheris, given.runs, given.seed, given.seconds)}
    else:
        keep = given.keep or Path(tempfile.mkdtemp(prefix="fuzz-kept-"))
        shares = sum(SHARES[kind] for kind in kinds)
        rows, guided = (
            {
                f"{k}, seed {given.seed}": run(k, given.seed, given.inputs * SHARES[k] // shares, keep, given.seconds)
                for k in kinds
            },
            {},
        )
    if given.out:
        keep_results(given.out, rows, guided)
    sys.exit(any(row["faults"] for row in (*rows.values(), *guided.values())))


if __name__ == "__main__":
    main()
