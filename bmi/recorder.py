"""The recorder: drains every ring of a session into MCAP parts, in a process of its own.

It knows no topics: whatever ``*.ring`` appears in the runtime folder is filed under the ring's own name and
type. It reads at most every 4 ms, writes unbuffered (`bmi.part`), and notes behind each write how far it came
in the control page, so that a recorder started again after a kill goes on in a new part without losing what
still lies in the rings. What it could not read in time is a counter, written once a second to ``/counters``.
A full or failing disk ends the recording with a state word and an error; the live lane does not notice.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from bmi.clock import LSLClock
from bmi.contracts import Clock
from bmi.control import CONTROL_FILE, Control, LaneState, ProcessState, Word
from bmi.errors import RecordingError
from bmi.manifest import parts_of, write_manifest
from bmi.part import FinishedPart, PartWriter, part_name
from bmi.ring import Reader, Ring

META_FILE = "meta.json"
"""In the runtime folder: what the parts carry as metadata, JSON object of objects of strings."""
PERIOD_S = 0.004
_LOOK_S = 0.1  # how often to look for new rings
_TURN_BYTES = 4 << 20  # most bytes of one ring in one message
_QUIET_S, _PATIENCE_S = 0.1, 5.0  # on QUIT: leave after this long without rows; never wait longer than that
_LANE_GONE = frozenset((LaneState.DONE, LaneState.FAULT, LaneState.STARTING))
log = logging.getLogger(__name__)

Meta = Mapping[str, Mapping[str, str]]


class Recorder:
    """Files the rings of one session.

    Parameters
    ----------
    runtime : Path
        Folder with the rings.
    out : Path
        Folder for ``part-000.mcap``, … and the manifest; made if missing.
    control : Control
        The session's control page.
    meta : dict of str to dict of str to str
        MCAP metadata records every part begins with: recipe, seed, versions, host, hashes.
    clock : Clock
        LSL clock.
    part_bytes, part_s : float
        A part is finished beyond this size or age.
    min_free_bytes : int
        Stop cleanly before the disk has less than this free.
    """

    def __init__(
        self,
        runtime: Path,
        out: Path,
        control: Control,
        meta: Meta,
        *,
        clock: Clock,
        part_bytes: float = 1 << 30,
        part_s: float = 600.0,
        min_free_bytes: int = 64 << 20,
    ) -> None:
        self.runtime, self.out, self.control, self.meta = Path(runtime), Path(out), control, meta
        self.clock = clock
        self.part_bytes, self.part_s, self.min_free_bytes = part_bytes, part_s, min_free_bytes
        self.finished: list[FinishedPart] = []
        self._readers: dict[str, Reader] = {}
        self._refused: set[str] = set()
        self._leaving = False
        self._part: PartWriter | None = None
        self._syncer = _Syncer()
        self._part_since = self._looked = self._counted = float("-inf")

    @property
    def part(self) -> PartWriter:
        """The part being written. Raises RecordingError while the recorder is not open."""
        if self._part is None:
            raise RecordingError(f"{self.out}: the recorder is not open")
        return self._part

    def open(self) -> None:
        """Make the folder and the first part. Raises RecordingError if the disk refuses."""
        self.control[Word.RECORDER_PID] = os.getpid()
        self.control[Word.RECORDER_STATE] = ProcessState.STARTING
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._next_part()
        except OSError as e:
            self._fail(e)
        self._syncer.start()
        self.control[Word.RECORDER_STATE] = ProcessState.RUNNING

    def drain(self) -> int:
        """Write what the rings hold, once round; return how many rows. Raises RecordingError."""
        now = self.clock.now()
        try:
            if self._syncer.error:
                raise self._syncer.error
            self._housekeep(now)
            n = sum(self._drain_ring(name, reader) for name, reader in self._readers.items())
        except OSError as e:
            self._fail(e)
        self.control[Word.RECORDER_BEAT_NS] = int(now * 1e9)
        return n

    def run(self) -> None:
        """Drain until QUIT, `leave`, or the parent's death, then until nothing more comes, then close."""
        self.open()
        parent = os.getppid()
        while not (self._leaving or self.control.quitting) and os.getppid() == parent:
            now = self.clock.now()
            self.drain()
            self.clock.sleep_until(now + PERIOD_S)
        if not self._leaving:
            self._await_silence()
        self.drain()
        self.close()

    def leave(self) -> None:
        """Have `run` end in order although the session goes on; safe in a signal handler."""
        self._leaving = True

    def close(self) -> None:
        """Finish the part, sync, write the manifest. Raises RecordingError."""
        try:
            self._count(self.clock.now())
            self._finish_part()
            self._syncer.stop()
            if self._syncer.error:
                raise self._syncer.error
            write_manifest(self.out, self.finished)
        except OSError as e:
            self._fail(e)
        self.control[Word.RECORDER_STATE] = ProcessState.DONE

    def _await_silence(self) -> None:
        """Drain until the lane is gone and nothing new came for a while; not for ever."""
        begun = quiet_since = self.clock.now()
        self._looked = float("-inf")
        while (now := self.clock.now()) - begun < _PATIENCE_S:
            if self.drain():
                quiet_since = now
            elif now - quiet_since > _QUIET_S and self.control[Word.LANE_STATE] in _LANE_GONE:
                return
            self.clock.sleep_until(now + PERIOD_S)

    # --- one turn -----------------------------------------------------------------------------------

    def _housekeep(self, now: float) -> None:
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self._find_rings()
        if now - self._counted >= 1.0:
            self._counted = now
            self._count(now)
            free = shutil.disk_usage(self.out).free
            if free < self.min_free_bytes:
                raise OSError(
                    f"only {free >> 20} MiB left on the disk, {self.min_free_bytes >> 20} are kept free"
                )
        if self.part.size >= self.part_bytes or now - self._part_since >= self.part_s:
            self._next_part()

    def _find_rings(self) -> None:
        for path in sorted(self.runtime.glob("*.ring")):
            if path.name in self._readers or path.name in self._refused:
                continue
            try:
                ring = Ring.open(path)
            except RecordingError as e:
                self._refused.add(path.name)
                log.warning("not recorded: %s", e)
                continue
            start = min(self.control.read_index(path.name), ring.count)
            self._readers[path.name] = ring.reader(start)

    def _drain_ring(self, name: str, reader: Reader) -> int:
        ring, part, n = reader.ring, self.part, 0
        end = ring.count
        while reader.index < end:
            dropped = reader.dropped
            rows = reader.read(max(1, _TURN_BYTES // ring.dtype.itemsize))
            if reader.dropped != dropped:
                self.control.add(Word.RECORDER_DROPPED, reader.dropped - dropped)
            if len(rows):
                size = part.size
                part.write_rows(ring.topic, reader.index - len(rows), rows, ring.meta)
                self.control.add(Word.RECORDER_BYTES, part.size - size)
                self.control.add(Word.RECORDER_ROWS, len(rows))
                n += len(rows)
            self.control.set_read_index(name, reader.index)
        return n

    def _count(self, now: float) -> None:
        rings = {
            r.ring.topic: {"count": r.ring.count, "recorded": r.index, "dropped": r.dropped, "lag": r.lag}
            for r in self._readers.values()
        }
        if self._part is not None:
            size = self._part.size
            counters = {"t": now, "rings": rings, "bytes": self.control[Word.RECORDER_BYTES]}
            self._part.write_json("/counters", now, counters)
            self.control.add(Word.RECORDER_BYTES, self._part.size - size)

    # --- parts --------------------------------------------------------------------------------------

    def _next_part(self) -> None:
        self._finish_part()
        there = parts_of(self.out)
        number = int(there[-1].stem.removeprefix("part-")) + 1 if there else 0
        self._part_since = self.clock.now()
        self._part = PartWriter(self.out / part_name(number), self.meta)
        self._syncer.follow(self._part.fd)

    def _finish_part(self) -> None:
        if self._part is not None:
            part, self._part = self._part, None
            self.finished.append(part.finish())

    def _fail(self, error: OSError) -> NoReturn:
        """Leave what is on disk readable, say so in the control page, and raise."""
        self.control[Word.RECORDER_STATE] = ProcessState.FAULT
        part = self._part
        where = part.path if part else self.out
        try:
            self._finish_part()
            write_manifest(self.out, self.finished)
        except OSError as e:
            log.warning("%s has no footer; `bmi recover %s` completes it (%s)", where, self.out, e)
        self._syncer.stop()
        raise RecordingError(
            f"{where}: recording stopped: {error}. What was written is whole and the session goes on "
            "unrecorded; make room (or record elsewhere) and start the recorder again"
        ) from error


class _Syncer:
    """Puts what was written on the disk itself, once a second, so that power loss costs at most that.

    A sync may take tens of milliseconds, so it has a thread; files are followed by duplicates of their
    descriptors, and may be closed by their writer at any time.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None
        self._lock = threading.Lock()
        self._current: int | None = None
        self._retired: list[int] = []
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bmi-sync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def follow(self, fd: int) -> None:
        with self._lock:
            if self._current is not None:
                self._retired.append(self._current)
            self._current = os.dup(fd)

    def stop(self) -> None:
        """Sync a last time and close; idempotent."""
        self._leave.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if self._current is not None:
                self._retired.append(self._current)
                self._current = None
        self._sync()

    def _run(self) -> None:
        while not self._leave.wait(1.0):
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            retired, self._retired = self._retired, []
            current = self._current
        for fd in retired if current is None else [*retired, current]:
            try:
                os.fdatasync(fd)
            except OSError as e:
                self.error = e
        for fd in retired:
            os.close(fd)


def run_recorder(runtime: Path | str, out: Path | str, meta: Meta | None = None) -> None:
    """Record the session whose rings and control page lie in ``runtime`` until QUIT: the recorder process.

    ``meta`` defaults to what ``meta.json`` in the runtime folder says. Ctrl-C is left to the session; SIGTERM
    ends the recording in order.

    Raises
    ------
    RecordingError
        If the disk fails or the runtime folder is not one.
    """
    runtime, out = Path(runtime), Path(out)
    control = Control.open(runtime / CONTROL_FILE)
    if meta is None:
        path = runtime / META_FILE
        try:
            meta = json.loads(path.read_bytes()) if path.exists() else {}
        except (OSError, ValueError) as e:
            raise RecordingError(f"{path}: expected a JSON object of objects of strings: {e}") from e
    recorder = Recorder(runtime, out, control, meta, clock=LSLClock())
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: recorder.leave())
    recorder.run()
