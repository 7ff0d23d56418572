"""Spreading, drug and rehabilitation once more, as the papers put them: slopes and small steps, no shortcut."""

from __future__ import annotations

import numpy as np


def spread(weights, x):
    """Return what region i gains from its neighbours: the sum of w_ij (x_j - x_i)."""
    n = len(x)
    return np.array([sum(weights[i, j] * (x[j] - x[i]) for j in range(n) if j != i) for i in range(n)])


def heterodimer(x, weights, rate, amyloid, tau, synergy, activity):
    """Return the change a year of the six loads (6, n); Cabrera-Alvarez et al. (2024), eqs of both proteins."""
    a, at, t, tt, qa, qt = x
    return np.array([
        rate * spread(weights, a) + amyloid["prod"] * (activity + 1.0) - amyloid["clr"] * a - amyloid["tr"] * a * at,
        rate * spread(weights, at) - amyloid["clr_t"] * at + amyloid["tr"] * a * at,
        rate * spread(weights, t) + tau["prod"] - tau["clr"] * t - tau["tr"] * t * tt - synergy * at * t * tt,
        rate * spread(weights, tt) - tau["clr_t"] * tt + tau["tr"] * t * tt + synergy * at * t * tt,
        at * (1.0 - qa),
        tt * (1.0 - qt),
    ])  # fmt: skip


def fisher(x, weights, rate, growth):
    """Return the change a year of a load that spreads and grows."""
    return rate * spread(weights, x) + growth * x * (1.0 - x)


def euler(slopes, x, dt, steps):
    """Return ``x`` after ``steps`` small steps."""
    x = np.array(x, float)
    for _ in range(steps):
        x = x + dt * slopes(x)
    return x


def body(dose_mg_l, ka, ke, k, times_s, dt_s, until_s):
    """Return blood and brain (n_steps,) of doses at ``times_s`` into gut, blood and effect compartment."""
    gut = blood = brain = 0.0
    due = sorted(times_s)
    rows = np.empty((round(until_s / dt_s), 2))
    for step in range(len(rows)):
        while due and due[0] <= step * dt_s + 1e-9:
            gut += dose_mg_l
            due.pop(0)
        gut, blood, brain = (
            gut - dt_s * ka * gut, blood + dt_s * (ka * gut - ke * blood), brain + dt_s * k * (blood - brain),
        )  # fmt: skip
        rows[step] = blood, brain
    return rows
