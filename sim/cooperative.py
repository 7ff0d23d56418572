"""Channels that open one another: a mean field with hysteresis, and a pair of neighbours that flip.

Channels in clusters shift each other's activation: each behaves as if the voltage were higher by J times the share of
others that are open [1]_ [2]_. The share open then solves ``o = σ((V - V½ + J o) / k)``. Its inverse is explicit,
``V(o) = V½ + k ln(o / (1 - o)) - J o``, and falls somewhere exactly when J > 4 k: then there are two stable shares in a
range of voltages, and which one is taken depends on where the cell comes from.

References
----------
.. [1] Naundorf, Wolf & Volgushev (2006) Unique features of action potential initiation in cortical neurons.
   Nature 440:1060.
.. [2] Dixon, Moreno, Yuan, … Santana (2015) Graded Ca²⁺/calmodulin-dependent coupling of voltage-gated CaV1.2 channels.
   eLife 4:e05608.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import ArrayLike

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.component import Noise


@dataclass(kw_only=True, frozen=True)
class Cooperative:
    """Channels of one kind that help each other open."""

    v_half_mv: float = -30.0
    """Voltage at which half of them are open without coupling, V½, mV."""
    k_mv: Annotated[float, Gt(0)] = 6.0
    """Slope, mV."""
    j_mv: Annotated[float, Ge(0)] = 0.0
    """Coupling: by how much all others, open, shift the activation, mV."""

    @property
    def bistable(self) -> bool:
        """Whether there is a range of voltages with two stable shares."""
        return self.j_mv > 4.0 * self.k_mv

    def voltage(self, share: ArrayLike) -> F64:
        """Return the voltage at which ``share``, between 0 and 1, is a fixed point, mV."""
        o = np.asarray(share, np.float64)
        return self.v_half_mv + self.k_mv * (np.log(o) - np.log1p(-o)) - self.j_mv * o

    def slope(self, share: ArrayLike) -> F64:
        """Return do/dV, 1/mV, at the fixed point ``share``; infinite at a fold."""
        o = np.asarray(share, np.float64)
        with np.errstate(divide="ignore"):
            return 1.0 / (self.k_mv / (o * (1.0 - o)) - self.j_mv)

    def folds(self) -> tuple[float, float] | None:
        """Return the voltages between which two stable shares exist, mV, lower one first; None if there are none."""
        if not self.bistable:
            return None
        root = math.sqrt(1.0 - 4.0 * self.k_mv / self.j_mv)
        low, high = 0.5 * (1.0 + root), 0.5 * (1.0 - root)
        return float(self.voltage(low)), float(self.voltage(high))

    def open_at(self, v_mv: ArrayLike, *, from_above: bool = False) -> F64:
        """Return the stable share open at the voltages ``v_mv``.

        Where there are two, the lower one, or the upper one if ``from_above``. Found by bisection in ln(o / (1 - o))
        on the branch, to the last bits.
        """
        v = np.asarray(v_mv, np.float64)
        # On a stable branch u = (V - V½ + J o) / k grows with V, so bisection between its ends cannot miss.
        u0 = (v - self.v_half_mv) / self.k_mv
        low, high = u0.copy(), u0 + self.j_mv / self.k_mv
        if self.bistable:
            fold = math.sqrt(1.0 - 4.0 * self.k_mv / self.j_mv)
            edge = math.log((1.0 + fold) / (1.0 - fold))
            v_down, v_up = self.folds() or (0.0, 0.0)
            upper = v >= v_down if from_above else v > v_up
            low, high = np.where(upper, np.maximum(low, edge), low), np.where(upper, high, np.minimum(high, -edge))
        for _ in range(80):
            u = 0.5 * (low + high)
            above = self.k_mv * u - self.j_mv * _sigmoid(u) > v - self.v_half_mv
            low, high = np.where(above, low, u), np.where(above, u, high)
        return _sigmoid(0.5 * (low + high))

    def follow(self, v_mv: ArrayLike, share: float, tau_s: float, dt_s: float) -> F64:
        """Return the share open while the voltage takes the values ``v_mv`` (n,), one a step, from ``share`` on.

        ``τ do/dt = σ((V - V½ + J o) / k) - o``, exponential Euler.
        """
        if not 0.0 < dt_s <= tau_s:
            raise ContractError(f"cooperative: dt_s is {dt_s:g} s, expected above 0 and at most tau_s, {tau_s:g}")
        v = np.asarray(v_mv, np.float64)
        shares, keep, o = np.empty(v.size), math.exp(-dt_s / tau_s), share
        for i, x in enumerate(((v - self.v_half_mv) / self.k_mv).tolist()):
            o += (1.0 / (1.0 + math.exp(-(x + self.j_mv / self.k_mv * o))) - o) * (1.0 - keep)
            shares[i] = o
        return shares

    def pair(self, v_mv: float) -> F64:
        """Return the probabilities that none, the first only, the second only and both of two neighbours are open.

        Each opens and closes with the odds the other one's state gives it, which is detailed balance with weights
        1, e^u, e^u, e^(2u + J/k), u = (V - V½) / k.
        """
        u = (v_mv - self.v_half_mv) / self.k_mv
        log = np.array([0.0, u, u, 2.0 * u + self.j_mv / self.k_mv])
        weights = np.exp(log - log.max())
        return weights / weights.sum()

    def pairs(self, v_mv: float, n: int, steps: int, seed: int) -> AnyArray:
        """Return which channels of ``n`` independent pairs are open, (2, n) bool, after ``steps`` time constants.

        All start closed. In every time constant each channel, the first before the second, is drawn afresh given its
        neighbour: the stationary distribution is exactly that of ``pair``.
        """
        odds = (v_mv - self.v_half_mv) / self.k_mv + np.array([0.0, self.j_mv / self.k_mv])
        opens = _sigmoid(odds).astype(np.float32)
        noise = Noise(seed, "cooperative", n)
        state = np.zeros((2, n), np.bool_)
        for step in range(steps):
            for channel in (0, 1):
                state[channel] = noise.uniform(channel, step) < np.where(state[1 - channel], opens[1], opens[0])
        return state


def _sigmoid(x: F64) -> F64:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, np.float64)))
