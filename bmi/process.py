"""The processes of a session: ``python -m bmi.process lane|learn|record|tap|world RUNTIME``.

Everything a process needs stands in the runtime folder, so that each can be started, watched and killed alone.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import numpy as np

from bmi import recipe as recipes
from bmi.blocks import Blocks
from bmi.clock import LSLClock
from bmi.contracts import Guarded
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.errors import BMIError, ContractError
from bmi.guard import hand_over
from bmi.line import Line
from bmi.pipeline import Pipeline
from bmi.recipe import Recipe
from bmi.signals import StreamSpec

log = logging.getLogger("bmi")
_PR_SET_PDEATHSIG = 1
STREAMS = ("task", "world", "bootstrap")
"""Purposes of random numbers in a session; each has its own child of the seed."""


def rng_for(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose, independent of the others and of the order of asking."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(purpose),)))


def dims_of(recipe: Recipe) -> int:
    """Return in how many dimensions the session's participant sees an effector move."""
    return int(getattr(recipe.world, "n_dims", 2)) if recipe.device is None else len(recipe.device.spec.dims)


def make_line(recipe: Recipe) -> Line:
    """Put the constructed parts of a recipe together, not yet bound."""
    pipeline = Pipeline(recipe.stages, recipe.decoder, recipe.click, recipe.unheard)
    return Line(
        pipeline=pipeline, gate=recipe.gate, device=recipe.device, task=recipe.task,
        blocks=Blocks(recipe.blocks), assist=recipe.assist,
    )  # fmt: skip


def bind_line(recipe: Recipe, line: Line, specs: tuple[StreamSpec, ...]) -> None:
    """Bind a line, and the therapy beside it, to their streams; compiles what the kernel cache does not hold yet.

    Raises
    ------
    ContractError
        If parts do not fit, or the device can hurt and nobody but the lane could stop it.
    """
    if recipe.device.spec.hardware and not isinstance(recipe.device, Guarded):
        raise ContractError(
            f"device {recipe.device.spec.name!r} is hardware and has no guard_link(): the guard process could not stop "
            "it alone. Give it one (bmi.contracts.Guarded), or declare hardware=False if it cannot hurt"
        )
    line.bind(specs, rng_for(recipe.session.seed, "task"), cold_start=recipe.learner is not None)
    if recipe.therapy is not None:
        recipe.therapy.bind(specs)


def real_time(cpu: int | None, fifo: bool, priority: int = 10) -> str:
    """Pin this process and ask for SCHED_FIFO where permitted; return what came of it.

    Called before any inlet exists, so that liblsl's own threads inherit both.
    """
    allowed = sorted(os.sched_getaffinity(0))
    said = []
    if cpu != -1:
        chosen = allowed[-1] if cpu is None else cpu
        try:
            os.sched_setaffinity(0, {chosen})
            said.append(f"pinned to CPU {chosen}")
        except OSError as e:
            said.append(f"not pinned to CPU {chosen}: {e}")
    if fifo and len(allowed) > 1:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
            said.append(f"SCHED_FIFO {priority}")
        except OSError as e:
            said.append(f"SCHED_FIFO refused ({e.strerror}); timing is best effort")
    return ", ".join(said) or "default scheduling"


def ordinary() -> None:
    """Give the calling thread's real-time priority back; threads it started keep theirs."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def keep_off(cpu: int | None) -> None:
    """Leave the live lane's processor to the lane, if there is another."""
    allowed = set(os.sched_getaffinity(0))
    others = allowed - {max(allowed) if cpu is None else cpu}
    if cpu != -1 and others:
        os.sched_setaffinity(0, others)


def die_with_session(control: Control) -> None:
    """Have the kernel send SIGTERM when the session's own process dies: nobody may move a device unwatched."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != control.get(Word.SERVICE_PID):  # it died before we asked
        control.set(Word.QUIT, 1)


def _lane(runtime: Path, recipe: Recipe, control: Control) -> None:
    from bmi.lane import Journal, Lane
    from bmi.params import flatten
    from bmi.slots import Slots

    control.set(Word.LANE_PID, os.getpid())
    line = make_line(recipe)
    # liblsl's threads are born with the lane's priority; the lane itself takes it up only once it has compiled.
    (runtime / "lane.txt").write_text(real_time(recipe.lane.cpu, recipe.lane.fifo))
    for source in recipe.sources:
        source.open()
    ordinary()
    devices = [recipe.device] if recipe.therapy is None else [recipe.device, recipe.therapy.device]
    try:
        for device in devices:
            device.open()
        if isinstance(recipe.device, Guarded):
            hand_over(runtime, recipe.device.guard_link())
        bind_line(recipe, line, tuple(s.spec for s in recipe.sources))
        slots = None
        if recipe.learner is not None:
            vector = flatten(line.pipeline.params_)
            slots = Slots.create(runtime / "params.slots", len(vector), initial=vector)
        therapy, learns = recipe.therapy, recipe.learner is not None
        journal = Journal(runtime, line, ring_s=recipe.record.ring_s, learns=learns, therapy=therapy)
        poll_s = recipe.lane.poll_s
        lane = Lane(line, recipe.sources, LSLClock(), control, journal, slots, poll_s=poll_s, therapy=therapy)
        real_time(recipe.lane.cpu, recipe.lane.fifo)
        drain(recipe)
        gc.collect()
        gc.freeze()
        gc.disable()
        control.set(Word.LANE_STATE, LaneState.READY)
        lane.run()
    finally:
        for device in devices:
            device.close()
        for source in recipe.sources:
            source.close()


def _tap(runtime: Path, recipe: Recipe, control: Control) -> None:
    from bmi.tap import Tap

    control.set(Word.LANE_PID, os.getpid())
    (runtime / "lane.txt").write_text(real_time(recipe.lane.cpu, recipe.lane.fifo))
    try:
        for source in recipe.sources:
            source.open()
        kept = {"ring_s": recipe.record.ring_s, "poll_s": recipe.lane.poll_s}
        tap = Tap(runtime, recipe.sources, LSLClock(), control, **kept)
        drain(recipe)
        gc.collect()
        gc.freeze()
        control.set(Word.LANE_STATE, LaneState.READY)
        tap.run()
    finally:
        for source in recipe.sources:
            source.close()


def drain(recipe: Recipe) -> None:
    """Forget what queued up while kernels were compiled: the first step starts with fresh samples."""
    for source in recipe.sources:
        while source.read(0.0) is not None:
            pass


def _learn(runtime: Path, recipe: Recipe, control: Control) -> None:
    from bmi.clicks import adaptation
    from bmi.learner import run as adapt
    from bmi.ring import Ring

    control.set(Word.LEARNER_PID, os.getpid())
    meta = Ring.open(runtime / "features.ring").dtype
    specs = tuple(_spec_of(runtime, s.label) for s in recipe.sources)
    pipeline = make_line(recipe).pipeline
    pipeline.bind(specs, cold_start=True)
    n_features, n_dims = meta["y"].shape[0], meta["intended"].shape[0]
    adapt(runtime, adaptation(recipe, pipeline, n_features, n_dims), control)


def _spec_of(runtime: Path, label: str) -> StreamSpec:
    """Read a stream's shape back from the header of its ring."""
    from bmi.ring import Ring

    ring = Ring.open(runtime / f"samples-{label}.ring")
    meta = ring.meta
    return StreamSpec(
        name=label, n_channels=ring.dtype["data"].shape[0], rate_hz=meta["rate_hz"], unit=meta["unit"],
        max_samples=meta["max_samples"], labels=tuple(meta["labels"]),
    )  # fmt: skip


def _record(runtime: Path, recipe: Recipe, control: Control) -> None:
    from bmi.recorder import run_recorder

    run_recorder(runtime, Path((runtime / "out.txt").read_text()))


def _world(runtime: Path, recipe: Recipe, control: Control) -> None:
    from bmi.world import run

    control.set(Word.WORLD_PID, os.getpid())
    rng = rng_for(recipe.session.seed, "world")
    assert recipe.world is not None  # noqa: S101 - the session starts this process for a world only
    run(recipe.world, rng, runtime, dims_of(recipe), LSLClock(), control, recipe.therapy)


def main(argv: list[str]) -> int:
    """Run one role; on a fault say why in ``<role>.err`` and in the control page, and stop everything."""
    role, runtime = argv[0], Path(argv[1])
    logging.basicConfig(filename=runtime / f"{role}.log", level=logging.INFO)
    control = Control.open(runtime / "control")

    def quit_(signum: int, frame: FrameType | None) -> None:
        control.set(Word.QUIT, 1)

    signal.signal(signal.SIGTERM, quit_)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if role != "record":  # the recorder sees to itself: it must outlive the lane
        die_with_session(control)
    word, fault, done = {
        "lane": (Word.LANE_STATE, LaneState.FAULT, LaneState.DONE),
        "tap": (Word.LANE_STATE, LaneState.FAULT, LaneState.DONE),
        "learn": (Word.LEARNER_STATE, ProcessState.FAULT, ProcessState.DONE),
        "record": (Word.RECORDER_STATE, ProcessState.FAULT, ProcessState.DONE),
        "world": (Word.WORLD_STATE, ProcessState.FAULT, ProcessState.DONE),
    }[role]
    try:
        raw = recipes.read(runtime / "recipe.json")
        recipe = recipes.build(raw, str(runtime / "recipe.json"), signals=recipes.is_signals(raw))
        if role not in ("lane", "tap"):
            keep_off(recipe.lane.cpu)
        roles = {"lane": _lane, "learn": _learn, "record": _record, "tap": _tap, "world": _world}
        roles[role](runtime, recipe, control)
    except Exception as e:  # the one place: whatever happened, the device is already stopped
        log.exception("%s failed", role)
        code = e.exit_code if isinstance(e, BMIError) else 3
        error = {"type": type(e).__name__, "message": str(e), "exit_code": code}
        (runtime / f"{role}.err").write_text(json.dumps(error), encoding="utf-8")
        control.set(word, fault)
        return code
    control.set(word, done)
    if role == "record" and control.get(Word.SERVICE_PID) not in (0, os.getppid()):
        shutil.rmtree(runtime, ignore_errors=True)  # nobody else is left to tidy up
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
