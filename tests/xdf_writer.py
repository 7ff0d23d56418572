"""XDF files with known content, written from the format's specification and not with the library that reads them.

A file is ``XDF:`` and chunks; a chunk is a length, a tag and a content. Each function returns the bytes of one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
CODES = {"int8": "b", "int16": "h", "int32": "i", "int64": "q", "float32": "f", "double64": "d"}


def length(n: int, width: int = 0) -> bytes:
    """A variable-length integer: how many bytes it takes, then those."""
    width = width or (1 if n < 1 << 8 else 4 if n < 1 << 32 else 8)
    return bytes([width]) + n.to_bytes(width, "little")


def chunk(tag: int, content: bytes) -> bytes:
    return length(len(content) + 2) + struct.pack("<H", tag) + content


def file_header(xml: str = "<info><version>1.0</version></info>") -> bytes:
    return chunk(1, xml.encode())


def stream_header(number: int, xml: str | None = None, **values: object) -> bytes:
    """Announce a stream: ``name``, ``channel_count``, ``nominal_srate``, ``channel_format``, and more if wanted."""
    promised = {"name": "s", "type": "EEG", "channel_count": 2, "nominal_srate": 100, "channel_format": "float32"}
    text = "".join(f"<{k}>{v}</{k}>" for k, v in (promised | values).items() if v is not None)
    return chunk(2, struct.pack("<I", number) + (xml or f"<info>{text}</info>").encode())


def channels(labels: Sequence[str], unit: str) -> str:
    """The ``desc`` of a stream header that names its channels and their unit."""
    each = "".join(f"<channel><label>{name}</label><unit>{unit}</unit></channel>" for name in labels)
    return f"<channels>{each}</channels>"


def samples(number: int, code: str, rows: Sequence[tuple[float | None, Sequence[object]]]) -> bytes:
    """Samples as (stamp or None, values); ``code`` is a format of `struct`, or ``s`` for texts."""
    content = struct.pack("<I", number) + length(len(rows))
    for t, values in rows:
        content += b"\0" if t is None else b"\x08" + struct.pack("<d", t)
        for value in values:
            text = value.encode() if isinstance(value, str) else b""
            content += length(len(text)) + text if code == "s" else struct.pack("<" + code, value)
    return chunk(3, content)


def clock_offset(number: int, t: float, offset: float) -> bytes:
    return chunk(4, struct.pack("<Idd", number, t, offset))


def boundary() -> bytes:
    return chunk(5, BOUNDARY)


def footer(number: int, n_samples: int) -> bytes:
    return chunk(6, struct.pack("<I", number) + f"<info><sample_count>{n_samples}</sample_count></info>".encode())


def write(path: Path, *chunks: bytes) -> Path:
    path.write_bytes(b"XDF:" + b"".join(chunks))
    return path
