"""A piece of motor cortex: what an implant listens to.

Leaky integrate-and-fire neurons, four in five excitatory, the others fast-spiking inhibitory (parvalbumin). Each is
driven by its afferents and by a background, both just below threshold, while recurrent excitation and inhibition
nearly cancel: it fires irregularly, at its own rate [1]_. Excitatory neurons are tuned to the velocity the subject
intends, each with a preferred direction d and a depth m of its own [2]_, and follow speed alone and an intended click::

    drive_i = b_i + (m_i d_i·v + s_i |v|) / v_ref + g_i click + external rate

Contacts between excitatory neurons are like to like and hold a latent state of a few dimensions
(``sim.circuits.wiring``), learn from pairs of spikes when a reward follows, and scale so that every neuron keeps its
rate (``sim.plasticity``). Excitatory terminals depress and facilitate [3]_.

The afferent drive is chosen backwards: rates are drawn first, and each neuron gets the drive at which mean-field
theory gives its own (``sim.circuits.meanfield``). The model is of a statistical kind: a point neuron, a current a
synapse, one delay, no layers.

.. [1] van Vreeswijk & Sompolinsky (1996) Science 274:1724; Brunel (2000) J Comput Neurosci 8:183.
.. [2] Georgopoulos et al. (1982) J Neurosci 2:1527.
.. [3] Tsodyks & Markram (1997) PNAS 94:719.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F32, I64, AnyArray
from sim.circuits._drive_kernels import intend, mean_rates
from sim.circuits._tissue_kernels import Clockwork, Learned, Neurons, Scratch, Slow, Wires, advance, learn
from sim.circuits.anatomy import Circuit, Synapses, Tuning, draw
from sim.circuits.fast_spiking import fast_spiking, with_sodium
from sim.circuits.meanfield import Membrane
from sim.component import Noise, Port, checked, whole_steps
from sim.plasticity import Homeostasis, PairRule, Reward, backward

STREAM = 0
"""Of the noise: the background."""
SLOW_BLOCKS = 100
"""Weights scale once in so many blocks of 10 ms."""
SCALES = ("ampa", "nmda", "gaba", "gaba_decay", "stimulus_hz", "click")
SLOW = ("stimulus_mv", "stimulus_hz", "ampa", "nmda", "gaba", "gaba_decay")
"""Inputs from which, with the electrode's place, arrays are made; most blocks find them as they were."""
LEAST = {"gaba_decay": 0.1}
"""Least value of an input where it is not 0."""
NONE: I64 = np.zeros((0, 2), np.int64)


@dataclass(kw_only=True)
class Tissue:
    """Motor cortex as a component.

    *Realtime*: ``step`` of 10 ms takes some 0.6 ms of one core; it allocates what it returns.
    """

    name: str = "m1"
    n_neurons: Annotated[int, Gt(0)] = 1500
    """Neurons, excitatory ones first."""
    contacts: Annotated[int, Gt(0)] = 150
    """Contacts each neuron receives."""
    n_dims: Annotated[int, Ge(1)] = 2
    """Dimensions of the movement."""
    dt_s: Annotated[float, Gt(0)] = 0.00025
    """Step, s: at most 0.5 ms, a whole part of a millisecond."""
    subject: int | None = None
    """Number of the participant, whose neurons are the same in every session; None draws new ones with the seed."""
    tuning: Tuning = field(default_factory=Tuning)
    circuit: Circuit = field(default_factory=Circuit)
    excitatory: Membrane = field(default_factory=Membrane)
    inhibitory: Membrane = field(default_factory=fast_spiking)
    delay_s: Annotated[float, Gt(0)] = 0.001
    """From a spike to its arrival, s."""
    ampa_s: Annotated[float, Gt(0)] = 0.002
    """Decay of AMPA currents."""
    nmda_s: Annotated[float, Gt(0)] = 0.080
    nmda_share: Annotated[float, Ge(0), Le(1)] = 0.3
    """Share of an excitatory charge that NMDA receptors carry."""
    gaba_s: Annotated[float, Gt(0)] = 0.008
    release: Annotated[float, Gt(0), Le(1)] = 0.25
    """Share of its resources that the first spike of a terminal releases."""
    recover_s: Annotated[float, Ge(0)] = 0.20
    facilitate_s: Annotated[float, Ge(0)] = 0.0
    pulse_s: Annotated[float, Gt(0)] = 0.00025
    """Width of a stimulation pulse."""
    mass_mv_per_hz: float = 0.1
    """Drive of every excitatory neuron by the rate of the population it stands in for, mV/Hz."""
    plastic: bool = True
    """Whether excitatory contacts on excitatory neurons learn and scale."""
    pairs: PairRule = field(default_factory=lambda: PairRule(a_plus=0.0025, a_minus=0.002625, high=8.0))
    """Bounds are multiples of the mean weight."""
    reward: Reward = field(default_factory=Reward)
    homeostasis: Homeostasis = field(default_factory=lambda: Homeostasis(target_hz=1.0, tau_scaling_s=200.0))
    """Rates are multiples of each neuron's own."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return _input_ports(self.n_dims)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("spikes", "", (2,), about="step, neuron"),
            Port("counts", "count", (self.n_neurons,), 1000.0),
            Port("rates", "Hz", (2,), 1000.0, about="mean over excitatory, over inhibitory neurons"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.08 * self.n_neurons / 1500

    def bind(self, seed: int) -> None:
        """Draw the circuit (from ``subject`` if there is one) and the background from ``seed``.

        Raises
        ------
        ContractError
            If the step is too coarse or no whole part of a millisecond, there are more contacts than neurons to send
            them, or rates are wanted that its membranes cannot fire at.
        """
        self._n_block = whole_steps(self.name, self.dt_s, 0.0005)
        self._n_ms = round(0.001 / self.dt_s)
        if abs(self._n_ms * self.dt_s - 0.001) > 1e-12:
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s * 1e3:g} ms, expected a whole part of 1 ms, because counts are "
                f"given each millisecond; give e.g. 0.00025"
            )
        rng = np.random.default_rng(np.random.SeedSequence([seed if self.subject is None else self.subject, 0x71550E]))
        times = Synapses(self.dt_s, self.ampa_s, self.gaba_s, self.release, self.recover_s, self.facilitate_s)
        self.anatomy_ = draw(
            rng, self.tuning, self.circuit, (self.excitatory, self.inhibitory), times,
            n=self.n_neurons, k=self.contacts, n_dims=self.n_dims,
        )  # fmt: skip
        self._noise = Noise(seed, self.name, self.n_neurons)
        self._allocate()
        self._wire()
        self.reset()
        self.step(self._n_block)
        self.reset()

    def _allocate(self) -> None:
        n, n_delay, a = self.n_neurons, max(1, round(self.delay_s / self.dt_s)), self.anatomy_
        self._numbers = Clockwork(
            a.n_exc, self._n_ms, self._n_block, self.dt_s,
            math.exp(-self.dt_s / self.ampa_s), math.exp(-self.dt_s / self.nmda_s),
            self.release, self.recover_s, self.facilitate_s, self.plastic,
        )  # fmt: skip

        def zeros() -> F32:
            return np.zeros(n, np.float32)

        self._cells = Neurons(
            keep=zeros(), threshold=zeros(), after=zeros(), hold=zeros(), noise_mv=a.noise_mv.astype(np.float32),
            noise=zeros(), v=zeros(), wait=zeros(), ampa=zeros(), nmda=zeros(), gaba=zeros(), counted=zeros(),
            travelling=np.zeros((n_delay, n), np.int32), n_travelling=np.zeros(n_delay, np.int64),
        )  # fmt: skip
        words, four = self._noise.words, self._noise.four
        self._scratch = Scratch(words, four, four.reshape(-1)[:n], zeros(), zeros(), zeros())
        self._given = {p.name: np.zeros(p.shape) for p in self.inputs}
        self._steady = zeros()
        self._advance, self._learn, self._intend, self._mean_rates = map(direct, (advance, learn, intend, mean_rates))
        self._amounts: tuple[object, tuple[F32, F32, I64]] = None, (zeros(), zeros(), np.zeros(2, np.int64))
        self._at = np.zeros(1, np.int64)
        most = 2 + int(0.01 / min(self.excitatory.refractory_s, self.inhibitory.refractory_s))
        self._spikes: I64 = np.zeros((n * min(most, self._n_block), 2), np.int64)

    def _wire(self) -> None:
        a, plastic, fixed = self.anatomy_, self.anatomy_.plastic, self.anatomy_.fixed
        back = backward(plastic.first, plastic.to, a.n_exc)
        usual = a.baselines_hz[: a.n_exc].astype(np.float32)
        self._wires = Wires(plastic.first, plastic.to, fixed.first, fixed.to, fixed.weight, *back, usual)
        mean = float(plastic.weight.mean())
        pairs = replace(self.pairs, low=self.pairs.low * mean, high=self.pairs.high * mean)
        self.reward_rule_ = self.reward.kernel_rule(pairs)
        self._bounds = pairs.low, pairs.high
        self.homeostasis.check()
        self._slow = Slow(
            self.reward.tau_dopamine_s, self.homeostasis.tau_rate_s, self.homeostasis.tau_scaling_s,
            self.homeostasis.target_hz, SLOW_BLOCKS, *self._bounds,
        )  # fmt: skip
        n, k = a.n_exc, len(plastic.weight)
        self._learned = Learned(
            weight=np.zeros(k, np.float32), eligible=np.zeros(k, np.float32), pre=np.zeros(n, np.float32),
            post=np.zeros(n, np.float32), u=np.zeros(n), x=np.zeros(n), last=np.zeros(n, np.int64),
            folded=np.zeros(1, np.int64), dopamine=np.zeros(1), counts=np.zeros(n, np.int32),
            rates=np.zeros(n, np.float32),
        )  # fmt: skip

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input.

        Raises
        ------
        ContractError
            If there is no such input, the shape is another, a value is not finite, or a scale or rate is negative.

        Notes
        -----
        A value of ``nav11`` that was not met before takes about a second: the neuron is fitted anew.
        """
        given = checked(self, port, value)
        if port in SCALES and given < LEAST.get(port, 0.0):
            raise ContractError(f"{self.name}.{port}: expected at least {LEAST.get(port, 0.0):g}, given {given:g}")
        if port == "nav11":
            self._membranes(float(given))
        self._given[port][...] = given

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return spikes, counts and rates since."""
        t = int(self._at[0])
        counts = np.empty(((t + n) // self._n_ms - t // self._n_ms, self.n_neurons), np.float32)
        spikes, done, end = [], 0, t + n
        inputs = self._inputs()
        while t < end:
            m = min(end - t, self._n_block - t % self._n_block)
            k = self._advance(
                self._noise.key, t, m, self._numbers, self.reward_rule_, self._wires, self._cells, self._learned,
                inputs, self._scratch, counts[done:], self._spikes,
            )  # fmt: skip
            done += (t + m) // self._n_ms - t // self._n_ms
            spikes.append(self._spikes[:k].copy())
            t += m
            if self.plastic and t % self._n_block == 0:
                reward = float(self._given["reward"])
                self._learn(
                    t, reward, self._numbers, self.reward_rule_, self._slow, self._wires, self._learned,
                    self._scratch.drive[: self.anatomy_.n_exc],
                )  # fmt: skip
        self._at[0] = t
        rates: F32 = np.empty((len(counts), 2), np.float32)
        self._mean_rates(counts, self.anatomy_.n_exc, rates)
        return (spikes[0] if len(spikes) == 1 else np.concatenate([NONE, *spikes])), counts, rates

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        own: dict[str, AnyArray] = {"step": self._at}
        own |= {f"input.{k}": v for k, v in self._given.items()}
        own |= {k: v for k, v in self._cells._asdict().items() if k != "noise_mv"}
        return own | self._learned._asdict()

    def reset(self) -> None:
        """Forget state and what was learned, keep the circuit."""
        a, learned = self.anatomy_, self._learned
        for array in self.state().values():
            array[...] = 0
        for port in ("nav11", "ampa", "nmda", "gaba", "gaba_decay"):
            self._given[port][...] = 1.0
        self._membranes(1.0)
        self._cells.v[:] = self._cells.after * self._noise.uniform(STREAM + 1, 0)
        learned.weight[:] = np.clip(a.plastic.weight, *self._bounds)
        learned.x[:] = 1.0
        learned.rates[:] = a.baselines_hz[: a.n_exc]

    def _membranes(self, sodium: float) -> None:
        """Write what a neuron is, the inhibitory ones with the sodium they have."""
        n_exc, cells = self.anatomy_.n_exc, self._cells
        inhibitory = with_sodium(self.inhibitory, sodium)
        for part, cell in ((slice(0, n_exc), self.excitatory), (slice(n_exc, None), inhibitory)):
            cells.keep[part] = math.exp(-self.dt_s / cell.tau_s)
            cells.threshold[part] = cell.threshold_mv
            cells.after[part] = cell.reset_mv
            cells.hold[part] = round(cell.refractory_s / self.dt_s)

    def _inputs(self) -> tuple[F32, F32, F32, I64]:
        """Return what the inputs amount to: the kernel's ``inputs``."""
        given, a = self._given, self.anatomy_
        v = given["velocity"] / self.tuning.reference_mm_s
        mass = self.mass_mv_per_hz * float(given["m1_hz"])
        self._intend(
            a.drive_mv, a.tuned_mv, a.speeds_hz, a.clicks_hz, a.slope_hz_mv, v, math.sqrt(float(v @ v)),
            float(given["click"]), mass, self._steady,
        )  # fmt: skip
        slow = tuple(float(given[k]) for k in SLOW), *given["electrode_um"].tolist()
        if slow != self._amounts[0]:
            self._amounts = slow, self._slow_inputs()
        return self._steady, *self._amounts[1]

    def _slow_inputs(self) -> tuple[F32, F32, I64]:
        """Return what drugs and stimulation amount to, which seldom change: pulse, scales, timing."""
        given, a = self._given, self.anatomy_
        pulse: F32 = np.zeros(len(a.positions_um), np.float32)
        if given["stimulus_mv"]:
            away = np.hypot(*(a.positions_um - given["electrode_um"][:2]).T)
            pulse[away < given["electrode_um"][2]] = given["stimulus_mv"]
        rate = float(given["stimulus_hz"])
        width = max(1, round(self.pulse_s / self.dt_s))
        period = max(1, round(1.0 / (rate * self.dt_s))) if rate else 1
        timing = np.array([period, (width if rate else 1) * bool(given["stimulus_mv"])], np.int64)
        keep = math.exp(-self.dt_s / (self.gaba_s * float(given["gaba_decay"])))
        scales = [(1.0 - self.nmda_share) * given["ampa"], self.nmda_share * given["nmda"], given["gaba"], keep]
        return pulse, np.array(scales, np.float32), timing


@lru_cache(maxsize=64)
def _input_ports(n_dims: int) -> tuple[Port, ...]:
    """Return the inputs: made once, as they are asked for at every one that is received."""
    return (
        Port("velocity", "mm/s", (n_dims,), about="intended"),
        Port("click", "", about="1 while one is intended"),
        Port("reward", "", about="better (positive) or worse than expected"),
        Port("nav11", "", about="sodium conductance of inhibitory neurons, as a share of the healthy one"),
        Port("ampa", "", about="scale of AMPA currents"),
        Port("nmda", "", about="scale of NMDA currents"),
        Port("gaba", "", about="scale of GABA currents"),
        Port("gaba_decay", "", about="scale of their decay time"),
        Port("m1_hz", "Hz", about="rate of a neural mass upstream, against its rate at rest"),
        Port("stimulus_mv", "mV", about="voltage that stimulation would drive a neuron to, given time"),
        Port("stimulus_hz", "Hz", about="pulses a second; 0 is a constant current"),
        Port("electrode_um", "µm", (3,), about="centre of the disc that is stimulated, and its radius"),
    )
