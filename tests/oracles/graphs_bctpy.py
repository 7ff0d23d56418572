"""Twenty random networks measured by bctpy (the Brain Connectivity Toolbox) and networkx.

    python3 -m venv <env> && <env>/bin/pip install bctpy==0.6.1 networkx==3.6.1 numpy scipy
    <env>/bin/python tests/oracles/graphs_bctpy.py

Weights are whole 65 535ths, so that the stored ones are the very ones that were measured.
"""

from __future__ import annotations

import importlib.metadata

import bct
import networkx as nx
import numpy as np
from store import save

N_GRAPHS, N, N_MODULES, SEED = 20, 24, 4, 20
PEERS = " and ".join(f"{p} {importlib.metadata.version(p)}" for p in ("bctpy", "networkx"))


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Return a connected random network, density 0.15 to 0.6, as (N, N) weights."""
    while True:
        density = rng.uniform(0.15, 0.6)
        upper = np.triu(rng.integers(1, 65536, (N, N)) * (rng.random((N, N)) < density), 1)
        w = (upper + upper.T) / 65535.0
        if nx.is_connected(nx.from_numpy_array(w)):
            return w


def by_bctpy(w: np.ndarray, modules: np.ndarray) -> dict[str, object]:
    """Return every measure as bctpy has it."""
    binary = (w > 0).astype(float)
    distance, _ = bct.distance_wei(bct.invert(w))
    mean, efficiency, *_ = bct.charpath(distance, include_diagonal=False)
    with np.errstate(invalid="ignore", divide="ignore"):
        club, _, _ = bct.rich_club_bu(binary)
    return {
        "degree": bct.degrees_und(w),
        "strength": bct.strengths_und(w),
        "clustering": bct.clustering_coef_wu(w / w.max()),
        "participation": bct.participation_coef(w, modules),
        "betweenness": bct.betweenness_wei(bct.invert(w)) / ((N - 1) * (N - 2)),
        "path_length": mean,
        "efficiency": efficiency,
        "modularity": bct.modularity_und(w, kci=modules)[1],
        "rich_club": np.pad(club, (0, N - len(club)), constant_values=np.nan),
        "subgraph": bct.subgraph_centrality(binary),
    }


def by_networkx(w: np.ndarray, modules: np.ndarray) -> dict[str, object]:
    """Return what networkx has of it."""
    graph = nx.from_numpy_array(w)
    for _, _, edge in graph.edges(data=True):
        edge["length"] = 1.0 / edge["weight"]
    sets = [set(np.flatnonzero(modules == m).tolist()) for m in np.unique(modules)]
    clustering, exp = nx.clustering(graph, weight="weight"), nx.communicability_exp(graph)
    return {
        "nx_clustering": [clustering[i] for i in range(N)],
        "nx_path_length": nx.average_shortest_path_length(graph, weight="length"),
        "nx_modularity": nx.community.modularity(graph, sets),
        "nx_communicability": np.array([[exp[i][j] for j in range(N)] for i in range(N)])[np.triu_indices(N)],
    }


rng = np.random.default_rng(SEED)
weights = [drawn(rng) for _ in range(N_GRAPHS)]
modules = rng.integers(1, N_MODULES + 1, (N_GRAPHS, N))
found = [by_bctpy(w, m) | by_networkx(w, m) for w, m in zip(weights, modules, strict=True)]
upper = np.triu_indices(N, 1)
save(
    "graphs_bctpy", PEERS, f"{N_GRAPHS} networks of {N} nodes, weights in 65535ths above the diagonal",
    weights=np.array([np.round(w[upper] * 65535.0) for w in weights]).astype(np.uint16),
    modules=modules.astype(np.uint8),
    **{k: np.array([f[k] for f in found]) for k in found[0]},
)  # fmt: skip
