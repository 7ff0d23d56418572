"""A recording as its reader sees it: topics, each one array of rows, with every gap named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import RecordingError
from bmi.manifest import parts_of
from bmi.registry import nearest
from bmi.scan import Block, Scan
from bmi.signals import AnyArray, Event

EVENTS_PREFIX = "/events"


class Recording:
    """Every part of a recording, opened for reading; made by `open`.

    Whole files, files without footer, torn and damaged ones are all read: what is missing is a gap.

    Attributes
    ----------
    path : Path
    topics : tuple of str
        Topics with rows, sorted.
    metadata : dict of str to dict of str to str
        What the recorder was told: recipe, seed, versions, host, hashes.
    complete : bool
        Whether every part was finished; if not, `bmi.recover` can finish it.
    unreadable_bytes : int
        Bytes that belong to no whole record.
    problems : tuple of str
        Parts that could not be read at all, and why.
    """

    def __init__(self, path: Path, scans: list[Scan], problems: list[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        self.complete = not problems and all(s.complete for s in scans)
        self.unreadable_bytes = sum(s.unreadable for s in scans)
        self.metadata: dict[str, dict[str, str]] = {}
        self._scans = scans
        self._blocks: dict[str, list[tuple[Scan, Block]]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._meta: dict[str, dict[str, Any]] = {}
        for scan in scans:
            for name, values in scan.metadata.items():
                self.metadata.setdefault(name, values)
            for topic in scan.topics.values():
                if topic.dtype is None:
                    continue
                if self._dtypes.setdefault(topic.name, topic.dtype) != topic.dtype:
                    raise RecordingError(
                        f"{scan.path}: {topic.name} has rows of {topic.dtype}, an earlier part "
                        f"{self._dtypes[topic.name]}; these parts are not of one recording"
                    )
                self._meta.setdefault(topic.name, topic.meta)
                self._blocks.setdefault(topic.name, [])
            for block in scan.blocks:
                self._blocks[block.topic].append((scan, block))
        for blocks in self._blocks.values():
            blocks.sort(key=lambda b: b[1].first)
        self.topics = tuple(sorted(self._blocks))

    @classmethod
    def open(cls, path: Path | str) -> Recording:
        """Open a folder of parts, or one ``.mcap`` file.

        Raises
        ------
        RecordingError
            If there is no such thing, or not one part of it can be read.
        """
        path = Path(path)
        if not path.exists():
            raise RecordingError(f"{path}: no such file or folder; expected a recording")
        files = parts_of(path) if path.is_dir() else [path]
        if not files:
            there = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
            raise RecordingError(f"{path}: expected part-000.mcap and so on, found {there}")
        scans, problems = [], []
        for file in files:
            try:
                scans.append(Scan(file))
            except RecordingError as e:
                problems.append(str(e))
        if not scans:
            raise RecordingError("\n".join(problems))
        return cls(path, scans, problems)

    def dtype(self, topic: str) -> np.dtype[Any]:
        """Return the record type of ``topic``. Raises RecordingError if there is no such topic."""
        self._require(topic)
        return self._dtypes[topic]

    def meta(self, topic: str) -> dict[str, Any]:
        """Return the attributes the ring of ``topic`` was made with, e.g. its unit."""
        self._require(topic)
        return self._meta[topic]

    def read(self, topic: str) -> AnyArray:
        """Return all rows of ``topic`` (n,), structured, in order, each once.

        Raises
        ------
        RecordingError
            If there is no such topic; the message lists those there are.
        """
        self._require(topic)
        pieces = [rows for _, rows in self._pieces(topic)]
        return np.concatenate(pieces) if pieces else np.empty(0, self._dtypes[topic])

    def gaps(self, topic: str) -> list[tuple[int, int]]:
        """Return [first, end) of every run of rows that was written to the ring and is not here."""
        self._require(topic)
        gaps, expected = [], 0
        for first, rows in self._pieces(topic):
            if first > expected:
                gaps.append((expected, first))
            expected = first + len(rows)
        return gaps

    def index(self, topic: str) -> AnyArray:
        """Return the ring number (n,) int64 of each row `read` returns."""
        self._require(topic)
        runs = [np.arange(first, first + len(rows)) for first, rows in self._pieces(topic)]
        return np.concatenate(runs) if runs else np.empty(0, np.int64)

    def events(self) -> list[Event]:
        """Return what happened, from every topic under ``/events``, by time."""
        events = []
        for topic in self.topics:
            if topic.startswith(EVENTS_PREFIX) and {"t", "text"} <= set(self._dtypes[topic].names or ()):
                events += [_event(row) for row in self.read(topic)]
        return sorted(events, key=lambda e: e.t)

    def counters(self) -> list[dict[str, Any]]:
        """Return what the recorder counted once a second: per ring count, recorded, dropped, lag."""
        notes = [s.note(b) for s in self._scans for b in s.notes if b.topic == "/counters"]
        return [n for n in notes if isinstance(n, dict)]

    @property
    def span_s(self) -> tuple[float, float]:
        """Time of the oldest and newest row, s, LSL clock; (0, 0) if no row has a time."""
        begun = [b.publish_ns for s in self._scans for b in s.blocks if b.publish_ns]
        ended = [b.log_ns for s in self._scans for b in s.blocks if b.log_ns]
        return (min(begun) * 1e-9, max(ended) * 1e-9) if begun and ended else (0.0, 0.0)

    @property
    def duration_s(self) -> float:
        """Time from the oldest row to the newest, s."""
        begun, ended = self.span_s
        return max(0.0, ended - begun)

    def _require(self, topic: str) -> None:
        if topic not in self._blocks:
            known = ", ".join(self.topics) or "none"
            hint = nearest(topic, list(self.topics))
            raise RecordingError(f"{self.path}: no topic {topic!r}{hint} (recorded: {known})")

    def _pieces(self, topic: str) -> Iterator[tuple[int, AnyArray]]:
        """Yield (number of the first row, rows) in order; a row recorded twice comes once."""
        expected = 0
        for first, same in groupby(self._blocks[topic], key=lambda b: b[1].first):
            for scan, block in same:
                rows = scan.rows(block) if first + block.n > expected else None
                if rows is None:  # all seen before, or its checksum does not hold
                    continue
                new = max(0, expected - first)
                yield first + new, rows[new:]
                expected = first + block.n


def _event(row: np.void) -> Event:
    t, text = float(row["t"]), bytes(row["text"])
    try:
        data = json.loads(text)
        return Event(t, str(data.pop("kind")), data)
    except (ValueError, KeyError, AttributeError, TypeError):
        return Event(t, "unreadable", {"text": text.decode("utf-8", "replace")})
