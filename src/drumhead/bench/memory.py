"""Peak memory of one call, in a fresh process: what earlier measurements left in the allocator cannot matter.

The peak is VmHWM of Linux where there is one. getrusage's ru_maxrss would be wrong there: through fork and exec a
child inherits its parent's peak, so after a large benchmark every small one would measure nothing.
"""

import gc
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

from drumhead.bench.contenders import Case, assemble
from drumhead.errors import DrumheadError

BINS = 51  # the readout of T = 100 for every T, so that only the time loop grows
SECONDS = 600
STATUS = Path("/proc/self/status")


def growth(name: str, mode: str, case: Case, threads: int) -> float:
    """Return by how many bytes the peak of one call exceeds the state just before it.

    Args:
        name: the contender.
        mode: "train" or "infer".
        case: the sizes.
        threads: of torch in the fresh process.

    Raises:
        DrumheadError: the process was killed or failed; the message says how.
    """
    request = json.dumps([name, mode, case.__dict__, threads])
    command = [sys.executable, "-m", "drumhead.bench.memory", request]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise DrumheadError(f"took longer than {SECONDS} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["killed, perhaps for its memory"]
        raise DrumheadError(f"process ended with {done.returncode}: {last[0]}")
    return float(json.loads(done.stdout))


def _measure(name: str, mode: str, case: Case, threads: int) -> int:
    import torch

    torch.set_num_threads(threads)
    small = Case(case.task, side=16, batch=2, steps=2)
    call = getattr(assemble([name], small)[name], mode)
    call()  # loads libraries and starts threads
    del call
    contender = assemble([name], case, bins=BINS)[name]
    gc.collect()
    before = _reset_peak()
    getattr(contender, mode)()
    return max(0, _peak() - before)


def _peak() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    if STATUS.exists():
        return _kilobytes("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _reset_peak() -> int:
    """Make the present the peak where the system can; return what growth is counted from."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _kilobytes("VmRSS")


def _kilobytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise DrumheadError(f"{STATUS} does not say {name}")
    return 1024 * int(found[1])


if __name__ == "__main__":
    name, mode, sizes, threads = json.loads(sys.argv[1])
    print(_measure(name, mode, Case(**sizes), threads))
