"""Threshold crossings: spikes of whoever is near the electrode, unsorted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import F32, I64, Chunk, StreamSpec
from decoders.features import _crossings_kernels as kernels
from decoders.features._noise_kernels import SIGMA
from decoders.features.grid import at_least_one, rows_due, whole_samples
from decoders.features.noise import forget, pace
from decoders.features.rows import warm_rows

TROUGH_S, REBOUND_S = 0.0002, 1 / 3000
"""Widths of the biphasic detector's two boxcars, s."""
POLARITY = {"negative": -1, "both": 0, "positive": 1}


def boxcar_pieces(age: int, width: int, weight: float) -> list[tuple[int, int, float]]:
    """Split the sum of ``width`` samples, the newest ``age`` samples old, into sums of 2**level samples.

    Returns (level, age, weight) for each.
    """
    pieces = []
    for level in reversed(range(width.bit_length())):
        if width >> level & 1:
            pieces.append((level, age, weight))
            age += 1 << level
    return pieces


@dataclass(kw_only=True)
class Crossings:
    """Crossings of k standard deviations of the noise, counted per channel on a grid of ``step_s``.

    **Detector.** ``amplitude`` compares the sample itself. ``biphasic`` compares a short causal matched
    filter: the mean of 0.2 ms, where the trough is looked for, minus the mean of the 0.33 ms after it, where the
    cell repolarises. It averages noise away, weighs nothing at 0 Hz, suits troughs of 0.14 to 0.35 ms, and is
    late by ``delay_s``. It is linear: Gaussian noise stays Gaussian, so that one k means one rate of false
    positives whatever the spectrum (a nonlinear energy operator detects as well here, but its k moves from
    7 to 9 between white and 1/f noise).

    **Threshold.** k times sigma of the detector's own output, estimated as by ``noise``. Gaussian noise of rms
    frequency f crosses it f exp(-k²/2) times a second (Rice): behind ``biphasic`` f is about 2 kHz, so 4.1 means 0.4/s;
    behind the band-pass alone 3.7 kHz, so that ``amplitude`` wants 4.25 for as much.

    **Bar.** Recall >= 0.95 at <= 1 false positive/s for SNR 5; simulated, spikes of ~1 ms (usual, narrow, broad,
    monophasic) at random phase, 5 to 50/s, in white, 1/f and mixed noise, band-pass 300-6000 Hz of order 2.
    ``biphasic`` meets it on every channel, be SNR the trough over the SD of the noise in the raw trace or (harder) in
    the band-passed one. ``amplitude`` meets it (mean over channels, k = 4.25) in the raw definition; in the
    band-passed one its recall is 0.84 to 0.91.

    A crossing counts in the step of the sample that made it; the next one not before ``refractory_s`` has passed
    and the signal has been below the threshold. A gap, and a sample that is not finite, begin a dead time of that
    length. A step that lost a sample is left out and counted in ``n_lost_before``; a channel is NaN in a step
    in which it was not finite, and for the first ``warmup_s`` of finite samples.

    Expects a band-passed signal. ``bin`` makes bins of the steps.

    References
    ----------
    Quiroga, Nadasdy and Ben-Shaul, Neural Comput. 16:1661, 2004. Rice, Bell Syst. Tech. J. 24:46, 1945.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~0.7 µs a sample; allocates nothing but array views.
    """

    k: Annotated[float, Gt(0)] = 4.1
    """Threshold in standard deviations of the noise."""
    polarity: Literal["negative", "positive", "both"] = "negative"
    """Which way a spike goes; extracellular troughs are negative."""
    detector: Literal["biphasic", "amplitude"] = "biphasic"
    """What is compared with the threshold."""
    step_s: Annotated[float, Gt(0)] = 0.001
    """Time one count covers, s; a whole number of samples."""
    refractory_s: Annotated[float, Gt(0)] = 0.001
    """Dead time from one crossing to the next, s."""
    noise_s: Annotated[float, Gt(0)] = 5.0
    """Time constant of the noise estimate, s."""
    warmup_s: Annotated[float, Gt(0)] = 0.5
    """Finite samples a channel needs before it is counted, s."""

    at_gap: ClassVar[str] = "mask"

    @property
    def delay_s(self) -> float:
        """How long after a trough's middle the detector peaks, s; known once bound."""
        return self._delay_s

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Fix grid and filter. Raises ContractError for counts, or if ``step_s`` is no whole number of samples."""
        if spec.unit == "count":
            raise ContractError(
                f"crossings: stream {spec.name!r} is in counts; expected a continuous signal (µV): leave the stage out"
            )
        self._every = every = whole_samples("crossings", "step_s", self.step_s, spec)
        n, rows = spec.n_channels, spec.max_samples // every + 1
        self._detector = self._design(spec)
        places = self._detector.places
        past, levels = int(max((1 << level) + age for level, age in places.tolist())) - 1, int(places[:, 0].max()) + 1
        self._memory = kernels.Memory(
            np.zeros(past * n, np.float32), np.zeros((10, n), np.float32), np.zeros((4, n), np.float32),
            np.zeros(3, np.int64), np.zeros((levels, (past + spec.max_samples) * n), np.float32),
            np.zeros((spec.max_samples, n), np.float32),
        )  # fmt: skip
        self._data, self._t = np.zeros((rows, n), np.float32), np.zeros(rows)
        self._last, self._index = np.zeros(1, np.int64), np.zeros(rows, np.int64)
        self._out = Chunk(self._data, self._t, 0.0)
        data = np.zeros((1, n), np.float32)
        data.flags.writeable = False
        self._kernel = entry(
            kernels.crossing_rows, data, 0, every, self._detector, self._memory, self._data, self._index
        )
        warm_rows(self, spec)
        rate = spec.rate_hz / every
        return replace(spec, rate_hz=rate, max_samples=rows, unit="count", type="spikes", has_seq=False)

    def _design(self, spec: StreamSpec) -> kernels.Detector:
        """Put together the filter, as sums of powers of two samples, and the threshold."""
        pieces = [(0, 0, 1.0)]
        self._delay_s = 0.0
        if self.detector == "biphasic":
            trough, rebound = at_least_one(TROUGH_S, spec), at_least_one(REBOUND_S, spec)
            pieces = boxcar_pieces(0, rebound, -1 / rebound) + boxcar_pieces(rebound, trough, 1 / trough)
            self._delay_s = (rebound + (trough - 1) / 2) / spec.rate_hz
        places: I64 = np.array([piece[:2] for piece in pieces], np.int64)
        weights: F32 = np.array([weight for *_, weight in pieces], np.float32)
        dead = at_least_one(self.refractory_s, spec) - 1.0
        scales = np.append(pace(self.noise_s, self.warmup_s, spec), [dead, POLARITY[self.polarity], self.k / SIGMA])
        return kernels.Detector(places, weights, scales)

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the counts of the steps this chunk completed, or None."""
        rows = self._kernel(
            in_rows(chunk.data), chunk.seq, self._every, self._detector, self._memory, self._data, self._index
        )
        if rows == 0:
            return None
        return rows_due(self._out, self._data, self._t, self._index, rows, chunk, self._every, self._last)

    def state(self) -> State:
        """Filter, noise, step under way, places in them, number of the last row."""
        return self._memory.past, self._memory.est, self._memory.tally, self._memory.at, self._last

    def reset(self) -> None:
        """Forget everything seen."""
        for a in self.state():
            a[...] = 0
        forget(self._memory.est)
        self._memory.at[kernels.NEXT] = self._last[0] = -1
