"""Compiled core of a small circuit that learns: conductance LIF neurons, Poisson inputs, plastic synapses.

What ``advance`` calls once a step is inlined: unpacking the state once more each takes longer to compile. Inlining
``deliver`` as well makes the step 1.7 times slower.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64
from sim._noise_kernels import U64, uniforms
from sim._plasticity_kernels import (
    I32,
    Moment,
    Rule,
    fold_reward,
    moment,
    post_spike,
    pre_spike,
    rebase,
    scale_synapses,
    track_rates,
)

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

MOST = 64
"""Inputs that can arrive in one step."""


class Cell(NamedTuple):
    """A neuron, and what drives it besides the plastic synapses; conductances in units of the leak."""

    dt_s: float
    tau_m_s: float
    keep_excitation: float
    """What a step leaves of an excitatory conductance."""
    keep_inhibition: float
    rest_mv: float
    threshold_mv: float
    reset_mv: float
    excitation_mv: float
    """Reversal potentials."""
    inhibition_mv: float
    peak: float
    """Conductance of a synapse of weight 1."""
    background: float
    """Conductance of a background spike."""
    inhibitory: float
    """Conductance of an inhibitory spike."""
    inhibitory_mean: float
    """Inhibitory spikes a step."""
    lateral: float
    """Inhibitory conductance a spike causes in every other neuron."""
    kick_mv: float


class Slow(NamedTuple):
    """What happens on the grid."""

    n_block: int
    rewarded: bool
    tau_dopamine_s: float
    target_hz: float
    """0: no homeostasis."""
    tau_rate_s: float
    tau_scaling_s: float
    every: int
    """Steps between two rows of weights."""
    low: float
    high: float


class Graph(NamedTuple):
    """Plastic synapses; sources are inputs first, then neurons."""

    offsets: I32
    targets: I32
    back_offsets: I32
    back_synapses: I32
    back_sources: I32
    recorded: U8
    """(n_neurons,): 1 whose spikes trigger a stimulus."""
    stimulated: U8
    """(n_neurons,): 1 where it acts."""


class State(NamedTuple):
    """Everything that changes."""

    step: I64
    v_mv: F64
    excitation: F64
    inhibition: F64
    w: F32
    eligibility: F32
    """(1,) where learning is without reward."""
    pre: F32
    post: F32
    dopamine: F64
    rates_hz: F64
    counts: I32
    axon: U8
    """(delay, n_neurons): spikes under way."""
    stimuli: U8
    """(delay,): stimuli to come."""
    inputs: F64
    """Cumulative arrivals expected a step."""
    driven: F64
    """(2, n_neurons): background spikes expected a step, and the probability of none."""
    reward: F64
    plasticity: F64


class Draws(NamedTuple):
    """The counter-based generator and its scratch."""

    key: np.uint64
    words: U64
    four: F32


@njit(cache=True, nogil=True, error_model="numpy")
def poisson(u: float, mean: float, none: float) -> int:
    """Return the Poisson number of ``mean`` whose distribution function first exceeds ``u``; ``none`` = e^-mean."""
    k = 0
    p = none
    total = p
    while u >= total and k < MOST:
        k += 1
        p *= mean / k
        total += p
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def chosen(u: float, cumulative: F64) -> int:
    """Return the first entry of rising ``cumulative`` above ``u``, or the last."""
    low, high = 0, cumulative.size - 1
    while low < high:
        mid = (low + high) // 2
        if cumulative[mid] > u:
            high = mid
        else:
            low = mid + 1
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def arrive(j: int, at: Moment, rule: Rule, cell: Cell, graph: Graph, s: State, rewarded: bool) -> None:
    """Deliver a spike of source j with the weights it finds, then let it change them."""
    for k in range(graph.offsets[j], graph.offsets[j + 1]):
        s.excitation[graph.targets[k]] += cell.peak * s.w[k]
    change = s.eligibility if rewarded else s.w
    pre_spike(j, at, rule, graph.offsets, graph.targets, s.pre, s.post, change)


@njit(cache=True, nogil=True, error_model="numpy")
def deliver(at: Moment, rule: Rule, cell: Cell, graph: Graph, s: State, draws: Draws, rewarded: bool) -> None:
    """Bring all that arrives in a step: inputs, spikes of neurons a delay ago, background."""
    m = draws.four.shape[1]
    n_neurons, n_inputs = s.v_mv.size, s.inputs.size
    if n_inputs > 0:
        mean = s.inputs[n_inputs - 1]
        for a in range(poisson(draws.four[0, 0], mean, math.exp(-mean))):
            u = draws.four[(1 + a) // m, (1 + a) % m]
            arrive(chosen(u * mean, s.inputs), at, rule, cell, graph, s, rewarded)
    axon = s.axon[s.step[0] % s.axon.shape[0]]
    for i in range(n_neurons):
        if axon[i]:
            arrive(n_inputs + i, at, rule, cell, graph, s, rewarded)
            for other in range(n_neurons):
                if other != i:
                    s.inhibition[other] += cell.lateral
            axon[i] = 0
        k = 1 + MOST + 2 * i
        u = draws.four[k // m, k % m]
        s.excitation[i] += cell.background * poisson(u, s.driven[0, i], s.driven[1, i])
        u = draws.four[(k + 1) // m, (k + 1) % m]
        s.inhibition[i] += cell.inhibitory * poisson(u, cell.inhibitory_mean, math.exp(-cell.inhibitory_mean))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def membranes(cell: Cell, graph: Graph, s: State) -> None:
    """Advance the potentials by a step (exponential Euler) and let conductances decay; the stimulus kicks."""
    slot = s.step[0] % s.stimuli.size
    kick = cell.kick_mv if s.stimuli[slot] else 0.0
    s.stimuli[slot] = 0
    for i in range(s.v_mv.size):
        g = 1.0 + s.excitation[i] + s.inhibition[i]
        drawn_to = (cell.rest_mv + s.excitation[i] * cell.excitation_mv + s.inhibition[i] * cell.inhibition_mv) / g
        s.v_mv[i] = drawn_to + (s.v_mv[i] - drawn_to) * math.exp(-cell.dt_s * g / cell.tau_m_s)
        s.v_mv[i] += kick * graph.stimulated[i]
        s.excitation[i] *= cell.keep_excitation
        s.inhibition[i] *= cell.keep_inhibition


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def fire(at: Moment, rule: Rule, cell: Cell, graph: Graph, s: State, rewarded: bool, events: I64) -> int:
    """Reset neurons above threshold, let their synapses learn, send their spikes; return how many fired."""
    n = 0
    axon = s.axon[s.step[0] % s.axon.shape[0]]
    change = s.eligibility if rewarded else s.w
    for i in range(s.v_mv.size):
        if s.v_mv[i] >= cell.threshold_mv:
            s.v_mv[i] = cell.reset_mv
            post_spike(
                i, at, rule, graph.back_offsets, graph.back_synapses, graph.back_sources, s.pre, s.post, change
            )
            axon[i] = 1
            s.counts[i] += 1
            if graph.recorded[i]:
                s.stimuli[s.step[0] % s.stimuli.size] = 1
            events[n, 0] = s.step[0]
            events[n, 1] = i
            n += 1
    return n


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def grid(cell: Cell, rule: Rule, slow: Slow, graph: Graph, s: State) -> None:
    """Do what the end of a block asks for: traces, dopamine and reward, rates and scaling."""
    block_s = slow.n_block * cell.dt_s
    rebase(block_s, rule, s.pre, s.post)
    if slow.rewarded:
        keep = math.exp(-block_s / slow.tau_dopamine_s)
        s.dopamine[0] = s.dopamine[0] * keep + s.reward[0] * slow.tau_dopamine_s * (1.0 - keep)
        fold_reward(block_s, s.dopamine[0] * block_s, rule.tau_eligibility_s, slow.low, slow.high, s.eligibility, s.w)
    if slow.target_hz > 0.0:
        track_rates(block_s, slow.tau_rate_s, s.counts, s.rates_hz)
        scale_synapses(
            block_s / slow.tau_scaling_s, slow.target_hz, s.rates_hz, graph.back_offsets, graph.back_synapses,
            slow.low, slow.high, s.w,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    n: int, cell: Cell, rule: Rule, slow: Slow, graph: Graph, s: State, draws: Draws, events: I64, rows: F32
) -> int:
    """Advance by ``n`` steps; write spikes to ``events`` and due weights to ``rows``; return the number of spikes."""
    n_events = 0
    n_rows = 0
    for _ in range(n):
        k = s.step[0]
        age_s = (k % slow.n_block) * cell.dt_s
        at = moment(age_s, age_s, rule)
        at = Moment(at.up * s.plasticity[0], at.down * s.plasticity[0], at.pre, at.post)
        uniforms(draws.key, np.uint64(0), np.uint64(k), draws.words, draws.four)
        deliver(at, rule, cell, graph, s, draws, slow.rewarded)
        membranes(cell, graph, s)
        n_events += fire(at, rule, cell, graph, s, slow.rewarded, events[n_events:])
        if (k + 1) % slow.n_block == 0:
            grid(cell, rule, slow, graph, s)
        if (k + 1) % slow.every == 0:
            for i in range(s.w.size):  # an assignment would compile the message of its error as well
                rows[n_rows, i] = s.w[i]
            n_rows += 1
        s.step[0] = k + 1
    return n_events
