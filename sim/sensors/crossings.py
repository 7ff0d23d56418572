"""How often a trough, or noise alone, crosses a threshold: the mathematics of a detector behind a filter.

The chain it stands for samples at 30 kHz, passes 300 to 6000 Hz (Butterworth, order 2) and compares each sample with a
threshold. What the filter leaves of noise and troughs is computed from their spectra, those of ``sim.background`` and
``sim.electrodes``. The noise is Gaussian there; it crosses k of its standard deviations

    f exp(-k² / 2)

times a second by itself [1]_, and a spike whose trough is a deep with the probability Φ(a - k + lift): noise of
standard deviation 1 on the deepest point, the lift because noise has a few samples to make it deeper.

.. [1] Rice (1945) Bell Syst Tech J 24:46.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bmi.signals import F64

THERMAL_PASSES, HASH_PASSES, TROUGH_PASSES = 0.624, 0.913, 0.74
"""Share of white noise, of the hash of distant neurons and of a trough's depth that the filter leaves."""
NOISE_HZ = 2300.0
"""Frequency of the noise behind it, as seen in its crossings of some 4.5 standard deviations at 30 kHz, Hz."""
LIFT = 0.27
"""What noise adds to a trough, standard deviations."""


def in_band_uv(thermal_uv: ArrayLike, hash_uv: ArrayLike) -> F64:
    """Return the noise behind the filter, µV rms, of thermal noise and hash before it."""
    return np.hypot(THERMAL_PASSES * np.asarray(thermal_uv), HASH_PASSES * np.asarray(hash_uv))


def noise_hz(level: ArrayLike) -> F64:
    """Return how often noise crosses ``level`` of its standard deviations, Hz."""
    k = np.asarray(level, np.float64)
    return np.asarray(NOISE_HZ * np.exp(-0.5 * k * k))


def detected(snr: ArrayLike, level: ArrayLike) -> F64:
    """Return the probability that a trough ``snr`` deep crosses ``level``, both in standard deviations of the noise."""
    from scipy.special import ndtr

    return np.asarray(ndtr(np.asarray(snr, np.float64) + LIFT - level))
