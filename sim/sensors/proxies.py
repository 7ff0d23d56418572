"""Field potentials from currents: point sources, their density, and a sum that stands for them.

Cells that are points have no dipole, and yet the synaptic currents of a network of points tell the potential its
pyramidal cells would make: the sum of AMPA currents 6 ms late and GABA currents, weighted 1.65 [1]_. Where currents
and places are known, the potential is that of points in an ohmic medium, and its second difference along a shaft gives
back the density of the sources [2]_.

References
----------
.. [1] Mazzoni et al. (2015) Computing the local field potential from integrate-and-fire network models. PLoS Comput
   Biol 11:e1004584.
.. [2] Nicholson & Freeman (1975) Theory of current source-density analysis. J Neurophysiol 38:356.
"""

from __future__ import annotations

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

AMPA_LATE_S, GABA_WEIGHT = 0.006, 1.65


def reference_weighted_sum(
    ampa: F64, gaba: F64, *, dt_s: float, late_s: float = AMPA_LATE_S, weight: float = GABA_WEIGHT
) -> F64:
    """Return the sum that follows the field potential, |AMPA(t - 6 ms)| + 1.65 |GABA(t)|, in the unit of the currents.

    Parameters
    ----------
    ampa, gaba : (n,) float64
        Currents summed over pyramidal cells; before the first sample they are taken to be as in it.
    dt_s : float
        From one sample to the next, s; ``late_s`` must be a whole number of them.
    late_s, weight : float

    Raises
    ------
    ContractError
        If the currents differ in length, or the delay is no whole number of samples.
    """
    a, g = np.abs(np.asarray(ampa, np.float64)), np.abs(np.asarray(gaba, np.float64))
    n = round(late_s / dt_s)
    if a.shape != g.shape or a.ndim != 1:
        raise ContractError(f"reference_weighted_sum: expected two currents of one length, given {a.shape}, {g.shape}")
    if abs(n * dt_s - late_s) > 1e-9 or n < 0:
        raise ContractError(
            f"reference_weighted_sum: {late_s:g} s is {late_s / dt_s:g} samples of {dt_s:g} s, expected a whole number"
        )
    return np.concatenate([np.full(min(n, len(a)), a[0] if len(a) else 0.0), a])[: len(a)] + weight * g


def source_potential_uv(
    currents_na: F64, sources_um: F64, electrodes_um: F64, *, radius_um: float = 10.0, sigma_s_m: float = 0.3
) -> F64:
    """Return the potential of point sources, (n, n_electrodes) µV.

    Parameters
    ----------
    currents_na : (n, n_sources) float64
        What leaves each source, nA; positive is outward.
    sources_um, electrodes_um : (n_sources, 3), (n_electrodes, 3) float64
    radius_um : float
        Within it of a source the potential is that of its surface.
    sigma_s_m : float
    """
    from sim.fields import transfer_mv_ua

    per_ua = transfer_mv_ua(electrodes_um, sources_um, radius_um=radius_um, sigma_s_m=sigma_s_m)
    return np.asarray(currents_na @ per_ua.T, np.float64)  # mV/µA is µV/nA


def current_source_density(potential_uv: F64, *, spacing_um: float, sigma_s_m: float = 0.3) -> F64:
    """Return the density of current sources between the ends of a shaft, (n, n_channels - 2) µA/mm³.

    The negative second difference of the potential along the shaft times conductivity; positive is a source.

    Raises
    ------
    ContractError
        If there are fewer than three channels.
    """
    if potential_uv.ndim != 2 or potential_uv.shape[1] < 3:
        raise ContractError(
            f"current_source_density: expected (n, at least 3 channels), given {potential_uv.shape}"
        )
    second = potential_uv[:, 2:] - 2.0 * potential_uv[:, 1:-1] + potential_uv[:, :-2]
    # µV S/m over µm² is A/m³ × 1e6, and 1e6 A/m³ are 1e3 µA/mm³.
    return np.asarray(-1e3 * sigma_s_m * second / spacing_um**2, np.float64)
