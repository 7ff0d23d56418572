"""Adaptive exponential integrate-and-fire neurons: two variables that fire as cortical cells do.

    C dV/dt = -g_L (V - E_L) + g_L D exp((V - V_T) / D) - w + I + g_e (E_e - V) + g_i (E_i - V)
    tau_w dw/dt = a (V - E_L) - w;    at V > V_peak: V = V_r, w += b

Depending on a, b, tau_w and V_r they fire tonically, adapt, burst or only begin [2]_. Potential and adaptation advance
by the midpoint rule, conductances exactly. Near the end of the upstroke dV/dt = (g_L D / C) exp((V - V_T) / D) alone,
which leaves C / g_L exp(-(V - V_T) / D) to infinity: a neuron fires at the end of the step after which that is less
than half a step, so that spike times are rounded and not put off.

References
----------
.. [1] Brette & Gerstner (2005) Adaptive exponential integrate-and-fire model as an effective description of neuronal
       activity. J Neurophysiol 94:3637-3642.
.. [2] Naud, Marcille, Clopath & Gerstner (2008) Firing patterns in the adaptive exponential integrate-and-fire model.
       Biol Cybern 99:335-347.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, I64, AnyArray
from sim.circuits._adex_kernels import Arrays, Cell, advance
from sim.circuits._lif_kernels import Random
from sim.circuits.connectivity import Wiring, delay_steps, graph_of
from sim.circuits.lif import EVENTS_A_STEP, TABLE, poisson_below
from sim.component import Noise, Port, checked, whole_steps

BLOCK = 20
"""Steps a call of the compiled loop takes at most: all may fire in each of them."""


@dataclass(kw_only=True)
class AdEx:
    """A network of adaptive exponential neurons; without wiring, so many single ones. Defaults are those of [1]_.

    Inputs: ``current_pa`` (n,); ``external_hz``, Poisson events a second on each neuron's excitatory conductance;
    ``weight_scale`` (2,), of excitatory and inhibitory synapses. Output: ``spikes``, events.
    """

    name: str = "adex"
    n_excitatory: Annotated[int, Ge(0)] = 80
    n_inhibitory: Annotated[int, Ge(0)] = 20
    wiring: Wiring | None = None
    """Who hears whom; nobody anybody if None."""
    c_pf: Annotated[float, Gt(0)] = 281.0
    g_l_ns: Annotated[float, Gt(0)] = 30.0
    e_l_mv: float = -70.6
    v_t_mv: float = -50.4
    """Where the exponential sets in."""
    delta_t_mv: Annotated[float, Gt(0)] = 2.0
    tau_w_s: Annotated[float, Gt(0)] = 144e-3
    a_ns: float = 4.0
    b_pa: float = 80.5
    v_reset_mv: float = -70.6
    v_peak_mv: float = 20.0
    weight_e_ns: Annotated[float, Ge(0)] = 1.0
    weight_i_ns: Annotated[float, Ge(0)] = 5.0
    delay_s: Annotated[float, Gt(0)] = 1.5e-3
    tau_e_s: Annotated[float, Gt(0)] = 5e-3
    tau_i_s: Annotated[float, Gt(0)] = 10e-3
    e_e_mv: float = 0.0
    e_i_mv: float = -80.0
    external_hz: Annotated[float, Ge(0)] = 0.0
    """Initial value of the input."""
    external_ns: Annotated[float, Ge(0)] = 1.0
    """Weight of an external event."""
    dt_s: Annotated[float, Gt(0)] = 1e-4
    """At most 0.1 ms; spike times are about as good as a step."""
    cost: float = 0.025
    """Core-seconds a simulated second, declared, 100 neurons."""

    @property
    def n(self) -> int:
        """How many neurons."""
        return self.n_excitatory + self.n_inhibitory

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others may set."""
        return (
            Port("current_pa", "pA", (self.n,), about="current from outside, depolarising"),
            Port("external_hz", "Hz", (), about="Poisson events each neuron gets from outside"),
            Port("weight_scale", "", (2,), about="factor on excitatory and inhibitory weights"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (Port("spikes", "", (2,), about="step and neuron"),)

    def bind(self, seed: int) -> None:
        """Draw the graph from ``seed``; allocate; compile. All begin at E_L, without adaptation.

        Raises
        ------
        ContractError
            If a parameter is out of its range, or the graph does not fit.
        """
        self._validate()
        n = self.n
        rng = np.random.default_rng(np.random.SeedSequence([seed, *self.name.encode()]))
        self.graph_ = graph_of(self.name, self.wiring, self.n_excitatory, self.n_inhibitory, rng)
        self._delay = delay_steps(self.name, self.delay_s, self.dt_s)
        rows = self._delay + 1 if self.wiring is not None else 1
        due = (np.zeros((rows, n), np.float32), np.zeros((rows, n), np.float32))
        self._a = Arrays(*(np.zeros(n, np.float32) for _ in range(7)), *due, fired=np.zeros(n, np.int32))
        self._events: I64 = np.zeros((n * BLOCK, 2), np.int64)
        self._noise = Noise(seed, self.name, n)
        self._below: F32 = np.ones(TABLE, np.float32)
        self._tabulated = math.nan
        self._external, self._scale, self._step = np.zeros(1), np.zeros(2), np.zeros(1, np.int64)
        self.reset()
        self._advance(1)
        self.reset()

    def _validate(self) -> None:
        whole_steps(self.name, self.dt_s, 1e-4)
        for key in ("c_pf", "g_l_ns", "delta_t_mv", "tau_w_s", "tau_e_s", "tau_i_s"):
            if not 0.0 < getattr(self, key) < math.inf:
                raise ContractError(f"{self.name}: {key} is {getattr(self, key)}, expected above 0")
        if not max(self.v_reset_mv, self.v_t_mv) < self.v_peak_mv <= self.v_t_mv + 40.0 * self.delta_t_mv:
            raise ContractError(
                f"{self.name}: v_peak_mv is {self.v_peak_mv}, expected above v_reset_mv and v_t_mv and within "
                "40 delta_t_mv of v_t_mv, where the exponential ends single precision"
            )
        self._check_external(self.external_hz)

    def _check_external(self, rate_hz: float) -> None:
        if not 0.0 <= rate_hz * self.dt_s <= EVENTS_A_STEP:
            raise ContractError(
                f"{self.name}.external_hz: {rate_hz:g} Hz, expected 0 to {EVENTS_A_STEP / self.dt_s:g} at this dt_s"
            )

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; see the class. Raises ContractError where a value has no meaning."""
        array = checked(self, port, value)
        if port == "current_pa":
            self._a.current[:] = array
        elif port == "external_hz":
            self._check_external(float(array))
            self._external[0] = array
        elif np.any(array < 0.0):
            raise ContractError(f"{self.name}.weight_scale: {array}, expected no negative factor")
        else:
            self._scale[:] = array

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return the spikes as (n_events, 2) int64: step and neuron."""
        parts = [self._advance(min(BLOCK, n - done)) for done in range(0, n, BLOCK)]
        if len(parts) == 1:
            return (parts[0],)
        return (np.concatenate(parts) if parts else np.zeros((0, 2), np.int64),)

    def _advance(self, n: int) -> I64:
        cell, four = self._cell(), self._noise.four
        random = Random(self._noise.key, self._noise.words, four, four.reshape(-1)[: self.n], self._below)
        k = advance(n, int(self._step[0]), cell, self._a, self.graph_, random, self._events)
        self._step[0] += n
        return self._events[:k].copy()

    def _cell(self) -> Cell:
        rate, f = float(self._external[0]), np.float32
        if rate != self._tabulated:
            self._below[:] = poisson_below(rate * self.dt_s)
            self._tabulated = rate
        nearly = self.v_t_mv + self.delta_t_mv * math.log(2.0 * self.c_pf / (self.g_l_ns * 1e3 * self.dt_s))
        fade_e, fade_i = self.dt_s / self.tau_e_s, self.dt_s / self.tau_i_s
        values = {
            "dt": 1e3 * self.dt_s, "c": self.c_pf, "leak": self.g_l_ns, "rest": self.e_l_mv, "knee": self.v_t_mv,
            "sharpness": self.delta_t_mv, "per_sharpness": 1.0 / self.delta_t_mv, "peak": min(self.v_peak_mv, nearly),
            "reset": self.v_reset_mv, "a": self.a_ns, "b": self.b_pa, "per_tau_w": 1e-3 / self.tau_w_s,
            "decay_e": math.exp(-fade_e), "decay_i": math.exp(-fade_i),
            "mean_e": -math.expm1(-fade_e) / fade_e, "mean_i": -math.expm1(-fade_i) / fade_i,
            "reversal_e": self.e_e_mv, "reversal_i": self.e_i_mv,
            "weight_e": self.weight_e_ns * self._scale[0], "weight_i": self.weight_i_ns * self._scale[1],
            "external": self.external_ns if rate > 0.0 else 0.0,
        }  # fmt: skip
        return Cell(self.n_excitatory, self._delay, **{k: f(v) for k, v in values.items()})

    def state(self) -> Mapping[str, AnyArray]:
        """Return potentials, adaptation, conductances, what is on its way, and the inputs."""
        a = self._a
        return {
            "v": a.v, "w": a.w, "ge": a.ge, "gi": a.gi, "due_e": a.due_e, "due_i": a.due_i, "current_pa": a.current,
            "external_hz": self._external, "weight_scale": self._scale, "step": self._step,
        }  # fmt: skip

    def reset(self) -> None:
        """Begin again where ``bind`` began."""
        for array in self.state().values():
            array[...] = 0
        self._a.v[:] = self.e_l_mv
        self._external[0], self._scale[:] = self.external_hz, 1.0
