"""One part of a recording on disk: an MCAP file that survives being killed at any byte.

MCAP (https://mcap.dev/spec), unchunked and unbuffered: every message is one ``write`` to the operating
system, so that a killed recorder loses nothing it had written; only power loss can take what was not synced.

A message of a ring's topic is, little-endian::

    u64 number of the first row in its ring | u32 rows | u32 CRC-32 | the rows, bytes as they lay in the ring

The CRC covers channel, times, number, count and rows. The channel's schema (encoding ``x-numpy-descr``) is
JSON: ``{"topic", "descr", "meta"}`` with the dtype as ``numpy.lib.format`` describes it. ``log_time`` is the
time of the newest row, ``publish_time`` that of the oldest, ns on the LSL clock; 0 where rows have no time.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mcap.writer import IndexType, Writer

from bmi.ring import dtype_to_json
from bmi.signals import AnyArray

ROWS_ENCODING = "x-bmi-rows"
SCHEMA_ENCODING = "x-numpy-descr"
HEAD = struct.Struct("<QII")  # first row, rows, CRC
_GUARDED = struct.Struct("<HQQQI")  # channel, log_time, publish_time, first row, rows
PART_GLOB = "part-*.mcap"


def part_name(number: int) -> str:
    """Return the file name of part ``number``, from 0."""
    return f"part-{number:03d}.mcap"


def checksum(channel: int, log_ns: int, publish_ns: int, first: int, n: int, rows: Any) -> int:
    """Return the CRC-32 of one message."""
    return zlib.crc32(rows, zlib.crc32(_GUARDED.pack(channel, log_ns, publish_ns, first, n)))


def schema_name(data: bytes) -> str:
    """Return the name of a schema: it carries the CRC of its text, as MCAP has none for it."""
    return f"bmi.rows.{zlib.crc32(data):08x}"


def time_field(dtype: np.dtype[Any]) -> str | None:
    """Return the field that tells when a row happened: ``now`` of a step, else ``t``, else None."""
    return next((f for f in ("now", "t") if f in (dtype.names or ())), None)


class FinishedPart(NamedTuple):
    """A part as the manifest lists it."""

    name: str
    bytes: int
    sha256: str


class PartWriter:
    """Writes one part. Every method may raise OSError; the file then ends after its last whole record."""

    def __init__(self, path: Path, metadata: Mapping[str, Mapping[str, str]]) -> None:
        self.path = path
        self._file = _Unbuffered(path)
        self._writer = Writer(
            self._file,  # type: ignore[arg-type]
            use_chunking=False,
            index_types=IndexType.METADATA,
        )
        self._channels: dict[str, int] = {}
        self._writer.start(profile="multiscale-bmi")
        for name, values in metadata.items():
            self._writer.add_metadata(name, dict(values))

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    @property
    def fd(self) -> int:
        """The open file descriptor, for whoever syncs it."""
        return self._file.fd

    def write_rows(self, topic: str, first: int, rows: AnyArray, meta: Mapping[str, Any]) -> None:
        """Append ``rows`` (n,) structured, numbered from ``first`` in their ring."""
        channel = self._channels.get(topic) or self._add_rows_channel(topic, rows.dtype, meta)
        field = time_field(rows.dtype)
        log_ns, publish_ns = (_ns(rows[-1][field]), _ns(rows[0][field])) if field else (0, 0)
        data = rows.tobytes()
        crc = checksum(channel, log_ns, publish_ns, first, len(rows), data)
        head = HEAD.pack(first, len(rows), crc)
        self._writer.add_message(channel, log_ns, head + data, publish_ns, first & 0xFFFFFFFF)

    def write_json(self, topic: str, t: float, value: Any) -> None:
        """Append one JSON value that holds at ``t``, s."""
        channel = self._channels.get(topic)
        if channel is None:
            schema = self._writer.register_schema("bmi.json", "jsonschema", b'{"type": "object"}')
            channel = self._channels[topic] = self._writer.register_channel(topic, "json", schema)
        self._writer.add_message(channel, _ns(t), json.dumps(value).encode(), _ns(t))

    def finish(self, *, sync: bool = False) -> FinishedPart:
        """Write summary and footer, sync if asked to, close the file and return what it became."""
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
            if sync:
                os.fdatasync(self.fd)
        finally:
            self._file.close()
        return FinishedPart(self.path.name, self._file.tell(), self._file.hash.hexdigest())

    def abandon(self) -> None:
        """Close the file as it stands, if it is open; `bmi.recover` can add the footer."""
        self._file.close()

    def _add_rows_channel(self, topic: str, dtype: np.dtype[Any], meta: Mapping[str, Any]) -> int:
        text = json.dumps({"topic": topic, "descr": dtype_to_json(dtype), "meta": dict(meta)}).encode()
        schema = self._writer.register_schema(schema_name(text), SCHEMA_ENCODING, text)
        self._channels[topic] = self._writer.register_channel(topic, ROWS_ENCODING, schema)
        return self._channels[topic]


class _Unbuffered:
    """A new file whose every ``write`` is complete on return, or undone."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self.hash = hashlib.sha256()
        self._size = 0
        self._closed = False

    def write(self, data: bytes) -> int:
        view, done = memoryview(data), 0
        try:
            while done < len(view):
                done += os.write(self.fd, view[done:])
        except OSError:
            os.ftruncate(self.fd, self._size)
            os.lseek(self.fd, self._size, os.SEEK_SET)
            raise
        self.hash.update(view)
        self._size += done
        return done

    def tell(self) -> int:
        return self._size

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self.fd)


def _ns(t: float) -> int:
    return int(t * 1e9) if math.isfinite(t) and 0.0 <= t < 9e9 else 0
