"""Single-writer rings in memory-mapped files, which count what they drop.

A ring holds the newest ``capacity`` records of one topic. One process writes, any number read, and nobody
downstream can slow the writer: it never waits, a reader that falls behind loses the oldest records and
knows exactly how many. For every reader, at any moment::

    ring.count == start + read + dropped + lag

Torn records cannot be returned. The writer raises ``begun`` before it touches a row and ``committed`` after;
a reader copies rows below ``committed`` and afterwards keeps only those that ``begun`` had not reached again,
one lap later (a sequence lock, Lameter 2005, with two counters in place of one). The order of stores this
needs is that of x86-64; each word is one aligned eight-byte store on a cache line of its own.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bmi.errors import ContractError, RecordingError
from bmi.signals import AnyArray

MAGIC = b"BMIRING\x01"
_FIXED = struct.Struct("<8sIIQQI")  # magic, header bytes, reserved, capacity, record bytes, meta bytes
_WORDS, _META, _PAGE = 64, 192, 4096
_BEGUN, _COMMITTED = 0, 8  # index of the word; one cache line apart
_MAX_BYTES = 1 << 36
_TRIES = 1000
_SCALAR = re.compile(r"[<>|=][?bBiufcSUV]\d{1,8}")


def dtype_to_json(dtype: np.dtype[Any]) -> Any:
    """Return ``dtype`` as lists and strings that JSON can carry."""
    if dtype.hasobject:
        raise ContractError(f"records must have a fixed size in bytes; {dtype} holds Python objects")
    return json.loads(json.dumps(np.lib.format.dtype_to_descr(dtype)))


def dtype_from_json(descr: Any) -> np.dtype[Any]:
    """Return the dtype that `dtype_to_json` described.

    Raises
    ------
    RecordingError
        If it describes none, or one with Python objects.
    """

    def fields(d: Any) -> Any:
        if isinstance(d, str):
            if not _SCALAR.fullmatch(d):  # NumPy would parse it as an expression
                raise ValueError(f"{d!r} is no scalar type")
            return d
        return [(f[0], fields(f[1]), *(tuple(s) for s in f[2:])) for f in d]

    try:
        dtype = np.lib.format.descr_to_dtype(fields(descr))
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, RecursionError) as e:
        raise RecordingError(f"not a record type: {str(descr)[:200]} ({e})") from e
    if dtype.hasobject or not dtype.itemsize:
        raise RecordingError(f"not a record type of fixed size: {str(descr)[:200]}")
    return dtype


class Ring:
    """A memory-mapped ring of fixed-size records; made by `create` or `open`.

    Attributes
    ----------
    path : Path
    topic : str
        Name under which the recorder files it, e.g. ``/samples/m1``.
    meta : dict
        Free attributes given to `create`.
    dtype : numpy.dtype
        Record type.
    capacity : int
        Records held before the oldest is overwritten.
    rows : (capacity,) structured array
        The mapped records; row ``i`` holds record ``i``, ``i + capacity``, …
    buffer : memoryview
        The same bytes, flat; row ``i`` begins at ``offset(i)``.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        try:
            with path.open("r+b" if write else "rb") as f:
                mapped = _map(f.fileno(), write)
        except (OSError, ValueError) as e:
            raise RecordingError(f"{path}: cannot map this ring: {e}") from e
        header, self.capacity, size, meta_size = _check_header(path, mapped)
        try:
            meta = json.loads(mapped[_META : _META + meta_size])
            self.topic, self.meta, descr = str(meta["topic"]), dict(meta["meta"]), meta["dtype"]
        except (ValueError, TypeError, KeyError) as e:
            raise RecordingError(f"{path}: the ring's description is not readable: {e!r}") from e
        self.dtype = dtype_from_json(descr)
        if self.dtype.itemsize != size:
            raise RecordingError(
                f"{path}: records have {size} bytes, their type {self.dtype} {self.dtype.itemsize}"
            )
        whole = memoryview(mapped)
        self._words = whole[_WORDS:_META].cast("q")
        self.buffer = whole[header : header + self.capacity * size]
        self.rows: AnyArray = np.frombuffer(self.buffer, self.dtype)
        self._size = size
        self._count = self._words[_COMMITTED]

    @classmethod
    def create(
        cls, path: Path | str, dtype: np.dtype[Any], capacity: int, *, topic: str, **meta: Any
    ) -> Ring:
        """Make a new ring and open it for writing; it appears under ``path`` complete or not at all.

        Parameters
        ----------
        path : Path
            New file; put it on tmpfs if the writer must not meet page write-back.
        dtype : numpy.dtype
            Record type, no Python objects.
        capacity : int
            Records held.
        topic : str
            Name under which it is recorded.
        **meta
            JSON-serialisable attributes for whoever reads it.

        Raises
        ------
        ContractError
            Capacity below 1 or records of no fixed size.
        RecordingError
            The file exists, or there is no room for it.
        """
        path, dtype = Path(path), np.dtype(dtype)
        total = dtype.itemsize * capacity
        if not 0 < total <= _MAX_BYTES:
            raise ContractError(
                f"{path}: {capacity} records of {dtype.itemsize} bytes; "
                f"expected 1 byte to {_MAX_BYTES >> 30} GiB in all"
            )
        text = json.dumps({"topic": topic, "dtype": dtype_to_json(dtype), "meta": meta}).encode()
        header = -(-(_META + len(text)) // _PAGE) * _PAGE
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as f:
                os.posix_fallocate(f.fileno(), 0, header + total)
                f.write(_FIXED.pack(MAGIC, header, 0, capacity, dtype.itemsize, len(text)))
                f.seek(_META)
                f.write(text)
            os.link(draft, path)
        except OSError as e:
            raise RecordingError(f"{path}: cannot make a ring of {header + total} bytes: {e}") from e
        finally:
            draft.unlink(missing_ok=True)
        return cls(path, write=True)

    @classmethod
    def open(cls, path: Path | str, *, write: bool = False) -> Ring:
        """Open an existing ring, read-only unless this process is to be its one writer.

        Raises
        ------
        RecordingError
            If it is missing or not a ring.
        """
        return cls(Path(path), write=write)

    @property
    def count(self) -> int:
        """Records written since the ring was made."""
        return self._words[_COMMITTED]

    def offset(self, row: int) -> int:
        """Return where ``row`` begins in `buffer`, bytes."""
        return row * self._size

    def reserve(self, n: int = 1) -> int:
        """Announce ``n`` records, at most `capacity`; return the row of the first, the fast way to write.

        Record ``k`` of them belongs in row ``(row + k) % capacity``. Fill the rows, then `commit` the same
        ``n``. *Realtime*: allocates nothing; about 0.1 µs.
        """
        self._words[_BEGUN] = self._count + n
        return self._count % self.capacity

    def commit(self, n: int = 1) -> None:
        """Let readers see the ``n`` records last reserved."""
        self._count += n
        self._words[_COMMITTED] = self._count

    def write(self, records: AnyArray) -> None:
        """Append ``records`` (n,) of the ring's dtype. Never waits.

        *Realtime*: one copy; 30 rows of 256 float32 take a few µs.

        Raises
        ------
        ContractError
            If they are of another type.
        """
        if records.dtype is not self.dtype and records.dtype != self.dtype:
            raise ContractError(f"ring {self.topic}: expected records of {self.dtype}, given {records.dtype}")
        if records.ndim != 1 or not records.flags.c_contiguous:
            records = np.ascontiguousarray(records).reshape(-1)
        size, capacity = self._size, self.capacity
        source = records.view(np.uint8).data
        n, done = len(records), 0
        while done < n:
            row = self._count % capacity
            k = min(n - done, capacity - row)
            self._words[_BEGUN] = self._count + k
            self.buffer[row * size : (row + k) * size] = source[done * size : (done + k) * size]
            self._count += k
            self._words[_COMMITTED] = self._count
            done += k

    def reader(self, start: Literal["now", "oldest"] | int = "now") -> Reader:
        """Return a new reader that begins at the next record, the oldest held, or record number ``start``."""
        return Reader(self, start)

    def window(self) -> tuple[int, int]:
        """Return (begun, committed): how far the writer may have touched, how far it has finished."""
        return self._words[_BEGUN], self._words[_COMMITTED]


class Reader:
    """One reader's place in a ring.

    Attributes
    ----------
    index : int
        Number of the next record to read.
    dropped : int
        Records overwritten before this reader came to them, exactly.
    """

    def __init__(self, ring: Ring, start: Literal["now", "oldest"] | int) -> None:
        count = ring.count
        if isinstance(start, str):
            index = count if start == "now" else max(0, ring.window()[0] - ring.capacity)
        else:
            index = int(start)
        if not 0 <= index <= count:
            raise ContractError(f"ring {ring.topic}: no record {start}; it has seen {count}")
        self.ring = ring
        self.index = index
        self.dropped = 0
        self._none: AnyArray = np.empty(0, ring.dtype)

    @property
    def lag(self) -> int:
        """Records written and not yet read or counted as dropped."""
        return self.ring.count - self.index

    def read(self, max_records: int | None = None) -> AnyArray:
        """Return a copy of the next records, in order, at most ``max_records``; empty if there are none."""
        ring = self.ring
        count, capacity = ring.count, ring.capacity
        if count == self.index:
            return self._none
        first = max(self.index, count - capacity)
        n = count - first if max_records is None else min(count - first, max_records)
        out = np.empty(n, ring.dtype)
        row = first % capacity
        head = min(n, capacity - row)
        out[:head] = ring.rows[row : row + head]
        out[head:] = ring.rows[: n - head]
        # Rows the writer has begun to overwrite meanwhile may be half new: they are lost, not returned.
        torn = min(max(0, ring.window()[0] - capacity - first), n)
        self.dropped += first - self.index + torn
        self.index = first + n
        return out[torn:] if torn else out

    def latest(self) -> np.void | None:
        """Return a copy of the newest record, or None if there is none; the reader stays where it is."""
        ring = self.ring
        for _ in range(_TRIES):
            if not (count := ring.count):
                return None
            record: np.void = ring.rows[(count - 1) % ring.capacity].copy()
            if ring.window()[0] - ring.capacity < count:
                return record
        return None  # a writer that died in a ring of one leaves it torn for good


def _map(fd: int, write: bool) -> mmap.mmap:
    flags = mmap.MAP_SHARED
    if write:
        flags |= getattr(mmap, "MAP_POPULATE", 0)  # the live thread must not meet page faults
    return mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ | (mmap.PROT_WRITE if write else 0))


def _check_header(path: Path, mapped: mmap.mmap) -> tuple[int, int, int, int]:
    if len(mapped) < _PAGE or mapped[:8] != MAGIC:
        raise RecordingError(f"{path}: not a ring (expected to begin {MAGIC!r}, given {mapped[:8]!r})")
    _, header, _, capacity, size, meta_size = _FIXED.unpack(mapped[: _FIXED.size])
    fits = header % _PAGE == 0 and _META + meta_size <= header
    if not fits or capacity < 1 or len(mapped) != header + capacity * size:
        raise RecordingError(
            f"{path}: the file has {len(mapped)} bytes, its header promises {header} and {capacity} records "
            f"of {size}; it is not a whole ring"
        )
    return header, capacity, size, meta_size
