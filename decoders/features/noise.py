"""How loud the background is behind the spikes, channel by channel, running."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.signals import F32, F64, Chunk, StreamSpec
from decoders.features import _noise_kernels as kernels
from decoders.features.grid import at_least_one, rows_due, whole_samples
from decoders.features.rows import regular, warm_rows

CENSOR_S = 0.0015
"""Left out after a large sample, s: as long as a spike and its filtered tail last."""


def pace(window_s: float, warmup_s: float, spec: StreamSpec) -> F64:
    """Return (3,) for the kernel: samples censored, slowest gain, blocks to warm up."""
    block_s = kernels.BLOCK / spec.rate_hz
    return np.array(
        [at_least_one(CENSOR_S, spec), min(block_s / window_s, 0.5), max(np.ceil(warmup_s / block_s - 1e-9), 1.0)]
    )


def forget(est: F32) -> None:
    """Set the estimator's state (10, n_channels) to that before the first sample."""
    est[:] = 0.0
    est[kernels.LIMIT] = np.finfo(np.float32).max


@dataclass(kw_only=True)
class Noise:
    """Standard deviation of the noise, running and causal: median(|x|) / 0.6745 outside spikes.

    The median does not see how large spikes are, only how long; but at 50 spikes/s that alone is 6 to 10 %
    too much. So a sample beyond 3 sigma and 1.5 ms after it are left out. Within 1 % on Gaussian noise, white
    or 1/f, without spikes and with 50/s of SNR 3 to 15 (simulated, 20 s; standard deviation 0.3 %).

    Per block of 256 samples the share of |x| below the present median moves it by one Newton step on its
    logarithm, with gain 1/n (the running mean of block medians) until the gain is block/``window_s``: then the
    block's weight decays with that time constant. Should 24 blocks on end (0.2 s at 30 kHz) put the median
    off by about a factor of two, it begins anew at the mean of |x|. Blocks with less than half their
    samples finite, and samples that are not finite, say nothing; a gap is held.

    A row is NaN on a channel that has not had ``warmup_s`` of finite samples yet. Expects a high-passed
    signal: an offset would be taken for noise.

    References
    ----------
    Quiroga, Nadasdy and Ben-Shaul, Neural Comput. 16:1661, 2004. Robbins and Monro, Ann. Math. Stat. 22:400, 1951.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~0.15 µs a sample; allocates nothing but array views.
    """

    every_s: Annotated[float, Gt(0)] = 0.1
    """Time between rows, s; a whole number of samples."""
    window_s: Annotated[float, Gt(0)] = 5.0
    """Time constant of forgetting, s."""
    warmup_s: Annotated[float, Gt(0)] = 0.5
    """Finite samples a channel needs before its estimate counts, s."""

    at_gap: ClassVar[str] = "hold"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Turn times into samples and blocks."""
        regular("noise", spec)
        self._every = whole_samples("noise", "every_s", self.every_s, spec)
        self._pace = pace(self.window_s, self.warmup_s, spec)
        rows, n = spec.max_samples // self._every + 1, spec.n_channels
        self._est, self._at, self._last = np.zeros((10, n), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64)
        self._data, self._t = np.zeros((rows, n), np.float32), np.zeros(rows)
        self._index, self._out = np.zeros(rows, np.int64), Chunk(self._data, self._t, 0.0)
        data = np.zeros((1, n), np.float32)
        data.flags.writeable = False
        self._kernel = entry(
            kernels.noise_rows, data, 0, self._every, self._est, self._at, self._pace, self._data, self._index
        )
        warm_rows(self, spec)
        return replace(spec, rate_hz=spec.rate_hz / self._every, max_samples=rows, has_seq=False)

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the rows that fell due, or None."""
        rows = self._kernel(
            in_rows(chunk.data), chunk.seq, self._every, self._est, self._at, self._pace, self._data, self._index
        )
        if rows == 0:
            return None
        return rows_due(self._out, self._data, self._t, self._index, rows, chunk, self._every, self._last)

    def state(self) -> State:
        """Estimator, rows in its block, number of the last row."""
        return self._est, self._at, self._last

    def reset(self) -> None:
        """Forget everything seen."""
        forget(self._est)
        self._at[:] = 0
        self._last[:] = -1
