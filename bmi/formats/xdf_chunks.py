"""The XDF container, checked chunk by chunk before anything is made of it.

Format: *XDF Specifications*, version 1.0 (the project's wiki): ``XDF:``, then chunks of a length, a tag and a
content: 1 file header, 2 stream header, 3 samples, 4 clock offset, 5 boundary, 6 stream footer. Nothing in it
carries a checksum, so a changed sample cannot be noticed. What can be noticed is found here: lengths beyond the
file, headers that are not XML, streams nobody announced, and numbers that would make a reader allocate or
iterate without end. After damage one goes on behind the next boundary chunk, which recorders write every 10 s.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from bmi.errors import RecordingError

MAGIC = b"XDF:"
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
FORMATS = {"int8": 1, "int16": 2, "int32": 4, "float32": 4, "int64": 8, "double64": 8, "string": 0}
"""Bytes of a value."""
MAX_CHUNKS, MAX_SAMPLES, MAX_TEXTS = 5_000_000, 50_000_000, 2_000_000
MAX_STREAMS, MAX_CHANNELS, MAX_XML_BYTES, MAX_XML_DEPTH = 256, 100_000, 16 << 20, 64
MAX_OFFSETS, MAX_RESETS, MAX_BREAKS = 200_000, 100, 10_000
"""Clock offsets, jumps among them, and gaps of a file: more would take minutes to fit."""
_STAMP = struct.Struct("<d")
_T_MAX = 1e15
_FIRST = 100  # damaged places told; the others are counted


class Damage(NamedTuple):
    """Bytes that were not understood."""

    at: int
    n_bytes: int
    why: str


class _Damaged(Exception):
    """A chunk that is not what it says; ``resume`` is its end where that can be trusted."""

    def __init__(self, why: str, resume: int | None = None) -> None:
        super().__init__(why)
        self.resume = resume


@dataclass
class _Stream:
    """What is counted of one stream on the way through the file."""

    n_channels: int
    wire_format: str
    rate_hz: float
    t_last: float = 0.0
    unsure: bool = False
    """Damage may have taken the stamp that the next one follows from."""
    n_samples: int = 0
    n_breaks: int = 0
    offsets: list[tuple[float, float]] = field(default_factory=list)


class Container:
    """Walks once over the bytes of a file.

    Attributes
    ----------
    whole : list of (start, end)
        Runs of chunks that hold what they promise.
    damage : list of Damage
        The first places that do not.
    n_damaged, n_damaged_bytes : int
        All of them.

    Raises
    ------
    RecordingError
        If it is no XDF file, or holds more than a reader can take.
    """

    def __init__(self, data: bytes) -> None:
        if data[:4] != MAGIC:
            raise RecordingError(f"begins with {data[:4]!r}, expected {MAGIC!r}: it is not an XDF file")
        self.whole: list[tuple[int, int]] = []
        self.damage: list[Damage] = []
        self.n_damaged = self.n_damaged_bytes = 0
        self.streams: dict[int, _Stream] = {}
        self._data, self.n_bytes = data, len(data)
        self._n_xml = self._n_samples = self._n_texts = self._n_offsets = 0
        for n_chunks, (start, end) in enumerate(self._chunks()):
            _at_most(n_chunks, MAX_CHUNKS, "chunks")
            if self.whole and self.whole[-1][1] == start:
                start = self.whole.pop()[0]
            self.whole.append((start, end))

    def content(self) -> bytes:
        """Return the file without what is damaged."""
        if not self.damage:
            return self._data
        return MAGIC + b"".join(self._data[a:b] for a, b in self.whole)

    def n_resets(self, stream_id: int) -> int:
        """Return how often the clock of a stream may have jumped, by its offsets; an upper bound."""
        offsets = np.array(self.streams[stream_id].offsets).reshape(-1, 2)
        if len(offsets) < 2:
            return 0
        dt, dv = np.diff(offsets, axis=0).T
        return int(np.count_nonzero((dt < 0) | (np.abs(dv - np.median(dv)) > 1.0)))

    def _note(self, damage: Damage) -> None:
        self.n_damaged += 1
        self.n_damaged_bytes += damage.n_bytes
        if len(self.damage) < _FIRST:
            self.damage.append(damage)

    def _chunks(self) -> Iterator[tuple[int, int]]:
        at, n = len(MAGIC), len(self._data)
        while at < n:
            try:
                content, end = self._extent(at)
                self._chunk(content, end)
            except _Damaged as e:
                found = self._data.find(BOUNDARY, at + 1)
                end = e.resume or (n if found < 0 else found + len(BOUNDARY))
                self._note(Damage(at, end - at, str(e)))
                for stream in self.streams.values():
                    stream.unsure = True
            else:
                yield at, end
            at = end

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """Return (value, place after it) of a variable-length integer."""
        width = self._data[at] if at < end else 0
        if width not in (1, 4, 8):
            raise _Damaged(f"a length of {width} bytes at byte {at}, expected 1, 4 or 8")
        if at + 1 + width > end:
            raise _Damaged(f"a length at byte {at} goes beyond byte {end}")
        return int.from_bytes(self._data[at + 1 : at + 1 + width], "little"), at + 1 + width

    def _extent(self, at: int) -> tuple[int, int]:
        """Return where a chunk's tag stands and where the chunk ends."""
        n = len(self._data)
        length, tag = self._varint(at, n)
        if length < 2 or length > n - tag:
            raise _Damaged(f"a chunk of {length} bytes, {n - tag} are left")
        return tag, tag + length

    def _chunk(self, at: int, end: int) -> None:
        tag = int.from_bytes(self._data[at : at + 2], "little")
        at += 2
        if tag not in (1, 2, 3, 4, 5, 6):
            raise _Damaged(f"a chunk with tag {tag}, expected 1 to 6")
        if tag == 1:
            self._xml(self._data[at:end])
        if tag in (1, 5):
            return
        if end - at < 4:
            raise _Damaged(f"a chunk with tag {tag} ends before its stream's number")
        number = int.from_bytes(self._data[at : at + 4], "little")
        at += 4
        if tag == 2:
            self._header(number, self._data[at:end])
            return
        stream = self.streams.get(number)
        if stream is None:
            raise _Damaged(f"a chunk of stream {number}, which was not announced", end)
        if tag == 3:
            self._samples(number, stream, at, end)
        elif tag == 4:
            self._offset(stream, self._data[at:end])
        else:
            self._footer(self._data[at:end])

    def _xml(self, text: str | bytes) -> ElementTree.Element:
        """Return the root element of a text without document type, not too deep, not too much in all."""
        self._n_xml += len(text)
        _at_most(self._n_xml, MAX_XML_BYTES, "bytes of headers and footers")
        depth = 0

        def begin(tag: str, _: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > MAX_XML_DEPTH:
                raise _Damaged(f"XML nested deeper than {MAX_XML_DEPTH}")

        def end(tag: str) -> None:
            nonlocal depth
            depth -= 1

        def doctype(*_: object) -> None:
            raise _Damaged("XML with a document type, which XDF has no use for")

        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = begin, end
        parser.StartDoctypeDeclHandler = doctype
        try:
            parser.Parse(text, True)
            return ElementTree.fromstring(text)  # noqa: S314
        except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as e:
            raise _Damaged(f"XML that cannot be read: {e}") from e

    def _header(self, number: int, text: bytes) -> None:
        root = self._xml(text.decode("utf-8", "replace"))
        values = {key: root.findtext(key) for key in ("name", "channel_count", "nominal_srate", "channel_format")}
        if missing := [key for key, value in values.items() if not value or root.tag != "info"]:
            raise _Damaged(f"the header <{root.tag}> of stream {number} lacks {', '.join(missing)}")
        if number in self.streams:
            raise _Damaged(f"stream {number} is announced twice")
        try:
            n, rate = int(str(values["channel_count"])), float(str(values["nominal_srate"]))
        except ValueError as e:
            raise _Damaged(f"the header of stream {number}: {e}") from e
        wire_format = str(values["channel_format"])
        if wire_format not in FORMATS:
            raise _Damaged(f"stream {number} has format {wire_format!r}, expected one of {', '.join(FORMATS)}")
        if not 1 <= n <= MAX_CHANNELS or not (rate == 0 or 1e-6 <= rate <= 1e9):
            raise _Damaged(f"stream {number} announces {n} channels at {rate} Hz")
        _at_most(len(self.streams) + 1, MAX_STREAMS, "streams")
        self.streams[number] = _Stream(n, wire_format, rate)

    def _footer(self, text: bytes) -> None:
        root = self._xml(text)
        count = root.findtext("sample_count")
        if (root.tag == "info" and not len(root) and root.text) or (count and not count.strip().isdecimal()):
            raise _Damaged(f"a footer with sample count {count!r}")

    def _offset(self, stream: _Stream, content: bytes) -> None:
        if len(content) != 16:
            raise _Damaged(f"a clock offset of {len(content)} bytes, expected 16")
        t, offset = struct.unpack("<dd", content)
        if not (abs(t) < _T_MAX and abs(offset) < _T_MAX):
            raise _Damaged(f"a clock offset of {offset} s at {t} s")
        self._n_offsets += 1
        _at_most(self._n_offsets, MAX_OFFSETS, "clock offsets")
        stream.offsets.append((t, offset))

    def _samples(self, number: int, stream: _Stream, at: int, end: int) -> None:
        """Step over the samples of a chunk: their stamps are finite and their values end where the chunk does."""
        data, begun = self._data, at
        n, at = self._varint(at, end)
        size = FORMATS[stream.wire_format] * stream.n_channels
        if n * (1 + (size or 2 * stream.n_channels)) > end - at:
            raise _Damaged(f"{n} samples of {stream.n_channels} channels in {end - at} bytes (stream {number})")
        if n and stream.unsure and data[at] == 0:
            raise _Damaged(f"samples of stream {number} whose stamps follow from lost ones", end)
        period_s = 1.0 / stream.rate_hz if stream.rate_hz else 0.0
        gap_s = max(1.0, 500 * period_s) if stream.rate_hz else math.inf
        t, n_breaks = stream.t_last, 0
        for k in range(n):
            width = data[at] if at < end else 1
            if width == 8 and at + 9 <= end:
                (stamp,) = _STAMP.unpack_from(data, at + 1)
                n_breaks += abs(stamp - t) > gap_s and (k > 0 or stream.n_samples > 0)
                t = stamp
            elif width == 0:
                t += period_s
            else:
                raise _Damaged(f"sample {k} of a chunk of stream {number} has a stamp of {width} bytes")
            if not abs(t) < _T_MAX:
                raise _Damaged(f"sample {k} of a chunk of stream {number} is stamped {t} s")
            at += 1 + width + size
            if not size:
                at = self._skip_texts(at, end, stream.n_channels)
            elif at > end:
                break
        if at != end:
            raise _Damaged(f"a chunk of stream {number} from byte {begun} ends at byte {end}, its samples at {at}")
        stream.t_last, stream.unsure = t, stream.unsure and not n
        self._count(number, stream, n, n_breaks)

    def _skip_texts(self, at: int, end: int, n_channels: int) -> int:
        for _ in range(n_channels):
            length, at = self._varint(at, end)
            if length > end - at:
                raise _Damaged(f"a text of {length} bytes at byte {at}, {end - at} are left in its chunk")
            at += length
        return at

    def _count(self, number: int, stream: _Stream, n: int, n_breaks: int) -> None:
        stream.n_samples += n
        stream.n_breaks += n_breaks
        self._n_samples += n
        _at_most(self._n_samples, MAX_SAMPLES, "samples")
        if stream.wire_format == "string":
            self._n_texts += n * stream.n_channels
            _at_most(self._n_texts, MAX_TEXTS, "texts")


def _at_most(n: int, most: int, what: str) -> None:
    if n > most:
        raise RecordingError(f"holds more than {most} {what}; too large to be read at once: export it in parts")
