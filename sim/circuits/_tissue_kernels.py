"""Compiled core of the motor-cortex tissue: leaky integrate-and-fire neurons, their synapses and what these learn.

Excitatory neurons come first. Loops over neurons are short and touch few arrays, so that they become vector
instructions; loops over the contacts of a spike are the only ones that gather.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64, I64
from sim._finite_kernels import total
from sim._noise_kernels import U64, normals
from sim._plasticity_kernels import (
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
from sim._synapses_kernels import tm_release

I32 = npt.NDArray[np.int32]

ZERO, ONE = np.float32(0.0), np.float32(1.0)
LITTLE = 1e-9
"""Dopamine below it is none."""


class Clockwork(NamedTuple):
    """Numbers that ``bind`` fixes."""

    n_exc: int
    n_ms: int
    """Steps a millisecond: fresh noise and a row of counts each."""
    n_block: int
    """Steps to the grid of 10 ms."""
    dt_s: float
    ampa_keep: float
    nmda_keep: float
    release: float
    """Share of the resources that a first spike releases (U)."""
    recover_s: float
    facilitate_s: float
    plastic: bool


class Wires(NamedTuple):
    """Who reaches whom: contacts of neuron j are ``first[j]`` to ``first[j + 1]``."""

    first_plastic: I32
    """Excitatory contacts on excitatory neurons, (n_exc + 1,)."""
    to_plastic: I32
    first_fixed: I32
    """All others, (n + 1,)."""
    to_fixed: I32
    weight_fixed: F32
    """mV; those of inhibitory neurons too are positive."""
    back_first: I32
    """The plastic contacts again, by the neuron they reach, (n_exc + 1,)."""
    back_contact: I32
    back_source: I32
    usual: F32
    """Rates at rest, which are kept, Hz, (n_exc,)."""


class Neurons(NamedTuple):
    """What a neuron is and how it is, arrays (n,)."""

    keep: F32
    """Share of the voltage left after a step."""
    threshold: F32
    """mV above rest."""
    after: F32
    """mV above rest, to which a spike resets."""
    hold: F32
    """Steps it stays there."""
    noise_mv: F32
    noise: F32
    v: F32
    wait: F32
    ampa: F32
    nmda: F32
    gaba: F32
    counted: F32
    """Spikes since the last whole millisecond."""
    travelling: I32
    """(n_delay, n): who fired in the last steps; arrives a delay later."""
    n_travelling: I64
    """(n_delay,)"""


class Learned(NamedTuple):
    """What changes with use."""

    weight: F32
    """mV, of every plastic contact."""
    eligible: F32
    """mV that a unit of reward would add."""
    pre: F32
    post: F32
    u: F64
    x: F64
    last: I64
    """Step at which the last spike reached the terminals."""
    folded: I64
    """Step up to which eligibility is up to date, (1,)."""
    dopamine: F64
    """(1,)"""
    counts: I32
    """Spikes since the weights were scaled."""
    rates: F32
    """Hz, slow."""


class Slow(NamedTuple):
    """What happens on the grid."""

    tau_dopamine_s: float
    tau_rate_s: float
    tau_scaling_s: float
    target: float
    """Of rates, as a multiple of the usual ones."""
    every: int
    """Weights scale once in so many blocks."""
    low: float
    high: float


class Scratch(NamedTuple):
    """Written before it is read."""

    words: U64
    four: F32
    fresh: F32
    """``four``, a number a neuron."""
    drive: F32
    excited: F32
    inhibited: F32


@njit(cache=True, nogil=True, error_model="numpy")
def receptors(keep: np.float32, share: np.float32, arrived: F32, current: F32) -> None:
    """Let ``current`` (n,) decay for a step and add a share of what arrived."""
    for i in range(current.size):
        current[i] = keep * current[i] + share * arrived[i]


@njit(cache=True, nogil=True, error_model="numpy")
def drives(cells: Neurons, steady: F32, drugs: F32, drive: F32) -> None:
    """Sum what drives each neuron in this step into ``drive`` (n,), mV."""
    noise_mv, noise, ampa, nmda, gaba = cells.noise_mv, cells.noise, cells.ampa, cells.nmda, cells.gaba
    by_ampa, by_nmda, by_gaba = drugs[0], drugs[1], drugs[2]
    for i in range(drive.size):
        drive[i] = steady[i] + noise_mv[i] * noise[i]
    for i in range(drive.size):
        drive[i] += by_ampa * ampa[i] + by_nmda * nmda[i] - by_gaba * gaba[i]


@njit(cache=True, nogil=True, error_model="numpy")
def membranes(drive: F32, keep: F32, after: F32, wait: F32, v: F32) -> None:
    """Advance every voltage (n,) by a step under a constant ``drive``, mV; who has just fired stays put."""
    for i in range(v.size):
        moved = drive[i] + keep[i] * (v[i] - drive[i])
        v[i] = after[i] if wait[i] > ZERO else moved
        wait[i] = max(wait[i] - ONE, ZERO)


@njit(cache=True, nogil=True, error_model="numpy")
def fire(cells: Neurons, fired: I32) -> int:
    """Reset who is above threshold, list them in ``fired``, return how many."""
    n = 0
    v, threshold = cells.v, cells.threshold
    for i in range(v.size):
        if v[i] >= threshold[i]:
            fired[n] = i
            n += 1
    for k in range(n):
        i = fired[k]
        v[i] = cells.after[i]
        cells.wait[i] = cells.hold[i]
        cells.counted[i] += ONE
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def reach(first: int, end: int, to: I32, weight: F32, scale: np.float32, arriving: F32) -> None:
    """Add the weights of contacts ``first`` to ``end``, scaled, where they lead."""
    for k in range(first, end):
        arriving[to[k]] += scale * weight[k]


@njit(cache=True, nogil=True, error_model="numpy")
def arrive(
    t: int, n: int, sent: I32, clock: Clockwork, wires: Wires, learned: Learned, at: Moment, rule: Rule,
    scratch: Scratch,
) -> None:  # fmt: skip
    """Let the ``n`` spikes in ``sent`` reach their terminals at step ``t``."""
    for k in range(n):
        j = sent[k]
        a, b = wires.first_fixed[j], wires.first_fixed[j + 1]
        if j >= clock.n_exc:
            reach(a, b, wires.to_fixed, wires.weight_fixed, ONE, scratch.inhibited)
            continue
        since_s = (t - learned.last[j]) * clock.dt_s
        out, learned.u[j], learned.x[j] = tm_release(
            learned.u[j], learned.x[j], since_s, clock.release, clock.recover_s, clock.facilitate_s
        )
        learned.last[j] = t
        scale = np.float32(out / clock.release)
        reach(a, b, wires.to_fixed, wires.weight_fixed, scale, scratch.excited)
        c, d = wires.first_plastic[j], wires.first_plastic[j + 1]
        reach(c, d, wires.to_plastic, learned.weight, scale, scratch.excited)
        if clock.plastic:
            pre_spike(j, at, rule, wires.first_plastic, wires.to_plastic, learned.pre, learned.post, learned.eligible)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    key: np.uint64, t0: int, n_steps: int, clock: Clockwork, rule: Rule, wires: Wires, cells: Neurons,
    learned: Learned, inputs: tuple[F32, F32, F32, I64], scratch: Scratch, counts: F32, spikes: I64,
) -> int:  # fmt: skip
    """Advance by ``n_steps`` from step ``t0``, to the next line of the grid at most; return how many spikes there were.

    ``inputs`` are the steady drive (n,) and what a pulse adds (n,), mV; the scales of AMPA, NMDA and GABA and the
    share of GABA that a step leaves (4,); period and width of the pulses (2,), steps. ``counts`` (n_rows, n) takes a
    row for every millisecond that ends meanwhile, ``spikes`` (capacity, 2) step and neuron.
    """
    steady, pulse, drugs, timing = inputs
    n_delay = cells.n_travelling.size
    share = np.float32((1.0 - clock.nmda_keep) / (1.0 - clock.ampa_keep))  # of equal area
    found, row = 0, 0
    at = moment(0.0, 0.0, rule)
    if clock.plastic:
        # Spikes will read all of it, here and there. Read in order first, it is at hand: a sixth less time for who
        # slept for milliseconds, in which others had the cache (measured); no number depends on it.
        scratch.drive[0] = total(learned.eligible)
    for t in range(t0, t0 + n_steps):
        if t % clock.n_ms == 0:
            normals(key, np.uint64(0), np.uint64(t // clock.n_ms), scratch.words, scratch.four)
            cells.noise[:] = scratch.fresh
        if clock.plastic:
            at = moment((t % clock.n_block) * clock.dt_s, (t - learned.folded[0]) * clock.dt_s, rule)
        slot = t % n_delay
        sent = cells.travelling[slot]
        scratch.excited[:] = ZERO
        scratch.inhibited[:] = ZERO
        arrive(t, cells.n_travelling[slot], sent, clock, wires, learned, at, rule, scratch)
        receptors(np.float32(clock.ampa_keep), ONE, scratch.excited, cells.ampa)
        receptors(np.float32(clock.nmda_keep), share, scratch.excited, cells.nmda)
        receptors(drugs[3], ONE, scratch.inhibited, cells.gaba)
        drives(cells, steady, drugs, scratch.drive)
        if t % timing[0] < timing[1]:
            receptors(ONE, ONE, pulse, scratch.drive)
        membranes(scratch.drive, cells.keep, cells.after, cells.wait, cells.v)
        n = fire(cells, sent)
        cells.n_travelling[slot] = n
        for k in range(n):
            j = sent[k]
            spikes[found, 0] = t
            spikes[found, 1] = j
            found += 1
            if clock.plastic and j < clock.n_exc:
                learned.counts[j] += 1
                post_spike(
                    j, at, rule, wires.back_first, wires.back_contact, wires.back_source, learned.pre, learned.post,
                    learned.eligible,
                )  # fmt: skip
        if (t + 1) % clock.n_ms == 0:
            counts[row] = cells.counted
            cells.counted[:] = ZERO
            row += 1
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def learn(
    t: int, reward: float, clock: Clockwork, rule: Rule, slow: Slow, wires: Wires, learned: Learned, relative: F32
) -> None:
    """At a line of the grid, step ``t``: dopamine turns what is eligible into weight; now and then weights scale.

    ``reward`` held for the block that has ended. Without dopamine, eligibility is brought up to date once in ten
    blocks. ``relative`` (n_exc,) is scratch.
    """
    block_s = clock.n_block * clock.dt_s
    rebase(block_s, rule, learned.pre, learned.post)
    decay = math.exp(-block_s / slow.tau_dopamine_s)
    level = reward * slow.tau_dopamine_s
    acted = level * block_s + (learned.dopamine[0] - level) * slow.tau_dopamine_s * (1.0 - decay)
    learned.dopamine[0] = level + (learned.dopamine[0] - level) * decay
    if abs(learned.dopamine[0]) < LITTLE:
        learned.dopamine[0] = 0.0
    if acted != 0.0 or t % (10 * clock.n_block) == 0:
        idle_s = (t - learned.folded[0]) * clock.dt_s
        fold_reward(idle_s, acted, rule.tau_eligibility_s, slow.low, slow.high, learned.eligible, learned.weight)
        learned.folded[0] = t
    if t % (slow.every * clock.n_block) == 0:
        track_rates(slow.every * block_s, slow.tau_rate_s, learned.counts, learned.rates)
        for i in range(learned.rates.size):
            relative[i] = learned.rates[i] / wires.usual[i]
        scale_synapses(
            slow.every * block_s / slow.tau_scaling_s, slow.target, relative, wires.back_first,
            wires.back_contact, slow.low, slow.high, learned.weight,
        )  # fmt: skip
