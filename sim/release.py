"""How the calcium that enters a terminal becomes a probability of release.

A vesicle's sensor binds five calcium ions one after the other, each holding the next ones better, and fuses from the
fully bound state [1]_::

    0 --5 kon C--> 1 --4 kon C--> 2 --3 kon C--> 3 --2 kon C--> 4 --kon C--> 5 --fusion--> released
      <--- koff ---  <- 2 koff b -  <- 3 koff b² -  <- 4 koff b³ -  <- 5 koff b⁴ -

An action potential opens calcium channels for about half a millisecond; the transient next to the vesicle is taken as
a Gaussian. The probability that it releases is tabulated once over the transient's peak, and is what short-term
plasticity calls U. So whatever changes calcium influx (a channel blocker, a toxin, a mutation) has one entry: a scale
of the peak.

Rate constants: the first set reproduces the peak release rates this project holds it to. The abstract of its paper
also says that 10 µM empties 80 % of the pool within 3 ms; these constants need 12.5 ms, and 20 µM for the 3 ms. For
the second set [2]_ koff is 30 000 /s: with 3000 /s, which also circulates, the log-log slope from 2 to 5 µM would be
1.4, where experiments found above 4; with 30 000 /s it is 4.1, and 30 µM empty the pool within 0.5 ms, as its paper
says.

.. [1] Schneggenburger & Neher (2000) Nature 406:889. Intracellular calcium dependence of transmitter release.
.. [2] Bollmann, Sakmann & Borst (2000) Science 289:953. Calcium sensitivity of glutamate release.
.. [3] Blanes & Moan (2006) Appl Numer Math 56:1519. Commutator-free exponential integrators.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.interpolate import PchipInterpolator
from scipy.linalg import expm
from scipy.optimize import brentq

from bmi.errors import ContractError
from bmi.signals import F64

N_SITES = 5
CA_MIN_UM, CA_MAX_UM, N_TABLE = 0.1, 1000.0, 49
"""The table's peaks, evenly spaced in their logarithm; below it p falls as the fifth power."""
SPAN, N_STEPS, TAIL_S = 3.0, 240, 0.05
"""The transient is followed for ``SPAN`` widths to either side in ``N_STEPS``; then bound sensors empty."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A vesicle's calcium sensor."""

    kon_per_m_s: Annotated[float, Gt(0)] = 9e7
    """Binding to one free site, /M/s."""
    koff_per_s: Annotated[float, Gt(0)] = 9500.0
    """Loss from one bound site of a sensor that has bound one, /s."""
    cooperativity: Annotated[float, Gt(0), Le(1)] = 0.25
    """Factor b on the loss, for every further ion bound."""
    fusion_per_s: Annotated[float, Gt(0)] = 7000.0
    """Fusion of a vesicle whose sensor is full, /s."""

    def __post_init__(self) -> None:
        rates = (self.kon_per_m_s, self.koff_per_s, self.fusion_per_s)
        if not (all(0.0 < r < math.inf for r in rates) and 0.0 < self.cooperativity <= 1.0):
            raise ContractError(
                f"Sensor: expected rates above 0 and a cooperativity above 0, at most 1, given {rates}, "
                f"{self.cooperativity:g}"
            )

    def generator(self, ca_um: float) -> F64:
        """Return the (7, 7) matrix Q of dP/dt = Q P, /s, at constant calcium; its columns sum to zero.

        States are 0 to 5 ions bound, and released.
        """
        return self._still() + ca_um * self._binding()

    def _binding(self) -> F64:
        q = np.zeros((N_SITES + 2, N_SITES + 2))
        for i in range(N_SITES):
            rate = (N_SITES - i) * self.kon_per_m_s * 1e-6
            q[i + 1, i] += rate
            q[i, i] -= rate
        return q

    def _still(self) -> F64:
        q = np.zeros((N_SITES + 2, N_SITES + 2))
        for i in range(N_SITES):
            rate = (i + 1) * self.koff_per_s * self.cooperativity**i
            q[i, i + 1] += rate
            q[i + 1, i + 1] -= rate
        q[N_SITES + 1, N_SITES] += self.fusion_per_s
        q[N_SITES, N_SITES] -= self.fusion_per_s
        return q

    def occupancy(self, ca_um: float, t_s: float) -> F64:
        """Return the (7,) probabilities of the states, ``t_s`` after calcium stepped from 0 to ``ca_um``."""
        if not (ca_um >= 0.0 and t_s >= 0.0 and math.isfinite(ca_um) and math.isfinite(t_s)):
            raise ContractError(f"Sensor: expected calcium (µM) and time (s) not below 0, given {ca_um!r}, {t_s!r}")
        return np.asarray(expm(self.generator(ca_um) * t_s)[:, 0], np.float64)

    def rate(self, ca_um: float, t_s: float) -> float:
        """Return vesicles released a second and vesicle, ``t_s`` after calcium stepped from 0 to ``ca_um``."""
        return float(self.fusion_per_s * self.occupancy(ca_um, t_s)[N_SITES])

    def peak_rate(self, ca_um: float) -> float:
        """Return the greatest release rate after calcium stepped from 0 to ``ca_um``, /s."""
        low, high = 1e-6, 1.0
        for _ in range(3):  # each zooms in on the best of the last
            times = np.geomspace(low, high, 61)
            rates = self.fusion_per_s * exponential(self.generator(ca_um) * times[:, None, None])[:, N_SITES, 0]
            k = int(np.argmax(rates))
            low, high = times[max(k - 1, 0)], times[min(k + 1, 60)]
        return float(rates.max())


SCHNEGGENBURGER_NEHER = Sensor()
BOLLMANN = Sensor(kon_per_m_s=3e8, koff_per_s=3e4, cooperativity=0.25, fusion_per_s=4e4)


@dataclass(frozen=True, kw_only=True)
class Release:
    """Probability that a calcium transient releases a ready vesicle, as a table over the transient's peak."""

    sensor: Sensor = SCHNEGGENBURGER_NEHER
    """What the calcium binds to."""
    width_s: Annotated[float, Ge(5e-5), Le(5e-3)] = 0.5e-3
    """Full width of the transient at half its peak, s."""

    def __post_init__(self) -> None:
        if not 5e-5 <= self.width_s <= 5e-3:
            raise ContractError(f"Release: width_s is {self.width_s:g} s, expected 50 µs to 5 ms")

    def probability(self, ca_peak_um: float) -> float:
        """Return p(release) of a transient with this peak, µM; it never falls with it.

        Raises
        ------
        ContractError
            Unless the peak is between 0 and 1000 µM.
        """
        if not 0.0 <= ca_peak_um <= CA_MAX_UM:
            raise ContractError(
                f"Release: the peak of the calcium transient is {ca_peak_um:g} µM, "
                f"expected 0 to {CA_MAX_UM:g}; scale the influx less"
            )
        if ca_peak_um == 0.0:
            return 0.0
        return _chance(float(_odds(self.sensor, self.width_s, math.log(ca_peak_um))))

    def ca_peak_um(self, p: float) -> float:
        """Return the peak, µM, of the transient that releases with probability ``p``; inverse of ``probability``.

        Raises
        ------
        ContractError
            Unless 0 < p < 1 is within the table.
        """
        top = self.probability(CA_MAX_UM)
        low = self.probability(CA_MIN_UM)
        if not low < p < top:
            raise ContractError(f"Release: p is {p:g}, expected {low:.3g} to {top:.6g}, what 0.1 to 1000 µM release")
        wanted = math.log(-math.log1p(-p))
        log_ca = brentq(
            lambda x: float(_odds(self.sensor, self.width_s, x)) - wanted, math.log(CA_MIN_UM), math.log(CA_MAX_UM),
            xtol=1e-14, rtol=1e-14,
        )  # fmt: skip
        return math.exp(log_ca)

    def table(self) -> tuple[F64, F64]:
        """Return the peaks, µM, and their probabilities, both (49,)."""
        ca = np.geomspace(CA_MIN_UM, CA_MAX_UM, N_TABLE)
        return ca, np.array([_chance(v) for v in _solve(self.sensor, self.width_s)])


def _chance(odds: float) -> float:
    """Return p of log(-log(1 - p)), the scale on which p is near a straight line over log calcium."""
    return -math.expm1(-math.exp(odds))


def _odds(sensor: Sensor, width_s: float, log_ca: float) -> float:
    inner = _curve(sensor, width_s)
    low = math.log(CA_MIN_UM)
    if log_ca >= low:
        return float(inner(min(log_ca, math.log(CA_MAX_UM))))
    return float(inner(low)) + N_SITES * (log_ca - low)


@functools.lru_cache(maxsize=32)
def _curve(sensor: Sensor, width_s: float) -> PchipInterpolator:
    ca = np.geomspace(CA_MIN_UM, CA_MAX_UM, N_TABLE)
    return PchipInterpolator(np.log(ca), _solve(sensor, width_s))


@functools.lru_cache(maxsize=32)
def _solve(sensor: Sensor, width_s: float) -> F64:
    """Return log(-log(1 - p)) of every peak in the table, (49,), by fourth-order exponential steps [3]_."""
    peaks = np.geomspace(CA_MIN_UM, CA_MAX_UM, N_TABLE)
    still, binding = sensor._still(), sensor._binding()
    states = np.zeros((N_TABLE, N_SITES + 2, 1))
    states[:, 0] = 1.0
    h = 2.0 * SPAN * width_s / N_STEPS
    begin = -SPAN * width_s + h * np.arange(N_STEPS)
    node = math.sqrt(3.0) / 6.0
    first, second = (np.exp(-4.0 * math.log(2.0) * ((begin + (0.5 + s * node) * h) / width_s) ** 2) for s in (-1, 1))
    for c1, c2 in zip(first, second, strict=True):
        for w1, w2 in ((0.25 + node, 0.25 - node), (0.25 - node, 0.25 + node)):
            ca = (w1 * c1 + w2 * c2) * peaks
            states = exponential(h * (0.5 * still + ca[:, None, None] * binding)) @ states
    states = expm(still * TAIL_S) @ states
    kept = np.maximum(states[:, : N_SITES + 1, 0].sum(1), 1e-300)
    p = states[:, N_SITES + 1, 0]
    odds: F64 = np.log(np.where(p < 0.5, -np.log1p(-np.minimum(p, 0.5)), -np.log(kept)))
    return odds


def exponential(a: F64) -> F64:
    """Return e^a of every (n, n) matrix of a (..., n, n) stack: Taylor's series of a scaled matrix, squared back.

    SciPy's takes 0.2 ms a matrix whatever its size; the table needs 23 000.
    """
    norm = float(np.abs(a).sum(-2).max())
    squarings = max(0, math.ceil(math.log2(max(norm, 1e-300))) + 2)
    scaled = a / 2.0**squarings
    out = np.eye(a.shape[-1]) + scaled
    term = scaled
    for k in range(2, 13):
        term = term @ scaled / k
        out = out + term
    for _ in range(squarings):
        out = out @ out
    return out
