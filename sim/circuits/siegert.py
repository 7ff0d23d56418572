"""Mean rate of a leaky integrate-and-fire neuron under white noise, and of a network that provides its own.

    1/nu = t_ref + tau sqrt(pi) integral from (V_r - mu)/sigma to (theta - mu)/sigma of e^{u^2} (1 + erf u) du

For negative u the integrand is erfcx(-u), which neither overflows nor cancels; for positive u it is written as
2 e^{u^2} - erfcx(u), whose first part is Dawson's function [1]_.

References
----------
.. [1] Siegert (1951) On the first passage time probability problem. Phys Rev 81:617-623.
.. [2] Brunel (2000) Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons.
       J Comput Neurosci 8:183-208.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bmi.errors import ContractError

STEEP = 26.0
"""e^{u^2} leaves double precision beyond; the rate is then below 1e-290 Hz."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)


class Neuron(NamedTuple):
    """What the rate depends on beside mean and spread of the input."""

    tau_m_s: float = 20e-3
    threshold_mv: float = 20.0
    reset_mv: float = 10.0
    refractory_s: float = 2e-3


def noiseless_rate(mu_mv: float, neuron: Neuron) -> float:
    """Return the rate under a constant drive that would settle at ``mu_mv``, Hz: 0 at or below threshold."""
    if mu_mv <= neuron.threshold_mv:
        return 0.0
    climb = math.log((mu_mv - neuron.reset_mv) / (mu_mv - neuron.threshold_mv))
    return 1.0 / (neuron.refractory_s + neuron.tau_m_s * climb)


def siegert(mu_mv: float, sigma_mv: float, neuron: Neuron) -> float:
    """Return the mean rate, Hz.

    Parameters
    ----------
    mu_mv : float
        Where the potential would settle.
    sigma_mv : float
        tau_m dV/dt = -V + mu + sigma sqrt(tau_m) xi(t); the potential without threshold spreads by sigma / sqrt(2).

    Raises
    ------
    ContractError
        If sigma is negative or the reset is not below the threshold.
    """
    if not sigma_mv >= 0.0 or not neuron.reset_mv < neuron.threshold_mv:
        raise ContractError(
            f"siegert: expected sigma_mv not negative and reset below threshold, given {sigma_mv} and {neuron}"
        )
    if sigma_mv < 1e-6 * (neuron.threshold_mv - neuron.reset_mv):
        return noiseless_rate(mu_mv, neuron)
    low, high = ((v - mu_mv) / sigma_mv for v in (neuron.reset_mv, neuron.threshold_mv))
    if high > STEEP:
        return 0.0
    return 1.0 / (neuron.refractory_s + neuron.tau_m_s * math.sqrt(math.pi) * _integral(low, high))


def _integral(low: float, high: float) -> float:
    """Integrate e^{u^2} (1 + erf u): by Gauss and Legendre below 0, by Dawson's function above."""
    from scipy.special import dawsn, erfcx

    total = 0.0
    if low < 0.0:
        top = min(high, 0.0)
        total += _gauss(lambda u: erfcx(-u), low, top)
    if high > 0.0:
        bottom = max(low, 0.0)
        rise = math.exp(high**2) * dawsn(high) - math.exp(bottom**2) * dawsn(bottom)
        total += 2.0 * rise - _gauss(erfcx, bottom, high)
    return float(total)


def _gauss(function, low: float, high: float) -> float:  # type: ignore[no-untyped-def]
    """Integrate in pieces no longer than 1, where the integrand bends."""
    edges = np.linspace(low, high, max(2, math.ceil(min(high - low, 200.0)) + 1))
    half = np.diff(edges) / 2.0
    u = (edges[:-1] + half)[:, None] + half[:, None] * NODES
    return float(np.sum(function(u) @ WEIGHTS * half))


def self_consistent(
    g: float, eta: float, neuron: Neuron, *, c_e: int = 1000, gamma: float = 0.25, weight_mv: float = 0.1
) -> float:
    """Return the rate at which a sparse network [2]_ provides the input that makes it fire at that rate, Hz.

    Parameters
    ----------
    g : float
        Inhibitory over excitatory weight.
    eta : float
        External rate, as a multiple of what alone would bring the mean to threshold.
    c_e : int
        Excitatory inputs a neuron has from the network, and as many from outside.
    gamma : float
        Inhibitory over excitatory inputs.

    Notes
    -----
    Found by following the rate from the external one alone, d nu/dt = rate(nu) - nu, until it settles, and polishing
    by bisection, so that of several solutions it is one that is stable.

    Raises
    ------
    ContractError
        If the rate grows without settling below 1 / refractory_s.
    """
    outside = eta * neuron.threshold_mv / (weight_mv * c_e * neuron.tau_m_s)

    def excess(nu: float) -> float:
        drive = c_e * weight_mv * neuron.tau_m_s
        mu = drive * (outside + nu * (1.0 - g * gamma))
        sigma = math.sqrt(drive * weight_mv * (outside + nu * (1.0 + g * g * gamma)))
        return siegert(mu, sigma, neuron) - nu

    nu = 0.0
    for _ in range(2000):
        step = 0.1 * excess(nu)
        nu += step
        if abs(step) < 1e-5:
            break
    low, high = max(nu - 1.0, 0.0), nu + 1.0
    if not excess(low) >= 0.0 >= excess(high):
        raise ContractError(
            f"self_consistent: no stable rate at g = {g}, eta = {eta}; near {nu:g} Hz it does not settle"
        )
    for _ in range(60):
        mid = 0.5 * (low + high)
        low, high = (mid, high) if excess(mid) > 0.0 else (low, mid)
    return 0.5 * (low + high)
