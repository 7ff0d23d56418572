"""From counts per sample to features per bin: bin, smooth, lag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.features import _spikes_kernels as kernels
from decoders.features.rows import pass_times, regular, rows_out, warm_rows


@dataclass(kw_only=True)
class Bin:
    """Sum of the samples in consecutive bins of ``bin_s``, one row per completed bin.

    The grid hangs on sequence numbers, so chunking never changes a bin and loss never shifts the grid. A bin
    that lost samples is scaled by expected/received; one lost entirely is skipped and counted in
    ``n_lost_before``, and so is the broken bin right before it, which would come out only after the gap. A
    channel that is NaN in one sample is NaN in that bin.

    ``t`` is the time of the last sample of the bin, ``t_arrival`` that of the chunk.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~1 µs a sample; allocates nothing but array views.
    """

    bin_s: Annotated[float, Gt(0)] = 0.02
    """Width of a bin, s; must be a whole number of samples."""

    at_gap: ClassVar[str] = "mask"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Fix the grid. Raises ContractError unless ``bin_s`` is a whole number of samples."""
        regular("bin", spec)
        width = round(self.bin_s * spec.rate_hz)
        if width < 1 or abs(self.bin_s * spec.rate_hz - width) > 1e-6 * max(width, 1):
            fits = max(width, 1) / spec.rate_hz
            raise ContractError(
                f"bin: bin_s {self.bin_s:g} s is {self.bin_s * spec.rate_hz:g} samples of {spec.name!r} at "
                f"{spec.rate_hz:g} Hz; expected a whole number: {fits:.9g} s would fit"
            )
        self._width = width
        rows, n = spec.max_samples // width + 2, spec.n_channels
        self._sums, self._t_last = np.zeros(n), np.zeros(1)
        self._state, self._head = np.zeros(4, np.int64), np.zeros(2, np.int64)
        self._data, self._t = np.zeros((rows, n), np.float32), np.zeros(rows)
        self._out = Chunk(self._data, self._t, 0.0)
        warm_rows(self, spec)
        return replace(spec, rate_hz=spec.rate_hz / width, max_samples=rows, has_seq=False)

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the bins this chunk completed, or None."""
        rows = kernels.bin_rows(
            chunk.data, chunk.t, chunk.seq, self._width, self._state, self._sums, self._t_last,
            self._data, self._t, self._head,
        )  # fmt: skip
        if rows == 0:
            return None
        out = rows_out(self._out, self._data, self._t, rows)
        out.t_arrival = chunk.t_arrival
        out.seq, out.n_lost_before = self._head.item(0), self._head.item(1)
        return out

    def state(self) -> State:
        """Grid position, sums of the open bin, time of its last sample."""
        return self._state, self._sums, self._t_last

    def reset(self) -> None:
        """Forget the open bin."""
        self._state[:] = (-1, 0, 0, 1)
        self._sums[:] = 0.0
        self._t_last[:] = 0.0


@dataclass(kw_only=True)
class Smooth:
    """Causal smoothing: exponential forgetting, or the mean of the last ``width_s``.

    Until a boxcar's window has filled, the mean is over what there is. A sample that is NaN comes out NaN;
    the smoother holds its state over it (boxcar: as though the last finite sample had come again). At a gap
    the state is held.

    Notes
    -----
    The boxcar's running sum is replaced once a window by one that only ever added, so rounding never grows
    beyond that of one window. *Realtime*: once a chunk, ~0.5 µs a row of 256 channels.
    """

    kind: Literal["exponential", "boxcar"] = "exponential"
    """Shape of the window."""
    width_s: Annotated[float, Gt(0)] = 0.1
    """Time constant (exponential) or length (boxcar) of the window, s."""

    at_gap: ClassVar[str] = "hold"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Fix the window in samples."""
        regular("smooth", spec)
        n = spec.n_channels
        width = max(round(self.width_s * spec.rate_hz), 1)
        self._alpha = float(-np.expm1(-1.0 / (self.width_s * spec.rate_hz)))
        self._ring = np.zeros((width if self.kind == "boxcar" else 1, n), np.float32)
        self._at, self._acc = np.zeros(2, np.int64), np.zeros((4, n))
        self._data = np.zeros((spec.max_samples, n), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)
        warm_rows(self, spec)
        return spec

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, smoothed."""
        out = pass_times(self._out, self._data, chunk)
        if self.kind == "boxcar":
            kernels.boxcar_rows(chunk.data, self._ring, self._at, self._acc, out.data)
        else:
            kernels.exponential_rows(chunk.data, self._alpha, self._acc, out.data)
        return out

    def state(self) -> State:
        """Window, place in it, sums."""
        return self._ring, self._at, self._acc

    def reset(self) -> None:
        """Forget everything seen."""
        for a in self.state():
            a[...] = 0


@dataclass(kw_only=True)
class Lags:
    """The newest ``n`` rows side by side, current first: ``n * n_channels`` columns.

    Rows lost or not yet seen are NaN.
    """

    n: Annotated[int, Ge(1)] = 5
    """Rows stacked, the current one included."""

    at_gap: ClassVar[str] = "mask"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Multiply the channels."""
        self._past = np.zeros((self.n, spec.n_channels), np.float32)
        self._data = np.zeros((spec.max_samples, self.n * spec.n_channels), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)
        warm_rows(self, spec)
        labels = tuple(f"{name}-{k}" if k else name for k in range(self.n) for name in spec.labels)
        return replace(spec, n_channels=self.n * spec.n_channels, labels=labels, has_seq=False)

    def step(self, chunk: Chunk) -> Chunk:
        """Return each row with its predecessors."""
        out = pass_times(self._out, self._data, chunk)
        kernels.lag_rows(chunk.data, chunk.n_lost_before, self._past, out.data)
        return out

    def state(self) -> State:
        """The rows remembered."""
        return (self._past,)

    def reset(self) -> None:
        """Forget them."""
        self._past[:] = np.nan
