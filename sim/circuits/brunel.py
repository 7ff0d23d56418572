"""The sparse network whose rates and rhythms are known on paper: the yard-stick of the spike engine.

10 000 excitatory and 2 500 inhibitory integrate-and-fire neurons, each hearing 1 000 and 250 of them and as many
Poisson neurons outside, whose rate is ``eta`` times what alone would bring the mean potential to threshold; inhibition
is ``g`` times as strong as excitation. Depending on both the network fires regularly and in synchrony, irregularly and
asynchronously, or irregularly with a global rhythm, fast (near 180 Hz) or slow (near 22 Hz).

References
----------
Brunel (2000) Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons.
    J Comput Neurosci 8:183-208.
"""

from __future__ import annotations

import math

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, I64
from sim.circuits.connectivity import InDegree
from sim.circuits.lif import LIF
from sim.circuits.siegert import Neuron, self_consistent

N_E, C_E = 10_000, 1_000
GAMMA = 0.25
"""Inhibitory over excitatory neurons, and inputs."""
WEIGHT_MV = 0.1
NEURON = Neuron()


def brunel(g: float, eta: float, *, n: int = 12_500, in_degree: int = C_E, dt_s: float = 1e-4) -> LIF:
    """Return the network; with fewer neurons or inputs, one with the mean and spread of input of the full one.

    Fewer inputs are made stronger by the square root, which keeps the spread; the mean they then lack is given to
    all neurons as a current, for the rate theory predicts.

    Parameters
    ----------
    g : float
        Inhibitory over excitatory weight.
    eta : float
        External rate relative to threshold.
    n : int
        Neurons, four fifths of them excitatory.
    in_degree : int
        Excitatory inputs a neuron has; a quarter as many are inhibitory.

    Raises
    ------
    ContractError
        If n is no multiple of 5, in_degree none of 4, or g or eta negative.
    """
    if n < 5 or n % 5 or in_degree < 4 or in_degree % 4:
        raise ContractError(
            f"brunel: expected n a multiple of 5 and in_degree one of 4, given {n} and {in_degree}; give e.g. 2000, 400"
        )
    if not (g >= 0.0 and eta >= 0.0):
        raise ContractError(f"brunel: g is {g} and eta {eta}, expected no negative number")
    n_e = n * 4 // 5
    weight = WEIGHT_MV * math.sqrt(C_E / in_degree)
    return LIF(
        name="brunel",
        n_excitatory=n_e,
        n_inhibitory=n - n_e,
        wiring=InDegree(excitatory=in_degree, inhibitory=in_degree // 4),
        synapses="jump",
        weight_e_mv=weight,
        weight_i_mv=-g * weight,
        delay_s=1.5e-3,
        tau_m_s=NEURON.tau_m_s,
        threshold_mv=NEURON.threshold_mv,
        reset_mv=NEURON.reset_mv,
        refractory_s=NEURON.refractory_s,
        external_hz=eta * NEURON.threshold_mv / (WEIGHT_MV * NEURON.tau_m_s),
        external_mv=WEIGHT_MV,
        rest_mv=compensation_mv(g, eta, in_degree),
        dt_s=dt_s,
        cost=n / 12_500 * (0.4 + 0.75 * in_degree / C_E),
    )


def theory_hz(g: float, eta: float) -> float:
    """Return the stationary rate the diffusion approximation gives for the full network, Hz."""
    return self_consistent(g, eta, NEURON, c_e=C_E, gamma=GAMMA, weight_mv=WEIGHT_MV)


def compensation_mv(g: float, eta: float, in_degree: int) -> float:
    """Return the mean that ``in_degree`` inputs, made stronger by the square root, lack at the theory's rate, mV."""
    if in_degree == C_E:
        return 0.0
    recurrent = C_E * WEIGHT_MV * NEURON.tau_m_s * theory_hz(g, eta) * (1.0 - g * GAMMA)
    return recurrent * (1.0 - math.sqrt(in_degree / C_E))


def population_counts(spikes: I64, n_steps: int, every: int) -> F64:
    """Return how many of all neurons fired in bins of ``every`` steps, from events (n, 2): step and neuron."""
    return np.bincount(spikes[:, 0] // every, minlength=n_steps // every)[: n_steps // every].astype(float)


def rhythm_hz(counts: F64, bin_s: float, *, low_hz: float = 5.0, high_hz: float = 400.0) -> float:
    """Return where the spectrum of the population's activity peaks, Hz.

    Welch's estimate with windows of at most 0.25 s, so with peaks within 4 Hz, refined by a parabola through the
    logarithms of the highest value and its neighbours.
    """
    from scipy.signal import welch

    f, power = welch(counts - counts.mean(), 1.0 / bin_s, nperseg=min(len(counts), round(0.25 / bin_s)))
    inside = np.flatnonzero((f >= low_hz) & (f <= high_hz))
    k = int(inside[np.argmax(power[inside])])
    if not 0 < k < len(f) - 1:
        return float(f[k])
    before, at, after = np.log(power[k - 1 : k + 2] + 1e-300)
    return float(f[k] + (f[1] - f[0]) * 0.5 * (before - after) / (before - 2.0 * at + after))
