"""The inhibitory neuron of the tissue: integrate-and-fire, but with the f-I curve of a cell that has channels.

Parvalbumin neurons fire fast because of their sodium channels, most of them Nav1.1 [1]_. What a loss of these does is
computed on a membrane with channels (Wang & Buzsaki's) and carried over by its f-I curve (``sim.refit``): rheobase,
time constant, refractory time and reset. Voltages stay in units of the healthy cell's resistance, so that one drive
means one current.

.. [1] Ogiwara et al. (2007) J Neurosci 27:5903.
"""

from __future__ import annotations

from bmi.errors import ContractError
from sim.circuits.meanfield import Membrane

CELL = "pv"
"""Class of cells in ``sim.refit``."""
LEAST, MOST = 0.6, 1.2
"""Share of the sodium conductance. With less, the cell fires at strong drives only, at which an integrate-and-fire
neuron would as well be blocked: the fit misses by 10 Hz and more."""


def fast_spiking() -> Membrane:
    """Return the healthy neuron: ``lif_for("pv")``, in round figures so that nothing need be fitted."""
    return Membrane(tau_s=0.0163, threshold_mv=2.36, reset_mv=-17.1, refractory_s=0.00142)


def with_sodium(healthy: Membrane, share: float) -> Membrane:
    """Return ``healthy`` with a ``share`` of its sodium conductance.

    Each figure changes by what it changes in the fit, so that ``share`` 1 is ``healthy`` itself. The drive at which a
    neuron is blocked lies far above what a tissue can give.

    Raises
    ------
    ContractError
        If the share is out of range.
    """
    if not LEAST <= share <= MOST:
        raise ContractError(
            f"nav11 is {share:g}, expected {LEAST:g} to {MOST:g} of the healthy conductance; beyond it a cell's f-I "
            "curve is no integrate-and-fire neuron's"
        )
    if share == 1.0:
        return healthy
    from sim.refit import lif_for

    was, now = lif_for(CELL), lif_for(CELL, {"na": share})
    resistance = was.resistance_kohm_cm2
    return Membrane(
        tau_s=healthy.tau_s * now.tau_m_s / was.tau_m_s,
        threshold_mv=healthy.threshold_mv * now.rheobase_ua_cm2 / was.rheobase_ua_cm2,
        reset_mv=healthy.reset_mv
        + resistance * (now.reset_mv - now.rest_mv) / now.resistance_kohm_cm2 - (was.reset_mv - was.rest_mv),
        refractory_s=healthy.refractory_s * now.refractory_s / was.refractory_s,
    )
