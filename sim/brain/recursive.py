"""Functional connectivity while it happens: a band is followed sample by sample and means forget exponentially.

The same measures as :mod:`sim.brain.functional`, from running means of the same products. A mean is plain until
``memory_s`` has passed and forgets with that time constant afterwards, so that it is right from the beginning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from bmi import registry
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain.functional import MEASURES, band, imaginary, ratio

SAMPLES = 8.0
"""Complex samples taken for each 1 / bandwidth: means of products need 2, those of signs and angles more."""


@dataclass(kw_only=True)
class Running:
    """Connectivity of a stream in one band.

    *Realtime*: 64 channels at 250 Hz in a band of 4 Hz take 0.008 of a core, 84 channels 0.010, and four measures
    asked for 0.3 ms; there are 8 complex samples for each 1 / bandwidth, and each allocates some arrays of n_pairs.
    """

    low_hz: Annotated[float, Gt(0)] = 8.0
    high_hz: Annotated[float, Gt(0)] = 12.0
    memory_s: Annotated[float, Gt(0)] = 10.0
    """Time constant of forgetting, s."""

    def bind(self, n_channels: int, rate_hz: float) -> None:
        """Fix the stream's channels and rate.

        Raises
        ------
        ContractError
            If there are fewer than two channels, or the band does not fit the rate.
        """
        if n_channels < 2:
            raise ContractError(f"Running: expected two or more channels, given {n_channels}")
        self._sos, self._centre = band(rate_hz, self.low_hz, self.high_hz)
        self._rate_hz, self._n = rate_hz, n_channels
        self._every = max(1, int(rate_hz / (SAMPLES * (self.high_hz - self.low_hz))))
        self._forget = -math.expm1(-self._every / (rate_hz * self.memory_s))
        self._i, self._j = np.triu_indices(n_channels, 1)
        pairs = len(self._i)
        self._filter = np.zeros((len(self._sos), 2, n_channels), np.complex128)
        self._at = np.zeros(2, np.int64)
        self._power = np.zeros(n_channels)
        self._amplitude = np.zeros(n_channels)
        self._cross = np.zeros(pairs, np.complex128)
        self._phase = np.zeros(pairs, np.complex128)
        self._sign, self._size, self._square = np.zeros((3, pairs))
        # of i less j and of j less i: mean, mean square, mean product with the other's amplitude
        self._left = np.zeros((3, 2, pairs))

    def step(self, x: Any) -> None:
        """Take samples (n_samples, n_channels); however they are cut, the same bits come of them.

        Raises
        ------
        ContractError
            If the channels are others than were bound, or a sample is not finite, which no mean would ever forget.
        """
        from scipy.signal import sosfilt

        x = np.asarray(x, np.float64)
        if x.ndim != 2 or x.shape[1] != self._n:
            raise ContractError(f"Running: expected samples (n_samples, {self._n}), given shape {x.shape}")
        if not np.isfinite(x).all():
            raise ContractError("Running: expected finite samples; hold or leave out what was lost")
        if not len(x):
            return
        k = self._at[0] + np.arange(len(x))
        turn = np.exp(-2j * np.pi * (k * (self._centre / self._rate_hz) % 1.0))
        y, self._filter[...] = sosfilt(self._sos, turn[:, None] * x, axis=0, zi=self._filter)
        self._at[0] += len(x)
        for sample in y[(k + 1) % self._every == 0]:
            self._take(sample)

    def _take(self, y: AnyArray) -> None:
        """Take one complex sample (n_channels,)."""
        self._at[1] += 1
        new = max(1.0 / float(self._at[1]), self._forget)
        old = 1.0 - new
        amplitude = np.abs(y)
        s = y[self._i] * y[self._j].conj()
        ai, aj = amplitude[self._i], amplitude[self._j]
        both, im = ai * aj, imaginary(s)
        size = np.abs(im)
        for mean, now in (
            (self._power, amplitude * amplitude), (self._amplitude, amplitude), (self._cross, s),
            (self._phase, ratio(s, both.astype(np.complex128))), (self._sign, np.sign(im)), (self._size, size),
        ):  # fmt: skip
            mean *= old
            mean += new * now
        self._square *= old * old
        self._square += new * new * size * size
        left = np.stack([ratio(size, aj), ratio(size, ai)])
        self._left *= old
        self._left += new * np.stack([left, left * left, left * np.stack([aj, ai])])

    def value(self, measure: str) -> F64:
        """Return a measure as it is now, (n, n); the diagonal is 1 for coherence and plv, else 0.

        Parameters
        ----------
        measure : str
            One of ``functional.MEASURES``.

        Raises
        ------
        ContractError
            If there is no such measure.
        """
        if measure not in MEASURES:
            hint = registry.nearest(measure, list(MEASURES))
            raise ContractError(f"Running: no measure {measure!r}{hint}; there are {', '.join(MEASURES)}")
        i, j, power = self._i, self._j, self._power
        if measure == "aec":
            pairs = self._orthogonal()
        elif measure in ("coherence", "imaginary_coherence"):
            s = self._cross.imag if measure.startswith("im") else np.abs(self._cross)
            pairs = ratio(s, np.sqrt(power[i] * power[j]))
        elif measure in ("plv", "pli"):
            pairs = np.abs(self._phase if measure == "plv" else self._sign)
        elif measure == "wpli":
            pairs = ratio(np.abs(self._cross.imag), self._size)
        else:
            pairs = ratio(self._cross.imag**2 - self._square, self._size**2 - self._square)
        full = np.zeros((self._n, self._n))
        full[i, j] = pairs
        full[j, i] = -pairs if measure == "imaginary_coherence" else pairs
        if measure in ("coherence", "plv"):
            np.fill_diagonal(full, np.where(power > 0.0, 1.0, 0.0))
        return full

    def _orthogonal(self) -> F64:
        mean, square, product = self._left
        a = self._amplitude[np.stack([self._j, self._i])]
        spread = self._power[np.stack([self._j, self._i])] - a * a
        scale = np.sqrt(np.maximum(0.0, square - mean * mean) * np.maximum(0.0, spread))
        return np.asarray(np.abs(ratio(product - mean * a, scale)).mean(0))

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {
            "step": self._at, "filter": self._filter, "power": self._power, "amplitude": self._amplitude,
            "cross": self._cross, "phase": self._phase, "sign": self._sign, "size": self._size,
            "square": self._square, "left": self._left,
        }  # fmt: skip

    def reset(self) -> None:
        """Forget all that was heard."""
        for array in self.state().values():
            array[...] = 0
