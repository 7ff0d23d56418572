"""From a membrane with channels to an integrate-and-fire neuron with its f-I curve: how a mutation reaches a network.

A network of thousands cannot afford Hodgkin-Huxley membranes. Its leaky integrate-and-fire neurons take their rheobase,
time constant, refractory time and reset from a fit to the f-I curve a class of cells has with its channels scaled, and
the drive at which the cell is blocked, which an integrate-and-fire neuron knows nothing of and must be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bmi.signals import F64
from sim.cell_classes import gates_at, ionic_current, membrane, named, rest_mv, scales_of
from sim.cells import firing_rate

MOST_UA_CM2 = 60.0
"""Strongest drive that is looked at; block beyond it is none."""
LANES = 48
"""Currents at once in each of the runs a curve is made from."""


class FICurve(NamedTuple):
    """Rates of a class of cells from onset to block."""

    current_ua_cm2: F64
    rate_hz: F64
    rheobase_ua_cm2: float
    """Least drive at which the cell keeps firing; infinite if there is none."""
    block_ua_cm2: float
    """Drive at and above which it no longer does; infinite if there is none up to MOST_UA_CM2."""


class LIFFit(NamedTuple):
    """A leaky integrate-and-fire neuron with a cell's f-I curve: tau dV/dt = rest - V + R I.

    It is silent at and above ``block_ua_cm2``, and everywhere if ``rheobase_ua_cm2`` is infinite.
    """

    rheobase_ua_cm2: float
    block_ua_cm2: float
    tau_m_s: float
    refractory_s: float
    rest_mv: float
    reset_mv: float
    threshold_mv: float
    resistance_kohm_cm2: float
    """Slope of voltage over current at rest, R."""
    error_hz: float
    """Root mean square of what the fit misses, over the curve."""
    worst_hz: float
    """The most it misses."""

    def rate(self, current_ua_cm2: ArrayLike) -> F64:
        """Return the neuron's rate at constant currents, Hz."""
        current = np.asarray(current_ua_cm2, np.float64)
        if not np.isfinite(self.rheobase_ua_cm2):
            return np.zeros(current.shape)
        reset = (self.reset_mv - self.rest_mv) / self.resistance_kohm_cm2
        hz = _rate(current, self.rheobase_ua_cm2, self.tau_m_s, self.refractory_s, reset)
        return np.where(current < self.block_ua_cm2, hz, 0.0)


def lif_for(
    cell_class: str, scales: Mapping[str, float] | None = None, *, temperature_c: float | None = None
) -> LIFFit:
    """Return the integrate-and-fire neuron for a class of cells with its channels scaled.

    The rheobase is the cell's own. Time constant, refractory time and reset, the latter not below the potassium
    reversal, are fitted to the rates between it and block. Rest and resistance are those of the membrane at rest, so
    that the threshold is rest + R rheobase.

    Parameters
    ----------
    cell_class : str
        One of CELL_CLASSES.
    scales : mapping, optional
        What conductances are multiplied by: ``{"na": 0.65}``.
    temperature_c : float, optional

    Returns
    -------
    LIFFit
        The same object when asked again.

    Raises
    ------
    ContractError
        As ``firing_rate``.
    """
    return _lif(cell_class, _key(cell_class, scales), temperature_c)


def fi_curve(
    cell_class: str, scales: Mapping[str, float] | None = None, *, temperature_c: float | None = None
) -> FICurve:
    """Return the f-I curve of a class of cells from onset to block, by the protocol of ``firing_rate``; kept.

    Arrays are read-only. Onset and block are found to a thousandth.
    """
    return _curve(cell_class, _key(cell_class, scales), temperature_c)


Scales = tuple[tuple[str, float], ...]


def _key(cell_class: str, scales: Mapping[str, float] | None) -> Scales:
    scales_of(named(cell_class), scales)
    return tuple(sorted((k, float(v)) for k, v in (scales or {}).items() if v != 1.0))


@lru_cache(maxsize=256)
def _curve(cell_class: str, scales: Scales, temperature_c: float | None) -> FICurve:
    def rates(currents: F64) -> F64:
        return firing_rate(cell_class, currents, scales=dict(scales), temperature_c=temperature_c)

    coarse = np.geomspace(0.02, MOST_UA_CM2, LANES)
    hz = rates(coarse)
    firing = np.flatnonzero(hz > 0.0)
    if not firing.size:
        return FICurve(coarse, hz, np.inf, np.inf)
    first = int(firing[0])
    beyond = np.flatnonzero(hz[first:] == 0.0)
    low, high = coarse[max(first - 1, 0)], coarse[first]
    rheobase = _edge(rates, low, high, rising=True)
    block = np.inf
    last = LANES - 1
    if beyond.size:
        last = first + int(beyond[0]) - 1
        block = _edge(rates, coarse[last], coarse[last + 1], rising=False)
    top = min(block, MOST_UA_CM2)
    current = rheobase + (top - rheobase) * np.linspace(0.0, 1.0, LANES)[1:-1] ** 2
    hz = rates(current)
    for array in (current, hz):
        array.flags.writeable = False
    return FICurve(current, hz, rheobase, block)


def _edge(rates: Callable[[F64], F64], low: float, high: float, *, rising: bool) -> float:
    """Return where firing begins (``rising``) or ends between two currents."""
    while high - low > 1e-3 * high:
        currents = np.linspace(low, high, LANES // 2)
        fires = rates(currents) > 0.0
        i = int(np.argmax(fires == rising))
        low, high = currents[max(i - 1, 0)], currents[max(i, 1)]
    return float(high)


def _rate(current: F64, rheobase: float, tau_s: float, refractory_s: float, reset: float) -> F64:
    """Return the LIF's rate, Hz; ``reset`` as a current, the one that would hold it there."""
    above = np.maximum(current - rheobase, 1e-12)
    hz = 1.0 / (refractory_s + tau_s * np.log1p((rheobase - reset) / above))
    return np.where(current > rheobase, hz, 0.0)


@lru_cache(maxsize=256)
def _lif(cell_class: str, scales: Scales, temperature_c: float | None) -> LIFFit:
    from scipy.optimize import least_squares

    curve = _curve(cell_class, scales, temperature_c)
    rest, resistance, tau_s = _passive(cell_class, scales, temperature_c)
    if not np.isfinite(curve.rheobase_ua_cm2):
        return LIFFit(np.inf, np.inf, tau_s, 0.0, rest, rest, np.inf, resistance, 0.0, 0.0)
    rheobase = curve.rheobase_ua_cm2

    def missed(x: F64) -> F64:
        tau, refractory, below = np.exp(x)
        hz = _rate(curve.current_ua_cm2, rheobase, tau, refractory, rheobase - below)
        return hz - curve.rate_hz

    most = max(rest - named(cell_class).e_k_mv, 1.0) / resistance + rheobase
    low, high = np.log([1e-4, 1e-6, 1e-3 * most]), np.log([1.0, 0.1, most])
    start = np.clip(np.log([tau_s, 0.2 / curve.rate_hz.max(), 0.5 * most]), low + 1e-6, high - 1e-6)
    found = least_squares(missed, start, bounds=(low, high))
    tau, refractory, below = np.exp(found.x)
    off = missed(found.x)
    threshold = rest + resistance * rheobase
    return LIFFit(
        rheobase, curve.block_ua_cm2, float(tau), float(refractory), rest, threshold - resistance * float(below),
        threshold, resistance, float(np.sqrt(np.mean(off**2))), float(np.abs(off).max()),
    )  # fmt: skip


def _passive(
    cell_class: str, scales: Scales, temperature_c: float | None
) -> tuple[float, float, float]:
    """Return rest, mV, slope resistance there, kΩ cm², and the time constant the two make with the capacitance, s."""
    of = named(cell_class)
    p, scale = membrane(of, 2.5e-5, temperature_c), scales_of(of, dict(scales))
    rest = rest_mv(of, p, scale)
    around = ionic_current(p, scale, gates_at(of, p, np.array([rest - 0.05, rest + 0.05])))
    resistance = 0.1 / float(around[1] - around[0])
    return rest, resistance, 1e-3 * resistance * of.c_uf_cm2
