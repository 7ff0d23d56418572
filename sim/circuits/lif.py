"""Leaky integrate-and-fire neurons, connected at random, integrated exactly.

    tau_m dV/dt = -(V - V_rest) + R I + synapses + sigma sqrt(tau_m) xi(t);  at V > theta: V = V_reset for t_ref

Synapses either jump the potential by their weight or, with time constants of their own, drive it as g_e + g_i (both
in mV). Between spikes everything is linear, so that a step is a product and no error of integration is left: only
that spikes are found and counted at the ends of steps.

White noise crosses the threshold between the ends of steps too. A discrete walk with steps of s is stopped by a
barrier as a continuous one would be by a barrier 0.5826 s farther (0.5826 = -zeta(1/2) / sqrt(2 pi), [2]_), so the
threshold is moved down by that much. Without it rates come out low by a share of the order of sqrt(dt / tau_m).

References
----------
.. [1] Rotter & Diesmann (1999) Exact digital simulation of time-invariant linear systems. Biol Cybern 81:381-402.
.. [2] Broadie, Glasserman & Kou (1997) A continuity correction for discrete barrier options. Math Finance 7:325-349.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, I64, AnyArray
from sim.circuits._connectivity_kernels import Queue
from sim.circuits._lif_kernels import Arrays, Cell, Random, advance
from sim.circuits.connectivity import Wiring, delay_steps, graph_of
from sim.component import Noise, Port, checked, whole_steps

OVERSHOOT = 0.5825971579390107
"""-zeta(1/2) / sqrt(2 pi)."""
BLOCK = 100
"""Steps a call of the compiled loop takes at most, which bounds the array of events."""
EVENTS_A_STEP = 8.0
"""Mean number of external events a step up to which their distribution is tabulated."""
TABLE = 48


@dataclass(kw_only=True)
class LIF:
    """A network of leaky integrate-and-fire neurons; without wiring, so many single ones.

    Inputs: ``current_mv`` (n,), R I; ``external_hz``, Poisson events a second each neuron gets from outside;
    ``noise_mv``, sigma; ``weight_scale`` (2,), of excitatory and inhibitory synapses. Output: ``spikes``, events.

    Realtime: ``step`` allocates its list of events only. State is 16 bytes a neuron (jumps) or 24 (decaying), and as
    many times 4 (or 8) as there are steps of delay; a synapse is 4 bytes.
    """

    name: str = "lif"
    n_excitatory: Annotated[int, Ge(0)] = 80
    n_inhibitory: Annotated[int, Ge(0)] = 20
    wiring: Wiring | None = None
    """Who hears whom; nobody anybody if None."""
    synapses: Literal["jump", "exponential"] = "jump"
    """Inputs add to the potential at once, or drive it and decay."""
    weight_e_mv: float = 0.1
    weight_i_mv: float = -0.5
    delay_s: Annotated[float, Ge(0)] = 1.5e-3
    """From firing to arrival; 0, which decaying synapses may have, counts from the next step on."""
    tau_m_s: Annotated[float, Gt(0)] = 20e-3
    tau_e_s: Annotated[float, Gt(0)] = 5e-3
    tau_i_s: Annotated[float, Gt(0)] = 10e-3
    rest_mv: float = 0.0
    threshold_mv: float = 20.0
    reset_mv: float = 10.0
    refractory_s: Annotated[float, Ge(0)] = 2e-3
    """V stays at reset for so long, and inputs meanwhile are lost; rounded to whole steps."""
    start_mv: tuple[float, float] = (0.0, 20.0)
    """The potential begins uniform between these."""
    external_hz: Annotated[float, Ge(0)] = 0.0
    """Initial value of the input."""
    external_mv: float = 0.1
    """Weight of an external event."""
    noise_mv: Annotated[float, Ge(0)] = 0.0
    """Initial value of the input: sigma, sqrt(2) times the standard deviation the potential has without threshold."""
    dt_s: Annotated[float, Gt(0)] = 1e-4
    cost: float = 0.01
    """Core-seconds a simulated second, declared: 100 neurons with noise; 0.8 ns a neuron and step without, and 1 ns a
    synaptic event."""

    @property
    def n(self) -> int:
        """How many neurons."""
        return self.n_excitatory + self.n_inhibitory

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others may set."""
        return (
            Port("current_mv", "mV", (self.n,), about="constant drive, as where the potential would settle above rest"),
            Port("external_hz", "Hz", (), about="Poisson events each neuron gets from outside"),
            Port("noise_mv", "mV", (), about="sigma of the white noise"),
            Port("weight_scale", "", (2,), about="factor on excitatory and inhibitory weights"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (Port("spikes", "", (2,), about="step and neuron"),)

    def bind(self, seed: int) -> None:
        """Draw the graph and where potentials begin from ``seed``; allocate; compile.

        Raises
        ------
        ContractError
            If a parameter is out of its range, or the graph does not fit.
        """
        self._validate()
        n = self.n
        rng = np.random.default_rng(np.random.SeedSequence([seed, *self.name.encode()]))
        self.graph_ = graph_of(self.name, self.wiring, self.n_excitatory, self.n_inhibitory, rng)
        self._start: F32 = rng.uniform(*self.start_mv, n).astype(np.float32)
        exponential = self.synapses == "exponential"
        self._delay = delay_steps(self.name, self.delay_s, self.dt_s, least=0 if exponential else 1)
        rows = self._delay + 1 if self.wiring is not None and self._delay else 1
        z = lambda *shape: np.zeros(shape, np.float32)  # noqa: E731
        self._a = Arrays(
            v=z(n),
            ge=z(n if exponential else 0),
            gi=z(n if exponential else 0),
            toward=z(n),
            due_e=z(rows, n),
            due_i=z(rows, n if exponential else 0),
            fired=np.zeros(n, np.int32),
        )
        hold = round(self.refractory_s / self.dt_s)
        self._queue = Queue(np.zeros(n, np.int32), np.zeros(hold + 1, np.int64), np.zeros(2, np.int64))
        self._events: I64 = np.zeros((n * (BLOCK // (hold + 1) + 1), 2), np.int64)
        self._noise = Noise(seed, self.name, n)
        self._below: F32 = np.ones(TABLE, np.float32)
        self._tabulated = math.nan
        self._current, self._external = np.zeros(n), np.zeros(1)
        self._sigma, self._scale, self._step = np.zeros(1), np.zeros(2), np.zeros(1, np.int64)
        self.reset()
        self._advance(1)
        self.reset()

    def _validate(self) -> None:
        whole_steps(self.name, self.dt_s)
        if self.synapses not in ("jump", "exponential"):
            raise ContractError(f"{self.name}: synapses is {self.synapses!r}, expected 'jump' or 'exponential'")
        for key in ("tau_m_s", "tau_e_s", "tau_i_s"):
            if not 0.0 < getattr(self, key) < math.inf:
                raise ContractError(f"{self.name}: {key} is {getattr(self, key)}, expected a time above 0, s")
        if not 0.0 <= self.refractory_s < math.inf:
            raise ContractError(f"{self.name}: refractory_s is {self.refractory_s}, expected no negative time")
        if not self.reset_mv < self.threshold_mv:
            raise ContractError(
                f"{self.name}: reset_mv is {self.reset_mv}, expected below the threshold of {self.threshold_mv} mV"
            )
        self._check_external(self.external_hz)

    def _check_external(self, rate_hz: float) -> None:
        if not 0.0 <= rate_hz * self.dt_s <= EVENTS_A_STEP:
            raise ContractError(
                f"{self.name}.external_hz: {rate_hz:g} Hz, expected 0 to {EVENTS_A_STEP / self.dt_s:g} at this dt_s; "
                "give more as current_mv and noise_mv, their mean and spread"
            )

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; see the class. Raises ContractError where a value has no meaning."""
        array = checked(self, port, value)
        if port == "current_mv":
            self._current[:] = array
        elif port == "weight_scale":
            self._scale[:] = array
        elif port == "external_hz":
            self._check_external(float(array))
            self._external[0] = array
        else:
            if array < 0.0:
                raise ContractError(f"{self.name}.noise_mv: {float(array):g} mV, expected no negative value")
            self._sigma[0] = array

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return the spikes as (n_events, 2) int64: step and neuron."""
        parts = [self._advance(min(BLOCK, n - done)) for done in range(0, n, BLOCK)]
        if len(parts) == 1:
            return (parts[0],)
        return (np.concatenate(parts) if parts else np.zeros((0, 2), np.int64),)

    def _advance(self, n: int) -> I64:
        a, cell = self._a, self._cell()
        a.toward[:] = (self.rest_mv + self._current) * -math.expm1(-self.dt_s / self.tau_m_s)
        four = self._noise.four
        random = Random(self._noise.key, self._noise.words, four, four.reshape(-1), self._below)
        k = advance(n, int(self._step[0]), cell, a, self._queue, self.graph_, random, self._events)
        self._step[0] += n
        return self._events[:k].copy()

    def _cell(self) -> Cell:
        rate, sigma, f = float(self._external[0]), float(self._sigma[0]), np.float32
        if rate != self._tabulated:
            self._below[:] = poisson_below(rate * self.dt_s)
            self._tabulated = rate
        sd = sigma * math.sqrt(-math.expm1(-2.0 * self.dt_s / self.tau_m_s) / 2.0)
        return Cell(
            exponential=int(self.synapses == "exponential"),
            n_e=self.n_excitatory,
            delay=self._delay,
            leak=f(math.exp(-self.dt_s / self.tau_m_s)),
            decay_e=f(math.exp(-self.dt_s / self.tau_e_s)),
            decay_i=f(math.exp(-self.dt_s / self.tau_i_s)),
            from_e=f(charge_of(self.dt_s, self.tau_m_s, self.tau_e_s)),
            from_i=f(charge_of(self.dt_s, self.tau_m_s, self.tau_i_s)),
            threshold=f(self.threshold_mv - OVERSHOOT * sigma * math.sqrt(self.dt_s / self.tau_m_s)),
            reset=f(self.reset_mv),
            weight_e=f(self.weight_e_mv * self._scale[0]),
            weight_i=f(self.weight_i_mv * self._scale[1]),
            external=f(self.external_mv if rate > 0.0 else 0.0),
            noise=f(sd),
        )

    def state(self) -> Mapping[str, AnyArray]:
        """Return potentials, synaptic inputs, what is on its way, who is refractory, and the inputs."""
        a, q = self._a, self._queue
        return {
            "v": a.v, "ge": a.ge, "gi": a.gi, "due_e": a.due_e, "due_i": a.due_i, "refractory": q.neurons,
            "fired": q.fired, "ends": q.ends, "current_mv": self._current, "external_hz": self._external,
            "noise_mv": self._sigma, "weight_scale": self._scale, "step": self._step,
        }  # fmt: skip

    def reset(self) -> None:
        """Begin again where ``bind`` began."""
        for array in self.state().values():
            array[...] = 0
        self._a.v[:] = self._start
        self._external[0], self._sigma[0], self._scale[:] = self.external_hz, self.noise_mv, 1.0


def charge_of(dt_s: float, tau_m_s: float, tau_s: float) -> float:
    """Return what a synaptic input of 1 mV that decays with ``tau_s`` adds to the potential within a step, mV.

    tau_s / (tau_m - tau_s) (e^{-dt/tau_m} - e^{-dt/tau_s}), and its limit where the two are alike.
    """
    slow = 1.0 / tau_m_s - 1.0 / tau_s
    if abs(slow * dt_s) < 1e-9:
        return dt_s / tau_m_s * math.exp(-dt_s / tau_m_s)
    return math.exp(-dt_s / tau_s) * -math.expm1(-slow * dt_s) / (slow * tau_m_s)


def poisson_below(mean: float) -> F32:
    """Return P(at most k events), k = 0 … TABLE - 1, of a Poisson number; 1 where no 24-bit number can tell."""
    k = np.arange(TABLE)
    log_p = k * math.log(mean) - mean - np.array([math.lgamma(i + 1.0) for i in k]) if mean > 0.0 else 0.0 * k
    below = np.cumsum(np.exp(log_p)) if mean > 0.0 else np.ones(TABLE)
    return np.where(below > 1.0 - 2.0**-24, 1.0, below).astype(np.float32)
