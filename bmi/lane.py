"""The live lane: one thread that blocks in liblsl, takes one step, writes the command, and writes down what it did.

Nothing else lives here. Whoever wants to know what happens reads the rings; nobody can slow the lane down.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from bmi.contracts import Clock, Source, State
from bmi.control import Control, LaneState, Word
from bmi.errors import StreamError
from bmi.guard import Heed
from bmi.journal import EVENT_DTYPE, event_text, feature_dtype
from bmi.line import Line
from bmi.params import flatten, unflatten
from bmi.pipeline import pack_into
from bmi.ring import Ring
from bmi.samples import SampleRing
from bmi.signals import AnyArray, Bundle, Chunk, Event
from bmi.slots import Slots
from bmi.therapy import RECORD, RING, TOPIC, Therapy

SNAPSHOT_S = 1.0
_MOST_TURNS = 32  # of the other streams' chunks taken after one of the primary
_ARM, _STOP = int(Word.ARM), int(Word.STOP)  # plain numbers: an enum member is looked up before the command leaves


class Journal:
    """The rings of a session, and how the lane writes to them.

    Parameters
    ----------
    folder : Path
        Runtime folder of the session; readers find the rings there.
    line : Line
        Bound, so that every shape is known.
    ring_s : float
        How far a reader may fall behind before records are overwritten (and counted), s.
    learns : bool
        Whether a learner wants the features.
    therapy : Therapy, optional
        Bound; stimulates beside the line.
    """

    def __init__(
        self, folder: Path, line: Line, *, ring_s: float, learns: bool, therapy: Therapy | None = None
    ) -> None:
        self._line, self._therapy = line, therapy
        self.samples = [SampleRing(folder, spec, ring_s) for spec in line.specs]
        rate = max(s.rate_hz / s.max_samples for s in line.specs) or 1000.0
        steps = int(ring_s * (rate + 250.0)) + 64
        self.steps = Ring.create(folder / "steps.ring", line.record.row.dtype, steps, topic="/steps")
        self.events = Ring.create(folder / "events.ring", EVENT_DTYPE, 1024, topic="/events")
        self._event = np.zeros(1, EVENT_DTYPE)
        vector = flatten(line.pipeline.params_)
        self._param = np.zeros(1, [("step", "<i8"), ("version", "<i8"), ("values", "<f8", vector.shape)])
        self.params = Ring.create(folder / "params.ring", self._param.dtype, 64, topic="/params")
        self.therapy = None if therapy is None else Ring.create(folder / RING, RECORD, steps, topic=TOPIC)
        size = max(sum(a.nbytes for a in self._state()), 1)
        snapshot = np.dtype([("step", "<i8"), ("now", "<f8"), ("state", "u1", (size,))])
        self.snapshots = Ring.create(folder / "snapshots.ring", snapshot, 8, topic="/snapshots")
        self._t_snap = -np.inf
        self.features: Ring | None = None
        if learns:
            n_features = sum(s.n_channels for s in line.pipeline.features)
            self._feature = np.zeros(1, feature_dtype(n_features, len(line.record.goal)))
            self.features = Ring.create(folder / "features.ring", self._feature.dtype, steps, topic="/features")

    def parameters(self) -> None:
        """Write the decoder's parameters down: at the start and at every change."""
        pipeline = self._line.pipeline
        p = self._param[0]
        p["step"], p["version"] = self._line.record.step + 1, pipeline.decoder.params_version
        self._param["values"][0] = flatten(pipeline.params_)
        self.params.write(self._param)

    def snapshot(self, now: float) -> None:
        """Once a second, between two steps: everything the next one depends on."""
        if now - self._t_snap < SNAPSHOT_S:
            return
        self._t_snap = now
        row = self.snapshots.rows[self.snapshots.reserve()]
        row["step"] = self._line.record.step + 1
        row["now"] = now
        pack_into(self._state(), row["state"])
        self.snapshots.commit()

    def _state(self) -> State:
        return self._line.state() if self._therapy is None else (*self._line.state(), *self._therapy.state())

    def step(self, bundle: Bundle) -> None:
        """After a step: its samples, its record, its features and its events."""
        for k, chunk in enumerate(bundle):
            if chunk is not None:
                self.samples[k].write(chunk)
        line = self._line
        self.steps.write(line.record.row)
        if self.therapy is not None and self._therapy is not None:
            self.therapy.write(self._therapy.row)
        if self.features is not None and line.intent is not None:
            line.feature(self._feature)
            self.features.write(self._feature)
        if line.events:
            for event in line.events:
                self.event(event)
            line.events.clear()

    def idle_step(self) -> AnyArray:
        """Return a record, (1,), of a step in which nothing was commanded."""
        row = self._line.record.row.copy()
        row["command_seq"] = -1
        row["n_samples"] = 0
        return row

    def event(self, event: Event) -> None:
        """Write one event down."""
        self._event["t"] = event.t
        self._event["text"] = event_text(event)
        self.events.write(self._event)


class Lane:
    """Reads, steps, writes, until told to stop or the blocks are over.

    No fault of a stream ends it: the gate rests on silence, what happened is an event, and a source that returns is
    read again.

    Parameters
    ----------
    line : Line
        Bound.
    sources : sequence of Source
        Open; the first is the primary, on which the thread blocks.
    clock : Clock
        The LSL clock, or a manual one.
    control : Control
        STOP, ARM and QUIT words; counters.
    journal : Journal or None
        Where steps are written down.
    slots : Slots or None
        Where new parameters come from.
    poll_s : float
        Longest wait in a read, s: how late STOP can be seen.
    therapy : Therapy or None
        Bound; takes its step when the line's command has left.
    """

    def __init__(
        self,
        line: Line,
        sources: Sequence[Source],
        clock: Clock,
        control: Control,
        journal: Journal | None = None,
        slots: Slots | None = None,
        *,
        poll_s: float = 0.005,
        therapy: Therapy | None = None,
    ) -> None:
        self.therapy = therapy
        self.line, self.clock, self.control, self.journal, self.slots = line, clock, control, journal, slots
        self._words = control.words
        self._heed = Heed(control, hardware=line.device.spec.hardware)
        self._primary, self._others = sources[0], tuple(sources[1:])
        self._sources = tuple(sources)
        self._speakers = tuple(s.events for s in sources if hasattr(s, "events"))
        self._complained: dict[str, float] = {}
        self._poll_s = poll_s
        self._offsets = [0.0] * len(sources)
        spec = line.specs[0]
        self._period_s = spec.max_samples / spec.rate_hz if spec.rate_hz else np.inf

    def run(self) -> None:
        """Live until QUIT or the end of the last block; every device is stopped on every way out."""
        control, line, devices = self.control, self.line, [self.line.device]
        if self.therapy is not None:
            devices.append(self.therapy.device)
        try:
            for device in devices:
                device.arm()
            if self.journal is not None:
                self.journal.parameters()
                self.journal.snapshot(self.clock.now())
                self.journal.event(_block_start(self.clock.now(), line))
            control.set(Word.LANE_STATE, LaneState.RUNNING)
            while not (control.get(Word.QUIT) or line.blocks.done):
                self.once()
        finally:
            for device in devices:
                device.stop("the lane ended")
            control.set(Word.LANE_STATE, LaneState.READY)  # no longer running: its silence means nothing now

    def once(self) -> None:
        """One turn: read, swap parameters if new ones lie ready, step, write down.

        Notes
        -----
        *Realtime*: once a push, or every ``poll_s`` while the stream is silent.
        """
        try:
            chunk = self._primary.read(self._poll_s)
        except StreamError as e:
            chunk = None
            self._complain(self._primary, e)
            self.clock.sleep_until(self.clock.now() + self._poll_s)
        if not self._others:
            self._step((chunk,))
            return
        bundle = (chunk, *map(self._next, self._others))
        self._step(bundle)
        for _ in range(_MOST_TURNS):  # the others may push more often than the primary
            if bundle[1:].count(None) == len(self._others) or self.line.blocks.done:
                return
            bundle = (None, *map(self._next, self._others))
            if bundle.count(None) < len(bundle):
                self._step(bundle)

    def _next(self, source: Source) -> Chunk | None:
        """Return what a stream besides the primary has ready."""
        try:
            return source.read(0.0)
        except StreamError as e:
            self._complain(source, e)
            return None

    def _complain(self, source: Source, error: StreamError) -> None:
        """Write down that a source gave up, at most once a second; it is asked again all the same."""
        name, now = source.spec.name, self.clock.now()
        if now - self._complained.get(name, -np.inf) >= 1.0:
            self._complained[name] = now
            self.line.events.append(Event(now, "stream.lost", {"stream": name, "message": str(error)}))

    def _step(self, bundle: Bundle) -> None:
        """Take one step with what was read, and write it down."""
        chunk = bundle[0]
        clock, control, line, journal = self.clock, self.control, self.line, self.journal
        now = clock.now()
        block = line.blocks.index
        words = self._words
        armed = self._heed.arms(perf_counter_ns()) and words[_ARM] != 0
        line.step(bundle, now, arm=armed, stop=words[_STOP] != 0, clock=clock.now)
        # The command has left. What follows has until the next push.
        therapy = self.therapy
        if therapy is not None:
            therapy.step(bundle, now, line.record.step, arm=armed, stop=words[_STOP] != 0, clock=clock.now)
            if therapy.events:
                line.events.extend(therapy.events)
                therapy.events.clear()
        for k, source in enumerate(self._sources):
            self._offsets[k] = getattr(source, "clock_offset", 0.0)
        line.record.offsets(self._offsets)
        if line.blocks.index != block and not line.blocks.done:
            line.events.append(_block_start(now, line))
        for events in self._speakers:
            line.events.extend(events())
        if chunk is not None and clock.now() - chunk.t_arrival > self._period_s:
            control.add(Word.MISSED_DEADLINES)
        if journal is not None:
            journal.step(bundle)
            journal.snapshot(now)
        slots = self.slots
        if slots is not None and slots.poll():
            self._swap(slots)
        control.set(Word.LANE_STEPS, line.record.step + 1)
        control.set(Word.LANE_BEAT_NS, perf_counter_ns())

    def _swap(self, slots: Slots) -> None:
        """Flip to the parameters that lie ready, between two steps."""
        pipeline = self.line.pipeline
        taken = slots.take()
        if taken is None:
            return
        version, vector = taken
        pipeline.adopt(unflatten(pipeline.params_, vector), version)
        if self.journal is not None:
            self.journal.parameters()


def _block_start(now: float, line: Line) -> Event:
    block = line.blocks.current
    return Event(now, "block.start", {"block": line.blocks.index, "name": block.name, "assist": block.assist})
