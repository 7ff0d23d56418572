"""What runs beside a patient on the bench, in processes of their own: a sleeper and a listener.

The sleeper wakes every 10 ms, half a period off the patient's pushes, with the same claim to be woken on time, and does
nothing else; its lateness is the machine's. The listener reads the streams that nobody else reads, so that their pushes
cost what they would cost.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bmi.clock import LSLClock
from bmi.control import CONTROL_FILE, Control, LaneState, Word
from bmi.errors import BMIError
from bmi.process import keep_off
from bmi.punctual import punctual
from bmi.world import TIMES
from sim import GRID_S

SLEPT, HEARD = "sleeper.npy", "heard.json"
WRITES = {"sleeper": SLEPT, "listener": HEARD}
"""What each role writes into its folder, from its beginning on."""
START_S, END_S = 30.0, 10.0
"""They are waited for so long, s."""


def start(
    role: str, runtime: Path, folder: Path, cpu: int | None, streams: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a role beside the world of ``runtime``, on its network and on the processors the world may use."""
    env = {**os.environ, "LSLAPICFG": str(runtime / "lsl_api.cfg")}
    told = [role, str(runtime), str(folder), json.dumps(cpu), *streams]
    return subprocess.Popen([sys.executable, "-m", "sim.bench.beside", *told], env=env)


def begun(folder: Path, role: str) -> bool:
    """Return whether the role has begun to write."""
    return (folder / WRITES[role]).exists()


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was told to end; one that does not is killed."""
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def late(since: float) -> None:
    """Raise BMIError if what was started at ``since``, by the monotonic clock, has had its time to begin."""
    if time.monotonic() - since > START_S:
        raise BMIError("bench patient: what runs beside the session did not start")


def sleeper(runtime: Path, folder: Path, control: Control) -> None:
    """Wake half a period after each push and do nothing else, until QUIT."""
    clock, pushes = LSLClock(), np.load(runtime / TIMES, mmap_mode="r", allow_pickle=False)
    np.save(folder / SLEPT, np.full((len(pushes), 2), np.nan))
    times = np.load(folder / SLEPT, mmap_mode="r+", allow_pickle=False).view(np.ndarray)
    while np.isnan(pushes[0]).any() and not control.get(Word.QUIT):
        time.sleep(0.01)
    if control.get(Word.QUIT):
        return
    t0 = float(pushes[0, 0]) + 0.5 * GRID_S
    k = max(0, round((clock.now() - t0) / GRID_S)) + 1
    times[:k] = 0.0
    punctual()
    while not control.get(Word.QUIT) and k < len(times):
        t = t0 + k * GRID_S
        clock.sleep_until(t)
        times[k] = clock.now() - t, time.thread_time()
        k += 1


def listener(folder: Path, control: Control, streams: list[str]) -> None:
    """Read streams until the lane is done; say what came and what was lost."""
    from bmi.lsl.inlet import LSLSource

    sources = [LSLSource(name=name) for name in streams]
    told = {name: {"samples": 0, "lost": 0} for name in streams}
    for source in sources:
        source.open()
    path = folder / HEARD
    path.write_text(json.dumps(told), encoding="utf-8")
    while not control.get(Word.QUIT) and control.get(Word.LANE_STATE) < LaneState.DONE:
        time.sleep(2.0 * GRID_S)
        for source in sources:
            while (chunk := source.read(0.0)) is not None:
                told[source.name]["samples"] += len(chunk.data)
                told[source.name]["lost"] += chunk.n_lost_before
    for source in sources:
        source.close()
    path.write_text(json.dumps(told), encoding="utf-8")


def main(role: str, runtime: Path, folder: Path, cpu: str, *streams: str) -> None:
    """Be one of the two."""
    keep_off(json.loads(cpu))
    control = Control.open(runtime / CONTROL_FILE)
    gc.freeze()
    gc.disable()
    if role == "sleeper":
        sleeper(runtime, folder, control)
    else:
        listener(folder, control, list(streams))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
