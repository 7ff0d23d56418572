"""Signals alone: every stream of a recipe into its ring, nothing decoded, nothing moved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from bmi.contracts import Clock, Source
from bmi.control import Control, LaneState, Word
from bmi.errors import StreamError
from bmi.journal import EVENT_DTYPE
from bmi.ring import Ring
from bmi.samples import SampleRing


class Tap:
    """Reads the sources of a recording until told to stop.

    A stream that is lost or refused says so once, as an event; the others go on.

    Parameters
    ----------
    folder : Path
        Runtime folder.
    sources : sequence of Source
        Open; the thread waits for the first and drains the others.
    clock : Clock
    control : Control
        The lane's words serve the tap: nobody else is there.
    ring_s, poll_s : float
        How far the recorder may fall behind, and the longest wait in a read, s.
    """

    def __init__(
        self, folder: Path, sources: Sequence[Source], clock: Clock, control: Control, *, ring_s: float, poll_s: float
    ) -> None:
        self._sources, self._clock, self._control, self._poll_s = sources, clock, control, poll_s
        self._rings = [SampleRing(folder, s.spec, ring_s) for s in sources]
        self._events = Ring.create(folder / "events.ring", EVENT_DTYPE, 1024, topic="/events")
        self._event = np.zeros(1, EVENT_DTYPE)
        self._told: list[str] = [""] * len(sources)

    def run(self) -> None:
        """Read until QUIT."""
        control = self._control
        control.set(Word.LANE_STATE, LaneState.RUNNING)
        while not control.get(Word.QUIT):
            self.once()

    def once(self) -> None:
        """One turn: the first stream's next chunk, and whatever the others have."""
        for k in range(len(self._sources)):
            timeout = self._poll_s if k == 0 else 0.0
            while self._take(k, timeout) and k:
                pass
        self._control.add(Word.LANE_STEPS)
        self._control.set(Word.LANE_BEAT_NS, perf_counter_ns())

    def _take(self, k: int, timeout_s: float) -> bool:
        """Move one chunk of source ``k`` into its ring; False if there was none."""
        source = self._sources[k]
        try:
            chunk = source.read(timeout_s)
        except StreamError as e:
            self._say(k, "stream.lost", str(e))
            return False
        for event in getattr(source, "events", tuple)():  # what a source has to say, if it is one that speaks
            self._say(k, event.kind, json.dumps(event.data), **event.data)
        if chunk is None:
            return False
        self._rings[k].write(chunk)
        return True

    def _say(self, k: int, kind: str, text: str, **data: object) -> None:
        if self._told[k] == text:
            return
        self._told[k] = text
        word = {"kind": kind, "stream": self._sources[k].spec.name, **(data or {"message": text[:800]})}
        self._event["t"], self._event["text"] = self._clock.now(), json.dumps(word).encode()
        self._events.write(self._event)
