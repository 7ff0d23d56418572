"""Sparse random graphs between neurons, drawn by their own statistics, and the ring that holds what is on its way.

A graph is stored by presynaptic neuron: a spike walks along one row. Weights belong to populations and not to
synapses, so that a synapse costs the four bytes of its target. Drawing uses whole arrays only.

References
----------
Batagelj & Brandes (2005) Efficient generation of large random networks. Phys Rev E 71:036113.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator

from bmi.errors import ContractError
from bmi.signals import I64
from sim.circuits._connectivity_kernels import I32, Graph, by_presynaptic

AT_ONCE = 1 << 24
"""Synapses drawn at a time, which bounds the memory that drawing needs."""


class Wiring(Protocol):
    """How a network of ``n_e`` excitatory neurons, followed by ``n_i`` inhibitory ones, is connected."""

    def draw(self, n_e: int, n_i: int, rng: Generator) -> Graph: ...


@dataclass(kw_only=True, frozen=True)
class InDegree:
    """Every neuron hears the same number of different excitatory and inhibitory neurons (Brunel 2000)."""

    excitatory: int
    inhibitory: int

    def draw(self, n_e: int, n_i: int, rng: Generator) -> Graph:
        """Return a graph among ``n_e`` + ``n_i`` neurons. Raises ContractError if there are too few to hear."""
        n = n_e + n_i
        return stacked(fixed_in_degree(n_e, n, self.excitatory, rng), fixed_in_degree(n_i, n, self.inhibitory, rng))


@dataclass(kw_only=True, frozen=True)
class Probability:
    """Every pair is connected with the same probability, a neuron with itself among them (Vogels & Abbott 2005)."""

    p: float

    def draw(self, n_e: int, n_i: int, rng: Generator) -> Graph:
        """Return a graph among ``n_e`` + ``n_i`` neurons. Raises ContractError if p is no probability."""
        return fixed_probability(n_e + n_i, n_e + n_i, self.p, rng)


def fixed_in_degree(n_pre: int, n_post: int, k: int, rng: Generator) -> Graph:
    """Return a graph in which each of ``n_post`` neurons hears ``k`` different ones of ``n_pre``, all sets alike.

    Raises
    ------
    ContractError
        If ``k`` is negative or exceeds ``n_pre``.
    """
    if not 0 <= k <= n_pre:
        raise ContractError(f"fixed_in_degree: k is {k} of {n_pre} presynaptic neurons, expected 0 to {n_pre}")
    sources = np.empty((n_post, k), np.int32)
    rows = max(1, AT_ONCE // max(k, 1))
    for a in range(0, n_post, rows):
        _distinct(n_pre, sources[a : a + rows], rng)
    start = np.zeros(n_pre + 1, np.int64)
    targets = np.empty(n_post * k, np.int32)
    by_presynaptic(sources, start, np.empty(n_pre, np.int64), targets)
    return Graph(start, targets)


def _distinct(n: int, out: I32, rng: Generator) -> None:
    """Fill each row with different numbers below ``n``: what is there already is drawn again until it is new.

    More than half of all are drawn by leaving the others out.
    """
    k = out.shape[1]
    if 2 * k > n:
        left = np.empty((len(out), n - k), np.int32)
        _distinct(n, left, rng)
        chosen = np.ones((len(out), n), bool)
        np.put_along_axis(chosen, left.astype(np.int64), False, axis=1)
        out[:] = np.nonzero(chosen)[1].reshape(len(out), k)
        return
    out[:] = rng.integers(n, size=out.shape, dtype=np.int32)
    unsettled = np.arange(len(out))
    while len(unsettled):
        rows = np.sort(out[unsettled], axis=1)
        again = rows[:, 1:] == rows[:, :-1]
        rows[:, 1:][again] = rng.integers(n, size=int(again.sum()), dtype=np.int32)
        out[unsettled] = rows
        unsettled = unsettled[again.any(axis=1)]


def fixed_probability(n_pre: int, n_post: int, p: float, rng: Generator) -> Graph:
    """Return a graph in which every pair is connected with probability ``p``, independently.

    The gaps between connected pairs, counted row after row, are geometric, so that only what exists is drawn [1]_.

    Raises
    ------
    ContractError
        If ``p`` is outside [0, 1].

    References
    ----------
    .. [1] Batagelj & Brandes (2005).
    """
    if not 0.0 <= p <= 1.0:
        raise ContractError(f"fixed_probability: p is {p}, expected a probability, 0 to 1")
    pairs = n_pre * n_post
    found: list[I64] = []
    at = -1
    while p > 0.0 and at < pairs:
        expected = (pairs - at) * p
        n = min(AT_ONCE, int(expected + 6.0 * math.sqrt(expected) + 16.0))
        places = at + np.cumsum(np.minimum(rng.geometric(p, n), pairs + 1))
        at = int(places[-1])
        found.append(places[: np.searchsorted(places, pairs)])
    flat = np.concatenate(found) if found else np.zeros(0, np.int64)
    start = np.searchsorted(flat, np.arange(n_pre + 1, dtype=np.int64) * n_post)
    return Graph(start, (flat % max(n_post, 1)).astype(np.int32))


def stacked(first: Graph, second: Graph) -> Graph:
    """Return the presynaptic neurons of ``first`` followed by those of ``second``, onto the same targets."""
    start = np.concatenate([first.start, first.start[-1] + second.start[1:]])
    return Graph(start, np.concatenate([first.targets, second.targets]))


def graph_of(name: str, wiring: Wiring | None, n_e: int, n_i: int, rng: Generator) -> Graph:
    """Return the graph of a network called ``name``; one without synapses if there is no wiring.

    Raises
    ------
    ContractError
        If there are no neurons, or what the wiring draws does not fit them.
    """
    if n_e < 0 or n_i < 0 or n_e + n_i < 1:
        raise ContractError(
            f"{name}: {n_e} excitatory and {n_i} inhibitory neurons, expected at least one in all"
        )
    n = n_e + n_i
    if wiring is None:
        return Graph(np.zeros(n + 1, np.int64), np.zeros(0, np.int32))
    return checked_graph(wiring.draw(n_e, n_i, rng), n, n)


def checked_graph(graph: Graph, n_pre: int, n_post: int) -> Graph:
    """Return ``graph`` if it fits ``n_pre`` and ``n_post`` neurons; compiled loops trust it from then on.

    Raises
    ------
    ContractError
        If an array has another shape or type, or a target is none.
    """
    start, targets = graph
    if start.shape != (n_pre + 1,) or start.dtype != np.int64:
        raise ContractError(f"Graph.start: expected int64 ({n_pre + 1},), given {start.dtype} {start.shape}")
    if targets.ndim != 1 or targets.dtype != np.int32 or not targets.flags.c_contiguous:
        raise ContractError(f"Graph.targets: expected contiguous int32 (n,), given {targets.dtype} {targets.shape}")
    if start[0] != 0 or start[-1] != len(targets) or np.any(np.diff(start) < 0):
        raise ContractError(f"Graph.start: expected to rise from 0 to the {len(targets)} synapses there are")
    if len(targets) and not (targets.min() >= 0 and targets.max() < n_post):
        raise ContractError(f"Graph.targets: expected neurons 0 to {n_post - 1}, given one outside")
    return graph


def delay_steps(name: str, delay_s: float, dt_s: float, *, least: int = 1) -> int:
    """Return how many steps a spike takes; with ``least`` = 0 it may also count at once.

    Raises
    ------
    ContractError
        If the delay is negative, shorter than a step, or no whole number of steps.
    """
    if not math.isfinite(delay_s) or delay_s < 0.0:
        raise ContractError(f"{name}: delay_s is {delay_s}, expected no negative time")
    n = round(delay_s / dt_s)
    if (0.0 < delay_s < dt_s * (1.0 - 1e-9)) or n < least:
        raise ContractError(
            f"{name}: delay_s is {delay_s:g} s, below the step of {dt_s:g} s; give at least dt_s or a smaller dt_s"
        )
    if abs(n * dt_s - delay_s) > 1e-6 * dt_s:
        raise ContractError(
            f"{name}: delay_s is {delay_s:g} s, {delay_s / dt_s:g} steps of {dt_s:g} s; expected a whole number, "
            f"give e.g. {n * dt_s:g}"
        )
    return n
