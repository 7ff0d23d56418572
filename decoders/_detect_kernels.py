"""Compiled detection: how far features stand out from their running baseline, and what lasts long enough to count."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

ACTIVE, ABOVE_S, BELOW_S, REST_S, COUNT = 0, 1, 2, 3, 4
"""Places in the state of a detection: whether one is on, time above and below the thresholds on end, time left in
which none begins, how many there were."""


class Rule(NamedTuple):
    """When a detection begins and ends."""

    on: float
    """It begins at or above this …"""
    off: float
    """… ends below this …"""
    on_s: float
    """… after that long above it, s …"""
    off_s: float
    """… or below it, s …"""
    rest_s: float
    """… and none begins for so long after one ended, s."""


class Pace(NamedTuple):
    """How the baseline follows; in rows."""

    n_warm: float
    """Rows before it counts."""
    n_memory: float
    """Rows it remembers."""
    clip: float
    """A row counts as no farther from the mean than so many standard deviations."""
    least: float
    """Smallest standard deviation there is, in the unit of the features."""


@njit(cache=True, nogil=True, error_model="numpy")
def stand_out(y, base, pace, z):
    """Set z (m,) to how many standard deviations y (m,) is above its baseline; NaN where missing or warming up.

    base (3, m): mean, variance, rows seen.
    """
    for k in range(y.size):
        v = np.float64(y[k])
        sd = max(np.sqrt(base[1, k]), pace.least)
        known = (v - v == 0.0) & (base[2, k] >= pace.n_warm)
        z[k] = (v - base[0, k]) / sd if known else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def follow(y, base, pace):
    """Let the baseline follow y: the plain mean and variance at first, an exponential one once memory is full."""
    for k in range(y.size):
        v = np.float64(y[k])
        if v - v != 0.0:
            continue
        n = min(base[2, k] + 1.0, pace.n_memory)
        if base[2, k] >= pace.n_warm:
            far = pace.clip * max(np.sqrt(base[1, k]), pace.least)
            v = min(max(v, base[0, k] - far), base[0, k] + far)
        off = v - base[0, k]
        base[0, k] += off / n
        base[1, k] = (1.0 - 1.0 / n) * (base[1, k] + off * off / n)
        base[2, k] = n


@njit(cache=True, nogil=True, error_model="numpy")
def agreed(z, votes):
    """Return the ``votes``-th highest of the finite z: as many features say at least this; NaN if they are fewer."""
    found = np.nan
    for k in range(z.size):
        above, equal = 0, 0
        for i in range(z.size):
            above += z[i] > z[k]
            equal += z[i] == z[k]
        if above < votes <= above + equal:
            found = z[k]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def decide(score, rule, dt_s, state):
    """Go on by one row, ``dt_s`` long; return whether a detection is on. A score that is NaN changes nothing."""
    if score != score:
        return state[ACTIVE] > 0.0
    state[REST_S] = max(state[REST_S] - dt_s, 0.0)
    state[ABOVE_S] = state[ABOVE_S] + dt_s if score >= rule.on else 0.0
    state[BELOW_S] = state[BELOW_S] + dt_s if score < rule.off else 0.0
    slack = 0.5 * dt_s
    if state[ACTIVE] > 0.0:
        if state[BELOW_S] > 0.0 and state[BELOW_S] >= rule.off_s - slack:
            state[ACTIVE], state[REST_S] = 0.0, rule.rest_s
    elif state[ABOVE_S] > 0.0 and state[ABOVE_S] >= rule.on_s - slack and state[REST_S] <= slack:
        state[ACTIVE] = 1.0
        state[COUNT] += 1.0
    return state[ACTIVE] > 0.0
