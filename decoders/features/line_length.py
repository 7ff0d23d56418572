"""Line length: how far a signal travels in a second, which grows with amplitude and frequency alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.signals import Chunk, StreamSpec
from decoders.features import _line_length_kernels as kernels
from decoders.features._filters_kernels import log_rows
from decoders.features.grid import at_least_one, rows_due, whole_samples
from decoders.features.rows import warm_rows


@dataclass(kw_only=True)
class LineLength:
    """Mean absolute difference of neighbouring samples over the last ``window_s``, times the sampling rate.

    The length of the line one would draw through the samples, a second; the classical feature of seizure detectors
    [1]_. A row per ``every_s``, on a grid of sequence numbers, stamped with the newest sample in the window. Until the
    window has filled, the mean is over what there is. A channel whose newest sample is not finite is NaN, and a
    missing sample is bridged by a straight line; so is a gap, which holds the window and counts as one difference.

    Raises
    ------
    ContractError
        At ``bind``: the stream has no rate, or ``every_s`` is no whole number of samples.

    References
    ----------
    .. [1] Esteller, Echauz, Tcheng, Litt & Pless (2001) Line length: an efficient feature for seizure onset detection.
       Proc 23rd IEEE EMBS: 1707-1710.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~1 µs a sample; allocates nothing but array views.
    """

    window_s: Annotated[float, Gt(0)] = 0.5
    """Length of the average, s."""
    every_s: Annotated[float, Gt(0)] = 0.02
    """Time between rows, a whole number of samples, s."""
    log: bool = True
    """Natural logarithm of the line length (of at least 1e-12)."""

    at_gap: ClassVar[str] = "hold"

    @property
    def delay_s(self) -> float:
        """Group delay, s: half the window; known once bound."""
        return len(self._ring) / (2.0 * self._rate_hz)

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Turn times into samples; allocate; warm the kernel."""
        self._every, self._rate_hz = whole_samples("line-length", "every_s", self.every_s, spec), spec.rate_hz
        n, rows = spec.n_channels, spec.max_samples // self._every + 1
        self._held, self._ring = np.zeros((3, n)), np.zeros((at_least_one(self.window_s, spec), n), np.float32)
        self._at, self._acc, self._last = np.zeros(2, np.int64), np.zeros((4, n)), np.full(1, -1, np.int64)
        self._data, self._t = np.zeros((rows, n), np.float32), np.zeros(rows)
        self._index, self._out = np.zeros(rows, np.int64), Chunk(self._data, self._t, 0.0)
        data = np.zeros((1, n), np.float32)
        data.flags.writeable = False
        self._kernel = entry(
            kernels.length_rows, data, 0, self._every, self._rate_hz, self._held, self._ring, self._at, self._acc,
            self._data, self._index,
        )  # fmt: skip
        log_rows(self._data, 0, 1e-12)
        warm_rows(self, spec)
        unit = f"ln({spec.unit}/s)" if self.log else f"{spec.unit}/s"
        return replace(spec, rate_hz=spec.rate_hz / self._every, max_samples=rows, unit=unit, has_seq=False)

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the rows that fell due, or None."""
        rows = self._kernel(
            in_rows(chunk.data), chunk.seq, self._every, self._rate_hz, self._held, self._ring, self._at, self._acc,
            self._data, self._index,
        )  # fmt: skip
        if rows == 0:
            return None
        if self.log:
            log_rows(self._data, rows, 1e-12)
        return rows_due(self._out, self._data, self._t, self._index, rows, chunk, self._every, self._last)

    def state(self) -> State:
        """Last finite samples, window, place in it, its sums, number of the last row."""
        return self._held, self._ring, self._at, self._acc, self._last

    def reset(self) -> None:
        """Forget everything seen."""
        for a in self.state():
            a[...] = 0
        self._last[0] = -1
