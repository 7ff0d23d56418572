"""What the machine adds to a block: fixed work, as long as the patient's block, on the processors the patient had.

Work that never changes takes what it takes; by whatever its processor time exceeds that, another tenant of the machine,
a processor that slows down or an interrupt is to blame. It runs after the session, alone, so that what is found is the
least that the patient met.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bmi.clock import LSLClock
from bmi.errors import BMIError
from bmi.process import keep_off
from bmi.signals import F32, F64
from sim import GRID_S
from sim.bench._fixed_kernels import work

SIZE = 1 << 21
"""Numbers worked on: 8 MB, more than a processor keeps for itself, as the patient's are."""
TRIAL = 100_000


def turns(own_ms: float, x: F32) -> int:
    """Return how much work usually takes ``own_ms`` of the processor."""
    taken = []
    for _ in range(100):
        before = time.thread_time()
        work(TRIAL, x)
        taken.append(1e3 * (time.thread_time() - before))
    return max(1, round(TRIAL * own_ms / float(np.median(taken))))


def blocks(seconds: float, own_ms: float) -> F64:
    """Do work of ``own_ms`` every 10 ms for so long; return the processor time each block took, (n,) ms."""
    clock, x = LSLClock(), np.ones(SIZE, np.float32)
    work(1, x)
    n, t0 = turns(own_ms, x), clock.now() + GRID_S
    taken = np.empty(round(seconds / GRID_S))
    for k in range(len(taken)):
        clock.sleep_until(t0 + k * GRID_S)
        before = time.thread_time()
        work(n, x)
        taken[k] = 1e3 * (time.thread_time() - before)
    return taken


def measured(
    seconds: float, own_ms: float, cpu: int | None, folder: Path, progress: Callable[[float], object]
) -> F64:
    """Have a process of its own do so, off the live lane's processor ``cpu`` as the patient was; return the same.

    ``progress`` is told twice a second how much of it is done.
    """
    path, began = folder / "fixed.npy", time.monotonic()
    told = [str(seconds), str(own_ms), json.dumps(cpu), str(path)]
    process = subprocess.Popen([sys.executable, "-m", "sim.bench.fixed", *told])
    while process.poll() is None:
        progress(min((time.monotonic() - began) / seconds, 1.0))
        time.sleep(0.5)
    if process.returncode:
        raise BMIError(f"bench patient: fixed work ended with {process.returncode}")
    taken: F64 = np.load(path, allow_pickle=False)
    return taken


if __name__ == "__main__":
    keep_off(json.loads(sys.argv[3]))
    gc.freeze()
    gc.disable()
    np.save(sys.argv[4], blocks(float(sys.argv[1]), float(sys.argv[2])))
