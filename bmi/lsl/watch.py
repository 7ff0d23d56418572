"""Notices, while a stream is silent, that its sender came back as something else.

liblsl reconnects by itself, but it asks too little and says nothing: a changed rate is accepted in silence, a
changed channel count or number format is waited for in vain for ever (measured on liblsl 1.18). So a silent
stream is looked for on the network once more, beside the live thread, and compared with what was bound.
"""

from __future__ import annotations

import logging
import threading
from typing import Literal

from bmi.lsl.info import Offer, difference, find, full_offer

_log = logging.getLogger(__name__)

Verdict = Literal["", "same", "restarted", "changed"]


class Watch:
    """Looks for the bound stream in a thread of its own, only while asked to.

    Parameters
    ----------
    bound : Offer
        What the inlet was opened on, with its full description.
    """

    def __init__(self, bound: Offer) -> None:
        self.bound = bound
        self.change = ""
        """What is different, in words, once the verdict is ``changed``."""
        self.verdict: Verdict = ""
        """Empty while unknown; ``same`` sender, ``restarted`` but alike, or ``changed``."""
        self._stop = threading.Event()
        self._decided = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def active(self) -> bool:
        """True from ``start`` to ``stop``."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to look; returns at once."""
        if self._thread is None:
            self.verdict = ""
            self._stop, self._decided = threading.Event(), threading.Event()
            self._thread = threading.Thread(target=self._look, name="bmi-lsl-watch", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float) -> Verdict:
        """Return the verdict, waiting for it at most ``timeout_s``."""
        self._decided.wait(timeout_s)
        return self.verdict

    def stop(self) -> None:
        """Stop looking and forget the verdict; the thread ends by itself within its current question."""
        self._stop.set()
        self._thread = None
        self.verdict = ""

    def _look(self) -> None:
        stop, decided = self._stop, self._decided
        spec = self.bound.spec
        wanted = {"name": spec.name, "type": spec.type, "source_id": spec.source_id}
        while not stop.is_set():
            offers = find(wanted, 0.5)
            verdict = self._judge(offers) if offers and not stop.is_set() else ""
            if verdict:
                self.verdict = verdict
                decided.set()
                if verdict != "same":
                    return
            stop.wait(1.0 if verdict else 0.2)  # a sender that answers is only quiet

    def _judge(self, offers: list[Offer]) -> Verdict:
        if any(o.uid == self.bound.uid for o in offers):
            return "same"
        newest = max(offers, key=lambda o: o.created_at)
        change = difference(self.bound, newest, described=False)
        if not change:
            full = full_offer(newest, 1.0)
            if full is None:
                return ""  # gone again before it answered
            change = difference(self.bound, full, described=True)
            newest = full
        if change:
            self.change = change
            return "changed"
        _log.warning("stream %r: its sender restarted with the same promises", self.bound.spec.name)
        self.bound = newest
        return "restarted"
