"""Compiled core of the calcium rule: what the time between two calcium transients leaves of a synapse."""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from bmi.signals import F64


class Thresholds(NamedTuple):
    """Graupner & Brunel's rule as the kernel sees it."""

    tau_s: float
    tau_calcium_s: float
    gamma_d: float
    gamma_p: float
    theta_d: float
    theta_p: float
    sigma: float


@njit(cache=True, nogil=True, error_model="numpy")
def above(c: float, theta: float, elapsed_s: float, tau_s: float) -> float:
    """Return for how long of ``elapsed_s`` calcium stays above ``theta`` when it decays from ``c``."""
    return min(elapsed_s, tau_s * math.log(c / theta)) if c > theta else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def driven(rho: float, pull: float, rate: float, variance: float, seconds: float, r: Thresholds, z: float) -> float:
    """Return efficacy after ``seconds`` of pull towards ``pull`` at ``rate`` / tau, with the noise of that time."""
    keep = math.exp(-rate * seconds / r.tau_s)
    return pull + (rho - pull) * keep + z * math.sqrt(variance * (1.0 - keep * keep))


@njit(cache=True, nogil=True, error_model="numpy")
def relax(elapsed_s: float, r: Thresholds, normals: F64, calcium: F64, rho: F64) -> None:
    """Advance synapses by ``elapsed_s`` without transients: exact in each term, terms in turn.

    Above theta_p potentiation and depression act together, above the other threshold one of them; then the double
    well, closed in (rho - 1/2)^2, for the whole time. ``normals`` (2, n) are standard normal.
    """
    fade = math.exp(-elapsed_s / r.tau_calcium_s)
    well = math.exp(-0.5 * elapsed_s / r.tau_s)
    both = r.gamma_d + r.gamma_p
    half = 0.5 * r.sigma * r.sigma
    for i in range(rho.size):
        up = above(calcium[i], r.theta_p, elapsed_s, r.tau_calcium_s)
        down = above(calcium[i], r.theta_d, elapsed_s, r.tau_calcium_s)
        now = driven(rho[i], r.gamma_p / both, both, 2.0 * half / both, min(up, down), r, normals[0, i])
        if down > up:
            now = driven(now, 0.0, r.gamma_d, half / r.gamma_d, down - up, r, normals[1, i])
        else:
            now = driven(now, 1.0, r.gamma_p, half / r.gamma_p, up - down, r, normals[1, i])
        q = (now - 0.5) * (now - 0.5)
        if q > 0.0:
            side = 0.5 if now > 0.5 else -0.5
            now = 0.5 + side / math.sqrt(1.0 + (0.25 / q - 1.0) * well)
        rho[i] = now
        calcium[i] *= fade
