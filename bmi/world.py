"""Keeps a simulated participant in real time: regular pushes with absolute deadlines, own overruns counted."""

from __future__ import annotations

import gc
import logging
import math
import time
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bmi.contracts import Clock, Stimulated, World
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.errors import RecordingError
from bmi.limits import DEADMAN_S
from bmi.lsl.outlet import Outlet
from bmi.punctual import punctual
from bmi.ring import Reader, Ring
from bmi.signals import F64, AnyArray, EffectorState, Goal
from bmi.streams import draw, sent
from bmi.therapy import RING, Therapy

log = logging.getLogger("bmi")
LINGER_S = 1.0
"""The stream outlives its reader's last turn, so that an end in order is no lost stream, by this at most, s."""
REHEARSAL_S = 5.0
"""Binding anew is given as long as the first time, but at most this, s: that time compiled as well."""
TIMES = "world.npy"
"""Who wants to know lays this file, float64 (n, 4), into the runtime folder before the world starts. Row 0 becomes t0
and the thread's processor time then, s; row k how late push k left and the processor time after it, s, the number of
the step that was shown before it, -1 for none, and the CRC-32 of what was pushed."""


class Eyes:
    """What the participant sees of the session: effector and goal, from the lane's own journal.

    Parameters
    ----------
    runtime : Path
        Runtime folder; the ring appears when the lane is ready.
    n_dims : int
    """

    def __init__(self, runtime: Path, n_dims: int) -> None:
        self._path = runtime / "steps.ring"
        self._steps: Reader | None = None
        self.effector = EffectorState.at_rest(n_dims)
        self.goal = Goal(np.zeros(n_dims))
        self.step = -1
        """Number of the step shown last time; -1 if there was none."""

    def newest(self) -> np.void | None:
        """Return the newest step, or None if there is none."""
        if self._steps is None:
            if not self._path.exists():
                return None
            self._steps = Ring.open(self._path).reader("now")
        return self._steps.latest()

    def look(self, world: World) -> None:
        """Show the world the newest step, if there is one."""
        row = self.newest()
        self.step = -1 if row is None else int(row["step"])
        if row is None:
            return
        self.effector.position[:] = row["position"]
        self.effector.velocity[:] = row["velocity"]
        self.effector.t = float(row["now"])
        self.goal.position[:] = row["goal"]
        self.goal.radius = float(row["goal_radius"])
        self.goal.active = bool(row["goal_active"])
        self.goal.trial = int(row["trial"])
        self.goal.t_onset = float(row["goal_onset"])
        self.goal.assist = float(row["assist"])
        world.see(float(row["now"]), self.effector, self.goal)


class Past(Eyes):
    """What the participant of a session saw, to be lived through again: the same seed gives the same samples.

    Parameters
    ----------
    steps : (n_steps,) structured array of ``bmi.journal.step_dtype``
        As recorded.
    times : (n, 4) float64
        The session's file ``TIMES``.
    n_dims : int

    Raises
    ------
    RecordingError
        If a step that was seen is not among those recorded.
    """

    def __init__(self, steps: AnyArray, times: F64, n_dims: int) -> None:
        super().__init__(Path(), n_dims)
        self.t0 = float(times[0, 0])
        self.n_pushes = int(np.isfinite(times[:, 1]).sum()) - 1
        seen = times[1 : self.n_pushes + 1, 2].astype(np.int64)
        missing = np.setdiff1d(seen[seen >= 0], steps["step"])
        if len(missing):
            raise RecordingError(f"the participant saw step {missing[0]}, which is not in the recording")
        row = {int(k): i for i, k in enumerate(steps["step"])}
        self._rows = (None if k < 0 else steps[row[int(k)]] for k in seen)

    def newest(self) -> np.void | None:
        """Return what was the newest step when this push was computed."""
        return next(self._rows)


class Contact:
    """What reaches the participant from the stimulator, from the lane's own journal.

    Parameters
    ----------
    runtime : Path
        Runtime folder; the ring appears when the lane is ready.
    therapy : Therapy
        Says where the current passes and what its pulses are.
    """

    def __init__(self, runtime: Path, therapy: Therapy) -> None:
        self._path = runtime / RING
        self._rows: Reader | None = None
        self._site, self._program = therapy.site, therapy.program

    def touch(self, world: Stimulated, now: float) -> None:
        """Let the newest amplitude pass; a stimulator that has not been heard of for 80 ms has let go."""
        if self._rows is None:
            if not self._path.exists():
                return
            self._rows = Ring.open(self._path).reader("now")
        row = self._rows.latest()
        if row is None:
            return
        t = float(row["now"])
        if now - t >= DEADMAN_S:
            world.stimulate(now, self._site, 0.0, self._program)
        else:
            world.stimulate(t, self._site, float(row["applied"]), self._program)


def run(
    world: World, rng: np.random.Generator, runtime: Path, n_dims: int, clock: Clock, control: Control,
    therapy: Therapy | None = None, past: Past | None = None,
) -> None:  # fmt: skip
    """Publish the world's streams over LSL until QUIT, or until the ``past`` is over.

    Push k is due at ``t0 + k * period``; one that leaves more than a period late is an overrun and is counted. Nothing
    is skipped: late chunks follow at once.
    """
    specs = sent(world)
    sizes = [s.max_samples for s in specs]
    period = sizes[0] / specs[0].rate_hz
    eyes = Eyes(runtime, n_dims) if past is None else past
    last = math.inf if past is None else past.n_pushes
    contact = None if therapy is None else Contact(runtime, therapy)
    touched = world if isinstance(world, Stimulated) else None
    times = _times(runtime)
    with ExitStack() as stack:
        # A reader that stops reading must not stop the world: +0.1 ms (96 channels, median) for a thread in between.
        outlets = [stack.enter_context(Outlet(s, samples_per_push=s.max_samples, sync=False, buffer_s=2.0))
                   for s in specs]  # fmt: skip
        t0 = _begin(world, rng, clock, sizes, past)
        log.info("the participant's thread: %s", punctual())
        control.set(Word.WORLD_STATE, ProcessState.RUNNING)
        k = 0
        times[:1] = t0, time.thread_time(), -1, 0
        while k < last and not control.get(Word.QUIT):
            k += 1
            t = t0 + k * period
            eyes.look(world)
            if contact is not None and touched is not None:
                contact.touch(touched, clock.now())
            chunks = [draw(world, i, n) for i, n in enumerate(sizes)]
            clock.sleep_until(t)
            late = clock.now() - t
            if late > period:
                control.add(Word.WORLD_OVERRUNS)
            for outlet, data in zip(outlets, chunks, strict=True):
                outlet.push(data, t)
            control.add(Word.WORLD_SAMPLES, sum(sizes))
            if k < len(times):
                times[k] = late, time.thread_time(), eyes.step, crc(chunks)
        t_end = clock.now() + LINGER_S
        while control.get(Word.LANE_STATE) == LaneState.RUNNING and clock.now() < t_end:
            clock.sleep_until(clock.now() + period)
    control.set(Word.WORLD_STATE, ProcessState.DONE)


def _times(runtime: Path) -> AnyArray:
    """Return where to write what each push took: the file that was laid, or no rows."""
    path = runtime / TIMES
    if not path.exists():
        return np.zeros((0, 4))
    times: AnyArray = np.load(path, mmap_mode="r+", allow_pickle=False).view(np.ndarray)
    return times


def crc(chunks: Iterable[AnyArray]) -> int:
    """Return the CRC-32 of what the arrays hold, one after another."""
    value = 0
    for data in chunks:
        value = zlib.crc32(data.data, value)
    return value


def _begin(world: World, rng: np.random.Generator, clock: Clock, sizes: list[int], past: Past | None) -> float:
    """Bind the world so that it has begun by t0, which is returned, s; who lives a past again, begins as then.

    It is bound twice, and drawn from in between: what compiles, compiles before the session's own time. Of what is
    there then the garbage collector never looks at anything again; it stays on, for worlds that make cycles, and has
    little to look at.
    """
    t = clock.now()
    world.bind(np.random.default_rng(0), 0.0)
    for i, n in enumerate(sizes):
        draw(world, i, n)
    gc.collect()
    t0 = clock.now() + min(clock.now() - t, REHEARSAL_S)
    world.bind(rng, t0 if past is None else past.t0)
    gc.collect()
    gc.freeze()
    return t0
