"""Completing a recording whose recorder was killed, or whose bytes were damaged.

Every part without footer, or with bytes that belong to no whole record, is copied message by message into a
fresh file with footer and index, which then takes its name; the original stays beside it as ``.broken``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from bmi.errors import RecordingError
from bmi.manifest import parts_of, write_manifest
from bmi.part import PartWriter
from bmi.scan import Scan


class PartReport(NamedTuple):
    """What became of one part."""

    name: str
    rebuilt: bool
    """False if it was whole, or not readable at all."""
    rows: int
    """Rows it holds now."""
    seconds: float
    """From its oldest to its newest row."""
    bytes_unreadable: int
    """Bytes of the original that belong to no whole record."""


class RecoveryReport(NamedTuple):
    """What became of every part."""

    parts: tuple[PartReport, ...]

    @property
    def rebuilt(self) -> int:
        """Parts rebuilt."""
        return sum(p.rebuilt for p in self.parts)

    @property
    def rows(self) -> int:
        """Rows the recording holds now."""
        return sum(p.rows for p in self.parts)

    @property
    def seconds(self) -> float:
        """Recorded time over all parts, s."""
        return sum(p.seconds for p in self.parts)

    @property
    def bytes_unreadable(self) -> int:
        """Bytes lost over all parts."""
        return sum(p.bytes_unreadable for p in self.parts)


def recover(path: Path | str) -> RecoveryReport:
    """Complete every part under ``path`` that needs it; calling it again changes nothing.

    Parameters
    ----------
    path : Path
        Folder of a recording, or one ``.mcap`` file.

    Raises
    ------
    RecordingError
        If nothing there is a recording, or the disk refuses.
    """
    path = Path(path)
    files = parts_of(path) if path.is_dir() else [path]
    if not files:
        raise RecordingError(f"{path}: expected part-000.mcap and so on, found none; nothing to recover")
    reports, problems = [], []
    for file in files:
        try:
            scan = Scan(file)
        except RecordingError as e:
            problems.append(str(e))
            reports.append(PartReport(file.name, False, 0, 0.0, file.stat().st_size if file.exists() else 0))
            continue
        try:
            reports.append(_recover_part(scan))
        except OSError as e:
            raise RecordingError(f"{file}: cannot rebuild it: {e}; the original is untouched") from e
    if len(problems) == len(files):
        raise RecordingError("\n".join(problems))
    if path.is_dir():
        try:
            write_manifest(path)
        except OSError as e:
            raise RecordingError(f"{path}: the parts are whole, the manifest cannot be written: {e}") from e
    return RecoveryReport(tuple(reports))


def _recover_part(scan: Scan) -> PartReport:
    good = [(b, rows) for b in scan.blocks if (rows := scan.rows(b)) is not None]
    unreadable = scan.unreadable + sum(b.size for b in scan.blocks) - sum(b.size for b, _ in good)
    begun = [b.publish_ns for b, _ in good if b.publish_ns]
    ended = [b.log_ns for b, _ in good if b.log_ns]
    seconds = max(0.0, (max(ended) - min(begun)) * 1e-9) if begun and ended else 0.0
    rebuild = not scan.complete or unreadable > 0
    if rebuild:
        _rebuild(scan, unreadable)
    return PartReport(scan.path.name, rebuild, sum(b.n for b, _ in good), seconds, unreadable)


def _rebuild(scan: Scan, unreadable: int) -> None:
    path = scan.path
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    history = {"recovered": {"bytes_unreadable": str(unreadable), "original": f"{path.name}.broken"}}
    draft.unlink(missing_ok=True)
    part = PartWriter(draft, {**scan.metadata, **history})
    try:
        for block in sorted([*scan.blocks, *scan.notes], key=lambda b: b.at):
            topic = scan.topics[block.channel]
            if topic.dtype is None:
                if (value := scan.note(block)) is not None:
                    part.write_json(topic.name, block.log_ns * 1e-9, value)
            elif (rows := scan.rows(block)) is not None:
                part.write_rows(topic.name, block.first, rows, topic.meta)
        part.finish(sync=True)
        broken = path.with_name(f"{path.name}.broken")
        if not broken.exists():
            os.link(path, broken)
        draft.replace(path)
    finally:
        part.abandon()
        draft.unlink(missing_ok=True)
