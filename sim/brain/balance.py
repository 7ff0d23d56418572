"""Reduced Wong-Wang masses at rest: the inhibition that balances each region, and the coupling at which it tips.

A region alone fires near 3 Hz. Coupling adds excitation, and local inhibition raised region by region brings each back
to 3.06 Hz, a current 26 pA below b / a [1]_. That state is there at any coupling; beyond a critical gain it is no
longer stable, and the network leaves it for states in which some regions fire more and others less [2]_. Where the
network is lost it is lost without oscillation, so that delays have no part in it.

References
----------
.. [1] Deco, Ponce-Alvarez, Hagmann, Romani, Mantini & Corbetta (2014) How local excitation-inhibition ratio impacts
       the whole brain dynamics. J Neurosci 34:7886-7898.
.. [2] Deco, Ponce-Alvarez, Mantini, Romani, Hagmann & Corbetta (2013) Resting-state functional connectivity emerges
       from structurally and dynamically shaped slow linear fluctuations. J Neurosci 33:11239-11252.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64
from sim.brain._wong_wang_kernels import Firing
from sim.brain.connectome import Connectome
from sim.brain.wong_wang import EXCITATORY, GAMMA, INHIBITORY, SHARE_I, STEADY_NA, TAU_E_S, TAU_I_S

BELOW_NA = 0.026
"""How far the current of a balanced region is below b / a, nA."""
RECURRENT, NMDA_NA = 1.4, 0.15


def rate_hz(current_na: Any, cells: Firing) -> Any:
    """Return H, Hz, of a current, nA."""
    x = cells.a_per_na_s * np.asarray(current_na, np.float64) - cells.b_hz
    return x / -np.expm1(-cells.d_s * x)


def slope_hz_na(current_na: float, cells: Firing) -> float:
    """Return how steeply H rises with the current, Hz/nA."""
    x = cells.a_per_na_s * current_na - cells.b_hz
    below = -math.expm1(-cells.d_s * x)
    return cells.a_per_na_s * (below - x * cells.d_s * math.exp(-cells.d_s * x)) / below**2


BALANCED_NA = EXCITATORY.b_hz / EXCITATORY.a_per_na_s - BELOW_NA
BALANCED_HZ = float(rate_hz(BALANCED_NA, EXCITATORY))
"""Rate of a balanced region."""
BALANCED_GATE = TAU_E_S * GAMMA * BALANCED_HZ / (1.0 + TAU_E_S * GAMMA * BALANCED_HZ)
"""S_E of a balanced region."""


def inhibitory_gate(nmda_na: float = NMDA_NA) -> float:
    """Return S_I of a balanced region."""
    from scipy.optimize import brentq

    steady = SHARE_I * STEADY_NA + nmda_na * BALANCED_GATE
    return float(brentq(lambda s: TAU_I_S * float(rate_hz(steady - s, INHIBITORY)) - s, 0.0, 1.0, xtol=1e-15))


def balanced(
    connectome: Connectome, *, gain: float, recurrent: float = RECURRENT, nmda_na: float = NMDA_NA
) -> F64:
    """Return the inhibition J (n,), nA, at which every region fires at 3.06 Hz without noise.

    Raises
    ------
    ContractError
        If the gain is negative.
    """
    if not gain >= 0.0:
        raise ContractError(f"balanced: gain is {gain!r}, expected at least 0")
    coupled = recurrent + gain * connectome.weights.sum(axis=1)
    found: F64 = (STEADY_NA + nmda_na * BALANCED_GATE * coupled - BALANCED_NA) / inhibitory_gate(nmda_na)
    return found


def growth_per_s(
    connectome: Connectome, gain: float, *, recurrent: float = RECURRENT, nmda_na: float = NMDA_NA
) -> complex:
    """Return how fast the least stable deviation from the balanced state grows, 1/s; its frequency is imaginary.

    Delays are left out: they do not move the gain at which a growth without oscillation becomes 0.
    """
    n, s_i = connectome.n, inhibitory_gate(nmda_na)
    steep_e = (1.0 - BALANCED_GATE) * GAMMA * slope_hz_na(BALANCED_NA, EXCITATORY)
    steep_i = slope_hz_na(SHARE_I * STEADY_NA + nmda_na * BALANCED_GATE - s_i, INHIBITORY)
    one = np.eye(n)
    inhibition = balanced(connectome, gain=gain, recurrent=recurrent, nmda_na=nmda_na)
    jacobian = np.block([
        [steep_e * nmda_na * (recurrent * one + gain * connectome.weights) - one * (1 / TAU_E_S + GAMMA * BALANCED_HZ),
         -steep_e * np.diag(inhibition)],
        [steep_i * nmda_na * one, -(1.0 / TAU_I_S + steep_i) * one],
    ])  # fmt: skip
    growths = np.linalg.eigvals(jacobian)
    return complex(growths[growths.real.argmax()])


def critical_gain(
    connectome: Connectome, *, most: float = 50.0, recurrent: float = RECURRENT, nmda_na: float = NMDA_NA
) -> float:
    """Return the gain G beyond which the balanced state is not stable, J being balanced anew for each gain.

    Raises
    ------
    ContractError
        If it is stable up to ``most``, or not even without coupling.
    """
    from scipy.optimize import brentq

    def grows(gain: float) -> float:
        return growth_per_s(connectome, gain, recurrent=recurrent, nmda_na=nmda_na).real

    if grows(0.0) >= 0.0 or grows(most) <= 0.0:
        raise ContractError(
            f"critical_gain: the balanced state is {'un' * (grows(0.0) >= 0.0)}stable from gain 0 to {most:g}; "
            "expected it to be lost in between: look at the weights, or give another most"
        )
    return float(brentq(grows, 0.0, most, xtol=1e-10))
