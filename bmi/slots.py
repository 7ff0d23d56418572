"""Double parameter slots: how a learner hands new decoder parameters to the live lane without a lock.

Two slots of equal size lie in one memory-mapped file. The live lane decodes from the *active* one; the
learner writes the idle one and raises ``published``; between two steps the live lane flips ``active`` and
raises ``taken``. The learner publishes again only once ``taken`` has caught up, so a slot in use is never
written. A checksum travels with every slot; parameters that do not match it are refused and counted.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from bmi.errors import ContractError, RecordingError
from bmi.signals import F64

MAGIC = b"BMISLOT\x01"
_FIXED = struct.Struct("<8sQ")  # magic, values per slot
_PAGE, _WORDS = 4096, 64
_MAX_VALUES = 1 << 27
# Index of each int64 word behind byte 64; those written by different sides are a cache line apart.
_PUBLISHED, _TAKEN, _ACTIVE, _REJECTED = 0, 8, 9, 10
_VERSION, _CHECKSUM = 16, 18  # two words each, one a slot


class Slots:
    """Two slots of ``n_values`` float64, one writer (learner), one taker (live lane).

    Attributes
    ----------
    n_values : int
        Length of the parameter vector, fixed at `create`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("r+b") as f:
                mapped = mmap.mmap(f.fileno(), 0)
        except (OSError, ValueError) as e:
            raise RecordingError(f"{path}: cannot map these parameter slots: {e}") from e
        if len(mapped) < _PAGE or mapped[:8] != MAGIC:
            raise RecordingError(f"{path}: not a file of parameter slots (begins with {mapped[:8]!r})")
        self.n_values = int(_FIXED.unpack(mapped[: _FIXED.size])[1])
        stride = _stride(self.n_values)
        if len(mapped) != _PAGE + 2 * stride:
            raise RecordingError(
                f"{path}: two slots of {self.n_values} values need {_PAGE + 2 * stride} bytes, "
                f"the file has {len(mapped)}"
            )
        self._words = memoryview(mapped)[_WORDS:_PAGE].cast("q")
        # Writable views even for the taker: numba compiles read-only arrays a second time.
        self._values: tuple[F64, F64] = (
            np.frombuffer(mapped, np.float64, self.n_values, _PAGE),
            np.frombuffer(mapped, np.float64, self.n_values, _PAGE + stride),
        )
        self._taken = self._words[_TAKEN]

    @classmethod
    def create(
        cls, path: Path | str, n_values: int, *, initial: F64 | None = None, version: int = 0
    ) -> Slots:
        """Make new slots; the active one holds ``initial`` (default zeros) as ``version``.

        Raises
        ------
        ContractError
            If ``n_values`` is not positive or ``initial`` has another length.
        RecordingError
            If the file exists or there is no room.
        """
        path = Path(path)
        if not 0 < n_values <= _MAX_VALUES:
            raise ContractError(f"{path}: {n_values} values; expected 1 to {_MAX_VALUES}")
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as f:
                os.posix_fallocate(f.fileno(), 0, _PAGE + 2 * _stride(n_values))
                f.write(_FIXED.pack(MAGIC, n_values))
            slots = cls(draft)
            slots._fill(0, np.zeros(n_values) if initial is None else initial, version)
            os.link(draft, path)
        except OSError as e:
            raise RecordingError(f"{path}: cannot make parameter slots: {e}") from e
        finally:
            draft.unlink(missing_ok=True)
        slots.path = path
        return slots

    @classmethod
    def open(cls, path: Path | str) -> Slots:
        """Open existing slots. Raises RecordingError if they are missing or not what they should be."""
        return cls(Path(path))

    # --- learner ------------------------------------------------------------------------------------

    def publish(self, vector: F64, version: int) -> bool:
        """Offer ``vector`` (n_values,) float64 as ``version``; False while the last one awaits its taker.

        Raises
        ------
        ContractError
            If the vector has another length.
        """
        words = self._words
        if words[_TAKEN] != words[_PUBLISHED]:
            return False
        self._fill(1 - words[_ACTIVE], vector, version)
        words[_PUBLISHED] += 1
        return True

    @property
    def rejected(self) -> int:
        """Publications the live lane refused because their checksum did not hold."""
        return self._words[_REJECTED]

    @property
    def pending(self) -> bool:
        """Whether a publication awaits its taker."""
        return self._words[_TAKEN] != self._words[_PUBLISHED]

    def _fill(self, slot: int, vector: F64, version: int) -> None:
        values = np.ascontiguousarray(vector, np.float64)
        if values.shape != (self.n_values,):
            raise ContractError(
                f"{self.path}: the slots hold ({self.n_values},) values, given {values.shape}; "
                "the shapes of a decoder's parameters are fixed when it is bound"
            )
        self._values[slot][:] = values
        self._words[_VERSION + slot] = version
        self._words[_CHECKSUM + slot] = _checksum(values, version)

    # --- live lane ----------------------------------------------------------------------------------

    def poll(self) -> bool:
        """Return whether new parameters wait. *Realtime*: every step; one load, allocates nothing."""
        return self._words[_PUBLISHED] != self._taken

    def take(self) -> tuple[int, F64] | None:
        """Flip to the newest parameters; return (version, view of n_values float64).

        The view holds until the next take and must not be written. Returns None, keeps the former
        parameters and counts in `rejected` if the checksum does not hold. Call it between two steps, and
        only from the live lane.
        """
        words = self._words
        slot = 1 - words[_ACTIVE]
        version, values = words[_VERSION + slot], self._values[slot]
        good = words[_CHECKSUM + slot] == _checksum(values, version)
        if good:
            words[_ACTIVE] = slot
        else:
            words[_REJECTED] += 1
        # The learner may write the idle slot from here on, so this store comes last.
        self._taken = words[_PUBLISHED]
        words[_TAKEN] = self._taken
        return (version, values) if good else None

    def current(self) -> tuple[int, F64]:
        """Return (version, view) of the active slot."""
        slot = self._words[_ACTIVE]
        return self._words[_VERSION + slot], self._values[slot]


def _stride(n_values: int) -> int:
    return -(-8 * n_values // _PAGE) * _PAGE


def _checksum(values: F64, version: int) -> int:
    return zlib.crc32(values.data, version & 0xFFFFFFFF)
