"""Plain twins of the LSL kernels, written from the contract of Chunk and not from the kernel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bmi.signals import F32, SEQ_MODULO


@dataclass
class Receiver:
    """Cut numbered samples into chunks that end at holes, as a bookkeeper would."""

    n_next: int = 0
    expected: int | None = None
    n_lost: int = 0
    chunks: list[tuple[int, int, F32]] = field(default_factory=list)
    """(number of the first sample, lost before it, rows) of every chunk."""

    def take(self, rows: F32) -> None:
        """Take rows (n, n_channels + 1), the last column numbering them modulo 2**24."""
        open_chunk = False
        for row in rows:
            number = int(row[-1])
            lost, broken = 0, False
            if self.expected is not None and number != self.expected:
                ahead = (number - self.expected) % SEQ_MODULO
                restarted = ahead >= SEQ_MODULO // 2
                lost, broken = (max(1, number) if restarted else ahead), True
            self.n_lost += lost
            self.n_next += lost
            if broken or not open_chunk:
                self.chunks.append((self.n_next, lost, np.empty((0, len(row) - 1), np.float32)))
                open_chunk = True
            first, before, data = self.chunks[-1]
            self.chunks[-1] = (first, before, np.vstack([data, row[:-1]]))
            self.n_next += 1
            self.expected = (number + 1) % SEQ_MODULO


def holes_from_stamps(t: np.ndarray, rate_hz: float, slack: float) -> list[tuple[int, int]]:
    """Return (index, missing before it) where regular stamps jump by more than ``slack`` samples too many."""
    holes = []
    for i in range(1, len(t)):
        missing = (t[i] - t[i - 1]) * rate_hz - 1
        if missing > slack:
            holes.append((i, round(missing)))
    return holes


@dataclass
class Stamps:
    """Tell jumps of a sender's clock from late samples: numbered samples, one after the other, none missing."""

    period_s: float
    last: float | None = None
    skew: float = 0.0
    """Jumps told so far, added up."""
    ahead_known: bool = False

    def take(self, stamp: float, arrival: float) -> float:
        """Return by how much the clock jumped before this sample, or how far it has crept ahead, s; else 0."""
        ahead = stamp - arrival
        step = 0.0 if self.last is None else stamp - self.last - self.period_s
        self.last = stamp
        impossible = step < -0.05 or (step > 0.05 and ahead > 0.005)
        back_again = step > 0.05 and self.skew < -0.05
        if impossible or back_again:
            self.skew += step
            self.ahead_known = ahead > 0.005
            return step
        if ahead > 0.005 and not self.ahead_known:
            self.ahead_known = True
            return ahead
        if ahead < 0.0025:
            self.ahead_known = False
        return 0.0
