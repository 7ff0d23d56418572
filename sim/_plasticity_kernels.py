"""Compiled core of synaptic plasticity: what a spike does to the synapses it meets, and what happens between.

Graph. Synapses lie in the order of their presynaptic neuron (CSR): those of j are ``offsets[j] .. offsets[j + 1]``,
``targets`` has their postsynaptic neurons. The way back is an index of the same synapses by postsynaptic neuron: entry
k of ``back_offsets[i] .. back_offsets[i + 1]`` is synapse ``back_synapses[k]`` of neuron ``back_sources[k]``
(``sim.plasticity.backward`` makes it).

Traces. ``x`` (presynaptic) and ``y`` (postsynaptic) are exact exponentials that nothing touches between spikes: they
are kept in units of their worth at the last ``rebase``, so that a spike costs one factor for the whole moment
(``moment``) and a synapse one multiplication; no exponential is evaluated per synapse.

Order. Call ``pre_spike`` for every arrival of a step, then ``post_spike`` for every spike fired in it: a pair at equal
times has the presynaptic spike first, and potentiates by the whole A+. A presynaptic spike sees the postsynaptic
spikes of earlier steps only.

Delay. A presynaptic spike is what arrives at the synapse: call ``pre_spike`` when the spike is delivered. The delay is
the axon's, and the same for all synapses of one presynaptic neuron.

What changes. ``change`` is the weights (pair STDP) or the eligibilities (reward-modulated STDP; then ``fold_reward``
moves the weights). Arrays may be float32 or float64; arithmetic follows them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

I32 = npt.NDArray[np.int32]
Floats = npt.NDArray[Any]

SILENT = 1e-20
"""Below it a trace is nought: numbers near the least a float holds make arithmetic a hundred times slower."""


class Rule(NamedTuple):
    """Pair STDP as the kernels see it."""

    a_plus: float
    """Potentiation of a pair at equal times, in the weights' unit."""
    a_minus: float
    tau_plus_s: float
    tau_minus_s: float
    tau_eligibility_s: float
    """Infinite where ``change`` is the weights themselves."""
    low: float
    """Bounds of ``change``: the weights', or infinite for eligibilities."""
    high: float
    nearest: bool
    """A spike is paired with the last one of the other side only; otherwise with all of them."""


class Moment(NamedTuple):
    """What all spikes of one step have in common."""

    up: float
    """Potentiation per presynaptic trace."""
    down: float
    """Depression per postsynaptic trace."""
    pre: float
    """What a presynaptic spike adds to its trace."""
    post: float


@njit(cache=True, nogil=True, error_model="numpy")
def moment(age_s: float, idle_s: float, rule: Rule) -> Moment:
    """Return the factors of a step ``age_s`` after the last ``rebase`` and ``idle_s`` after ``fold_reward``.

    Both are best kept below a few time constants: factors grow as e^(age / tau). ``idle_s`` is without effect where
    the rule has no eligibility.
    """
    lift = math.exp(idle_s / rule.tau_eligibility_s)
    return Moment(
        rule.a_plus * math.exp(-age_s / rule.tau_plus_s) * lift,
        rule.a_minus * math.exp(-age_s / rule.tau_minus_s) * lift,
        math.exp(age_s / rule.tau_plus_s),
        math.exp(age_s / rule.tau_minus_s),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def pre_spike(
    j: int, at: Moment, rule: Rule, offsets: I32, targets: I32, x: Floats, y: Floats, change: Floats
) -> None:
    """Let a spike of neuron j arrive at its synapses: each is depressed by its target's trace; j's trace rises."""
    down, low, high = change.dtype.type(at.down), change.dtype.type(rule.low), change.dtype.type(rule.high)
    for s in range(offsets[j], offsets[j + 1]):
        change[s] = min(max(change[s] - down * y[targets[s]], low), high)
    x[j] = at.pre if rule.nearest else x[j] + at.pre


@njit(cache=True, nogil=True, error_model="numpy")
def post_spike(
    i: int, at: Moment, rule: Rule, back_offsets: I32, back_synapses: I32, back_sources: I32,
    x: Floats, y: Floats, change: Floats,
) -> None:  # fmt: skip
    """Let neuron i fire: each synapse upon it is potentiated by its source's trace; i's trace rises."""
    up, low, high = change.dtype.type(at.up), change.dtype.type(rule.low), change.dtype.type(rule.high)
    for k in range(back_offsets[i], back_offsets[i + 1]):
        s = back_synapses[k]
        change[s] = min(max(change[s] + up * x[back_sources[k]], low), high)
    y[i] = at.post if rule.nearest else y[i] + at.post


@njit(cache=True, nogil=True, error_model="numpy")
def rebase(elapsed_s: float, rule: Rule, x: Floats, y: Floats) -> None:
    """Bring both traces to the present, ``elapsed_s`` after the last time: at every grid line of 10 ms."""
    fade(math.exp(-elapsed_s / rule.tau_plus_s), x)
    fade(math.exp(-elapsed_s / rule.tau_minus_s), y)


@njit(cache=True, nogil=True, error_model="numpy")
def fade(keep: float, trace: Floats) -> None:
    """Multiply ``trace`` by ``keep``; what is next to nothing becomes nought."""
    k, silent, nought = trace.dtype.type(keep), trace.dtype.type(SILENT), trace.dtype.type(0.0)
    for i in range(trace.size):
        now = trace[i] * k
        trace[i] = now if abs(now) > silent else nought


@njit(cache=True, nogil=True, error_model="numpy")
def fold_reward(
    idle_s: float, drive: float, tau_eligibility_s: float, low: float, high: float, eligibility: Floats, w: Floats
) -> None:
    """Bring eligibilities to the present, ``idle_s`` after the last time, and move weights by ``drive`` of them.

    ``drive`` is dopamine times the time it acted. Where it is nought, the call may be left out for as long as
    idle_s / tau_eligibility_s stays below about 8; ``moment`` is told ``idle_s``.
    """
    keep = math.exp(-idle_s / tau_eligibility_s)
    if drive == 0.0:
        fade(keep, eligibility)
        return
    d, lo, hi = w.dtype.type(drive), w.dtype.type(low), w.dtype.type(high)
    of = eligibility.dtype.type
    k, silent, nought = of(keep), of(SILENT), of(0.0)
    for s in range(w.size):  # as ``fade``, but each eligibility is at hand for its weight
        now = eligibility[s] * k
        now = now if abs(now) > silent else nought
        eligibility[s] = now
        w[s] = min(max(w[s] + d * now, lo), hi)


@njit(cache=True, nogil=True, error_model="numpy")
def track_rates(elapsed_s: float, tau_s: float, counts: I32, rates_hz: Floats) -> None:
    """Filter the spike counts of the last ``elapsed_s`` into rates with time constant ``tau_s``; counts become 0."""
    keep = rates_hz.dtype.type(math.exp(-elapsed_s / tau_s))
    gain = (rates_hz.dtype.type(1.0) - keep) / rates_hz.dtype.type(elapsed_s)
    for i in range(counts.size):
        rates_hz[i] = rates_hz[i] * keep + gain * rates_hz.dtype.type(counts[i])
        counts[i] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def scale_synapses(
    share: float, target_hz: float, rates_hz: Floats, back_offsets: I32, back_synapses: I32,
    low: float, high: float, w: Floats,
) -> None:  # fmt: skip
    """Multiply all weights upon neuron i by e^(share (1 - rate_i / target)), share = elapsed time / time constant."""
    lo, hi = w.dtype.type(low), w.dtype.type(high)
    for i in range(rates_hz.size):
        factor = w.dtype.type(math.exp(share * (1.0 - rates_hz[i] / target_hz)))
        for k in range(back_offsets[i], back_offsets[i + 1]):
            s = back_synapses[k]
            w[s] = min(max(w[s] * factor, lo), hi)


@njit(cache=True, nogil=True, error_model="numpy")
def adapt_thresholds(
    step_mv_per_hz: float, target_hz: float, low_mv: float, high_mv: float, rates_hz: Floats, threshold_mv: Floats
) -> None:
    """Raise the threshold of neurons that fire more than ``target_hz``, lower that of others, within bounds."""
    for i in range(rates_hz.size):
        threshold_mv[i] = min(max(threshold_mv[i] + step_mv_per_hz * (rates_hz[i] - target_hz), low_mv), high_mv)
