"""At which drive a neuron in a busy network fires at a wanted rate: mean-field theory, solved backwards.

The input is a mean and a fluctuation; the rate of a leaky integrate-and-fire neuron under both is Siegert's [1]_. The
fluctuation lasts some milliseconds, which acts like a raised threshold and reset [2]_.

.. [1] Siegert (1951) Phys Rev 81:617; Amit & Brunel (1997) Cereb Cortex 7:237.
.. [2] Brunel & Sergi (1998) J Theor Biol 195:87; Fourcaud & Brunel (2002) Neural Comput 14:2057.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from annotated_types import Gt

from bmi.errors import ContractError
from bmi.signals import F64

ZETA = 1.4603545088095868
"""Minus Riemann's zeta of 1/2."""


def lasting(time_s: float, tau_s: float) -> float:
    """Return by how much a fluctuation that decays within ``time_s`` raises threshold and reset, in its own size."""
    return ZETA / math.sqrt(2.0) * math.sqrt(time_s / tau_s)


def held(time_s: float, tau_s: float) -> float:
    """As ``lasting``, for one that is drawn afresh every ``time_s``: the overshoot of a random walk."""
    return ZETA / math.sqrt(2.0 * math.pi) * math.sqrt(time_s / tau_s)


@dataclass(kw_only=True)
class Membrane:
    """A leaky integrate-and-fire neuron; voltages are above rest."""

    tau_s: Annotated[float, Gt(0)] = 0.020
    threshold_mv: Annotated[float, Gt(0)] = 20.0
    reset_mv: float = 12.0
    refractory_s: Annotated[float, Gt(0)] = 0.002


def rates(cell: Membrane, mean_mv: F64, noise_mv: float, raised: float) -> F64:
    """Return the firing rate at each mean drive, Hz.

    Parameters
    ----------
    cell : Membrane
    mean_mv : (n,) float64
    noise_mv : float
        Fluctuation in Brunel's sense: the voltage would have this standard deviation times 1/sqrt(2).
    raised : float
        How far threshold and reset are raised because it lasts, in units of ``noise_mv``.
    """
    from scipy.special import erfcx

    low = (cell.reset_mv - mean_mv) / noise_mv + raised
    high = (cell.threshold_mv - mean_mv) / noise_mv + raised
    at, weight = _nodes()
    u = low[:, None] + (high - low)[:, None] * (at + 1.0) / 2.0
    area = erfcx(-np.minimum(u, 25.0))  # exp(u^2) (1 + erf u)
    passage = math.sqrt(math.pi) * (area * weight).sum(axis=1) * (high - low) / 2.0
    found: F64 = 1.0 / (cell.refractory_s + cell.tau_s * passage)
    return found


@cache
def _nodes() -> tuple[F64, F64]:
    return np.polynomial.legendre.leggauss(100)


def drive_for(cell: Membrane, rate_hz: F64, noise_mv: float, raised: float) -> tuple[F64, F64]:
    """Return the mean drive, mV, at which the rate is ``rate_hz`` (n,), and how steeply the rate rises there, Hz/mV.

    Raises
    ------
    ContractError
        If no drive from four fluctuations below threshold to twice the threshold gives one of the rates.
    """
    grid = np.linspace(cell.threshold_mv - 5.0 * noise_mv, 2.0 * cell.threshold_mv, 400)
    table = rates(cell, grid, noise_mv, raised)
    if rate_hz.min() < table[0] or rate_hz.max() > table[-1]:
        raise ContractError(
            f"tissue: rates from {rate_hz.min():.3g} to {rate_hz.max():.3g} Hz, expected within {table[0]:.3g} to "
            f"{table[-1]:.3g} Hz, which its membrane can fire at; draw others"
        )
    log = np.log(table)
    mean = np.interp(np.log(rate_hz), log, grid)
    slope = rate_hz * np.interp(mean, grid, np.gradient(log, grid))
    return mean, slope


def efficacy(rate_hz: F64, release: float, recover_s: float, facilitate_s: float) -> tuple[F64, F64]:
    """Return how much of its weight a depressing or facilitating terminal is worth at a rate, and how that carries on.

    The second is the slope of efficacy times rate: what a change of rate is worth downstream. Mean-field of
    Tsodyks, Pawelzik & Markram (1998) Neural Comput 10:821, at Poisson times.
    """

    def worth(rate: F64) -> F64:
        u = release * (1.0 + facilitate_s * rate) / (1.0 + release * facilitate_s * rate)
        return u / release / (1.0 + u * rate * recover_s)

    step = 1e-4 * rate_hz
    return worth(rate_hz), ((rate_hz + step) * worth(rate_hz + step) - rate_hz * worth(rate_hz)) / step
