"""How often a trough, or noise alone, crosses a threshold: the mathematics of a detector in a millisecond.

Behind a band-pass the noise is Gaussian, of rms frequency f (``NOISE_HZ``). It crosses k of its standard deviations

    f exp(-k² / 2)

times a second by itself [1]_. A spike whose trough is a deep crosses k with the probability that noise of standard
deviation 1 leaves the deepest point beyond it, Φ(a - k + lift); noise of slope s tilts a parabola of depth a and width
w and moves its extreme by s² w² / 2a, (2 π f w)² / 2a in the mean.

.. [1] Rice (1945) Bell Syst Tech J 24:46.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from bmi.signals import F64

NOISE_HZ = 3700.0
"""Rms frequency of the noise behind a band-pass of 300 to 6000 Hz, Hz."""
WIDTH_S = 0.0000875
"""Width of a trough, s: a Gaussian's standard deviation, of a spike of 0.35 ms from trough to peak."""
MOST_LIFT = 0.5


def noise_hz(level: ArrayLike) -> F64:
    """Return how often noise crosses ``level`` of its standard deviations, Hz."""
    k = np.asarray(level, np.float64)
    return np.asarray(NOISE_HZ * np.exp(-0.5 * k * k))


def bend() -> float:
    """Return what noise adds to a trough of depth 1."""
    return 0.5 * (2.0 * math.pi * NOISE_HZ * WIDTH_S) ** 2


def detected(snr: ArrayLike, level: float) -> F64:
    """Return the probability that a trough ``snr`` deep, in standard deviations of the noise, crosses ``level``."""
    from scipy.special import ndtr

    a = np.asarray(snr, np.float64)
    with np.errstate(divide="ignore"):
        lift = np.minimum(bend() / a, MOST_LIFT)
    return np.where(a > 0.0, ndtr(a + lift - level), 0.0)
