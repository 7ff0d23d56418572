"""The only place that asks what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable


class LSLClock:
    """Seconds on this machine's LSL clock: monotonic, shared by every process here."""

    def __init__(self) -> None:
        from pylsl.lib import lib

        self.now: Callable[[], float] = lib.lsl_local_clock  # the library's own, without a wrapper in between

    def sleep_until(self, t: float) -> None:
        """Sleep until ``t``, s, on the LSL clock."""
        while (rest := t - self.now()) > 0:
            time.sleep(rest)


class ManualClock:
    """A clock that moves when told: lock-step simulation, replay and tests."""

    def __init__(self, t: float = 0.0) -> None:
        self._t = t

    def now(self) -> float:
        """Return the time it was last set to, s."""
        return self._t

    def sleep_until(self, t: float) -> None:
        """Jump to ``t``; never backwards."""
        self._t = max(self._t, t)
