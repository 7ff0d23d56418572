"""Recording signals alone: streams and markers to disk, no decoder, no device.

The same sources, rings, recorder and recovery as a live session, so that what is recorded here can be inspected,
recovered and decoded later like any other recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from bmi.control import LaneState, ProcessState, Word
from bmi.errors import RecordingError
from bmi.markers import Ears
from bmi.processes import Processes
from bmi.recipe import Recipe
from bmi.ring import Reader, Ring
from bmi.session import as_event, folder_for
from bmi.signals import Event

POLL_S = 0.1


@dataclass
class Reel:
    """How one stream is coming in."""

    name: str
    n_channels: int
    rate_hz: float
    """Nominal, Hz; 0 if irregular."""
    unit: str
    samples: int = 0
    lost: int = 0
    """Samples missing by their numbers (of a sender that numbers them) or by their stamps."""
    measured_hz: float = 0.0
    """Samples a second over the last second or so."""
    silent_s: float = 0.0
    """Time since the last sample, s."""


@dataclass
class TapeState:
    """What a recording looks like at one moment."""

    elapsed_s: float = 0.0
    bytes: int = 0
    dropped: int = 0
    """Ring records overwritten before they were on disk."""
    minutes_left: float = float("inf")
    """Until the disk is full at the present rate."""
    reels: list[Reel] = field(default_factory=list)
    event: Event | None = None
    """The newest thing that happened to a stream."""


class Tape:
    """One recording of signals; an asynchronous context manager.

    Parameters
    ----------
    recipe : Recipe
        Its sources, world, markers, record and lane; the rest is not looked at.
    out : Path, optional
        Folder of the recording; by default ``<record.dir>/<name>-<time>``.
    """

    def __init__(self, recipe: Recipe, out: Path | None = None) -> None:
        self.recipe, self.out = recipe, folder_for(recipe, out)
        self.progress: Callable[[str], object] = lambda text: None
        self.state = TapeState()
        self._ears: Ears | None = None
        self._readers: list[Reader] = []
        self._marks: list[tuple[float, int]] = []
        self._first: dict[int, int] = {}
        self._restarts: list[float] = []

    async def __aenter__(self) -> Tape:
        self._procs = Processes(self.recipe, self.out)
        self.runtime, self.control = self._procs.runtime, self._procs.control
        spawn, until = self._procs.spawn, self._procs.until
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._close)
            if self.recipe.world is not None:
                self.progress("starting the simulated participant")
                await spawn("world")
            self.progress("looking for the streams")
            await spawn("tap")
            await until(Word.LANE_STATE, LaneState.READY, "tap")
            await spawn("record")
            await until(Word.RECORDER_STATE, ProcessState.RUNNING, "record")
            if self.recipe.markers:
                self._ears = Ears(self.runtime, self.recipe.markers)
                self._ears.start()
            for source in self.recipe.sources:
                ring = Ring.open(self.runtime / f"samples-{source.label}.ring")
                self._readers.append(ring.reader("oldest"))
                channels = ring.dtype["data"].shape[0]
                self.state.reels.append(Reel(source.label, channels, ring.meta["rate_hz"], ring.meta["unit"]))
            self._marks = [(time.monotonic(), 0)] * len(self._readers)
            self._events = Ring.open(self.runtime / "events.ring").reader("oldest")
            self._began = time.monotonic()
            undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._ears is not None:
            self._ears.close()
        await self._procs.close()
        with contextlib.suppress(OSError):
            self.out.rmdir()  # nothing was recorded: leave no empty folder behind

    def quit(self) -> None:
        """End the recording in order."""
        self.control.set(Word.QUIT, 1)

    async def run(
        self, seconds: float | None = None, on_state: Callable[[TapeState], object] | None = None
    ) -> dict[str, Any]:
        """Record for so long, or until `quit`, and return what came in.

        Raises
        ------
        BMIError
            What ended the tap or, again and again, the recorder.
        """
        while not self.control.get(Word.QUIT):
            if seconds is not None and time.monotonic() - self._began >= seconds:
                break
            if self._procs.exit_code("tap") is not None:
                self._procs.raise_if_failed("tap")
            await self._mind_recorder()
            self._look()
            if on_state is not None:
                on_state(self.state)
            await asyncio.sleep(POLL_S)
        self.quit()
        await self._procs.wait("tap")
        await self._procs.wait("record")
        self._look()
        if on_state is not None:
            on_state(self.state)
        summary = self.summary()
        with contextlib.suppress(OSError):  # a full disk must not take the result with it
            (self.out / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
        return summary

    async def _mind_recorder(self) -> None:
        """Start a recorder again that was killed; one that fails by itself ends the recording, with its reason."""
        code = self._procs.exit_code("record")
        if code is None:
            return
        if code > 0:
            self._procs.raise_if_failed("record")
        await self._procs.spawn("record")

    def _look(self) -> None:
        state, now = self.state, time.monotonic()
        state.elapsed_s = now - self._began
        state.bytes, state.dropped = self.control.get(Word.RECORDER_BYTES), self.control.get(Word.RECORDER_DROPPED)
        for k, (reader, reel) in enumerate(zip(self._readers, state.reels, strict=True)):
            count = reader.ring.count
            t, n = self._marks[k]
            if now - t >= 1.0:
                reel.measured_hz = (count - n) / (now - t)
                self._marks[k] = (now, count)
            last = reader.latest()
            reel.silent_s = reel.silent_s + POLL_S if count == reel.samples else 0.0
            reel.samples = count
            if last is not None:
                if k not in self._first:
                    self._first[k] = int(reader.ring.reader("oldest").read(1)[0]["seq"])
                reel.lost = int(last["seq"]) + 1 - self._first[k] - count
        per_s = state.bytes / state.elapsed_s if state.elapsed_s > 1.0 else 0.0
        try:
            free = shutil.disk_usage(self.out).free
        except OSError as e:
            raise RecordingError(f"{self.out}: the folder of the recording is gone: {e}") from e
        state.minutes_left = free / per_s / 60.0 if per_s else float("inf")
        for row in self._events.read():
            state.event = as_event(row)

    def summary(self) -> dict[str, Any]:
        """Return what was recorded, by stream."""
        state = self.state
        streams: list[Mapping[str, Any]] = [
            {"name": r.name, "channels": r.n_channels, "rate_hz": r.rate_hz, "unit": r.unit, "samples": r.samples,
             "lost": r.lost}
            for r in state.reels
        ]  # fmt: skip
        return {
            "name": self.recipe.session.name,
            "subject": "simulated" if self.recipe.world is not None else "live",
            "seconds": round(state.elapsed_s, 3),
            "streams": streams,
            "recorder_bytes": state.bytes,
            "recorder_dropped": state.dropped,
            "recording": str(self.out),
            "notice": "research use only; not a medical device",
        }
