"""What a recording of several streams holds: samples and markers, each with its stamp, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import RecordingError
from bmi.formats.binned import reader_for, reads_streams
from bmi.signals import F64, AnyArray

BREAK_S, BREAK_SAMPLES = 1.0, 500
"""A regular stream has a gap where two stamps lie further apart than both of these."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedStream:
    """One stream as its sender announced it and its recorder wrote it down."""

    name: str
    type: str = ""
    """LSL content type, e.g. ``EEG``, ``Markers``."""
    stream_id: int
    """Number of the stream in its file."""
    source_id: str = ""
    hostname: str = ""
    """Where it was sent from."""
    wire_format: str
    """``float32``, ``double64``, ``int8`` … ``int64``, or ``string``."""
    n_channels: int
    rate_hz: float
    """Nominal rate, Hz; 0 for an irregular stream."""
    effective_rate_hz: float = 0.0
    """Samples a second between the first stamp and the last, gaps left out; 0 if irregular or too short."""
    units: tuple[str, ...] = ()
    """Unit of each channel as the sender spelled it; empty if it declared none."""
    labels: tuple[str, ...] = ()
    """Label of each channel; empty if the sender gave none."""
    t: F64
    """(n_samples,) time of each sample, s, the recorder's clock."""
    samples: AnyArray
    """(n_samples, n_channels) in the number format of the stream; (0, n_channels) if it carries texts."""
    texts: tuple[tuple[str, ...], ...] = ()
    """Markers, n_samples × n_channels, if it carries texts."""
    clock_offsets: F64
    """(n, 2) when the sender's clock was compared with the recorder's, and what to add to it, s."""

    @property
    def carries_texts(self) -> bool:
        """Whether these are markers rather than numbers."""
        return self.wire_format == "string"

    @property
    def n_samples(self) -> int:
        """Number of samples, or of markers."""
        return len(self.t)

    @property
    def duration_s(self) -> float:
        """From the oldest stamp to the newest, s."""
        return float(np.ptp(self.t)) if len(self.t) else 0.0

    @property
    def unit(self) -> str:
        """The unit all channels share; ``mixed``, or empty if none is declared."""
        declared = set(self.units)
        return "mixed" if len(declared) > 1 else next(iter(declared), "")

    def gaps(self) -> list[tuple[float, float]]:
        """Return the stamps before and after every gap of a regular stream, s."""
        if not self.rate_hz or len(self.t) < 2:
            return []
        broken = np.flatnonzero(np.abs(np.diff(self.t)) > max(BREAK_S, BREAK_SAMPLES / self.rate_hz))
        return [(float(self.t[k]), float(self.t[k + 1])) for k in broken]

    def summary(self) -> dict[str, Any]:
        """Return what there is to say of it, units in the names; JSON-serialisable."""
        gaps = self.gaps()
        offsets = self.clock_offsets[:, 1]
        return {
            "id": self.stream_id,
            "name": self.name,
            "type": self.type,
            "format": self.wire_format,
            "channels": self.n_channels,
            "unit": self.unit,
            "rate_hz": self.rate_hz,
            "effective_hz": round(self.effective_rate_hz, 3) if self.effective_rate_hz else None,
            "samples": self.n_samples,
            "duration_s": round(self.duration_s, 3),
            "gaps": len(gaps),
            "gaps_s": round(sum(abs(after - before) for before, after in gaps), 3),
            "clock_offsets": len(offsets),
            "clock_offset_ms": round(1e3 * float(np.median(offsets)), 4) if len(offsets) else None,
            "labels": list(self.labels),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamsRecording:
    """Several streams of one recording, on one clock."""

    path: Path
    streams: tuple[RecordedStream, ...]
    """In the order of the file."""
    header: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself, e.g. ``version``, ``datetime``."""
    stamps: str = "as written"
    """What was done to the stamps, in words."""
    notes: tuple[str, ...] = ()
    """What was remarkable, damage that was passed over included."""

    @property
    def span_s(self) -> tuple[float, float]:
        """Oldest and newest stamp of all streams, s; (0, 0) if nothing was recorded."""
        stamped = [s.t for s in self.streams if len(s.t)]
        if not stamped:
            return 0.0, 0.0
        return float(min(t.min() for t in stamped)), float(max(t.max() for t in stamped))

    @property
    def duration_s(self) -> float:
        """From the oldest stamp to the newest, s."""
        begun, ended = self.span_s
        return ended - begun


def read_streams(
    path: Path | str, *, synchronize: bool = True, dejitter: bool = True, partial: bool = False
) -> StreamsRecording:
    """Return the streams recorded in ``path``, read by the format registered for its suffix.

    Parameters
    ----------
    path : Path
        An ``.xdf`` file.
    synchronize : bool
        Move every stream to the recorder's clock with the clock offsets in the file.
    dejitter : bool
        Lay the stamps of regular streams on straight lines, one for each run without a gap. The line hides
        jitter, and the loss of single samples with it.
    partial : bool
        Read what is whole of a damaged file, and note what is not; otherwise damage is an error.

    Raises
    ------
    RecordingError
        If there is no such file, it holds no streams, or it is damaged.
    """
    reader = reader_for(path)
    if not reads_streams(reader):
        raise RecordingError(f"{path}: holds binned counts, not streams; read it with bmi.formats.read")
    recording: StreamsRecording = reader(Path(path), synchronize=synchronize, dejitter=dejitter, partial=partial)
    return recording
