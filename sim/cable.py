"""Cables: cells whose potential differs from place to place, with the squid's spikes or a passive membrane.

On every compartment of a tree (``sim.morphology``)

    C dV/dt = -g_Na m³h (V - E_Na) - g_K n⁴ (V - E_K) - g_L (V - E_L) - synapses + injected + axial currents,

gates and rates after Hodgkin & Huxley [1]_, faster by 3^((T - 6.3) / 10) at T °C. A step is that of Hines [2]_: the
gates by exponential Euler at the potential before, then V by backward Euler with the new conductances, exactly, in
time linear in the number of compartments. V is the potential across the membrane; a field outside moves the inside
as well, so that it enters as the current G (Vₑ,ⱼ - Vₑ,ᵢ) between neighbours, the activating function [3]_.

An NMDA conductance is blocked by magnesium, B = 1 / (1 + [Mg] / 3.57 mM e^(-0.062 V / mV)) [4]_; the more a place is
depolarised, the more it depolarises, which makes plateaus.

Rates are read from a table of 0.1 mV steps between -200 and 200 mV (linear between); beyond, a gate moves as it does
at the edge. Over 60 ms of spikes potentials are within 0.02 mV of NEURON's with exact rates at the same step.

.. [1] Hodgkin & Huxley (1952) J Physiol 117:500.
.. [2] Hines (1984) Int J Biomed Comput 15:69.
.. [3] Rattay (1986) IEEE Trans Biomed Eng 33:974.
.. [4] Jahr & Stevens (1990) J Neurosci 10:3178.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim import GRID_S
from sim._cable_kernels import LANES, QUANTITIES, Inputs, Law, Scratch, Shown, advance, solve_one
from sim.component import Port, checked, whole_steps
from sim.morphology import Branch, Site, Tree, grow, hines
from sim.tiles import Tiles

LONGEST_STEP_S = 1e-4
LOW_MV, HIGH_MV, PER_MV = -200.0, 200.0, 10.0
"""The table's first and last potential, mV, and its rows a mV."""
SCALES = ("na", "k", "leak")
SYNAPSES = ("excitatory_us", "inhibitory_us", "nmda_us")


def rates(v_mv: F64) -> tuple[tuple[F64, F64], ...]:
    """Return opening and closing rates of m, h and n at 6.3 °C, /ms [1]_; same shape as ``v_mv``.

    .. [1] Hodgkin & Huxley (1952) J Physiol 117:500, potentials of today.
    """

    def linear_over(x: F64) -> F64:
        """x / (1 - e^-x), 1 at 0."""
        near = np.abs(x) < 1e-7
        safe = np.where(near, 1.0, x)
        return np.where(near, 1.0 + x / 2, safe / -np.expm1(-safe))

    v = np.asarray(v_mv, np.float64)
    m = linear_over((v + 40) / 10), 4.0 * np.exp(-(v + 65) / 18)
    h = 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))
    n = 0.1 * linear_over((v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)
    return m, h, n


@dataclass(kw_only=True)
class Cable:
    """Cells of one shape, side by side; they differ in inputs and conductances."""

    branches: tuple[Branch, ...]
    """The cell, parents before children."""
    sites: tuple[Site, ...]
    """Places for current, synapses and recorded potentials."""
    n_cells: Annotated[int, Ge(1)] = 1
    name: str = "cable"
    dt_s: Annotated[float, Gt(0), Le(LONGEST_STEP_S)] = 2.5e-5
    """Step, s."""
    celsius: Annotated[float, Ge(0), Le(45)] = 6.3
    """Temperature, °C."""
    rest_mv: float = -65.0
    """Potential everywhere at the beginning, the gates in equilibrium with it."""
    spike_site: str = ""
    """Site whose upward crossings of ``threshold_mv`` are the output ``spikes``; "" is the last one."""
    threshold_mv: float = 0.0
    e_na_mv: float = 50.0
    e_k_mv: float = -77.0
    e_inhibitory_mv: float = -75.0
    """Reversal potentials; those of excitation and NMDA are 0 mV."""
    mg_mm: Annotated[float, Ge(0)] = 1.0
    """Magnesium outside, mM."""
    voltage_hz: Annotated[float, Gt(0)] = 1000.0
    """Rows a second of the sampled outputs; a whole number of steps apart."""
    membrane_currents: bool = False
    """Whether there is the output ``current_na``: of every compartment, for potentials outside."""
    threads: Annotated[int, Ge(1)] = 1
    """Groups of 16 cells that may be computed at once; changes no bit."""

    def __post_init__(self) -> None:
        self.tree: Tree = grow(self.branches)
        """The compartments, in the order of the fields' and currents' columns."""

    @property
    def n_compartments(self) -> int:
        return len(self.tree.area_um2)

    @property
    def inputs(self) -> tuple[Port, ...]:
        return _input_ports(self.n_cells, len(self.sites), self.n_compartments, round(GRID_S / self.dt_s))

    @property
    def outputs(self) -> tuple[Port, ...]:
        spikes = Port("spikes", "", about="step and cell")
        volts = Port("voltage_mv", "mV", (self.n_cells, len(self.sites)), self.voltage_hz, "across the membrane")
        shape = (self.n_cells, self.n_compartments)
        current = Port("current_na", "nA", shape, self.voltage_hz, "through the membrane, outwards positive")
        return (spikes, volts, current) if self.membrane_currents else (spikes, volts)

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second: 10 ns a compartment and step, 20 for a cell alone."""
        cells, ns = (1, 20.0) if self.n_cells == 1 else (-(-self.n_cells // LANES) * LANES, 10.0)
        return cells * self.n_compartments * ns * 1e-9 / self.dt_s

    def bind(self, seed: int) -> None:
        """Build table and matrix; nothing is drawn.

        Raises
        ------
        ContractError
            If the step, a site, the recording rate or a number does not fit.
        """
        self._check()
        order = hines(self.tree)
        place = np.argsort(order.node)
        self._place = place
        self._tiles = Tiles(self.n_cells, place)
        self._compartment = np.where(order.node < self.n_compartments, order.node, -1).astype(np.int32)
        self._site_compartments = [self.tree.compartment(s.branch, s.at) for s in self.sites]
        self._site_nodes = place[self._site_compartments].astype(np.int32)
        self._watched = int(self._site_nodes[[s.name for s in self.sites].index(self._spike_site())])
        self._law = Law(
            self._table(), LOW_MV, PER_MV, order.parent.astype(np.int32), order.axial_us,
            bool((self.tree.na_us + self.tree.k_us).any()), self.e_na_mv, self.e_k_mv, self.e_inhibitory_mv,
            self.mg_mm,
        )  # fmt: skip
        self._allocate()
        self.reset()
        self._run(0, 0, 1)
        self.reset()

    def _spike_site(self) -> str:
        return self.spike_site or self.sites[-1].name

    def _check(self) -> None:
        whole_steps(self.name, self.dt_s, LONGEST_STEP_S)
        names = [s.name for s in self.sites]
        if not names or len(set(names)) != len(names):
            raise ContractError(f"{self.name}: sites are {names}, expected at least one, each with a name of its own")
        if self._spike_site() not in names:
            raise ContractError(f"{self.name}: no site {self.spike_site!r} for spikes; there are {', '.join(names)}")
        for field, low, high in (("celsius", 0, 45), ("rest_mv", -200, 200), ("threshold_mv", -200, 200),
                                 ("e_na_mv", -200, 200), ("e_k_mv", -200, 200), ("e_inhibitory_mv", -200, 200),
                                 ("mg_mm", 0, 1000)):  # fmt: skip
            if not low <= (value := getattr(self, field)) <= high:
                raise ContractError(f"{self.name}: {field} is {value:g}, expected {low} to {high}")
        if self.n_cells < 1 or self.threads < 1:
            raise ContractError(
                f"{self.name}: n_cells is {self.n_cells} and threads {self.threads}, expected at least 1 each"
            )
        every = 1.0 / (self.voltage_hz * self.dt_s)
        if every < 1 - 1e-9 or abs(every - round(every)) > 1e-9 * every:
            raise ContractError(
                f"{self.name}: voltage_hz is {self.voltage_hz:g}, a row each {every:g} steps of {self.dt_s:g} s; "
                f"expected whole steps: give e.g. {1 / (max(1, round(every)) * self.dt_s):g}"
            )
        self._every = round(every)

    def _table(self) -> F64:
        """Return, for a grid of potentials, a gate after a step as constant and slope, and the way to the next row."""
        speed = 3.0 ** ((self.celsius - 6.3) / 10)
        v = LOW_MV + np.arange(round((HIGH_MV - LOW_MV) * PER_MV) + 1) / PER_MV
        columns = []
        for opening, closing in rates(v):
            fall = speed * (opening + closing) * self.dt_s * 1e3
            columns += [-np.expm1(-fall) * opening / (opening + closing), np.exp(-fall)]
        now = np.stack(columns, 1)
        return np.concatenate([now, np.diff(now, axis=0, append=now[-1:])], 1)

    def _allocate(self) -> None:
        groups, tiles, lanes = self._tiles.groups, self._tiles.tiles, self._tiles.lanes
        places, at_sites = tiles * LANES, (groups, len(self.sites), lanes)
        self._cells = np.zeros((groups, tiles, len(QUANTITIES) * LANES))
        self._state: dict[str, AnyArray] = {"injected": np.zeros((groups, tiles, LANES))}
        self._state |= {name: np.zeros(at_sites) for name in SYNAPSES}
        self._state["stimulus"] = np.ones(round(GRID_S / self.dt_s))
        self._state["leak"] = np.ones(self.n_cells)
        self._state["above"] = np.zeros((groups, lanes), np.uint8)
        self._state["step"] = np.zeros(1, np.int64)
        self._scratch = [Scratch(np.zeros(LANES, np.int32), *np.zeros((4, places))) for _ in range(groups)]
        self._advance = direct(advance)
        self._leaking: tuple[bytes, F64] = (b"", np.zeros(0))
        self._see()

    def _see(self) -> None:
        """Show the quantities in the tiles by name, (n_groups, n_tiles, LANES); the last three are scratch."""
        each = self._cells.reshape(*self._cells.shape[:2], len(QUANTITIES), LANES)
        self._state |= {name: each[:, :, q] for q, name in enumerate(QUANTITIES[:-3])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a copy's fields: its views must be of its own tiles."""
        self.__dict__.update(state)
        if "_cells" in state:
            self._see()

    def reset(self) -> None:
        """Return to rest, without inputs."""
        s = self._state
        for name in (*SYNAPSES, "injected", "activating", "above", "step"):
            s[name].fill(0)
        s["stimulus"].fill(1.0)
        s["leak"].fill(1.0)
        s["v"].fill(self.rest_mv)
        for name, (opening, closing) in zip("mhn", rates(np.array(self.rest_mv)), strict=True):
            s[name].fill(opening / (opening + closing))
        s["above"].fill(self.rest_mv > self.threshold_mv)
        whole = np.ones(self.n_cells)
        s["capacity"][...] = self._tiles.nodes(np.outer(whole, self.tree.capacity_nf / (self.dt_s * 1e3)))
        s["na"][...] = self._tiles.nodes(np.outer(whole, self.tree.na_us))
        s["k"][...] = self._tiles.nodes(np.outer(whole, self.tree.k_us))
        self._leak()

    def _leak(self) -> None:
        """Set what stands in the matrix at every step, and the constant current."""
        s, t = self._state, self.tree
        joined = np.zeros(t.n_nodes)
        np.add.at(joined, t.edges.ravel(), np.repeat(t.axial_us, 2))
        leak, axial = np.outer(s["leak"], t.leak_us), np.tile(joined, (self.n_cells, 1))
        s["fixed"][...] = s["capacity"] + self._tiles.nodes(leak) + self._tiles.nodes(axial)
        self._drive()

    def _drive(self) -> None:
        """Set the current that is injected and the leak's, which is worked out anew where the leak has changed."""
        s, t = self._state, self.tree
        if (leak := s["leak"].tobytes()) != self._leaking[0]:
            self._leaking = leak, self._tiles.nodes(np.outer(s["leak"], t.leak_us) * t.e_leak_mv)
        s["drive"][...] = s["injected"] + self._leaking[1]

    def _activate(self, field_mv: F64) -> F64:
        """Return the current that a field (n_cells, n_compartments) drives into every node, nA.

        Where branches meet the field is taken to be the mean of the neighbours', weighted by their conductances.
        """
        t = self.tree
        wide = np.zeros((self.n_cells, t.n_nodes))
        wide[:, : self.n_compartments] = field_mv
        a, b = t.edges.T
        for joint in range(self.n_compartments, t.n_nodes):
            here = (a == joint) | (b == joint)
            others = np.where(a == joint, b, a)[here]
            wide[:, joint] = wide[:, others] @ t.axial_us[here] / t.axial_us[here].sum()
        current = np.zeros_like(wide)
        along = t.axial_us * (wide[:, b] - wide[:, a])
        np.add.at(current, (slice(None), a), along)
        np.subtract.at(current, (slice(None), b), along)
        return current

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; several sites in one compartment add up."""
        array, s = checked(self, port, value), self._state
        if (port in SYNAPSES or port in SCALES) and (array < 0).any():
            raise ContractError(f"{self.name}.{port}: expected values of at least 0, given {array.min():g}")
        if port in SYNAPSES:
            s[port][...] = self._tiles.lay(array)
        elif port == "stimulus":
            s["stimulus"][...] = array
        elif port == "field_mv":
            s["activating"][...] = self._tiles.nodes(self._activate(array))
        elif port == "current_na":
            wide = np.zeros((self.n_cells, self.tree.n_nodes))
            for column, at in zip(array.T, self._site_compartments, strict=True):
                wide[:, at] += column
            s["injected"][...] = self._tiles.nodes(wide)
            self._drive()
        elif port == "leak":
            s["leak"][...] = array
            self._leak()
        else:
            s[port][...] = self._tiles.nodes(np.outer(array, self.tree.na_us if port == "na" else self.tree.k_us))

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps.

        *Realtime*: 100 times a second; 100 compartments take about 1 ms alone, 6 ms sixteenfold. Allocates what it
        returns.
        """
        first = int(self._state["step"][0])
        rows = (first + n) // self._every - first // self._every
        shown = self._run(first, n, rows)
        self._state["step"][0] += n
        return shown

    def _run(self, first: int, n: int, rows: int) -> tuple[AnyArray, ...]:
        groups, lanes = range(self._tiles.groups), self._tiles.lanes
        shown = [self._paper(g, n, rows) for g in groups]

        def one(g: int) -> int:
            # Views made here, not kept: a copy of the component would hold copies of them.
            inputs = Inputs(self._site_nodes, *(self._state[name][g] for name in SYNAPSES), self._state["stimulus"])
            return int(self._advance(first, n, self._law, self._cells[g], inputs, shown[g], self._scratch[g]))

        if self.threads > 1 and len(groups) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                found = list(pool.map(one, groups))
        else:
            found = [one(g) for g in groups]
        events = shown[0].events[: found[0]]  # of one group they are in order
        if len(groups) > 1:
            events = np.concatenate(
                [s.events[:k] + np.array([0, g * lanes]) for g, (s, k) in enumerate(zip(shown, found, strict=True))]
            )
            events = events[np.lexsort((events[:, 1], events[:, 0]))]
        events = events[events[:, 1] < self.n_cells]
        volts = self._by_cell([s.volts for s in shown])
        if not self.membrane_currents:
            return events, volts
        return events, volts, self._by_cell([s.currents for s in shown])

    def _paper(self, g: int, n: int, rows: int) -> Shown:
        """Return empty arrays for what group ``g`` will show."""
        looked_at, lanes = rows if self.membrane_currents else 0, self._tiles.lanes
        return Shown(
            self._every,
            np.empty((rows, len(self.sites), lanes), np.float32),
            np.empty((looked_at, self.n_compartments, lanes), np.float32),
            self._compartment,
            self._state["injected"][g].reshape(-1),
            self._watched,
            self.threshold_mv,
            self._state["above"][g],
            np.empty(((n // 2 + 1) * lanes, 2), np.int64),
        )

    def _by_cell(self, rows: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Return (n_rows, n, lanes) of each group as (n_rows, n_cells, n)."""
        together = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=2)
        return together[:, :, : self.n_cells].swapaxes(1, 2)

    def state(self) -> Mapping[str, AnyArray]:
        """Return potentials, gates, inputs and what follows from them, (n_groups, n_tiles, LANES), and the step."""
        return self._state

    def potentials(self) -> F64:
        """Return the membrane potential of every compartment, (n_cells, n_compartments), mV; a copy."""
        groups, lanes = self._tiles.groups, self._tiles.lanes
        v = self._state["v"].reshape(groups, -1)[:, : self.tree.n_nodes * lanes].reshape(groups, -1, lanes)
        wide = v.swapaxes(1, 2).reshape(-1, self.tree.n_nodes)
        return wide[: self.n_cells, self._place[: self.n_compartments]]


@lru_cache(maxsize=64)
def _input_ports(n_cells: int, n_sites: int, n_compartments: int, n_steps: int) -> tuple[Port, ...]:
    """Return the inputs: made once, as they are asked for at every one that is received."""
    at_sites = (n_cells, n_sites)
    return (
        Port("current_na", "nA", at_sites, about="injected at each site, inwards positive"),
        *(Port(s, "µS", at_sites, about="synaptic conductance at each site") for s in SYNAPSES),
        Port("field_mv", "mV", (n_cells, n_compartments), about="potential outside, per unit stimulus"),
        Port("stimulus", "", (n_steps,), about="course of the field, each step of 10 ms"),
        *(Port(s, "", (n_cells,), about=f"factor of the {s} conductance") for s in SCALES),
    )


def resistances(tree: Tree, compartment: int) -> F64:
    """Return the steady potential of every compartment for a unit of current at ``compartment``, MΩ, gates shut.

    The element ``compartment`` is the input resistance there, others the transfer resistances, which are the same
    either way; their ratio to it is the attenuation from there to each place.

    Raises
    ------
    ContractError
        If there is no such compartment.
    """
    n = len(tree.area_um2)
    if not 0 <= compartment < n:
        raise ContractError(f"resistances: no compartment {compartment}; the cell has {n}, counted from 0")
    order = hines(tree)
    place = np.argsort(order.node)
    diagonal = np.zeros(tree.n_nodes)
    diagonal[place[:n]] = tree.leak_us
    np.add.at(diagonal, place[tree.edges.ravel()], np.repeat(tree.axial_us, 2))
    right, v = np.zeros(tree.n_nodes), np.zeros(tree.n_nodes)
    right[place[compartment]] = 1.0
    solve_one(order.parent.astype(np.int32), order.axial_us, diagonal, right, v)
    return v[place[:n]]
