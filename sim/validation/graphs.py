"""Acceptance figures of network measures: two other packages, and networks whose answer is known.

σ compares with 20 networks of the same degrees, each connection's ends exchanged ten times over, and takes connections
without weights. Zachary's karate club is taken without weights too; with them, modularity reaches 0.44.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from bmi.extras import extra
from sim.validation import Check, Row, between, near, stored

N_UPDATES = 200
REAL_TIME_MS = 10.0


def peers() -> Iterator[Row]:
    """Yield the largest difference of each measure over 20 random networks."""
    from sim.circuits import graphs, structure

    peer = stored("graphs_bctpy")
    a = peer.arrays
    n = a["modules"].shape[1]
    upper = np.triu_indices(n, 1)
    worst: dict[str, float] = {}
    for k, modules in enumerate(a["modules"]):
        w = np.zeros((n, n))
        w[upper] = a["weights"][k] / 65535.0
        w = w + w.T
        live, club = graphs.node_measures(w, modules), structure.rich_club(w)[1:]
        walks, paths, q = graphs.communicability(w > 0.0), graphs.path_length(w), graphs.modularity(w, modules)
        ours = {
            "degree": graphs.degree(w), "strength": live.strength, "clustering": live.clustering,
            "participation": live.participation, "betweenness": structure.betweenness(w), "path_length": paths,
            "efficiency": graphs.efficiency(w), "modularity": q, "subgraph": np.diagonal(walks),
            "rich_club": np.pad(club, (0, n - len(club)), constant_values=np.nan),
            "nx_clustering": live.clustering, "nx_path_length": paths, "nx_modularity": q,
            "nx_communicability": walks[np.triu_indices(n)],
        }  # fmt: skip
        for name, value in ours.items():
            there = a[name][k]
            known = ~np.isnan(there)
            if (known != ~np.isnan(value)).any():
                worst[name] = np.inf
            off = np.abs(np.asarray(value)[known] - there[known]) / np.maximum(1.0, np.abs(there[known]))
            worst[name] = max(worst.get(name, 0.0), float(off.max(initial=0.0)))
    for name, off in worst.items():
        by, what = ("networkx", name[3:]) if name.startswith("nx_") else ("bctpy", name)
        yield near("C5", f"{what} against {by}, largest difference in 20 networks", 0.0, off, 1e-9, source=peer.source)


def known() -> Iterator[Row]:
    """Yield modularity of the karate club and σ of small worlds."""
    from sim.circuits.structure import louvain, small_world

    nx = extra("networkx", "network measures")
    club = nx.to_numpy_array(nx.karate_club_graph(), weight=None)
    q = louvain(club, seed=1, n=50).q
    yield between(
        "C5", "modularity of the karate club, best of 50 Louvain runs", 0.4188, np.inf, q,
        source="0.419790 is the largest possible: linear relaxation of the partition problem, HiGHS in SciPy 1.17.1",
    )  # fmt: skip
    ring = nx.to_numpy_array(nx.connected_watts_strogatz_graph(200, 10, 0.1, seed=1))
    found = small_world(ring, seed=1, n_references=20)
    yield between(
        "C5", "σ of a Watts-Strogatz network, p 0.1, 200 nodes of 10 connections", 3.0, np.inf, found.sigma,
        source="Humphries & Gurney (2008), 20 references of equal degrees",
    )  # fmt: skip


def real_time() -> Iterator[Row]:
    """Yield how long the live measures of 84 regions take."""
    from sim.circuits.graphs import node_measures

    rng = np.random.default_rng(1)
    w = np.triu(rng.random((84, 84)), 1)
    w, modules = w + w.T, rng.integers(0, 7, 84)
    taken = np.zeros(N_UPDATES)
    for i in range(N_UPDATES):
        begun = time.perf_counter()
        node_measures(w, modules)
        taken[i] = 1e3 * (time.perf_counter() - begun)
    yield between(
        "C5", f"strength, clustering, participation of 84 nodes, median of {N_UPDATES}", -np.inf, REAL_TIME_MS,
        float(np.median(taken)), unit="ms", source="measured on this machine",
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("C5", "network measures against bctpy and networkx", 2.0, peers, needs="networkx"),
    Check("C5", "karate club and small worlds", 12.0, known, needs="networkx"),
    Check("C5", "network measures in real time", 0.2, real_time),
)
