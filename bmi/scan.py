"""Reading one part of a recording, whole or not: what is on disk, block by block.

Walks the MCAP records from the front, so a file without footer, with a torn end or with damaged bytes gives
everything that is whole. Where the framing is broken it looks for the next message whose checksum holds.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Metadata, Schema
from mcap.writer import MCAP0_MAGIC as MAGIC

from bmi.errors import RecordingError
from bmi.part import HEAD, ROWS_ENCODING, SCHEMA_ENCODING, checksum, schema_name
from bmi.ring import dtype_from_json
from bmi.signals import AnyArray

_RECORD = struct.Struct("<BQ")  # opcode, length
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log_time, publish_time
_BEFORE_ROWS = _MESSAGE.size + HEAD.size
_FOOTER = struct.Struct("<QQI")
_TAIL = _RECORD.size + _FOOTER.size + len(MAGIC)
# A lookahead, so that candidates may overlap; rows are never 4 GiB, so the length has four zero bytes.
_CANDIDATE = re.compile(rb"\x05(?=.{4}\x00{4})", re.DOTALL)


class Topic(NamedTuple):
    """A channel of a part."""

    name: str
    dtype: np.dtype[Any] | None
    """Record type, or None for JSON."""
    meta: dict[str, Any]


class Block(NamedTuple):
    """Consecutive rows of one topic: one message."""

    topic: str
    first: int
    """Number of its first row in the ring; 0 for JSON."""
    n: int
    """Rows."""
    at: int
    """Where its rows (or JSON) begin in the file."""
    size: int
    """Bytes of them."""
    channel: int
    log_ns: int
    publish_ns: int
    crc: int


class Scan:
    """What one part holds.

    Attributes
    ----------
    path : Path
    topics : dict of int to Topic
        By channel number.
    blocks : list of Block
        Of every topic with rows, as they lie in the file.
    notes : list of Block
        JSON messages.
    metadata : dict of str to dict of str to str
    complete : bool
        Whether the file was finished: footer and closing magic.
    unreadable : int
        Bytes that belong to no whole record.

    Raises
    ------
    RecordingError
        If it cannot be opened or does not begin as an MCAP file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[int, Topic] = {}
        self.blocks: list[Block] = []
        self.notes: list[Block] = []
        self.metadata: dict[str, dict[str, str]] = {}
        self.complete = False
        self.unreadable = 0
        self._schemas: dict[int, Schema] = {}
        try:
            with path.open("rb") as f:
                empty = not f.seek(0, 2)
                self._bytes = b"" if empty else mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        except (OSError, ValueError) as e:
            raise RecordingError(f"{path}: cannot read this recording: {e}") from e
        if self._bytes[: len(MAGIC)] != MAGIC[: len(self._bytes)]:
            raise RecordingError(
                f"{path}: not an MCAP recording (expected to begin {MAGIC!r}, given {self._bytes[:8]!r})"
            )
        if len(self._bytes) > len(MAGIC):
            self._read_summary()
            self._walk()

    def rows(self, block: Block) -> AnyArray | None:
        """Return a read-only view of a block's rows (n,), or None if their checksum does not hold."""
        dtype = self.topics[block.channel].dtype
        data = memoryview(self._bytes)[block.at : block.at + block.size]
        crc = checksum(block.channel, block.log_ns, block.publish_ns, block.first, block.n, data)
        return np.frombuffer(data, dtype) if crc == block.crc else None

    def note(self, block: Block) -> Any:
        """Return the JSON value of a note, or None if it is not readable."""
        try:
            return json.loads(self._bytes[block.at : block.at + block.size])
        except (ValueError, RecursionError):
            return None

    def _read_summary(self) -> None:
        """Learn the channels from the end too, if the file was finished: the front may be damaged."""
        size = len(self._bytes)
        if size < _TAIL + len(MAGIC) or self._bytes[size - len(MAGIC) :] != MAGIC:
            return
        op, length = _RECORD.unpack_from(self._bytes, size - _TAIL)
        start = _FOOTER.unpack_from(self._bytes, size - _TAIL + _RECORD.size)[0]
        if op != Opcode.FOOTER or length != _FOOTER.size:
            return
        self.complete = True
        while start and (end := self._record(start)) and end < size - len(MAGIC):
            start = end

    def _walk(self) -> None:
        at, size = len(MAGIC), len(self._bytes)
        self.blocks.clear()
        self.notes.clear()
        closing = size - len(MAGIC) if self.complete else size
        while at < closing:
            end = self._record(at)
            if not end:
                end = self._next_whole_message(at + 1) or closing
                self.unreadable += end - at
            at = end

    def _next_whole_message(self, at: int) -> int | None:
        for found in _CANDIDATE.finditer(self._bytes, at):
            if self._record(found.start(), trust=False):
                return found.start()
        return None

    def _record(self, at: int, *, trust: bool = True) -> int:
        """Take in the record at ``at`` and return where it ends, or 0 if there is no whole record.

        A message met with ``trust=False`` is only looked at, and its checksum computed.
        """
        if at + _RECORD.size > len(self._bytes):
            return 0
        op, length = _RECORD.unpack_from(self._bytes, at)
        begin = at + _RECORD.size
        if length > len(self._bytes) - begin or not (0 < op <= max(Opcode) or op >= 0x80):
            return 0
        if op == Opcode.MESSAGE:
            good = self._message(begin, length, trust)
        elif op in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.METADATA):
            good = self._description(op, self._bytes[begin : begin + length])
        else:
            good = True
        return begin + length if good else 0

    def _message(self, begin: int, length: int, trust: bool) -> bool:
        if length < _MESSAGE.size:
            return False
        channel, _, log_ns, publish_ns = _MESSAGE.unpack_from(self._bytes, begin)
        topic = self.topics.get(channel)
        if topic is None:
            return False
        if topic.dtype is None:
            at, size = begin + _MESSAGE.size, length - _MESSAGE.size
            block = Block(topic.name, 0, 0, at, size, channel, log_ns, publish_ns, 0)
            if trust:
                self.notes.append(block)
            return trust or self.note(block) is not None
        if length < _BEFORE_ROWS:
            return False
        first, n, crc = HEAD.unpack_from(self._bytes, begin + _MESSAGE.size)
        at, size = begin + _BEFORE_ROWS, n * topic.dtype.itemsize
        if size != length - _BEFORE_ROWS or not n or first + n >= 1 << 63:
            return False
        block = Block(topic.name, first, n, at, size, channel, log_ns, publish_ns, crc)
        if trust:
            self.blocks.append(block)
        return trust or self.rows(block) is not None

    def _description(self, op: int, content: bytes) -> bool:
        stream = ReadDataStream(BytesIO(content))
        try:
            if op == Opcode.METADATA:
                record = Metadata.read(stream)
                self.metadata[record.name] = record.metadata
            elif op == Opcode.SCHEMA:
                schema = Schema.read(stream)
                self._schemas.setdefault(schema.id, schema)
            else:
                return self._channel(Channel.read(stream))
        except (McapError, struct.error, ValueError):
            return False
        return True

    def _channel(self, channel: Channel) -> bool:
        if channel.id in self.topics:
            return True
        if channel.message_encoding == "json":
            self.topics[channel.id] = Topic(channel.topic, None, {})
            return True
        schema = self._schemas.get(channel.schema_id)
        if channel.message_encoding != ROWS_ENCODING or schema is None or schema.encoding != SCHEMA_ENCODING:
            return False
        if schema.name != schema_name(schema.data):
            return False
        try:
            text = json.loads(schema.data)
            dtype, meta, topic = dtype_from_json(text["descr"]), dict(text["meta"]), text["topic"]
        except (RecordingError, ValueError, TypeError, KeyError):
            return False
        if topic != channel.topic:
            return False
        self.topics[channel.id] = Topic(topic, dtype, meta)
        return True
