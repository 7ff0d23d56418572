"""What a stream has to tell the session: events, kept until the lane takes them, and never a flood of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bmi.signals import Event

BURST, PER_S = 20.0, 1.0
"""So many events of one kind may come at once; afterwards one a second, with the number left unsaid."""


class Notes:
    """Events of one stream.

    Parameters
    ----------
    stream : str
        Its label, in every event.
    now : callable
        The LSL clock.
    """

    def __init__(self, stream: str, now: Callable[[], float]) -> None:
        self._stream, self._now = stream, now
        self._tokens: dict[str, tuple[float, float, int]] = {}
        self._waiting: deque[Event] = deque(maxlen=256)  # any thread may append, one takes

    def tell(self, kind: str, **data: Any) -> None:
        """Say that ``kind`` happened; beyond the burst only counted, and the next event says how many went unsaid."""
        now = self._now()
        t, tokens, unsaid = self._tokens.get(kind, (now, BURST, 0))
        tokens = min(BURST, tokens + (now - t) * PER_S)
        if tokens < 1.0:
            self._tokens[kind] = (now, tokens, unsaid + 1)
            return
        self._tokens[kind] = (now, tokens - 1.0, 0)
        if unsaid:
            data["unsaid"] = unsaid
        self._waiting.append(Event(now, kind, {"stream": self._stream, **data}))

    def take(self) -> Sequence[Event]:
        """Return what was told since the last call, oldest first, and forget it. *Realtime*: every turn."""
        if not self._waiting:
            return ()
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
