"""Markers of a session, in the service process: others' are heard and filed, our own events are told to others.

Hearing is slow and unpredictable beside the live lane, so it is done here, a thread a stream. What is heard goes into
``markers.ring``, which the recorder files like any other ring, under ``/markers``.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bmi.clock import LSLClock
from bmi.errors import StreamLost, StreamNotFound
from bmi.journal import EVENT_DTYPE, event_text
from bmi.nodes import MarkersNode
from bmi.ring import Ring
from bmi.signals import Event

RING = "markers.ring"
LOOK_S, WAIT_S = 0.5, 0.1
MOST_PER_S = 1000
"""Markers of one stream that are kept a second; more is a flood, and counted."""


class Ears:
    """Hears marker streams from ``start`` to ``close``; one that is not there is waited for.

    Writes ``marker`` events (``stream``, ``text``) and what becomes of the streams: ``marker.waiting``,
    ``marker.connected``, ``marker.lost``, ``marker.flood`` (``dropped``).

    Parameters
    ----------
    folder : Path
        Runtime folder; the ring is made here.
    nodes : sequence of MarkersNode
        What to listen for.
    """

    def __init__(self, folder: Path, nodes: Sequence[MarkersNode]) -> None:
        self.ring = Ring.create(folder / RING, EVENT_DTYPE, 4096, topic="/markers")
        self.heard = self.dropped = 0
        """Markers filed, and those that were too many."""
        self._row = np.zeros(1, EVENT_DTYPE)
        self._lock = threading.Lock()
        self._now = LSLClock().now
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._hear, args=(node,), name=f"bmi-markers-{i}", daemon=True)
            for i, node in enumerate(nodes)
        ]

    def start(self) -> None:
        """Begin to look and listen; returns at once."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop listening; waits a second at most."""
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(1.0)

    def _hear(self, node: MarkersNode) -> None:
        from bmi.lsl.markers import MarkerInlet, find_markers

        wanted = {"name": node.name, "type": node.type, "source_id": node.source_id}
        label = node.name or node.type or node.source_id
        waiting = False
        while not self._over.is_set():
            offer = find_markers(wanted, LOOK_S)
            if offer is None:
                if not waiting:
                    self._tell(label, "marker.waiting", **{k: v for k, v in wanted.items() if v})
                waiting = True
                continue
            try:
                inlet = MarkerInlet(offer)
            except StreamNotFound:
                continue  # gone again
            waiting = False
            self._tell(label, "marker.connected", source_id=offer.spec.source_id, host=offer.spec.hostname)
            try:
                self._listen(label, inlet)
            except StreamLost:
                self._tell(label, "marker.lost")
            finally:
                inlet.close()

    def _listen(self, label: str, inlet: Any) -> None:
        """File what comes, until the sender is gone or nobody listens any more."""
        since, n, dropped = self._now(), 0, 0
        while not self._over.is_set():
            for marker in inlet.pull(WAIT_S):
                n += 1
                if n <= MOST_PER_S:
                    self._write(Event(marker.t, "marker", {"stream": label, "text": marker.text}))
                    self.heard += 1
                else:
                    dropped += 1
            now = self._now()
            if now - since >= 1.0:
                if dropped:
                    self.dropped += dropped
                    self._tell(label, "marker.flood", dropped=dropped)
                since, n, dropped = now, 0, 0

    def _tell(self, label: str, kind: str, **data: Any) -> None:
        self._write(Event(self._now(), kind, {"stream": label, **data}))

    def _write(self, event: Event) -> None:
        with self._lock:
            self._row["t"], self._row["text"] = event.t, event_text(event)
            self.ring.write(self._row)


class Voice:
    """Tells the session's own events to whoever listens on the network: a marker stream ``<session>-events``.

    Each marker is the event's JSON, stamped with its time.

    Parameters
    ----------
    folder : Path
        Runtime folder; the lane's events are read there.
    session : str
        Name of the session.

    Raises
    ------
    StreamError
        liblsl could not put the stream on the network.
    """

    def __init__(self, folder: Path, session: str) -> None:
        from bmi.lsl.markers import MarkerOutlet

        self._reader = Ring.open(folder / "events.ring").reader("oldest")
        self._outlet = MarkerOutlet(f"{session}-events")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bmi-events", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            over = self._over.wait(0.01)
            for row in self._reader.read():
                self._outlet.push(bytes(row["text"]).decode(), float(row["t"]))
            if over:
                return

    def close(self) -> None:
        """Tell what is left, give it a moment to arrive, and leave the network."""
        self._over.set()
        self._thread.join(1.0)
        threading.Event().wait(0.05)  # the outlet sends in a thread of its own
        self._outlet.close()
