"""One shared page of 64-bit words: what the processes of a session must tell each other at once.

Every word has one writer (STOP, QUIT, ARM and PAUSE excepted: whoever presses). Readers poll; a word is one
aligned eight-byte load or store, about 0.1 µs from Python, and cannot be torn.
"""

from __future__ import annotations

import mmap
import os
import zlib
from enum import IntEnum
from pathlib import Path

from bmi.errors import ContractError, RecordingError

CONTROL_FILE = "control"
"""Name of the page in a session's runtime folder."""
MAGIC = int.from_bytes(b"BMICTRL\x01", "little")
_PAGE = 4096
MAX_RINGS = 32
_RING_KEY, _RING_INDEX = 128, 192  # words 128… hold ring keys, 192… the recorder's place in each


class Word(IntEnum):
    """Name of each word; its value is its place in the page."""

    STOP = 8
    """1 once STOP was pressed, by anyone; latched until `Control.release_stop`."""
    QUIT = 9
    """1 when everyone is to finish and leave."""
    ARM = 10
    """1 while the operator wants the gate armed."""
    PAUSE = 11
    """1 while the task is to rest between trials."""

    LANE_STATE = 16
    """`LaneState` of the live lane."""
    LANE_STEPS = 17
    LANE_BEAT_NS = 18
    """Monotonic time of the lane's last turn, ns."""
    MISSED_DEADLINES = 19
    LANE_PID = 20
    LANE_GATE_STATE = 21
    """`GateState` after the newest step."""

    RECORDER_STATE = 32
    """`ProcessState` of the recorder."""
    RECORDER_PID = 33
    RECORDER_BYTES = 34
    """Bytes this recorder has put on disk."""
    RECORDER_ROWS = 35
    RECORDER_DROPPED = 36
    """Ring records overwritten before they were recorded."""
    RECORDER_BEAT_NS = 37

    WORLD_STATE = 48
    """`ProcessState` of the simulated world."""
    WORLD_SAMPLES = 49
    WORLD_OVERRUNS = 50
    WORLD_PID = 51
    WORLD_BEAT_NS = 52

    LEARNER_STATE = 64
    """`ProcessState` of the learner."""
    LEARNER_UPDATES = 65
    LEARNER_PID = 66
    LEARNER_BEAT_NS = 67
    LEARNER_REFUSED = 68
    """Updates the learner's guards did not let pass."""
    LEARNER_ROLLED_BACK = 69
    """Updates that were adopted and taken back."""

    GUARD_STATE = 96
    """`ProcessState` of the guard."""
    GUARD_PID = 97
    GUARD_BEAT_NS = 98
    GUARD_TRIPS = 99
    """Times the guard stopped the device because the lane was silent or STOP was pressed."""

    SERVICE_BEAT_NS = 80
    """Monotonic time of the service's last turn, ns."""
    SERVICE_PID = 81


class LaneState(IntEnum):
    """What the live lane is doing."""

    STARTING = 0
    READY = 1
    RUNNING = 2
    DONE = 3
    FAULT = 4


class ProcessState(IntEnum):
    """What any other process is doing; same numbers as `LaneState`."""

    STARTING = 0
    READY = 1
    RUNNING = 2
    DONE = 3
    FAULT = 4


class Control:
    """The page, mapped: ``control[Word.STOP]``, ``control[Word.ARM] = 1``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("r+b") as f:
                mapped = mmap.mmap(f.fileno(), 0)
        except (OSError, ValueError) as e:
            raise RecordingError(f"{path}: cannot map the control page: {e}") from e
        if len(mapped) != _PAGE or int.from_bytes(mapped[:8], "little") != MAGIC:
            raise RecordingError(f"{path}: not a control page of {_PAGE} bytes")
        self._words = memoryview(mapped).cast("q")
        self.words = self._words.toreadonly()
        """The page as int64, to look at without a call; for the live lane."""
        self._slots: dict[str, int] = {}

    @classmethod
    def create(cls, path: Path | str) -> Control:
        """Make a page of zeros and open it; it appears complete or not at all.

        Raises
        ------
        RecordingError
            If the file exists or cannot be made.
        """
        path = Path(path)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_bytes(MAGIC.to_bytes(8, "little").ljust(_PAGE, b"\0"))
            os.link(draft, path)
        except OSError as e:
            raise RecordingError(f"{path}: cannot make the control page: {e}") from e
        finally:
            draft.unlink(missing_ok=True)
        return cls(path)

    @classmethod
    def open(cls, path: Path | str) -> Control:
        """Open an existing page. Raises RecordingError if it is missing or something else."""
        return cls(Path(path))

    def get(self, word: int) -> int:
        """Return the value of ``word``."""
        return self._words[word]

    def set(self, word: int, value: int) -> None:
        """Store ``value`` (int64). Raises ContractError for releasing STOP this way: it is a latch."""
        if word == Word.STOP and not value:
            raise ContractError("STOP is latched; `release_stop` is the one way to clear it")
        self._words[word] = value

    def add(self, word: int, n: int = 1) -> None:
        """Add ``n``; only for a word with one writer."""
        self._words[word] += n

    __getitem__ = get
    __setitem__ = set

    @property
    def stopped(self) -> bool:
        """Whether STOP is latched. *Realtime*: polled every step."""
        return self._words[Word.STOP] != 0

    @property
    def quitting(self) -> bool:
        """Whether everyone is to leave."""
        return self._words[Word.QUIT] != 0

    def press_stop(self) -> None:
        """Latch STOP."""
        self._words[Word.STOP] = 1

    def release_stop(self) -> None:
        """Clear STOP and disarm: after a stop, moving again takes an explicit arm."""
        self._words[Word.ARM] = 0
        self._words[Word.STOP] = 0

    # --- the recorder's place in each ring, so that a restarted one loses nothing ---------------------

    def read_index(self, ring: str) -> int:
        """Return how many records of the ring called ``ring`` are on disk; 0 if it was never seen."""
        slot = self._slot(ring)
        return 0 if slot is None else self._words[_RING_INDEX + slot]

    def set_read_index(self, ring: str, index: int) -> None:
        """Note that records below ``index`` are on disk. Raises ContractError beyond `MAX_RINGS` rings."""
        slot = self._slot(ring)
        if slot is None:
            keys = self._words[_RING_KEY : _RING_KEY + MAX_RINGS].tolist()
            if 0 not in keys:
                raise ContractError(f"{ring}: a session has at most {MAX_RINGS} rings")
            slot = keys.index(0)
            self._words[_RING_INDEX + slot] = index
            self._words[_RING_KEY + slot] = _key(ring)
        self._words[_RING_INDEX + slot] = index

    def _slot(self, ring: str) -> int | None:
        if ring in self._slots:
            return self._slots[ring]
        key, words = _key(ring), self._words
        for slot in range(MAX_RINGS):
            if words[_RING_KEY + slot] == key:
                self._slots[ring] = slot
                return slot
            if not words[_RING_KEY + slot]:
                return None
        return None


def _key(ring: str) -> int:
    name = ring.encode()
    return zlib.crc32(name) << 16 | (len(name) & 0x7FFF) << 1 | 1
