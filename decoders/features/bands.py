"""Power in a frequency band, on a grid of samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.features import _filters_kernels as kernels
from decoders.features.filters import biquads, group_delay_s
from decoders.features.rows import regular, rows_out, warm_rows


@dataclass(kw_only=True)
class BandPower:
    """Mean square of the band-passed signal over the last ``window_s``: causal filter, square, boxcar.

    With ``every_s`` one row per so many samples, on a grid of sequence numbers, stamped with the newest
    sample in the window; without, one row per chunk (an irregular stream, for monitors and latency tests).
    Until the window has filled, the mean is over what there is. A channel whose newest sample is not finite
    is NaN. At a gap filter and window are held.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels, order 2, ~0.7 µs a sample; allocates nothing but array views.
    """

    low_hz: Annotated[float, Gt(0)]
    """Lower corner, -3 dB."""
    high_hz: Annotated[float, Gt(0)]
    """Upper corner, -3 dB."""
    window_s: Annotated[float, Gt(0)] = 0.05
    """Length of the average, s."""
    every_s: Annotated[float, Gt(0)] | None = 0.02
    """Time between rows, a whole number of samples; None: one row per chunk."""
    log: bool = True
    """Natural logarithm of the power (of at least 1e-12)."""
    order: Annotated[int, Ge(1), Le(8)] = 2
    """Order of each slope of the filter; as many biquads."""

    at_gap: ClassVar[str] = "hold"

    @property
    def delay_s(self) -> float:
        """Group delay of filter (at the centre frequency) and boxcar, s; known once bound."""
        centre = float(np.sqrt(self.low_hz * self.high_hz))
        return group_delay_s(self._coef, centre, self._rate_hz) + (len(self._ring) - 1) / (2 * self._rate_hz)

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Design the filter; turn times into samples."""
        regular("band-power", spec)
        n, rate = spec.n_channels, spec.rate_hz
        every = 0 if self.every_s is None else round(self.every_s * rate)
        if self.every_s is not None and (every < 1 or abs(self.every_s * rate - every) > 1e-6 * every):
            raise ContractError(
                f"band-power: every_s {self.every_s:g} s is {self.every_s * rate:g} samples of "
                f"{spec.name!r}; expected a whole number: {max(every, 1) / rate:.9g} s would fit"
            )
        self._coef, self._rate_hz = biquads("band-power", self.low_hz, self.high_hz, self.order, spec), rate
        self._every = every
        self._z, self._held = np.zeros((self.order, 2, n)), np.zeros((3, n))
        self._ring = np.zeros((max(round(self.window_s * rate), 1), n), np.float32)
        self._at, self._acc = np.zeros(2, np.int64), np.zeros((4, n))
        self._last = np.full(1, -1, np.int64)
        rows = spec.max_samples // every + 1 if every else 1
        self._data, self._t = np.zeros((rows, n), np.float32), np.zeros(rows)
        self._index = np.zeros(rows, np.int64)
        self._out, self._one = Chunk(self._data, self._t, 0.0), self._data[:1]
        data = np.zeros((1, n), np.float32)
        data.flags.writeable = False
        self._kernel = entry(
            kernels.power_rows, data, 0, every, self._coef, self._z, self._held, self._ring, self._at,
            self._acc, self._data, self._index,
        )  # fmt: skip
        warm_rows(self, spec)
        unit = f"ln({spec.unit}²)" if self.log else f"{spec.unit}²"
        return replace(spec, rate_hz=rate / every if every else 0.0, max_samples=rows, unit=unit, has_seq=False)

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the rows that fell due, or None."""
        rows = self._kernel(
            in_rows(chunk.data), chunk.seq, self._every, self._coef, self._z, self._held, self._ring, self._at,
            self._acc, self._data, self._index,
        )  # fmt: skip
        if rows == 0:
            return None
        if self.log:
            kernels.log_rows(self._data, rows, 1e-12)
        out, first = self._out, self._index.item(0)
        if rows == 1:
            out.data, out.t = self._one, chunk.t[first : first + 1]
        else:
            rows_out(out, self._data, self._t, rows)
            for k in range(rows):
                self._t[k] = chunk.t[self._index[k]]
        last = self._last.item(0)
        out.seq = (chunk.seq + first) // self._every if self._every else last + 1
        out.n_lost_before = max(out.seq - last - 1, 0) if last >= 0 else 0
        out.t_arrival = chunk.t_arrival
        self._last[0] = out.seq + rows - 1
        return out

    def state(self) -> State:
        """Filter, last finite samples, window, place in it, its sums, number of the last row."""
        return self._z, self._held, self._ring, self._at, self._acc, self._last

    def reset(self) -> None:
        """Forget everything seen."""
        for a in self.state():
            a[...] = 0
        self._last[0] = -1


@dataclass(kw_only=True)
class SpikeBandPower(BandPower):
    """Mean square between 300 and 1000 Hz: what the nearest cells do together, also where none stands out.

    ``BandPower`` with other defaults; no threshold is needed. Takes the raw signal. Its rows fall on the grid of
    ``bin`` behind ``crossings``: give ``every_s`` and ``bin_s`` the same width. (The paper averages the absolute
    value: for Gaussian signals the root of this, times 0.8.)

    References
    ----------
    Nason et al., Nat. Biomed. Eng. 4:973, 2020.
    """

    low_hz: Annotated[float, Gt(0)] = 300.0
    """Lower corner, -3 dB."""
    high_hz: Annotated[float, Gt(0)] = 1000.0
    """Upper corner, -3 dB."""
    window_s: Annotated[float, Gt(0)] = 0.02
    """Length of the average, s."""
    log: bool = False
    """Natural logarithm of the power (of at least 1e-12)."""
