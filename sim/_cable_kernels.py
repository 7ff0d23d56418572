"""Compiled core of cables: gates from tables, currents, and the implicit step on a tree.

Places are counted through flat, [node][lane]: sixteen cells of one shape lie side by side, so that a vector
instruction serves several cells, or four where there are no more, or one cell is alone. Sixteen places make a tile,
and a tile holds all their quantities one after another at fixed distances. So a loop over a tile touches one stretch
of memory, and LLVM sees without asking at run time that nothing overlaps. The table is read place by place: a row
holds all that is needed, and gathers are slower. A multiplication and an addition may become one instruction, which
rounds once ("contract"); no order of operations is changed.
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
"""Cells side by side, and places of a tile."""
FEW = 4
"""Cells side by side where there are no more than that."""
QUANTITIES = (
    "v", "m", "h", "n", "capacity", "fixed", "na", "k", "drive", "activating", "weight", "diagonal", "right"
)  # fmt: skip
"""What a tile holds of every place: potential, mV; gates; capacitance over step, µS; capacitance, leak and axial
conductance, µS; greatest sodium and potassium conductance, µS; leak's and injected current, nA; current for one unit
of stimulus, nA (the field's gradient through the axial conductances). The last three are scratch."""
V, M, H, N, CAPACITY, FIXED, NA, K, DRIVE, ACTIVATING, WEIGHT, DIAGONAL, RIGHT = (
    np.uint64(LANES * i) for i in range(len(QUANTITIES))
)
"""Where each begins in a tile; unsigned, because a signed index is looked at for being negative."""
MG_MM, MG_PER_MV = 3.57, 0.062
"""Magnesium's block of the NMDA receptor (Jahr & Stevens 1990)."""


class Law(NamedTuple):
    """What all cells share; gates follow ``rows``, conductances have their reversals."""

    rows: F64
    """(n_rows, 12) m, h and n after a step, each as constant and slope, on a grid of potentials; then what they change
    by to the next row."""
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


class Scratch(NamedTuple):
    """Room for intermediate values."""

    row: I32
    """(LANES,) row of the table."""
    diagonal: F64
    right: F64
    v: F64
    """(n_places,) the system of a cell alone."""
    flow: F64
    """(n_places,) current into each place."""


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
    """(n_places,) injected current, nA."""
    watched: int
    """Node whose upward crossings are spikes."""
    threshold: float
    """mV."""
    above: npt.NDArray[np.uint8]
    """(lanes,) whether it was above threshold."""
    events: I64
    """(capacity, 2) step and lane."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def prepare(law: Law, factor: float, row: I32, cells: F64) -> None:
    """Advance the gates (exponential Euler) and set up both sides of the system, tile by tile."""
    top = law.rows.shape[0] - 2.0
    for t in range(cells.shape[0]):
        c = cells[t]
        for lane in range(LANES):
            i = np.uint64(lane)
            x = min(max((c[i + V] - law.low_mv) * law.per_mv, 0.0), top)
            below = np.int32(x)
            row[i] = below
            c[i + WEIGHT] = x - below
        for lane in range(LANES):
            i = np.uint64(lane)
            r = law.rows[np.uint64(np.uint32(row[i]))]
            x = c[i + WEIGHT]
            c[i + M] = r[0] + x * r[6] + c[i + M] * (r[1] + x * r[7])
            c[i + H] = r[2] + x * r[8] + c[i + H] * (r[3] + x * r[9])
            c[i + N] = r[4] + x * r[10] + c[i + N] * (r[5] + x * r[11])
        for lane in range(LANES):
            i = np.uint64(lane)
            m = c[i + M]
            square = c[i + N] * c[i + N]
            na = c[i + NA] * m * m * m * c[i + H]
            k = c[i + K] * square * square
            passive = c[i + CAPACITY] * c[i + V] + c[i + DRIVE] + factor * c[i + ACTIVATING]
            c[i + DIAGONAL] = c[i + FIXED] + na + k
            c[i + RIGHT] = passive + na * law.e_na + k * law.e_k


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def prepare_passive(factor: float, cells: F64) -> None:
    """Set up both sides of the system where no place has gates."""
    for t in range(cells.shape[0]):
        c = cells[t]
        for lane in range(LANES):
            i = np.uint64(lane)
            c[i + DIAGONAL] = c[i + FIXED]
            c[i + RIGHT] = c[i + CAPACITY] * c[i + V] + c[i + DRIVE] + factor * c[i + ACTIVATING]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def add_synapses(law: Law, inputs: Inputs, cells: F64) -> None:
    """Add the synaptic conductances; magnesium blocks by the potential before the step."""
    lanes = inputs.nmda.shape[1]
    for s in range(inputs.node.size):
        for lane in range(lanes):
            j = inputs.node[s] * lanes + lane
            c = cells[j // LANES]
            i = np.uint64(j % LANES)
            block = 1.0 / (1.0 + law.mg_mm / MG_MM * exp64(-MG_PER_MV * c[i + V]))
            inhibitory = inputs.inhibitory[s, lane]
            c[i + DIAGONAL] += inputs.excitatory[s, lane] + inhibitory + inputs.nmda[s, lane] * block
            c[i + RIGHT] += inhibitory * law.e_inhibitory


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
def solve_alone(law: Law, scratch: Scratch, cells: F64) -> None:
    """Solve one cell's system, which lies over the tiles."""
    for t in range(cells.shape[0]):
        for lane in range(LANES):
            i = np.uint64(lane)
            scratch.diagonal[t * LANES + lane] = cells[t, i + DIAGONAL]
            scratch.right[t * LANES + lane] = cells[t, i + RIGHT]
    solve_one(law.parent, law.axial, scratch.diagonal, scratch.right, scratch.v)
    for i in range(law.parent.size):
        cells[i // LANES, np.uint64(i % LANES) + V] = scratch.v[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def solve_lanes(parent: I32, axial: F64, cells: F64) -> None:
    """Solve LANES systems of one tree, a tile being a node."""
    for t in range(parent.size - 1, 0, -1):
        c = cells[t]
        p = cells[np.uint32(parent[t])]
        g = axial[t]
        for lane in range(LANES):
            i = np.uint64(lane)
            inverse = 1.0 / c[i + DIAGONAL]
            share = g * inverse
            p[i + DIAGONAL] -= share * g
            p[i + RIGHT] += share * c[i + RIGHT]
            c[i + RIGHT] *= inverse
            c[i + DIAGONAL] = share
    root = cells[0]
    for lane in range(LANES):
        i = np.uint64(lane)
        root[i + V] = root[i + RIGHT] / root[i + DIAGONAL]
    for t in range(1, parent.size):
        c = cells[t]
        p = cells[np.uint32(parent[t])]
        for lane in range(LANES):
            i = np.uint64(lane)
            c[i + V] = c[i + RIGHT] + c[i + DIAGONAL] * p[i + V]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def solve_few(parent: I32, axial: F64, cells: F64) -> None:
    """Solve FEW systems of one tree, of which several nodes share a tile."""
    for j in range(parent.size - 1, 0, -1):
        p, g = np.uint32(parent[j]), axial[j]
        c, above = cells[j * FEW // LANES], cells[p * FEW // LANES]
        at, up = np.uint64(j * FEW % LANES), np.uint64(p * FEW % LANES)
        for lane in range(FEW):
            i, k = at + np.uint64(lane), up + np.uint64(lane)
            inverse = 1.0 / c[i + DIAGONAL]
            share = g * inverse
            above[k + DIAGONAL] -= share * g
            above[k + RIGHT] += share * c[i + RIGHT]
            c[i + RIGHT] *= inverse
            c[i + DIAGONAL] = share
    for lane in range(FEW):
        i = np.uint64(lane)
        cells[0, i + V] = cells[0, i + RIGHT] / cells[0, i + DIAGONAL]
    for j in range(1, parent.size):
        p = np.uint32(parent[j])
        c, above = cells[j * FEW // LANES], cells[p * FEW // LANES]
        at, up = np.uint64(j * FEW % LANES), np.uint64(p * FEW % LANES)
        for lane in range(FEW):
            i, k = at + np.uint64(lane), up + np.uint64(lane)
            c[i + V] = c[i + RIGHT] + c[i + DIAGONAL] * above[k + V]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def potential(cells: F64, j: int) -> float:
    """Return the potential at place ``j``."""
    return cells[j // LANES, np.uint64(j % LANES) + V]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def balance(law: Law, cells: F64, shown: Shown, factor: float, flow: F64, out: F32) -> None:
    """Write each compartment's membrane current to ``out`` (n_compartments, lanes): what flows in leaves there."""
    lanes = shown.above.size
    for j in range(shown.injected.size):
        flow[j] = shown.injected[j] + factor * cells[j // LANES, np.uint64(j % LANES) + ACTIVATING]
    for i in range(1, law.parent.size):
        a = i * lanes
        b = law.parent[i] * lanes
        for lane in range(lanes):
            along = law.axial[i] * (potential(cells, b + lane) - potential(cells, a + lane))
            flow[a + lane] += along
            flow[b + lane] -= along
    for i in range(law.parent.size):
        c = shown.compartment[i]
        if c >= 0:
            for lane in range(lanes):
                out[c, lane] = flow[i * lanes + lane]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def record(
    law: Law, cells: F64, inputs: Inputs, shown: Shown, scratch: Scratch, step: int, row: int, found: int
) -> int:
    """Look at the cells after ``step``; return how many spikes have been found."""
    lanes = shown.above.size
    for lane in range(lanes):
        up = potential(cells, shown.watched * lanes + lane) > shown.threshold
        if up and shown.above[lane] == 0 and found < shown.events.shape[0]:
            shown.events[found, 0] = step
            shown.events[found, 1] = lane
            found += 1
        shown.above[lane] = np.uint8(up)
    if (step + 1) % shown.every == 0:
        for s in range(inputs.node.size):
            for lane in range(lanes):
                shown.volts[row, s, lane] = np.float32(potential(cells, inputs.node[s] * lanes + lane))
        if shown.currents.shape[0] > 0:
            factor = inputs.stimulus[step % inputs.stimulus.size]
            balance(law, cells, shown, factor, scratch.flow, shown.currents[row])
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def advance(
    first: int, n: int, law: Law, cells: F64, inputs: Inputs, shown: Shown, scratch: Scratch
) -> int:
    """Advance LANES cells, FEW or one by ``n`` steps from step ``first``; return the number of spikes in ``shown``.

    ``cells`` is (n_tiles, LANES x quantities).
    """
    synapses = inputs.excitatory.any() or inputs.inhibitory.any() or inputs.nmda.any()
    row = 0
    found = 0
    for step in range(first, first + n):
        factor = inputs.stimulus[step % inputs.stimulus.size]
        if law.active:
            prepare(law, factor, scratch.row, cells)
        else:
            prepare_passive(factor, cells)
        if synapses:
            add_synapses(law, inputs, cells)
        if shown.above.size == 1:
            solve_alone(law, scratch, cells)
        elif shown.above.size == FEW:
            solve_few(law.parent, law.axial, cells)
        else:
            solve_lanes(law.parent, law.axial, cells)
        found = record(law, cells, inputs, shown, scratch, step, row, found)
        if (step + 1) % shown.every == 0:
            row += 1
    return found
