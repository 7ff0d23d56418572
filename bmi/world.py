"""Keeps a simulated participant in real time: regular pushes with absolute deadlines, own overruns counted."""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bmi.contracts import Clock, Stimulated, World
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.limits import DEADMAN_S
from bmi.lsl.outlet import Outlet
from bmi.ring import Reader, Ring
from bmi.signals import AnyArray, EffectorState, Goal
from bmi.streams import draw, sent
from bmi.therapy import RING, Therapy

LINGER_S = 1.0
"""The stream outlives its reader's last turn, so that an end in order is no lost stream, by this at most, s."""
REHEARSAL_S = 5.0
"""Binding anew is given as long as the first time, but at most this, s: that time compiled as well."""
TIMES = "world.npy"
"""Who wants to know lays this file, float64 (n, 2), into the runtime folder before the world starts. Row 0 becomes t0
and the thread's processor time then, row k how late push k was due to leave and the processor time after it, s."""


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

    def look(self, world: World) -> None:
        """Show the world the newest step, if there is one."""
        if self._steps is None:
            if not self._path.exists():
                return
            self._steps = Ring.open(self._path).reader("now")
        row = self._steps.latest()
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
    therapy: Therapy | None = None,
) -> None:  # fmt: skip
    """Publish the world's streams over LSL until QUIT.

    Push k is due at ``t0 + k * period``; one that leaves more than a period late is an overrun and is counted. Nothing
    is skipped: late chunks follow at once.
    """
    specs = sent(world)
    sizes = [s.max_samples for s in specs]
    period = sizes[0] / specs[0].rate_hz
    eyes = Eyes(runtime, n_dims)
    contact = None if therapy is None else Contact(runtime, therapy)
    touched = world if isinstance(world, Stimulated) else None
    times = _times(runtime)
    with ExitStack() as stack:
        # A reader that stops reading must not stop the world: +0.1 ms (96 channels, median) for a thread in between.
        outlets = [stack.enter_context(Outlet(s, samples_per_push=s.max_samples, sync=False, buffer_s=2.0))
                   for s in specs]  # fmt: skip
        t0 = _begin(world, rng, clock, sizes)
        control.set(Word.WORLD_STATE, ProcessState.RUNNING)
        k = 0
        times[:1] = t0, time.thread_time()
        while not control.get(Word.QUIT):
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
                times[k] = late, time.thread_time()
        t_end = clock.now() + LINGER_S
        while control.get(Word.LANE_STATE) == LaneState.RUNNING and clock.now() < t_end:
            clock.sleep_until(clock.now() + period)
    control.set(Word.WORLD_STATE, ProcessState.DONE)


def _times(runtime: Path) -> AnyArray:
    """Return where to write what each push took: the file that was laid, or no rows."""
    path = runtime / TIMES
    if not path.exists():
        return np.zeros((0, 2))
    times: AnyArray = np.load(path, mmap_mode="r+", allow_pickle=False).view(np.ndarray)
    return times


def _begin(world: World, rng: np.random.Generator, clock: Clock, sizes: list[int]) -> float:
    """Bind the world so that it has begun by t0, which is returned, s.

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
    world.bind(rng, t0)
    gc.collect()
    gc.freeze()
    return t0
