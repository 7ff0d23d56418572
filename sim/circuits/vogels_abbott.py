"""The two benchmark networks of Vogels & Abbott, as a review of simulators fixed them: the yard-stick of speed.

4 000 neurons, four fifths of them excitatory, connected at random with probability 0.02, without any input from
outside, in steps of 0.1 ms. ``cuba`` is made of integrate-and-fire neurons with synaptic currents, :class:`COBAHH` of
Hodgkin-Huxley neurons (Traub & Miles kinetics) with synaptic conductances:

    C dV/dt = g_L (E_L - V) + g_e (E_e - V) + g_i (E_i - V) + g_Na m^3 h (E_Na - V) + g_K n^4 (E_K - V) + I

The rate of COBAHH is a matter of the graph: its standard deviation is 3.0 Hz over 40 graphs and 0.8 Hz over 12 initial
states of one graph (mean 34.9 Hz; Brian2 35.8 and 2.8 Hz over 12 seeds). So the rates of two simulators are compared
over many graphs, never on one.

References
----------
.. [1] Vogels & Abbott (2005) Signal propagation and logic gating in networks of integrate-and-fire neurons.
       J Neurosci 25:10786-10795.
.. [2] Brette et al. (2007) Simulation of networks of spiking neurons: a review of tools and strategies.
       J Comput Neurosci 23:349-398.
.. [3] Traub & Miles (1991) Neuronal networks of the hippocampus. Cambridge University Press.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import I64, AnyArray
from sim.circuits._connectivity_kernels import I32, Queue
from sim.circuits._vogels_abbott_kernels import Arrays, Membrane, advance
from sim.circuits.connectivity import Probability, checked_graph
from sim.circuits.lif import LIF
from sim.component import Port, checked, whole_steps

BLOCK = 100
"""Steps a call of the compiled loop takes at most."""


def cuba(n: int = 4000, p: float = 0.02) -> LIF:
    """Return the current-based network; weights 1.62 and -9 mV, no delay."""
    n_e = n * 4 // 5
    return LIF(
        name="cuba",
        n_excitatory=n_e,
        n_inhibitory=n - n_e,
        wiring=Probability(p=p),
        synapses="exponential",
        weight_e_mv=1.62,
        weight_i_mv=-9.0,
        delay_s=0.0,
        rest_mv=-49.0,
        threshold_mv=-50.0,
        reset_mv=-60.0,
        refractory_s=5e-3,
        start_mv=(-60.0, -50.0),
        cost=0.04,
    )


@dataclass(kw_only=True)
class COBAHH:
    """The conductance-based network. Gates begin at 0, conductances at random: it starts with a kick [2]_.

    Inputs: ``current_pa`` (n,); ``sodium_scale``, factor on the sodium conductance; ``weight_scale`` (2,), of
    excitatory and inhibitory synapses. Output: ``spikes``: rising through -20 mV, at most once in 3 ms.
    """

    name: str = "cobahh"
    n: Annotated[int, Ge(5)] = 4000
    p: Annotated[float, Ge(0)] = 0.02
    """Probability that a neuron projects to another."""
    weight_e_ns: Annotated[float, Ge(0)] = 6.0
    weight_i_ns: Annotated[float, Ge(0)] = 67.0
    tau_e_s: Annotated[float, Gt(0)] = 5e-3
    tau_i_s: Annotated[float, Gt(0)] = 10e-3
    refractory_s: Annotated[float, Ge(0)] = 3e-3
    """A spike is counted once in so long; the membrane goes on."""
    dt_s: Annotated[float, Gt(0)] = 1e-4
    cost: float = 0.45
    """Core-seconds a simulated second, declared, 4 000 neurons."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others may set."""
        return (
            Port("current_pa", "pA", (self.n,), about="current from outside, depolarising"),
            Port("sodium_scale", "", (), about="factor on the sodium conductance"),
            Port("weight_scale", "", (2,), about="factor on excitatory and inhibitory weights"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (Port("spikes", "", (2,), about="step and neuron"),)

    def bind(self, seed: int) -> None:
        """Draw the graph and the initial conductances from ``seed``; allocate; compile.

        Raises
        ------
        ContractError
            If a parameter is out of its range; the step may be at most 0.1 ms.
        """
        whole_steps(self.name, self.dt_s, 1e-4)
        if self.n < 5:
            raise ContractError(f"{self.name}: n is {self.n}, expected at least 5 neurons, four of them excitatory")
        for key in ("tau_e_s", "tau_i_s"):
            if not 0.0 < getattr(self, key) < math.inf:
                raise ContractError(f"{self.name}: {key} is {getattr(self, key)}, expected a time above 0, s")
        n = self.n
        self._n_e = n * 4 // 5
        rng = np.random.default_rng(np.random.SeedSequence([seed, *self.name.encode()]))
        self.graph_ = checked_graph(Probability(p=self.p).draw(self._n_e, n - self._n_e, rng), n, n)
        self._start = {
            "v": -65.0 + 5.0 * rng.standard_normal(n) - 5.0,
            "ge": 10.0 * (4.0 + 1.5 * rng.standard_normal(n)),
            "gi": 10.0 * (20.0 + 12.0 * rng.standard_normal(n)),
        }
        self._a = Arrays(*(np.zeros(n, np.float32) for _ in range(10)), fired=np.zeros(n, np.int32))
        hold = round(self.refractory_s / self.dt_s)
        self._queue = Queue(np.zeros(n, np.int32), np.zeros(hold + 1, np.int64), np.zeros(2, np.int64))
        self._above: I32 = np.zeros(n, np.int32)
        self._events: I64 = np.zeros((n * (BLOCK // (hold + 1) + 1), 2), np.int64)
        self._sodium, self._scale, self._step = np.zeros(1), np.zeros(2), np.zeros(1, np.int64)
        self.reset()
        self._advance(1)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; see the class. Raises ContractError for a negative scale."""
        array = checked(self, port, value)
        if port == "current_pa":
            self._a.drive[:] = array
            return
        if np.any(array < 0.0):
            raise ContractError(f"{self.name}.{port}: {array}, expected no negative factor")
        (self._sodium if port == "sodium_scale" else self._scale)[:] = array

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return the spikes as (n_events, 2) int64: step and neuron."""
        parts = [self._advance(min(BLOCK, n - done)) for done in range(0, n, BLOCK)]
        if len(parts) == 1:
            return (parts[0],)
        return (np.concatenate(parts) if parts else np.zeros((0, 2), np.int64),)

    def _advance(self, n: int) -> I64:
        p, step = self._membrane(), int(self._step[0])
        k = advance(n, step, p, self._a, self._queue, self._above, self.graph_, self._events)
        self._step[0] += n
        return self._events[:k].copy()

    def _membrane(self) -> Membrane:
        f = np.float32
        return Membrane(
            n_e=self._n_e,
            dt=f(1e3 * self.dt_s),
            dt_c=f(1e3 * self.dt_s / 200.0),
            leak=f(10.0),
            sodium=f(20_000.0 * self._sodium[0]),
            potassium=f(6_000.0),
            e_leak=f(-65.0),
            e_sodium=f(50.0),
            e_potassium=f(-90.0),
            e_inhibition=f(-80.0),
            decay_e=f(math.exp(-self.dt_s / self.tau_e_s)),
            decay_i=f(math.exp(-self.dt_s / self.tau_i_s)),
            weight_e=f(self.weight_e_ns * self._scale[0]),
            weight_i=f(self.weight_i_ns * self._scale[1]),
            threshold=f(-20.0),
        )

    def state(self) -> Mapping[str, AnyArray]:
        """Return potentials, gates, conductances, who is refractory, and the inputs."""
        a, q = self._a, self._queue
        return {
            "v": a.v, "m": a.m, "h": a.h, "n": a.n, "ge": a.ge, "gi": a.gi, "current_pa": a.drive,
            "refractory": q.neurons, "fired": q.fired, "ends": q.ends, "above": self._above,
            "sodium_scale": self._sodium, "weight_scale": self._scale, "step": self._step,
        }  # fmt: skip

    def reset(self) -> None:
        """Begin again where ``bind`` began."""
        for array in self.state().values():
            array[...] = 0
        for name, values in self._start.items():
            self.state()[name][:] = values
        self._sodium[0], self._scale[:] = 1.0, 1.0
