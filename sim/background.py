"""What an electrode hears when no neuron near it fires.

Thermal noise of electrode and amplifier is white. The hash of many distant neurons is Gaussian by their number and
has about the spectrum of a spike: white noise through a first-order high-pass and low-pass [1]_. Their sum has a
rational spectrum of second order, so that one innovation e a sample and channel makes both (spectral
factorisation)::

    y[k] = b0 e[k] + b1 e[k-1] + b2 e[k-2] - a1 y[k-1] - a2 y[k-2]

with |B|² = thermal² |A|² + hash² |H|². To this may be added noise that all channels share, mains hum, and a local
field potential whose power falls as f^-2 above a corner and as f^-4 above 75 Hz [3]_, partly shared, drawn every
millisecond and joined by straight lines.

The numbers e come from a xoroshiro128++ generator for every two channels [2]_, of period 2^128 and seeded
independently, through Box and Muller's transform: no table, nothing repeats within a session.

.. [1] Martinez et al. (2009) J Neurosci Methods 184:285. Distant neurons as background of simulated recordings.
.. [2] Blackman & Vigna (2021) ACM Trans Math Softw 47:36.
.. [3] Miller et al. (2009) PLoS Comput Biol 5:e1000609. Power laws of the field potential.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.errors import ContractError
from bmi.signals import F32, F64
from sim import SLOT_S
from sim import _background_kernels as kernels

KNEE_HZ = 75.0


@dataclass(kw_only=True)
class Background:
    """Noise of a recording; every part of it is independent of the others."""

    thermal_uv: Annotated[float, Ge(0)] = 4.0
    """White noise of electrode and amplifier, µV rms."""
    hash_uv: Annotated[float, Ge(0)] = 6.0
    """Hash of distant neurons, µV rms."""
    hash_low_hz: Annotated[float, Gt(0)] = 300.0
    """Its lower corner, Hz."""
    hash_high_hz: Annotated[float, Gt(0)] = 3000.0
    """Its upper corner, Hz."""
    spread: Annotated[float, Ge(0)] = 0.1
    """Standard deviation over channels of the logarithm of both."""
    common_uv: Annotated[float, Ge(0)] = 0.0
    """White noise that all channels share, µV rms."""
    line_uv: Annotated[float, Ge(0)] = 0.0
    """Amplitude of mains hum, µV."""
    line_hz: Annotated[float, Gt(0)] = 50.0
    """Its frequency, Hz."""
    line_spread: Annotated[float, Ge(0)] = 0.2
    """Standard deviation over channels of the logarithm of its amplitude."""
    lfp_uv: Annotated[float, Ge(0)] = 0.0
    """Local field potential, µV rms."""
    lfp_hz: Annotated[float, Gt(0), Le(100)] = 8.0
    """Its corner frequency, Hz."""
    lfp_shared: Annotated[float, Ge(0), Le(1)] = 0.6
    """Share of its variance common to all channels."""

    def bind(
        self, array: np.random.Generator, noise: np.random.Generator, *, n_channels: int, rate_hz: float
    ) -> None:
        """Draw the channels' levels from ``array``; what they will say comes from ``noise``.

        Raises
        ------
        ContractError
            Unless the hash has a band within half the sampling rate.
        """
        if not self.hash_low_hz < self.hash_high_hz < rate_hz / 2:
            raise ContractError(
                f"Background: expected hash_low_hz < hash_high_hz < {rate_hz / 2:g} Hz (half the sampling rate), "
                f"given {self.hash_low_hz:g} and {self.hash_high_hz:g}"
            )
        n, m = n_channels, -(-n_channels // 2)
        self._rate_hz, self._noise = rate_hz, noise
        levels, hum = array.standard_normal((2, n))
        self.sd_uv_: F64 = math.hypot(self.thermal_uv, self.hash_uv) * np.exp(self.spread * levels)
        """Thermal noise and hash together, (n_channels,), µV rms."""
        self._b, self._a = innovation(self.thermal_uv, self.hash_uv, self.hash_low_hz, self.hash_high_hz, rate_hz)
        self._coef: F32 = np.array([*self._b, *self._a[1:]], np.float32)
        self._scale: F32 = np.exp(self.spread * levels).astype(np.float32)
        self._z: F32 = np.zeros((2, n), np.float32)
        self._lanes = noise.integers(0, 2**64, (2, m), np.uint64)
        self._words, self._pair = np.zeros(m, np.uint64), np.zeros((2, m), np.float32)
        self._gains: F32 = np.exp(self.line_spread * hum).astype(np.float32)
        self._ones: F32 = np.ones(n, np.float32)
        self._slot = 0
        a, b = (math.exp(-2 * math.pi * f * SLOT_S) for f in (self.lfp_hz, KNEE_HZ))
        self._decays = a, b
        self._loudness = self.lfp_uv * math.sqrt((1 + b) * (1 - a * b) / ((1 - b) * (1 + a * b)))  # the knee takes some
        self._potential: F64 = np.tile(noise.standard_normal(n + 1), (2, 1))
        self._normal: F64 = np.zeros(n + 1)
        self._lfp: F32 = np.zeros((2, n), np.float32)
        self._settle(round(rate_hz * SLOT_S))

    def _settle(self, n_samples: int) -> None:
        """Compile, and let the filter forget that it began at rest."""
        rows = np.zeros((n_samples, len(self._scale)), np.float32)
        for _ in range(20):
            kernels.gaussians(self._lanes, self._words, self._pair, rows)
            kernels.colour(self._coef, self._z, self._scale, rows)
            self._mix_potential()
        kernels.add_outer(np.zeros(n_samples), self._ones, rows)
        kernels.add_ramp(self._lfp[0], self._lfp[1], rows)

    def step(self, out: F32) -> None:
        """Write the next millisecond into ``out`` (n_samples, n_channels), µV.

        *Realtime*: 1000 times a second; 30 samples of 256 channels ~20 µs, allocates arrays of ``n_samples``.
        """
        n = len(out)
        kernels.gaussians(self._lanes, self._words, self._pair, out)
        kernels.colour(self._coef, self._z, self._scale, out)
        if self.common_uv:
            kernels.add_outer(self.common_uv * self._noise.standard_normal(n), self._ones, out)
        if self.line_uv:
            turns = np.arange(self._slot * n, (self._slot + 1) * n) * (self.line_hz / self._rate_hz)
            kernels.add_outer(self.line_uv * np.sin(2 * np.pi * (turns % 1.0)), self._gains, out)
        if self.lfp_uv:
            self._mix_potential()
            kernels.add_ramp(self._lfp[0], self._lfp[1], out)
        self._slot += 1

    def _mix_potential(self) -> None:
        """Draw the field potential one millisecond on: the last entry is what channels share."""
        (a, b), (slow, smooth) = self._decays, self._potential
        self._noise.standard_normal(out=self._normal)
        slow *= a
        slow += math.sqrt(1 - a * a) * self._normal
        smooth *= b
        smooth += (1 - b) * slow
        own, shared = self._loudness * math.sqrt(1 - self.lfp_shared), self._loudness * math.sqrt(self.lfp_shared)
        self._lfp[0] = self._lfp[1]
        self._lfp[1] = own * smooth[:-1] + shared * smooth[-1]

    def density(self, frequency_hz: F64) -> F64:
        """Return the one-sided spectral density of thermal noise and hash of a channel of median level, µV²/Hz."""
        z = np.exp(-2j * np.pi * np.asarray(frequency_hz) / self._rate_hz)
        gain: F64 = np.abs(np.polyval(self._b[::-1], z) / np.polyval(self._a[::-1], z)) ** 2
        return 2.0 / self._rate_hz * gain


def innovation(
    thermal: float, distant: float, low_hz: float, high_hz: float, rate_hz: float
) -> tuple[F64, F64]:
    """Return the biquad (b, a), each (3,), that makes thermal noise and hash of one white noise of variance 1.

    The hash is white noise through a high-pass at ``low_hz`` and a low-pass at ``high_hz``, both of first order
    (bilinear), scaled to standard deviation ``distant``; the thermal noise is white, of standard deviation ``thermal``.
    """
    poles = [(1 - math.tan(math.pi * f / rate_hz)) / (1 + math.tan(math.pi * f / rate_hz)) for f in (low_hz, high_hz)]
    a = np.asarray(np.poly(poles), np.float64)
    band = np.array([1.0, 0.0, -1.0])
    z = np.exp(-2j * np.pi * np.arange(1 << 15) / (1 << 15))
    power = np.mean(np.abs(np.polyval(band[::-1], z) / np.polyval(a[::-1], z)) ** 2)
    band *= distant / math.sqrt(power)
    r = thermal**2 * np.correlate(a, a, "full")[2:] + np.correlate(band, band, "full")[2:]  # lags 0, 1, 2
    if not r.any():
        return np.zeros(3), a
    # B(z) B(1/z) is a square polynomial in x = z + 1/z: of each root's pair z, 1/z take the one inside.
    zeros = []
    for x in np.roots([r[2], r[1], r[0] - 2 * r[2]]):
        half = np.sqrt(np.complex128(x * x - 4))
        zeros.append(2 / max(x + half, x - half, key=abs))
    b: F64 = np.real(np.poly([*zeros, 0.0, 0.0][:2]))
    b *= math.sqrt(r[0] / (b @ b))
    return b, a
