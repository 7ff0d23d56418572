"""Compiled core of cables: gates from tables, currents, and the implicit step on a tree.

Sixteen cells of one shape lie side by side ([node][lane]), so that a vector instruction serves several cells; the
tree is eliminated once for all of them. Short loops, because LLVM does not vectorise those over many arrays. The
table is read cell by cell: a row holds all a cell needs, and gathers are slower. A multiplication and an addition may
become one instruction, which rounds once ("contract"); no order of operations is changed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bmi.signals import F32, F64, I64
from sim._math_kernels import exp64

I32 = npt.NDArray[np.int32]

LANES = 16
"""Cells side by side."""
COLUMNS = 6
"""Of a table's row: constant and slope of m, h and n; their differences to the next row follow."""
MG_MM, MG_PER_MV = 3.57, 0.062
"""Magnesium's block of the NMDA receptor (Jahr & Stevens 1990)."""


class Law(NamedTuple):
    """What all cells share; gates follow ``rows``, conductances have their reversals."""

    rows: F64
    """(n_rows, 2 COLUMNS) gates after a step as constant + slope x gate, on a grid of potentials."""
    low_mv: float
    per_mv: float
    """First potential of the grid, and rows a mV."""
    parent: I32
    """(n_nodes,) place of the parent."""
    axial: F64
    """(n_nodes,) conductance to it, µS."""
    active: bool
    """Whether any node has gates."""
    e_na: float
    e_k: float
    e_inhibitory: float
    mg_mm: float
    """Reversals, mV (excitation and NMDA: 0), and magnesium, mM."""


class Group(NamedTuple):
    """State and scratch of LANES cells or of one; flat arrays of [node][lane]."""

    v: F64
    m: F64
    h: F64
    n: F64
    capacity: F64
    """Capacitance over step, µS."""
    fixed: F64
    """Capacity, leak and axial conductance of the node, µS."""
    na: F64
    k: F64
    """Greatest conductances, µS."""
    drive: F64
    """Leak's and injected current, nA."""
    activating: F64
    """Current at each node for one unit of stimulus, nA: the field's gradient through the axial conductances."""
    place: I32
    weight: F64
    g_na: F64
    g_k: F64
    diagonal: F64
    right: F64
    """Scratch."""


class Inputs(NamedTuple):
    """What reaches sites of the cells."""

    node: I32
    """(n_sites,) where the sites are."""
    excitatory: F64
    inhibitory: F64
    nmda: F64
    """(n_sites, lanes) conductances, µS."""
    stimulus: F64
    """(n_block,) factor of the field in each step of 10 ms."""


class Shown(NamedTuple):
    """What is recorded."""

    every: int
    """Steps between two rows."""
    volts: F32
    """(n_rows, n_sites, lanes) membrane potential, mV."""
    currents: F32
    """(n_rows, n_compartments, lanes) membrane current outwards, nA; no rows if nobody looks."""
    compartment: I32
    """(n_nodes,) compartment of each place, -1 for none."""
    injected: F64
    """(n_nodes x lanes,) injected current, nA."""
    flow: F64
    """(n_nodes x lanes,) scratch."""
    watched: int
    """Node whose upward crossings are spikes."""
    threshold: float
    """mV."""
    above: npt.NDArray[np.uint8]
    """(lanes,) whether it was above threshold."""
    events: I64
    """(capacity, 2) step and lane."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def look_up(v: F64, low: float, per_mv: float, top: float, place: I32, weight: F64) -> None:
    """Find the row below each potential, and how far above it lies."""
    for j in range(v.size):
        x = min(max((v[j] - low) * per_mv, 0.0), top)
        row = np.int32(x)
        place[j] = row
        weight[j] = x - row


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def follow(rows: F64, place: I32, weight: F64, m: F64, h: F64, n: F64) -> None:
    """Advance the gates by a step: exponential Euler, its two coefficients from the table."""
    for j in range(place.size):
        row = rows[np.uint32(place[j])]
        x = weight[j]
        m[j] = row[0] + x * row[6] + m[j] * (row[1] + x * row[7])
        h[j] = row[2] + x * row[8] + h[j] * (row[3] + x * row[9])
        n[j] = row[4] + x * row[10] + n[j] * (row[5] + x * row[11])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def sodium(m: F64, h: F64, greatest: F64, g: F64) -> None:
    for j in range(g.size):
        g[j] = greatest[j] * m[j] * m[j] * m[j] * h[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def potassium(n: F64, greatest: F64, g: F64) -> None:
    for j in range(g.size):
        square = n[j] * n[j]
        g[j] = greatest[j] * square * square


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_diagonal(fixed: F64, g_na: F64, g_k: F64, diagonal: F64) -> None:
    for j in range(diagonal.size):
        diagonal[j] = fixed[j] + g_na[j] + g_k[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_right(v: F64, capacity: F64, drive: F64, right: F64) -> None:
    for j in range(right.size):
        right[j] = capacity[j] * v[j] + drive[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_reversals(g_na: F64, g_k: F64, e_na: float, e_k: float, right: F64) -> None:
    for j in range(right.size):
        right[j] += g_na[j] * e_na + g_k[j] * e_k


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_scaled(factor: float, values: F64, right: F64) -> None:
    for j in range(right.size):
        right[j] += factor * values[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_synapses(law: Law, inputs: Inputs, v: F64, diagonal: F64, right: F64) -> None:
    """Add the synaptic conductances; magnesium blocks by the potential before the step."""
    lanes = inputs.nmda.shape[1]
    for s in range(inputs.node.size):
        for lane in range(lanes):
            j = inputs.node[s] * lanes + lane
            block = 1.0 / (1.0 + law.mg_mm / MG_MM * exp64(-MG_PER_MV * v[j]))
            inhibitory = inputs.inhibitory[s, lane]
            diagonal[j] += inputs.excitatory[s, lane] + inhibitory + inputs.nmda[s, lane] * block
            right[j] += inhibitory * law.e_inhibitory


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def solve_one(parent: I32, axial: F64, diagonal: F64, right: F64, v: F64) -> None:
    """Solve the tree's system for ``v``: towards the root, and back (Hines 1984). Overwrites both sides."""
    for i in range(parent.size - 1, 0, -1):
        p = np.uint32(parent[i])
        inverse = 1.0 / diagonal[i]
        share = axial[i] * inverse
        diagonal[p] -= share * axial[i]
        right[p] += share * right[i]
        diagonal[i] = share
        right[i] *= inverse
    v[0] = right[0] / diagonal[0]
    for i in range(1, parent.size):
        v[i] = right[i] + diagonal[i] * v[np.uint32(parent[i])]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def solve_lanes(parent: I32, axial: F64, diagonal: F64, right: F64, v: F64) -> None:
    """Solve LANES systems of one tree; arrays (n_nodes, LANES)."""
    for i in range(parent.size - 1, 0, -1):
        p = np.uint32(parent[i])
        g = axial[i]
        for lane in range(LANES):
            inverse = 1.0 / diagonal[i, lane]
            share = g * inverse
            side = right[i, lane]
            diagonal[p, lane] -= share * g
            right[p, lane] += share * side
            diagonal[i, lane] = share
            right[i, lane] = side * inverse
    for lane in range(LANES):
        v[0, lane] = right[0, lane] / diagonal[0, lane]
    for i in range(1, parent.size):
        p = np.uint32(parent[i])
        for lane in range(LANES):
            v[i, lane] = right[i, lane] + diagonal[i, lane] * v[p, lane]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def balance(law: Law, group: Group, shown: Shown, factor: float, lanes: int, out: F32) -> None:
    """Write each compartment's membrane current to ``out`` (n_compartments, lanes): what flows in leaves there."""
    flow = shown.flow
    for j in range(flow.size):
        flow[j] = shown.injected[j] + factor * group.activating[j]
    for i in range(1, law.parent.size):
        a = i * lanes
        b = law.parent[i] * lanes
        for lane in range(lanes):
            along = law.axial[i] * (group.v[b + lane] - group.v[a + lane])
            flow[a + lane] += along
            flow[b + lane] -= along
    for i in range(law.parent.size):
        c = shown.compartment[i]
        if c >= 0:
            for lane in range(lanes):
                out[c, lane] = flow[i * lanes + lane]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def record(law: Law, group: Group, inputs: Inputs, shown: Shown, step: int, row: int, found: int) -> int:
    """Look at the cells after ``step``; return how many spikes have been found."""
    lanes = shown.above.size
    for lane in range(lanes):
        up = group.v[shown.watched * lanes + lane] > shown.threshold
        if up and shown.above[lane] == 0 and found < shown.events.shape[0]:
            shown.events[found, 0] = step
            shown.events[found, 1] = lane
            found += 1
        shown.above[lane] = np.uint8(up)
    if (step + 1) % shown.every == 0:
        for s in range(inputs.node.size):
            for lane in range(lanes):
                shown.volts[row, s, lane] = np.float32(group.v[inputs.node[s] * lanes + lane])
        if shown.currents.shape[0] > 0:
            factor = inputs.stimulus[step % inputs.stimulus.size]
            balance(law, group, shown, factor, lanes, shown.currents[row])
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def advance(first: int, n: int, law: Law, group: Group, inputs: Inputs, shown: Shown) -> int:
    """Advance a group by ``n`` steps, the first being step ``first``; return the number of spikes in ``shown``."""
    lanes = shown.above.size
    shape = (law.parent.size, lanes)
    v, diagonal, right = group.v.reshape(shape), group.diagonal.reshape(shape), group.right.reshape(shape)
    synapses = inputs.excitatory.any() or inputs.inhibitory.any() or inputs.nmda.any()
    field = group.activating.any()
    row = 0
    found = 0
    for step in range(first, first + n):
        add_right(group.v, group.capacity, group.drive, group.right)
        if law.active:
            look_up(group.v, law.low_mv, law.per_mv, law.rows.shape[0] - 2.0, group.place, group.weight)
            follow(law.rows, group.place, group.weight, group.m, group.h, group.n)
            sodium(group.m, group.h, group.na, group.g_na)
            potassium(group.n, group.k, group.g_k)
            add_reversals(group.g_na, group.g_k, law.e_na, law.e_k, group.right)
        add_diagonal(group.fixed, group.g_na, group.g_k, group.diagonal)
        if synapses:
            add_synapses(law, inputs, group.v, group.diagonal, group.right)
        if field:
            add_scaled(inputs.stimulus[step % inputs.stimulus.size], group.activating, group.right)
        if lanes == 1:
            solve_one(law.parent, law.axial, group.diagonal, group.right, group.v)
        else:
            solve_lanes(law.parent, law.axial, diagonal, right, v)
        found = record(law, group, inputs, shown, step, row, found)
        if (step + 1) % shown.every == 0:
            row += 1
    return found
