"""Modules, rich club and small world of a network: measures that search or compare, too slow for live use.

Networks are what ``sim.circuits.graphs.network`` expects. The graph algorithms are networkx's (extra ``graphs``).

References
----------
.. [1] Blondel, Guillaume, Lambiotte & Lefebvre (2008) J Stat Mech P10008. Louvain.
.. [2] Freeman (1978) Soc Networks 1:215; Brandes (2001) J Math Sociol 25:163. Betweenness.
.. [3] Colizza, Flammini, Serrano & Vespignani (2006) Nature Phys 2:110. Rich club.
.. [4] Humphries & Gurney (2008) PLoS ONE 3:e2051. σ.
.. [5] Telesford et al. (2011) Brain Connect 1:367. ω.
.. [6] Maslov & Sneppen (2002) Science 296:910. Random networks of the same degrees.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.extras import extra
from bmi.signals import F64, I64
from sim.circuits.graphs import clustering, modularity, network, path_length

SWAPS = 10
"""Exchanges of two connections' ends for each connection, from a network to its random reference."""
DRAWS = 20
"""Random references drawn at most until one is connected."""


class Modules(NamedTuple):
    """A division of the network."""

    labels: I64
    """(n,) module of each node, numbered by their first nodes."""
    q: float
    """Its modularity."""


class SmallWorld(NamedTuple):
    """Clustered like a lattice, and its nodes as near to each other as in a random network."""

    sigma: float
    """(C / C_random) / (L / L_random): above 1 in a small world."""
    omega: float
    """L_random / L - C / C_lattice: near 0 in a small world, towards -1 a lattice, towards 1 random."""
    clustering: float
    """C, mean over nodes, of connections without their weights."""
    path_length: float
    """L, mean over pairs, in connections."""
    clustering_random: float
    path_length_random: float
    """Means over the random references."""
    clustering_lattice: float


def louvain(weights: Any, *, seed: int, n: int = 50) -> Modules:
    """Return the best of ``n`` runs of Louvain's search for modules, each in another order of nodes.

    Raises
    ------
    ContractError
        If the network is not one, has no connection, or ``n`` is below 1.
    PluginError
        If networkx is not installed.
    """
    w = network(weights)
    if n < 1:
        raise ContractError(f"louvain: n is {n}, expected at least 1 run")
    nx = extra("networkx", "network measures")
    graph = nx.from_numpy_array(w)
    best = Modules(np.zeros(len(w), np.int64), modularity(w, np.zeros(len(w), np.int64)))
    for run in np.random.SeedSequence(seed).generate_state(n).tolist():
        labels = np.zeros(len(w), np.int64)
        for i, members in enumerate(sorted(nx.community.louvain_communities(graph, seed=run), key=min)):
            labels[list(members)] = i
        q = modularity(w, labels)
        if q > best.q:
            best = Modules(labels, q)
    return best


def betweenness(weights: Any) -> F64:
    """Return the share of shortest paths between other nodes that lead through each, (n,), 0 to 1."""
    w = network(weights)
    nx = extra("networkx", "network measures")
    graph = nx.from_numpy_array(w)
    for _, _, edge in graph.edges(data=True):
        edge["length"] = 1.0 / edge["weight"]
    through = nx.betweenness_centrality(graph, weight="length", normalized=True)
    return np.array([through[i] for i in range(len(w))])


def rich_club(weights: Any) -> F64:
    """Return the share of possible connections that exist among nodes of degree above k, for k = 0, 1 …

    As long as the largest degree; NaN where fewer than two such nodes remain. Weights do not count.
    """
    w = network(weights)
    nx = extra("networkx", "network measures")
    share = nx.rich_club_coefficient(nx.from_numpy_array((w > 0.0).astype(np.float64)), normalized=False)
    return np.array([share.get(k, np.nan) for k in range(int(np.count_nonzero(w, axis=1).max()))])


def small_world(weights: Any, *, seed: int, n_references: int = 10) -> SmallWorld:
    """Return σ and ω of the connections, without their weights.

    Random references have the same degrees: ``SWAPS`` exchanges of ends for each connection, ``n_references``
    networks, C and L averaged. The lattice is a ring of as many nodes with as many connections, nearest first: it does
    not keep the degrees, but needs no search that might stop early.

    Raises
    ------
    ContractError
        If the network or its references fall apart, or it has too few connections to be rewired.
    PluginError
        If networkx is not installed.
    """
    w = (network(weights) > 0.0).astype(np.float64)
    if n_references < 1:
        raise ContractError(f"small_world: n_references is {n_references}, expected at least 1")
    length = path_length(w)
    if not np.isfinite(length):
        raise ContractError("small_world: expected a connected network, given one in parts; take its largest part")
    nx = extra("networkx", "network measures")
    graph = nx.from_numpy_array(w)
    seeds = np.random.SeedSequence(seed).generate_state(n_references).tolist()
    try:
        c, d = np.mean([_random(nx, graph, s) for s in seeds], axis=0).tolist()
    except nx.NetworkXException as wrong:
        raise ContractError(
            f"small_world: {len(w)} nodes with {graph.number_of_edges()} connections cannot be rewired ({wrong}); "
            "expected a network neither nearly empty nor nearly complete"
        ) from wrong
    local, ring = float(clustering(w).mean()), float(clustering(_ring(len(w), graph.number_of_edges())).mean())
    if c == 0.0 or ring == 0.0:
        raise ContractError("small_world: a reference has no triangle, so that clustering has nothing to compare with")
    return SmallWorld(local / c / (length / d), d / length - local / ring, local, length, c, d, ring)


def _ring(n: int, m: int) -> F64:
    """Return ``n`` nodes on a ring with ``m`` connections, the nearest first."""
    i, j = np.triu_indices(n, 1)
    apart = np.minimum(j - i, n - (j - i))
    near = np.argsort(apart, kind="stable")[:m]
    w = np.zeros((n, n))
    w[i[near], j[near]] = w[j[near], i[near]] = 1.0
    return w


def _random(nx: Any, graph: Any, seed: int) -> tuple[float, float]:
    """Return clustering and path length of a connected random network with the same degrees."""
    m = graph.number_of_edges()
    for s in np.random.SeedSequence(seed).generate_state(DRAWS).tolist():
        w = nx.to_numpy_array(nx.double_edge_swap(graph.copy(), SWAPS * m, max_tries=100 * SWAPS * m, seed=s))
        length = path_length(w)
        if np.isfinite(length):
            return float(clustering(w).mean()), length
    raise ContractError(f"small_world: {DRAWS} random networks of the same degrees all fell apart; it is too sparse")
