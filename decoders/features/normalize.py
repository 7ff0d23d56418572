"""Standardisation that follows slow drifts of each channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import State
from bmi.signals import Chunk, StreamSpec
from decoders.features import _normalize_kernels as kernels
from decoders.features.rows import pass_times, regular, warm_rows


@dataclass(kw_only=True)
class ZScore:
    """Each channel minus its running mean, over its running standard deviation.

    Estimates forget exponentially; the first samples weigh equally until then. A channel is NaN while it has
    seen less than ``warmup_s``, and where its input is NaN, which the estimates skip. At a gap they are held.
    A channel that never varies is 0.

    Notes
    -----
    *Realtime*: once a chunk, ~0.5 µs a row of 256 channels; allocates nothing but array views.
    """

    half_life_s: Annotated[float, Gt(0)] = 60.0
    """After so long a sample weighs half, s."""
    warmup_s: Annotated[float, Ge(0)] = 2.0
    """Nothing is said of a channel seen for less, s."""
    clip: Annotated[float, Gt(0)] = 10.0
    """Largest absolute value let through."""

    at_gap: ClassVar[str] = "hold"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Turn times into samples."""
        regular("zscore", spec)
        self._forget = float(-np.expm1(-np.log(2.0) / (self.half_life_s * spec.rate_hz)))
        self._warmup = max(self.warmup_s * spec.rate_hz, 2.0)
        self._clip = float(self.clip)
        self._stats = np.zeros((3, spec.n_channels))
        self._data = np.zeros((spec.max_samples, spec.n_channels), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)
        warm_rows(self, spec)
        return replace(spec, unit="z")

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, standardised."""
        out = pass_times(self._out, self._data, chunk)
        kernels.zscore_rows(chunk.data, self._forget, self._warmup, self._clip, self._stats, out.data)
        return out

    def state(self) -> State:
        """Mean, variance and samples seen of each channel."""
        return (self._stats,)

    def reset(self) -> None:
        """Forget the estimates."""
        self._stats[:] = 0.0
