"""What tells a seizure: line length and power of every channel, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import State
from bmi.signals import Chunk, StreamSpec
from decoders.features.bands import BandPower
from decoders.features.line_length import LineLength
from decoders.features.rows import rows_out


@dataclass(kw_only=True)
class Ictal:
    """Logarithms of line length and of band power: ``line-length`` and ``band-power`` on one grid, columns joined.

    From n channels come 2 n features: n line lengths, then n powers. A seizure raises both; an electrode that rubs
    raises the one, a drowsy rhythm the other. Gaps and what is missing are treated as those stages treat them.

    Raises
    ------
    ContractError
        At ``bind``: as of those stages.

    Notes
    -----
    *Realtime*: the sum of both.
    """

    low_hz: Annotated[float, Gt(0)] = 20.0
    """Lower corner of the band, -3 dB."""
    high_hz: Annotated[float, Gt(0)] = 60.0
    """Upper corner of the band, -3 dB."""
    window_s: Annotated[float, Gt(0)] = 0.5
    """Length of both averages, s."""
    every_s: Annotated[float, Gt(0)] = 0.02
    """Time between rows, a whole number of samples, s."""
    order: Annotated[int, Ge(1), Le(8)] = 2
    """Order of each slope of the filter."""

    at_gap: ClassVar[str] = "hold"

    @property
    def delay_s(self) -> float:
        """Group delay of the slower of both, s; known once bound."""
        return max(self._length.delay_s, self._power.delay_s)

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Bind both; allocate."""
        self._length = LineLength(window_s=self.window_s, every_s=self.every_s)
        self._power = BandPower(
            low_hz=self.low_hz, high_hz=self.high_hz, window_s=self.window_s, every_s=self.every_s, order=self.order
        )
        out = self._length.bind(spec)
        self._power.bind(spec)
        self._n, rows = spec.n_channels, out.max_samples
        self._data, self._t = np.zeros((rows, 2 * self._n), np.float32), np.zeros(rows)
        self._out = Chunk(self._data, self._t, 0.0)
        labels = spec.labels or tuple(str(k) for k in range(self._n))
        return replace(
            out, n_channels=2 * self._n, unit="ln",
            labels=tuple(f"{what} {label}" for what in ("length", "power") for label in labels),
        )  # fmt: skip

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the rows that fell due, or None."""
        length, power = self._length.step(chunk), self._power.step(chunk)
        if length is None or power is None:
            return None
        rows = len(length)
        out = rows_out(self._out, self._data, self._t, rows)
        out.data[:, : self._n] = length.data
        out.data[:, self._n :] = power.data
        out.t[:] = length.t
        out.t_arrival, out.seq, out.n_lost_before = length.t_arrival, length.seq, length.n_lost_before
        return out

    def state(self) -> State:
        """Both states."""
        return *self._length.state(), *self._power.state()

    def reset(self) -> None:
        """Forget everything seen."""
        self._length.reset()
        self._power.reset()
