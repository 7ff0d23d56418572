"""The neurons of a piece of motor cortex and their contacts, drawn once for a subject."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from bmi.errors import ContractError
from bmi.signals import F64
from sim.circuits.meanfield import Membrane, drive_for, efficacy, held, lasting
from sim.circuits.topography import arranged
from sim.circuits.wiring import (
    Contacts,
    latent,
    like_to_like,
    low_rank,
    merged,
    outgoing,
    sources,
    without_turning,
)
from sim.population import preferred_directions


@dataclass(kw_only=True)
class Tuning:
    """How rates and modulations are distributed over excitatory neurons."""

    baseline_hz: Annotated[float, Gt(0)] = 8.0
    """Median rate at rest, Hz; lognormal over neurons, within ``least_hz`` and ``most_hz``."""
    baseline_spread: Annotated[float, Ge(0)] = 0.4
    """Standard deviation of its logarithm."""
    least_hz: Annotated[float, Gt(0)] = 5.0
    most_hz: Annotated[float, Gt(0)] = 20.0
    inhibitory_hz: Annotated[float, Gt(0)] = 10.0
    """Median rate of inhibitory neurons at rest, Hz."""
    depth_hz: Annotated[float, Ge(0)] = 7.0
    """Median modulation by direction at the reference speed, Hz; lognormal over neurons."""
    depth_spread: Annotated[float, Ge(0)] = 0.5
    """Standard deviation of its logarithm."""
    speed_hz: Annotated[float, Ge(0)] = 2.0
    """Standard deviation over neurons of the modulation by speed alone at the reference speed, Hz."""
    click_hz: Annotated[float, Ge(0)] = 8.0
    """Standard deviation over neurons of the modulation by an intended click, Hz."""
    topography: Annotated[float, Ge(0), Le(1)] = 0.0
    """How closely excitatory neurons lie by a map of preferred directions; 0 anywhere."""
    topography_um: Annotated[float, Gt(0)] = 600.0
    """Wavelength of that map, µm."""
    reference_mm_s: Annotated[float, Gt(0)] = 200.0
    """Intended speed at which a neuron is modulated by its full depth, mm/s."""


@dataclass(kw_only=True)
class Circuit:
    """Contacts, membranes and background. A weight is what a spike adds to a voltage in all, over the membrane's
    time constant, mV: the jump that an instantaneous synapse would make."""

    inhibitory_share: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of neurons that are inhibitory, and of each neuron's contacts that are from them."""
    exc_to_exc_mv: Annotated[float, Gt(0)] = 0.42
    exc_to_inh_mv: Annotated[float, Gt(0)] = 0.50
    inh_to_exc_mv: Annotated[float, Gt(0)] = 1.8
    inh_to_inh_mv: Annotated[float, Gt(0)] = 1.8
    like: Annotated[float, Ge(0), Le(1)] = 0.4
    """How much stronger contacts between neurons of one preferred direction are, and weaker between opposed ones."""
    rank: Annotated[int, Ge(0)] = 3
    """Dimensions of the latent state the contacts hold."""
    latent_gain: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Share of a latent state that comes back after one passage through the contacts."""
    latent_turn_rad: float = 0.3
    """Angle by which it turns meanwhile."""
    background_mv: Annotated[float, Gt(0)] = 5.0
    """Standard deviation of the voltage under the background alone; fresh each millisecond."""
    width_um: Annotated[float, Gt(0)] = 1000.0
    """Edge of the square sheet the neurons lie in."""


class Synapses(NamedTuple):
    """Times and release that the working point depends on."""

    dt_s: float
    ampa_s: float
    gaba_s: float
    release: float
    recover_s: float
    facilitate_s: float


class Anatomy(NamedTuple):
    """What does not change in a session. Excitatory neurons come first."""

    n_exc: int
    baselines_hz: F64
    """(n,)"""
    depths_hz: F64
    """(n_exc,) at the reference speed."""
    directions: F64
    """(n_exc, n_dims) unit vectors."""
    speeds_hz: F64
    clicks_hz: F64
    slope_hz_mv: F64
    """(n,) how steeply the rate of a neuron rises with its drive."""
    positions_um: F64
    """(n, 2)"""
    drive_mv: F64
    """(n,) afferent drive at rest."""
    tuned_mv: F64
    """(n_exc, n_dims) drive by a velocity of the reference speed."""
    noise_mv: F64
    """(n,) standard deviation of the background's drive."""
    plastic: Contacts
    """Excitatory upon excitatory."""
    fixed: Contacts
    """All others."""


def draw(
    rng: np.random.Generator, tuning: Tuning, circuit: Circuit, cells: tuple[Membrane, Membrane], times: Synapses,
    *, n: int, k: int, n_dims: int,
) -> Anatomy:  # fmt: skip
    """Draw a circuit of ``n`` neurons with ``k`` contacts each.

    Raises
    ------
    ContractError
        If there are more contacts than neurons to receive them from, or the rates cannot be reached.
    """
    n_inh, k_inh = round(n * circuit.inhibitory_share), round(k * circuit.inhibitory_share)
    n_exc, k_exc = n - n_inh, k - k_inh
    exc, inh = range(n_exc), range(n_exc, n)
    baselines = np.concatenate([_baselines(rng, tuning, n_exc), _rates(rng, tuning.inhibitory_hz, tuning, n_inh)])
    depths = tuning.depth_hz * np.exp(tuning.depth_spread * rng.standard_normal(n_exc))
    directions = preferred_directions(rng, n_exc, n_dims)
    speeds = tuning.speed_hz * rng.standard_normal(n_exc)
    clicks = tuning.click_hz * rng.standard_normal(n_exc)
    positions = rng.uniform(0.0, circuit.width_um, (n, 2))
    if tuning.topography:
        own = np.random.default_rng([int(1e6 * positions[0, 0]), n])  # all other draws stay as they are without a map
        places = arranged(own, positions[:n_exc], directions, tuning.topography, tuning.topography_um)
        positions[:n_exc] = places
    from_exc = [sources(rng, n_exc, exc, k_exc, same=True), sources(rng, n_inh, exc, k_exc, same=False)]
    from_inh = [sources(rng, n_exc, inh, k_inh, same=False), sources(rng, n_inh, inh, k_inh, same=True)]

    worth, onward = efficacy(baselines[:n_exc], times.release, times.recover_s, times.facilitate_s)
    carried = (onward * depths)[:, None] * directions
    mean, slope, noise = np.empty(n), np.empty(n), np.empty(n)
    e_weights = circuit.exc_to_exc_mv, circuit.exc_to_inh_mv
    i_weights = circuit.inh_to_exc_mv, circuit.inh_to_inh_mv
    for part, cell, e, i in zip((slice(0, n_exc), slice(n_exc, n)), cells, e_weights, i_weights, strict=True):
        fluctuation, raised = _fluctuation(circuit, cell, times, e, i, k_exc, k_inh, baselines, worth)
        mean[part], slope[part] = drive_for(cell, baselines[part], fluctuation, raised)
        noise[part] = circuit.background_mv * math.sqrt(2.0 * cell.tau_s / 0.001)

    modulation = like_to_like(from_exc[0], directions, circuit.like)
    if circuit.rank:
        loop = k_exc * circuit.exc_to_exc_mv * cells[0].tau_s * float(np.mean(slope[:n_exc] * onward))
        into, out_of = latent(rng, carried, circuit.rank, circuit.latent_gain / loop, circuit.latent_turn_rad)
        modulation += low_rank(from_exc[0], into, out_of)
    ee = np.maximum(circuit.exc_to_exc_mv * modulation, 0.0)
    ee = np.maximum(without_turning(ee, carried[from_exc[0]], directions), 0.0)
    ei = np.maximum(without_turning(np.full(from_exc[1].shape, circuit.exc_to_inh_mv), carried[from_exc[1]], None), 0.0)
    ie, ii = (np.full(f.shape, w) for f, w in zip(from_inh, i_weights, strict=True))

    taus = np.concatenate([np.full(n_exc, cells[0].tau_s), np.full(n_inh, cells[1].tau_s)])
    sent = baselines.copy()
    sent[:n_exc] *= worth
    recurrent = np.concatenate([
        (ee * sent[from_exc[0]]).sum(1) - (ie * sent[from_inh[0]]).sum(1),
        (ei * sent[from_exc[1]]).sum(1) - (ii * sent[from_inh[1]]).sum(1),
    ])  # fmt: skip
    returned = cells[0].tau_s * np.einsum("ik,ikd->id", ee, carried[from_exc[0]])
    tuned = depths[:, None] * directions / slope[:n_exc, None] - returned

    ampa, gaba = (-math.expm1(-times.dt_s / s) / times.dt_s for s in (times.ampa_s, times.gaba_s))
    jump_e, jump_i = cells[0].tau_s, cells[1].tau_s
    plastic = outgoing(from_exc[0], ee * jump_e * ampa, n_exc)
    fixed = merged((
        outgoing(from_exc[1], ei * jump_i * ampa, n, n_exc),
        outgoing(from_inh[0], ie * jump_e * gaba, n),
        outgoing(from_inh[1], ii * jump_i * gaba, n, n_exc),
    ))  # fmt: skip
    return Anatomy(
        n_exc, baselines, depths, directions, speeds, clicks, slope, positions, mean - taus * recurrent, tuned, noise,
        plastic, fixed,
    )  # fmt: skip


def _rates(rng: np.random.Generator, median_hz: float, tuning: Tuning, n: int) -> F64:
    drawn: F64 = median_hz * np.exp(tuning.baseline_spread * rng.standard_normal(n))
    return np.clip(drawn, tuning.least_hz, tuning.most_hz)


def _baselines(rng: np.random.Generator, tuning: Tuning, n: int) -> F64:
    if not tuning.least_hz < tuning.baseline_hz < tuning.most_hz:
        raise ContractError(
            f"tissue: baseline_hz is {tuning.baseline_hz:g}, expected between least_hz = {tuning.least_hz:g} and "
            f"most_hz = {tuning.most_hz:g}"
        )
    return _rates(rng, tuning.baseline_hz, tuning, n)


def _fluctuation(
    circuit: Circuit, cell: Membrane, times: Synapses, e_mv: float, i_mv: float, k_exc: int, k_inh: int,
    baselines: F64, worth: F64,
) -> tuple[float, float]:  # fmt: skip
    """Return the size, mV, of all that fluctuates in a neuron's input, and how far it raises the threshold."""
    n_exc = len(worth)
    background = 2.0 * circuit.background_mv**2
    by_exc = cell.tau_s * k_exc * e_mv**2 * float(np.mean(baselines[:n_exc] * worth**2))
    by_inh = cell.tau_s * k_inh * i_mv**2 * float(np.mean(baselines[n_exc:]))
    total = background + by_exc + by_inh
    raised = background * held(0.001, cell.tau_s)
    raised += by_exc * lasting(times.ampa_s, cell.tau_s) + by_inh * lasting(times.gaba_s, cell.tau_s)
    return math.sqrt(total), raised / total
