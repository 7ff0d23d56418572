"""XDF, the format of LabRecorder: every LSL stream of a session in one file, with its clock offsets.

Read by pyxdf, the format's own library, so that counts and stamps are everybody's; it trusts what it reads, so
`bmi.formats.xdf_chunks` looks at every byte first. Clock correction and dejittering are described in Kothe et al.
2025, *The lab streaming layer for synchronized multimodal recording*, Imaging Neuroscience 3.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import RecordingError
from bmi.formats.streams import RecordedStream, StreamsRecording
from bmi.formats.xdf_chunks import MAX_BREAKS, MAX_RESETS, Container

MAX_FILE_BYTES = 2 << 30
_MOST_NOTES = 20
_UNREADABLE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError,
    TypeError, ValueError, struct.error, np.linalg.LinAlgError,
)  # fmt: skip
"""What a reader of damaged data may raise."""


def read_xdf(
    path: Path | str, *, synchronize: bool = True, dejitter: bool = True, partial: bool = False
) -> StreamsRecording:
    """Return every stream of an XDF file; see `bmi.formats.read_streams` for the switches.

    With both switches on the stamps are those of ``pyxdf.load_xdf`` with its defaults, with both off those in
    the file.

    Raises
    ------
    RecordingError
        If it is no XDF file, damaged (unless ``partial``), larger than 2 GiB, or beyond what can be fitted.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecordingError(f"{path}: larger than {MAX_FILE_BYTES >> 30} GiB; record it in parts")
        data = path.read_bytes()
    except OSError as e:
        raise RecordingError(f"{path}: cannot be read: {e}") from e
    try:
        container = Container(data)
    except RecordingError as e:
        raise RecordingError(f"{path}: {e}") from e
    notes = _damage(path, container, partial)
    _check_effort(path, container, synchronize, dejitter)
    with _heard(notes):
        found, header = _load(path, container, synchronize, dejitter)
    done = [word for word, on in (("synchronized", synchronize), ("dejittered", dejitter)) if on]
    try:
        streams = tuple(_stream(path, s) for s in found)
    except _UNREADABLE as e:
        raise RecordingError(f"{path}: a header in it cannot be understood: {type(e).__name__}: {e}") from e
    if not streams:
        raise RecordingError(f"{path}: no stream is announced in it; nothing was recorded, or its headers are lost")
    return StreamsRecording(
        path=path, streams=streams, header=_texts(header), stamps=" and ".join(done) or "as written", notes=tuple(notes)
    )


def _damage(path: Path, container: Container, partial: bool) -> list[str]:
    """Return what is lost in words; raise unless that is accepted."""
    if not container.damage:
        return []
    first = container.damage[0]
    lost = f"{container.n_damaged_bytes} of {container.n_bytes} bytes"
    places = f"{container.n_damaged} such place{'s' if container.n_damaged > 1 else ''}"
    said = f"damaged or cut off at byte {first.at}: {first.why}; {places}, {lost}"
    if not partial:
        raise RecordingError(
            f"{path}: {said}. Take another copy, or read what is whole: --partial (bmi inspect, bmi replay), "
            "read_streams(path, partial=True)"
        )
    return [said]


def _check_effort(path: Path, container: Container, synchronize: bool, dejitter: bool) -> None:
    """Refuse what pyxdf would fit for minutes, and say which switch leaves it out."""
    n_resets = sum(container.n_resets(number) for number in container.streams) if synchronize else 0
    n_breaks = sum(stream.n_breaks for stream in container.streams.values() if stream.rate_hz) if dejitter else 0
    if n_resets > MAX_RESETS:
        raise RecordingError(
            f"{path}: the clocks of its streams jump {n_resets} times, at most {MAX_RESETS} can be followed; "
            "read it with synchronize=False (--raw-stamps)"
        )
    if n_breaks > MAX_BREAKS:
        raise RecordingError(
            f"{path}: its regular streams have {n_breaks} gaps, at most {MAX_BREAKS} can be fitted; "
            "read it with dejitter=False (--raw-stamps)"
        )


@contextmanager
def _heard(notes: list[str]) -> Iterator[None]:
    """Take down what pyxdf has to say instead of letting it go to the terminal."""

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if len(notes) < _MOST_NOTES:
                notes.append(f"pyxdf: {record.getMessage()}")

    logger, handler = logging.getLogger("pyxdf"), Notes(logging.WARNING)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


def _load(path: Path, container: Container, synchronize: bool, dejitter: bool) -> tuple[Any, Any]:
    import pyxdf

    try:
        with np.errstate(all="ignore"):
            streams, header = pyxdf.load_xdf(
                BytesIO(container.content()), synchronize_clocks=synchronize, dejitter_timestamps=dejitter
            )
        return streams, header
    except _UNREADABLE as e:
        raise RecordingError(
            f"{path}: pyxdf cannot read it ({type(e).__name__}: {e}). If its clock offsets or stamps are at fault, "
            "read it with synchronize=False, dejitter=False (--raw-stamps)"
        ) from e


def _stream(path: Path, found: dict[str, Any]) -> RecordedStream:
    """Return one of pyxdf's streams as ours."""
    info = found["info"]
    n, wire_format = int(info["channel_count"][0]), str(info["channel_format"][0])
    t = np.ascontiguousarray(found["time_stamps"], np.float64)
    if not np.isfinite(t).all():
        raise RecordingError(
            f"{path}: the clock offsets of stream {info['stream_id']} fit no line, so that it would have no stamps; "
            "read it with synchronize=False (--raw-stamps)"
        )
    texts = wire_format == "string"
    rate, effective = float(info["nominal_srate"][0]), float(info["effective_srate"])
    channels = _children(_children(info.get("desc"), "channels"), "channel")
    return RecordedStream(
        name=_first(info, "name"), type=_first(info, "type"), stream_id=int(info["stream_id"]),
        source_id=_first(info, "source_id"), hostname=_first(info, "hostname"), wire_format=wire_format,
        n_channels=n, rate_hz=rate, effective_rate_hz=effective if rate and math.isfinite(effective) else 0.0,
        units=_of_each(channels, "unit", n), labels=_of_each(channels, "label", n), t=t,
        samples=np.empty((0, n)) if texts else np.asarray(found["time_series"]),
        texts=tuple(tuple(sample) for sample in found["time_series"]) if texts else (),
        clock_offsets=np.column_stack([found["clock_times"], found["clock_values"]]).reshape(-1, 2),
    )  # fmt: skip


def _children(nodes: Any, key: str) -> list[Any]:
    """Return what stands under ``key`` in the first of pyxdf's nodes; a node is a dict of lists, a text or None."""
    node = nodes[0] if isinstance(nodes, list) and nodes else None
    return list(node[key]) if isinstance(node, dict) and key in node else []


def _first(node: Any, key: str) -> str:
    values = _children([node], key)
    return values[0] if values and isinstance(values[0], str) else ""


def _of_each(channels: list[Any], key: str, n: int) -> tuple[str, ...]:
    """Return one text a channel; empty if the sender gave none, or not one for each."""
    values = tuple(_first(channel, key) for channel in channels)
    return values if len(values) == n and any(values) else ()


def _texts(header: Any) -> dict[str, str]:
    info = header.get("info") if isinstance(header, dict) else None
    return {str(key): _first(info, key) for key in info} if isinstance(info, dict) else {}
