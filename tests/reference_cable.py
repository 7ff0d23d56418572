"""Plain twin of the cable kernels: one cell, dense matrices, exact rates; from the equations, not from the kernels."""

import numpy as np


def alpha_beta(v):
    """Opening and closing rates of Hodgkin and Huxley's m, h, n, /ms at 6.3 °C; singular points avoided by a nudge."""
    v = v + 1e-9
    return (
        (0.1 * (v + 40) / (1 - np.exp(-(v + 40) / 10)), 4 * np.exp(-(v + 65) / 18)),
        (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        (0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)),
    )


def laplacian(tree):
    """Axial conductances as a matrix: row i times potentials is what flows out of node i along the cable, nA."""
    g = np.zeros((tree.n_nodes, tree.n_nodes))
    for (a, b), axial in zip(tree.edges, tree.axial_us, strict=True):
        g[[a, b], [a, b]] += axial
        g[[a, b], [b, a]] -= axial
    return g


def wide(tree, values):
    """Values of compartments, 0 where branches meet."""
    return np.concatenate([values, np.zeros(tree.n_nodes - len(values))])


def run(tree, n_steps, dt_ms, *, celsius, injected, nmda, inhibitory, outside, e_inhibitory=-75.0, mg=1.0, rest=-65.0):
    """Return potentials (n_steps, n_compartments); inputs (n_compartments,) nA, µS, µS, mV, held throughout."""
    n = len(tree.area_um2)
    along = laplacian(tree)
    at = wide(tree, outside)
    if tree.n_nodes > n:  # outside a meeting point: what makes no current flow into it
        at[n:] = np.linalg.solve(along[n:, n:], -along[n:, :n] @ outside)
    na, k, leak, c, e_leak, injected, nmda, inhibitory = (
        wide(tree, x)
        for x in (tree.na_us, tree.k_us, tree.leak_us, tree.capacity_nf, tree.e_leak_mv, injected, nmda, inhibitory)
    )
    v = np.full(tree.n_nodes, rest)
    gates = [a / (a + b) for a, b in alpha_beta(v)]
    speed = 3 ** ((celsius - 6.3) / 10)
    rows = []
    for _ in range(n_steps):
        for i, (a, b) in enumerate(alpha_beta(v)):
            goal = a / (a + b)
            gates[i] = goal + (gates[i] - goal) * np.exp(-dt_ms * speed * (a + b))
        m, h, p = gates
        g_na, g_k = na * m**3 * h, k * p**4
        g_nmda = nmda / (1 + mg / 3.57 * np.exp(-0.062 * v))
        matrix = along + np.diag(c / dt_ms + g_na + g_k + leak + g_nmda + inhibitory)
        right = c / dt_ms * v + g_na * 50 - g_k * 77 + leak * e_leak + inhibitory * e_inhibitory + injected - along @ at
        v = np.linalg.solve(matrix, right)
        rows.append(v[:n])
    return np.array(rows)
