"""How late, and how often: histograms of durations that never grow.

A session lasts hours and asks for its 99.9th percentile all the time, so durations go into bins whose
edges grow by a constant factor: the relative error is the same at 10 µs and at 1 s, adding is one
logarithm, and merging two histograms is an addition. (The idea is HdrHistogram's, Tene 2012.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmi.signals import I64

LOW_NS = 1_000
"""Durations below 1 µs share one bin; nothing here is decided by them."""
HIGH_NS = 10_000_000_000
"""Durations above 10 s share one bin; ``max_ns`` still holds the exact largest."""
GROWTH = 1.01
"""Each bin is 1 % wider than the one before."""

_LOG_GROWTH = math.log(GROWTH)
N_BINS = math.ceil(math.log(HIGH_NS / LOW_NS) / _LOG_GROWTH) + 2
RELATIVE_ERROR = math.sqrt(GROWTH) - 1.0
"""Largest relative error of a percentile between 1 µs and 10 s: a bin answers with its geometric middle."""


class LatencySummary(NamedTuple):
    """Percentiles of a latency, ns; ``n`` counts what they rest on."""

    n: int = 0
    p50: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0

    def scaled(self, unit_ns: float) -> dict[str, float]:
        """Return ``{p50, p99, p999, max}`` in units of ``unit_ns`` nanoseconds (1e6: ms, 1e3: µs)."""
        return {k: getattr(self, k) / unit_ns for k in ("p50", "p99", "p999", "max")}


class Histogram:
    """Histogram of durations, int64 ns, in 1 % bins from 1 µs to 10 s.

    Percentiles follow the nearest-rank definition (NumPy's ``inverted_cdf``) to within
    ``RELATIVE_ERROR`` (0.5 %); count, minimum, maximum and mean are exact. Negative durations are a
    fault of the caller's clock and count as 0.

    Realtime
    --------
    ``record`` takes about 0.5 µs and allocates nothing that stays; ``add`` is for readers.
    """

    def __init__(self) -> None:
        self.counts: I64 = np.zeros(N_BINS, np.int64)
        self.n = 0
        self.total_ns = 0
        self.min_ns = 0
        self.max_ns = 0

    def record(self, ns: int) -> None:
        """Count one duration, ns."""
        ns = max(ns, 0)
        k = 0 if ns < LOW_NS else min(1 + int(math.log(ns / LOW_NS) / _LOG_GROWTH), N_BINS - 1)
        self.counts[k] += 1
        self.min_ns = ns if self.n == 0 else min(self.min_ns, ns)
        self.max_ns = max(self.max_ns, ns)
        self.n += 1
        self.total_ns += ns

    def add(self, ns: npt.ArrayLike) -> None:
        """Count many durations, (n,) ns; fractions of a nanosecond are dropped."""
        values = np.maximum(np.asarray(ns).ravel().astype(np.int64), 0)
        if values.size == 0:
            return
        bins = np.zeros(values.size, np.int64)
        above = values >= LOW_NS
        bins[above] = 1 + (np.log(values[above] / LOW_NS) / _LOG_GROWTH).astype(np.int64)
        np.minimum(bins, N_BINS - 1, out=bins)
        self.counts += np.bincount(bins, minlength=N_BINS)
        low = int(values.min())
        self.min_ns = low if self.n == 0 else min(self.min_ns, low)
        self.max_ns = max(self.max_ns, int(values.max()))
        self.n += values.size
        self.total_ns += int(values.sum())

    def percentile(self, q: float) -> float:
        """Return the ``q``-th percentile (0..100), ns; 0 while empty."""
        if self.n == 0:
            return 0.0
        rank = max(1, math.ceil(q / 100.0 * self.n - 1e-9))
        if rank >= self.n:
            return float(self.max_ns)
        k = int(np.searchsorted(np.cumsum(self.counts), rank))
        if k == N_BINS - 1:
            return float(self.max_ns)
        middle = LOW_NS / 2 if k == 0 else LOW_NS * GROWTH ** (k - 0.5)
        return float(min(max(middle, self.min_ns), self.max_ns))

    @property
    def mean_ns(self) -> float:
        """Mean duration, ns; 0 while empty."""
        return self.total_ns / self.n if self.n else 0.0

    def summary(self) -> LatencySummary:
        """Return count, p50, p99, p99.9 and maximum, ns."""
        p = self.percentile
        return LatencySummary(self.n, p(50), p(99), p(99.9), float(self.max_ns))

    def merge(self, other: Histogram) -> None:
        """Add everything ``other`` counted."""
        if other.n == 0:
            return
        self.counts += other.counts
        self.min_ns = other.min_ns if self.n == 0 else min(self.min_ns, other.min_ns)
        self.max_ns = max(self.max_ns, other.max_ns)
        self.n += other.n
        self.total_ns += other.total_ns

    def reset(self) -> None:
        """Forget everything, keep the memory."""
        self.counts[:] = 0
        self.n = self.total_ns = self.min_ns = self.max_ns = 0

    def grouped(self, n_rows: int) -> list[tuple[float, float, int]]:
        """Return the occupied range as at most ``n_rows`` rows of (from ns, to ns, count), for bars."""
        used = np.flatnonzero(self.counts)
        if used.size == 0:
            return []
        first, last = int(used[0]), int(used[-1])
        per_row = math.ceil((last - first + 1) / n_rows)
        return [
            (_edge_ns(k), _edge_ns(min(k + per_row, N_BINS)), int(self.counts[k : k + per_row].sum()))
            for k in range(first, last + 1, per_row)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable copy; only occupied bins are written."""
        used = np.flatnonzero(self.counts)
        return {
            "low_ns": LOW_NS,
            "growth": GROWTH,
            "n_bins": N_BINS,
            "n": self.n,
            "total_ns": self.total_ns,
            "min_ns": self.min_ns,
            "max_ns": self.max_ns,
            "bins": used.tolist(),
            "counts": self.counts[used].tolist(),
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Histogram:
        """Return the histogram ``to_dict`` described.

        Raises
        ------
        ValueError
            If it was written with other bins than this version uses.
        """
        if (d["low_ns"], d["growth"], d["n_bins"]) != (LOW_NS, GROWTH, N_BINS):
            raise ValueError(
                f"histogram: expected bins from {LOW_NS} ns growing by {GROWTH} ({N_BINS}), "
                f"given {d['low_ns']} ns, {d['growth']} ({d['n_bins']}); recompute it from the recording"
            )
        h = cls()
        h.counts[np.asarray(d["bins"], np.int64)] = d["counts"]
        h.n, h.total_ns, h.min_ns, h.max_ns = d["n"], d["total_ns"], d["min_ns"], d["max_ns"]
        return h


def _edge_ns(k: int) -> float:
    return 0.0 if k == 0 else LOW_NS * GROWTH ** (k - 1)
