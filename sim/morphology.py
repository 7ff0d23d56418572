"""Branched cells: cylinders with lengths and diameters, cut into compartments, joined into one tree.

Each branch is a cylinder of its own diameter, membrane and axial resistivity, cut into equal compartments whose
potential is taken at the middle. Neighbours are joined by the axial resistance between their middles; where two or
more branches leave one end, they meet in a point without membrane, so that the tree is that of cable theory [1]_.

Units fit each other: mV, ms, nA, µS, nF.

.. [1] Rall (1959) Exp Neurol 1:491. Branching dendritic trees and motoneuron membrane resistivity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.errors import ContractError
from bmi.signals import F64, I64

CM2 = 1e-8
"""A square micrometre, cm²."""
SQUID: dict[str, Any] = {"g_na_ms_cm2": 120.0, "g_k_ms_cm2": 36.0, "g_leak_ms_cm2": 0.3, "e_leak_mv": -54.387}
"""Membrane of Hodgkin and Huxley (1952), for the branches it is given to."""


@dataclass(kw_only=True)
class Branch:
    """A cylinder of membrane."""

    name: str
    length_um: Annotated[float, Gt(0)]
    """Length, µm."""
    diameter_um: Annotated[float, Gt(0)]
    """Diameter, µm."""
    compartments: Annotated[int, Ge(1)] = 1
    """Pieces it is cut into."""
    parent: str = ""
    """Branch it grows from; "" for the first."""
    at: Annotated[float, Gt(0), Le(1)] = 1.0
    """Where on the parent: 1 its far end, below 1 the middle of the compartment there."""
    ra_ohm_cm: Annotated[float, Gt(0)] = 100.0
    """Axial resistivity, Ω cm."""
    c_uf_cm2: Annotated[float, Gt(0)] = 1.0
    """Membrane capacitance, µF/cm²."""
    g_leak_ms_cm2: Annotated[float, Gt(0)] = 0.1
    """Leak conductance, mS/cm²; the membrane resistance Rm is 1 / g_leak."""
    e_leak_mv: float = -65.0
    """Reversal of the leak, mV."""
    g_na_ms_cm2: Annotated[float, Ge(0)] = 0.0
    """Sodium conductance m³h of Hodgkin and Huxley, mS/cm²; 0 is a passive membrane."""
    g_k_ms_cm2: Annotated[float, Ge(0)] = 0.0
    """Potassium conductance n⁴, mS/cm²."""


@dataclass(kw_only=True)
class Site:
    """A named place on a cell."""

    name: str
    branch: str
    at: Annotated[float, Ge(0), Le(1)] = 0.5
    """Part of the branch's length from its beginning; the compartment there is meant."""


class Tree(NamedTuple):
    """A cell as compartments; arrays are (n_compartments,), branch after branch, each from its beginning."""

    first: dict[str, tuple[int, int]]
    """First compartment and number of compartments of each branch."""
    distance_um: F64
    """Path from the beginning of the first branch to the middle of the compartment, µm."""
    area_um2: F64
    capacity_nf: F64
    leak_us: F64
    e_leak_mv: F64
    na_us: F64
    k_us: F64
    n_nodes: int
    """Compartments and, after them, the points without membrane where branches meet."""
    edges: I64
    """(n_nodes - 1, 2) nodes that are joined."""
    axial_us: F64
    """(n_nodes - 1,) conductance between them, µS."""

    def compartment(self, branch: str, at: float) -> int:
        """Return the compartment at ``at`` of the length of ``branch``.

        Raises
        ------
        ContractError
            If there is no such branch or place.
        """
        if branch not in self.first:
            raise ContractError(f"site: no branch {branch!r}; the cell's branches are {', '.join(self.first)}")
        if not 0.0 <= at <= 1.0:
            raise ContractError(f"site on {branch}: at is {at!r}, expected a part of its length, 0 to 1")
        start, n = self.first[branch]
        return start + min(int(at * n), n - 1)


def cylinder(
    *, length_um: float, diameter_um: float, compartments: int, ra_ohm_cm: float = 100.0, **membrane: float
) -> tuple[Branch, ...]:
    """Return an unbranched cable called ``cable``; its membrane is the squid's unless given."""
    made = Branch(
        name="cable", length_um=length_um, diameter_um=diameter_um, compartments=compartments, ra_ohm_cm=ra_ohm_cm,
        **{**SQUID, **membrane},
    )  # fmt: skip
    return (made,)


def grow(branches: Sequence[Branch]) -> Tree:
    """Return ``branches`` as one tree of compartments.

    Raises
    ------
    ContractError
        If a size is not positive, a name is used twice, or a parent is not among the branches before.
    """
    _look_at(branches)
    first: dict[str, tuple[int, int]] = {}
    n = 0
    for b in branches:
        first[b.name] = (n, b.compartments)
        n += b.compartments
    length = _each(branches, lambda b: b.length_um / b.compartments)
    area = np.pi * _each(branches, lambda b: b.diameter_um) * length
    far = _far_ends(branches, first)
    distance = np.zeros(n)
    for b in branches:
        start, k = first[b.name]
        distance[start : start + k] = far[b.name] + (np.arange(k) + 0.5) * b.length_um / b.compartments
    edges, axial, n_nodes = _join(branches, first)

    def density(value: F64) -> F64:
        return np.asarray(value * area * CM2 * 1e3)  # mS/cm² to µS and µF/cm² to nF

    return Tree(
        first,
        distance,
        area,
        density(_each(branches, lambda b: b.c_uf_cm2)),
        density(_each(branches, lambda b: b.g_leak_ms_cm2)),
        _each(branches, lambda b: b.e_leak_mv),
        density(_each(branches, lambda b: b.g_na_ms_cm2)),
        density(_each(branches, lambda b: b.g_k_ms_cm2)),
        n_nodes,
        edges,
        axial,
    )


def _each(branches: Sequence[Branch], value: Any) -> F64:
    return np.repeat([float(value(b)) for b in branches], [b.compartments for b in branches])


def _look_at(branches: Sequence[Branch]) -> None:
    """Raise ContractError at what cannot be a cell."""
    if not branches:
        raise ContractError("cell: has no branches; give at least one")
    known: list[str] = []
    for i, b in enumerate(branches):
        where = f"branches[{i}] {b.name!r}"
        for field in ("length_um", "diameter_um", "ra_ohm_cm", "c_uf_cm2", "g_leak_ms_cm2"):
            value = getattr(b, field)
            if not 0.0 < value < np.inf:
                raise ContractError(f"{where}: {field} is {value!r}, expected a finite number above 0")
        for field in ("g_na_ms_cm2", "g_k_ms_cm2"):
            value = getattr(b, field)
            if not 0.0 <= value < np.inf:
                raise ContractError(f"{where}: {field} is {value!r}, expected a finite number, at least 0")
        if not np.isfinite(b.e_leak_mv):
            raise ContractError(f"{where}: e_leak_mv is {b.e_leak_mv!r}, expected a finite number")
        if b.compartments < 1:
            raise ContractError(f"{where}: compartments is {b.compartments}, expected at least 1")
        if not b.name or b.name in known:
            raise ContractError(f"{where}: expected a name of its own; give each branch another name")
        if known and b.parent not in known:
            raise ContractError(
                f"{where}: its parent {b.parent!r} is not among the branches before it: {', '.join(known)}; "
                "list a parent before its children"
            )
        if not known and b.parent:
            raise ContractError(f"{where}: the first branch has no parent, given {b.parent!r}; leave it empty")
        if not 0.0 < b.at <= 1.0:
            raise ContractError(f"{where}: at is {b.at!r}, expected a part of the parent's length, above 0, at most 1")
        known.append(b.name)


def _far_ends(branches: Sequence[Branch], first: dict[str, tuple[int, int]]) -> dict[str, float]:
    """Return the path from the beginning of the cell to the beginning of each branch, µm."""
    begin = {branches[0].name: 0.0}
    by_name = {b.name: b for b in branches}
    for b in branches[1:]:
        parent = by_name[b.parent]
        n = first[b.parent][1]
        part = 1.0 if b.at == 1.0 else (min(int(b.at * n), n - 1) + 0.5) / n
        begin[b.name] = begin[b.parent] + part * parent.length_um
    return begin


def _join(branches: Sequence[Branch], first: dict[str, tuple[int, int]]) -> tuple[I64, F64, int]:
    """Return which nodes are joined, by what conductance, and how many nodes there are.

    A single branch that goes on at its parent's end is joined to it directly: both halves in series.
    """
    half = {b.name: _half_us(b) for b in branches}
    leaving = {b.name: [c for c in branches if c.parent == b.name and c.at == 1.0] for b in branches}
    n_nodes = sum(b.compartments for b in branches)
    pairs: list[tuple[int, int]] = []
    axial: list[float] = []

    def link(a: int, b: int, conductance: float) -> None:
        pairs.append((a, b))
        axial.append(conductance)

    for b in branches:
        start, n = first[b.name]
        for i in range(start, start + n - 1):
            link(i, i + 1, half[b.name] / 2)
        children = leaving[b.name]
        end = start + n - 1
        if len(children) == 1:
            a, c = half[b.name], half[children[0].name]
            link(end, first[children[0].name][0], a * c / (a + c))
        elif children:
            link(end, n_nodes, half[b.name])
            for child in children:
                link(n_nodes, first[child.name][0], half[child.name])
            n_nodes += 1
        for child in branches:
            if child.parent == b.name and child.at < 1.0:
                link(start + min(int(child.at * n), n - 1), first[child.name][0], half[child.name])
    return np.array(pairs, np.int64).reshape(-1, 2), np.array(axial), n_nodes


def _half_us(b: Branch) -> float:
    """Return the conductance from the middle of a compartment to its end, µS."""
    section_cm2 = np.pi / 4 * b.diameter_um**2 * CM2
    return float(section_cm2 / (b.ra_ohm_cm * b.length_um / b.compartments / 2 * 1e-4) * 1e6)


class Hines(NamedTuple):
    """Nodes in an order in which each parent comes before its children; arrays are (n_nodes,) in that order."""

    node: I64
    """Node of the tree at each place."""
    parent: I64
    """Place of the parent; -1 for the first."""
    axial_us: F64
    """Conductance to the parent, µS; 0 for the first."""


def hines(tree: Tree) -> Hines:
    """Return an order for eliminating ``tree`` without fill-in [1]_, breadth first from the middle of its longest path.

    From the middle, because what hangs on either side does not wait for the other: a processor that looks ahead
    works on both.

    .. [1] Hines (1984) Int J Biomed Comput 15:69. Efficient computation of branched nerve equations.
    """
    around: list[list[tuple[int, float]]] = [[] for _ in range(tree.n_nodes)]
    for (a, b), g in zip(tree.edges.tolist(), tree.axial_us.tolist(), strict=True):
        around[a].append((b, g))
        around[b].append((a, g))
    last = _breadth(around, 0)[-1][0]
    path = _breadth(around, last)
    place = {node: i for i, (node, _, _) in enumerate(path)}
    up, node = [], path[-1][0]
    while True:
        up.append(node)
        if node == last:
            break
        node = path[place[node]][1]
    walk = _breadth(around, up[len(up) // 2])
    place = {node: i for i, (node, _, _) in enumerate(walk)}
    return Hines(
        np.array([node for node, _, _ in walk]),
        np.array([place.get(parent, -1) for _, parent, _ in walk]),
        np.array([g for _, _, g in walk]),
    )


def _breadth(around: list[list[tuple[int, float]]], root: int) -> list[tuple[int, int, float]]:
    """Return (node, parent, conductance) from ``root`` outwards, nearest first."""
    walk = [(root, -1, 0.0)]
    for node, parent, _ in walk:
        walk.extend((other, node, g) for other, g in around[node] if other != parent)
    return walk
