"""Notices who returns when a stream has fallen silent, refuses by name who is not the same, and prepares the way back.

A thread of its own does everything that waits for the network: looking, asking for descriptions, measuring the
sender's clock, connecting, and giving old connections back. The live thread only asks whether a link lies ready.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bmi.errors import StreamNotFound
from bmi.lsl.info import Offer, survey
from bmi.lsl.link import Link
from bmi.lsl.match import Rules

LOOK_S = 0.25
"""How long one look round takes: a sender answers within milliseconds, but rivals should be seen as well."""
PAUSE_S, QUIET_S = 0.1, 1.0
"""Between two looks; while the sender answers and only sends nothing."""
ANSWER_S = 2.0
ABSENT = 2
"""A sender whose connection still stands is given up for a newer one, or connected to anew when it is back, after
so many looks without an answer: its cable was pulled, or it was stopped."""

Tell = Callable[..., None]


class Watch:
    """Looks for the bound stream, only while asked to.

    Parameters
    ----------
    bound : Offer
        What was opened, with its full description.
    wanted : mapping
        The recipe's words: ``name``, ``type``, ``source_id``.
    rules : Rules
        Whom to listen to.
    n_buffer : int
        Samples a new link may keep while nobody pulls.
    tell : callable
        Takes what happens: ``tell(kind, **data)``, from this thread.
    """

    def __init__(self, bound: Offer, wanted: Mapping[str, str], rules: Rules, n_buffer: int, tell: Tell) -> None:
        self.bound = bound
        self._rules, self._n_buffer, self._tell = rules, n_buffer, tell
        self._wanted = {**wanted, "name": bound.info.name(), "type": bound.spec.type}
        self._lock = threading.Lock()
        self._wake, self._found = threading.Event(), threading.Event()
        self._ready: Link | None = None
        self._turn = 0  # which absence it is; a link found for an earlier one is of no use
        self._looking = self._lost = self._over = False
        self._since = -math.inf
        self._absent = 0
        self._rubbish: list[Link] = []
        self._refused: dict[str, str] = {}
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="bmi-lsl-watch", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ from the live thread
    def look(self, since: float, *, lost: bool) -> None:
        """Begin to look, or learn that meanwhile the connection broke; returns at once.

        Parameters
        ----------
        since : float
            Time of the newest sample, s, this machine's clock: a sender started before was there beside ours.
        lost : bool
            Whether the connection is broken; otherwise ours is only silent, and may be no more than quiet.
        """
        with self._lock:
            if not self._looking:
                self._turn += 1
                self._absent = 0
            self._since, self._lost, self._looking = since, lost, True
        self._wake.set()

    @property
    def looking(self) -> bool:
        """Whether somebody is looked for."""
        return self._looking

    def take(self, timeout_s: float) -> Link | None:
        """Return the link to who returned, once, waiting for it at most ``timeout_s``; then looking ends."""
        if not self._found.is_set() and not (timeout_s > 0.0 and self._found.wait(timeout_s)):
            return None
        with self._lock:
            link, self._ready = self._ready, None
            self._looking = False
            self._found.clear()
        return link

    def rest(self) -> None:
        """Stop looking, the stream is back; what was found meanwhile is given back."""
        with self._lock:
            self._said.clear()
            self._looking = False
            self._turn += 1
            link, self._ready = self._ready, None
            self._found.clear()
        if link is not None:
            self.give_back(link)

    def give_back(self, link: Link) -> None:
        """Close a link without waiting for it."""
        self._rubbish.append(link)
        self._wake.set()

    def end(self) -> None:
        """Leave; waits for what it is in the middle of, at most a few seconds."""
        self._over = True
        self.rest()
        self._wake.set()
        self._thread.join(ANSWER_S + 2.0)

    # ------------------------------------------------------------------ its own thread
    def _run(self) -> None:
        while not self._over:
            if not self._looking or self._found.is_set():
                self._wake.wait()
            self._wake.clear()
            self._tidy()
            if self._looking and not self._found.is_set() and not self._over:
                self._wake.wait(self._once())
        self._tidy()

    def _tidy(self) -> None:
        while self._rubbish:
            self._rubbish.pop().close()

    def _once(self) -> float:
        """Look round once; return how long to pause, s."""
        turn = self._turn
        offers = survey(self._wanted, LOOK_S)
        if turn != self._turn or not self._looking:
            return PAUSE_S  # the stream came back meanwhile
        ours = [o for o in offers if o.uid == self.bound.uid]
        self._absent += not ours
        for offer in offers:
            self._meet(offer, bool(ours))
        if not self._lost and self._absent < ABSENT:
            return QUIET_S if ours else PAUSE_S
        known = [o for o in ours or offers if o.uid not in self._refused]
        for offer in sorted(known, key=lambda o: o.created_at, reverse=True):
            link = self._approach(offer)
            if link is not None:
                self._hand_over(link, turn)
                break
        return PAUSE_S

    def _meet(self, offer: Offer, beside_ours: bool) -> None:
        """Refuse what can be refused from afar."""
        if offer.uid in self._refused:
            self._say("stream.refused", self._refused[offer.uid], offer)
            return
        change = self._rules.change(self.bound, offer, described=False)
        if change:
            self._refuse(offer, change)
        elif beside_ours and offer.uid != self.bound.uid:
            self._say("stream.duplicate", "a second sender of the same name is there beside ours", offer)

    def _approach(self, offer: Offer) -> Link | None:
        """Connect to a sender that may be ours; None if it is not, or gone again."""
        try:
            link = Link(offer, self._n_buffer, ANSWER_S)
            change = self._rules.change(self.bound, link.offer, described=True)
            if not change and offer.uid != self.bound.uid:
                link.measure()
                change = self._duplicate(link)
            if change:
                self._refuse(link.offer, change)
                link.close()
                return None
            link.begin()
        except StreamNotFound:
            return None
        return link

    def _duplicate(self, link: Link) -> str:
        if link.created_at > self._since:
            return ""
        earlier = self._since - link.created_at
        words = f"it was there {earlier:.1f} s before ours fell silent: a second sender, not a restart"
        self._say("stream.duplicate", words, link.offer)
        return "" if self._rules.duplicates == "follow" else words

    def _refuse(self, offer: Offer, words: str) -> None:
        self._refused[offer.uid] = words
        self._say("stream.refused", words, offer)

    def _say(self, kind: str, words: str, offer: Offer) -> None:
        """Tell a thing once an absence."""
        if kind + words not in self._said:
            self._said.add(kind + words)
            data: dict[str, Any] = {"host": offer.spec.hostname, "source_id": offer.spec.source_id, "uid": offer.uid}
            self._tell(kind, difference=words, **data)

    def _hand_over(self, link: Link, turn: int) -> None:
        with self._lock:
            if self._looking and turn == self._turn and not self._over:
                self._ready = link
                self._found.set()
                return
        link.close()
