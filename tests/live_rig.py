"""A short live session for tests: real processes, real LSL, a simulated participant; recorded once a run.

Live time is real time, so whoever only wants a recording shares the one `recorded` makes.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bmi.clock import LSLClock
from bmi.control import Word
from bmi.part import PartWriter
from bmi.recording import Recording
from bmi.ring import Ring
from bmi.session import Session
from bmi.signals import AnyArray, Command, Event, GateState

PIDS = {
    "lane": Word.LANE_PID,
    "record": Word.RECORDER_PID,
    "world": Word.WORLD_PID,
    "learn": Word.LEARNER_PID,
}


def short(calibrate_s: float = 4.0, scored_s: float = 2.5, **more: Any) -> dict[str, Any]:
    """Return overrides that cut the shipped recipe to seconds: short reaches that never turn back, small batches.

    The learner needs two directions before it speaks; so it does speak in these few seconds.
    """
    return {
        "blocks.0.seconds": calibrate_s,
        "blocks.1.seconds": scored_s,
        "task.distance_mm": 40,
        "task.hold_s": 0.1,
        "task.inter_trial_s": 0.1,
        "task.return_to_centre": False,
        "decoder.learner.batch_s": 1.0,
        "decoder.learner.half_life_s": 4.0,
        "decoder.learner.min_samples": 30,
        "session.seed": 3,
        **{k.replace("__", "."): v for k, v in more.items()},
    }


def alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def processes_of(runtime: Path | str) -> list[int]:
    """Return the process ids that run ``bmi.process`` for one runtime folder."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if b"bmi.process" in line and str(runtime).encode() in line and alive(int(entry.name)):
            pids.append(int(entry.name))
    return pids


@dataclass
class Lived:
    """What came of a session that was watched while it ran and stopped by hand at its end."""

    out: Path
    runtime: Path = Path()
    summary: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    intents: list[AnyArray] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    pids: dict[str, int] = field(default_factory=dict)
    control: dict[str, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    rings: dict[str, AnyArray] = field(default_factory=dict)
    """What the lane's rings held at the end, read past the recorder, by topic."""
    stopped_t: float = np.nan
    """When STOP was pressed, s, LSL clock."""

    def __post_init__(self) -> None:
        self.recording: Recording


async def _live(out: Path) -> Lived:
    session = Session.open("center_out", short(), out=out)
    lived = Lived(out)
    session.progress = lived.words.append
    async with session as s:
        lived.runtime = s.runtime
        lived.pids = {role: s.control.get(word) for role, word in PIDS.items()}
        rings = [Ring.open(p) for p in s.runtime.glob("*.ring")]

        async def hear() -> None:
            async for event in s.events():
                lived.events.append(event)

        async def watch() -> None:
            async for row in s.intents():
                lived.intents.append(row)

        async def follow() -> None:
            async for command in s.commands():
                lived.commands.append(command)
                scored = next((e.t for e in lived.events if e.kind == "block.start" and e.data["block"] == 1), np.inf)
                moving = command.state == GateState.ACTIVE and np.linalg.norm(command.values) > 20.0
                if np.isnan(lived.stopped_t) and moving and command.t_command - scored > 1.0:
                    lived.stopped_t = LSLClock().now()
                    s.stop()

        async with asyncio.TaskGroup() as tasks:
            for watcher in (hear(), watch(), follow()):
                tasks.create_task(watcher)
            await asyncio.sleep(0.0)  # they listen before it is armed
            lived.summary = await s.run()
        lived.rings = {ring.topic: ring.reader("oldest").read() for ring in rings}
        lived.control = {w.name: s.control.get(w) for w in (Word.STOP, Word.LANE_STATE, Word.LANE_STEPS)}
    return lived


@cache
def recorded() -> Lived:
    """Live one short session, once a test run: calibrate 4 s, reach 2.5 s, STOP while moving in the latter."""
    folder = Path(tempfile.mkdtemp(prefix="bmi-tests-session-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    lived = asyncio.run(_live(folder / "out"))
    lived.recording = Recording.open(lived.out)
    return lived


def rewrite(
    source: Path,
    target: Path,
    change: dict[str, AnyArray] | None = None,
    without: dict[str, tuple[int, int]] | None = None,
    metadata: dict[str, dict[str, str]] | None = None,
) -> Path:
    """Write a recording again with the project's own part writer: a forgery whose checksums all hold.

    Parameters
    ----------
    change : dict of str to array
        Rows to write in place of a topic's own.
    without : dict of str to (first, end)
        Rows to leave out of a topic, by their place in it.
    metadata : dict, optional
        In place of the recording's own.
    """
    recording = Recording.open(source)
    target.mkdir()
    part = PartWriter(target / "part-000.mcap", recording.metadata if metadata is None else metadata)
    for topic in recording.topics:
        rows = (change or {}).get(topic, recording.read(topic))
        a, b = (without or {}).get(topic, (len(rows), len(rows)))
        for first, piece in ((0, rows[:a]), (b, rows[b:])):
            if len(piece):
                part.write_rows(topic, first, piece, recording.meta(topic))
    part.finish()
    return target
