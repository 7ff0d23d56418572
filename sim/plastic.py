"""A small circuit that learns: LIF neurons whose synapses change by the spikes that pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import AnyArray
from sim._plastic_kernels import MOST, Cell, Draws, Graph, Slow, State, advance
from sim.component import Noise, Port, checked, whole_steps
from sim.plasticity import Homeostasis, PairRule, Reward, backward, positive


@dataclass(kw_only=True)
class Trigger:
    """Stimulates some neurons a fixed time after each spike of others, as an implant would [1]_.

    Spikes of one step trigger one stimulus.

    References
    ----------
    .. [1] Jackson, Mavoori & Fetz (2006) Long-term motor cortex plasticity induced by an electronic neural implant.
       Nature 444:56.
    """

    recorded: tuple[int, ...]
    """Neurons whose spikes trigger."""
    stimulated: tuple[int, ...]
    """Neurons the stimulus reaches."""
    delay_s: Annotated[float, Gt(0)] = 0.020
    kick_mv: Annotated[float, Ge(0)] = 15.0
    """By how much a stimulus depolarises."""


@dataclass(kw_only=True)
class Plastic:
    """LIF neurons with plastic excitatory synapses from Poisson inputs or from each other.

    tau_m dv/dt = E_rest - v + g_e (E_e - v) + g_i (E_i - v); a presynaptic spike adds ``peak`` times its weight to
    g_e, which decays. With the defaults, the neuron of Song, Miller & Abbott (2000): 1000 excitatory inputs, 200
    inhibitory ones of 10 Hz that do not learn. Order and delays of the learning are ``_plasticity_kernels``'.

    Attributes
    ----------
    w : (n_synapses,) float32
        Weights, by source and then by neuron; borrowed.
    """

    name: str = "plastic"
    dt_s: Annotated[float, Gt(0)] = 1e-4
    n_inputs: Annotated[int, Ge(0)] = 1000
    n_neurons: Annotated[int, Gt(0)] = 1
    learns: Literal["inputs", "recurrent"] = "inputs"
    """Which synapses there are: of all inputs upon all neurons, or of all neurons upon all others."""
    pairs: PairRule = field(default_factory=PairRule)
    reward: Reward | None = None
    """Without it, weights change at once."""
    homeostasis: Homeostasis | None = None
    trigger: Trigger | None = None
    start: Annotated[float, Ge(0)] = 1.0
    """Weights at first, all of them."""
    input_hz: Annotated[float, Ge(0)] = 10.0
    """Rate of every input until ``inputs`` says otherwise."""
    background_hz: Annotated[float, Ge(0)] = 0.0
    """Excitatory spikes a neuron receives besides, until ``background`` says otherwise."""
    inhibitory_hz: Annotated[float, Ge(0)] = 2000.0
    """Inhibitory spikes a neuron receives."""
    peak: Annotated[float, Gt(0)] = 0.015
    """Conductance of weight 1; this and the next in units of the leak."""
    background: Annotated[float, Ge(0)] = 0.015
    inhibitory: Annotated[float, Ge(0)] = 0.05
    lateral: Annotated[float, Ge(0)] = 0.0
    """Inhibitory conductance that a spike causes in every other neuron."""
    delay_s: Annotated[float, Gt(0)] = 0.001
    """From a neuron's spike to its arrival at the others."""
    tau_m_s: Annotated[float, Gt(0)] = 0.020
    tau_excitation_s: Annotated[float, Gt(0)] = 0.005
    tau_inhibition_s: Annotated[float, Gt(0)] = 0.005
    weights_hz: Annotated[float, Gt(0)] = 1.0
    """How often the output ``weights`` shows them."""

    @property
    def n_synapses(self) -> int:
        """Plastic synapses."""
        return self.n_neurons * (self.n_inputs if self.learns == "inputs" else self.n_neurons - 1)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return (
            Port("inputs", "Hz", (self.n_inputs,), about="rates of the Poisson inputs"),
            Port("background", "Hz", (self.n_neurons,), about="other excitatory spikes upon each neuron"),
            Port("reward", "1/s", about="dopamine released; negative: withheld"),
            Port("plasticity", "", about="share of the amplitudes of learning left, 0 to 1"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("spikes", "", (2,), about="step, neuron"),
            Port("weights", "", (self.n_synapses,), self.weights_hz, "by source, then neuron"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second takes."""
        return 1e-4 / self.dt_s * (0.0045 + 0.0005 * self.n_neurons)

    def bind(self, seed: int) -> None:
        """Lay out synapses, seed the draws, allocate and warm."""
        self._check()
        self._cell = self._neuron()
        self._rule = self.pairs.kernel_rule() if self.reward is None else self.reward.kernel_rule(self.pairs)
        reward, home = self.reward or Reward(), self.homeostasis
        self._slow = Slow(
            whole_steps(self.name, self.dt_s), self.reward is not None, float(reward.tau_dopamine_s),
            float(home.target_hz) if home else 0.0, float(home.tau_rate_s) if home else 1.0,
            float(home.tau_scaling_s) if home else 1.0, self._steps("weights_hz", 1.0 / self.weights_hz),
            float(self.pairs.low), float(self.pairs.high),
        )  # fmt: skip
        self._graph = self._wired()
        noise = Noise(seed, self.name, 1 + MOST + 2 * self.n_neurons)
        self._draws = Draws(noise.key, noise.words, noise.four)
        self._state = self._allocated()
        self.w = self._state.w
        self.reset()
        self.step(1)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take rates, reward or the share of plasticity.

        Raises
        ------
        ContractError
            If the shape is wrong, a rate negative or too high for the step, or the share outside 0 to 1.
        """
        array = checked(self, port, value)
        if port in ("inputs", "background") and (array < 0.0).any():
            raise ContractError(f"{self.name}.{port}: expected rates from 0 Hz, given {array.min():g}")
        if port == "plasticity" and not 0.0 <= float(array) <= 1.0:
            raise ContractError(f"{self.name}.plasticity: expected a share from 0 to 1, given {float(array):g}")
        if port in ("inputs", "background"):
            most = float(array.sum() if port == "inputs" else array.max(initial=0.0)) * self.dt_s
            if most > MOST / 4:
                raise ContractError(
                    f"{self.name}.{port}: {most:.3g} spikes a step of {self.dt_s:g} s, expected at most {MOST // 4}; "
                    "take a shorter step"
                )
        if port == "inputs":
            np.cumsum(array * self.dt_s, out=self._state.inputs)
        elif port == "background":
            self._state.driven[0] = array * self.dt_s
            self._state.driven[1] = np.exp(-array * self.dt_s)
        else:
            (self._state.reward if port == "reward" else self._state.plasticity)[0] = float(array)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return spikes and weights."""
        first = int(self._state.step[0])
        events = np.empty((n * self.n_neurons, 2), np.int64)
        rows = np.empty(((first + n) // self._slow.every - first // self._slow.every, self.n_synapses), np.float32)
        fired = advance(
            n, self._cell, self._rule, self._slow, self._graph, self._state, self._draws, events, rows
        )
        return events[:fired], rows

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes."""
        return self._state._asdict()

    def reset(self) -> None:
        """Forget what was learned and what goes on."""
        for array in self._state:
            array[...] = 0
        self._state.v_mv[:] = self._cell.rest_mv
        self._state.w[:] = self.start
        self._state.plasticity[0] = 1.0
        self.receive("inputs", np.full(self.n_inputs, self.input_hz))
        self.receive("background", np.full(self.n_neurons, self.background_hz))

    def _check(self) -> None:
        whole_steps(self.name, self.dt_s, 1e-3)
        for name in ("tau_m_s", "tau_excitation_s", "tau_inhibition_s", "delay_s", "peak", "weights_hz"):
            positive(self.name, name, getattr(self, name), "")
        for name in ("background", "inhibitory", "lateral", "inhibitory_hz"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ContractError(f"{self.name}.{name}: expected a finite number from 0, given {getattr(self, name)}")
        if self.n_neurons < 1 or self.n_inputs < 0 or self.n_synapses < 1:
            raise ContractError(
                f"{self.name}: {self.n_inputs} inputs and {self.n_neurons} neurons make no synapse that could learn"
            )
        if self.learns not in ("inputs", "recurrent"):
            raise ContractError(f"{self.name}.learns: expected 'inputs' or 'recurrent', given {self.learns!r}")
        self.pairs.kernel_rule()
        if not self.pairs.low <= self.start <= self.pairs.high:
            raise ContractError(
                f"{self.name}.start: expected a weight from {self.pairs.low:g} to {self.pairs.high:g}, the bounds of "
                f"its rule, given {self.start!r}"
            )
        if self.homeostasis is not None:
            self.homeostasis.check()
        self._steps("weights_hz", 1.0 / self.weights_hz)
        self._steps("delay_s", self.delay_s)
        if self.trigger is not None:
            self._steps("trigger.delay_s", self.trigger.delay_s)
            wrong = [i for i in (*self.trigger.recorded, *self.trigger.stimulated) if not 0 <= i < self.n_neurons]
            if wrong:
                raise ContractError(
                    f"{self.name}.trigger: names neurons {wrong}, of {self.n_neurons} counted from 0"
                )

    def _steps(self, name: str, time_s: float) -> int:
        n = round(time_s / self.dt_s)
        if n < 1 or abs(n * self.dt_s - time_s) > 1e-6 * time_s:
            raise ContractError(
                f"{self.name}.{name}: {time_s:g} s is no whole, positive number of steps of {self.dt_s:g} s"
            )
        return n

    def _neuron(self) -> Cell:
        values = (
            self.dt_s, self.tau_m_s, math.exp(-self.dt_s / self.tau_excitation_s),
            math.exp(-self.dt_s / self.tau_inhibition_s), -70.0, -54.0, -60.0, 0.0, -70.0, self.peak, self.background,
            self.inhibitory, self.inhibitory_hz * self.dt_s, self.lateral, self.trigger.kick_mv if self.trigger else 0,
        )  # fmt: skip
        return Cell(*map(float, values))

    def _wired(self) -> Graph:
        n, m = self.n_neurons, self.n_inputs
        if self.learns == "inputs":
            degree = np.concatenate([np.full(m, n), np.zeros(n, np.int64)])
            targets = np.tile(np.arange(n), m)
        else:
            degree = np.concatenate([np.zeros(m, np.int64), np.full(n, n - 1)])
            targets = np.concatenate([np.delete(np.arange(n), i) for i in range(n)])
        offsets = np.concatenate([[0], np.cumsum(degree)]).astype(np.int32)
        recorded, stimulated = np.zeros((2, n), np.uint8)
        if self.trigger is not None:
            recorded[list(self.trigger.recorded)] = 1
            stimulated[list(self.trigger.stimulated)] = 1
        return Graph(offsets, targets.astype(np.int32), *backward(offsets, targets, n), recorded, stimulated)

    def _allocated(self) -> State:
        n, m, s = self.n_neurons, self.n_inputs, self.n_synapses
        wait = self._steps("trigger.delay_s", self.trigger.delay_s) if self.trigger else 1
        return State(
            np.zeros(1, np.int64), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(s, np.float32),
            np.zeros(s if self.reward else 1, np.float32), np.zeros(m + n, np.float32), np.zeros(n, np.float32),
            np.zeros(1), np.zeros(n), np.zeros(n, np.int32),
            np.zeros((self._steps("delay_s", self.delay_s), n), np.uint8), np.zeros(wait, np.uint8), np.zeros(m),
            np.zeros((2, n)), np.zeros(1), np.zeros(1),
        )  # fmt: skip
