"""The same blocks once more: what of their processor time was their own work, and what the machine's doing.

Processor time, as the system counts it, goes on while another tenant has the core, if the host does not say so. But
the patient is a function of its seed and of what it saw. So who lives through the session again, in real time and
with the streams read as before, computes every block from the same numbers to the same numbers, which a checksum of
all that is pushed proves. Own work takes the same both times; of two readings of it the lower one is nearer to it, and
never too low.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bmi.clock import LSLClock
from bmi.control import CONTROL_FILE, Control, LaneState, ProcessState, Word
from bmi.errors import BMIError
from bmi.lsl.config import private_lsl_config
from bmi.process import dims_of, keep_off, rng_for
from bmi.recording import Recording
from bmi.replay import recipe_of
from bmi.signals import F64, AnyArray
from bmi.world import TIMES, Past, run
from sim.bench import beside

LIVED = "lived.npy"
"""In the folder of the second life: the file ``TIMES`` of the first."""


class Again(NamedTuple):
    """Blocks computed twice, in the order in which they were lived."""

    own_ms: F64
    """(n,) processor time the second time."""
    same: AnyArray
    """(n,) whether everything pushed so far was the same, bit by bit."""


def lived_again(
    recording: Path, times: F64, folder: Path, streams: Sequence[str], cpu: int | None,
    progress: Callable[[float], object],
) -> Again:  # fmt: skip
    """Have the participant of a session live through its first pushes once more, in a process of its own.

    Parameters
    ----------
    recording : Path
        Of the session.
    times : (n + 1, 4) float64
        What its file ``TIMES`` held, from the first row to the last push that is wanted.
    folder : Path
        Empty, for what is written meanwhile.
    streams : sequence of str
        What the participant publishes, to be read again.
    cpu : int or None
        The live lane's processor, which the participant keeps off.
    progress : callable
        Told now and then how much of it is done.

    Raises
    ------
    BMIError
        If the process fails.
    """
    np.save(folder / LIVED, times)
    np.save(folder / TIMES, np.full(times.shape, np.nan))
    control = Control.create(folder / CONTROL_FILE)
    control.set(Word.LANE_STATE, LaneState.RUNNING)  # the streams outlive who reads them, as in a session
    env = {**os.environ, **private_lsl_config(folder)}
    told = [str(recording), str(folder), json.dumps(cpu)]
    running = [subprocess.Popen([sys.executable, "-m", "sim.bench.again", *told], env=env)]
    try:
        while running[0].poll() is None:
            if len(running) == 1 and control.get(Word.WORLD_STATE) == ProcessState.RUNNING:
                running.append(beside.start("listener", folder, folder, cpu, streams))
            progress((done := rows(folder / TIMES)) / len(times))
            if done == len(times):
                control.set(Word.QUIT, 1)
            time.sleep(0.3)
    finally:
        control.set(Word.QUIT, 1)
        for process in running:
            beside.end(process)
    if running[0].returncode:
        raise BMIError(f"bench patient: the second life of the participant ended with {running[0].returncode}")
    return compared(times, np.load(folder / TIMES, allow_pickle=False))


def compared(times: F64, again: F64) -> Again:
    """Return what the second life took, and how far it was the same."""
    return Again(1e3 * np.diff(again[:, 1]), np.logical_and.accumulate(times[1:, 3] == again[1:, 3]))


def rows(path: Path) -> int:
    """Return how many rows of a file ``TIMES`` have been written."""
    return int(np.isfinite(np.load(path, allow_pickle=False)[:, 1]).sum())


def main(recording: Path, folder: Path, cpu: str) -> None:
    """Live through a session again."""
    recipe = recipe_of(was := Recording.open(recording))
    keep_off(json.loads(cpu))
    n_dims = dims_of(recipe)
    past = Past(was.read("/steps"), np.load(folder / LIVED, allow_pickle=False), n_dims)
    assert recipe.world is not None  # noqa: S101 - the bench refuses a recipe without a world
    rng, control = rng_for(recipe.session.seed, "world"), Control.open(folder / CONTROL_FILE)
    run(recipe.world, rng, folder, n_dims, LSLClock(), control, past=past)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
