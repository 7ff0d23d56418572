"""Network measures written out node by node from Rubinov & Sporns (2010), appendix A, slow on purpose."""

from __future__ import annotations

import itertools

import numpy as np


def clustering(w):
    """Mean over pairs of neighbours of the geometric mean of the triangle's weights, as shares of the largest."""
    n, most = len(w), w.max()
    out = np.zeros(n)
    for i in range(n):
        neighbours = [j for j in range(n) if w[i, j] > 0]
        k = len(neighbours)
        closed = sum(
            (w[i, j] * w[j, h] * w[i, h] / most**3) ** (1 / 3) for j, h in itertools.permutations(neighbours, 2)
        )
        out[i] = closed / (k * (k - 1)) if k > 1 else 0.0
    return out


def participation(w, modules):
    """One minus the squared shares of a node's strength in each module."""
    out = np.zeros(len(w))
    for i, row in enumerate(w):
        if row.sum() > 0:
            out[i] = 1 - sum((row[modules == m].sum() / row.sum()) ** 2 for m in np.unique(modules))
    return out


def distances(w):
    """Shortest paths by Floyd's relaxation, length 1 / weight."""
    n = len(w)
    d = np.where(w > 0, 1 / np.where(w > 0, w, 1), np.inf)
    np.fill_diagonal(d, 0)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                d[i, j] = min(d[i, j], d[i, k] + d[k, j])
    return d


def modularity(w, modules):
    """Sum over pairs in one module of weight less expectation."""
    total, s = w.sum(), w.sum(1)
    return sum(
        (w[i, j] - s[i] * s[j] / total) / total
        for i in range(len(w))
        for j in range(len(w))
        if modules[i] == modules[j]
    )


def walks(w, terms=60):
    """Sum of W^k / k!."""
    total, power = np.eye(len(w)), np.eye(len(w))
    for k in range(1, terms):
        power = power @ w / k
        total = total + power
    return total
