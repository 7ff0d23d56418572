"""What a field sensor measures beside its sources.

Distant sources make a background whose power falls as f^-β above a corner; it is smooth over channels, because each is
heard on many. The amplifier adds white noise, the mains a hum, electrodes a slow drift. Stimulation leaves on every
channel a charge that decays exponentially, and the amplifier saturates [1]_. Channels that are dead show amplifier and
mains alone.

The spectrum f^-β is made of white noise by poles and zeros in turn, a factor of four apart, a zero β/2 of the way to
the next pole.

References
----------
.. [1] Zhou, Johnson & Muller (2018) Curr Opin Neurobiol 50:119. Artefacts of electrical stimulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F32, F64, AnyArray
from sim import GRID_S
from sim._background_kernels import add_outer, add_ramp, clip
from sim.component import Noise
from sim.sensors._surroundings_kernels import cascade

OCTAVES = 2.0
"""From one pole of the background's filter to the next."""
NOTHING_UV = 1e-3
"""Less of an artefact is none."""


@dataclass(kw_only=True)
class Surroundings:
    """Noise of a field sensor; every part of it is independent of the others."""

    background_uv: Annotated[float, Ge(0)] = 8.0
    """Distant sources, µV rms, mean over channels."""
    background_slope: Annotated[float, Ge(0), Le(2)] = 1.0
    """The β with which their power falls."""
    background_hz: Annotated[float, Gt(0), Le(10)] = 0.5
    """Their corner, Hz: below it the power is flat."""
    amplifier_uv: Annotated[float, Ge(0)] = 0.5
    """White noise of the amplifier, µV rms."""
    line_uv: Annotated[float, Ge(0)] = 1.0
    """Amplitude of mains hum on a median channel, µV."""
    line_hz: Annotated[float, Gt(0)] = 50.0
    """Its frequency, Hz: 50 or 60."""
    line_spread: Annotated[float, Ge(0)] = 0.3
    """Standard deviation over channels of the logarithm of its amplitude."""
    drift_uv: Annotated[float, Ge(0)] = 10.0
    """Slow drift of an electrode, µV rms."""
    drift_s: Annotated[float, Gt(0)] = 20.0
    """Its time constant, s."""
    stimulus_s: Annotated[float, Gt(0)] = 0.002
    """Time constant with which a stimulation artefact decays, s."""
    stimulus_spread: Annotated[float, Ge(0)] = 0.3
    """Standard deviation over channels of the logarithm of its size."""
    rail_uv: Annotated[float, Gt(0)] = 5000.0
    """The amplifier saturates beyond, µV."""

    def bind(self, name: str, seed: int, mixing: F64, *, rate_hz: float) -> None:
        """Draw channels' gains from ``seed``; allocate.

        Parameters
        ----------
        name : str
            Of the sensor.
        seed : int
        mixing : (n_channels, k) float64
            How k independent distant sources are heard; its scale does not matter.
        rate_hz : float
            Samples a second.

        Raises
        ------
        ContractError
            If the mains cannot be sampled.
        """
        if self.line_uv and not self.line_hz < rate_hz / 2:
            raise ContractError(
                f"{name}: line_hz is {self.line_hz:g}, expected below half the sampling rate, {rate_hz / 2:g} Hz"
            )
        n, k = mixing.shape
        self._n, self._rate_hz = round(rate_hz * GRID_S), rate_hz
        rng = np.random.default_rng(np.random.SeedSequence([seed, 0x50BB0B]))
        hum, hit = rng.standard_normal((2, n))
        self._hum: F32 = np.exp(self.line_spread * hum).astype(np.float32)
        self._hit: F32 = np.exp(self.stimulus_spread * hit).astype(np.float32)
        self._coef = power_law(self.background_slope, self.background_hz, rate_hz)
        level = math.sqrt(float((mixing**2).sum()) / n) or 1.0
        self._mixing: F32 = np.ascontiguousarray(self.background_uv * mixing.T / level, np.float32)
        self._far = Noise(seed, f"{name}.far", self._n * k)
        self._white = Noise(seed, f"{name}.white", self._n * n)
        self._slow = Noise(seed, f"{name}.drift", n)
        self._keep = math.exp(-GRID_S / self.drift_s)
        self._filter: F64 = np.zeros((len(self._coef), k))
        self._level: F32 = np.zeros((2, n), np.float32)
        self._pulse: F64 = np.zeros(2)  # share of a period since the last pulse, what is left of the artefact
        self._rail = np.float32(self.rail_uv)
        self._cascade, self._add_ramp, self._add_outer, self._clip = map(direct, (cascade, add_ramp, add_outer, clip))
        self._settle()
        self.reset()
        rows = np.zeros((self._n, n), np.float32)
        self.distant(0, rows)
        self.own(0, rows)
        self.limit(1.0, 0.0, rows)
        self.reset()

    def _settle(self) -> None:
        """Let the filter forget that it began at rest; the rows before the first come from another stream."""
        k = self._filter.shape[1]
        for back in range(1, 1 + math.ceil(3.0 / (2 * math.pi * self.background_hz * GRID_S))):
            self._cascade(self._coef, self._filter, self._far.normal(1, back).reshape(self._n, k))
        self._settled = self._filter.copy()

    def distant(self, step: int, rows: F32) -> None:
        """Add the background of block ``step`` to ``rows`` (n_rows, n_channels)."""
        if self.background_uv:
            drawn = self._far.normal(0, step).reshape(self._n, -1)
            self._cascade(self._coef, self._filter, drawn)
            rows += drawn @ self._mixing

    def own(self, step: int, rows: F32) -> None:
        """Add what electrodes and amplifier make themselves: drift, white noise, hum."""
        if self.drift_uv:
            new = self._slow.normal(0, step)
            new *= np.float32(self.drift_uv * math.sqrt(1.0 - self._keep**2))
            self._level[0] = self._level[1]
            self._level[1] *= np.float32(self._keep)
            self._level[1] += new
            self._add_ramp(self._level[0], self._level[1], rows)
        if self.amplifier_uv:
            white = self._white.normal(0, step)
            white *= np.float32(self.amplifier_uv)
            rows += white.reshape(self._n, -1)
        self.hum(step, rows)

    def hum(self, step: int, rows: F32) -> None:
        """Add the mains."""
        if self.line_uv:
            turns = np.arange(step * self._n, (step + 1) * self._n) * (self.line_hz / self._rate_hz)
            self._add_outer(self.line_uv * np.sin(2 * np.pi * (turns % 1.0)), self._hum, rows)

    def limit(self, stimulus_uv: float, stimulus_hz: float, rows: F32) -> None:
        """Add the artefact of a block's stimulation, then saturate.

        Parameters
        ----------
        stimulus_uv : float
            Artefact at the pulse on a median channel, µV.
        stimulus_hz : float
            Pulses a second; 0 is one pulse at the beginning of the block.
        rows : (n_rows, n_channels) float32
        """
        at = self._pulses(stimulus_hz) if stimulus_uv else np.zeros(0)
        left = float(self._pulse[1])
        if left or len(at):
            t = (np.arange(self._n) + 1.0) / self._rate_hz
            since = t[:, None] - at
            series = left * np.exp(-t / self.stimulus_s)
            series += stimulus_uv * np.where(since > 1e-9, np.exp(-np.abs(since) / self.stimulus_s), 0.0).sum(axis=1)
            self._add_outer(series, self._hit, rows)
            self._pulse[1] = series[-1] if abs(series[-1]) > NOTHING_UV else 0.0
        if not stimulus_uv:
            self._pulse[0] = 0.0
        self._clip(self._rail, rows)

    def _pulses(self, rate_hz: float) -> F64:
        """Return when in this block pulses fall, s from its beginning, and move their clock on."""
        if not rate_hz:
            return np.zeros(1)
        done = float(self._pulse[0])
        end = done + rate_hz * GRID_S
        k = np.arange(math.ceil(done - 1e-9), math.ceil(end - 1e-9))
        self._pulse[0] = end - math.floor(end + 1e-9)
        return np.maximum((k - done) / rate_hz, 0.0)

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"background": self._filter, "drift": self._level, "pulse": self._pulse}

    def reset(self) -> None:
        """Forget state."""
        self._filter[...] = self._settled
        self._level[...] = 0.0
        self._pulse[...] = 0.0


def power_law(slope: float, corner_hz: float, rate_hz: float) -> F64:
    """Return sections of first order, (n, 3) b0 b1 a1, that give white noise of variance 1 the power f^-slope.

    From ``corner_hz`` to half of ``rate_hz``; the result has variance 1 as well.
    """
    corners = corner_hz * 2.0 ** np.arange(0.0, math.log2(rate_hz / 2 / corner_hz), OCTAVES)
    poles = np.exp(-2 * np.pi * corners / rate_hz)
    zeros = np.exp(-2 * np.pi * corners * 2.0 ** (OCTAVES * slope / 2) / rate_hz)
    coef = np.stack([np.ones_like(poles), -zeros, -poles], axis=1)
    z = np.exp(-1j * np.pi * (np.arange(1 << 16) + 0.5) / (1 << 16))
    gain = np.prod([(1.0 + b1 * z) / (1.0 + a1 * z) for _, b1, a1 in coef], axis=0)
    coef[0, :2] /= math.sqrt(float(np.mean(np.abs(gain) ** 2)))
    return coef
